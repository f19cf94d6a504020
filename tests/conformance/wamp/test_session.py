"""A session's life: HELLO, WELCOME, GOODBYE, ABORT, and protocol violations.

Source: WAMP, Session Lifecycle; Protocol Violations.
"""

import pytest
from msgspec.structs import replace
from tests.conformance.wamp.octets import octets
from tests.conformance.wamp.realms import ALL_ROLES, NAMES, PLAIN, World, roles

from thingtank.protocols.wamp.authorization import ALLOWED
from thingtank.protocols.wamp.broker import BROKER_FEATURES
from thingtank.protocols.wamp.dealer import DEALER_FEATURES
from thingtank.protocols.wamp.errors import InvalidUri
from thingtank.protocols.wamp.session import State

over_wires = pytest.mark.over_wires

HELLO = [1, "realm1", {"roles": roles(ALL_ROLES)}]


@over_wires
@pytest.mark.parametrize("name", NAMES)
def test_welcome_says_who_the_client_is_and_what_the_router_can(name):
    client = World().connect(name)
    client.hello(authid="lamp", authrole="device", authextra={"x": 1})
    code, session_id, details = client.take_one()
    assert (code, session_id) == (2, 7001)
    described = details.pop("roles")
    assert details == {
        "agent": "tank",
        "realm": "realm1",
        "authid": "lamp",
        "authrole": "device",
        "authmethod": "test",
        "authprovider": "tests",
        "authextra": {"x": 1},
    }
    # Autobahn takes no roles but these, and no feature that is not a boolean.
    assert set(described) == {"broker", "dealer"}
    broker = {*BROKER_FEATURES, "session_meta_api", "subscription_meta_api"}
    dealer = {*DEALER_FEATURES, "session_meta_api", "registration_meta_api", "testament_meta_api"}
    assert described == {
        "broker": {"features": dict.fromkeys(broker, True)},
        "dealer": {"features": dict.fromkeys(dealer, True)},
    }


def test_session_ids_are_of_all_sessions_and_used_once_at_a_time():
    world = World()
    ids = iter([5, 5, 5, 6, 900, 5])
    world.make_id = lambda: next(ids)
    first, second = world.join(), world.join()
    assert (first.id, second.id) == (5, 6)
    first.send(6, {}, "wamp.close.close_realm")
    assert next(ids) == 900
    assert world.join().id == 5


@over_wires
@pytest.mark.parametrize(
    ("realm", "reason"),
    [
        ("realm2", "wamp.error.no_such_realm"),
        ("", "wamp.error.invalid_uri"),
        ("a..b", "wamp.error.invalid_uri"),
        ("a b", "wamp.error.invalid_uri"),
        ("#", "wamp.error.invalid_uri"),
    ],
)
def test_realms_that_are_not_there_or_malformed(realm, reason):
    client = World().connect()
    client.hello(realm=realm)
    client.assert_aborted(reason)


def test_realm_policy_may_call_a_name_malformed():
    world = World()

    def find(name):
        raise InvalidUri("realms have three characters at least")

    world.reception = replace(world.reception, find_realm=find)
    client = world.connect()
    client.hello(realm="ab")
    client.assert_aborted("wamp.error.invalid_uri")


# -- GOODBYE and ABORT


@over_wires
@pytest.mark.parametrize("name", NAMES)
def test_goodbye_is_echoed_and_the_transport_used_again(name):
    world = World()
    client = world.join(name)
    client.subscribe("a.b")
    client.register("a.c")
    client.send(6, {}, "wamp.close.close_realm")
    assert client.take_one() == [6, {}, "wamp.close.goodbye_and_out"]
    assert not client.is_closed
    assert world.holds_nothing_of(client.id)
    client.hello()
    assert client.take_one()[0] == 2
    client.subscribe("a.b")  # request ids begin at 1 again


@over_wires
def test_router_says_goodbye_and_ignores_all_but_the_echo():
    world = World()
    client = world.join()
    client.register("a.b")
    world.realm.members[client.id].close("wamp.close.killed", "go")
    assert client.take_one() == [6, {"message": "go"}, "wamp.close.killed"]
    assert world.holds_nothing_of(client.id)
    for elements in [[16, 1, {}, "a.b"], [70, 99, {}], HELLO, [48, 5, {}, "x"], [17, 1, 1]]:
        client.send(*elements)
    assert client.take() == []
    assert client.session.state is State.AWAITS_GOODBYE
    client.send(6, {}, "wamp.close.goodbye_and_out")
    assert client.take() == []
    client.hello()
    assert client.take_one()[0] == 2


