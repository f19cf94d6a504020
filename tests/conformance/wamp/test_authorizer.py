"""What sessions may do: permissions of roles, the tank, and procedures that are asked.

Source: WAMP, Authorization; TRAPs: patterns, caching.
"""

import gc
import weakref
from typing import Any

import msgspec
import pytest
from tests.conformance.wamp.realms import REALM, Client, World

from thingtank.doors.wamp.authorization.asking import PENDING_MAX
from thingtank.doors.wamp.authorization.authorizer import RealmAuthorizer
from thingtank.doors.wamp.door import WampDoor
from thingtank.doors.wamp.realm_settings import RealmSettings
from thingtank.doors.wamp.settings import WampSettings
from thingtank.protocols.wamp.authorization import ALLOWED, DENIED, Decision

EVERYTHING = {"call": True, "register": True, "publish": True, "subscribe": True}
ALL = {"uri": "", "match": "prefix", "allow": EVERYTHING}
ASK = "com.example.authorize"
NOT_AUTHORIZED, FAILED = "not_authorized", "authorization_failed"
ACTIONS = {"publish": 16, "subscribe": 32, "call": 48, "register": 64}


class Loop:
    """A loop that only tests move."""

    def __init__(self) -> None:
        self.soon: list[Any] = []
        self.later: list[tuple[float, Any]] = []

    def call_soon(self, call: Any) -> None:
        self.soon.append(call)

    def call_later(self, seconds: float, call: Any) -> Any:
        self.later.append((seconds, call))

    def run(self) -> None:
        for _ in range(10_000):
            if not self.soon:
                return
            self.soon.pop(0)()
        raise AssertionError("never idle")


class Roles(World):
    """A realm whose roles a test describes; clients say which they have."""

    def __init__(self, *roles: dict[str, Any], decide_tank: Any = None) -> None:
        super().__init__()
        self.loop = Loop()
        self.asked_tank: list[tuple[Any, ...]] = []
        described = {"name": REALM, "roles": list(roles)}
        self.settings_of_realm = msgspec.convert(described, RealmSettings)
        self.decide_tank = decide_tank or (lambda *question: DENIED)
        self.authorizer = RealmAuthorizer(
            self.settings_of_realm, self._decide_tank, self.loop, lambda: self.now_us
        )
        self.authorizer.attach(self.realm)

    def _decide_tank(self, peer: Any, action: Any, uri: str, match: Any) -> Decision:
        self.asked_tank.append((peer.session_id, action, uri, match))
        decision: Decision = self.decide_tank(peer, action, uri, match)
        return decision

    def enter(self, role: str) -> Client:
        return self.join(authid="someone", authrole=role)


def request(client: Client, action: str, uri: str, match: str = "exact", **more: Any) -> int:
    options: dict[str, Any] = {**more}
    if action == "publish":
        options["acknowledge"] = True
    if match != "exact":
        options["match"] = match
    return client.ask(ACTIONS[action], uri, **options)


def outcome(client: Client, action: str, uri: str, match: str = "exact", **more: Any) -> str:
    """`allowed`, or the error's URI without `wamp.error.`."""
    return answered(client, request(client, action, uri, match, **more))


def answered(client: Client, request_id: int) -> str:
    answers = [each for each in client.take() if each[0] != 36]
    if not answers:
        return "waits"
    (answer,) = answers
    if answer[0] != 8:
        assert answer[1] == request_id
        return "allowed"
    assert answer[2] == request_id
    error = str(answer[4]).removeprefix("wamp.error.")
    return "allowed" if error in ("no_such_procedure", "procedure_already_exists") else error


