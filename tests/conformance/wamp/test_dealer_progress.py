"""Results before the last, input in parts, and payloads that the router does not look into.

Source: WAMP, Progressive Call Results; Progressive Call Invocations; Payload Passthru Mode.
"""

import pytest
from tests.conformance.wamp.dealing import EVERYTHING, MIXED, Realm

pytestmark = pytest.mark.over_wires

STREAM = "com.example.stream"
mixed = pytest.mark.parametrize(("caller_name", "callee_name"), MIXED)


def connected(caller="json", callee="json", caller_features=None, callee_features=None):
    realm = Realm()
    callee_client = realm.join(callee, callee_features)
    caller_client = realm.join(caller, caller_features)
    callee_client.register(STREAM)
    return realm, caller_client, callee_client


def without(role, *features):
    return {**EVERYTHING, role: EVERYTHING[role] - set(features)}


# Progressive Call Results


@mixed
def test_progressive_results_come_at_once_and_the_last_ends_the_call(caller_name, callee_name):
    _, caller, callee = connected(caller_name, callee_name)
    call_id = caller.call(STREAM, receive_progress=True)
    assert callee.take() == [[68, 1, 1, {"receive_progress": True}]]
    for number in (1, 2):
        callee.give(1, [number], progress=True)
        assert caller.take() == [[50, call_id, {"progress": True}, [number]]]
    callee.give(1, progress=True)
    assert caller.take() == [[50, call_id, {"progress": True}]]
    callee.give(1, [], {"total": 3})
    assert caller.take() == [[50, call_id, {}, [], {"total": 3}]]
    callee.give(1, [4], progress=True)
    assert caller.take() == []


def test_error_ends_a_progressive_call():
    _, caller, callee = connected()
    call_id = caller.call(STREAM, receive_progress=True)
    callee.give(1, progress=True)
    callee.fail(1, "com.example.error", ["x"])
    assert caller.take()[1:] == [[8, 48, call_id, {}, "com.example.error", ["x"]]]


def test_progress_that_nobody_asked_for_is_dropped_and_the_call_goes_on():
    _, caller, callee = connected()
    call_id = caller.call(STREAM)
    callee.give(1, [1], progress=True)
    assert caller.take() == []
    callee.give(1, [2])
    assert caller.take() == [[50, call_id, {}, [2]]]


@pytest.mark.parametrize(
    ("features", "is_told"),
    [
        ({"progressive_call_results", "call_canceling"}, True),
        ({"progressive_call_results"}, True),  # AutobahnJS, which relies on it
        ({"call_canceling"}, False),
        (set(), False),
    ],
)
def test_receive_progress_is_told_to_callees_that_can_send_it(features, is_told):
    _, caller, callee = connected(callee_features={"callee": features})
    caller.call(STREAM, receive_progress=True)
    assert callee.take_one()[3] == ({"receive_progress": True} if is_told else {})


def test_trap_caller_that_leaves_a_stream_interrupts_it():
    _, caller, callee = connected()
    caller.call(STREAM, receive_progress=True)
    callee.give(1, [1], progress=True)
    callee.take()
    caller.leave()
    assert callee.take() == [[69, 1, {"mode": "killnowait"}]]
    callee.give(1, [2], progress=True)
    assert caller.take() == []


# Progressive Call Invocations


@mixed
def test_input_in_parts_keeps_ids_callee_and_order(caller_name, callee_name):
    realm = Realm()
    callees, caller = [realm.join(callee_name), realm.join(callee_name)], realm.join(caller_name)
    for callee in callees:
        callee.register(STREAM, invoke="roundrobin")
    call_id = caller.call(STREAM, [1], progress=True)
    caller.call(STREAM)  # to the other callee
    caller.call(STREAM, [2], again=call_id, progress=True)
    caller.call(STREAM, [3], again=call_id)
    assert callees[0].take() == [
        [68, 1, 1, {"progress": True}, [1]],
        [68, 1, 1, {"progress": True}, [2]],
        [68, 1, 1, {}, [3]],
    ]
    assert len(callees[1].take()) == 1
    callees[0].give(1, [6])
    assert caller.take() == [[50, call_id, {}, [6]]]


