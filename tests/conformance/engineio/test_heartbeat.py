"""Who pings whom, and when a session is over. Source: Engine.IO protocol, Heartbeat; revision 3."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conformance.engineio.sessions import S, closing, on_websocket, packets, polled, polling

from thingtank.protocols.engineio.bounds import Bounds
from thingtank.protocols.engineio.close_reasons import CloseReason
from thingtank.protocols.engineio.heartbeats import Step, next_step
from thingtank.protocols.engineio.session import Session

INTERVAL_US, TIMEOUT_US, OLD_TIMEOUT_US = 25 * S, 20 * S, 60 * S


def test_revision_4_is_pinged_at_each_interval() -> None:
    session = on_websocket(4)
    for turn in range(1, 6):
        now_us = turn * INTERVAL_US
        assert to_due(session, now_us) == [b"2"]
        session.receive_text(b"3", now_us + S)
    assert not session.is_closed


def test_revision_4_is_pinged_through_polls() -> None:
    session = polling(4)
    for turn in range(1, 4):
        assert polled(session) is None
        to_due(session, turn * INTERVAL_US)
        assert session.take_payload() == b"2"
        assert session.receive_payload(b"3", turn * INTERVAL_US + S, is_binary=False) is None


def test_revision_4_is_over_when_a_ping_has_no_pong_in_time() -> None:
    session = on_websocket(4)
    assert to_due(session, INTERVAL_US + TIMEOUT_US - 1) == [b"2"]
    assert not session.is_closed
    assert session.next_due_us() == INTERVAL_US + TIMEOUT_US
    session.take_due(INTERVAL_US + TIMEOUT_US)
    assert closing(session) is CloseReason.TIMEOUT
    assert session.is_over


def test_an_abandoned_polling_session_ends_and_answers_no_more() -> None:
    session = polling(4)
    assert polled(session) is None
    session.lose_poll()
    to_due(session, INTERVAL_US + TIMEOUT_US)
    assert closing(session) is CloseReason.TIMEOUT
    assert session.is_over


def test_the_poll_of_a_session_that_times_out_is_answered() -> None:
    session = polling(3)
    assert polled(session) is None
    to_due(session, INTERVAL_US + OLD_TIMEOUT_US)
    assert closing(session) is CloseReason.TIMEOUT
    assert packets(session, session.take_payload()) == [b"6"]


def test_any_packet_counts_as_a_pong() -> None:
    session = on_websocket(4)
    assert to_due(session, INTERVAL_US) == [b"2"]
    session.receive_text(b"4a", INTERVAL_US + S)
    assert to_due(session, 2 * INTERVAL_US) == [b"2"]


def test_a_talkative_client_is_pinged_as_often() -> None:
    session, pings = on_websocket(4), 0
    for second in range(101):
        session.receive_text(b"4a", second * S)
        pings += len(to_due(session, second * S))
    assert pings == 4


def test_in_revision_4_a_client_that_pings_has_the_wrong_revision() -> None:
    session = on_websocket(4)
    session.receive_text(b"2", 0)
    assert closing(session) is CloseReason.MALFORMED


@pytest.mark.parametrize("revision", [2, 3])
def test_old_revisions_ping_and_are_answered_with_the_same_data(revision: int) -> None:
    session = on_websocket(revision)
    session.receive_text(b"2", 0)
    session.receive_text(b"2hi", 0)
    assert session.data_to_send() == [b"3", b"3hi"]


@pytest.mark.parametrize("revision", [2, 3])
def test_old_revisions_ping_by_polling(revision: int) -> None:
    session = polling(revision)
    assert polled(session) is None
    assert session.receive_payload(b"1:2", 0, is_binary=False) is None
    assert packets(session, session.take_payload()) == [b"3"]


@pytest.mark.parametrize("revision", [2, 3])
def test_old_revisions_are_over_after_interval_and_timeout_of_silence(revision: int) -> None:
    session = on_websocket(revision)
    session.receive_text(b"2", 50 * S)
    session.data_to_send()
    last_us = 50 * S + INTERVAL_US + OLD_TIMEOUT_US
    assert to_due(session, last_us - 1) == []
    assert not session.is_closed
    assert session.next_due_us() == last_us
    session.take_due(last_us)
    assert closing(session) is CloseReason.TIMEOUT


@given(st.lists(st.integers(0, 200 * S), max_size=30), st.integers(1, 60), st.integers(1, 60))
def test_a_client_that_is_heard_often_enough_stays_and_one_that_is_silent_goes(
    heard: list[int], interval_s: int, timeout_s: int
) -> None:
    bounds = Bounds(ping_interval_ms=interval_s * 1000, ping_timeout_ms=timeout_s * 1000)
    session = on_websocket(4, bounds)
    last_us = 0
    for now_us in sorted(heard):
        to_due(session, now_us)
        if session.is_closed:
            break
        session.receive_text(b"3", now_us)
        last_us = now_us
    # The next ping after the last sign of life, and its time-out, are the end.
    latest_us = last_us + (max(interval_s, timeout_s) + interval_s + timeout_s) * S
    to_due(session, latest_us)
    assert session.is_closed
    assert session.is_over


@given(*[st.integers(0, 100)] * 3, st.integers(1, 50), st.integers(1, 50))
def test_the_next_step_is_never_asked_for_in_the_past(
    now_us: int, heard_us: int, beaten_us: int, interval_us: int, timeout_us: int
) -> None:
    now_us = max(now_us, heard_us, beaten_us)
    step, due_us = next_step(now_us, heard_us, beaten_us, interval_us, timeout_us)
    assert step is Step.GIVE_UP or due_us > now_us


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
