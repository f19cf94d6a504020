"""A bug of ours: whoever meets it is answered or let go, others live on, and it comes to light."""

import pytest
from structlog.testing import capture_logs
from tests.conformance.wamp.realms import World
from tests.conformance.wamp.wires import TRANSPORTS, Wire, current, until

from thingtank.protocols.wamp.authentication import Accepted
from thingtank.protocols.wamp.authorization import ALLOWED
from thingtank.protocols.wamp.errors import FailureTold
from thingtank.protocols.wamp.later import Later

ASKED = [
    (16, "broker", "publish"),
    (32, "broker", "subscribe"),
    (48, "dealer", "call"),
    (64, "dealer", "register"),
]
each_request = pytest.mark.parametrize(("code", "role", "method"), ASKED)
FAILED = [8, 48, "wamp.error.runtime_error"]


class Slow:
    """Allows everything; `slow` and `slow.…` when the test says so."""

    def __init__(self):
        self.waiting = []

    def authorize(self, peer, action, uri, match):
        if not uri.startswith("slow"):
            return ALLOWED
        self.waiting.append(Later())
        return self.waiting[-1]


def broken(*args, **kwargs):
    raise ZeroDivisionError("a bug")


def brief(answers):
    """Of errors: the type, what was asked, the URI."""
    return [[*each[:2], each[4]] if each[0] == 8 else each for each in answers]


@each_request
@pytest.mark.parametrize("is_late", [False, True])
def test_session_whose_request_meets_a_bug_is_let_go(code, role, method, is_late, monkeypatch):
    authorizer = Slow()
    world = World(authorizer=authorizer)
    client, other = world.join(), world.join()
    with monkeypatch.context() as patch:
        patch.setattr(getattr(world.realm, role), method, broken)
        if is_late:
            client.ask(code, "slow")
            client.ask(48, "wamp.session.count")  # is held
            with pytest.raises(ZeroDivisionError):
                authorizer.waiting[0].answer(ALLOWED)
        else:
            with pytest.raises(ZeroDivisionError):
                client.ask(code, "a.b")
    client.assert_aborted("wamp.error.runtime_error")
    assert not client.session.is_waiting
    assert world.holds_nothing_of(client.id)
    assert other.call("wamp.session.count") == 1


def test_session_is_forgotten_as_far_as_can_be_if_that_fails_too(monkeypatch):
    world = World()
    client, other = world.join(), world.join()
    client.subscribe("a.b")
    with monkeypatch.context() as patch:
        patch.setattr(world.realm.dealer, "call", broken)
        patch.setattr(world.realm.dealer, "drop", broken)
        with pytest.raises(ZeroDivisionError):
            client.ask(48, "a.b")
    client.assert_aborted("wamp.error.runtime_error")
    assert world.holds_nothing_of(client.id)
    assert client.id not in world.session_ids._taken
    assert other.call("wamp.session.count") == 1


def test_session_whose_call_meets_a_broken_procedure_goes_on():
    world = World()
    client = world.join()
    world.realm.dealer.provide("tank.broken", broken)
    with pytest.raises(FailureTold) as caught:
        client.ask(48, "tank.broken")
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert brief(client.take()) == [FAILED]
    assert client.call("wamp.session.count") == 1


def test_what_was_held_is_taken_though_the_request_before_it_has_failed():
    authorizer = Slow()
    world = World(authorizer=authorizer)
    client = world.join()
    for procedure in ("slow", "slow.too", "broken"):
        world.realm.dealer.provide(procedure, broken)
    for procedure in ("slow", "broken", "wamp.session.count", "slow.too", "wamp.session.count"):
        client.ask(48, procedure)
    with pytest.raises(FailureTold):
        authorizer.waiting[0].answer(ALLOWED)
    assert brief(client.take()) == [FAILED, FAILED, [50, 3, {}, [1]]]
    assert not client.is_read_on
    with pytest.raises(FailureTold):
        authorizer.waiting[1].answer(ALLOWED)
    assert brief(client.take()) == [FAILED, [50, 5, {}, [1]]]
    assert client.is_read_on


@pytest.mark.parametrize("is_late", [False, True])
def test_session_that_cannot_be_had_is_let_go(is_late, monkeypatch):
    later = Later()
    accepted = Accepted("lamp", "device", "ticket", "static")

    class Authenticator:
        def hello(self, attempt):
            return later if is_late else accepted

    world = World(authenticator=Authenticator())
    monkeypatch.setattr(world.realm, "join", broken)
    client = world.connect()
    if is_late:
        client.hello()
    with pytest.raises(ZeroDivisionError):
        later.answer(accepted) if is_late else client.hello()
    assert [each[0] for each in client.take()] == [2, 3]
    assert client.is_closed
    assert world.session_ids._taken == set()


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_door_logs_it_and_closes_the_connection(transport, monkeypatch):
    current.wire = Wire(transport, "json")
    world = World()
    client, other = world.join(), world.join()
    monkeypatch.setattr(world.realm.broker, "publish", broken)
    with capture_logs() as logs:
        client.publish("a.b")
        until(lambda: client.is_closed)
    client.assert_aborted("wamp.error.runtime_error")
    assert [each["event"] for each in logs] == ["wamp_message_failed"]
    assert other.call("wamp.session.count") == 1


def test_door_goes_on_though_a_procedure_fails_that_was_held():
    """Nobody decided in time, so what was held is taken by the clock."""
    current.wire = Wire("rawsocket", "json")
    authorizer = Slow()
    world = World(authorizer=authorizer)
    client = world.join()
    world.realm.dealer.provide("broken", broken)
    client.line.write(
        client.line.framed(
            b'[48,1,{},"slow"]',
            b'[48,2,{},"broken"]',
            b'[48,3,{},"slow"]',
            b'[48,4,{},"wamp.session.count"]',
        )
    )
    until(lambda: len(client.session._held) == 3)
    with capture_logs() as logs:
        for _ in range(2):
            world.now_us += 10_000_000
            client.line.connection._take_due()
    assert [each["event"] for each in logs] == ["wamp_message_failed"]
    undecided = [8, 48, "wamp.error.authorization_failed"]
    assert brief(client.take()) == [undecided, FAILED, undecided, [50, 4, {}, [1]]]
    client.send(48, 5, {}, "wamp.session.count")
    assert client.take_one() == [50, 5, {}, [1]]
