"""Opening, messages and closing, by polling and by WebSocket.

Source: Engine.IO protocol, Handshake, Message, and the test suite that goes with it; revisions 2
and 3 as recorded from servers of their time.
"""

import json

import pytest
from tests.conformance.engineio.sessions import (
    BOUNDS,
    S,
    closing,
    messages,
    on_websocket,
    packets,
    polled,
    polling,
)

from thingtank.protocols.engineio.bounds import Bounds
from thingtank.protocols.engineio.close_reasons import CloseReason
from thingtank.protocols.engineio.errors import (
    BAD_REQUEST,
    PAYLOAD_TOO_LONG,
    SESSION_UNKNOWN,
    LocalProtocolError,
)
from thingtank.protocols.engineio.session import Message, Session, Transport

REVISIONS = [2, 3, 4]
TWO = {2: b"4:4abc3:4de", 3: b"4:4abc3:4de", 4: b"4abc\x1e4de"}


def open_members(frame: bytes) -> dict[str, object]:
    assert frame[:1] == b"0"
    members = json.loads(frame[1:])
    assert isinstance(members, dict)
    return members


@pytest.mark.parametrize("revision", [2, 3])
def test_open_packet_of_old_revisions(revision: int) -> None:
    session = Session("abc", revision, Transport.WEBSOCKET, 0, Bounds())
    (frame,) = session.data_to_send()
    assert frame == b'0{"sid":"abc","upgrades":[],"pingInterval":25000,"pingTimeout":60000}'


def test_open_packet_of_revision_4_has_the_longest_payload() -> None:
    (frame,) = Session("abc", 4, Transport.WEBSOCKET, 0, Bounds()).data_to_send()
    assert open_members(frame) == {
        "sid": "abc",
        "upgrades": [],
        "pingInterval": 25000,
        "pingTimeout": 20000,
        "maxPayload": 1000000,
    }


@pytest.mark.parametrize("revision", REVISIONS)
def test_polling_is_offered_an_upgrade(revision: int) -> None:
    session = Session("abc", revision, Transport.POLLING, 0, BOUNDS)
    (frame,) = packets(session, polled(session))
    assert open_members(frame)["upgrades"] == ["websocket"]


@pytest.mark.parametrize("revision", [2, 3])
def test_first_body_of_old_revisions_holds_the_open_packet_alone(revision: int) -> None:
    session = Session("abc", revision, Transport.POLLING, 0, BOUNDS)
    session.send_packet(b"40")
    session.send_message(b"a")
    assert len(packets(session, polled(session))) == 1
    assert packets(session, polled(session)) == [b"40", b"4a"]


def test_there_is_no_revision_1() -> None:
    with pytest.raises(LocalProtocolError):
        Session("abc", 1, Transport.POLLING, 0, BOUNDS)


@pytest.mark.parametrize("revision", REVISIONS)
def test_posted_messages_come_in_order(revision: int) -> None:
    session = polling(revision)
    assert session.receive_payload(TWO[revision], 0, is_binary=False) is None
    assert messages(session) == [b"abc", b"de"]


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_poll_is_held_until_there_is_something(revision: int) -> None:
    session = polling(revision)
    assert polled(session) is None
    session.send_message(b"abc")
    assert packets(session, session.take_payload()) == [b"4abc"]
    assert session.take_payload() is None


@pytest.mark.parametrize("revision", REVISIONS)
def test_what_was_sent_meanwhile_waits_for_the_next_poll(revision: int) -> None:
    session = polling(revision)
    session.send_message(b"abc")
    session.send_message(b"de")
    assert packets(session, polled(session)) == [b"4abc", b"4de"]
    assert polled(session) is None


def test_a_lost_poll_loses_nothing() -> None:
    session = polling(4)
    assert polled(session) is None
    session.lose_poll()
    session.send_message(b"abc")
    assert session.take_payload() is None
    assert polled(session) == b"4abc"


