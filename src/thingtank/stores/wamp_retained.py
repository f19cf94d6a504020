"""The retained events of one realm on disk: `protocols.wamp.retained.RetainedStore`."""

from thingtank.protocols.wamp.keeping import Keeping
from thingtank.protocols.wamp.publications import Publication
from thingtank.stores.wamp_event_rows import row_of
from thingtank.stores.wamp_event_writer import WampEventWriter


class WampRetained:
    """Those that can have a receiver when the process that took them is over."""

    def __init__(self, realm: str, writer: WampEventWriter) -> None:
        """Keep a realm's."""
        self._realm = realm
        self._writer = writer

    def keep(self, event: Publication) -> Keeping | None:
        """Keep one, unless it is only for sessions, which end with the process."""
        if _is_for_sessions(event):
            return None
        return self._writer.retain((self._realm, event.publication_id), row_of(event))

    def remove(self, event: Publication) -> Keeping | None:
        """Forget one."""
        if _is_for_sessions(event):
            return None
        return self._writer.forget((self._realm, event.publication_id))


def _is_for_sessions(event: Publication) -> bool:
    return event.receivers is not None and event.receivers.eligible is not None
