"""Sessions of each wire, open, and what their clients write and read."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from thingtank.protocols.engineio.bounds import Bounds as EngineBounds
from thingtank.protocols.engineio.session import Session as EngineSession
from thingtank.protocols.engineio.session import Transport
from thingtank.protocols.socketio.bounds import Bounds
from thingtank.protocols.socketio.events import Opened, SocketEvent
from thingtank.protocols.socketio.legacy.bounds import Bounds as LegacyBounds
from thingtank.protocols.socketio.legacy.session import Session as LegacySession
from thingtank.protocols.socketio.session import Session

S = 1_000_000
ENGINE_BOUNDS = EngineBounds(payload_bytes_max=3000, payload_packets_max=5, queue_bytes_max=2000)
BOUNDS = Bounds(attachments_max=3, attachment_bytes_max=100)
LEGACY_BOUNDS = LegacyBounds(payload_bytes_max=3000, payload_packets_max=5, queue_bytes_max=2000)
AnySession = Session | LegacySession


def begun(revision: int, transport: Transport = Transport.WEBSOCKET) -> Session:
    """A session of Engine.IO `revision` whose opening has been sent."""
    session = Session(
        EngineSession("sid", revision, transport, 0, ENGINE_BOUNDS), "socket", 0, BOUNDS
    )
    session.data_to_send()
    return session


def opened(revision: int, transport: Transport = Transport.WEBSOCKET) -> Session:
    """A session that is open, with nothing left to be seen of that."""
    session = begun(revision, transport)
    if transport is Transport.POLLING:
        assert session.open_poll() is None
        assert session.take_payload() is not None
    if revision == 4:
        if transport is Transport.POLLING:
            assert session.receive_payload(b"40", 0, is_binary=False) is None
        else:
            session.receive_text(b"40", 0)
    if transport is Transport.POLLING:
        assert session.open_poll() is None
        assert session.take_payload() is not None
    session.data_to_send()
    assert session.events_received() == [Opened()]
    return session


def legacy(transport: Transport = Transport.WEBSOCKET) -> LegacySession:
    session = LegacySession("sid", "socket", 0, LEGACY_BOUNDS)
    if transport is Transport.WEBSOCKET:
        assert session.open_websocket(0)
        assert session.data_to_send() == [b"1::"]
    else:
        assert session.open_poll(0)
        assert session.take_payload() == b"1::"
    assert session.events_received() == [Opened()]
    return session


def received(session: AnySession, frame: bytes | str) -> list[SocketEvent]:
    """What a text frame brings."""
    session.receive_text(frame.encode() if isinstance(frame, str) else frame, 0)
    return session.events_received()


@dataclass(frozen=True)
class Wire:
    """How a client of one wire writes, and what it reads.

    Attributes:
        event: writes one, with the id of an acknowledgement or None.
        ack: writes one.
    """

    name: str
    open: Callable[[], AnySession]
    event: Callable[[str, list[Any], int | None], str]
    ack: Callable[[int, list[Any]], str]
    leave: str


def _event(name: str, args: list[Any], ack: int | None) -> str:
    return f"42{'' if ack is None else ack}{json.dumps([name, *args])}"


def _ack(ack: int, args: list[Any]) -> str:
    return f"43{ack}{json.dumps(args)}"


def _legacy_event(name: str, args: list[Any], ack: int | None) -> str:
    data = json.dumps({"name": name, "args": args})
    return f"5:{'' if ack is None else f'{ack}+'}::{data}"


def _legacy_ack(ack: int, args: list[Any]) -> str:
    return f"6:::{ack}+{json.dumps(args)}"


WIRES = [
    Wire("0.9", legacy, _legacy_event, _legacy_ack, "0::"),
    Wire("engine.io 2", lambda: opened(2), _event, _ack, "41"),
    Wire("engine.io 3", lambda: opened(3), _event, _ack, "41"),
    Wire("engine.io 4", lambda: opened(4), _event, _ack, "41"),
]