@pytest.mark.parametrize("revision", REVISIONS)
def test_two_polls_at_a_time_end_the_session(revision: int) -> None:
    session = polling(revision)
    assert polled(session) is None
    assert session.open_poll() == BAD_REQUEST
    assert packets(session, session.take_payload()) == [b"1"]
    assert closing(session) is CloseReason.OVERLAP
    assert session.open_poll() == SESSION_UNKNOWN
    assert session.is_over


@pytest.mark.parametrize("body", [b"abc", b"4a\x1e7", b"4\xff", b"", b"0{}"])
def test_a_posted_body_that_cannot_be_read_ends_the_session(body: bytes) -> None:
    session = polling(4)
    assert session.receive_payload(body, 0, is_binary=False) == BAD_REQUEST
    assert closing(session) is CloseReason.MALFORMED
    assert session.open_poll() == SESSION_UNKNOWN
    assert session.receive_payload(b"4a", 0, is_binary=False) == SESSION_UNKNOWN


def test_messages_before_a_packet_that_has_no_place_are_taken() -> None:
    session = polling(4)
    assert session.receive_payload(b"4a\x1e2\x1e4b", 0, is_binary=False) == BAD_REQUEST
    assert session.events_received()[0] == Message(b"a", False)


def test_a_posted_body_that_is_too_long_is_refused_and_nothing_else() -> None:
    session = polling(4)
    longest = b"4" + b"a" * (BOUNDS.payload_bytes_max - 1)
    assert session.receive_payload(longest + b"a", 0, is_binary=False) == PAYLOAD_TOO_LONG
    assert not session.is_closed
    assert session.receive_payload(longest, 0, is_binary=False) is None
    assert messages(session) == [longest[1:]]


def test_a_posted_body_of_too_many_packets_ends_the_session() -> None:
    session = polling(4)
    assert (
        session.receive_payload(b"\x1e".join([b"4a"] * 6), 0, is_binary=False) == PAYLOAD_TOO_LONG
    )
    assert closing(session) is CloseReason.TOO_LONG


@pytest.mark.parametrize("revision", REVISIONS)
def test_messages_on_a_websocket(revision: int) -> None:
    session = on_websocket(revision)
    session.receive_text(b"4hello", 0)
    session.receive_text("4é😀".encode(), 0)
    assert messages(session) == [b"hello", "é😀".encode()]
    session.send_message(b"a")
    session.send_message("é😀".encode())
    assert session.data_to_send() == [b"4a", "4é😀".encode()]
    assert session.data_to_send() == []


@pytest.mark.parametrize(("revision", "frame"), [(4, b"\1\2"), (3, b"\4\1\2"), (2, b"\4\1\2")])
def test_binary_messages_on_a_websocket(revision: int, frame: bytes) -> None:
    session = on_websocket(revision)
    session.receive_binary(frame, 0)
    assert session.events_received() == [Message(b"\1\2", True)]


@pytest.mark.parametrize("frame", [b"abc", b"", b"7", b"0{}"])
@pytest.mark.parametrize("revision", REVISIONS)
def test_a_frame_that_cannot_be_read_ends_the_session(revision: int, frame: bytes) -> None:
    session = on_websocket(revision)
    session.receive_text(frame, 0)
    assert closing(session) is CloseReason.MALFORMED
    assert not session.has_websocket
    session.receive_text(b"4a", 0)
    assert session.events_received() == []


def test_a_frame_that_is_too_long_ends_the_session() -> None:
    session = on_websocket(4)
    session.receive_text(b"4" * BOUNDS.payload_bytes_max, 0)
    assert not session.is_closed
    session.receive_text(b"4" * (BOUNDS.payload_bytes_max + 1), 0)
    assert closing(session) is CloseReason.TOO_LONG


@pytest.mark.parametrize("frame", [b"5", b"6", b"3", b"3probe"])
@pytest.mark.parametrize("revision", REVISIONS)
def test_packets_that_mean_nothing_here_are_ignored(revision: int, frame: bytes) -> None:
    session = on_websocket(revision)
    session.receive_text(frame, 0)
    assert session.events_received() == []
    assert session.data_to_send() == []


