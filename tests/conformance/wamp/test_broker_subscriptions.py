"""SUBSCRIBE, UNSUBSCRIBE, revocation, and what the subscription meta API has to tell.

Source: WAMP, Publish and Subscribe, Subscribing and Unsubscribing; URIs; Subscription Revocation;
Subscription Meta API.
"""

import pytest
from tests.conformance.wamp.broker_peers import NAMES, Realm, error_of

from thingtank.protocols.wamp.broker import BROKER_FEATURES
from thingtank.protocols.wamp.errors import InvalidUri
from thingtank.protocols.wamp.messages import Subscribed, Unsubscribed
from thingtank.protocols.wamp.options import RevocationDetails
from thingtank.protocols.wamp.subscriptions import NoSuchSubscription

pytestmark = pytest.mark.over_wires

REVOCABLE = {"subscriber": ["subscription_revocation"]}


@pytest.mark.parametrize("name", NAMES)
def test_subscribing_again_is_the_same_subscription_and_one_delivery(name: str) -> None:
    realm = Realm()
    publisher, subscriber = realm.join(), realm.join(name)
    subscription_id = subscriber.subscribed("a.b")
    assert subscriber.subscribed("a.b") == subscription_id
    assert subscriber.subscribed("a.b") == subscription_id
    publisher.publish("a.b", 1)
    assert subscriber.values() == [1]
    assert subscriber.unsubscribe(subscription_id) == Unsubscribed(4)
    publisher.publish("a.b", 2)
    assert subscriber.taken() == []
    assert error_of(subscriber.unsubscribe(subscription_id)) == "no_such_subscription"


def test_sessions_share_the_id_of_a_topic_and_match() -> None:
    realm = Realm()
    one, other = realm.join(), realm.join("cbor")
    assert one.subscribed("a.b") == other.subscribed("a.b")
    ids = {one.subscribed("a.b", match) for match in ("exact", "prefix", "wildcard")}
    assert len(ids) == 3
    assert other.subscribed("a.c") not in ids


@pytest.mark.parametrize("name", NAMES)
def test_unsubscribing_what_is_not_held_is_an_error(name: str) -> None:
    realm = Realm()
    holder, other = realm.join(), realm.join(name)
    subscription_id = holder.subscribed("a.b")
    assert error_of(other.unsubscribe(subscription_id)) == "no_such_subscription"
    assert error_of(other.unsubscribe(999)) == "no_such_subscription"
    assert realm.broker.subscriptions.list_subscribers(subscription_id) == [holder.session_id]


@pytest.mark.parametrize(
    ("topic", "match", "is_valid"),
    [
        ("com.app", "exact", True),
        ("test-topic", "exact", True),
        ("com..app", "exact", False),
        ("com.app.", "exact", False),
        ("", "exact", False),
        ("com.a b", "exact", False),
        ("com.a#b", "exact", False),
        ("com.app.", "prefix", True),
        ("", "prefix", True),
        ("com..app", "prefix", False),
        (".app", "prefix", False),
        ("com..app", "wildcard", True),
        (".x", "wildcard", True),
        ("..", "wildcard", True),
        ("com. .app", "wildcard", False),
        ("wamp.session.on_join", "exact", True),
        ("wamp.", "prefix", True),
        ("a" * 1024, "exact", True),
        ("a" * 1025, "exact", False),
        ("a" * 1025, "prefix", False),
    ],
)
def test_topic_is_checked_by_its_match(topic: str, match: str, is_valid: bool) -> None:
    answer = Realm().join().subscribe(topic, match)
    if is_valid:
        assert isinstance(answer, Subscribed)
    else:
        assert error_of(answer) == "invalid_uri"


def test_strict_rule_refuses_what_the_loose_one_takes() -> None:
    session = Realm(is_strict=True).join()
    assert error_of(session.subscribe("test-topic")) == "invalid_uri"
    assert isinstance(session.subscribe("test_topic"), Subscribed)
    assert session.publish("test-topic", 1, acknowledge=True) is None
    assert error_of(session.taken()[0]) == "invalid_uri"


