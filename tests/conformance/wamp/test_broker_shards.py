"""Sharded subscriptions: an event with `rkey` goes to one of the nodes, and to all others.

Source: WAMP, Sharded Subscription; how a key finds its node is of this implementation.
"""

from collections import Counter

import pytest
from tests.conformance.wamp.broker_peers import Realm, Session

pytestmark = pytest.mark.over_wires


def nodes_of(realm: Realm, *nkeys: str) -> dict[str, Session]:
    nodes = {nkey: realm.join() for nkey in nkeys}
    for nkey, node in nodes.items():
        node.subscribed("a", nkey=nkey)
    return nodes


def receiver(nodes: dict[str, Session], publisher: Session, rkey: str, **options: object) -> str:
    publisher.publish("a", rkey, rkey=rkey, **options)
    (name,) = [nkey for nkey, node in nodes.items() if node.values()]
    return name


def test_event_goes_to_one_node_and_always_the_same() -> None:
    realm = Realm()
    publisher, nodes = realm.join(), nodes_of(realm, "n1", "n2", "n3")
    owners = {f"k{number}": receiver(nodes, publisher, f"k{number}") for number in range(60)}
    assert set(Counter(owners.values())) == set(nodes)
    assert owners == {rkey: receiver(nodes, publisher, rkey) for rkey in owners}


@pytest.mark.in_memory
def test_choice_does_not_depend_on_the_process_or_order() -> None:
    for nkeys in (("n1", "n2", "n3"), ("n3", "n1", "n2")):
        realm = Realm()
        publisher, nodes = realm.join(), nodes_of(realm, *nkeys)
        found = [receiver(nodes, publisher, f"k{number}") for number in range(6)]
        assert found == ["n2", "n2", "n3", "n1", "n2", "n1"]


@pytest.mark.in_memory
def test_node_that_leaves_moves_only_its_own_share() -> None:
    realm = Realm()
    publisher, nodes = realm.join(), nodes_of(realm, "n1", "n2", "n3", "n4")
    before = {f"k{number}": receiver(nodes, publisher, f"k{number}") for number in range(80)}
    realm.broker.drop(nodes.pop("n2"))
    after = {rkey: receiver(nodes, publisher, rkey) for rkey in before}
    assert {rkey for rkey in before if before[rkey] != after[rkey]} == {
        rkey for rkey in before if before[rkey] == "n2"
    }


@pytest.mark.in_memory
def test_subscribers_without_a_node_key_get_everything() -> None:
    realm = Realm()
    publisher, nodes = realm.join(), nodes_of(realm, "n1", "n2")
    plain, pattern = realm.join("cbor"), realm.join("msgpack")
    plain.subscribed("a")
    pattern.subscribed("", "prefix")
    receiver(nodes, publisher, "k")
    assert plain.values() == pattern.values() == ["k"]


def test_event_without_resource_key_goes_to_all_nodes() -> None:
    realm = Realm()
    publisher, nodes = realm.join(), nodes_of(realm, "n1", "n2")
    publisher.publish("a", 1)
    publisher.publish("a", 2, exclude=[99])
    assert [node.values() for node in nodes.values()] == [[1, 2], [1, 2]]


def test_node_is_chosen_among_those_who_may_receive() -> None:
    realm = Realm()
    publisher, nodes = realm.join(), nodes_of(realm, "n1", "n2", "n3")
    first = receiver(nodes, publisher, "k")
    second = receiver(nodes, publisher, "k", exclude=[nodes[first].session_id])
    assert second != first
    nodes[first].publish("a", 1, rkey="k")
    assert [nkey for nkey, node in nodes.items() if node.values()] == [second]


def test_last_subscribe_says_the_node_key() -> None:
    realm = Realm()
    publisher, nodes = realm.join(), nodes_of(realm, "n1", "n2")
    for node in nodes.values():
        node.subscribed("a")
    publisher.publish("a", 1, rkey="k")
    assert [node.values() for node in nodes.values()] == [[1], [1]]
    for node in nodes.values():
        node.subscribed("a", nkey="same")
    publisher.publish("a", 2, rkey="k")
    assert [node.values() for node in nodes.values()] == [[2], []]
