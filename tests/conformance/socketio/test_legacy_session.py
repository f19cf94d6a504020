"""Sessions of socket.io 0.9: transports, heartbeats, acknowledgements, the end."""

from itertools import pairwise

import pytest
from tests.conformance.socketio.wires import LEGACY_BOUNDS, S, legacy, received

from thingtank.protocols.engineio.close_reasons import CloseReason
from thingtank.protocols.engineio.errors import LocalProtocolError
from thingtank.protocols.engineio.session import Transport
from thingtank.protocols.socketio.events import AckId, AckReceived, Closed, Event, Opened
from thingtank.protocols.socketio.legacy.session import Session

POLLING, WEBSOCKET = Transport.POLLING, Transport.WEBSOCKET
MARK = "\ufffd"


def shaken_hands() -> Session:
    return Session("sid", "socket", 0, LEGACY_BOUNDS)


def to_due(session: Session, until_us: int) -> list[bytes]:
    """Let time pass as a driver does; what was sent on a WebSocket meanwhile."""
    sent = []
    for _ in range(1000):
        due_us = session.next_due_us()
        if due_us is None or due_us > until_us or session.is_closed:
            return sent
        session.take_due(due_us)
        sent += session.data_to_send()
    raise AssertionError("due without end")


def test_connect_packet_comes_first_on_a_websocket() -> None:
    session = shaken_hands()
    assert session.events_received() == session.data_to_send() == []
    assert session.open_websocket(0)
    assert session.events_received() == [Opened()]
    session.send_event(b"identify", b'{"socketid":"socket"}')
    assert session.data_to_send() == [
        b"1::",
        b'5:::{"name":"identify","args":[{"socketid":"socket"}]}',
    ]


def test_connect_packet_comes_first_by_polling() -> None:
    session = shaken_hands()
    assert session.open_poll(0)
    assert session.events_received() == [Opened()]
    session.send_event(b"a", b"")
    assert session.take_payload() == f'{MARK}3{MARK}1::{MARK}16{MARK}5:::{{"name":"a"}}'.encode()


def test_a_post_may_come_before_the_first_poll() -> None:
    session = shaken_hands()
    assert session.receive_payload(b'5:::{"name":"a"}', 0)
    assert session.events_received() == [Opened(), Event("a", [])]
    assert session.open_poll(0)
    assert session.take_payload() == b"1::"


def test_nothing_is_sent_before_a_transport_is_open() -> None:
    with pytest.raises(LocalProtocolError):
        shaken_hands().send_event(b"a", b"")


def test_who_shakes_hands_and_does_not_come_is_forgotten() -> None:
    session = shaken_hands()
    assert session.next_due_us() == LEGACY_BOUNDS.close_timeout_s * S
    to_due(session, LEGACY_BOUNDS.close_timeout_s * S)
    assert session.events_received() == [Closed(CloseReason.NOT_CONNECTED)]
    assert session.is_over
    assert not session.open_websocket(100 * S)
    assert not session.open_poll(100 * S)
    assert not session.receive_payload(b"2::", 100 * S)


@pytest.mark.parametrize(
    ("frame", "event"),
    [
        ('5:::{"name":"status","args":[]}', Event("status", [])),
        ('5:::{"name":"status"}', Event("status", [])),
        ('5:::{"args":[1],"name":"a"}', Event("a", [1])),
        ('5:::{"name":"a","args":[1,{"b":[2]}],"more":0}', Event("a", [1, {"b": [2]}])),
        ('5:::{"name":"a","args":[1],"args":[2]}', Event("a", [2])),
        ('5:::{"name":"a","name":"b"}', Event("b", [])),
        ('5:::{"name":"a","args":null}', Event("a", [])),
        ('5:::{"name":"a","args":{"b":1}}', Event("a", [{"b": 1}])),
        ('5:::{"name":"a","args":"b"}', Event("a", ["b"])),
        ('5:::{"name":"é😀\ufffd","args":["\ufffd"]}', Event("é😀\ufffd", ["\ufffd"])),
        ('5:::{"name":"\\ud800"}', Event("\ufffd", [])),
        ('5::: {"name":"a"}', Event("a", [])),
        ('5:1+::{"name":"a"}', Event("a", [], AckId(1))),
        ("3:::hello:world", Event("message", ["hello:world"])),
        ("3:::", Event("message", [""])),
        ("3::", Event("message", [""])),
        ("3:7+::hi", Event("message", ["hi"], AckId(7))),
        ('4:::{"a":1}', Event("message", [{"a": 1}])),
        ('4:7+::"hi"', Event("message", ["hi"], AckId(7))),
    ],
)
def test_messages_json_and_events_are_all_events(frame: str, event: Event) -> None:
    session = legacy()
    assert received(session, frame) == [event]
    assert session.data_to_send() == []