@pytest.mark.parametrize("revision", REVISIONS)
def test_client_leaves_by_polling_and_its_poll_gets_a_noop(revision: int) -> None:
    session = polling(revision)
    assert polled(session) is None
    session.send_message(b"lost")
    body = b"1" if revision == 4 else b"1:1"
    assert session.receive_payload(body, 0, is_binary=False) is None
    assert closing(session) is CloseReason.CLIENT_LEFT
    assert not session.is_over
    assert packets(session, session.take_payload()) == [b"6"]
    assert session.is_over
    assert session.open_poll() == SESSION_UNKNOWN


def test_nothing_behind_a_close_packet_is_taken() -> None:
    session = polling(4)
    assert session.receive_payload(b"4a\x1e1\x1e4b", 0, is_binary=False) is None
    first, last = session.events_received()
    assert first == Message(b"a", False)
    assert not isinstance(last, Message)


def test_client_leaves_by_websocket() -> None:
    session = on_websocket(3)
    session.receive_text(b"1", 0)
    assert closing(session) is CloseReason.CLIENT_LEFT
    assert not session.has_websocket
    assert session.is_over


def test_a_lost_websocket_ends_the_session() -> None:
    session = on_websocket(4)
    session.send_message(b"lost")
    session.lose_websocket()
    assert closing(session) is CloseReason.TRANSPORT_LOST
    assert session.is_over
    session.lose_websocket()
    assert session.events_received() == []


def test_server_closes_a_websocket_behind_its_last_frames() -> None:
    session = on_websocket(4)
    session.send_message(b"a")
    session.close()
    assert closing(session) is CloseReason.SERVER
    assert session.data_to_send() == [b"4a", b"1"]
    assert not session.has_websocket
    assert session.is_over
    session.close()
    session.send_message(b"b")
    assert session.data_to_send() == session.events_received() == []


def test_last_words_for_a_websocket_that_is_lost_are_forgotten() -> None:
    session = on_websocket(4)
    session.close()
    session.lose_websocket()
    assert session.is_over


def test_last_words_wait_for_a_poll_for_a_while() -> None:
    session = polling(4)
    session.send_message(b"a")
    session.close()
    assert not session.is_over
    assert session.receive_payload(b"4a", 0, is_binary=False) == SESSION_UNKNOWN
    assert packets(session, polled(session)) == [b"4a", b"1"]
    assert session.is_over
    assert session.next_due_us() is None


def test_last_words_nobody_polls_for_are_forgotten() -> None:
    session = polling(4)
    session.close()
    now_us = 500 * S
    assert session.next_due_us() == 0
    session.take_due(now_us)
    assert not session.is_over
    assert session.next_due_us() == now_us + BOUNDS.linger_s_max * S
    session.take_due(now_us + BOUNDS.linger_s_max * S)
    assert session.is_over
    assert session.open_poll() == SESSION_UNKNOWN


def test_a_client_that_does_not_poll_is_dropped_when_its_queue_is_full() -> None:
    session = polling(4)
    for _ in range(BOUNDS.queue_bytes_max // 10):
        session.send_packet(b"4" + b"a" * 9)
    assert not session.is_closed
    session.send_packet(b"4")
    assert closing(session) is CloseReason.QUEUE_FULL
    assert polled(session) == b"1"
    assert session.is_over


def test_polls_make_room_in_the_queue() -> None:
    session = polling(4)
    for _ in range(10):
        session.send_packet(b"4" * (BOUNDS.queue_bytes_max - 10))
        assert polled(session) is not None
    assert not session.is_closed


def test_frames_may_go_past_the_session_only_when_none_waits() -> None:
    session = on_websocket(4)
    assert session.is_direct
    session.send_message(b"a")
    assert not session.is_direct
    session.data_to_send()
    assert session.is_direct
    session.close()
    assert not session.is_direct
    assert not polling(4).is_direct
