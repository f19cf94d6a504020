"""Registrations: clause by clause, shared ones, patterns, revocation, and what the realm hears.

Source: WAMP, Registering and Unregistering; Pattern-based Registrations; Shared Registration;
Registration Revocation; Registration Meta API.
"""

import pytest
from tests.conformance.wamp.dealing import AT_US, EVERYTHING, Realm

from thingtank.protocols.wamp.calls import DealerBounds
from thingtank.protocols.wamp.meta_events import MetaEvent
from thingtank.protocols.wamp.registrations import NoSuchRegistration
from thingtank.protocols.wamp.serializers import SERIALIZERS

pytestmark = pytest.mark.over_wires

TAKEN = "wamp.error.procedure_already_exists"
ADD = "com.example.add2"


@pytest.fixture(params=SERIALIZERS)
def serializer(request):
    return request.param


def test_registered_answers_with_an_id(serializer):
    callee = Realm().join(serializer)
    callee.send(64, 1, {}, ADD)
    assert callee.take() == [[65, 1, 1]]


def test_taken_procedure_is_refused(serializer):
    realm = Realm()
    realm.join().register(ADD)
    assert realm.join(serializer).fail_to_register(ADD) == TAKEN


@pytest.mark.parametrize("invoke", ["single", "first", "last", "roundrobin", "random"])
def test_trap_same_session_registering_again_is_refused_shared_or_not(invoke):
    callee = Realm().join()
    callee.register(ADD, invoke=invoke)
    assert callee.fail_to_register(ADD, invoke=invoke) == TAKEN


def test_same_uri_under_another_match_is_another_registration():
    callee = Realm().join()
    ids = {callee.register(ADD, match=match) for match in ("exact", "prefix", "wildcard")}
    assert len(ids) == 3


@pytest.mark.parametrize(
    ("first", "second", "is_taken"),
    [
        ("single", "single", True),
        ("single", "roundrobin", True),
        ("roundrobin", "single", True),
        ("roundrobin", "random", True),
        ("first", "last", True),
        ("first", "first", False),
        ("last", "last", False),
        ("roundrobin", "roundrobin", False),
        ("random", "random", False),
    ],
)
def test_first_registrant_fixes_the_policy(first, second, is_taken):
    realm = Realm()
    registration_id = realm.join().register(ADD, invoke=first)
    other = realm.join("cbor")
    if is_taken:
        assert other.fail_to_register(ADD, invoke=second) == TAKEN
    else:
        assert other.register(ADD, invoke=second) == registration_id


@pytest.mark.parametrize(
    ("uri", "match"),
    [
        ("com..add", "exact"),
        ("com.a b", "exact"),
        ("", "exact"),
        ("com.a#", "prefix"),
        ("com..", "prefix"),
        ("com. .x", "wildcard"),
        ("wamp.x", "exact"),
        ("wamp", "exact"),
        ("wamp.", "prefix"),
        ("wamp..x", "wildcard"),
    ],
)
def test_malformed_and_reserved_uris_are_refused(uri, match, serializer):
    callee = Realm().join(serializer)
    assert callee.fail_to_register(uri, match=match) == "wamp.error.invalid_uri"


def test_strict_rule_holds_where_it_is_set():
    realm = Realm(is_strict=True)
    assert realm.join().fail_to_register("com.test-add") == "wamp.error.invalid_uri"
    caller = realm.join()
    call_id = caller.call("com.test-add")
    assert caller.take_error(48, call_id) == "wamp.error.invalid_uri"


def test_unregistered_procedure_is_gone(serializer):
    realm = Realm()
    callee, caller = realm.join(serializer), realm.join(serializer)
    request_id = callee.unregister(callee.register(ADD))
    assert callee.take() == [[67, request_id]]
    call_id = caller.call(ADD)
    assert caller.take_error(48, call_id) == "wamp.error.no_such_procedure"


def test_trap_unregister_of_an_unknown_id_is_an_error_and_no_violation(serializer):
    callee = Realm().join(serializer)
    request_id = callee.unregister(77)
    assert callee.take_error(66, request_id) == "wamp.error.no_such_registration"


