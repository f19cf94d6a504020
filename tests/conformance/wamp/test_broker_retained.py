"""Retained events: of each topic the newest one that a new subscriber may receive.

Source: WAMP, Event Retention.
"""

from typing import Any

import pytest
from tests.conformance.wamp.broker_peers import NAMES, Realm

from thingtank.protocols.wamp.messages import Event, Subscribed
from thingtank.protocols.wamp.publications import Publication
from thingtank.protocols.wamp.retained import LIMITED_MAX, RetainedEvents

pytestmark = pytest.mark.over_wires


@pytest.mark.parametrize("name", NAMES)
def test_retained_event_comes_right_after_subscribed(name: str) -> None:
    realm = Realm()
    publisher, subscriber = realm.join("msgpack"), realm.join(name)
    publication_id = publisher.publish("a", 1, kwargs={"k": 2}, retain=True)
    publisher.publish("a", 2)
    subscription_id = subscriber.subscribed("a", get_retained=True)
    assert subscriber.events() == [
        (subscription_id, publication_id, {"retained": True}, [1], {"k": 2})
    ]


def test_retained_event_comes_only_where_it_is_asked_for() -> None:
    realm = Realm()
    publisher, subscriber = realm.join(), realm.join()
    publisher.publish("a", 1, retain=True)
    subscriber.subscribed("a")
    assert subscriber.taken() == []
    subscriber.subscribed("a", get_retained=True)
    assert subscriber.values() == [1]
    subscriber.subscribed("b", get_retained=True)
    assert subscriber.taken() == []


@pytest.mark.in_memory
def test_retained_event_precedes_meta_events_and_later_events() -> None:
    realm = Realm()
    publisher, subscriber = realm.join(), realm.join()
    publisher.publish("a", 1, retain=True)
    seen: list[int] = []
    realm.broker._on_meta = lambda event: seen.append(len(subscriber.inbox))
    answer = subscriber.subscribe("a", get_retained=True)
    publisher.publish("a", 2)
    assert isinstance(answer, Subscribed)
    assert seen == [2, 2]
    assert subscriber.values() == [1, 2]


def test_live_event_is_not_marked_as_retained() -> None:
    realm = Realm()
    publisher, subscriber = realm.join(), realm.join()
    subscriber.subscribed("a")
    publisher.publish("a", 1, retain=True)
    assert [event[2] for event in subscriber.events()] == [{}]


def test_newest_replaces() -> None:
    realm = Realm()
    publisher = realm.join()
    for number in range(3):
        publisher.publish("a", number, retain=True)
    assert retained(realm) == [2]
    assert len(realm.broker.retained) == 1


def retained(realm: Realm, topic: str = "a", match: str = "exact", **about: Any) -> list[Any]:
    """What a new session is told."""
    session = realm.join(**about)
    session.subscribed(topic, match, get_retained=True)
    values = session.values()
    realm.broker.drop(session)
    return values


def test_older_event_for_everybody_stays_beside_a_newer_limited_one() -> None:
    realm = Realm()
    publisher = realm.join()
    publisher.publish("a", "all", retain=True)
    publisher.publish("a", "ann's", retain=True, eligible_authid=["ann"])
    publisher.publish("a", "not for guests", retain=True, exclude_authrole=["guest"])
    assert retained(realm, authid="ann", authrole="guest") == ["ann's"]
    assert retained(realm, authid="ann") == ["not for guests"]
    assert retained(realm, authid="bob", authrole="guest") == ["all"]
    publisher.publish("a", "bob's", retain=True, eligible_authid=["bob"])
    assert retained(realm, authid="bob") == ["bob's"]
    assert retained(realm, authid="ann") == ["not for guests"]


def test_newer_event_for_everybody_ends_the_limited_ones() -> None:
    realm = Realm()
    publisher = realm.join()
    publisher.publish("a", 1, retain=True, eligible_authid=["ann"])
    assert retained(realm, authid="bob") == []
    publisher.publish("a", 2, retain=True)
    assert retained(realm, authid="ann") == [2]
    assert len(realm.broker.retained) == 1


