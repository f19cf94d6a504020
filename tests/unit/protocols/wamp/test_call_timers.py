"""Timers of calls: order, restarts, and no growth by calls that have ended."""

from hypothesis import given
from hypothesis import strategies as st

from thingtank.protocols.wamp.calls import CallTimers, PendingCall


def a_call() -> PendingCall:
    return PendingCall(None, 1, "com.example.x", False, 0, False)  # type: ignore[arg-type] # a timer asks for no caller


def test_ended_calls_do_not_pile_up():
    timers = CallTimers()
    for number in range(10_000):
        call = a_call()
        timers.start(call, 1_000_000 + number)
        timers.drop(call)
        assert len(timers._heap) < 600
    assert timers.next_due_us() is None


@given(
    st.lists(
        st.tuples(
            st.integers(1, 50),
            st.sampled_from(["keep", "drop", "restart"]),
            st.integers(1, 50),
        )
    )
)
def test_each_call_is_due_once_and_in_time(steps):
    timers = CallTimers()
    expected = []
    for due_us, action, later_us in steps:
        call = a_call()
        timers.start(call, due_us)
        if action == "drop":
            timers.drop(call)
        else:
            if action == "restart":
                call.due_us = due_us + later_us
            expected.append((call.due_us, id(call), call))
    found = []
    for now_us in range(110):
        next_us = timers.next_due_us()
        due = list(timers.take_due(now_us))
        if due:
            assert next_us is not None
            assert next_us <= now_us
        found += [(now_us, id(call), call) for call in due]
    assert sorted(found, key=lambda each: each[:2]) == sorted(expected, key=lambda each: each[:2])
    assert timers.next_due_us() is None
