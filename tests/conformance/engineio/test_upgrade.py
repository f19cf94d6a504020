"""From polling to WebSocket. Source: Engine.IO protocol, Upgrade, and its test suite."""

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

from thingtank.protocols.engineio.close_reasons import CloseReason
from thingtank.protocols.engineio.errors import BAD_REQUEST, SESSION_UNKNOWN
from thingtank.protocols.engineio.session import Session, Transport

REVISIONS = pytest.mark.parametrize("revision", [2, 3, 4])


def probed(revision: int = 4) -> Session:
    session = polling(revision)
    assert session.begin_upgrade(0) is None
    session.receive_text(b"2probe", 0)
    assert session.data_to_send() == [b"3probe"]
    return session


@REVISIONS
def test_probe_is_answered_and_upgrade_completes(revision: int) -> None:
    session = probed(revision)
    assert session.transport is Transport.POLLING
    session.receive_text(b"5", 0)
    assert session.transport is Transport.WEBSOCKET
    session.receive_text(b"4hello", 0)
    assert messages(session) == [b"hello"]
    session.send_message(b"hello")
    assert session.data_to_send() == [b"4hello"]


@REVISIONS
def test_the_poll_that_is_held_is_released_by_a_noop_at_the_probe(revision: int) -> None:
    session = polling(revision)
    assert polled(session) is None
    assert session.begin_upgrade(0) is None
    assert session.take_payload() is None  # the client has not said that it probes
    session.receive_text(b"2probe", 0)
    assert packets(session, session.take_payload()) == [b"6"]


@REVISIONS
def test_a_poll_between_probe_and_upgrade_is_released_at_once(revision: int) -> None:
    session = probed(revision)
    assert packets(session, polled(session)) == [b"6"]


def test_a_poll_that_is_still_held_is_released_by_the_upgrade() -> None:
    session = probed()
    assert session.open_poll() is None
    session.receive_text(b"5", 0)
    assert session.take_payload() == b"6"


def test_messages_go_by_polling_until_the_upgrade() -> None:
    session = probed()
    session.send_message(b"a")
    assert session.data_to_send() == []
    assert polled(session) == b"4a"


def test_messages_that_no_poll_has_fetched_go_by_websocket_after_the_upgrade() -> None:
    session = probed()
    session.send_message(b"a")
    session.receive_text(b"5", 0)
    session.send_message(b"b")
    assert not session.is_direct
    assert session.data_to_send() == [b"4a", b"4b"]
    assert session.is_direct


def test_posts_are_taken_until_the_upgrade_and_not_after_it() -> None:
    session = probed()
    assert session.receive_payload(b"4a", 0, is_binary=False) is None
    session.receive_text(b"5", 0)
    assert session.receive_payload(b"4b", 0, is_binary=False) == BAD_REQUEST
    assert session.open_poll() == BAD_REQUEST
    session.receive_text(b"4c", 0)
    assert messages(session) == [b"a", b"c"]


def test_another_websocket_is_refused_and_the_session_goes_on() -> None:
    session = probed()
    assert session.begin_upgrade(0) == BAD_REQUEST
    session.receive_text(b"5", 0)
    assert session.begin_upgrade(0) == BAD_REQUEST
    session.receive_text(b"4hello", 0)
    assert messages(session) == [b"hello"]
    assert on_websocket(4).begin_upgrade(0) == BAD_REQUEST


def test_there_is_no_upgrade_of_a_session_that_has_ended() -> None:
    session = polling(4)
    session.drop(CloseReason.TIMEOUT)
    assert session.begin_upgrade(0) == SESSION_UNKNOWN


@pytest.mark.parametrize("frame", [b"2", b"2prob", b"4hello", b"5", b"abc", b"", b"1", b"4" * 1000])
def test_a_websocket_that_does_not_probe_is_closed_and_polling_goes_on(frame: bytes) -> None:
    session = polling(4)
    assert session.begin_upgrade(0) is None
    session.receive_text(frame, 0)
    if not session.is_closed:  # too long is too long
        assert not session.has_websocket
        assert messages(session) == []
        assert session.receive_payload(b"4a", 0, is_binary=False) is None
        assert session.begin_upgrade(0) is None
    else:
        assert closing(session) is CloseReason.TOO_LONG


@pytest.mark.parametrize("frame", [b"2", b"4hello", b"abc"])
def test_a_websocket_that_probes_and_does_not_upgrade_is_closed(frame: bytes) -> None:
    session = probed()
    session.receive_text(frame, 0)
    assert not session.has_websocket
    assert not session.is_closed


def test_binary_frames_do_not_upgrade() -> None:
    session = polling(3)
    assert session.begin_upgrade(0) is None
    session.receive_binary(b"\4probe", 0)
    assert not session.has_websocket
    assert messages(session) == []


def test_a_websocket_lost_before_the_upgrade_is_no_loss() -> None:
    session = probed()
    session.lose_websocket()
    assert not session.is_closed
    assert polled(session) is None
    session.send_message(b"a")
    assert session.take_payload() == b"4a"


def test_an_upgrade_has_its_time() -> None:
    session = polling(4)
    assert session.begin_upgrade(3 * S) is None
    assert session.next_due_us() == (3 + BOUNDS.upgrade_s_max) * S
    session.take_due((3 + BOUNDS.upgrade_s_max) * S - 1)
    assert session.has_websocket
    session.take_due((3 + BOUNDS.upgrade_s_max) * S)
    assert not session.has_websocket
    assert not session.is_closed
    assert session.next_due_us() == BOUNDS.ping_interval_ms * 1000


def test_a_heartbeat_that_is_due_meanwhile_does_not_end_the_upgrade() -> None:
    session = polling(4)
    due_us = BOUNDS.ping_interval_ms * 1000
    assert session.begin_upgrade(due_us - S) is None
    assert session.next_due_us() == due_us
    session.take_due(due_us)
    assert session.has_websocket
    assert polled(session) == b"2"
