"""The Subscription Meta API. Source: WAMP, Subscription Meta API; Event History."""

import pytest
from tests.conformance.wamp.realms import NAMES, PLAIN, World

from thingtank.protocols.wamp.authorization import ALLOWED, DENIED
from thingtank.protocols.wamp.later import Later

pytestmark = pytest.mark.over_wires

EVENTS = ("on_create", "on_subscribe", "on_unsubscribe", "on_delete")


def listening(name="json", **options):
    world = World(**options)
    listener = world.join(name)
    topics = {listener.subscribe(f"wamp.subscription.{each}"): each for each in EVENTS}
    return world, lambda: [(topics[each], args) for each, args in listener.events()]


@pytest.mark.parametrize("name", NAMES)
def test_events_and_their_order(name):
    world, heard = listening(name)
    first, second = world.join(), world.join()
    subscription_id = first.subscribe("a.", match="prefix")
    second.subscribe("a.", match="prefix")
    first.subscribe("a.", match="prefix")  # again changes nothing
    details = {
        "id": subscription_id,
        "created": "2023-11-14T22:13:20.123Z",
        "uri": "a.",
        "match": "prefix",
    }
    assert heard() == [
        ("on_create", [first.id, details]),
        ("on_subscribe", [first.id, subscription_id]),
        ("on_subscribe", [second.id, subscription_id]),
    ]
    first.ask(34, subscription_id)
    second.session.lose()
    assert heard() == [
        ("on_unsubscribe", [first.id, subscription_id]),
        ("on_unsubscribe", [second.id, subscription_id]),
        ("on_delete", [second.id, subscription_id]),
    ]


def test_nothing_is_published_about_the_routers_own_topics():
    world, heard = listening()
    world.join().subscribe("wamp.session.on_join")
    assert heard() == []


@pytest.mark.parametrize("name", NAMES)
def test_questions(name):
    world = World()
    subscriber, other, asker = world.join(), world.join(), world.join(name)
    exact = subscriber.subscribe("a.b")
    other.subscribe("a.b")
    prefix = subscriber.subscribe("a.", match="prefix")
    wildcard = other.subscribe("a..", match="wildcard")
    assert asker.call("wamp.subscription.get", prefix)["match"] == "prefix"
    for procedure, args, expected in [
        ("list", [], {"exact": [exact], "prefix": [prefix], "wildcard": [wildcard]}),
        ("lookup", ["a.b"], exact),
        ("lookup", ["a.b", {"match": "wildcard"}], None),
        ("lookup", ["a.", {"match": "prefix"}], prefix),
        ("lookup", ["a.c"], None),
        ("match", ["a.b"], [exact, prefix]),
        ("match", ["nothing"], None),
        ("list_subscribers", [exact], [subscriber.id, other.id]),
        ("count_subscribers", [exact], 2),
        ("get", [99], "no_such_subscription"),
        ("list_subscribers", [99], "no_such_subscription"),
        ("count_subscribers", [99], "no_such_subscription"),
        ("get", [{}], "invalid_argument"),
        ("lookup", [1], "invalid_argument"),
        ("lookup", ["a", {"match": 1}], "invalid_argument"),
        ("match", [], "invalid_argument"),
        ("get_events", [exact], "no_such_procedure"),
    ]:
        assert asker.call(f"wamp.subscription.{procedure}", *args) == expected, (procedure, args)


def test_private_ones_are_told_of_to_nobody():
    world, heard = listening()
    subscriber, asker = world.join(), world.join()
    private = subscriber.subscribe("own.a")
    world.realm.broker.subscriptions.make_private(lambda uri, match: uri.startswith("own."))
    heard()
    prefix, open_one = subscriber.subscribe("own.", match="prefix"), subscriber.subscribe("a")
    for procedure, args, expected in [
        ("list", [], [open_one]),
        ("lookup", ["own.a"], None),
        ("lookup", ["own.", {"match": "prefix"}], None),
        ("match", ["own.a"], None),
        ("match", ["a"], [open_one]),
        *(
            (procedure, [each], "no_such_subscription")
            for procedure in ("get", "list_subscribers", "count_subscribers")
            for each in (private, prefix)
        ),
        ("remove_subscriber", [prefix, subscriber.id], "nothing"),
    ]:
        answer = asker.call(f"wamp.subscription.{procedure}", *args)
        if procedure == "list":
            answer = [each for each in answer["exact"] if each > len(EVENTS)] + answer["prefix"]
        assert answer == expected, (procedure, args)
    subscriber.session.lose()
    told = [(event, args[1]) for event, args in heard() if event != "on_create"]
    assert told == [(event, open_one) for event in ("on_subscribe", "on_unsubscribe", "on_delete")]


