"""Packets of socket.io 0.9 that a server sends, ready to be framed by a WebSocket or a payload.

What is in them comes as JSON that is ready, so that one message is encoded once for all wires.
"""

from typing import Final

from thingtank.protocols.socketio.events import AckId

DISCONNECT: Final = b"0::"
CONNECT: Final = b"1::"
HEARTBEAT: Final = b"2::"
NOOP: Final = b"8::"
NOT_HANDSHAKEN: Final = b"7:::1+0"
"""There is no such session: shake hands again. Also a whole polling body."""
NOT_READABLE: Final = b"7:::+"
"""An error of no listed reason and without advice: the packet is ignored, the session goes on."""


def frame_event(name: bytes, args_json: bytes) -> bytes:
    """An event; see `events.FrameEvent`."""
    return b"5:::" + _event(name, args_json)


def frame_event_with_ack(name: bytes, args_json: bytes, ack: AckId) -> bytes:
    """An event that is to be acknowledged."""
    return b"5:%d+::%b" % (ack, _event(name, args_json))


def frame_ack(ack: AckId, args_json: bytes) -> bytes:
    """The acknowledgement of an event that asked for data."""
    return b"6:::%d+[%b]" % (ack, args_json) if args_json else b"6:::%d" % ack


def frame_receipt(ack: AckId, endpoint: bytes) -> bytes:
    """The acknowledgement, at once, of a packet that did not ask for data."""
    return b"6::%b:%d" % (endpoint, ack)


def frame_refusal(endpoint: bytes) -> bytes:
    """An endpoint that there is not: reason 2, unauthorized. Python clients need the `+`."""
    return b"7::%b:2+" % endpoint


def _event(name: bytes, args_json: bytes) -> bytes:
    if args_json:
        return b'{"name":"%b","args":[%b]}' % (name, args_json)
    return b'{"name":"%b"}' % name
