"""WAMP RawSocket, the router's side: a handshake of four octets each way, then frames.

```
request    0x7F  LLLL SSSS  0  0       L: the client receives up to 2**(9+L) bytes, S: serializer
reply      0x7F  LLLL SSSS  0  0       L: the router receives up to 2**(9+L) bytes, S: the same
refusal    0x7F  EEEE 0000  0  0
frame      RRRR XTTT  length (24 bits)  payload       X with length 0: exactly 2**24 bytes
```

After a failure nothing more is read. A refusal has been put into `data_to_send` then; any other
failure has no words on the wire, and the connection is closed.

Source: WAMP, RawSocket Transport.
"""

from collections.abc import Collection, Sequence
from enum import IntEnum
from struct import Struct as Layout

from msgspec import Struct

from thingtank.protocols.wamp.errors import MessageTooLong, ProtocolViolation

MAGIC = 0x7F
BYTES_LEAST = 2**9
BYTES_MOST = 2**24

_HEAD_BYTES = 4
_HEAD = Layout(">I")
_EMPTY_PING = 1 << 24  # the head of one; also how long a message may be at most
_RESERVED_BITS, _EXTRA_BIT, _TYPE_BITS = 0xF0, 0x08, 0x07


class Refusal(IntEnum):
    """Why a handshake fails, as the client is told."""

    SERIALIZER_UNSUPPORTED = 1
    LENGTH_UNACCEPTABLE = 2
    RESERVED_BITS_USED = 3
    CONNECTION_COUNT_REACHED = 4


class FrameType(IntEnum):
    """What a frame carries."""

    MESSAGE = 0
    PING = 1
    PONG = 2


class Opened(Struct, frozen=True, gc=False):
    """The handshake is done.

    Attributes:
        serializer_id: 1 JSON, 2 MessagePack, 3 CBOR.
        send_bytes_max: the longest message that the client receives.
    """

    serializer_id: int
    send_bytes_max: int


class Pong(Struct, frozen=True, gc=False):
    """The answer to a ping."""

    payload: bytes


class Failed(Struct, frozen=True, gc=False):
    """The connection is of no more use: send what is left to be sent, and close it."""

    reason: str


Event = bytes | Opened | Pong | Failed
"""Bytes are one WAMP message."""