def role(*permissions: dict[str, Any], name: str = "sensor", **more: Any) -> dict[str, Any]:
    return {"name": name, "permissions": list(permissions), **more}


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize(
    ("uri", "is_allowed"),
    [
        ("com.app.x", True),
        ("com.app", False),
        ("com.app.secret", False),  # exact before prefix
        ("com.app.sub.x", False),  # longer prefix before shorter
        ("com.app.sub.w.x", False),  # any prefix before any wildcard
        ("org.any.x", True),
        ("org.best.x", False),  # the better wildcard
        ("org.any.y", False),
        ("net.x", False),
    ],
)
def test_best_match_decides(action: str, uri: str, is_allowed: bool) -> None:
    may = {action: True}
    world = Roles(
        role(
            {"uri": "com.app.", "match": "prefix", "allow": may},
            {"uri": "com.app.secret", "allow": {}},
            {"uri": "com.app.sub.", "match": "prefix"},
            {"uri": "com.app.sub..x", "match": "wildcard", "allow": may},
            {"uri": "org..x", "match": "wildcard", "allow": may},
            {"uri": "org.best.", "match": "wildcard"},
        )
    )
    expected = "allowed" if is_allowed else NOT_AUTHORIZED
    for _ in range(3):  # the second and third from memory
        assert outcome(world.enter("sensor"), action, uri) == expected


@pytest.mark.parametrize("action", ACTIONS)
def test_other_actions_of_a_permission_are_not_allowed(action: str) -> None:
    world = Roles(role({"uri": "a.b", "allow": {action: True}}))
    client = world.enter("sensor")
    assert [each for each in ACTIONS if outcome(client, each, "a.b") == "allowed"] == [action]


def test_a_role_that_there_is_not_may_nothing() -> None:
    client = Roles().enter("ghost")
    assert {outcome(client, action, "a.b") for action in ACTIONS} == {NOT_AUTHORIZED}


@pytest.mark.parametrize("name", ["anonymous", "account", "admin", "device", "key"])
def test_usual_roles_may_everything_of_the_users_own(name: str) -> None:
    client = Roles().enter(name)
    assert {outcome(client, action, "com.example.x") for action in ACTIONS} == {"allowed"}
    assert outcome(client, "subscribe", "com.", "prefix") == "allowed"
    assert outcome(client, "register", "com.", "prefix") == "allowed"


def test_denied_publication_without_acknowledge_is_silent() -> None:
    client = Roles(role()).enter("sensor")
    client.publish("a.b")
    assert client.take() == []


SUBSCRIPTIONS = [
    ("com.app.", "prefix", True),
    ("com.app.x.", "prefix", True),
    ("com.app..y", "wildcard", True),
    ("com.", "prefix", False),
    ("com..y", "wildcard", False),
    ("com.app.s", "prefix", False),  # meets com.app.secret
    ("com.app.", "wildcard", False),  # meets it, too
]


@pytest.mark.parametrize("action", ["subscribe", "register"])
@pytest.mark.parametrize(("uri", "match", "is_allowed"), SUBSCRIPTIONS)
def test_pattern_needs_permission_for_all_that_it_matches(
    action: str, uri: str, match: str, is_allowed: bool
) -> None:
    # TRAP: a pattern must not leak topics that the role may not hear exactly.
    rules = [{"uri": "com.app.", "match": "prefix", "allow": {action: True}}]
    if not is_allowed:
        rules.append({"uri": "com.app.secret", "allow": {}})
    client = Roles(role(*rules)).enter("sensor")
    for _ in range(2):
        expected = "allowed" if is_allowed else NOT_AUTHORIZED
        assert outcome(client, action, uri, match) == expected


def test_disclosure_of_a_permission() -> None:
    for disclose, asks, is_told in [
        ({"caller": True, "publisher": True}, False, True),
        ({"caller": "asked", "publisher": "asked"}, True, True),
        ({"caller": "asked", "publisher": "asked"}, False, False),
        ({"caller": False, "publisher": False}, False, False),
    ]:
        world = Roles(role({**ALL, "disclose": disclose}))
        client, other = world.enter("sensor"), world.enter("account")
        other.subscribe("a.b")
        other.register("a.c")
        client.publish("a.b", disclose_me=asks)
        client.ask(48, "a.c", disclose_me=asks)
        event, invocation = other.take()
        assert ("publisher" in event[3], "caller" in invocation[3]) == (is_told, is_told)
    world = Roles(role({**ALL, "disclose": {"caller": False, "publisher": False}}))
    client = world.enter("sensor")
    world.enter("account").register("a.c")
    refusal = "option_disallowed.disclose_me"
    assert outcome(client, "publish", "a.b", disclose_me=True) == refusal
    assert outcome(client, "call", "a.c", disclose_me=True) == refusal