@pytest.mark.parametrize("frame", ['5:4::{"name":"a"}', "3:4::hi", "4:4::1"])
def test_a_bare_id_is_acknowledged_at_once_and_asks_for_nothing_more(frame: str) -> None:
    session = legacy()
    (event,) = received(session, frame)
    assert isinstance(event, Event)
    assert event.ack is None
    assert session.data_to_send() == [b"6:::4"]


def test_acknowledgements_go_both_ways() -> None:
    session = legacy()
    session.send_ack(AckId(1), b'{"a":1}')
    session.send_ack(AckId(2), b"")
    session.send_event(b"config", b"1", AckId(9))
    assert session.data_to_send() == [
        b'6:::1+[{"a":1}]',
        b"6:::2",
        b'5:9+::{"name":"config","args":[1]}',
    ]
    assert received(session, "6:::9+[1,2]") == [AckReceived(AckId(9), [1, 2])]
    assert received(session, "6:::9") == received(session, "6:::9+") == [AckReceived(AckId(9), [])]


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "x",
        "9::",
        "5:::",
        "5:::{}",
        "5:::{",
        '5:::{"name":1}',
        '5:::{"name":"a"}x',
        "5:::[]",
        "5:1+::",
        "4:::",
        "4:::{",
        "6:::",
        "6:::1+{}",
        "6:::1+[",
        b"3:::\xff",
        b'5:::{"name":"\xff"}',
        '5:::{"name":"a","args":' + "[" * 1500,
        '5:::{"name":"a","args":' + "[" * 65 + "]" * 65 + "}",
    ],
)
def test_what_cannot_be_read_is_told_and_the_session_goes_on(frame: str | bytes) -> None:
    session = legacy()
    assert received(session, frame) == []
    assert session.data_to_send() == [b"7:::+"]
    assert received(session, "3:::a") == [Event("message", ["a"])]


def test_binary_frames_cannot_be_read() -> None:
    session = legacy()
    session.receive_binary(b"\0", 0)
    assert session.events_received() == []
    assert session.data_to_send() == [b"7:::+"]


@pytest.mark.parametrize(
    "frame",
    ["2::", "2:::", "8::", "7:::1+0", "0::/x", '5::/x:{"name":"a"}', "3:::/x"[:2] + ":/x:a"],
)
def test_what_asks_for_nothing_is_ignored(frame: str) -> None:
    session = legacy()
    assert received(session, frame) == []
    assert session.data_to_send() == []
    assert session.is_open


def test_other_endpoints_are_refused_as_unauthorized() -> None:
    session = legacy()
    assert received(session, "1::/news") == received(session, "1::/news:?a=b") == []
    assert session.data_to_send() == [b"7::/news:2+"] * 2


def test_connecting_again_is_answered_and_changes_nothing() -> None:
    session = legacy()
    assert received(session, "1::") == []
    assert session.data_to_send() == [b"1::"]


def test_client_leaves_a_websocket_and_is_echoed() -> None:
    session = legacy()
    session.send_event(b"a", b"")
    assert received(session, "0::") == [Closed(CloseReason.CLIENT_LEFT)]
    assert session.data_to_send() == [b"0::"]
    assert not session.has_websocket
    assert session.is_over
    assert received(session, "3:::a") == []