def test_limited_event_replaces_the_one_of_the_same_limits() -> None:
    realm = Realm()
    publisher = realm.join()
    for number in range(3):
        publisher.publish("a", number, retain=True, eligible_authid=["ann", "bob"])
        publisher.publish("a", -number, retain=True, eligible_authid=["cyd"])
    assert len(realm.broker.retained) == 2
    assert retained(realm, authid="ann") == [2]


@pytest.mark.in_memory
def test_limited_events_of_a_topic_are_bounded_and_the_one_for_everybody_stays() -> None:
    realm = Realm()
    publisher = realm.join()
    publisher.publish("a", "all", retain=True)
    for number in range(LIMITED_MAX + 5):
        publisher.publish("a", number, retain=True, eligible_authid=[f"x{number}"])
    assert len(realm.broker.retained) == LIMITED_MAX + 1
    assert retained(realm, authid="x0") == ["all"]
    assert retained(realm, authid="x5") == [5]


def test_event_for_one_session_is_kept_for_it() -> None:
    realm = Realm()
    publisher, one, other = realm.join(), realm.join(), realm.join()
    publisher.publish("a", 1, retain=True, eligible=[one.session_id])
    for each in (one, other):
        each.subscribed("a", get_retained=True)
    assert one.values() == [1]
    assert other.values() == []


def test_publisher_itself_is_told_what_the_topic_says() -> None:
    realm = Realm()
    session, other = realm.join(), realm.join()
    other.publish("a", "older", retain=True, exclude_me=False)
    session.publish("a", "newer", retain=True)
    session.subscribed("a", get_retained=True)
    assert session.values() == ["newer"]


@pytest.mark.parametrize(
    ("topic", "match", "values"),
    [
        ("a.b", "exact", ["a.b"]),
        ("a.", "prefix", ["a.b", "a.c", "a.c.b"]),
        ("a", "prefix", ["a.b", "a.c", "a.c.b", "ab.b"]),
        ("", "prefix", ["a.b", "a.c", "a.c.b", "ab.b", "x"]),
        ("a.c.b.d", "prefix", []),
        (".b", "wildcard", ["a.b", "ab.b"]),
        ("a.", "wildcard", ["a.b", "a.c"]),
        ("a..b", "wildcard", ["a.c.b"]),
        ("", "wildcard", ["x"]),
        ("..", "wildcard", ["a.c.b"]),
        ("a.b", "wildcard", ["a.b"]),
        ("a.b", "prefix", ["a.b"]),
    ],
)
def test_pattern_subscriber_is_told_of_each_matching_topic(
    topic: str, match: str, values: list[str]
) -> None:
    realm = Realm()
    publisher, subscriber = realm.join(), realm.join()
    for each in ("x", "a.c", "ab.b", "a.b", "a.c.b"):
        publisher.publish(each, each, retain=True)
    subscriber.subscribed(topic, match, get_retained=True)
    # Patterns that match all there is match the router's own topics too.
    events = [each for each in subscriber.events() if "wamp." not in each[2].get("topic", "")]
    assert [args[0] for _, _, _, args, _ in events] == values
    told = [{"retained": True} | ({"topic": value} if match != "exact" else {}) for value in values]
    assert [details for _, _, details, _, _ in events] == told


def test_disclosed_publisher_and_passed_on_keys_stay() -> None:
    realm = Realm()
    publisher = realm.join(authid="ann")
    publisher.publish("a", 1, retain=True, disclose_me=True, transaction_hash="h")
    realm.broker.drop(publisher)
    subscriber = realm.join()
    subscriber.subscribed("a", get_retained=True)
    ((_, _, details, _, _),) = subscriber.events()
    assert details == {
        "retained": True,
        "publisher": publisher.session_id,
        "publisher_authid": "ann",
        "publisher_authrole": "device",
        "transaction_hash": "h",
    }


def test_retained_event_without_payload_deletes() -> None:
    realm = Realm()
    publisher, live = realm.join(), realm.join()
    live.subscribed("a")
    publisher.publish("a", 1, retain=True)
    publisher.publish("a", 2, retain=True, eligible_authid=["ann"])
    publisher.publish("a", retain=True, eligible_authid=["ann"])
    assert retained(realm, authid="ann") == [1]
    publisher.publish("a", 3, retain=True, eligible_authid=["ann"])
    publisher.publish("a", retain=True)
    assert retained(realm, authid="ann") == []
    assert len(realm.broker.retained) == realm.broker.retained.size_bytes == 0
    assert live.values() == [1, None]


