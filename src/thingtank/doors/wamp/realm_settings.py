"""Settings of a realm: who may come in, what each role may do, what is kept."""

import msgspec

from thingtank.protocols.wamp.history import HistoryRule


class RealmSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One `[[wamp.realms]]`.

    Attributes:
        name: a URI, such as `realm1`.
        history: which topics have their events kept.
    """

    name: str
    history: tuple[HistoryRule, ...] = ()