def test_client_leaves_by_polling() -> None:
    session = legacy(POLLING)
    assert session.open_poll(0)
    assert session.receive_payload(b"0::", 0)
    assert session.events_received() == [Closed(CloseReason.CLIENT_LEFT)]
    assert session.take_payload() == b"0::"
    assert session.is_over
    assert not session.open_poll(0)


@pytest.mark.parametrize("transport", [POLLING, WEBSOCKET])
def test_client_leaves_by_a_request(transport: Transport) -> None:
    session = legacy(transport)
    session.receive_disconnect()
    session.receive_disconnect()
    assert session.events_received() == [Closed(CloseReason.CLIENT_LEFT)]


def test_client_that_has_no_transport_leaves_by_a_request() -> None:
    session = shaken_hands()
    session.receive_disconnect()
    assert session.events_received() == [Closed(CloseReason.CLIENT_LEFT)]
    assert session.is_over


def test_nothing_behind_a_disconnect_in_a_body_is_taken() -> None:
    session = legacy(POLLING)
    body = f"{MARK}5{MARK}3:::a{MARK}3{MARK}0::{MARK}5{MARK}3:::b"
    assert session.receive_payload(body.encode(), 0)
    assert session.events_received() == [
        Event("message", ["a"]),
        Closed(CloseReason.CLIENT_LEFT),
    ]


def test_a_lost_websocket_ends_the_session() -> None:
    session = legacy()
    session.lose_websocket()
    assert session.events_received() == [Closed(CloseReason.TRANSPORT_LOST)]
    assert session.is_over


def test_server_closes_for_good_or_lets_clients_return() -> None:
    for may_return, last in ((False, [b"0::"]), (True, [])):
        session = legacy()
        session.close(may_return=may_return)
        assert session.events_received() == [Closed(CloseReason.SERVER)]
        assert session.data_to_send() == last
        assert not session.has_websocket
        session.send_event(b"a", b"")
        session.close()
        assert session.events_received() == session.data_to_send() == []


def test_last_words_for_a_websocket_that_is_lost_are_forgotten() -> None:
    session = legacy()
    session.close()
    session.lose_websocket()
    assert session.is_over


def test_polls_of_a_closed_session_get_its_last_words_and_then_nothing() -> None:
    session = legacy(POLLING)
    session.send_event(b"a", b"")
    session.close()
    assert not session.is_over
    assert session.open_poll(0)
    assert session.take_payload() == f'{MARK}16{MARK}5:::{{"name":"a"}}{MARK}3{MARK}0::'.encode()
    assert not session.open_poll(0)


def test_a_poll_that_is_held_when_clients_may_return_gets_a_noop() -> None:
    session = legacy(POLLING)
    assert session.open_poll(0)
    session.close(may_return=True)
    assert not session.is_over
    assert session.take_payload() == b"8::"
    assert session.is_over


def test_last_words_nobody_polls_for_are_forgotten() -> None:
    session = legacy(POLLING)
    session.close()
    session.take_due(100 * S)
    assert not session.is_over
    assert session.next_due_us() == (100 + LEGACY_BOUNDS.linger_s_max) * S
    session.take_due((100 + LEGACY_BOUNDS.linger_s_max) * S)
    assert session.is_over


def test_heartbeats_come_every_25_s_on_a_websocket() -> None:
    session = legacy()
    for turn in range(1, 5):
        assert to_due(session, turn * 25 * S) == [b"2::"]
        session.receive_text(b"2::", turn * 25 * S + 1)
    assert session.is_open


def test_a_client_that_sends_heartbeats_and_answers_none_stays() -> None:
    # Python's socketIO_client sends one every 30 s.
    session, beats = legacy(), [0]
    for second in range(1_000):
        if to_due(session, second * S):
            beats.append(second)
        if second % 30 == 29:
            session.receive_text(b"2::", second * S)
    assert session.is_open
    gaps = [later - earlier for earlier, later in pairwise(beats)]
    assert max(gaps) < LEGACY_BOUNDS.heartbeat_timeout_s  # else the client takes us for lost


