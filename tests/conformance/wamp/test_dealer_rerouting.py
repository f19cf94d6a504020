"""Calls that go to another callee, because one was unavailable or left.

Source: WAMP, Call Re-Routing; Callee Leaving During an RPC Invocation.
"""

import pytest
from tests.conformance.wamp.dealing import EVERYTHING, MIXED, Realm

from thingtank.protocols.wamp.calls import DealerBounds

pytestmark = pytest.mark.over_wires

WORK = "com.example.work"
UNAVAILABLE = "wamp.error.unavailable"
NO_CALLEE = "wamp.error.no_available_callee"
NO_REROUTE = {**EVERYTHING, "callee": EVERYTHING["callee"] - {"call_reroute"}}


def shared(invoke, count=3, features=None, bounds=None):
    realm = Realm(bounds)
    callees = [
        realm.join(("json", "msgpack", "cbor")[place % 3], features) for place in range(count)
    ]
    for callee in callees:
        callee.register(WORK, invoke=invoke)
    return realm, realm.join(), callees


def taken_by(callees):
    """Who has the only invocation there is, and its message."""
    ((place, message),) = [
        (place, message) for place, callee in enumerate(callees) for message in callee.take()
    ]
    return place, message


@pytest.mark.parametrize(
    ("invoke", "choices", "places"),
    [
        ("first", [], [0, 1, 2]),
        ("last", [], [2, 1, 0]),
        ("roundrobin", [], [0, 1, 2]),
        ("random", [1, 1, 0], [1, 2, 0]),
    ],
)
@pytest.mark.parametrize("unavailable_count", [1, 2, 3])
def test_unavailable_callees_are_passed_over(invoke, choices, places, unavailable_count):
    realm, caller, callees = shared(invoke)
    realm.choices = list(choices)
    call_id = caller.call(WORK, ["x"], {"y": 1})
    for expected in places[:unavailable_count]:
        place, message = taken_by(callees)
        assert place == expected
        assert message[:2] + message[3:] == [68, 1, {}, ["x"], {"y": 1}]
        assert caller.take() == []
        callees[place].fail(1, UNAVAILABLE)
    if unavailable_count == 3:
        assert caller.take_error(48, call_id) == NO_CALLEE
        return
    place, _ = taken_by(callees)
    assert place == places[unavailable_count]
    callees[place].give(1, ["done"])
    assert caller.take() == [[50, call_id, {}, ["done"]]]


def test_roundrobin_starts_at_its_turn_and_goes_around():
    _, caller, callees = shared("roundrobin")
    caller.call(WORK)
    callees[0].give(callees[0].take_invocation())
    caller.take()
    call_id = caller.call(WORK)
    callees[1].fail(callees[1].take_invocation(), UNAVAILABLE)
    callees[2].fail(callees[2].take_invocation(), UNAVAILABLE)
    callees[0].fail(callees[0].take_invocation(), UNAVAILABLE)
    assert caller.take_error(48, call_id) == NO_CALLEE


def test_single_callee_that_is_unavailable_has_no_other():
    _, caller, (callee,) = shared("single", 1)
    call_id = caller.call(WORK)
    callee.fail(1, UNAVAILABLE, ["x"])
    assert caller.take_error(48, call_id) == NO_CALLEE


def test_without_the_callees_announcement_the_error_is_passed_on():
    _, caller, callees = shared("first", features=NO_REROUTE)
    call_id = caller.call(WORK)
    callees[0].fail(1, UNAVAILABLE, ["x"])
    assert caller.take() == [[8, 48, call_id, {}, UNAVAILABLE, ["x"]]]
    assert callees[1].take() == []


def test_other_errors_are_no_reason():
    _, caller, callees = shared("first")
    call_id = caller.call(WORK)
    callees[0].fail(1, "com.example.error")
    assert caller.take_error(48, call_id) == "com.example.error"


def test_call_that_delivered_results_is_not_rerouted():
    _, caller, callees = shared("first")
    caller.call(WORK, receive_progress=True)
    callees[0].give(1, progress=True)
    callees[0].fail(1, UNAVAILABLE)
    assert caller.take()[-1][4] == UNAVAILABLE
    assert callees[1].take() == []


