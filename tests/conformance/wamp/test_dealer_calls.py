"""Calls, clause by clause: payloads in all serializers, ids, identification, order, leaving.

Source: WAMP, Calling and Invocations; Caller and Callee Leaving; Caller Identification; Call
Trust Levels; Ordering Guarantees; Protocol Violations.
"""

import base64

import pytest
from tests.conformance.wamp.dealing import CANCELING, MIXED, Realm

from thingtank.protocols.wamp.calls import CallPolicy, DealerBounds
from thingtank.protocols.wamp.serializers import SERIALIZERS

pytestmark = pytest.mark.over_wires

ADD = "com.example.add2"
mixed = pytest.mark.parametrize(("caller_name", "callee_name"), MIXED)


def connected(caller="json", callee="json", features=None, **options):
    realm = Realm()
    callee_client, caller_client = realm.join(callee, features), realm.join(caller)
    callee_client.register(ADD, **options)
    return realm, caller_client, callee_client


PAYLOADS = [
    [],
    [[1, "two", None, True, 2.5, {"three": [4]}]],
    [[], {"x": 1}],
    [[1], {"x": "ü€😀"}],
]


@mixed
@pytest.mark.parametrize("payload", PAYLOADS)
def test_call_and_result_carry_payloads(caller_name, callee_name, payload):
    _, caller, callee = connected(caller_name, callee_name)
    call_id = caller.call(ADD, *payload)
    assert callee.take() == [[68, 1, 1, {}, *payload]]
    callee.give(1, *payload)
    assert caller.take() == [[50, call_id, {}, *payload]]


@mixed
@pytest.mark.parametrize("payload", PAYLOADS)
def test_error_carries_uri_payload_and_details(caller_name, callee_name, payload):
    _, caller, callee = connected(caller_name, callee_name)
    call_id = caller.call(ADD)
    callee.fail(callee.take_invocation(), "com.example.error", *payload, message="no")
    assert caller.take() == [[8, 48, call_id, {"message": "no"}, "com.example.error", *payload]]


@pytest.mark.parametrize("empty", [[[]], [[], {}]])
def test_empty_payloads_are_left_out(empty):
    _, caller, callee = connected()
    caller.call(ADD, *empty)
    assert callee.take() == [[68, 1, 1, {}]]


def test_byte_strings_cross_serializers():
    _, caller, callee = connected("json", "cbor")
    text = "\0" + base64.b64encode(b"\x01\xff").decode()
    call_id = caller.call(ADD, [text])
    assert callee.take_one()[4] == [b"\x01\xff"]
    callee.give(1, [b"\x02"])
    assert caller.take() == [[50, call_id, {}, ["\0" + base64.b64encode(b"\x02").decode()]]]


@pytest.mark.parametrize("name", SERIALIZERS)
def test_nobody_registered(name):
    caller = Realm().join(name)
    call_id = caller.call("com.example.nothing")
    assert caller.take_error(48, call_id) == "wamp.error.no_such_procedure"


@pytest.mark.parametrize("procedure", ["", "com..x", "com.x.", "com x", "com.#"])
def test_malformed_procedure(procedure):
    caller = Realm().join()
    call_id = caller.call(procedure)
    assert caller.take_error(48, call_id) == "wamp.error.invalid_uri"


def test_session_may_call_its_own_procedure():
    client = Realm().join()
    client.register(ADD)
    call_id = client.call(ADD, [1])
    client.give(client.take_invocation(), [2])
    assert client.take() == [[50, call_id, {}, [2]]]


def test_trap_invocations_are_numbered_by_callee_session():
    realm = Realm()
    callees = [realm.join(name) for name in SERIALIZERS]
    caller = realm.join()
    for place, callee in enumerate(callees):
        callee.register(f"{ADD}.{place}")
    for number in (1, 2, 3):
        for place, callee in enumerate(callees):
            caller.call(f"{ADD}.{place}")
            assert callee.take_invocation() == number


