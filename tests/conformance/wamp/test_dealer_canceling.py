"""Calls that are canceled, or wait too long.

Source: WAMP, Call Canceling; Call Timeouts.
"""

import pytest
from tests.conformance.wamp.dealing import AT_US, CANCELING, EVERYTHING, MIXED, Realm

pytestmark = pytest.mark.over_wires

SLOW = "com.example.slow"
CANCELED, TIMEOUT = "wamp.error.canceled", "wamp.error.timeout"
mixed = pytest.mark.parametrize(("caller_name", "callee_name"), MIXED)


def connected(caller="json", callee="json", callee_features=None, **options):
    realm = Realm()
    callee_client, caller_client = realm.join(callee, callee_features), realm.join(caller)
    callee_client.register(SLOW, **options)
    return realm, caller_client, callee_client


MODES = [
    # mode, callee can cancel, what the callee is sent, whether the caller has its error at once
    ("skip", True, None, True),
    ("killnowait", True, "killnowait", True),
    (None, True, "killnowait", True),  # TRAP: Autobahn-Python sends no mode
    ("kill", True, "kill", False),
    ("skip", False, None, True),
    ("killnowait", False, None, True),
    (None, False, None, True),
    ("kill", False, None, True),
]


@mixed
@pytest.mark.parametrize(("mode", "can_cancel", "interrupt", "is_at_once"), MODES)
def test_cancel(caller_name, callee_name, mode, can_cancel, interrupt, is_at_once):
    _, caller, callee = connected(caller_name, callee_name, CANCELING if can_cancel else {})
    call_id = caller.call(SLOW)
    callee.take()
    caller.cancel(call_id, **({"mode": mode} if mode else {}))
    assert callee.take() == ([[69, 1, {"mode": interrupt}]] if interrupt else [])
    if is_at_once:
        assert caller.take_error(48, call_id) == CANCELED
        callee.give(1, ["late"])
        assert caller.take() == []
    else:
        assert caller.take() == []
        callee.give(1, ["in time"])
        assert caller.take() == [[50, call_id, {}, ["in time"]]]


def test_kill_passes_on_whatever_error_the_callee_answers():
    _, caller, callee = connected(callee_features=EVERYTHING)
    call_id = caller.call(SLOW)
    caller.cancel(call_id, mode="kill")
    callee.fail(1, "com.example.interrupted", ["x"])
    assert caller.take() == [[8, 48, call_id, {}, "com.example.interrupted", ["x"]]]


def test_kill_lets_progressive_results_through():
    _, caller, callee = connected()
    call_id = caller.call(SLOW, receive_progress=True)
    caller.cancel(call_id, mode="kill")
    callee.give(1, [1], progress=True)
    callee.fail(1, CANCELED)
    assert [message[0] for message in caller.take()] == [50, 8]


@pytest.mark.parametrize("second", ["skip", "kill", "killnowait"])
def test_second_cancel_is_ignored(second):
    _, caller, callee = connected()
    call_id = caller.call(SLOW)
    caller.cancel(call_id, mode="kill")
    caller.cancel(call_id, mode=second)
    assert [message[0] for message in callee.take()] == [68, 69]
    assert caller.take() == []
    callee.fail(1, CANCELED)
    assert caller.take_error(48, call_id) == CANCELED


def test_trap_cancel_of_an_unknown_or_ended_call_is_ignored():
    realm, caller, callee = connected()
    caller.cancel(77)
    realm.join().cancel(1)
    call_id = caller.call(SLOW)
    callee.give(callee.take_invocation())
    caller.take()
    caller.cancel(call_id)
    assert caller.take() == []
    assert callee.take() == []


def test_cancel_reaches_only_ones_own_call():
    realm, caller, callee = connected()
    other = realm.join()
    call_id = caller.call(SLOW)
    other.cancel(call_id)
    callee.give(callee.take_invocation())
    assert caller.take() == [[50, call_id, {}]]


def test_callee_that_leaves_a_killed_call_ends_it():
    _, caller, callee = connected()
    call_id = caller.call(SLOW)
    caller.cancel(call_id, mode="kill")
    callee.leave()
    assert caller.take_error(48, call_id) == CANCELED


# Call Timeouts


