"""Frames of revisions 3, 4 and 5: packets with Engine.IO's `4` before them.

What is in them comes as JSON that is ready, so that one message is encoded once for all wires.

Source: Socket.IO protocol, Packet encoding.
"""

from typing import Final

from thingtank.protocols.socketio.events import AckId

CONNECT: Final = b"40"  # revisions 3 and 4: the server says so by itself
DISCONNECT: Final = b"41"


def frame_event(name: bytes, args_json: bytes) -> bytes:
    """An event; see `events.FrameEvent`."""
    if args_json:
        return b'42["%b",%b]' % (name, args_json)
    return b'42["%b"]' % name


def frame_event_with_ack(name: bytes, args_json: bytes, ack: AckId) -> bytes:
    """An event that is to be acknowledged."""
    return b"42%d%b" % (ack, frame_event(name, args_json)[2:])


def frame_ack(ack: AckId, args_json: bytes) -> bytes:
    """The acknowledgement of an event of the client."""
    return b"43%d[%b]" % (ack, args_json)


def frame_connect(socket_id: str) -> bytes:
    """Revision 5: the answer to CONNECT.

    Args:
        socket_id: of letters that need no escapes in JSON.
    """
    return b'40{"sid":"%b"}' % socket_id.encode("ascii")


def frame_refusal(namespace: bytes, *, is_old: bool) -> bytes:
    """A namespace that there is not, in the words of the reference server."""
    data = b'"Invalid namespace"' if is_old else b'{"message":"Invalid namespace"}'
    return b"44%b,%b" % (namespace, data)
