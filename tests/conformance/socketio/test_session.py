"""Sessions of Engine.IO 2 to 4: connecting, events, acknowledgements, namespaces, leaving.

Source: Socket.IO protocol, Exchange protocol, and the test suite that goes with it; what revisions
3 and 4 do otherwise.
"""

import pytest
from tests.conformance.socketio.wires import BOUNDS, S, begun, opened, received

from thingtank.protocols.engineio.bounds import Bounds as EngineBounds
from thingtank.protocols.engineio.close_reasons import CloseReason
from thingtank.protocols.engineio.errors import BAD_REQUEST, LocalProtocolError
from thingtank.protocols.engineio.session import Session as EngineSession
from thingtank.protocols.engineio.session import Transport
from thingtank.protocols.socketio.bounds import Bounds
from thingtank.protocols.socketio.events import AckId, AckReceived, Closed, Event, Opened
from thingtank.protocols.socketio.session import Session

POLLING = Transport.POLLING
REVISIONS = pytest.mark.parametrize("revision", [2, 3, 4])
OLD = pytest.mark.parametrize("revision", [2, 3])
MALFORMED = [Closed(CloseReason.MALFORMED)]


@OLD
def test_old_servers_connect_by_themselves(revision: int) -> None:
    engine = EngineSession("sid", revision, Transport.WEBSOCKET, 0, EngineBounds())
    session = Session(engine, "socket", 0, Bounds())
    assert session.is_open
    assert session.events_received() == [Opened()]
    open_frame, connect = session.data_to_send()
    assert open_frame.startswith(b'0{"sid":"sid"')
    assert connect == b"40"


@OLD
def test_old_servers_connect_in_the_second_body(revision: int) -> None:
    session = begun(revision, POLLING)
    assert session.open_poll() is None
    first = session.take_payload()
    assert first is not None
    assert b"40" not in first[2:]
    assert session.open_poll() is None
    assert session.take_payload() == (b"2:40" if revision == 2 else b"\0\2\xff40")


@pytest.mark.parametrize(
    ("frame", "auth"),
    [("40", None), ("40{}", {}), ('40{"token":"123"}', {"token": "123"}), ("40/,", None)],
)
def test_clients_of_revision_5_connect_first(frame: str, auth: object) -> None:
    session = begun(4)
    assert not session.is_open
    assert session.events_received() == []
    assert received(session, frame) == [Opened(auth)]
    assert session.data_to_send() == [b'40{"sid":"socket"}']
    assert session.is_open


def test_revision_5_connects_by_polling() -> None:
    session = begun(4, POLLING)
    assert session.open_poll() is None
    assert session.take_payload() is not None
    assert session.receive_payload(b'40\x1e42["hey","Jude"]', 0, is_binary=False) is None
    assert session.events_received() == [Opened(), Event("hey", ["Jude"])]
    assert session.open_poll() is None
    assert session.take_payload() == b'40{"sid":"socket"}'


@pytest.mark.parametrize(
    "frame", ["40[]", '40"a"', "40{", "4abc", '42["a"]', "431[1]", "44", "40ü"]
)
def test_invalid_handshakes_of_revision_5_end_the_session(frame: str) -> None:
    session = begun(4)
    assert received(session, frame) == MALFORMED
    assert not session.has_websocket


def test_connecting_twice_ends_the_session() -> None:
    assert received(opened(4), "40") == MALFORMED


def test_who_does_not_connect_in_time_is_closed() -> None:
    session = begun(4)
    due_us = BOUNDS.connect_s_max * S
    session.take_due(25 * S)
    session.receive_text(b"3", 25 * S)
    session.take_due(due_us - 1)
    assert session.events_received() == []
    session.take_due(due_us)
    assert session.events_received() == [Closed(CloseReason.NOT_CONNECTED)]
    assert not session.has_websocket


def test_connecting_ends_the_wait_for_it() -> None:
    session = opened(4)
    due_us = session.next_due_us()
    assert due_us == 25 * S
    session.take_due(25 * S)
    session.receive_text(b"3", 44 * S)
    session.take_due(45 * S)
    assert session.is_open