class RawSocketConnection:
    """One connection, wherever its data is cut.

    Args:
        serializer_ids: those that are spoken.
        message_bytes_max: the longest message that is received. The handshake has powers of two
            from 512 only; the largest of them that is not more is announced.
        peer_bytes_least: a client that receives less is refused.
        is_full: no more connections are taken; the client is told.
    """

    def __init__(
        self,
        serializer_ids: Collection[int],
        message_bytes_max: int = BYTES_MOST,
        *,
        peer_bytes_least: int = BYTES_LEAST,
        is_full: bool = False,
    ) -> None:
        self._serializer_ids = serializer_ids
        self._length_exponent = (
            min(max(message_bytes_max, BYTES_LEAST), BYTES_MOST).bit_length() - 1
        )
        self._peer_bytes_least = peer_bytes_least
        self._is_full = is_full
        self._opened: Opened | None = None
        self._has_failed = False
        self._unread = bytearray()
        self._unsent = bytearray()

    @property
    def receive_bytes_max(self) -> int:
        """The longest message that is received, as announced."""
        return 1 << self._length_exponent

    @property
    def is_amid(self) -> bool:
        """Whether a frame has begun, or the handshake, and is not whole yet."""
        return bool(self._unread)

    def receive_data(self, data: bytes) -> list[Event]:
        """What these bytes complete.

        A ping is answered at once (`data_to_send`) and is no event. What is kept of an unfinished
        frame is at most that frame.
        """
        if self._has_failed:
            return []
        self._unread += data
        events: list[Event] = []
        try:
            if self._opened is None and not self._shake_hands(events):
                return events
            self._read_frames(events)
        except ProtocolViolation as violation:
            self._has_failed = True
            self._unread.clear()
            events.append(Failed(str(violation)))
        return events

    def receive_eof(self) -> list[Event]:
        """Nothing more arrives: a failure, if it is in the middle of something."""
        if self._has_failed or not self._unread:
            return []
        self._has_failed = True
        return [Failed("the connection ended within a handshake or frame")]

    def send_message(self, message: bytes) -> None:
        """Put one WAMP message behind what is to be sent.

        Raises:
            MessageTooLong: the client does not receive as much.
        """
        self.send_messages((message,))

    def send_messages(self, messages: Sequence[bytes]) -> None:
        """Put several WAMP messages behind what is to be sent.

        Raises:
            MessageTooLong: the client does not receive as much as one of them; none is sent.
        """
        assert self._opened is not None, "nothing is sent before the handshake"
        parts: list[bytes] = []
        for message in messages:
            length = len(message)
            if length > self._opened.send_bytes_max:
                raise MessageTooLong(
                    f"{length} bytes; the client takes {self._opened.send_bytes_max}"
                )
            parts += (frame_head(FrameType.MESSAGE, length), message)
        self._unsent += b"".join(parts)

    def send_ping(self, payload: bytes) -> None:
        """Put a ping behind what is to be sent; its payload comes back in a Pong."""
        assert self._opened is not None, "nothing is sent before the handshake"
        self._send(FrameType.PING, payload)

    def data_to_send(self) -> bytes:
        """What is to be sent, once."""
        data = bytes(self._unsent)
        self._unsent.clear()
        return data

    def _send(self, frame_type: FrameType, payload: bytes) -> None:
        self._unsent += frame_head(frame_type, len(payload))
        self._unsent += payload

    def _shake_hands(self, events: list[Event]) -> bool:
        """Answer the request; False while it is not complete."""
        request = self._unread
        if request and request[0] != MAGIC:
            raise ProtocolViolation(f"the first octet is {request[0]:#04x}, not 0x7f")
        if len(request) < _HEAD_BYTES:
            return False
        length, serializer_id = request[1] >> 4, request[1] & 0x0F
        refusal = self._find_refusal(serializer_id, 1 << (9 + length), request[2:4])
        if refusal is not None:
            self._unsent += bytes((MAGIC, refusal << 4, 0, 0))
            raise ProtocolViolation(f"handshake refused: {refusal.name}")
        self._unsent += bytes((MAGIC, self._length_exponent - 9 << 4 | serializer_id, 0, 0))
        self._opened = Opened(serializer_id, 1 << (9 + length))
        events.append(self._opened)
        del self._unread[:_HEAD_BYTES]
        return True

    def _find_refusal(
        self, serializer_id: int, peer_bytes_max: int, reserved: bytearray
    ) -> Refusal | None:
        if self._is_full:
            return Refusal.CONNECTION_COUNT_REACHED
        if any(reserved):
            return Refusal.RESERVED_BITS_USED
        if serializer_id not in self._serializer_ids:
            return Refusal.SERIALIZER_UNSUPPORTED
        if peer_bytes_max < self._peer_bytes_least:
            return Refusal.LENGTH_UNACCEPTABLE
        return None

    def _read_frames(self, events: list[Event]) -> None:
        unread, at = self._unread, 0
        unread_bytes, bytes_max = len(unread), self.receive_bytes_max
        if unread_bytes < _HEAD_BYTES:
            return
        with memoryview(unread) as view:
            while unread_bytes - at >= _HEAD_BYTES:
                # A head without any bit set, which nearly all are, is the length of a message.
                frame_type, length = FrameType.MESSAGE, _HEAD.unpack_from(unread, at)[0]
                if length > bytes_max or length == _EMPTY_PING:
                    frame_type, length = self._parse_head(unread, at)
                end = at + _HEAD_BYTES + length
                if end > unread_bytes:
                    break
                payload = bytes(view[at + _HEAD_BYTES : end])
                at = end
                if frame_type is FrameType.MESSAGE:
                    events.append(payload)
                elif frame_type is FrameType.PING:
                    self._send(FrameType.PONG, payload)
                else:
                    events.append(Pong(payload))
        del unread[:at]

    def _parse_head(self, unread: bytearray, at: int) -> tuple[FrameType, int]:
        first = unread[at]
        length = int.from_bytes(unread[at + 1 : at + _HEAD_BYTES], "big")
        if first & _RESERVED_BITS:
            raise ProtocolViolation("reserved bits of a frame are set")
        if first & _TYPE_BITS > FrameType.PONG:
            raise ProtocolViolation(f"frames of type {first & _TYPE_BITS} are reserved")
        if first & _EXTRA_BIT:
            if length:
                raise ProtocolViolation("a frame is longer than any may be")
            length = BYTES_MOST
        if length > self.receive_bytes_max:
            raise ProtocolViolation(f"a frame may have at most {self.receive_bytes_max} bytes")
        return FrameType(first & _TYPE_BITS), length


def frame_head(frame_type: FrameType, length: int) -> bytes:
    """The four octets in front of a payload of 0 to 2**24 bytes."""
    if length == BYTES_MOST:
        return bytes((frame_type | _EXTRA_BIT, 0, 0, 0))
    assert length < BYTES_MOST
    return (frame_type << 24 | length).to_bytes(_HEAD_BYTES, "big")
