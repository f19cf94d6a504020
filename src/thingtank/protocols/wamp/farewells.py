"""ABORT and GOODBYE in forms that the client can take: without words, if those are too long."""

from msgspec import UNSET

from thingtank.protocols.wamp.messages import Abort, Goodbye
from thingtank.protocols.wamp.options import ClosingDetails
from thingtank.protocols.wamp.serializer import Serializer

_TEXT_CHARS_MAX = 300


def abort_bytes(serializer: Serializer, bytes_max: int, reason: str, text: str | None) -> bytes:
    """An ABORT.

    Args:
        text: words for people.
    """
    data = serializer.encode(Abort(_details(text), reason))
    return data if len(data) <= bytes_max else serializer.encode(Abort(_details(None), reason))


def goodbye_bytes(serializer: Serializer, bytes_max: int, reason: str, text: str | None) -> bytes:
    """A GOODBYE.

    Args:
        text: words for people.
    """
    data = serializer.encode(Goodbye(_details(text), reason))
    return data if len(data) <= bytes_max else serializer.encode(Goodbye(_details(None), reason))


def _details(text: str | None) -> ClosingDetails:
    return ClosingDetails(message=UNSET if text is None else text[:_TEXT_CHARS_MAX])
