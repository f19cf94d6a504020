"""Between HELLO and WELCOME: methods, challenges, answers that come later.

Source: WAMP, Authentication.
"""

import pytest
from tests.conformance.wamp.realms import NAMES, REALM, World

from thingtank.protocols.wamp.authentication import (
    Accepted,
    AnonymousAuthenticator,
    Challenged,
    Rejected,
)
from thingtank.protocols.wamp.later import Later
from thingtank.protocols.wamp.session import State

over_wires = pytest.mark.over_wires

LAMP = Accepted("lamp", "device", "ticket", "static")


class Scripted:
    """Gives what a test has put there, and remembers what it was asked."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []

    def hello(self, attempt):
        self.asked.append(attempt)
        return self.answers.pop(0)

    def check(self, message):
        self.asked.append((message.signature, message.extra))
        return self.answers.pop(0)


def connected(*answers, serializer="json"):
    authenticator = Scripted(*answers)
    world = World(authenticator=authenticator)
    return world, world.connect(serializer), authenticator


@pytest.mark.parametrize(
    ("details", "is_welcome"),
    [
        ({}, True),
        ({"authmethods": ["anonymous"]}, True),
        ({"authmethods": ["ticket", "anonymous"]}, True),
        ({"authmethods": ["ticket"]}, False),
        ({"authmethods": []}, False),
        ({"authid": "admin", "authrole": "admin"}, True),
    ],
)
def test_anonymous(details, is_welcome):
    client = World(authenticator=AnonymousAuthenticator(lambda: "a-1")).connect()
    client.hello(**details)
    if not is_welcome:
        client.assert_aborted("wamp.error.no_matching_auth_method")
        return
    welcome = client.take_one()[2]
    assert [welcome[key] for key in ("authid", "authrole", "authmethod")] == [
        "a-1",
        "anonymous",
        "anonymous",
    ]


@pytest.mark.parametrize("name", NAMES)
def test_two_rounds_of_challenges(name):
    authenticator = Scripted()
    authenticator.answers = [
        Challenged("scram", {"nonce": "x"}, authenticator.check),
        Challenged("scram", {"nonce": "y"}, authenticator.check),
        LAMP,
    ]
    world = World(authenticator=authenticator)
    client = world.connect(name)
    client.hello(authmethods=["scram"])
    assert client.take_one() == [4, "scram", {"nonce": "x"}]
    client.send(5, "p", {"q": 1})
    assert client.take_one() == [4, "scram", {"nonce": "y"}]
    client.send(5, "r", {})
    code, session_id, details = client.take_one()
    assert (code, details["authid"]) == (2, "lamp")
    attempt, *proofs = authenticator.asked
    assert attempt.session_id == session_id  # challenges may contain it
    assert (attempt.realm, attempt.authmethods) == (REALM, ["scram"])
    assert proofs == [("p", {"q": 1}), ("r", {})]


def test_rejected_at_once_and_after_a_challenge():
    denied = Rejected("wamp.error.authentication_denied", "no")
    world, client, _ = connected(denied)
    client.hello()
    client.assert_aborted("wamp.error.authentication_denied")
    authenticator = Scripted()
    authenticator.answers = [Challenged("ticket", {}, authenticator.check), denied]
    world = World(authenticator=authenticator)
    client = world.connect()
    client.hello()
    client.take()
    client.send(5, "wrong", {})
    client.assert_aborted("wamp.error.authentication_denied")
    assert world.realm.members == {}
    assert world.session_ids._taken == set()


@pytest.mark.parametrize(
    "elements",
    [
        [1, REALM, {"roles": {"caller": {}}}],
        [6, {}, "a.b"],
        [16, 1, {}, "a.b"],
        [8, 68, 1, {}, "a.b"],
    ],
)
def test_only_authenticate_follows_a_challenge(elements):
    authenticator = Scripted()
    authenticator.answers = [Challenged("ticket", {}, authenticator.check)]
    client = World(authenticator=authenticator).connect()
    client.hello()
    client.take()
    client.send(*elements)
    client.assert_aborted()


@pytest.mark.parametrize("elements", [[5, "x", {}], [16, 1, {}, "a.b"], [6, {}, "a.b"]])
def test_nothing_overtakes_an_answer_that_comes_later(elements):
    later = Later()
    canceled = []
    later.on_canceled = lambda: canceled.append(True)
    world, client, _ = connected(later)
    client.hello()
    assert client.take() == []
    client.send(*elements)
    client.assert_aborted()
    assert canceled == [True]
    later.answer(LAMP)
    assert client.take() == []
    assert world.realm.members == {}


def test_answer_that_comes_later():
    later = Later()
    world, client, _ = connected(later)
    client.hello()
    later.answer(LAMP)
    later.answer(LAMP)
    assert client.take_one()[0] == 2
    assert len(world.realm.members) == 1


def test_answer_that_was_there_before_it_was_taken():
    later = Later()
    later.answer(LAMP)
    _, client, _ = connected(later)
    client.hello()
    assert client.take_one()[0] == 2


def test_lost_or_aborted_while_the_answer_is_awaited():
    for end in (lambda client: client.session.lose(), lambda client: client.send(3, {}, "a.b")):
        later = Later()
        world, client, _ = connected(later)
        client.hello()
        end(client)
        later.answer(LAMP)
        assert client.take() == []
        assert client.session.state is State.OVER
        assert world.realm.members == {}


@pytest.mark.parametrize("is_challenged", [True, False])
def test_answers_are_not_waited_for_for_ever(is_challenged):
    authenticator = Scripted()
    authenticator.answers = [
        Challenged("ticket", {}, authenticator.check) if is_challenged else Later()
    ]
    world = World(authenticator=authenticator)
    client = world.connect()
    client.hello()
    client.take()
    client.session.take_due(world.now_us + 9_999_999)
    assert not client.is_closed
    client.session.take_due(world.now_us + 10_000_000)
    client.assert_aborted("wamp.error.authentication_failed")


def test_authenticator_may_choose_another_realm():
    other = World()
    world, client, _ = connected(Accepted("lamp", "device", "ticket", "static", realm="realm2"))
    other.realm.name = "realm2"
    world.realms["realm2"] = other.realm
    client.hello()
    assert client.take_one()[2]["realm"] == "realm2"
    assert (len(world.realm.members), len(other.realm.members)) == (0, 1)


@pytest.mark.parametrize(
    ("realm", "reason"),
    [("realm3", "wamp.error.no_such_realm"), ("a..b", "wamp.error.invalid_uri")],
)
def test_authenticator_may_choose_a_realm_that_is_not_there(realm, reason):
    world, client, _ = connected(Accepted("lamp", "device", "ticket", "static", realm=realm))
    client.hello()
    client.assert_aborted(reason)
    assert world.session_ids._taken == set()


def test_challenge_that_the_client_cannot_take():
    authenticator = Scripted()
    authenticator.answers = [Challenged("scram", {"x": "y" * 600}, authenticator.check)]
    client = World(authenticator=authenticator).connect(bytes_max=512)
    client.hello()
    client.assert_aborted("wamp.error.payload_size_exceeded")


def test_authenticator_that_fails_comes_to_light():
    _, client, authenticator = connected()  # which has no answers
    with pytest.raises(IndexError):
        client.hello()
    client.assert_aborted("wamp.error.authentication_failed")
    assert len(authenticator.asked) == 1


def test_realm_that_was_closed_meanwhile():
    later = Later()
    world, client, _ = connected(later)
    client.hello()
    world.realm.close()
    later.answer(LAMP)
    client.assert_aborted("wamp.close.system_shutdown")