def test_ids_are_not_used_up_by_calls_that_a_callee_cannot_be_given():
    _, caller, callee = connected("cbor", "json")
    caller.call(ADD, [{(1, 2): 3}])
    caller.take()
    caller.call(ADD)
    assert callee.take_invocation() == 1


# Protocol Violations: ids that were never issued, and those that were.


@pytest.mark.parametrize("answer", ["give", "fail"])
def test_answer_to_an_invocation_never_issued_is_a_violation(answer):
    realm, caller, callee = connected()
    error = ["com.example.error"] if answer == "fail" else []
    other = realm.join()
    with other.violating():
        getattr(other, answer)(1, *error)
    caller.call(ADD)
    assert callee.take_invocation() == 1
    with caller.violating():
        getattr(caller, answer)(1, *error)
    with callee.violating():
        getattr(callee, answer)(2, *error)


@pytest.mark.parametrize("answer", ["give", "fail"])
@pytest.mark.parametrize("ending", ["give", "fail", "cancel", "timeout", "caller leaves"])
def test_trap_answer_to_an_ended_invocation_is_dropped(answer, ending):
    realm, caller, callee = connected()
    call_id = caller.call(ADD, timeout=100)
    invocation_id = callee.take_invocation()
    if ending == "give":
        callee.give(invocation_id)
    elif ending == "fail":
        callee.fail(invocation_id, "com.example.error")
    elif ending == "cancel":
        caller.cancel(call_id)
    elif ending == "timeout":
        realm.wait_ms(100)
    else:
        caller.leave()
    caller.take()
    callee.take()
    getattr(callee, answer)(invocation_id, *(["com.example.late"] if answer == "fail" else []))
    assert caller.take() == []
    assert callee.take() == []


@pytest.mark.parametrize("request_type", [16, 32, 34, 48, 64, 66])
def test_error_of_a_client_about_anything_but_an_invocation_is_a_violation(request_type):
    _, caller, callee = connected()
    caller.call(ADD)
    with callee.violating():
        callee.send(8, request_type, 1, {}, "com.example.error")


def test_id_of_a_pending_call_is_a_violation():
    _, caller, callee = connected()
    caller.call(ADD)
    callee.take_invocation()
    with caller.violating():
        caller.send(48, 1, {}, ADD)


# Answers that cannot be passed on: the caller never waits for ever.

HUGE = [["x" * 5000]]


@pytest.mark.parametrize(
    ("caller_name", "callee_name", "value"),
    [("cbor", "json", {(1, 2): 3}), ("cbor", "msgpack", 2**70)],
)
def test_unconvertible_call_is_an_error(caller_name, callee_name, value):
    _, caller, callee = connected(caller_name, callee_name)
    call_id = caller.call(ADD, [value])
    assert caller.take_error(48, call_id) == "wamp.error.invalid_payload"
    assert callee.take() == []


@pytest.mark.parametrize("progress", [False, True])
def test_unconvertible_result_ends_the_call_with_an_error(progress):
    _, caller, callee = connected("json", "cbor")
    call_id = caller.call(ADD, receive_progress=True)
    callee.give(callee.take_invocation(), [{(1, 2): 3}], progress=progress)
    assert caller.take_error(48, call_id) == "wamp.error.invalid_payload"
    assert callee.take() == ([[69, 1, {"mode": "killnowait"}]] if progress else [])
    callee.give(1)
    assert caller.take() == []


def test_unconvertible_error_loses_its_payload():
    _, caller, callee = connected("json", "cbor")
    call_id = caller.call(ADD)
    callee.fail(callee.take_invocation(), "com.example.error", [{(1, 2): 3}])
    message = caller.take_one()
    assert message[:3] == [8, 48, call_id]
    assert message[4:] == ["com.example.error"]


@pytest.mark.in_memory
def test_call_too_long_for_the_callee_is_an_error():
    realm = Realm()
    callee, caller = realm.join(bytes_max=1024), realm.join()
    callee.register(ADD)
    call_id = caller.call(ADD, *HUGE)
    assert caller.take_error(48, call_id) == "wamp.error.payload_size_exceeded"
    caller.call(ADD)
    assert callee.take_invocation() == 1