@over_wires
def test_rubbish_instead_of_an_echo_closes_without_a_word():
    world = World()
    client = world.join()
    client.session.close("wamp.close.killed")
    client.take()
    client.session.receive_data(b"\xff")
    assert client.take() == []
    assert client.is_closed


@over_wires
def test_echo_is_not_waited_for_for_ever():
    world = World()
    client = world.join()
    assert client.session.next_due_us() is None
    client.session.close("wamp.close.killed")
    client.take()
    due_us = client.session.next_due_us()
    assert due_us == world.now_us + 5_000_000
    client.session.take_due(due_us - 1)
    assert not client.is_closed
    client.session.take_due(due_us)
    assert client.is_closed
    assert client.take() == []


@over_wires
def test_hello_is_not_waited_for_for_ever():
    client = World().connect()
    client.session.take_due(client.session.next_due_us())
    client.assert_aborted("wamp.error.timeout")
    assert client.session.next_due_us() is None


@over_wires
def test_system_shutdown_ends_all_sessions_and_lets_nobody_in():
    world = World()
    clients = [world.join(), world.join("cbor")]
    world.realm.close()
    for client in clients:
        assert client.take_one() == [6, {}, "wamp.close.system_shutdown"]
    late = world.connect()
    late.hello()
    late.assert_aborted("wamp.close.system_shutdown")


@over_wires
@pytest.mark.parametrize("is_open", [True, False])
def test_abort_of_a_client_is_never_answered(is_open):
    world = World()
    client = world.join() if is_open else world.connect()
    client.send(3, {"message": "sorry"}, "wamp.error.cannot_authenticate")
    assert client.take() == []
    assert client.is_closed
    assert world.realm.members == {}


@over_wires
def test_lost_transport():
    world = World()
    client = world.join()
    client.subscribe("a.b")
    client.register("a.b")
    client.session.lose()
    assert client.take() == []
    assert world.holds_nothing_of(client.id)
    client.session.lose()
    client.send(*HELLO)
    assert client.take() == []


def test_abort_fits_what_the_client_takes():
    client = World().connect(bytes_max=60)
    client.send(16, 1, {}, "a.b")
    assert client.take_one() == [3, {}, "wamp.error.protocol_violation"]


@pytest.mark.parametrize("name", NAMES)
def test_welcome_for_a_client_that_takes_little_tells_no_features(name):
    client = World().connect(name, bytes_max=512)
    client.hello()
    code, session_id, details = client.take_one()
    assert (code, session_id) == (2, 7001)
    assert details["roles"] == {"broker": {}, "dealer": {}}
    assert (details["realm"], details["authid"]) == ("realm1", "someone")
    client.subscribe("a.b")


def test_welcome_that_the_client_cannot_take():
    client = World().connect(bytes_max=512)
    client.hello(authextra={"x": "y" * 400})
    client.assert_aborted("wamp.error.payload_size_exceeded")


# -- protocol violations

FROM_ROUTERS = [
    [2, 1, {"roles": {"broker": {}}}],
    [4, "ticket", {}],
    [17, 1, 1],
    [33, 1, 1],
    [35, 1],
    [35, 0, {"subscription": 1}],
    [36, 1, 1, {}],
    [50, 1, {}],
    [65, 1, 1],
    [67, 1],
    [68, 1, 1, {}],
    [69, 1, {}],
]
REQUESTS = [
    [8, 68, 1, {}, "a.b"],
    [16, 1, {}, "a.b"],
    [32, 1, {}, "a.b"],
    [34, 1, 1],
    [48, 1, {}, "a.b"],
    [49, 1, {}],
    [64, 1, {}, "a.b"],
    [66, 1, 1],
    [70, 1, {}],
    [337, 1],
]
MALFORMED = [
    [],
    [999],
    ["1"],
    [16],
    [16, 3, {}],
    [16, 3, {}, "a.b", [], {}, 1],
    [16, "1", {}, "a.b"],
    [16, 0, {}, "a.b"],
    [16, 2**53 + 1, {}, "a.b"],
    [16, 3, {"acknowledge": 1}, "a.b"],
    [16, 3, {"eligible": ["a"]}, "a.b"],
    [16, 3, [], "a.b"],
    [16, 3, {}, "a.b", {}],
    [32, 3, {"match": "regex"}, "a.b"],
    [32, 3, {}, "a.b", 1],
    [6, {}],
    [48, True, {}, "a.b"],
]
IN_A_SESSION = {
    "second HELLO": HELLO,
    "AUTHENTICATE when none is pending": [5, "x", {}],
    "ERROR of another type than 68": [8, 48, 1, {}, "a.b"],
    "YIELD that was never asked for": [70, 1, {}],
    "ERROR 68 that was never asked for": [8, 68, 1, {}, "a.b"],
    "progressive invocation unannounced": [48, 3, {"progress": True}, "a.b"],
    "payload passthru unannounced, PUBLISH": [16, 3, {"ppt_scheme": "x_a"}, "a.b", [b""]],
    "payload passthru unannounced, CALL": [48, 3, {"ppt_scheme": "x_a"}, "a.b", [b""]],
}