def test_options_but_progress_are_those_of_the_first_call():
    _, caller, callee = connected()
    call_id = caller.call(STREAM, [1], progress=True, receive_progress=True, disclose_me=True)
    caller.call(STREAM, again=call_id, progress=True, timeout=5, ppt_scheme="x_y")
    caller.call(STREAM, again=call_id)
    first, second, last = (message[3] for message in callee.take())
    assert first["caller"] == caller.id
    assert first["receive_progress"] is True
    assert second == first
    assert last == {name: value for name, value in first.items() if name != "progress"}


def test_results_may_come_while_input_goes_on():
    _, caller, callee = connected()
    call_id = caller.call(STREAM, [1], progress=True, receive_progress=True)
    callee.give(1, ["one"], progress=True)
    caller.call(STREAM, [2], again=call_id, progress=True)
    callee.give(1, ["two"], progress=True)
    caller.call(STREAM, [3], again=call_id)
    callee.give(1, ["done"])
    assert [message[3] for message in caller.take()] == [["one"], ["two"], ["done"]]
    assert [message[4] for message in callee.take()] == [[1], [2], [3]]


def test_caller_that_did_not_announce_it_violates():
    features = without("caller", "progressive_call_invocations")
    realm, caller, callee = connected(caller_features=features)
    with caller.violating():
        caller.call(STREAM, progress=True)
    other = realm.join(features=features)
    other.call(STREAM)
    with other.violating():
        other.call(STREAM, again=1)
    assert callee.take()[0][0] == 68


@pytest.mark.parametrize("missing", ["progressive_call_invocations", "call_canceling"])
def test_callee_that_cannot_take_it_is_an_error(missing):
    _, caller, callee = connected(callee_features=without("callee", missing))
    call_id = caller.call(STREAM, progress=True)
    assert caller.take_error(48, call_id) == "wamp.error.feature_not_supported"
    assert callee.take() == []


def test_trap_call_cancelling_with_two_l_counts():
    features = {"callee": {"progressive_call_invocations", "call_cancelling"}}
    _, caller, callee = connected(callee_features=features)
    caller.call(STREAM, progress=True)
    assert callee.take_one()[3] == {"progress": True}


def test_more_input_for_a_call_in_one_part_violates():
    _, caller, _ = connected()
    call_id = caller.call(STREAM)
    with caller.violating():
        caller.call(STREAM, again=call_id)


def test_input_after_the_last_part_violates():
    _, caller, _ = connected()
    call_id = caller.call(STREAM, progress=True)
    caller.call(STREAM, again=call_id)
    with caller.violating():
        caller.call(STREAM, again=call_id)


@pytest.mark.parametrize("ending", ["give", "fail", "cancel", "callee leaves", "refused"])
def test_more_input_for_a_call_that_has_ended_is_dropped(ending):
    features = without("callee", "call_canceling") if ending == "refused" else None
    _, caller, callee = connected(callee_features=features)
    call_id = caller.call(STREAM, progress=True)
    if ending == "give":
        callee.give(1)
    elif ending == "fail":
        callee.fail(1, "com.example.error")
    elif ending == "cancel":
        caller.cancel(call_id)
    elif ending == "callee leaves":
        callee.leave()
    caller.take()
    callee.take()
    caller.call(STREAM, [2], again=call_id, progress=True)
    caller.call(STREAM, [3], again=call_id)
    assert caller.take() == []
    assert callee.take() == []


def test_more_input_under_another_procedure_is_dropped():
    _, caller, callee = connected()
    call_id = caller.call(STREAM, progress=True)
    callee.take()
    caller.call("com.example.other", again=call_id)
    assert callee.take() == []
    assert caller.take() == []


@pytest.mark.in_memory
@pytest.mark.parametrize("kind", ["too long", "unconvertible"])
def test_input_that_the_callee_cannot_be_given_ends_the_call(kind):
    realm = Realm()
    callee, caller = realm.join("json", bytes_max=512), realm.join("cbor")
    callee.register(STREAM)
    call_id = caller.call(STREAM, [1], progress=True)
    callee.take()
    payload = ["x" * 1000] if kind == "too long" else [{(1, 2): 3}]
    caller.call(STREAM, payload, again=call_id, progress=True)
    uri = "payload_size_exceeded" if kind == "too long" else "invalid_payload"
    assert caller.take_error(48, call_id) == f"wamp.error.{uri}"
    assert callee.take() == [[69, 1, {"mode": "killnowait"}]]