META = [
    ("wamp.session.count", "anonymous", True),
    ("wamp.subscription.get_events", "anonymous", True),
    ("wamp.registration.list", "device", True),
    ("wamp.session.kill", "anonymous", False),
    ("wamp.session.kill_all", "account", False),
    ("wamp.session.kill_by_authrole", "key", False),
    ("wamp.subscription.remove_subscriber", "account", False),
    ("wamp.something.new", "account", False),
    ("wamp.session.kill", "admin", True),
    ("wamp.something.new", "admin", True),
]


@pytest.mark.parametrize(("procedure", "name", "is_allowed"), META)
def test_procedures_of_the_router(procedure: str, name: str, is_allowed: bool) -> None:
    found = outcome(Roles().enter(name), "call", procedure)
    assert (found != NOT_AUTHORIZED) == is_allowed


def test_permission_to_end_sessions_names_wamp() -> None:
    kill = {"uri": "wamp.session.kill", "allow": {"call": True}}
    for rules, is_allowed in [([ALL], False), ([ALL, kill], True), ([kill], True)]:
        world = Roles(role(*rules))
        client, victim = world.enter("sensor"), world.enter("account")
        killed = client.call("wamp.session.kill", victim.id)
        assert (killed == "nothing") == is_allowed
        assert (victim.take() != []) == is_allowed


def test_reserved_names_are_refused_as_what_they_are() -> None:
    client = Roles().enter("account")
    assert outcome(client, "publish", "wamp.x") == "invalid_uri"
    assert outcome(client, "register", "wamp.x") == "invalid_uri"


@pytest.mark.parametrize(
    ("uri", "match"),
    [("", "prefix"), ("wam", "prefix"), ("tan", "prefix"), (".x", "wildcard"), ("tank.", "prefix")],
)
def test_nobody_registers_a_pattern_over_the_routers_or_the_tanks_names(
    uri: str, match: str
) -> None:
    client = Roles().enter("admin")
    assert outcome(client, "register", uri, match) == NOT_AUTHORIZED


def test_the_tanks_own_names() -> None:
    world = Roles(decide_tank=lambda peer, action, uri, match: ALLOWED)
    client = world.enter("anonymous")
    for uri in ("tank", "tank.feeds.7"):
        assert outcome(client, "publish", uri) == NOT_AUTHORIZED
        assert outcome(client, "register", uri) == NOT_AUTHORIZED
    assert world.asked_tank == []
    for _ in range(2):  # each time anew: a key may have ended
        assert outcome(client, "call", "tank.feeds.get") == "allowed"
    assert outcome(client, "subscribe", "tank.feeds.", "prefix") == "allowed"
    assert outcome(client, "subscribe", "tankard") == "allowed"
    assert world.asked_tank == [
        (client.id, "call", "tank.feeds.get", "exact"),
        (client.id, "call", "tank.feeds.get", "exact"),
        (client.id, "subscribe", "tank.feeds.", "prefix"),
    ]
    for says in (DENIED, None):
        world.decide_tank = lambda *question, says=says: says
        assert outcome(client, "call", "tank.feeds.get") == NOT_AUTHORIZED
        assert outcome(client, "subscribe", "tank.x.", "prefix") == NOT_AUTHORIZED