def test_retention_needs_no_subscriber_and_outlives_them() -> None:
    realm = Realm()
    publisher = realm.join()
    publisher.publish("a", 1, retain=True)
    for _ in range(2):
        assert retained(realm) == [1]
    realm.broker.drop(publisher)
    assert retained(realm) == [1]


@pytest.mark.in_memory
def test_oldest_topics_make_room_when_there_are_too_many() -> None:
    realm = Realm(retained=RetainedEvents(count_max=3))
    publisher = realm.join()
    for topic in ("a", "b", "c"):
        publisher.publish(topic, topic, retain=True)
    publisher.publish("a", "again", retain=True)
    publisher.publish("d", "d", retain=True)
    assert retained(realm, "", "prefix") == ["again", "c", "d"]
    assert realm.broker.retained.dropped_count == 1


@pytest.mark.in_memory
def test_retained_bytes_are_bounded() -> None:
    realm = Realm(retained=RetainedEvents(bytes_max=20_000))
    publisher = realm.join()
    publisher.publish("big", "x", retain=True)
    for number in range(100):
        publisher.publish(f"t{number}", "x" * 1000, retain=True)
        assert realm.broker.retained.size_bytes <= 20_000
    assert 5 < len(realm.broker.retained) < 12
    publisher.publish("t99", "x" * 30_000, retain=True)
    assert retained(realm, "t99") == []
    assert retained(realm, "t98") == ["x" * 1000]


@pytest.mark.in_memory
def test_long_lists_count_towards_the_bound() -> None:
    realm = Realm(retained=RetainedEvents(bytes_max=20_000))
    realm.join().publish("a", 1, retain=True, exclude=list(range(1, 1000)))
    assert len(realm.broker.retained) == 0


@pytest.mark.in_memory
def test_receiver_that_cannot_be_given_it_is_still_subscribed() -> None:
    realm = Realm()
    realm.join("cbor").publish("a", 2**70, retain=True)
    realm.join("cbor").publish("b", "x" * 500, retain=True)
    subscriber = realm.join("msgpack", bytes_max=300)
    assert isinstance(subscriber.subscribe("", "prefix", get_retained=True), Subscribed)
    assert subscriber.taken() == []
    assert realm.broker.deliveries.unconvertible_count == 1
    assert realm.broker.deliveries.too_long_count == 1


class ListStore:
    def __init__(self) -> None:
        self.events: list[Publication] = []

    def keep(self, event: Publication) -> None:
        self.events.append(event)

    def remove(self, event: Publication) -> None:
        self.events.remove(event)


@pytest.mark.in_memory
def test_store_has_what_is_retained_and_restores_it() -> None:
    store = ListStore()
    realm = Realm(retained=RetainedEvents(store, count_max=4))
    publisher = realm.join()
    for topic in ("a", "b", "c", "d", "e"):
        publisher.publish(topic, "old", retain=True)
    publisher.publish("b", "new", retain=True)
    publisher.publish("b", "ann's", retain=True, eligible_authid=["ann"])
    publisher.publish("d", retain=True)
    assert [(each.topic, each.payload.args) for each in store.events] == [
        ("e", ["old"]),
        ("b", ["new"]),
        ("b", ["ann's"]),
    ]
    restored = RetainedEvents(store)
    restored.restore(list(store.events))
    assert len(store.events) == 3
    again = Realm(retained=restored)
    assert retained(again, "", "prefix", authid="ann") == ["ann's", "old"]
    assert retained(again, "", "prefix") == ["new", "old"]


def test_opaque_and_kwargs_only_payloads_are_no_deletions() -> None:
    realm = Realm()
    subscriber = realm.join()
    realm.join().publish("a", kwargs={"k": 1}, retain=True)
    subscriber.subscribed("a", get_retained=True)
    (event,) = subscriber.taken()
    assert isinstance(event, Event)
    assert event.payload.kwargs == {"k": 1}