@over_wires
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "elements",
    [*FROM_ROUTERS, *MALFORMED, *IN_A_SESSION.values()],
    ids=[*map(str, FROM_ROUTERS), *map(str, MALFORMED), *IN_A_SESSION],
)
def test_violation_in_a_session(name, elements):
    if name == "json":
        elements = [each if each != [b""] else ["\0"] for each in elements]
    world = World()
    client = world.join(name, PLAIN)
    client.session.receive_data(octets(name, [32, 1, {}, "seen"]))
    client.session.receive_data(octets(name, [64, 2, {}, "seen"]))
    client.take()
    client.send(*elements)
    client.assert_aborted()
    assert world.holds_nothing_of(client.id)
    client.send(48, 3, {}, "wamp.session.count")
    client.send(*HELLO)
    assert client.take() == []  # nothing further is processed


@over_wires
@pytest.mark.parametrize(
    "elements", [*FROM_ROUTERS, *MALFORMED, *REQUESTS, [5, "", {}], [6, {}, "a.b"]], ids=str
)
def test_anything_but_hello_first(elements):
    client = World().connect()
    client.send(*elements)
    client.assert_aborted()
    client.send(*HELLO)
    assert client.take() == []


@over_wires
@pytest.mark.parametrize(
    "details",
    [{}, {"roles": {}}, {"roles": {"broker": {}}}, {"roles": []}, {"roles": {"caller": 1}}],
    ids=str,
)
def test_hello_without_a_role(details):
    client = World().connect()
    client.send(1, "realm1", details)
    client.assert_aborted()


@over_wires
@pytest.mark.parametrize("data", [b"", b"\xff\xff", b"[1,", b"null", b"\x80"])
@pytest.mark.parametrize("name", NAMES)
def test_undecodable_data(name, data, wire):
    world = World()
    client = world.join(name)
    client.session.receive_data(data)
    if wire.transport in ("websocket", "batched") and name == "json" and not data.isascii():
        assert client.is_closed  # by WebSocket itself: text is UTF-8
        assert (client.take(), client.line.close_code) == ([], 1007)
    else:
        client.assert_aborted()
    assert world.holds_nothing_of(client.id)


@over_wires
def test_violation_inside_a_callees_error():
    world = World()
    callee, caller = world.join(features=PLAIN), world.join()
    callee.register("a.b")
    call_id = caller.ask(48, "a.b")
    callee.take()
    callee.send(8, 68, 1, {"ppt_scheme": "x_a"}, "a.b", [])
    callee.assert_aborted()
    assert caller.take_one()[:5] == [8, 48, call_id, {}, "wamp.error.canceled"]


# -- what is no violation


@over_wires
def test_late_answers_unknown_ids_and_receipts():
    world = World()
    callee, caller = world.join(), world.join()
    callee.register("a.b")
    caller.ask(48, "a.b")
    caller.send(49, 1, {"mode": "skip"})
    caller.take()
    callee.take()
    callee.send(70, 1, {})
    callee.send(8, 68, 1, {}, "a.b")
    callee.send(49, 77, {})
    callee.send(337, 77)
    assert callee.take() == []
    callee.send(34, 2, 77)
    callee.send(66, 3, 77)
    assert [each[4] for each in callee.take()] == [
        "wamp.error.no_such_subscription",
        "wamp.error.no_such_registration",
    ]
    assert not callee.is_closed