@pytest.mark.parametrize(
    ("uri", "match"),
    [("", "prefix"), ("ta", "prefix"), ("tank", "prefix"), (".feeds.", "wildcard")],
)
def test_pattern_that_reaches_beyond_the_tank_takes_both(uri: str, match: str) -> None:
    for rules, tank_says, expected in [
        ([ALL], ALLOWED, "allowed"),
        ([ALL], DENIED, NOT_AUTHORIZED),
        ([ALL], None, "allowed"),  # it has nothing like that
        ([], ALLOWED, NOT_AUTHORIZED),
    ]:
        world = Roles(role(*rules), decide_tank=lambda *question, says=tank_says: says)
        client = world.enter("sensor")
        assert outcome(client, "subscribe", uri, match) == expected
        assert world.asked_tank == [(client.id, "subscribe", uri, match)]


def asking(**more: Any) -> dict[str, Any]:
    keep = {"uri": "com.example.free", "allow": {"publish": True}}
    forbid = {"uri": "com.example.never.", "match": "prefix"}
    return role(keep, forbid, authorizer=ASK, **more)


class Asked(Roles):
    """A realm with an authorizer that answers as a test says."""

    def __init__(self, answer: Any = True, **more: Any) -> None:
        super().__init__(asking(**more))
        self.answer = answer
        self.questions: list[Any] = []
        self.provider = self.enter("account")
        self.registration_id = self.provider.register(ASK)

    def settle(self) -> None:
        """Let the authorizer answer all that it is asked."""
        for _ in range(10):
            self.loop.run()
            invocations = self.provider.take()
            if not invocations:
                return
            for invocation in invocations:
                assert invocation[0] == 68
                self.questions.append(invocation[4])
                if isinstance(self.answer, str):
                    self.provider.send(8, 68, invocation[1], {}, self.answer)
                elif self.answer is not None:
                    self.provider.send(70, invocation[1], {}, [self.answer])

    def outcome(self, client: Client, action: str, uri: str, match: str = "exact") -> str:
        request_id = request(client, action, uri, match)
        self.settle()
        return answered(client, request_id)


ANSWERS = [
    (True, "allowed"),
    (False, NOT_AUTHORIZED),
    ({"allow": True}, "allowed"),
    ({"allow": True, "disclose": True, "cache": True, "more": 7}, "allowed"),
    ({"allow": False}, NOT_AUTHORIZED),
    ({}, NOT_AUTHORIZED),
    (1, FAILED),
    ([], FAILED),
    ({"allow": "yes"}, FAILED),
    ({"allow": None}, FAILED),
    ("com.example.error", FAILED),
]


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize(("answer", "expected"), ANSWERS)
def test_procedure_that_is_asked(action: str, answer: Any, expected: str) -> None:
    world = Asked(answer)
    client = world.enter("sensor")
    assert world.outcome(client, action, "com.example.x") == expected
    ((session, uri, asked_action, options),) = world.questions
    assert (session["session"], session["authrole"]) == (client.id, "sensor")
    assert (uri, asked_action, options) == ("com.example.x", action, {"match": "exact"})


def test_what_permissions_decide_is_not_asked_about() -> None:
    world = Asked()
    client = world.enter("sensor")
    assert outcome(client, "publish", "com.example.free") == "allowed"
    assert outcome(client, "subscribe", "com.example.free") == NOT_AUTHORIZED
    assert outcome(client, "publish", "com.example.never.x") == NOT_AUTHORIZED
    assert outcome(client, "subscribe", "com.example.", "prefix") == NOT_AUTHORIZED
    assert world.outcome(client, "subscribe", "org.", "prefix") == "allowed"
    assert [each[1:] for each in world.questions] == [["org.", "subscribe", {"match": "prefix"}]]


def test_answer_that_discloses() -> None:
    world = Asked({"allow": True, "disclose": True})
    client, other = world.enter("sensor"), world.enter("account")
    other.subscribe("a.b")
    assert world.outcome(client, "publish", "a.b") == "allowed"
    assert other.take_one()[3]["publisher"] == client.id


