"""Retained messages. Source: MQTT 5, 3.3.1.3 and 3.8.3.1; MQTT 3.1.1, 3.3.1.3."""

import pytest
from tests.conformance.mqtt.keeping import begin, each_version, resume
from tests.conformance.mqtt.wire import Broker, Client, unique


def retained(client: Client, topic_filter: str) -> list[tuple[str, bytes]]:
    """What a new subscription is answered with."""
    client.subscribe(topic_filter, qos=2)
    taken = client.take_all()
    assert all(came.retain for came in taken)
    client.unsubscribe(topic_filter)
    return [(came.topic, came.payload) for came in taken]


@each_version
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_new_subscription_is_answered_with_what_is_retained(
    broker: Broker, version: int, qos: int
) -> None:
    """[MQTT-3.3.1-5] [MQTT-3.3.1-9]; 3.1.1: 3.3.1-5, 3.3.1-6, 3.3.1-8."""
    publisher = broker.connect(version)
    publisher.publish(broker.topic, b"kept", qos=qos, retain=True)
    publisher.disconnect()
    for granted in (2, 1, 0):
        client = broker.connect(version)
        client.subscribe(broker.topic, qos=granted)
        came = client.take()
        assert (came.payload, came.retain, came.dup) == (b"kept", True, False)
        assert came.qos == min(granted, qos)
        client.expect_nothing()


@each_version
def test_a_live_message_does_not_have_the_retain_flag(broker: Broker, version: int) -> None:
    """[MQTT-3.3.1-12]; 3.1.1: 3.3.1-9."""
    client = broker.connect(version)
    client.subscribe(broker.topic, qos=2)
    for qos in (0, 1, 2):
        client.publish(broker.topic, b"x", qos=qos, retain=True)
    assert [came.retain for came in client.take_all()] == [False] * 3


@each_version
def test_a_retained_message_replaces_the_one_before(broker: Broker, version: int) -> None:
    """[MQTT-3.3.1-5]."""
    client = broker.connect(version)
    for number, qos in enumerate((0, 2, 1, 0)):
        client.publish(broker.topic, str(number).encode(), qos=qos, retain=True)
        assert retained(client, broker.topic) == [(broker.topic, str(number).encode())]


@each_version
def test_a_message_that_is_not_retained_leaves_what_is(broker: Broker, version: int) -> None:
    """[MQTT-3.3.1-8]; 3.1.1: 3.3.1-12."""
    client = broker.connect(version)
    client.publish(broker.topic, b"live", qos=1)
    assert retained(client, broker.topic) == []
    client.publish(broker.topic, b"kept", qos=1, retain=True)
    client.publish(broker.topic, b"live", qos=1)
    client.publish(broker.topic, b"", qos=1)
    assert retained(client, broker.topic) == [(broker.topic, b"kept")]


@each_version
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_an_empty_payload_deletes_what_is_retained_and_is_passed_on(
    broker: Broker, version: int, qos: int
) -> None:
    """[MQTT-3.3.1-6] [MQTT-3.3.1-7]; 3.1.1: 3.3.1-10, 3.3.1-11."""
    client, watcher = broker.connect(version), broker.connect(version)
    client.publish(broker.topic, b"kept", qos=1, retain=True)
    watcher.subscribe(broker.topic, qos=2)
    assert len(watcher.take_all()) == 1
    client.publish(broker.topic, b"", qos=qos, retain=True)
    [came] = watcher.take_all()
    assert (came.payload, came.qos, came.retain) == (b"", qos, False)
    assert retained(client, broker.topic) == []
    client.publish(broker.topic, b"", qos=qos, retain=True)  # where there is none
    assert retained(client, broker.topic) == []


@each_version
def test_a_wildcard_finds_each_topic_that_matches_once(broker: Broker, version: int) -> None:
    """[MQTT-3.3.1-9] with chapter 4.7."""
    client = broker.connect(version)
    names = ["a", "a/b", "a/b/c", "a//c", "x", "a/", ""]
    topics = [f"{broker.topic}/{name}" for name in names] + [broker.topic]
    for topic in topics:
        client.publish(topic, topic.encode(), qos=1, retain=True)
    found = {
        "#": topics,
        "+": [topics[0], topics[4], topics[6]],
        "a/#": [topics[0], topics[1], topics[2], topics[3], topics[5]],
        "+/+": [topics[1], topics[5]],
        "a/+/c": [topics[2], topics[3]],
        "": [topics[6]],
        "b": [],
    }
    for topic_filter, expected in found.items():
        came = retained(client, f"{broker.topic}/{topic_filter}")
        assert sorted(came) == sorted((topic, topic.encode()) for topic in expected), topic_filter


def test_each_of_several_filters_is_answered(broker: Broker) -> None:
    """[MQTT-3.8.4-5]: as by a sequence of SUBSCRIBE packets."""
    client = broker.connect()
    client.publish(f"{broker.topic}/a", b"a", retain=True)
    client.publish(f"{broker.topic}/b", b"b", retain=True)
    client.subscribe(f"{broker.topic}/a", f"{broker.topic}/b", f"{broker.topic}/+")
    assert sorted(came.payload for came in client.take_all()) == [b"a", b"a", b"b", b"b"]