@pytest.mark.in_memory
def test_session_has_at_most_so_many_subscriptions() -> None:
    realm = Realm(subscriptions_per_session_max=2)
    session, other = realm.join(), realm.join()
    first = session.subscribed("a")
    session.subscribed("b")
    assert error_of(session.subscribe("c")) == "tank.error.limit_reached"
    assert session.subscribed("a") == first
    assert isinstance(other.subscribe("c"), Subscribed)
    session.unsubscribe(first)
    assert isinstance(session.subscribe("c"), Subscribed)


def test_pattern_and_exact_subscriptions_each_get_the_event_once() -> None:
    realm = Realm()
    session = realm.join("msgpack")
    exact = session.subscribed("com.app.temp")
    prefix = session.subscribed("com.ap", "prefix")
    wildcard = session.subscribed("com..temp", "wildcard")
    trailing = session.subscribed("com.app.", "wildcard")
    session.subscribed("com.app.x", "prefix")
    everything = session.subscribed("com..", "wildcard")
    publication_id = realm.join().publish("com.app.temp", 21)
    topic = {"topic": "com.app.temp"}
    assert session.events() == [
        (exact, publication_id, {}, [21], {}),
        (prefix, publication_id, topic, [21], {}),
        (trailing, publication_id, topic, [21], {}),
        (wildcard, publication_id, topic, [21], {}),
        (everything, publication_id, topic, [21], {}),
    ]


@pytest.mark.in_memory
def test_revocation_is_told_only_to_those_who_announced_it() -> None:
    realm = Realm()
    told, untold, publisher = realm.join("cbor", features=REVOCABLE), realm.join(), realm.join()
    subscription_id = told.subscribed("a")
    untold.subscribed("a")
    realm.meta.clear()
    realm.broker.revoke(subscription_id, told.session_id, "com.why")
    realm.broker.revoke(subscription_id, untold.session_id)
    details = RevocationDetails(subscription=subscription_id, reason="com.why")
    assert told.taken() == [Unsubscribed(0, details)]
    assert untold.taken() == []
    publisher.publish("a", 1)
    assert told.taken() == untold.taken() == []
    assert realm.meta == [
        ("on_unsubscribe", told.session_id, subscription_id),
        ("on_unsubscribe", untold.session_id, subscription_id),
        ("on_delete", untold.session_id, subscription_id),
    ]


def test_revoking_without_a_reason_sends_none() -> None:
    realm = Realm()
    session = realm.join(features=REVOCABLE)
    subscription_id = session.subscribed("a")
    realm.broker.revoke(subscription_id, session.session_id)
    details = RevocationDetails(subscription=subscription_id)
    assert session.taken() == [Unsubscribed(0, details)]


@pytest.mark.parametrize("change", [(0, 1), (1, 0)])
def test_revoking_what_is_not_held_is_an_error(change: tuple[int, int]) -> None:
    realm = Realm()
    session = realm.join()
    subscription_id = session.subscribed("a")
    with pytest.raises(NoSuchSubscription):
        realm.broker.revoke(subscription_id + change[0], session.session_id + change[1])
    assert realm.broker.subscriptions.count_subscribers(subscription_id) == 1


@pytest.mark.in_memory
def test_meta_events_come_in_order_and_after_the_answer() -> None:
    realm = Realm()
    one, other = realm.join(), realm.join()
    subscription_id = one.subscribed("a.", "prefix")
    other.subscribed("a.", "prefix")
    one.subscribed("a.", "prefix")
    one.unsubscribe(subscription_id)
    other.unsubscribe(subscription_id)
    created = {
        "id": subscription_id,
        "created": "2023-11-14T22:13:20.123Z",
        "uri": "a.",
        "match": "prefix",
    }
    assert realm.meta == [
        ("on_create", one.session_id, created),
        ("on_subscribe", one.session_id, subscription_id),
        ("on_subscribe", other.session_id, subscription_id),
        ("on_unsubscribe", one.session_id, subscription_id),
        ("on_unsubscribe", other.session_id, subscription_id),
        ("on_delete", other.session_id, subscription_id),
    ]


@pytest.mark.in_memory
def test_meta_event_of_an_unsubscribe_follows_unsubscribed() -> None:
    realm = Realm()
    session = realm.join()
    seen: list[int] = []
    subscription_id = session.subscribed("a")
    realm.broker._on_meta = lambda event: seen.append(len(session.inbox))
    session.unsubscribe(subscription_id)
    session.subscribe("b")
    assert seen == [1, 1, 1, 1]