def test_nobody_carries_the_authorizer_out() -> None:
    world = Roles(asking())
    client = world.enter("sensor")
    client.ask(32, "a.b")
    world.loop.run()
    assert client.take_one()[4] == "wamp.error.authorization_failed"


def test_answer_that_takes_too_long() -> None:
    world = Asked(None, authorizer_s_max=2)
    client = world.enter("sensor")
    request_id = client.ask(32, "a.b")
    world.settle()
    world.now_us += 1_999_000
    world.realm.dealer.take_due(world.now_us)
    world.loop.run()
    assert answered(client, request_id) == "waits"
    world.now_us += 1_000
    world.realm.dealer.take_due(world.now_us)
    world.loop.run()
    assert answered(client, request_id) == FAILED
    assert [each[0] for each in world.provider.take()] == [69]  # INTERRUPT
    assert len(world.authorizer._asking) == 0  # type: ignore[arg-type] # it is attached


@pytest.mark.parametrize("authorizer_s_max", [0.5, 5.0, 60.0])
def test_door_waits_for_as_long_as_its_realms_let_an_authorizer_take(
    authorizer_s_max: float,
) -> None:
    world = Asked(None, authorizer_s_max=authorizer_s_max)
    settings = WampSettings(realms=(RealmSettings("com.example.other"), world.settings_of_realm))
    authenticator = world.reception.authenticator
    world.reception = WampDoor(
        settings, world.realms, authenticator, lambda: world.now_us, "tests"
    ).reception
    client = world.enter("sensor")
    request_id = client.ask(32, "a.b")
    world.settle()
    world.now_us += round(authorizer_s_max * 1_000_000)
    client.session.take_due(world.now_us)
    assert answered(client, request_id) == "waits"
    world.realm.dealer.take_due(world.now_us)
    world.loop.run()
    assert answered(client, request_id) == FAILED
    assert client.session.next_due_us() is None


def test_answers_are_remembered_for_the_session() -> None:
    # TRAP: an authorizer that is asked each time doubles the traffic.
    world = Asked()
    client, other = world.enter("sensor"), world.enter("sensor")
    for _ in range(5):
        assert world.outcome(client, "publish", "a.b") == "allowed"
    assert len(world.questions) == 1
    world.outcome(client, "call", "a.b")
    world.outcome(client, "publish", "a.c")
    world.outcome(other, "publish", "a.b")
    assert len(world.questions) == 4


@pytest.mark.parametrize(
    "answer", [{"allow": True, "cache": False}, {"allow": False, "cache": False}]
)
def test_answers_that_are_not_to_be_remembered(answer: Any) -> None:
    world = Asked(answer)
    client = world.enter("sensor")
    for _ in range(3):
        world.outcome(client, "publish", "a.b")
    assert len(world.questions) == 3


def test_no_answer_is_remembered_where_settings_say_so() -> None:
    world = Asked(authorizer_cache_s=0)
    client = world.enter("sensor")
    for _ in range(3):
        world.outcome(client, "publish", "a.b")
    assert len(world.questions) == 3


def test_failures_are_not_remembered() -> None:
    world = Asked("com.example.error")
    client = world.enter("sensor")
    assert world.outcome(client, "publish", "a.b") == FAILED
    world.answer = True
    assert world.outcome(client, "publish", "a.b") == "allowed"


def test_answers_expire_each_in_its_time() -> None:
    world = Asked(authorizer_cache_s=7)
    client = world.enter("sensor")
    world.outcome(client, "publish", "a.b")
    world.now_us += 4_000_000
    world.outcome(client, "publish", "a.c")
    world.answer = False
    world.now_us += 2_999_999
    assert world.outcome(client, "publish", "a.b") == "allowed"
    world.now_us += 1
    assert world.outcome(client, "publish", "a.b") == NOT_AUTHORIZED
    assert world.outcome(client, "publish", "a.c") == "allowed"
    world.now_us += 4_000_000
    assert world.outcome(client, "publish", "a.c") == NOT_AUTHORIZED


