"""Requests and their authorization: what is asked, what is refused, what must wait.

Source: WAMP, Authorization; Ordering Guarantees.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.conformance.wamp.realms import NAMES, PLAIN, World

from thingtank.protocols.wamp.authorization import ALLOWED, DENIED, Decision
from thingtank.protocols.wamp.calls import CallPolicy
from thingtank.protocols.wamp.errors import FailureTold
from thingtank.protocols.wamp.later import Later
from thingtank.protocols.wamp.publications import PublishPolicy
from thingtank.protocols.wamp.reception import SessionBounds

over_wires = pytest.mark.over_wires


class Scripted:
    """Decides by URI; what is not named is allowed. Those in `later` wait for the test."""

    def __init__(self, decisions=None, later=()):
        self.decisions = dict(decisions or {})
        self.later = set(later)
        self.asked = []
        self.waiting = []

    def authorize(self, peer, action, uri, match):
        self.asked.append((peer.session_id, action, uri, match))
        if uri in self.later:
            self.waiting.append(Later())
            return self.waiting[-1]
        return self.decisions.get(uri, ALLOWED)


def joined(authorizer, serializer="json", **options):
    world = World(authorizer=authorizer, **options)
    return world, world.join(serializer, PLAIN)


def test_what_is_asked():
    authorizer = Scripted()
    _, client = joined(authorizer)
    client.publish("a.b")
    client.ask(32, "a..c", match="wildcard")
    client.ask(64, "a.d.", match="prefix")
    client.ask(48, "a.e")
    client.ask(32, "not a uri")
    client.ask(34, 1)
    client.send(49, 4, {})
    assert authorizer.asked == [
        (client.id, "publish", "a.b", "exact"),
        (client.id, "subscribe", "a..c", "wildcard"),
        (client.id, "register", "a.d.", "prefix"),
        (client.id, "call", "a.e", "exact"),
    ]


@over_wires
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("is_later", [False, True])
@pytest.mark.parametrize("error", ["wamp.error.not_authorized", "wamp.error.authorization_failed"])
def test_denied(name, is_later, error):
    decision = Decision(is_allowed=False, error=error)
    authorizer = Scripted({"a.b": decision}, {"a.b"} if is_later else ())
    world, client = joined(authorizer, name)
    for code, options in [(16, {"acknowledge": True}), (16, {}), (32, {}), (48, {}), (64, {})]:
        request_id = client.ask(code, "a.b", **options)
        if is_later:
            assert client.take() == []
            authorizer.waiting[-1].answer(decision)
        answers = client.take()
        is_silent = code == 16 and not options
        assert [each[:5] for each in answers] == (
            [] if is_silent else [[8, code, request_id, {}, error]]
        )
    assert world.realm.dealer.registrations.match("a.b") is None
    assert world.realm.broker.subscriptions.match("a.b") is None


@over_wires
def test_policies_of_decisions_come_to_pass():
    authorizer = Scripted(
        {
            "a.topic": Decision(
                is_allowed=True, publish=PublishPolicy(disclosure="always", trustlevel=3)
            ),
            "a.procedure": Decision(
                is_allowed=True, call=CallPolicy(disclosure="always", trustlevel=4)
            ),
        }
    )
    world, client = joined(authorizer)
    other = world.join()
    authorizer.decisions, decisions = {}, authorizer.decisions
    other.subscribe("a.topic")
    other.register("a.procedure")
    authorizer.decisions = decisions
    client.publish("a.topic")
    client.ask(48, "a.procedure")
    event, invocation = other.take()
    assert (event[3]["publisher"], event[3]["trustlevel"]) == (client.id, 3)
    assert (invocation[3]["caller"], invocation[3]["trustlevel"]) == (client.id, 4)


@over_wires
@pytest.mark.parametrize("name", NAMES)
def test_nothing_overtakes_a_request_that_waits(name):
    authorizer = Scripted(later={"slow"})
    world, client = joined(authorizer, name)
    listener = world.join()
    listener.ask(32, "", match="prefix")
    listener.take()
    client.publish("slow", [1])
    client.publish("a.b", [2])
    client.ask(48, "wamp.session.count")
    client.publish("slow", [3])
    client.publish("a.b", [4])
    client.send(6, {}, "wamp.close.close_realm")
    assert (listener.take(), client.take()) == ([], [])
    assert client.session.is_waiting
    authorizer.waiting[0].answer(ALLOWED)
    assert [args for _, args in listener.events()] == [[1], [2]]
    assert client.take() == [[50, 3, {}, [2]]]
    authorizer.waiting[1].answer(DENIED)
    left = [client.id, "someone", "device"]  # on_leave, which the empty prefix matches too
    assert [args for _, args in listener.events()] == [[4], left]
    assert client.take() == [[6, {}, "wamp.close.goodbye_and_out"]]
    assert not client.session.is_waiting
    assert world.holds_nothing_of(client.id)


def test_other_sessions_do_not_wait():
    authorizer = Scripted(later={"slow"})
    world, client = joined(authorizer)
    client.publish("slow")
    assert world.join().call("wamp.session.count") == 2


@over_wires
def test_progressive_invocations_wait_for_their_call():
    authorizer = Scripted(later={"slow"})
    world = World(authorizer=authorizer)
    authorizer.later = set()
    callee, caller = world.join(), world.join()
    callee.register("slow")
    authorizer.later = {"slow"}
    call_id = caller.ask(48, "slow", [1], progress=True)
    caller.send(48, call_id, {}, "slow", [2])
    assert callee.take() == []
    authorizer.waiting[0].answer(ALLOWED)
    assert [each[4] for each in callee.take()] == [[1], [2]]


@pytest.mark.parametrize("how", ["lose", "abort", "violation", "kill"])
def test_session_that_ends_while_a_request_waits(how):
    authorizer = Scripted(later={"slow"})
    world, client = joined(authorizer)
    canceled = []
    client.ask(64, "slow")
    client.ask(64, "a.b")
    authorizer.waiting[0].on_canceled = lambda: canceled.append(True)
    if how == "lose":
        client.session.lose()
    elif how == "abort":
        client.send(3, {}, "a.b")
    elif how == "violation":
        client.session.receive_data(b"rubbish")
        client.assert_aborted()
    else:
        client.session.close("wamp.close.killed")
        assert client.take_one() == [6, {}, "wamp.close.killed"]
    assert canceled == [True]
    authorizer.waiting[0].answer(ALLOWED)
    assert client.take() == []
    assert world.holds_nothing_of(client.id)


@over_wires
def test_violation_that_had_to_wait():
    authorizer = Scripted(later={"slow"})
    world, client = joined(authorizer)
    client.publish("slow")
    client.send(5, "", {})
    client.ask(48, "wamp.session.count")
    authorizer.waiting[0].answer(ALLOWED)
    client.assert_aborted()
    assert world.holds_nothing_of(client.id)


def test_violation_of_the_request_that_waited():
    authorizer = Scripted(later={"slow"})
    world, client = joined(authorizer, "cbor")
    client.ask(48, "slow", [b""], ppt_scheme="x_a")
    client.ask(48, "wamp.session.count")
    authorizer.waiting[0].answer(ALLOWED)
    client.assert_aborted()
    assert world.holds_nothing_of(client.id)


@over_wires
def test_authorizer_that_never_answers_has_failed():
    authorizer = Scripted(later={"slow"})
    world, client = joined(authorizer)
    client.ask(32, "slow")
    client.ask(48, "wamp.session.count")
    due_us = client.session.next_due_us()
    assert due_us == world.now_us + 10_000_000
    client.session.take_due(due_us)
    error, result = client.take()
    assert error[:5] == [8, 32, 1, {}, "wamp.error.authorization_failed"]
    assert result == [50, 2, {}, [1]]
    assert client.session.next_due_us() is None


@pytest.mark.parametrize("code", [32, 48, 64])
def test_authorizer_that_fails_comes_to_light(code):
    world, client = joined(object())
    with pytest.raises(FailureTold) as caught:
        client.ask(code, "a.b")
    assert isinstance(caught.value.__cause__, AttributeError)
    assert client.take_one()[:5] == [8, code, 1, {}, "wamp.error.authorization_failed"]
    assert not client.is_closed
    assert world.realm.broker.subscriptions.match("a.b") is None


def test_what_waits_is_bounded():
    bounds = SessionBounds(held_messages_max=3)
    for enough, one_too_many in [(3, 4), (1, 2)]:
        authorizer = Scripted(later={"slow"})
        if enough == 1:
            bounds = SessionBounds(held_bytes_max=5)
        world, client = joined(authorizer, bounds=bounds)
        client.publish("slow")
        for _ in range(enough):
            client.publish("a.b", ["long enough"])
        assert not client.is_closed
        client.publish("a.b", ["long enough"])
        client.assert_aborted("tank.error.limit_reached")
        assert world.holds_nothing_of(client.id)
        assert one_too_many == enough + 1


@over_wires
def test_request_that_waited_has_its_id():
    authorizer = Scripted(later={"slow"})
    _, client = joined(authorizer, request_ids="sequential")
    client.publish("slow")
    client.send(32, 2, {}, "a.b")
    authorizer.waiting[0].answer(ALLOWED)
    assert client.take_one()[:2] == [33, 2]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["slow", "fast"]), st.booleans()), max_size=30))
def test_order_is_kept_whenever_decisions_come(steps):
    authorizer = Scripted(later={"slow"})
    world, client = joined(authorizer)
    listener = world.join()
    listener.ask(32, "", match="prefix")
    listener.take()
    answered = 0
    for number, (topic, answers_now) in enumerate(steps):
        client.publish(topic, [number])
        if answers_now and answered < len(authorizer.waiting):
            authorizer.waiting[answered].answer(ALLOWED)
            answered += 1
    while answered < len(authorizer.waiting):
        authorizer.waiting[answered].answer(ALLOWED)
        answered += 1
    assert [args for _, args in listener.events()] == [[number] for number in range(len(steps))]
