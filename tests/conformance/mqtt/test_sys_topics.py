"""Topics under `$SYS` and others that begin with `$`. Source: MQTT 5 and 3.1.1, 4.7.2."""

import pytest
from tests.conformance.mqtt.keeping import each_version
from tests.conformance.mqtt.wire import Broker, Client

VERSION, UPTIME = "$SYS/broker/version", "$SYS/broker/uptime"
NOT_AUTHORIZED, TOPIC_NAME_INVALID = 0x87, 0x90


def retained(client: Client, topic_filter: str) -> dict[str, bytes]:
    client.subscribe(topic_filter)
    found = {came.topic: came.payload for came in client.take_all() if came.retain}
    client.unsubscribe(topic_filter)
    return found


@each_version
def test_sys_topics_are_retained_and_found_by_their_own_filters(
    broker: Broker, version: int
) -> None:
    """[MQTT-4.7.2-1] the other way round: `$SYS/#` matches."""
    client = broker.connect(version)
    everything = retained(client, "$SYS/#")
    assert {VERSION, UPTIME} <= set(everything)
    assert all(topic.startswith("$SYS/") for topic in everything)
    for topic_filter in (VERSION, "$SYS/+/version", "$SYS/broker/+", "$SYS/broker/version/#"):
        assert retained(client, topic_filter)[VERSION] == everything[VERSION]


@each_version
@pytest.mark.parametrize("topic_filter", ["#", "+/#", "+/broker/version", "+/+/version", "+/+/+"])
def test_filters_that_begin_with_a_wildcard_do_not_find_them(
    broker: Broker, version: int, topic_filter: str
) -> None:
    """[MQTT-4.7.2-1]."""
    client = broker.connect(version)
    assert not [topic for topic in retained(client, topic_filter) if topic.startswith("$")]


@each_version
def test_clients_cannot_change_them(broker: Broker, version: int) -> None:
    """MQTT 5, 4.7.2: servers should keep clients from exchanging messages by them."""
    client, other = broker.connect(version), broker.connect(version)
    before = retained(client, VERSION)
    client.subscribe("$SYS/#", qos=1)
    client.take_all()
    for topic in (VERSION, "$SYS/made/up"):
        answer = other.publish(topic, b"forged", qos=1, retain=True)
        assert answer is not None
        assert version < 5 or answer.reason_code in (NOT_AUTHORIZED, TOPIC_NAME_INVALID)
    assert b"forged" not in [came.payload for came in client.take_all()]
    assert retained(broker.connect(version), VERSION) == before


def test_what_they_say_is_told_to_every_version_alike(broker: Broker) -> None:
    """The version that the broker says it is does not depend on the asker's."""
    seen = [retained(broker.connect(version), VERSION) for version in (3, 4, 5)]
    assert seen[0] == seen[1] == seen[2]
    assert seen[0][VERSION]
