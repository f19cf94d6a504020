"""The Registration Meta API. Source: WAMP, Registration Meta API."""

import pytest
from tests.conformance.wamp.realms import NAMES, PLAIN, World

pytestmark = pytest.mark.over_wires

EVENTS = ("on_create", "on_register", "on_unregister", "on_delete")


def listening(name="json", **options):
    world = World(**options)
    listener = world.join(name)
    topics = {listener.subscribe(f"wamp.registration.{each}"): each for each in EVENTS}
    return world, lambda: [(topics[each], args) for each, args in listener.events()]


@pytest.mark.parametrize("name", NAMES)
def test_events_and_their_order(name):
    world, heard = listening(name)
    first, second = world.join(), world.join()
    registration_id = first.register("a.b", invoke="roundrobin")
    second.register("a.b", invoke="roundrobin")
    details = {
        "id": registration_id,
        "created": "2023-11-14T22:13:20.123Z",
        "uri": "a.b",
        "match": "exact",
        "invoke": "roundrobin",
    }
    assert heard() == [
        ("on_create", [first.id, details]),
        ("on_register", [first.id, registration_id]),
        ("on_register", [second.id, registration_id]),
    ]
    first.ask(66, registration_id)
    second.session.lose()
    assert heard() == [
        ("on_unregister", [first.id, registration_id]),
        ("on_unregister", [second.id, registration_id]),
        ("on_delete", [second.id, registration_id]),
    ]


@pytest.mark.parametrize("name", NAMES)
def test_questions(name):
    world = World()
    callee, other, asker = world.join(), world.join(), world.join(name)
    exact = callee.register("a.b", invoke="first")
    other.register("a.b", invoke="first")
    prefix = callee.register("a.", match="prefix")
    wildcard = other.register("c..d", match="wildcard")
    details = asker.call("wamp.registration.get", prefix)
    assert (details["id"], details["match"], details["invoke"]) == (prefix, "prefix", "single")
    for procedure, args, expected in [
        ("list", [], {"exact": [exact], "prefix": [prefix], "wildcard": [wildcard]}),
        ("lookup", ["a.b"], exact),
        ("lookup", ["a.b", {}], exact),
        ("lookup", ["a.b", {"match": "exact"}], exact),
        ("lookup", ["a.b", {"match": "prefix"}], None),
        ("lookup", ["a.", {"match": "prefix"}], prefix),
        ("lookup", ["a.c"], None),  # identity, unlike match
        ("lookup", ["c..d", {"match": "wildcard"}], wildcard),
        ("lookup", ["wamp.session.count"], None),  # the router's own have no ids
        ("match", ["a.b"], exact),
        ("match", ["a.c"], prefix),
        ("match", ["c.x.d"], wildcard),
        ("match", ["nothing"], None),
        ("match", ["wamp.session.count"], None),
        ("list_callees", [exact], [callee.id, other.id]),
        ("count_callees", [exact], 2),
        ("list_callees", [wildcard], [other.id]),
        ("get", [99], "no_such_registration"),
        ("list_callees", [99], "no_such_registration"),
        ("count_callees", [99], "no_such_registration"),
        ("get", ["x"], "invalid_argument"),
        ("get", [], "invalid_argument"),
        ("lookup", [], "invalid_argument"),
        ("lookup", ["a.b", {"match": "x"}], "invalid_argument"),
        ("lookup", ["a.b", {"match": []}], "invalid_argument"),
        ("lookup", ["a.b", "prefix"], "invalid_argument"),
        ("match", [1], "invalid_argument"),
    ]:
        assert asker.call(f"wamp.registration.{procedure}", *args) == expected, (procedure, args)


@pytest.mark.parametrize("name", NAMES)
def test_remove_callee(name):
    world, heard = listening()
    callee, other, admin = world.join(name), world.join(features=PLAIN), world.join()
    registration_id = callee.register("a.b", invoke="last")
    other.register("a.b", invoke="last")
    heard()
    for args, error in [
        ([99, callee.id], "no_such_registration"),
        ([registration_id, 99], "no_such_session"),
        ([registration_id, admin.id], "no_such_registration"),
        ([registration_id], "invalid_argument"),
        ([registration_id, callee.id, "a..b"], "invalid_uri"),
    ]:
        assert admin.call("wamp.registration.remove_callee", *args) == error
    remove = "wamp.registration.remove_callee"
    assert admin.call(remove, registration_id, callee.id, "a.reason") == "nothing"
    revoked = {"registration": registration_id, "reason": "a.reason"}
    assert callee.take() == [[67, 0, revoked]]
    assert admin.call(remove, registration_id, other.id) == "nothing"
    assert other.take() == []  # it did not announce that it knows what this means
    assert heard() == [
        ("on_unregister", [callee.id, registration_id]),
        ("on_unregister", [other.id, registration_id]),
        ("on_delete", [other.id, registration_id]),
    ]