def test_private_topic_whose_events_are_kept_is_there_but_not_who_subscribes_to_it():
    world, heard = listening(history=Kept())
    world.realm.broker.subscriptions.make_private(lambda uri, match: uri == "own.a")
    kept = world.realm.broker.stand("own.a")
    client = world.join()
    assert client.call("wamp.subscription.lookup", "own.a") == kept
    assert client.call("wamp.subscription.get", kept)["uri"] == "own.a"
    client.ask(48, "wamp.subscription.get_events", [kept])
    assert client.take_one()[3] == [[]]
    assert client.subscribe("own.a") == kept
    assert client.call("wamp.subscription.list_subscribers", kept) == "not_authorized"
    assert client.call("wamp.subscription.count_subscribers", kept) == "not_authorized"
    assert heard() == []


@pytest.mark.parametrize("name", NAMES)
def test_remove_subscriber(name):
    world, heard = listening()
    subscriber, other, admin = world.join(name), world.join(features=PLAIN), world.join()
    subscription_id = subscriber.subscribe("a.b")
    other.subscribe("a.b")
    heard()
    remove = "wamp.subscription.remove_subscriber"
    for args, error in [
        ([99, subscriber.id], "no_such_subscription"),
        ([subscription_id, 99], "no_such_session"),
        ([subscription_id, admin.id], "no_such_subscription"),
        ([subscription_id], "invalid_argument"),
        ([subscription_id, subscriber.id, 1], "invalid_uri"),
    ]:
        assert admin.call(remove, *args) == error
    assert admin.call(remove, subscription_id, subscriber.id, "a.reason") == "nothing"
    assert subscriber.take() == [[35, 0, {"subscription": subscription_id, "reason": "a.reason"}]]
    assert admin.call(remove, subscription_id, other.id) == "nothing"
    assert other.take() == []
    assert [each[0] for each in heard()] == ["on_unsubscribe", "on_unsubscribe", "on_delete"]


# -- event history, which somebody else keeps


class Kept:
    def __init__(self):
        self.kept = []

    def keep(self, publication, subscription_ids):
        self.kept.append((publication.topic, subscription_ids))

    def get_events(self, call, subscription, query):
        call.result(
            [topic for topic, ids in self.kept if subscription.id in ids], kwargs=call.kwargs
        )


class Decides:
    """On subscribing; all else is allowed."""

    def __init__(self, decision):
        self.decision = decision

    def authorize(self, peer, action, uri, match):
        return self.decision if action == "subscribe" else ALLOWED


def test_history_is_announced_and_asked():
    world = World(history=Kept())
    client = world.connect()
    client.hello()
    assert client.take_one()[2]["roles"]["broker"]["features"]["event_history"] is True
    subscription_id = world.realm.broker.stand("a.b")
    client.publish("a.b")
    client.publish("a.c")
    assert client.call("wamp.subscription.lookup", "a.b") == subscription_id
    client.ask(48, "wamp.subscription.get_events", [subscription_id], {"limit": 1})
    assert client.take_one()[3:] == [[["a.b"]], {"limit": 1}]
    assert client.call("wamp.subscription.get_events", 99) == "no_such_subscription"


def test_history_is_for_those_who_may_subscribe():
    world = World(history=Kept(), authorizer=Decides(DENIED))
    client = world.join()
    subscription_id = world.realm.broker.stand("a.b")
    assert client.call("wamp.subscription.get_events", subscription_id) == "not_authorized"
    later = Later()
    world.realm.authorizer.decision = later
    client.ask(48, "wamp.subscription.get_events", [subscription_id])
    assert client.take() == []
    later.answer(ALLOWED)
    assert client.take_one()[3] == [[]]