def test_call_with_input_in_parts_is_not_rerouted():
    _, caller, callees = shared("first")
    call_id = caller.call(WORK, progress=True)
    callees[0].fail(1, UNAVAILABLE)
    assert caller.take_error(48, call_id) == UNAVAILABLE
    assert callees[1].take() == []


def test_killed_call_is_not_rerouted():
    _, caller, callees = shared("first")
    call_id = caller.call(WORK)
    caller.cancel(call_id, mode="kill")
    callees[0].fail(1, UNAVAILABLE)
    assert caller.take_error(48, call_id) == UNAVAILABLE
    assert callees[1].take() == []


def test_details_are_those_for_the_new_callee():
    realm = Realm()
    first, second = realm.join(), realm.join("cbor", {"callee": set()})
    for callee in (first, second):
        callee.register(WORK, invoke="first")
    caller = realm.join()
    caller.call(WORK, receive_progress=True, disclose_me=True)
    first.fail(1, UNAVAILABLE)
    details = second.take_one()[3]
    assert details["caller"] == caller.id
    assert "receive_progress" not in details


@pytest.mark.in_memory
def test_new_callee_that_cannot_be_given_the_call_is_an_error():
    realm = Realm()
    first, second = realm.join(), realm.join(bytes_max=512)
    for callee in (first, second):
        callee.register(WORK, invoke="first")
    caller = realm.join()
    call_id = caller.call(WORK, ["x" * 1000])
    first.fail(1, UNAVAILABLE)
    assert caller.take_error(48, call_id) == "wamp.error.payload_size_exceeded"
    assert second.take() == []
    first.fail(1, UNAVAILABLE)
    assert caller.take() == []


@pytest.mark.parametrize(
    ("invoke", "other"), [("first", 1), ("last", None), ("roundrobin", 1), ("random", 1)]
)
def test_calls_of_a_callee_that_left_go_to_another(invoke, other):
    realm, caller, callees = shared(invoke)
    call_id = caller.call(WORK, [1])
    callees[0].leave() if invoke != "last" else callees[2].leave()
    other = 1 if other is None else other
    place, _ = taken_by(callees)
    assert place == other
    callees[place].give(1)
    assert caller.take() == [[50, call_id, {}]]
    assert realm.dealer.registrations.count_callees(1) == 2


@pytest.mark.parametrize("case", ["nobody else", "not announced", "results", "input in parts"])
def test_calls_of_a_callee_that_left_end_as_canceled_otherwise(case):
    features = NO_REROUTE if case == "not announced" else None
    _, caller, callees = shared("first", 1 if case == "nobody else" else 2, features)
    call_id = caller.call(WORK, progress=case == "input in parts", receive_progress=True)
    if case == "results":
        callees[0].give(1, progress=True)
        caller.take()
    callees[0].leave()
    assert caller.take_error(48, call_id) == "wamp.error.canceled"
    assert [callee.take() for callee in callees[1:]] in ([], [[]])


@pytest.mark.parametrize(("caller_name", "callee_name"), MIXED)
def test_everybody_leaving_ends_the_call(caller_name, callee_name):
    realm = Realm()
    callees, caller = [realm.join(callee_name) for _ in range(3)], realm.join(caller_name)
    for callee in callees:
        callee.register(WORK, invoke="roundrobin")
    call_id = caller.call(WORK)
    for callee in callees:
        assert caller.take() == []
        callee.leave()
    assert caller.take_error(48, call_id) == "wamp.error.canceled"


def test_payloads_kept_for_rerouting_are_bounded():
    _, caller, callees = shared("first", bounds=DealerBounds(kept_bytes_max=100))
    kept, not_kept = caller.call(WORK, ["x" * 60]), caller.call(WORK, ["x" * 60])
    callees[0].fail(2, UNAVAILABLE)
    assert caller.take_error(48, not_kept) == NO_CALLEE
    callees[0].fail(1, UNAVAILABLE)
    callees[1].give(callees[1].take_invocation())
    assert caller.take() == [[50, kept, {}]]
    caller.call(WORK, ["x" * 90])  # what was kept is free again
    callees[0].fail(3, UNAVAILABLE)
    assert caller.take() == []