def test_a_client_that_is_silent_goes_60_s_after_the_heartbeat() -> None:
    session = legacy()
    assert to_due(session, 85 * S - 1) == [b"2::"]
    assert session.is_open
    to_due(session, 85 * S)
    assert session.events_received() == [Closed(CloseReason.TIMEOUT)]
    assert session.is_over


def test_a_poll_is_released_after_20_s() -> None:
    session = legacy(POLLING)
    assert session.open_poll(100 * S)
    session.take_due(120 * S - 1)
    assert session.take_payload() is None
    assert session.next_due_us() == 120 * S
    session.take_due(120 * S)
    assert session.take_payload() == b"8::"


def test_a_client_that_polls_gets_no_heartbeats_and_stays() -> None:
    session = legacy(POLLING)
    for turn in range(20):
        assert session.open_poll(turn * 21 * S)
        assert to_due(session, (turn * 21 + 20) * S) == []
        assert session.take_payload() == b"8::"
    assert session.is_open


def test_a_client_that_polls_no_more_goes() -> None:
    session = legacy(POLLING)
    assert session.open_poll(0)
    session.lose_poll()
    session.send_event(b"a", b"")
    to_due(session, 60 * S)
    assert session.is_open
    to_due(session, 80 * S)
    assert session.events_received() == [Closed(CloseReason.TIMEOUT)]
    assert session.is_over


def test_a_client_that_polls_again_just_in_time_stays() -> None:
    session = legacy(POLLING)
    to_due(session, 79 * S)
    assert session.open_poll(79 * S)
    to_due(session, 98 * S)
    assert session.is_open


def test_a_new_poll_takes_over_what_waits() -> None:
    session = legacy(POLLING)
    assert session.open_poll(0)
    assert session.open_poll(S)
    session.send_event(b"a", b"")
    assert session.take_payload() == b'5:::{"name":"a"}'
    assert session.take_payload() is None


def test_a_session_with_a_websocket_does_not_answer_polls() -> None:
    session = legacy()
    assert not session.open_poll(0)
    assert not session.receive_payload(b"3:::a", 0)
    assert not session.open_websocket(0)
    assert not legacy(POLLING).open_websocket(0)
    assert session.events_received() == []
    assert session.is_open


def test_a_body_that_cannot_be_read_is_told_and_the_session_goes_on() -> None:
    session = legacy(POLLING)
    assert session.receive_payload(f"{MARK}9{MARK}2::".encode(), 0)
    assert session.open_poll(0)
    assert session.take_payload() == b"7:::+"


def test_bodies_and_frames_that_are_too_long_end_the_session() -> None:
    for transport in (POLLING, WEBSOCKET):
        session = legacy(transport)
        data = b"3:::" + b"a" * LEGACY_BOUNDS.payload_bytes_max
        if transport is POLLING:
            assert not session.receive_payload(data, 0)
        else:
            session.receive_text(data, 0)
        assert session.events_received() == [Closed(CloseReason.TOO_LONG)]


def test_a_client_that_does_not_poll_is_dropped_when_its_queue_is_full() -> None:
    session = legacy(POLLING)
    for _ in range(3):
        session.send_event(b"message", b"1" * 900)
    assert session.events_received() == [Closed(CloseReason.QUEUE_FULL)]
    assert session.open_poll(0)
    assert session.take_payload() == b"0::"
    assert session.is_over


def test_frames_may_go_past_the_session_only_when_none_waits() -> None:
    session = legacy()
    assert session.is_direct
    session.send_event(b"a", b"")
    assert not session.is_direct
    session.data_to_send()
    assert session.is_direct
    session.close()
    assert not session.is_direct
    assert not legacy(POLLING).is_direct