@pytest.mark.parametrize(
    ("topic", "match"), [("wamp.session.on_join", "exact"), ("wamp.", "prefix"), ("wamp", "prefix")]
)
def test_nothing_is_told_of_subscriptions_to_the_routers_topics(topic: str, match: str) -> None:
    realm = Realm()
    session = realm.join()
    session.unsubscribe(session.subscribed(topic, match))
    session.subscribed(topic, match)
    realm.broker.drop(session)
    assert realm.meta == []


@pytest.mark.in_memory
def test_dropping_a_session_ends_its_subscriptions() -> None:
    realm = Realm()
    session, other = realm.join(), realm.join()
    shared, own = session.subscribed("a"), session.subscribed("b")
    other.subscribed("a")
    realm.meta.clear()
    realm.broker.drop(session)
    assert realm.meta == [
        ("on_unsubscribe", session.session_id, shared),
        ("on_unsubscribe", session.session_id, own),
        ("on_delete", session.session_id, own),
    ]
    other.publish("a", 1)
    other.publish("b", 1)
    assert session.taken() == []
    realm.broker.drop(session)
    assert len(realm.meta) == 3
    assert realm.broker.subscriptions.list_ids() == {
        "exact": [shared],
        "prefix": [],
        "wildcard": [],
    }


def test_ids_of_deleted_subscriptions_are_not_used_again() -> None:
    session = Realm().join()
    first = session.subscribed("a")
    session.unsubscribe(first)
    assert session.subscribed("a") > first


def test_meta_queries() -> None:
    realm = Realm()
    one, other = realm.join(), realm.join()
    exact = one.subscribed("a.b")
    prefix = one.subscribed("a", "prefix")
    wildcard = other.subscribed(".b", "wildcard")
    other.subscribed("a.b")
    subscriptions = realm.broker.subscriptions
    assert subscriptions.list_ids() == {
        "exact": [exact],
        "prefix": [prefix],
        "wildcard": [wildcard],
    }
    assert subscriptions.lookup("a.b") == exact
    assert subscriptions.lookup("a.b", "wildcard") is None
    assert subscriptions.lookup("a", "prefix") == prefix
    assert subscriptions.match("a.b") == [exact, prefix, wildcard]
    assert subscriptions.match("b.c") is None
    assert subscriptions.get(prefix).details["uri"] == "a"
    assert subscriptions.list_subscribers(exact) == [one.session_id, other.session_id]
    assert subscriptions.count_subscribers(exact) == 2
    for query in (
        subscriptions.get,
        subscriptions.list_subscribers,
        subscriptions.count_subscribers,
    ):
        with pytest.raises(NoSuchSubscription):
            query(999)


@pytest.mark.in_memory
def test_standing_subscription_lasts_and_has_an_id_before_anyone_subscribes() -> None:
    realm = Realm()
    standing = realm.broker.stand("a.", "prefix")
    assert realm.broker.stand("a.", "prefix") == standing
    assert realm.broker.subscriptions.lookup("a.", "prefix") == standing
    assert realm.broker.subscriptions.list_subscribers(standing) == []
    assert realm.meta == []
    session = realm.join()
    assert session.subscribed("a.", "prefix") == standing
    session.unsubscribe(standing)
    assert [name for name, *_ in realm.meta] == ["on_subscribe", "on_unsubscribe"]
    assert realm.broker.subscriptions.lookup("a.", "prefix") == standing


def test_subscription_with_subscribers_can_become_a_standing_one() -> None:
    realm = Realm()
    session = realm.join()
    subscription_id = session.subscribed("a")
    assert realm.broker.stand("a") == subscription_id
    realm.broker.drop(session)
    assert realm.broker.subscriptions.lookup("a") == subscription_id


@pytest.mark.in_memory
def test_standing_subscription_needs_a_valid_topic() -> None:
    with pytest.raises(InvalidUri):
        Realm().broker.stand("a..b")


@pytest.mark.in_memory
def test_features_are_spelt_as_clients_know_them() -> None:
    assert set(BROKER_FEATURES) == {
        "publisher_identification",
        "publisher_exclusion",
        "subscriber_blackwhite_listing",
        "pattern_based_subscription",
        "subscription_revocation",
        "event_retention",
        "sharded_subscription",
        "publication_trustlevels",
        "payload_passthru_mode",
        "payload_transparency",
        "x_acknowledged_event_delivery",
    }