@mixed
@pytest.mark.parametrize("can_cancel", [True, False])
def test_trap_timeout_is_in_milliseconds_and_the_dealers(caller_name, callee_name, can_cancel):
    realm, caller, callee = connected(caller_name, callee_name, CANCELING if can_cancel else {})
    call_id = caller.call(SLOW, timeout=300)
    assert callee.take() == [[68, 1, 1, {}]]
    realm.wait_ms(299)
    assert caller.take() == []
    realm.wait_ms(1)
    assert caller.take_error(48, call_id) == TIMEOUT
    assert callee.take() == ([[69, 1, {"mode": "killnowait"}]] if can_cancel else [])
    callee.give(1)
    assert caller.take() == []


@pytest.mark.parametrize("options", [{}, {"timeout": 0}])
def test_without_a_timeout_a_call_waits(options):
    realm, caller, callee = connected()
    call_id = caller.call(SLOW, **options)
    assert realm.dealer.next_due_us() is None
    realm.wait_ms(10**9)
    callee.give(1)
    assert caller.take() == [[50, call_id, {}]]


def test_next_due_is_the_soonest():
    realm, caller, callee = connected()
    caller.call(SLOW, timeout=300)
    caller.call(SLOW, timeout=20)
    assert realm.dealer.next_due_us() == AT_US + 20_000
    callee.give(2)
    assert realm.dealer.next_due_us() == AT_US + 300_000
    callee.give(1)
    assert realm.dealer.next_due_us() is None


def test_timeouts_end_calls_in_the_order_in_which_they_are_due():
    realm, caller, _ = connected()
    ids = {timeout: caller.call(SLOW, timeout=timeout) for timeout in (30, 10, 20, 40)}
    realm.wait_ms(30)
    assert [message[2] for message in caller.take()] == [ids[10], ids[20], ids[30]]


def test_time_begins_anew_with_each_progressive_result():
    realm, caller, callee = connected()
    call_id = caller.call(SLOW, timeout=100, receive_progress=True)
    for _ in range(3):
        realm.wait_ms(99)
        callee.give(1, progress=True)
    assert len(caller.take()) == 3
    realm.wait_ms(99)
    assert caller.take() == []
    realm.wait_ms(1)
    assert caller.take_error(48, call_id) == TIMEOUT


def test_time_does_not_begin_anew_with_more_input():
    realm, caller, _ = connected()
    call_id = caller.call(SLOW, timeout=100, progress=True)
    realm.wait_ms(99)
    caller.call(SLOW, again=call_id, progress=True)
    realm.wait_ms(1)
    assert caller.take_error(48, call_id) == TIMEOUT


def test_killed_call_still_times_out():
    realm, caller, callee = connected()
    call_id = caller.call(SLOW, timeout=100)
    caller.cancel(call_id, mode="kill")
    realm.wait_ms(100)
    assert caller.take_error(48, call_id) == TIMEOUT
    callee.give(1)
    assert caller.take() == []


@pytest.mark.parametrize(
    ("forward_timeout", "announces", "is_forwarded"),
    [(True, True, True), (True, False, False), (False, True, False)],
)
def test_timeout_is_left_to_callees_that_asked_for_it(forward_timeout, announces, is_forwarded):
    features = {"callee": {"call_timeout"} if announces else set()}
    realm, caller, callee = connected(callee_features=features, forward_timeout=forward_timeout)
    call_id = caller.call(SLOW, timeout=100)
    assert callee.take_one()[3] == ({"timeout": 100} if is_forwarded else {})
    realm.wait_ms(1000)
    if is_forwarded:
        callee.fail(1, TIMEOUT)
    assert caller.take_error(48, call_id) == TIMEOUT


def test_timer_is_kept_for_a_call_that_is_rerouted_to_who_does_not_keep_it():
    realm = Realm()
    keeps, does_not, caller = realm.join(), realm.join(), realm.join()
    keeps.register(SLOW, invoke="first", forward_timeout=True)
    does_not.register(SLOW, invoke="first")
    call_id = caller.call(SLOW, timeout=100)
    realm.wait_ms(50)
    keeps.fail(1, "wamp.error.unavailable")
    realm.wait_ms(99)
    assert caller.take() == []
    realm.wait_ms(1)
    assert caller.take_error(48, call_id) == TIMEOUT