def test_unregister_of_anothers_registration_is_refused():
    realm = Realm()
    registration_id = realm.join().register(ADD)
    other = realm.join()
    request_id = other.unregister(registration_id)
    assert other.take_error(66, request_id) == "wamp.error.no_such_registration"
    assert realm.dealer.registrations.count_callees(registration_id) == 1


def test_ids_are_not_used_again():
    callee = Realm().join()
    first = callee.register(ADD)
    callee.unregister(first)
    assert callee.register(ADD) != first


def test_registrations_go_with_their_session():
    realm = Realm()
    callee = realm.join()
    callee.register(ADD)
    callee.leave()
    realm.join().register(ADD)
    assert callee.take() == []


def test_registrations_of_a_session_are_bounded():
    callee = Realm(DealerBounds(registrations_per_session_max=2)).join()
    ids = [callee.register(f"com.example.{name}") for name in "ab"]
    assert callee.fail_to_register("com.example.c") == "tank.error.limit_reached"
    callee.unregister(ids[0])
    callee.take()
    callee.register("com.example.c")


# Pattern-based Registrations: which of them a call goes to. `a1.b2.c3` and `a1.b2.c33` are apart
# only by components; matching goes by characters, as elsewhere in the text and in other routers.
CHOICES = {
    "a1.b2.c3.d4.e55": 1,
    "a1.b2.c3.d98.e74": 2,
    "a1.b2.c3.d4.e325": 3,
    "a1.b2.c55.d4.e5": 4,
    "a1.b2.c33.d4.e5": 2,
    "a1.b2.c88.d4.e5.f6.g7": 6,
    "a2.b2.c2.d2.e2": None,
}


@pytest.mark.parametrize("procedure", CHOICES)
def test_pattern_choice_of_the_text(procedure):
    realm = Realm()
    callee = realm.join()
    for uri, match in (
        ("a1.b2.c3.d4.e55", "exact"),
        ("a1.b2.c3", "prefix"),
        ("a1.b2.c3.d4", "prefix"),
        ("a1.b2..d4.e5", "wildcard"),
        ("a1.b2.c33..e5", "wildcard"),
        ("a1.b2..d4.e5..g7", "wildcard"),
        ("a1.b2..d4..f6.g7", "wildcard"),
    ):
        callee.register(uri, match=match)
    assert realm.dealer.registrations.match(procedure) == CHOICES[procedure]
    caller = realm.join()
    call_id = caller.call(procedure)
    if CHOICES[procedure] is None:
        assert caller.take_error(48, call_id) == "wamp.error.no_such_procedure"
    else:
        assert callee.take_one()[2] == CHOICES[procedure]


@pytest.mark.parametrize(("match", "uri"), [("prefix", "com.example"), ("wildcard", "com..add2")])
def test_procedure_is_told_on_patterns(match, uri, serializer):
    realm = Realm()
    callee = realm.join(serializer)
    registration_id = callee.register(uri, match=match)
    realm.join().call(ADD, [1, 2])
    assert callee.take() == [[68, 1, registration_id, {"procedure": ADD}, [1, 2]]]


def test_malformed_procedure_matches_no_pattern():
    realm = Realm()
    realm.join().register("", match="prefix")
    caller = realm.join()
    call_id = caller.call("com..add2")
    assert caller.take_error(48, call_id) == "wamp.error.invalid_uri"


def test_no_fallback_to_a_second_registration():
    realm = Realm()
    best, second, caller = realm.join(), realm.join(), realm.join()
    best.register(ADD)
    second.register("com", match="prefix")
    call_id = caller.call(ADD)
    best.fail(best.take_invocation(), "wamp.error.unavailable")
    assert caller.take_error(48, call_id) == "wamp.error.no_available_callee"
    assert second.take() == []


def called(realm, callees, count):
    """The places of the callees that so many calls go to, each answered at once."""
    caller, places = realm.join(), []
    for _ in range(count):
        caller.call(ADD)
        for place, callee in enumerate(callees):
            for message in callee.take():
                places.append(place)
                callee.give(message[1])
    return places