# Payload Passthru Mode, and payload transparency, its older form

PPT = {
    "ppt_scheme": "wamp",
    "ppt_serializer": "cbor",
    "ppt_cipher": "xsalsa20poly1305",
    "ppt_keyid": "0x12",
}


@mixed
def test_passthru_attributes_are_copied_both_ways(caller_name, callee_name):
    _, caller, callee = connected(caller_name, callee_name)
    call_id = caller.call(STREAM, ["\0AQI=" if caller_name == "json" else b"\1\2"], **PPT)
    assert callee.take() == [[68, 1, 1, PPT, ["\0AQI=" if callee_name == "json" else b"\1\2"]]]
    callee.give(1, ["a"], **PPT)
    assert caller.take() == [[50, call_id, PPT, ["a"]]]


def test_passthru_attributes_are_copied_to_errors():
    _, caller, callee = connected()
    call_id = caller.call(STREAM)
    callee.fail(1, "com.example.error", ["x"], **PPT)
    assert caller.take() == [[8, 48, call_id, PPT, "com.example.error", ["x"]]]


def test_passthru_of_a_caller_that_did_not_announce_it_violates():
    _, caller, callee = connected(caller_features=without("caller", "payload_passthru_mode"))
    with caller.violating():
        caller.call(STREAM, ["x"], **PPT)
    assert callee.take() == []


def test_passthru_to_a_callee_without_it_is_an_error():
    _, caller, callee = connected(callee_features=without("callee", "payload_passthru_mode"))
    call_id = caller.call(STREAM, ["x"], **PPT)
    assert caller.take_error(48, call_id) == "wamp.error.feature_not_supported"
    assert callee.take() == []


def test_passthru_of_a_callee_that_did_not_announce_it_violates():
    _, caller, callee = connected(callee_features=without("callee", "payload_passthru_mode"))
    caller.call(STREAM)
    with callee.violating():
        callee.give(1, ["x"], **PPT)


@pytest.mark.parametrize("progress", [False, True])
def test_passthru_result_for_a_caller_without_it_is_an_error_to_both(progress):
    _, caller, callee = connected(caller_features=without("caller", "payload_passthru_mode"))
    call_id = caller.call(STREAM, receive_progress=True)
    callee.take()
    callee.give(1, ["x"], progress=progress, **PPT)
    assert caller.take_error(48, call_id) == "wamp.error.feature_not_supported"
    error, *interrupts = callee.take()
    assert error[:3] == [8, 68, 1]
    assert error[4] == "wamp.error.feature_not_supported"
    assert interrupts == ([[69, 1, {"mode": "killnowait"}]] if progress else [])


@mixed
def test_transparent_payload_passes_unread(caller_name, callee_name):
    _, caller, callee = connected(caller_name, callee_name, {"caller": set()}, {"callee": set()})
    keys = {"enc_algo": "cryptobox", "enc_key": "key", "enc_serializer": "json"}
    sent = {"json": "\0AQI=", "msgpack": b"\1\2", "cbor": b"\1\2"}
    call_id = caller.call(STREAM, sent[caller_name], **keys)
    assert callee.take() == [[68, 1, 1, keys, sent[callee_name]]]
    callee.give(1, sent[callee_name], **keys)
    assert caller.take() == [[50, call_id, keys, sent[caller_name]]]
    caller.call(STREAM)
    callee.fail(2, "com.example.error", sent[callee_name], **keys)
    assert caller.take_one()[3:] == [keys, "com.example.error", sent[caller_name]]


def test_what_routers_leave_on_a_message_is_passed_on():
    _, caller, callee = connected()
    came_by = [{"session": 7, "authid": "a", "authrole": "b"}]
    caller.call(STREAM, forward_for=came_by, transaction_hash="0x1")
    assert callee.take_one()[3] == {"forward_for": came_by, "transaction_hash": "0x1"}
