"""What SkyNet's clients do, the same over each wire; and exchanges as they were recorded.

Source: the recorded exchanges of SkyNet servers of 2014 (Box 8.42 of the book among them).
"""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conformance.socketio.wires import WIRES, Wire, legacy, opened, received

from thingtank.protocols.engineio.close_reasons import CloseReason
from thingtank.protocols.socketio.events import (
    AckId,
    AckReceived,
    Closed,
    Event,
    SocketSession,
)
from thingtank.protocols.socketio.legacy.session import Session as LegacySession
from thingtank.protocols.socketio.session import Session

WIRE = pytest.mark.parametrize("wire", WIRES, ids=[wire.name for wire in WIRES])
# What old and new clients emit: name, arguments, whether they wait for an acknowledgement.
EMITTED: list[tuple[str, list[Any], bool]] = [
    ("identity", [{}], False),
    ("identity", [{"uuid": "U", "token": "T", "protocol": "websocket"}], False),
    ("status", [], True),
    ("status", [{}], True),
    ("whoami", [{"uuid": "nope"}], True),
    ("devices", [{"name": "pydev"}], True),
    ("register", [{"key": "123"}], True),
    ("update", [{"uuid": "U", "token": "T", "key": 777}], True),
    ("unregister", [{"uuid": "U", "token": "T"}], True),
    ("subscribe", [{"uuid": "U", "token": "T"}], True),
    ("unsubscribe", [{"uuid": "U"}], True),
    ("authenticate", [{"uuid": "U", "token": "T"}], True),
    ("events", [{"uuid": "U", "token": "T"}], True),
    ("message", [{"devices": "U", "message": {"color": "purple"}}], False),
    ("message", [{"devices": ["U", "*"], "payload": "é😀\ufffd", "qos": 0}], True),
    ("data", [{"uuid": "U", "token": "T", "temperature": 78.5}], True),
    ("gatewayConfig", [{"uuid": "U", "method": "x", "options": {}}], True),
    ("messageAck", [{"devices": "U", "ack": 3, "payload": None}], False),
    ("message", ["plain text"], False),
]


@WIRE
@pytest.mark.parametrize(("name", "args", "waits"), EMITTED)
def test_what_clients_emit_is_one_kind_of_event(
    wire: Wire, name: str, args: list[Any], waits: bool
) -> None:
    ack = AckId(7) if waits else None
    session = wire.open()
    assert received(session, wire.event(name, args, ack)) == [Event(name, args, ack)]
    assert session.data_to_send() == []


@WIRE
def test_what_servers_emit_reads_back_as_the_same_wire_writes(wire: Wire) -> None:
    session = wire.open()
    session.send_event(b"ready", b'{"status":201}', AckId(5))
    session.send_ack(AckId(6), b'{"a":1},2')
    sent = [
        json.loads(text) if text[:1] in "[{" else text
        for text in map(after_head, session.data_to_send())
    ]
    event = wire.event("ready", [{"status": 201}], 5)
    ack = wire.ack(6, [{"a": 1}, 2])
    assert sent == [json.loads(after_head(event.encode())), json.loads(after_head(ack.encode()))]


@WIRE
def test_acknowledgements_of_clients_are_one_kind(wire: Wire) -> None:
    assert received(wire.open(), wire.ack(5, [None, {"a": 1}])) == [
        AckReceived(AckId(5), [None, {"a": 1}])
    ]


@WIRE
def test_clients_leave_in_one_way(wire: Wire) -> None:
    session = wire.open()
    assert received(session, wire.leave) == [Closed(CloseReason.CLIENT_LEFT)]
    assert not session.is_open


@WIRE
def test_a_frame_is_made_once_for_all_who_read_the_wire(wire: Wire) -> None:
    one, other = wire.open(), wire.open()
    assert one.frame_event is other.frame_event
    frame = one.frame_event(b"message", b'{"devices":"*"}')
    one.send_frame(frame)
    other.send_event(b"message", b'{"devices":"*"}')
    (first,), (second,) = one.data_to_send(), other.data_to_send()
    assert first is frame
    assert second == frame


@WIRE
@given(text=st.text(max_size=30), depth=st.integers(0, 40))
def test_any_text_comes_through(wire: Wire, text: str, depth: int) -> None:
    value: Any = {text: text}
    for _ in range(depth):
        value = [value]
    assert received(wire.open(), wire.event("message", [value], None)) == [
        Event("message", [value])
    ]


@pytest.mark.parametrize("session_class", [Session, LegacySession])
def test_both_kinds_of_sessions_can_be_driven_alike(session_class: type) -> None:
    members = [name for name in vars(SocketSession) if not name.startswith("_")]
    assert len(members) > 15
    assert [name for name in members if not hasattr(session_class, name)] == []


def test_recorded_session_of_socket_io_0_9() -> None:
    session = legacy()
    session.send_event(b"identify", b'{"socketid":"Z-Oby5_tui4ak1BM-46X"}')
    assert received(session, '5:::{"name":"identity","args":[{}]}') == [Event("identity", [{}])]
    session.send_event(b"ready", b'{"api":"connect","status":201}')
    assert received(session, '5:1+::{"name":"status","args":[]}') == [Event("status", [], AckId(1))]
    session.send_ack(AckId(1), b'{"skynet":"online","timestamp":1795447101426,"eventCode":200}')
    (whoami,) = received(session, '5:2+::{"name":"whoami","args":[{"uuid":"nope"}]}')
    assert whoami == Event("whoami", [{"uuid": "nope"}], AckId(2))
    session.send_ack(AckId(2), b'{"error":{"uuid":"nope","message":"Device not found","code":404}}')
    assert received(session, "0::") == [Closed(CloseReason.CLIENT_LEFT)]
    assert session.data_to_send() == [b"0::"]


def test_recorded_frames_of_socket_io_0_9() -> None:
    session = legacy()
    session.send_event(b"identify", b'{"socketid":"Z-Oby5_tui4ak1BM-46X"}')
    session.send_ack(AckId(1), b'{"skynet":"online","timestamp":1795447101426,"eventCode":200}')
    assert session.data_to_send() == [
        b'5:::{"name":"identify","args":[{"socketid":"Z-Oby5_tui4ak1BM-46X"}]}',
        b'6:::1+[{"skynet":"online","timestamp":1795447101426,"eventCode":200}]',
    ]


def test_sample_session_of_the_protocol_document() -> None:
    session = opened(4)
    assert received(session, '42["hello"]') == [Event("hello", [])]
    assert received(session, '42["world"]') == [Event("world", [])]
    assert received(session, "40/admin,") == []
    assert session.data_to_send() == [b'44/admin,{"message":"Invalid namespace"}']
    assert received(session, "1") == [Closed(CloseReason.CLIENT_LEFT)]


def after_head(frame: bytes) -> str:
    """The JSON of a frame."""
    text = frame.decode()
    return text[min(at for at in (text.find("["), text.find("{")) if at >= 0) :]