@pytest.mark.parametrize("frame", ["40/random", "40/random,", '40/random,{"token":"1"}'])
def test_other_namespaces_are_refused_in_the_words_of_revision_5(frame: str) -> None:
    for session in (begun(4), opened(4)):
        was_open = session.is_open
        assert received(session, frame) == []
        assert session.data_to_send() == [b'44/random,{"message":"Invalid namespace"}']
        assert session.is_open == was_open


@OLD
@pytest.mark.parametrize("frame", ["40/random", "40/random?token=abc,"])
def test_other_namespaces_are_refused_in_the_words_of_old_revisions(
    revision: int, frame: str
) -> None:
    session = opened(revision)
    assert received(session, frame) == []
    assert session.data_to_send() == [b'44/random,"Invalid namespace"']


@OLD
def test_old_clients_may_say_that_they_connect(revision: int) -> None:
    session = opened(revision)
    assert received(session, "40") == received(session, "40/,") == []
    assert session.data_to_send() == []


def test_events_for_other_namespaces_end_a_session_of_revision_5() -> None:
    assert received(opened(4), '42/random,["a"]') == MALFORMED


@OLD
def test_events_for_other_namespaces_are_ignored_in_old_revisions(revision: int) -> None:
    session = opened(revision)
    assert received(session, '42/random,["a"]') == []
    assert received(session, '42["a"]') == [Event("a", [])]


@REVISIONS
@pytest.mark.parametrize(
    ("frame", "event"),
    [
        ('42["message",1,"2",{"3":[true]}]', Event("message", [1, "2", {"3": [True]}])),
        ('42456["message-with-ack",1]', Event("message-with-ack", [1], AckId(456))),
        ('420["status"]', Event("status", [], AckId(0))),
        ('42["é😀",null]', Event("é😀", [None])),
        ('42 [ "a" , 1 ] ', Event("a", [1])),
        ("42[7]", Event("7", [])),
        ('450-["a",1]', Event("a", [1])),
    ],
)
def test_event_is_received(revision: int, frame: str, event: Event) -> None:
    session = opened(revision)
    assert received(session, frame) == [event]
    assert received(session, frame) == [event]


@REVISIONS
@pytest.mark.parametrize(
    "frame",
    [
        "4",
        "42",
        "42{}",
        "42[]",
        "42[{}]",
        "42[null,1]",
        '42["a"',
        '42["a"]x',
        '42["a"]42["b"]',
        "42[" + "[" * 1500,
        b'42["\xff"]',
        b'421["\xff"]',
        "43[1]",
        "431{}",
        "431",
        "47",
        '44{"message":"x"}',
        "4hello",
        '45["a"]',
    ],
)
def test_a_packet_that_cannot_be_read_ends_the_session(revision: int, frame: str | bytes) -> None:
    session = opened(revision)
    assert received(session, frame) == MALFORMED
    assert not session.has_websocket
    assert session.is_over
    assert received(session, '42["a"]') == []
    session.send_event(b"message", b"1")
    assert session.data_to_send() == []


def test_a_malformed_packet_in_a_posted_body_is_answered_by_a_refusal() -> None:
    session = opened(4, POLLING)
    assert (
        session.receive_payload(b'42["a"]\x1e42\x1e42["b"]\x1e41', 0, is_binary=False)
        == BAD_REQUEST
    )
    assert session.events_received() == [Event("a", []), *MALFORMED]


def test_a_malformed_packet_before_a_close_packet_ends_the_session_once() -> None:
    session = opened(4, POLLING)
    assert session.receive_payload(b"42\x1e1", 0, is_binary=False) == BAD_REQUEST
    assert session.events_received() == MALFORMED
    session.close()
    session.take_due(10**9)
    assert session.events_received() == []


@REVISIONS
def test_events_and_acknowledgements_are_sent(revision: int) -> None:
    session = opened(revision)
    session.send_event(b"message", b'{"a":1}')
    session.send_event(b"config", b"1", AckId(7))
    session.send_ack(AckId(12), b'{"b":2},3')
    session.send_frame(session.frame_event(b"identify", b""))
    assert session.data_to_send() == [
        b'42["message",{"a":1}]',
        b'427["config",1]',
        b'4312[{"b":2},3]',
        b'42["identify"]',
    ]