@pytest.mark.parametrize(
    ("invoke", "choices", "places"),
    [
        ("first", [], [0, 0, 0, 0]),
        ("last", [], [2, 2, 2, 2]),
        ("roundrobin", [], [0, 1, 2, 0]),
        ("random", [2, 0, 0, 1], [2, 0, 0, 1]),
    ],
)
def test_invocation_policy(invoke, choices, places):
    realm = Realm()
    callees = [realm.join(name) for name in SERIALIZERS]
    for callee in callees:
        callee.register(ADD, invoke=invoke)
    realm.choices = list(choices)
    assert called(realm, callees, 4) == places


@pytest.mark.parametrize(("leaver", "places"), [(0, [1, 2, 1]), (1, [2, 0, 2]), (2, [1, 0, 1])])
def test_roundrobin_keeps_its_turns_when_a_callee_leaves(leaver, places):
    realm = Realm()
    callees = [realm.join() for _ in range(3)]
    for callee in callees:
        callee.register(ADD, invoke="roundrobin")
    assert called(realm, callees, 1) == [0]
    callees[leaver].leave()
    assert called(realm, callees, 3) == places


def test_roundrobin_goes_on_with_who_comes_after_a_turn_of_the_only_one():
    realm = Realm()
    callees = [realm.join(), realm.join()]
    callees[0].register(ADD, invoke="roundrobin")
    assert called(realm, callees, 1) == [0]
    callees[1].register(ADD, invoke="roundrobin")
    assert called(realm, callees, 3) == [1, 0, 1]


@pytest.mark.parametrize(
    ("invoke", "places"), [("first", [0, 1]), ("last", [1, 0]), ("roundrobin", [0, 1])]
)
def test_concurrency_passes_busy_callees_over(invoke, places):
    realm = Realm()
    callees = [realm.join(), realm.join()]
    for callee in callees:
        callee.register(ADD, invoke=invoke, concurrency=1)
    caller = realm.join()
    for place in places:
        caller.call(ADD)
        assert callees[place].count_received() == 1
    call_id = caller.call(ADD)
    assert caller.take_error(48, call_id) == "crossbar.error.max_concurrency_reached"
    callees[places[1]].give(callees[places[1]].take_invocation())
    caller.call(ADD)
    callees[places[1]].take_invocation()


@pytest.mark.parametrize("ending", ["give", "fail", "cancel", "leave"])
def test_concurrency_is_freed_however_a_call_ends(ending):
    realm = Realm()
    callee, caller = realm.join(), realm.join()
    callee.register(ADD, concurrency=1)
    call_id = caller.call(ADD)
    invocation_id = callee.take_invocation()
    if ending == "give":
        callee.give(invocation_id)
    elif ending == "fail":
        callee.fail(invocation_id, "com.example.error")
    elif ending == "cancel":
        caller.cancel(call_id)
    else:
        caller.leave()
    callee.take()
    realm.join().call(ADD)
    callee.take_invocation()


@pytest.mark.in_memory
def test_force_reregister_takes_the_registration_from_the_present_callees():
    realm = Realm()
    first, unaware, new = realm.join(), realm.join("cbor", {"callee": set()}), realm.join("msgpack")
    old = first.register(ADD, invoke="roundrobin")
    unaware.register(ADD, invoke="roundrobin")
    realm.heard.clear()
    new_id = new.register(ADD, force_reregister=True)
    (message,) = first.take()
    assert message[:2] == [67, 0]
    assert message[2]["registration"] == old
    assert unaware.take() == []
    assert new_id != old
    assert [(event.topic.rpartition(".")[2], event.args[0]) for event in realm.heard] == [
        ("on_unregister", first.id),
        ("on_unregister", unaware.id),
        ("on_delete", unaware.id),
        ("on_create", new.id),
        ("on_register", new.id),
    ]
    realm.join().call(ADD)
    new.take_invocation()


@pytest.mark.in_memory
@pytest.mark.parametrize(
    ("authid", "is_taken"), [("lamp", True), ("stranger", False)], ids=["its own", "another's"]
)
def test_force_reregister_takes_nothing_from_who_has_said_who_it_is(authid, is_taken):
    realm = Realm()
    first, second = realm.join(), realm.join()
    first.peer.authid, first.peer.is_anonymous = "lamp", False
    second.peer.authid, second.peer.is_anonymous = authid, authid == "stranger"
    first.register(ADD)
    second.send(64, 1, {"force_reregister": True}, ADD)
    (answer,) = second.take()
    if is_taken:
        assert answer[0] == 65
        assert first.take()[0][:2] == [67, 0]
    else:
        assert answer[:5] == [8, 64, 1, {}, "wamp.error.not_authorized"]
        assert first.take() == []
        realm.join().call(ADD)
        first.take_invocation()


