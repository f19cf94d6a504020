"""Messages out of WebSocket frames: fragments, text that must be UTF-8, compression, bounds.

Source: RFC 6455, 5.4 and 8.1; RFC 7692.
"""

import codecs
from enum import IntEnum

from thingtank.net.deflate import Deflate
from thingtank.net.websocket_errors import BrokenWebSocket, CloseCode

_UTF8 = codecs.getincrementaldecoder("utf-8")


class FrameType(IntEnum):
    """What data frames begin with."""

    CONTINUATION = 0
    TEXT = 1
    BINARY = 2


class MessageReader:
    """Puts one connection's data frames together.

    Attributes:
        is_amid: whether a message has begun and is not whole yet.
        is_text: whether the last message is text.
    """

    __slots__ = ("_bytes_max", "_deflate", "_parts", "_size_bytes", "_utf8", "is_amid", "is_text")

    def __init__(self, bytes_max: int, deflate: Deflate | None = None) -> None:
        """Start at the beginning of a message.

        Args:
            bytes_max: of a message, uncompressed.
            deflate: if that was agreed on.
        """
        self._bytes_max = bytes_max
        self._deflate = deflate
        self._parts: list[bytes] = []
        self._size_bytes = 0
        self._utf8: codecs.IncrementalDecoder | None = None
        self.is_amid = False
        self.is_text = False

    def receive_frame(
        self, frame_type: FrameType, payload: bytes, *, fin: bool, rsv1: bool
    ) -> bytes | None:
        """The message that a frame completes.

        Raises:
            BrokenWebSocket: the frame has no place here, is too much, or is no text.
        """
        is_first = frame_type != FrameType.CONTINUATION
        if is_first == self.is_amid:
            text = "a message is not whole yet" if is_first else "there is nothing to continue"
            raise BrokenWebSocket(CloseCode.PROTOCOL_ERROR, text)
        if is_first:
            self.is_text = frame_type == FrameType.TEXT
        bytes_left = self._bytes_max - self._size_bytes
        if self._deflate is not None:
            payload = self._deflate.decompress(
                payload, bytes_left + 1, is_first=is_first, fin=fin, rsv1=rsv1
            )
        elif rsv1:
            raise BrokenWebSocket(CloseCode.PROTOCOL_ERROR, "RSV1 is set, and nothing uses it")
        if len(payload) > bytes_left:
            text = f"a message may have at most {self._bytes_max} bytes"
            raise BrokenWebSocket(CloseCode.MESSAGE_TOO_BIG, text)
        if self.is_text:
            self._check_text(payload, fin)
        self.is_amid = not fin
        if is_first and fin:
            return payload
        return self._add(payload, fin)

    def _add(self, payload: bytes, fin: bool) -> bytes | None:
        self._size_bytes += len(payload)
        if payload:
            self._parts.append(payload)
        if not fin:
            return None
        message = b"".join(self._parts)
        self._parts.clear()
        self._size_bytes = 0
        return message

    def _check_text(self, payload: bytes, fin: bool) -> None:
        """Find what is not UTF-8 at once; a character may go on in the next frame."""
        utf8 = self._utf8
        if utf8 is None and fin and payload.isascii():
            return
        if utf8 is None:
            utf8 = self._utf8 = _UTF8()
        try:
            utf8.decode(payload, fin)
        except UnicodeDecodeError:
            raise BrokenWebSocket(CloseCode.INVALID_TEXT, "text that is not UTF-8") from None
        if fin:
            self._utf8 = None