@pytest.mark.in_memory
@pytest.mark.parametrize("progress", [False, True])
def test_result_too_long_for_the_caller_ends_the_call_with_an_error(progress):
    realm = Realm()
    callee, caller = realm.join(), realm.join(bytes_max=1024)
    callee.register(ADD)
    call_id = caller.call(ADD, receive_progress=True)
    callee.give(callee.take_invocation(), *HUGE, progress=progress)
    assert caller.take_error(48, call_id) == "wamp.error.payload_size_exceeded"
    assert callee.take() == ([[69, 1, {"mode": "killnowait"}]] if progress else [])


def test_error_too_long_for_the_caller_loses_its_payload():
    realm = Realm()
    callee, caller = realm.join(), realm.join(bytes_max=1024)
    callee.register(ADD)
    call_id = caller.call(ADD)
    callee.fail(callee.take_invocation(), "com.example.error", *HUGE)
    assert caller.take_error(48, call_id) == "com.example.error"


@pytest.mark.in_memory
def test_error_whose_uri_alone_is_too_long_is_told_as_such():
    realm = Realm()
    callee, caller = realm.join(), realm.join(bytes_max=512)
    callee.register(ADD)
    call_id = caller.call(ADD)
    callee.fail(callee.take_invocation(), "com." + "x" * 1000)
    assert caller.take_error(48, call_id) == "wamp.error.payload_size_exceeded"


@pytest.mark.parametrize("uri", ["", "com..x", "com x"])
def test_malformed_error_uri_is_not_passed_on(uri):
    _, caller, callee = connected()
    call_id = caller.call(ADD)
    callee.fail(callee.take_invocation(), uri, ["kept"])
    message = caller.take_one()
    assert message[:3] == [8, 48, call_id]
    assert message[4:] == ["wamp.error.invalid_uri", ["kept"]]


# Leaving


@pytest.mark.parametrize("name", SERIALIZERS)
def test_caller_leaving_interrupts_callees_that_can_cancel(name):
    realm = Realm()
    able, unable, caller = realm.join(name, CANCELING), realm.join(name, {}), realm.join()
    able.register("com.example.able")
    unable.register("com.example.unable")
    caller.call("com.example.able")
    caller.call("com.example.unable")
    able.take()
    unable.take()
    caller.leave()
    assert able.take() == [[69, 1, {"mode": "killnowait"}]]
    assert unable.take() == []


def test_callee_leaving_ends_its_calls_as_canceled():
    realm, caller, callee = connected("cbor", "json")
    other = realm.join()
    ids = [caller.call(ADD), caller.call(ADD)]
    other_id = other.call(ADD)
    callee.leave()
    assert [message[:3] for message in caller.take()] == [[8, 48, each] for each in ids]
    assert other.take_error(48, other_id) == "wamp.error.canceled"
    assert callee.take() == []


def test_session_that_leaves_is_sent_nothing_for_calls_to_itself():
    realm = Realm()
    client = realm.join()
    client.register(ADD)
    client.call(ADD)
    client.leave()
    assert client.take() == []


@pytest.mark.in_memory
def test_leaving_twice_or_without_having_done_anything_is_nothing():
    realm = Realm()
    client = realm.join()
    client.leave()
    client.register(ADD)
    client.leave()
    client.leave()
    assert [event.topic for event in realm.heard].count("wamp.registration.on_delete") == 1


@pytest.mark.in_memory
def test_what_the_realm_hears_of_a_leaving_callee_comes_after_its_calls_ended():
    realm, caller, callee = connected()
    caller.call(ADD)
    heard_with = []
    realm.on_meta = lambda event: heard_with.append(len(caller.peer.received))
    callee.leave()
    assert heard_with == [1, 1]


# Caller Identification; Call Trust Levels