def test_force_reregister_of_ones_own_gives_a_new_id():
    callee = Realm().join()
    old = callee.register(ADD)
    callee.send(64, 2, {"force_reregister": True}, ADD)
    revoked, registered = callee.take()
    assert revoked[2]["registration"] == old
    assert registered[:2] == [65, 2]
    assert registered[2] != old


@pytest.mark.parametrize("reason", [None, "com.example.moved"])
def test_revocation_is_told_to_those_who_know_it(reason, serializer):
    realm = Realm()
    callee, caller = realm.join(serializer), realm.join()
    registration_id = callee.register(ADD)
    realm.dealer.revoke(registration_id, callee.id, reason)
    told = {"registration": registration_id, **({"reason": reason} if reason else {})}
    assert callee.take() == [[67, 0, told]]
    call_id = caller.call(ADD)
    assert caller.take_error(48, call_id) == "wamp.error.no_such_procedure"


def test_revocation_is_silent_for_others():
    realm = Realm()
    callee = realm.join("json", {"callee": EVERYTHING["callee"] - {"registration_revocation"}})
    realm.dealer.revoke(callee.register(ADD), callee.id)
    assert callee.take() == []


def test_revocation_of_what_is_not_there_is_an_error():
    realm = Realm()
    registration_id = realm.join().register(ADD)
    with pytest.raises(NoSuchRegistration):
        realm.dealer.revoke(registration_id, 5)
    with pytest.raises(NoSuchRegistration):
        realm.dealer.revoke(99, 1001)


def test_invocations_go_on_when_their_registration_is_taken_away():
    realm = Realm()
    callee, caller = realm.join(), realm.join()
    registration_id = callee.register(ADD)
    call_id = caller.call(ADD)
    invocation_id = callee.take_invocation()
    callee.unregister(registration_id)
    callee.give(invocation_id, [3])
    assert caller.take() == [[50, call_id, {}, [3]]]


@pytest.mark.in_memory
def test_meta_events_come_in_order():
    realm = Realm()
    first, second = realm.join(), realm.join()
    registration_id = first.register(ADD, invoke="last")
    second.register(ADD, invoke="last")
    first.unregister(registration_id)
    second.leave()
    details = {
        "id": registration_id,
        "created": "2023-11-14T22:13:20.123Z",
        "uri": ADD,
        "match": "exact",
        "invoke": "last",
    }
    assert AT_US % 1_000_000 == 123_456
    assert realm.heard == [
        MetaEvent("wamp.registration.on_create", (first.id, details)),
        MetaEvent("wamp.registration.on_register", (first.id, registration_id)),
        MetaEvent("wamp.registration.on_register", (second.id, registration_id)),
        MetaEvent("wamp.registration.on_unregister", (first.id, registration_id)),
        MetaEvent("wamp.registration.on_unregister", (second.id, registration_id)),
        MetaEvent("wamp.registration.on_delete", (second.id, registration_id)),
    ]


def test_meta_questions():
    realm = Realm()
    first, second = realm.join(), realm.join()
    exact = first.register(ADD, invoke="first")
    second.register(ADD, invoke="first")
    prefix = first.register("com.", match="prefix")
    wildcard = first.register("com..add2", match="wildcard")
    asked = realm.dealer.registrations
    assert asked.list_ids() == {"exact": [exact], "prefix": [prefix], "wildcard": [wildcard]}
    assert asked.lookup(ADD) == exact
    assert asked.lookup(ADD, "prefix") is None
    assert asked.lookup("com.", "prefix") == prefix
    assert asked.match("com.other.add2") == prefix
    assert asked.match("org.other") is None
    assert asked.get(exact).details["invoke"] == "first"
    assert asked.list_callees(exact) == [first.id, second.id]
    assert asked.count_callees(exact) == 2
    for question in (asked.get, asked.list_callees, asked.count_callees):
        with pytest.raises(NoSuchRegistration):
            question(99)
