"""Testaments. Source: WAMP, Testament."""

import pytest
from tests.conformance.wamp.realms import NAMES, World

from thingtank.protocols.wamp.authorization import ALLOWED, DENIED, Decision
from thingtank.protocols.wamp.later import Later
from thingtank.protocols.wamp.publications import PublishPolicy
from thingtank.protocols.wamp.testaments import TESTAMENTS_PER_SESSION_MAX

pytestmark = pytest.mark.over_wires

ADD, FLUSH = "wamp.session.add_testament", "wamp.session.flush_testaments"


def call(client, procedure, args, **kwargs):
    """The result or the error's URI."""
    client.ask(48, procedure, args, kwargs)
    answer = client.take()[-1]
    if answer[0] == 8:
        return answer[4].removeprefix("wamp.error.")
    return answer[3][0] if len(answer) > 3 else None


def listening(name="json", topic="a.b", **options):
    world = World(**options)
    listener, leaver = world.join(), world.join(name)
    listener.subscribe(topic)
    return world, listener, leaver


WAYS = {
    "goodbye": lambda client: client.send(6, {}, "wamp.close.close_realm"),
    "abort": lambda client: client.send(3, {}, "a.b"),
    "violation": lambda client: client.send(2),
    "loss": lambda client: client.session.lose(),
    "kill": lambda client: client.session.close("wamp.close.killed"),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("way", WAYS)
def test_published_in_order_in_whatever_way_a_session_ends(name, way):
    world, listener, leaver = listening(name)
    leaver.subscribe("a.b")
    assert call(leaver, ADD, ["a.b", [1], {}], scope="destroyed") is None
    assert call(leaver, ADD, ["a.b", [2], {"x": 1}]) is None
    assert call(leaver, ADD, ["a.b", [3], {}], scope="detached") is None
    assert call(leaver, ADD, ["a.b"], publish_options={"exclude_me": False}) is None
    assert listener.take() == []
    WAYS[way](leaver)
    messages = listener.take()
    assert [each[4:] for each in messages] == [[[3]], [[1]], [[2], {"x": 1}], []]
    assert all(each[0] != 36 for each in leaver.take())  # it no longer receives them
    leaver.session.lose()
    assert listener.take() == []
    assert world.holds_nothing_of(leaver.id)


def test_order_among_what_else_is_published():
    world = World()
    listener, leaver = world.join(), world.join()
    topics = [
        "wamp.registration.on_delete",
        "wamp.subscription.on_delete",
        "a.b",
        "wamp.session.on_leave",
    ]
    ids = [listener.subscribe(topic) for topic in topics]
    leaver.register("a.c")
    leaver.subscribe("a.d")
    call(leaver, ADD, ["a.b", [], {}])
    leaver.session.lose()
    assert [each[0] for each in listener.events()] == ids


def test_on_behalf_of_the_session():
    world, listener, leaver = listening()
    others = [world.join(authid="other"), world.join(authid="lamp")]
    for other in others:
        other.subscribe("a.b")
    options = {
        "disclose_me": True,
        "eligible_authid": ["lamp"],
        "acknowledge": True,
        "retain": True,
    }
    assert call(leaver, ADD, ["a.b", [1], {}], publish_options=options) is None
    leaver.session.lose()
    (event,) = others[1].take()
    assert event[3]["publisher"] == leaver.id
    assert (listener.take(), others[0].take(), leaver.take()) == ([], [], [])
    late = world.join(authid="lamp")
    late.ask(32, "a.b", get_retained=True)
    assert late.take()[1][3]["retained"] is True


@pytest.mark.parametrize("name", NAMES)
def test_flush(name):
    _, listener, leaver = listening(name)
    for number, scope in enumerate(["detached", "destroyed", "destroyed", "detached"]):
        call(leaver, ADD, ["a.b", [number], {}], scope=scope)
    assert call(leaver, FLUSH, []) == 2
    assert call(leaver, FLUSH, []) == 0
    assert call(leaver, FLUSH, [], scope="nowhere") == "testament_error"
    leaver.session.lose()
    assert [args for _, args in listener.events()] == [[0], [3]]


@pytest.mark.parametrize(
    ("args", "kwargs", "error"),
    [
        ([], {}, "invalid_argument"),
        ([1, [], {}], {}, "invalid_argument"),
        (["a..b", [], {}], {}, "invalid_uri"),
        (["wamp.a", [], {}], {}, "invalid_uri"),
        (["a.b", {}, {}], {}, "invalid_argument"),
        (["a.b", [], []], {}, "invalid_argument"),
        (["a.b", [], {}], {"scope": "nowhere"}, "testament_error"),
        (["a.b", [], {}], {"scope": 1}, "testament_error"),
        (["a.b", [], {}], {"publish_options": []}, "invalid_argument"),
        (["a.b", [], {}], {"publish_options": {"exclude": ["a"]}}, "invalid_argument"),
        (["a.b", [], {}], {"publish_options": {"ppt_scheme": "x_a"}}, "invalid_argument"),
    ],
    ids=str,
)
def test_errors(args, kwargs, error):
    _, listener, leaver = listening()
    assert call(leaver, ADD, args, **kwargs) == error
    leaver.session.lose()
    assert listener.take() == []


@pytest.mark.parametrize("payload", ["few", "x" * 600_000])
def test_how_many(payload):
    _, _, leaver = listening()
    answers = [
        call(leaver, ADD, ["a.b", [payload], {}]) for _ in range(TESTAMENTS_PER_SESSION_MAX + 1)
    ]
    enough = TESTAMENTS_PER_SESSION_MAX if payload == "few" else 1
    assert answers[:enough] == [None] * enough
    assert set(answers[enough:]) == {"tank.error.limit_reached"}


class Decides:
    """On publishing, in turn; all else is allowed."""

    def __init__(self, *decisions):
        self.decisions = list(decisions)

    def authorize(self, peer, action, uri, match):
        return self.decisions.pop(0) if action == "publish" else ALLOWED


def test_authorization_applies():
    policy = Decision(is_allowed=True, publish=PublishPolicy(trustlevel=5))
    first, second, third = Later(), Later(), Later()
    _, listener, leaver = listening(authorizer=Decides(first, DENIED, policy, second, third))
    leaver.ask(48, ADD, ["a.b", [1], {}])
    assert leaver.take() == []
    assert call(leaver, ADD, ["a.b", [2], {}]) == "not_authorized"
    assert call(leaver, ADD, ["a.b", [3], {}]) is None
    leaver.ask(48, ADD, ["a.b", [4], {}])
    leaver.ask(48, ADD, ["a.b", [5], {}])
    first.answer(ALLOWED)
    second.answer(DENIED)
    assert [each[0] for each in leaver.take()] == [50, 8]
    leaver.session.lose()
    third.answer(ALLOWED)  # too late
    messages = listener.take()
    assert [each[4] for each in messages] == [[1], [3]]
    assert messages[1][3] == {"trustlevel": 5}


def test_sessions_killed_together():
    world, listener, leaver = listening()
    other = world.join()
    other.subscribe("a.b")
    call(leaver, ADD, ["a.b", [1], {}])
    assert listener.call("wamp.session.kill_all") == 2
    assert [args for _, args in listener.events()] == [[1]]
