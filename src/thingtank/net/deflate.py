"""permessage-deflate for WebSocket: each message by itself, so that idle connections keep nothing.

The library `websockets` reads the offer and calls zlib. Without context from message to message a
connection needs no window of 32 KB and more while it says nothing, and what is compressed for one
receiver is the same for all of them. Small messages are not worth it and stay as they are.

Source: RFC 7692.
"""

from collections.abc import Sequence

from websockets.exceptions import (
    InvalidHeader,
    NegotiationError,
    PayloadTooBig,
    ProtocolError,
)
from websockets.extensions.permessage_deflate import (
    PerMessageDeflate,
    ServerPerMessageDeflateFactory,
)
from websockets.frames import Frame, Opcode
from websockets.headers import build_extension, parse_extension

from thingtank.net.websocket_errors import BrokenWebSocket, CloseCode

COMPRESSED_BYTES_MIN = 1024  # of a message that is sent; a smaller one gains little
OFFER_CHARS_MAX = 2048

_NAME = "permessage-deflate"
_FACTORY = ServerPerMessageDeflateFactory(
    server_no_context_takeover=True,
    client_no_context_takeover=True,
    server_max_window_bits=12,
    client_max_window_bits=12,
    compress_settings={"level": 3, "memLevel": 5},
)


class Deflate:
    """The extension as it was agreed on for one connection."""

    __slots__ = ("_extension",)

    def __init__(self, extension: PerMessageDeflate) -> None:
        self._extension = extension

    def compress(self, message: bytes) -> bytes:
        """A whole message, for one frame with RSV1."""
        return bytes(self._extension.encode(Frame(Opcode.BINARY, message)).data)

    def decompress(
        self, payload: bytes, bytes_max: int, *, is_first: bool, fin: bool, rsv1: bool
    ) -> bytes:
        """A frame's payload; itself, if its message is not compressed.

        Raises:
            BrokenWebSocket: it is no such thing, or would become more than `bytes_max`.
        """
        opcode = Opcode.BINARY if is_first else Opcode.CONT
        frame = Frame(opcode, payload, fin, rsv1)
        try:
            return bytes(self._extension.decode(frame, max_size=bytes_max).data)
        except PayloadTooBig:
            raise BrokenWebSocket(CloseCode.MESSAGE_TOO_BIG, "the message is too big") from None
        except ProtocolError as error:
            raise BrokenWebSocket(CloseCode.PROTOCOL_ERROR, str(error)) from None


def agree(offers: Sequence[str]) -> tuple[Deflate, str] | None:
    """The first of a client's offers that can be kept.

    Args:
        offers: its Sec-WebSocket-Extensions headers.

    Returns:
        The extension and the header that answers; None without it.
    """
    header = ", ".join(offers)
    if not header or len(header) > OFFER_CHARS_MAX:
        return None
    try:
        extensions = parse_extension(header)
    except InvalidHeader:
        return None
    for name, parameters in extensions:
        if name != _NAME:
            continue
        try:
            answer, extension = _FACTORY.process_request_params(parameters, [])
        except NegotiationError:
            continue
        return Deflate(extension), build_extension([(name, answer)])
    return None
