"""What a request under `/socket.io/` asks Engine.IO for.

Source: Engine.IO protocol, HTTP long-polling, WebSocket, Query parameters; the order of refusals is
the reference server's.
"""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from thingtank.protocols.engineio.errors import (
    BAD_HANDSHAKE_METHOD,
    BAD_REQUEST,
    TRANSPORT_UNKNOWN,
    UNSUPPORTED_REVISION,
    Refusal,
)
from thingtank.protocols.engineio.packets import REVISIONS
from thingtank.protocols.engineio.session import Transport

_REVISION_OF: Final = {str(revision): revision for revision in REVISIONS}
_TRANSPORT_OF: Final = {transport.value: transport for transport in Transport}


class Handshake(Struct, frozen=True):
    """A session is to be opened."""

    revision: int
    transport: Transport
    is_base64: bool


class Continuation(Struct, frozen=True):
    """A session is named. Polling: GET is `open_poll`, POST `receive_payload`."""

    sid: str
    transport: Transport


def read_request(
    query: Mapping[str, str], method: str, *, is_websocket: bool
) -> Handshake | Continuation | Refusal:
    """Read a request.

    Args:
        query: of each name one value.
        is_websocket: it asks for a WebSocket.
    """
    transport = _TRANSPORT_OF.get(query.get("transport", ""))
    if transport is None:
        return TRANSPORT_UNKNOWN
    if is_websocket != (transport is Transport.WEBSOCKET):
        return BAD_REQUEST
    sid = query.get("sid")
    if sid:
        return Continuation(sid, transport) if method in ("GET", "POST") else BAD_REQUEST
    if method != "GET":
        return BAD_HANDSHAKE_METHOD
    revision = _REVISION_OF.get(query.get("EIO", ""))
    if revision is None:
        return UNSUPPORTED_REVISION
    return Handshake(revision, transport, bool(query.get("b64")))