def test_what_is_retained_has_its_properties_and_the_subscription_identifier(
    broker: Broker,
) -> None:
    """[MQTT-3.3.4-3] [MQTT-3.3.2-17] and the properties beside it."""
    client = broker.connect()
    props = {
        "payload_format_indicator": 1,
        "content_type": "text/plain",
        "response_topic": "re/ply",
        "correlation_data": b"\0\xff",
        "user_property": [("b", "1"), ("a", "2"), ("b", "1")],
    }
    client.publish(broker.topic, b"x", qos=1, retain=True, props=props)
    client.subscribe(broker.topic, props={"subscription_identifier": 5})
    assert client.take().properties == {**props, "subscription_identifier": [5]}


# Retain Handling


def test_retain_handling_0_sends_at_each_subscribe(broker: Broker) -> None:
    """[MQTT-3.3.1-9]."""
    client = broker.connect()
    client.publish(broker.topic, b"kept", qos=1, retain=True)
    for _ in range(3):
        client.subscribe(broker.topic, retain_handling=0)
        assert len(client.take_all()) == 1


def test_retain_handling_1_sends_only_if_the_subscription_is_new(broker: Broker) -> None:
    """[MQTT-3.3.1-10]."""
    client = broker.connect()
    client.publish(broker.topic, b"kept", qos=1, retain=True)
    for expected in (1, 0, 0):
        client.subscribe(broker.topic, retain_handling=1, qos=1)
        assert len(client.take_all()) == expected
    client.subscribe(f"{broker.topic}/#", retain_handling=1)  # another filter
    assert len(client.take_all()) == 1
    client.unsubscribe(broker.topic)
    client.subscribe(broker.topic, retain_handling=1)
    assert len(client.take_all()) == 1


def test_retain_handling_1_knows_subscriptions_of_a_resumed_session(broker: Broker) -> None:
    """[MQTT-3.3.1-10]."""
    name = unique()
    client = begin(broker, 5, name)
    client.publish(broker.topic, b"kept", qos=1, retain=True)
    client.subscribe(broker.topic, retain_handling=2)
    client.disconnect()
    again = resume(broker, 5, name)
    again.subscribe(broker.topic, retain_handling=1)
    again.expect_nothing()
    again.disconnect()
    anew = broker.connect(client_id=name, clean=True)
    anew.subscribe(broker.topic, retain_handling=1)
    assert len(anew.take_all()) == 1


def test_retain_handling_2_sends_nothing(broker: Broker) -> None:
    """[MQTT-3.3.1-11]."""
    client = broker.connect()
    client.publish(broker.topic, b"kept", qos=1, retain=True)
    for _ in range(2):
        client.subscribe(broker.topic, retain_handling=2)
        client.expect_nothing()
    client.publish(broker.topic, b"live", qos=1, retain=True)
    assert [(came.payload, came.retain) for came in client.take_all()] == [(b"live", False)]


@each_version
def test_a_resumed_session_is_not_sent_what_is_retained(broker: Broker, version: int) -> None:
    """[MQTT-3.3.1-9]: it is an answer to SUBSCRIBE."""
    name = unique()
    client = begin(broker, version, name)
    client.subscribe(broker.topic, qos=1)
    client.publish(broker.topic, b"kept", qos=1, retain=True)
    assert len(client.take_all()) == 1
    client.disconnect()
    resume(broker, version, name).expect_nothing()


# Retain As Published


@pytest.mark.parametrize("is_published", [False, True])
@pytest.mark.parametrize("as_published", [False, True])
def test_retain_as_published_keeps_the_flag(
    broker: Broker, as_published: bool, is_published: bool
) -> None:
    """[MQTT-3.3.1-12] [MQTT-3.3.1-13]; and what is retained has it in any case."""
    client = broker.connect()
    client.subscribe(broker.topic, retain_as_published=as_published, qos=2)
    for qos in (0, 1, 2):
        client.publish(broker.topic, b"x", qos=qos, retain=is_published)
    client.publish(broker.topic, b"", retain=is_published)
    assert [came.retain for came in client.take_all()] == [as_published and is_published] * 4
    client.publish(broker.topic, b"kept", qos=1, retain=True)
    client.take()
    client.subscribe(broker.topic, retain_as_published=as_published)
    assert [came.retain for came in client.take_all()] == [True]


def test_retain_as_published_of_overlapping_subscriptions_is_told_of_one_of_them(
    broker: Broker,
) -> None:
    """[MQTT-3.3.1-13]: whoever asked for it has it."""
    client = broker.connect()
    client.subscribe(broker.topic)
    client.subscribe(f"{broker.topic}/#", retain_as_published=True)
    client.publish(broker.topic, b"x", retain=True)
    assert any(came.retain for came in client.take_all())


def test_retain_as_published_holds_for_messages_that_wait(broker: Broker) -> None:
    """[MQTT-3.3.1-12] [MQTT-3.3.1-13] in a later connection."""
    names = unique(), unique()
    for name, as_published in zip(names, (False, True), strict=True):
        client = begin(broker, 5, name)
        client.subscribe(broker.topic, qos=1, retain_as_published=as_published)
        client.disconnect()
    broker.connect().publish(broker.topic, b"x", qos=1, retain=True)
    flags = [resume(broker, 5, name).take().retain for name in names]
    assert flags == [False, True]