@over_wires
@pytest.mark.parametrize(
    ("elements", "answers"),
    [
        ([16, 1, {}, "wamp.a"], []),
        ([16, 1, {"acknowledge": True}, "wamp.a"], [[8, 16, 1, {}, "wamp.error.invalid_uri"]]),
        ([16, 1, {"acknowledge": True}, "a..b"], [[8, 16, 1, {}, "wamp.error.invalid_uri"]]),
        ([16, 1, {}, "a..b"], []),
        ([64, 1, {}, "wamp.a"], [[8, 64, 1, {}, "wamp.error.invalid_uri"]]),
        ([64, 1, {}, "wamp.session.count"], [[8, 64, 1, {}, "wamp.error.invalid_uri"]]),
        ([64, 1, {"match": "prefix"}, "wamp."], [[8, 64, 1, {}, "wamp.error.invalid_uri"]]),
        ([32, 1, {}, "a..b"], [[8, 32, 1, {}, "wamp.error.invalid_uri"]]),
        ([48, 1, {}, "a..b"], [[8, 48, 1, {}, "wamp.error.invalid_uri"]]),
        ([48, 1, {}, "wamp.nothing"], [[8, 48, 1, {}, "wamp.error.no_such_procedure"]]),
        ([32, 1, {}, "wamp.session.on_join"], [[33, 1, 1]]),
        ([16, 1, {"acknowledge": True}, "wampum.a"], [[17, 1, 7002]]),
    ],
    ids=str,
)
@pytest.mark.parametrize("has_authorizer", [False, True])
def test_uris(elements, answers, has_authorizer):
    class Everything:
        def authorize(self, *asked):
            return ALLOWED

    client = World(authorizer=Everything() if has_authorizer else None).join()
    client.send(*elements)
    assert [each[: len(answers[0])] for each in client.take()] == answers


LONG = "a" * 100_000
LONG_WORDS = f"'{LONG[:80]}'… is too long: it has 100000 characters, and may have 1024"
ADD_TESTAMENT = "wamp.session.add_testament"


@pytest.mark.parametrize(
    ("elements", "words"),
    [
        ([16, 1, {"acknowledge": True}, "a..b"], "'a..b' is not a valid URI"),
        ([16, 1, {"acknowledge": True}, "wamp.a"], "'wamp.a' begins with 'wamp', which only the router"
         " uses"),
        ([16, 1, {"acknowledge": True}, LONG], LONG_WORDS),
        ([32, 1, {}, "a b"], "'a b' is not a valid URI"),
        ([32, 1, {"match": "prefix"}, "a b"], "'a b' is not a valid URI for the match 'prefix'"),
        ([32, 1, {}, LONG], LONG_WORDS),
        ([48, 1, {}, "a b"], "'a b' is not a valid URI"),
        ([48, 1, {}, LONG], LONG_WORDS),
        ([48, 1, {}, LONG[:1024]], f"nobody has registered '{LONG[:80]}'…"),
        ([48, 1, {}, ADD_TESTAMENT, ["a..b", [], {}]], "'a..b' is not a valid URI"),
        ([48, 1, {}, ADD_TESTAMENT, ["wamp.a", [], {}]], "'wamp.a' begins with 'wamp', which only the"
         " router uses"),
        ([64, 1, {}, "a b"], "'a b' is not a valid URI"),
        ([64, 1, {}, "wamp.a"], "'wamp.a' begins with 'wamp', which only the router uses"),
        ([64, 1, {}, LONG], LONG_WORDS),
    ],
    ids=lambda value: str(value)[:60],
)  # fmt: skip
def test_uri_that_is_refused_is_told_of_in_few_words(elements, words):
    client = World().join()
    client.send(*elements)
    assert [each[5] for each in client.take()] == [[words]]


@pytest.mark.parametrize(
    ("realm", "words"),
    [
        ("a b", "no realm can have this name: 'a b' is not a valid URI"),
        (LONG, f"no realm can have this name: {LONG_WORDS}"),
        (LONG[:1024], f"no realm '{LONG[:80]}'…"),
    ],
    ids=["malformed", "too long", "not there"],
)
def test_realm_that_is_refused_is_told_of_in_few_words(realm, words):
    client = World().connect()
    client.hello(realm=realm)
    assert [each[1] for each in client.take()] == [{"message": words}]