def test_sessions_that_have_asked_and_gone_leave_nothing() -> None:
    world = Asked(authorizer_cache_s=86_400)
    members = []
    for _ in range(20):
        client = world.enter("sensor")
        world.outcome(client, "publish", "a.b")
        outcome(client, "publish", "com.example.free")
        members.append(weakref.ref(world.realm.members[client.id]))
        client.session.lose()
        world.loop.run()
    assert (set(world.authorizer._kept), world.authorizer._answers) == ({world.provider.id}, {})
    assert world.loop.later == []
    del client
    gc.collect()
    assert [member() for member in members] == [None] * 20


def test_what_permissions_say_outlasts_who_carries_the_authorizer_out() -> None:
    world = Asked()
    client = world.enter("sensor")
    assert outcome(client, "publish", "com.example.free") == "allowed"
    world.provider.ask(66, world.registration_id)
    assert outcome(client, "publish", "com.example.free") == "allowed"
    assert outcome(client, "publish", "com.example.never.x") == NOT_AUTHORIZED


@pytest.mark.parametrize("how", ["unregister", "leave", "join"])
def test_answers_are_forgotten_when_somebody_else_carries_the_authorizer_out(how: str) -> None:
    world = Roles(asking())
    provider = world.enter("account")
    registration_id = provider.register(ASK, invoke="last")
    client = world.enter("sensor")
    request_id = client.ask(32, "a.b")
    world.loop.run()
    provider.send(70, provider.take_one()[1], {}, [True])
    world.loop.run()
    assert answered(client, request_id) == "allowed"
    assert outcome(client, "subscribe", "a.b") == "allowed"
    if how == "unregister":
        provider.ask(66, registration_id)
    elif how == "leave":
        provider.session.lose()
    else:
        world.enter("account").register(ASK, invoke="last")
    client.ask(32, "a.b")
    assert client.take() == []  # asked anew


def test_answer_that_was_given_before_that_is_not_remembered() -> None:
    world = Asked(None)
    client = world.enter("sensor")
    client.ask(32, "a.b")
    world.loop.run()
    invocation = world.provider.take_one()
    world.provider.send(70, invocation[1], {}, [True])
    world.provider.ask(66, world.registration_id)
    world.loop.run()
    assert [each[0] for each in client.take()] == [33]
    client.ask(32, "a.b")
    assert client.take() == []


@pytest.mark.parametrize("action", ACTIONS)
def test_the_dealer_is_not_called_back_while_it_brings_the_answer(action: str) -> None:
    world = Asked(None)
    client = world.enter("sensor")
    request_id = request(client, action, "a.b")
    assert world.provider.take() == []  # asked in the loop's next turn
    world.loop.run()
    world.provider.send(70, world.provider.take_one()[1], {}, [True])
    assert client.take() == []
    world.loop.run()
    assert answered(client, request_id) == "allowed"


def test_session_that_ends_when_its_answer_is_there_already() -> None:
    world = Asked(None)
    client = world.enter("sensor")
    client.ask(32, "a.b")
    world.loop.run()
    world.provider.send(70, world.provider.take_one()[1], {}, [True])
    client.session.lose()
    world.loop.run()
    assert client.id not in world.authorizer._answers
    assert world.holds_nothing_of(client.id)


def test_other_registrations_change_nothing() -> None:
    world = Asked()
    client = world.enter("sensor")
    world.outcome(client, "subscribe", "a.b")
    world.enter("account").register("com.example.other")
    assert outcome(client, "subscribe", "a.b") == "allowed"


def test_who_carries_the_authorizer_out_does_not_wait_for_itself() -> None:
    world = Roles(
        role(
            {"uri": ASK, "allow": {"register": True}},
            {"uri": "a.b", "allow": {"publish": True}},
            authorizer=ASK,
        )
    )
    provider = world.enter("sensor")
    provider.register(ASK)
    assert outcome(provider, "publish", "a.b") == "allowed"
    assert outcome(provider, "publish", "a.c") == FAILED
    assert outcome(provider, "subscribe", "a.", "prefix") == NOT_AUTHORIZED
    assert world.loop.soon == []