@REVISIONS
def test_acknowledgement_is_received(revision: int) -> None:
    session = opened(revision)
    assert received(session, '437["x",null]') == [AckReceived(AckId(7), ["x", None])]
    assert received(session, "437[]") == [AckReceived(AckId(7), [])]


def test_nothing_is_sent_before_the_session_is_open() -> None:
    with pytest.raises(LocalProtocolError):
        begun(4).send_event(b"message", b"1")


@REVISIONS
def test_client_leaves_the_namespace_and_then_has_time_to_close(revision: int) -> None:
    session = opened(revision)
    assert received(session, "41") == [Closed(CloseReason.CLIENT_LEFT)]
    assert not session.is_open
    assert session.has_websocket
    assert received(session, '42["a"]') == received(session, "40") == []
    session.send_event(b"message", b"1")
    session.close()
    assert session.data_to_send() == [b"1"]
    assert session.events_received() == []


def test_who_stays_without_a_namespace_is_closed() -> None:
    session = opened(4)
    session.receive_text(b"41", 10 * S)
    assert session.events_received() == [Closed(CloseReason.CLIENT_LEFT)]
    session.take_due(25 * S)
    assert session.data_to_send() == [b"2"]  # the suite wants to see that it is still there
    session.receive_text(b"3", 50 * S)
    session.take_due(55 * S)
    assert session.data_to_send()[-1:] == [b"1"]
    assert session.is_over
    assert session.events_received() == []


@REVISIONS
def test_leaving_another_namespace_changes_nothing(revision: int) -> None:
    session = opened(revision)
    assert received(session, "41/random,") == []
    assert session.is_open


@REVISIONS
def test_client_leaves_altogether(revision: int) -> None:
    assert received(opened(revision), "1") == [Closed(CloseReason.CLIENT_LEFT)]


@REVISIONS
def test_server_closes_for_good(revision: int) -> None:
    session = opened(revision)
    session.close()
    assert session.events_received() == [Closed(CloseReason.SERVER)]
    assert session.data_to_send() == [b"41", b"1"]
    assert not session.has_websocket


@REVISIONS
def test_server_closes_and_clients_may_return(revision: int) -> None:
    session = opened(revision)
    session.close(may_return=True)
    assert session.data_to_send() == [b"1"]


def test_every_end_of_the_session_below_is_told_once() -> None:
    lost, slow, silent, overlapping = opened(3), opened(4, POLLING), opened(3), opened(4, POLLING)
    lost.lose_websocket()
    for _ in range(3):
        slow.send_event(b"message", b"1" * 1000)
    silent.take_due(85 * S)
    assert overlapping.open_poll() is None
    assert overlapping.open_poll() == BAD_REQUEST
    for session, reason in [
        (lost, CloseReason.TRANSPORT_LOST),
        (slow, CloseReason.QUEUE_FULL),
        (silent, CloseReason.TIMEOUT),
        (overlapping, CloseReason.OVERLAP),
    ]:
        assert session.events_received() == [Closed(reason)]
        assert not session.is_open


def test_an_upgrade_carries_events_over() -> None:
    session = opened(3, POLLING)
    assert session.begin_upgrade(0) is None
    session.send_event(b"a", b"")
    session.receive_text(b"2probe", 0)
    session.receive_text(b"5", 0)
    session.send_event(b"b", b"")
    assert not session.is_direct
    assert session.data_to_send() == [b"3probe", b'42["a"]', b'42["b"]']
    assert session.is_direct
    assert received(session, '42["c"]') == [Event("c", [])]


def test_an_event_on_a_websocket_that_has_not_upgraded_is_not_taken() -> None:
    session = opened(4, POLLING)
    assert session.begin_upgrade(0) is None
    assert received(session, '42["c"]') == []
    assert not session.has_websocket
    assert session.is_open


def test_a_frame_that_is_too_long_is_not_taken() -> None:
    session = opened(4)
    assert received(session, '42["%s"]' % ("a" * 3000)) == [Closed(CloseReason.TOO_LONG)]


def test_events_count_as_signs_of_life() -> None:
    session = opened(3)
    session.receive_text(b'42["a"]', 80 * S)
    session.take_due(100 * S)
    assert session.is_open