# -- request ids


@over_wires
@pytest.mark.parametrize("code", [16, 32, 34, 48, 64, 66])
@pytest.mark.parametrize(
    ("request_id", "is_refused"), [(1, True), (2, True), (3, False), (4, True)]
)
def test_sequential_ids(code, request_id, is_refused):
    client = World(request_ids="sequential").join(features=PLAIN)
    client.subscribe("a.b")
    client.subscribe("a.c")
    client.send(code, request_id, *([1] if code in (34, 66) else [{}, "a.d"]))
    assert client.is_closed is is_refused
    if is_refused:
        client.assert_aborted()


@pytest.mark.parametrize("code", [16, 32, 34, 48, 64, 66])
@pytest.mark.parametrize(
    ("request_id", "is_refused"), [(1, True), (2, True), (3, False), (400, False)]
)
def test_increasing_ids(code, request_id, is_refused):
    client = World().join(features=PLAIN)
    client.subscribe("a.b")
    client.subscribe("a.c")
    client.send(code, request_id, *([1] if code in (34, 66) else [{}, "a.d"]))
    assert client.is_closed is is_refused


@over_wires
@pytest.mark.parametrize("code", [32, 48])
def test_one_follows_the_greatest_id(code):
    client = World().join()
    client.send(32, 2**53, {}, "a.b")
    client.send(code, 1, {}, "a.b")
    assert not client.is_closed
    assert client.take()[1][2 if code == 48 else 1] == 1


@over_wires
def test_ids_of_the_first_clients_are_random():
    world = World(request_ids="any")
    client = world.join(features=PLAIN)
    for request_id in (2**53, 17, 3, 2**40):
        client.send(32, request_id, {}, "a.b")
        assert client.take_one() == [33, request_id, 1]
    client.send(48, 5, {}, "wamp.session.count")
    assert client.take_one() == [50, 5, {}, [1]]


@over_wires
def test_cancel_yield_and_error_take_no_ids():
    client = World(request_ids="sequential").join()
    client.register("a.b")
    client.ask(48, "a.b")
    client.send(49, 2, {"mode": "kill"})
    client.send(8, 68, 1, {}, "a.b")
    client.take()
    client.ask(48, "wamp.session.count")
    assert client.take_one() == [50, 3, {}, [1]]


@over_wires
def test_call_with_an_earlier_id_continues_a_call():
    world = World()
    callee, caller = world.join(), world.join()
    callee.register("a.b")
    call_id = caller.ask(48, "a.b", [1], progress=True)
    caller.subscribe("other")
    caller.send(48, call_id, {"progress": True}, "a.b", [2])
    caller.send(48, call_id, {}, "a.b", [3])
    assert [(each[0], each[1], each[4]) for each in callee.take()] == [
        (68, 1, [1]),
        (68, 1, [2]),
        (68, 1, [3]),
    ]
    callee.send(70, 1, {}, ["sum"])
    assert caller.take_one() == [50, call_id, {}, ["sum"]]
    caller.send(48, call_id, {}, "a.b", [4])  # too late, which the caller could not know
    assert caller.take() == []
    assert callee.take() == []


def test_call_with_an_earlier_id_by_a_caller_without_progressive_invocations():
    client = World().join(features=PLAIN)
    client.subscribe("a.b")
    client.send(48, 1, {}, "a.b")
    client.assert_aborted()


# -- the scenario of the specification's own test suite


@over_wires
@pytest.mark.parametrize("receiver", NAMES)
@pytest.mark.parametrize("sender", NAMES)
def test_publisher_is_excluded_unless_it_says_otherwise(sender, receiver):
    world = World()
    publisher, subscriber = world.join(sender), world.join(receiver)
    own, other = publisher.subscribe("com.myapp.topic1"), subscriber.subscribe("com.myapp.topic1")
    assert own == other
    publisher.publish("com.myapp.topic1", ["Hello"], {"n": 1}, acknowledge=True)
    code, request_id, publication_id = publisher.take_one()
    assert (code, request_id) == (17, 2)
    assert subscriber.take() == [[36, other, publication_id, {}, ["Hello"], {"n": 1}]]
    publisher.publish("com.myapp.topic1", ["Hello"], exclude_me=False)
    (event,) = publisher.take()
    assert subscriber.take() == [event]