def test_authorizers_do_not_wait_for_one_another() -> None:
    register = {"uri": "com.example.", "match": "prefix", "allow": {"register": True}}
    world = Roles(
        role(register, name="one", authorizer="com.example.two"),
        role(register, name="two", authorizer="com.example.one"),
    )
    one, two = world.enter("one"), world.enter("two")
    one.register("com.example.one")
    two.register("com.example.two")
    assert (outcome(one, "publish", "a.b"), outcome(two, "publish", "a.b")) == (FAILED, FAILED)


@pytest.mark.parametrize("when", ["before the call", "after the call"])
def test_session_that_ends_while_its_authorizer_is_asked(when: str) -> None:
    world = Asked(None)
    client = world.enter("sensor")
    client.ask(32, "a.b")
    if when == "after the call":
        world.settle()
    client.session.lose()
    world.settle() if when == "before the call" else world.loop.run()
    assert len(world.authorizer._asking) == 0  # type: ignore[arg-type] # it is attached
    assert world.provider.take() == ([] if when == "before the call" else world_interrupt())
    assert world.holds_nothing_of(client.id)
    assert client.id not in world.authorizer._answers


def world_interrupt() -> list[Any]:
    return [[69, 1, {"mode": "killnowait"}]]


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    import thingtank.doors.wamp.authorization.authorizer as module

    monkeypatch.setattr(module, "KEPT_PER_ROLE_MAX", 10)
    monkeypatch.setattr(module, "KEPT_PER_SESSION_MAX", 10)
    world = Asked()
    client, usual = world.enter("sensor"), world.enter("account")
    for number in range(25):
        for each in (client, usual):
            assert world.outcome(each, "publish", f"a.b{number}") == "allowed"
        assert len(world.authorizer._answers[client.id]) <= 10
        assert len(world.authorizer._kept[usual.id]) <= 10
    assert outcome(usual, "publish", "a." + "x" * 500) == "allowed"
    assert all(len(uri) < 300 for _, uri, _ in world.authorizer._kept[usual.id])
    for each in (client, usual):
        each.session.lose()
    assert client.id not in world.authorizer._answers
    assert usual.id not in world.authorizer._kept


def test_hidden_sessions_are_forgotten_too() -> None:
    world = Roles(role(ALL, name="router"))
    for _ in range(300):
        hidden = world.enter("router")  # of which no on_leave tells
        outcome(hidden, "publish", "a.b")
        hidden.session.lose()
    assert len(world.authorizer._kept) < 100


def test_answers_to_hidden_sessions_are_forgotten_too() -> None:
    world = Asked(name="router")
    for _ in range(300):
        hidden = world.enter("router")
        assert world.outcome(hidden, "publish", "a.b") == "allowed"
        hidden.session.lose()
    assert len(world.authorizer._answers) < 100


def test_too_many_questions_at_once_fail() -> None:
    world = Asked(None)
    clients = [world.enter("sensor") for _ in range(3)]
    asking_peer = world.authorizer._asking
    assert asking_peer is not None
    asking_peer._pending = dict.fromkeys(range(-PENDING_MAX + 2, 0), lambda answer: None)
    ids = [client.ask(32, "a.b") for client in clients]
    world.settle()
    found = [answered(client, each) for client, each in zip(clients, ids, strict=True)]
    assert found == ["waits", "waits", FAILED]


def test_testaments_and_history_ask_the_authorizer_within_the_dealer() -> None:
    world = Asked()
    client = world.enter("sensor")
    request_id = client.ask(48, "wamp.session.add_testament", ["a.b", [], {}])
    world.settle()  # may it call? may it publish?
    assert answered(client, request_id) == "allowed"
    assert [each[1:3] for each in world.questions] == [
        ["wamp.session.add_testament", "call"],
        ["a.b", "publish"],
    ]