@pytest.mark.parametrize(
    ("asks", "registration_asks", "disclosure", "is_told"),
    [
        (False, False, "asked", False),
        (True, False, "asked", True),
        (False, True, "asked", True),
        (False, False, "always", True),
        (False, True, "never", False),
    ],
)
def test_caller_identification(asks, registration_asks, disclosure, is_told):
    _, caller, callee = connected("msgpack", "json", disclose_caller=registration_asks)
    caller.call(ADD, policy=CallPolicy(disclosure), disclose_me=asks)
    identification = {
        "caller": caller.id,
        "caller_authid": caller.authid,
        "caller_authrole": "device",
    }
    assert callee.take() == [[68, 1, 1, identification if is_told else {}]]


def test_disclosure_that_is_asked_for_and_denied_is_an_error():
    _, caller, callee = connected()
    call_id = caller.call(ADD, policy=CallPolicy("never"), disclose_me=True)
    assert caller.take_error(48, call_id) == "wamp.error.option_disallowed.disclose_me"
    assert callee.take() == []


@pytest.mark.parametrize("trustlevel", [0, 3])
def test_trust_level_is_told(trustlevel):
    _, caller, callee = connected()
    caller.call(ADD, policy=CallPolicy(trustlevel=trustlevel))
    assert callee.take_one()[3] == {"trustlevel": trustlevel}


# Ordering Guarantees


@mixed
def test_invocations_of_one_caller_to_one_callee_keep_their_order_over_procedures(
    caller_name, callee_name
):
    realm = Realm()
    callee, caller = realm.join(callee_name), realm.join(caller_name)
    callee.register("com.example.a")
    callee.register("com.example.b", match="prefix")
    callee.register("com..c", match="wildcard")
    procedures = ["com.example.a", "com.example.b", "com.x.c"] * 5
    for number, procedure in enumerate(procedures):
        caller.call(procedure, [number])
    messages = callee.take()
    assert [message[4] for message in messages] == [[number] for number in range(15)]
    assert [message[1] for message in messages] == list(range(1, 16))


@pytest.mark.in_memory
def test_registered_precedes_invocations():
    realm = Realm()
    callee, caller = realm.join(), realm.join()
    # Somebody calls as soon as the realm hears of it.
    realm.on_meta = lambda event: event.topic.endswith("on_register") and caller.call(ADD)
    callee.send(64, 1, {}, ADD)
    assert [message[0] for message in callee.take()] == [65, 68]


# Bounds


def test_pending_calls_of_a_session_are_bounded():
    realm = Realm(DealerBounds(calls_per_caller_max=2))
    callee, caller, other = realm.join(), realm.join(), realm.join()
    callee.register(ADD)
    caller.call(ADD)
    caller.call(ADD)
    call_id = caller.call(ADD)
    assert caller.take_error(48, call_id) == "tank.error.limit_reached"
    other.call(ADD)
    callee.give(1)
    caller.take()
    caller.call(ADD)
    assert caller.take() == []


def test_pending_calls_of_a_realm_are_bounded():
    realm = Realm(DealerBounds(calls_max=2))
    callee, caller, other = realm.join(), realm.join(), realm.join()
    callee.register(ADD)
    caller.call(ADD)
    other.call(ADD)
    call_id = other.call(ADD)
    assert other.take_error(48, call_id) == "tank.error.limit_reached"
    caller.leave()
    other.call(ADD)
    assert other.take() == []


# Unread bytes: with one serializer on both ends, a payload arrives as it was written.

ODD = {
    "json": b'[48,1,{},"com.example.add2",[ 1.50 , "\\u0041" ]]',
    "msgpack": b"\x95\x30\x01\x80\xb0com.example.add2\x91\xcd\x00\x01",
    "cbor": b"\x85\x18\x30\x01\xa0\x70com.example.add2\x9f\x19\x00\x01\xff",
}


@pytest.mark.in_memory
@pytest.mark.parametrize("name", SERIALIZERS)
def test_payload_bytes_are_copied_between_equal_serializers(name):
    realm, caller, callee = connected(name, name)
    realm.dealer.call(caller.peer, SERIALIZERS[name].decode(ODD[name]))
    (data,) = callee.peer.received
    odd = {"json": b'[ 1.50 , "\\u0041" ]', "msgpack": b"\xcd\0\1", "cbor": b"\x9f\x19\0\1\xff"}
    assert odd[name] in data
