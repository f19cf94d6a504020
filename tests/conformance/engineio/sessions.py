"""Sessions of Engine.IO without sockets or clocks, and what their clients see."""

from thingtank.protocols.engineio.bounds import Bounds
from thingtank.protocols.engineio.close_reasons import CloseReason
from thingtank.protocols.engineio.packets import Packet, PacketType, parse_text
from thingtank.protocols.engineio.payloads import parse_payload
from thingtank.protocols.engineio.session import Closed, Message, Session, Transport

S = 1_000_000
BOUNDS = Bounds(payload_bytes_max=400, payload_packets_max=5, queue_bytes_max=300)


def polling(revision: int, *, is_base64: bool = False, bounds: Bounds = BOUNDS) -> Session:
    """A session whose open packet has been fetched."""
    session = Session("abc", revision, Transport.POLLING, 0, bounds, is_base64=is_base64)
    assert polled(session) is not None
    return session


def on_websocket(revision: int, bounds: Bounds = BOUNDS) -> Session:
    session = Session("abc", revision, Transport.WEBSOCKET, 0, bounds)
    assert len(session.data_to_send()) == 1
    return session


def polled(session: Session) -> bytes | None:
    """What a poll is answered at once; it is held on if there is nothing."""
    assert session.open_poll() is None
    return session.take_payload()


def packets(session: Session, body: bytes | None) -> list[bytes]:
    """The packets of an answer, as frames would hold them."""
    assert body is not None
    is_binary = session.payload_type == "application/octet-stream"
    found = parse_payload(body, session.revision, 100, is_binary=is_binary)
    return [b"%d%b" % (packet.type, packet.data) for packet in found]


def messages(session: Session) -> list[bytes]:
    """What has been received, and nothing else has happened."""
    return [event.data for event in session.events_received() if isinstance(event, Message)]


def closing(session: Session) -> CloseReason:
    """Why it has just been closed."""
    event = session.events_received()[-1]
    assert isinstance(event, Closed)
    assert session.is_closed
    return event.reason


def text(content: str, revision: int = 4) -> Packet:
    return parse_text(content.encode(), revision)


def message(content: str) -> Packet:
    return Packet(PacketType.MESSAGE, content.encode())
