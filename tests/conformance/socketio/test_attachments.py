"""Binary events. Source: Socket.IO protocol, Sending and receiving data, Packet encoding."""

import json
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from socketio.packet import EVENT
from socketio.packet import Packet as TheirPacket
from tests.conformance.socketio.wires import BOUNDS, opened, received

from thingtank.protocols.engineio.close_reasons import CloseReason
from thingtank.protocols.engineio.session import Transport
from thingtank.protocols.socketio.events import AckId, AckReceived, Closed, Event, SocketEvent
from thingtank.protocols.socketio.session import Session

MALFORMED = [Closed(CloseReason.MALFORMED)]
ONE = '451-["photo",{"_placeholder":true,"num":0}]'


def attached(session: Session, *attachments: bytes) -> list[SocketEvent]:
    for attachment in attachments:
        is_old = session.engine.revision < 4
        session.receive_binary(b"\4" + attachment if is_old else attachment, 0)
    return session.events_received()


@pytest.mark.parametrize("revision", [2, 3, 4])
def test_attachments_take_their_places_as_base64(revision: int) -> None:
    session = opened(revision)
    text = '452-789["message",{"_placeholder":true,"num":1},[{"a":{"num":0,"_placeholder":true}}]]'
    assert received(session, text) == []
    assert attached(session, b"\1\2\3") == []
    assert attached(session, b"\4\5\6") == [Event("message", ["BAUG", [{"a": "AQID"}]], AckId(789))]


def test_acknowledgements_may_be_binary() -> None:
    session = opened(4)
    assert received(session, '461-15["bar",{"_placeholder":true,"num":0}]') == []
    assert attached(session, b"\1") == [AckReceived(AckId(15), ["bar", "AQ=="])]


def test_an_attachment_may_come_by_polling() -> None:
    session = opened(4, Transport.POLLING)
    body = '451-["a",{"_placeholder":true,"num":0}]\x1ebAQID\x1e42["b"]'
    assert session.receive_payload(body.encode(), 0, is_binary=False) is None
    assert session.events_received() == [Event("a", ["AQID"]), Event("b", [])]


def test_an_attachment_may_come_as_base64_on_a_websocket() -> None:
    session = opened(3)
    received(session, ONE)
    assert received(session, "b4AQID") == [Event("photo", ["AQID"])]


def test_an_attachment_without_a_place_is_left_out() -> None:
    session = opened(4)
    received(session, '451-["a",{"_placeholder":false,"num":0}]')
    assert attached(session, b"x") == [Event("a", [{"_placeholder": False, "num": 0}])]


def test_plain_events_go_on_behind_a_binary_one() -> None:
    session = opened(4)
    received(session, ONE)
    attached(session, b"x")
    assert received(session, '42["a"]') == [Event("a", [])]


@pytest.mark.parametrize("number", ["1", "-1", "null", '"0"', "0.0", "true", "1e3"])
def test_a_placeholder_of_no_attachment_ends_the_session(number: str) -> None:
    session = opened(4)
    received(session, f'451-["a",{{"_placeholder":true,"num":{number}}}]')
    assert attached(session, b"x") == MALFORMED


@pytest.mark.parametrize("frame", ['42["a"]', ONE, "41", "4"])
def test_anything_else_where_an_attachment_is_due_ends_the_session(frame: str) -> None:
    session = opened(4)
    received(session, ONE)
    assert received(session, frame) == MALFORMED


def test_heartbeats_may_come_between_attachments() -> None:
    session = opened(3)
    received(session, ONE)
    assert received(session, "2") == []
    assert attached(session, b"x") == [Event("photo", ["eA=="])]


def test_an_attachment_of_nothing_ends_the_session() -> None:
    assert attached(opened(4), b"x") == MALFORMED


def test_more_attachments_than_allowed_end_the_session() -> None:
    assert received(opened(4), f'45{BOUNDS.attachments_max + 1}-["a"]') == MALFORMED


def test_longer_attachments_than_allowed_end_the_session() -> None:
    session = opened(4)
    received(session, '452-["a"]')
    half = b"x" * (BOUNDS.attachment_bytes_max // 2)
    assert attached(session, half) == []
    assert attached(session, half + b"x") == MALFORMED


@given(st.lists(st.binary(max_size=8) | st.text(max_size=5), min_size=1, max_size=3))
def test_binary_events_are_taken_as_another_library_writes_them(args: list[bytes | str]) -> None:
    session, encoded = opened(4), TheirPacket(EVENT, ["a", *args]).encode()
    text, *attachments = [encoded] if isinstance(encoded, str) else encoded
    events = received(session, "4" + text) + attached(session, *attachments)
    expected = [b64encode(arg).decode() if isinstance(arg, bytes) else arg for arg in args]
    assert events == [Event("a", json.loads(json.dumps(expected)))]
