"""MQTT 5, 3.3 and 3.1.1, 3.3: PUBLISH, both ways."""

import time

import pytest
from tests.conformance.mqtt import octets
from tests.conformance.mqtt.keeping import begin, each_version, keeping
from tests.conformance.mqtt.meanwhile import meanwhile
from tests.conformance.mqtt.octets import Kind, Version
from tests.conformance.mqtt.wire import VERSIONS, Broker

# --- what is refused ---


@each_version
@pytest.mark.parametrize("first", [0x36, 0x37, 0x3E, 0x3F])
def test_qos_3_closes(broker: Broker, version: Version, first: int) -> None:
    client = broker.connect(version)
    data = octets.publish(version, "t", b"x", qos=1, packet_id=1)
    client.write(bytes((first,)) + data[1:])
    client.expect_closed(0x81, 0x82)


# In 3.1 DUP is only ever looked at where there is a packet identifier.
@pytest.mark.parametrize("version", [4, 5])
def test_dup_with_qos_0_closes(broker: Broker, version: Version) -> None:
    client = broker.connect(version)
    client.send_publish(broker.topic, b"x", dup=True)
    client.expect_closed(0x81, 0x82)


@each_version
@pytest.mark.parametrize("topic", ["#", "+", "a/#", "a/+/b", "a+", "a#b", "/+"])
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_wildcards_in_a_topic_name_close(
    broker: Broker, version: Version, topic: str, qos: int
) -> None:
    client = broker.connect(version)
    client.send_publish(topic, b"x", qos)
    client.expect_closed(0x81, 0x82, 0x90)


@each_version
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_empty_topic_name_closes(broker: Broker, version: Version, qos: int) -> None:
    client = broker.connect(version)
    client.send_publish("", b"x", qos)
    client.expect_closed(0x81, 0x82, 0x90)


@each_version
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_publish_that_is_cut_short_closes(broker: Broker, version: Version, qos: int) -> None:
    body = octets.publish(version, "topic", b"", qos=qos, packet_id=7)[2:]
    for size in range(len(body)):
        client = broker.connect(version)
        client.write(octets.packet(0x30 | qos << 1, body[:size]))
        client.expect_closed(0x81, 0x82)
        broker.close()


def test_subscription_identifier_from_a_client_closes(broker: Broker) -> None:
    client = broker.connect(5)
    client.send_publish(broker.topic, props={"subscription_identifier": 1})
    client.expect_closed(0x82)


@pytest.mark.parametrize("topic", ["#", "a/+", "", "a/\0"])
def test_response_topic_that_is_no_topic_name_closes(broker: Broker, topic: str) -> None:
    client = broker.connect(5)
    client.send_publish(broker.topic, props={"response_topic": topic})
    client.expect_closed(0x81, 0x82, 0x90)


@each_version
def test_nothing_of_a_refused_publish_is_passed_on(broker: Broker, version: Version) -> None:
    watcher, client = broker.connect(version), broker.connect(version)
    watcher.subscribe("#", qos=0)
    client.send_publish(f"{broker.topic}/#", b"x")
    client.expect_closed()
    assert not [came for came in watcher.take_all() if came.topic.startswith(broker.topic)]


# --- what is passed on ---


@each_version
@pytest.mark.parametrize("granted", [0, 1, 2])
@pytest.mark.parametrize("published", [0, 1, 2])
def test_qos_is_the_lower_of_both(
    broker: Broker, version: Version, published: int, granted: int
) -> None:
    client = broker.connect(version)
    client.subscribe(broker.topic, qos=granted)
    client.publish(broker.topic, b"x", published)
    came = client.take()
    assert (came.qos, came.dup, came.payload) == (min(published, granted), False, b"x")
    client.expect_nothing()


@each_version
@pytest.mark.parametrize("qos", [1, 2])
def test_dup_is_not_passed_on(broker: Broker, version: Version, qos: int) -> None:
    client = broker.connect(version)
    client.subscribe(broker.topic, qos=qos)
    client.publish(broker.topic, b"x", qos, dup=True)
    assert not client.take().dup


@each_version
@pytest.mark.parametrize(
    ("qos", "answer"), [(0, None), (1, Kind.PUBACK), (2, Kind.PUBREC)], ids=["0", "1", "2"]
)
def test_each_qos_has_its_answer(
    broker: Broker, version: Version, qos: int, answer: Kind | None
) -> None:
    client = broker.connect(version)
    packet_id = client.send_publish(broker.topic, b"x", qos)
    if answer is None:
        client.expect_nothing()
        return
    came = client.read()
    assert (came.kind, came.packet_id) == (answer, packet_id)
    assert came.reason_code in (0x00, 0x10)
    client.expect_nothing()


PASSED_ON = {
    "payload format indicator 0": {"payload_format_indicator": 0},
    "payload format indicator 1": {"payload_format_indicator": 1},
    "content type": {"content_type": "application/json; charset=ütf-8"},
    "empty content type": {"content_type": ""},
    "response topic": {"response_topic": "an/answer/ä"},
    "correlation data": {"correlation_data": bytes(range(256))},
    "empty correlation data": {"correlation_data": b""},
    "user property": {"user_property": [("name", "value")]},
    "empty user property": {"user_property": [("", "")]},
    "user properties in their order": {
        "user_property": [("b", "1"), ("a", "2"), ("b", "1"), ("b", "0"), ("c", ""), ("a", "2")]
    },
    "all of them": {
        "payload_format_indicator": 1,
        "content_type": "text/plain",
        "response_topic": "answer",
        "correlation_data": b"\0\xff",
        "user_property": [("z", "1"), ("a", "2")],
    },
}


@pytest.mark.parametrize("sent", PASSED_ON.values(), ids=PASSED_ON)
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_properties_are_passed_on_as_they_are(
    broker: Broker, sent: dict[str, object], qos: int
) -> None:
    subscriber, publisher = broker.connect(5), broker.connect(5)
    subscriber.subscribe(broker.topic, qos=qos)
    publisher.publish(broker.topic, b"payload", qos, props=sent)
    came = subscriber.take()
    assert came.properties.pop("payload_format_indicator", 0) == sent.get(
        "payload_format_indicator", 0
    )
    rest = {name: value for name, value in sent.items() if name != "payload_format_indicator"}
    assert came.properties == rest
    assert came.payload == b"payload"


@pytest.mark.parametrize("sent", PASSED_ON.values(), ids=PASSED_ON)
def test_properties_of_retained_messages_are_kept(broker: Broker, sent: dict[str, object]) -> None:
    client = broker.connect(5)
    client.publish(broker.topic, b"payload", retain=True, props=sent)
    client.subscribe(broker.topic)
    came = client.take().properties
    assert {"payload_format_indicator": 0, **came} == {"payload_format_indicator": 0, **sent}
    client.publish(broker.topic, b"", retain=True)


def test_a_thousand_user_properties_keep_their_order(broker: Broker) -> None:
    client = broker.connect(5)
    client.subscribe(broker.topic)
    pairs = [(f"name {at % 7}", f"value {at}") for at in range(1000)]
    client.publish(broker.topic, props={"user_property": pairs})
    assert client.take().properties["user_property"] == pairs


@pytest.mark.parametrize("version", [3, 4])
def test_properties_are_left_out_before_version_5(broker: Broker, version: Version) -> None:
    subscriber, publisher = broker.connect(version), broker.connect(5)
    subscriber.subscribe(broker.topic)
    publisher.publish(broker.topic, b"x", props=PASSED_ON["all of them"])
    assert subscriber.take().raw == octets.publish(version, broker.topic, b"x")


@pytest.mark.parametrize("publisher_version", VERSIONS)
@pytest.mark.parametrize("subscriber_version", VERSIONS)
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_versions_talk_to_each_other(
    broker: Broker, publisher_version: Version, subscriber_version: Version, qos: int
) -> None:
    subscriber, publisher = broker.connect(subscriber_version), broker.connect(publisher_version)
    subscriber.subscribe(broker.topic, qos=qos)
    publisher.publish(broker.topic, b"between", qos)
    came = subscriber.take()
    assert (came.payload, came.qos, came.properties) == (b"between", qos, {})


def test_payload_that_is_not_of_its_format_is_passed_on_or_refused(broker: Broker) -> None:
    """MQTT 5, 3.3.2.3.2: the receiver MAY check, and then answers 0x99."""
    client = broker.connect(5)
    client.subscribe(broker.topic)
    answer = client.publish(broker.topic, b"\xff\xfe", qos=1, props={"payload_format_indicator": 1})
    assert answer is not None
    if answer.reason_code == 0x99:
        client.expect_nothing()
    else:
        assert client.take().payload == b"\xff\xfe"


# --- overlapping subscriptions ---


@each_version
def test_overlapping_subscriptions_respect_the_highest_qos(
    broker: Broker, version: Version
) -> None:
    client = broker.connect(version)
    topic = f"{broker.topic}/a"
    client.subscribe((topic, 0), (f"{broker.topic}/+", 2), (f"{broker.topic}/#", 1))
    client.publish(topic, b"x", 2)
    came = client.take_all()
    assert max(each.qos for each in came) == 2
    assert {(each.topic, each.payload) for each in came} == {(topic, b"x")}
    assert len(came) in (1, 3)


def test_overlapping_subscriptions_have_all_their_identifiers(broker: Broker) -> None:
    client = broker.connect(5)
    topic = f"{broker.topic}/identified"
    for identifier, topic_filter in (
        (7, topic),
        (8, f"{broker.topic}/+"),
        (268_435_455, "+/identified"),
    ):
        client.subscribe(topic_filter, props={"subscription_identifier": identifier})
    client.subscribe(f"{broker.topic}/#")
    client.publish(topic, b"x")
    came = client.take_all()
    found = [each.properties.get("subscription_identifier", []) for each in came]
    assert sorted(each for some in found for each in some) == [7, 8, 268_435_455]
    assert len(came) == 1 or all(len(each) <= 1 for each in found)


@each_version
def test_topic_of_a_delivery_is_that_of_the_publish(broker: Broker, version: Version) -> None:
    client = broker.connect(version)
    client.subscribe(f"{broker.topic}/+/c", f"{broker.topic}/x/#")
    for topic, times in (("a/c", 1), ("x/c", (1, 2)), ("x", 1), ("a/b", 0)):
        client.publish(f"{broker.topic}/{topic}", b"")
        came = client.take_all()
        assert {each.topic for each in came} <= {f"{broker.topic}/{topic}"}
        assert len(came) in (times if isinstance(times, tuple) else (times,))


# --- topic aliases ---


def test_topic_alias_stands_for_its_topic(broker: Broker) -> None:
    client, watcher = broker.connect(5), broker.connect(5)
    watcher.subscribe(f"{broker.topic}/#", qos=2)
    for topic, alias, expected in (
        ("a", 1, "a"),
        ("", 1, "a"),
        ("b", 2, "b"),
        ("", 1, "a"),
        ("c", 1, "c"),
        ("", 1, "c"),
        ("", 2, "b"),
    ):
        for qos in (0, 1, 2):
            name = f"{broker.topic}/{topic}" if topic else ""
            client.publish(name, b"", qos, props={"topic_alias": alias})
            came = watcher.take()
            assert came.topic == f"{broker.topic}/{expected}"
            assert "topic_alias" not in came.properties, "the watcher wants none"


def test_each_topic_alias_up_to_the_maximum_is_accepted(broker: Broker) -> None:
    client = broker.connect(5)
    assert client.connack is not None
    maximum = client.connack.properties.get("topic_alias_maximum", 0)
    assert maximum, "this broker takes topic aliases"
    client.subscribe(f"{broker.topic}/#")
    for alias in {1, 2, maximum - 1, maximum} - {0}:
        client.publish(f"{broker.topic}/{alias}", b"", props={"topic_alias": alias})
        assert client.take().topic == f"{broker.topic}/{alias}"


@pytest.mark.parametrize("alias", ["zero", "too large", "not set"])
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_wrong_topic_alias_closes(broker: Broker, alias: str, qos: int) -> None:
    client = broker.connect(5)
    assert client.connack is not None
    maximum = client.connack.properties.get("topic_alias_maximum", 0)
    number, topic = {
        "zero": (0, broker.topic),
        "too large": (maximum + 1, broker.topic),
        "not set": (1, ""),
    }[alias]
    client.send_publish(topic, b"x", qos, props={"topic_alias": number})
    client.expect_closed(0x82, 0x94)


def test_topic_aliases_end_with_the_connection(broker: Broker) -> None:
    first = begin(broker, 5)
    first.publish(broker.topic, b"", props={"topic_alias": 1})
    first.disconnect()
    second = broker.connect(5, first.client_id, **keeping(5))
    second.send_publish("", b"", props={"topic_alias": 1})
    second.expect_closed(0x82, 0x94)


def test_topic_aliases_of_clients_are_their_own(broker: Broker) -> None:
    one, other, watcher = (broker.connect(5) for _ in range(3))
    watcher.subscribe(f"{broker.topic}/#")
    one.publish(f"{broker.topic}/one", props={"topic_alias": 1})
    other.publish(f"{broker.topic}/other", props={"topic_alias": 1})
    one.publish("", props={"topic_alias": 1})
    topics = [came.topic.rpartition("/")[2] for came in watcher.take_all()]
    assert topics == ["one", "other", "one"]


@pytest.mark.parametrize("maximum", [None, 0, 1, 3])
def test_topic_aliases_of_the_broker_keep_to_the_clients_maximum(
    broker: Broker, maximum: int | None
) -> None:
    props = {} if maximum is None else {"topic_alias_maximum": maximum}
    client, publisher = broker.connect(5, props=props), broker.connect(5)
    client.subscribe(f"{broker.topic}/#")
    known: dict[int, str] = {}
    for at in [0, 1, 2, 3, 4] * 4 + [0] * 4:
        publisher.publish(f"{broker.topic}/{at}", b"%d" % at)
        came = client.take()
        alias = came.properties.get("topic_alias", 0)
        assert alias <= (maximum or 0)
        if alias and came.topic:
            known[alias] = came.topic
        assert (came.topic or known[alias]) == f"{broker.topic}/{at}"


# --- maximum packet size ---


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_message_too_large_for_a_client_is_not_sent(broker: Broker, qos: int) -> None:
    client = broker.connect(5, props={"maximum_packet_size": 100})
    other, publisher = broker.connect(5), broker.connect(5)
    for each in (client, other):
        each.subscribe(broker.topic, qos=qos)
    fits = 100 - len(octets.publish(5, broker.topic, b"", qos=qos, packet_id=1))
    for size in (200, fits, fits + 1, 1):
        publisher.publish(broker.topic, b"x" * size, qos)
    assert [len(each.payload) for each in client.take_all()] == [fits, 1]
    assert [len(each.payload) for each in other.take_all()] == [200, fits, fits + 1, 1]


def test_messages_too_large_do_not_use_up_the_receive_maximum(broker: Broker) -> None:
    client = broker.connect(5, props={"maximum_packet_size": 100, "receive_maximum": 1})
    client.subscribe(broker.topic, qos=1)
    publisher = broker.connect(5)
    for _ in range(3):
        publisher.publish(broker.topic, b"x" * 200, 1)
    publisher.publish(broker.topic, b"small", 1)
    assert client.take().payload == b"small"


def test_message_too_large_of_a_kept_session_is_not_sent(broker: Broker) -> None:
    first = begin(broker, 5)
    first.subscribe(broker.topic, qos=1)
    first.disconnect()
    publisher = broker.connect(5)
    publisher.publish(broker.topic, b"x" * 200, 1)
    publisher.publish(broker.topic, b"small", 1)
    second = broker.connect(5, first.client_id, **keeping(5, maximum_packet_size=100))
    assert [each.payload for each in second.take_all()] == [b"small"]


def test_retained_message_too_large_for_a_client_is_not_sent(broker: Broker) -> None:
    publisher = broker.connect(5)
    publisher.publish(broker.topic, b"x" * 200, retain=True)
    client = broker.connect(5, props={"maximum_packet_size": 100})
    client.subscribe(broker.topic)
    client.expect_nothing()
    publisher.publish(broker.topic, b"", retain=True)


def test_packet_as_large_as_the_broker_takes_is_taken(broker: Broker) -> None:
    client = broker.connect(5)
    assert client.connack is not None
    maximum = client.connack.properties.get("maximum_packet_size", 268_435_455)
    if maximum > 10_000_000:
        pytest.skip("the broker takes packets of any size that a test would send")
    client.subscribe(broker.topic)
    head = len(octets.publish(5, broker.topic, b"x" * 200_000)) - 200_000
    payload = b"x" * (maximum - head - 1 * (maximum >= 2_097_152))
    data = octets.publish(5, broker.topic, payload)
    assert len(data) == maximum
    client.write(data)
    assert client.take().payload == payload


def test_packet_larger_than_the_broker_takes_closes(broker: Broker) -> None:
    client = broker.connect(5)
    assert client.connack is not None
    maximum = client.connack.properties.get("maximum_packet_size", 268_435_455)
    if maximum > 10_000_000:
        pytest.skip("the broker takes packets of any size that a test would send")
    client.write(b"\x30" + octets.varint(maximum) + b"\0\1t\0")
    client.expect_closed(0x95)


# --- message expiry ---


@meanwhile(5)
def test_expired_message_is_not_delivered(broker: Broker, version: Version) -> None:
    first = begin(broker, version)
    first.subscribe(broker.topic, qos=2)
    first.disconnect()
    publisher = broker.connect(version)
    for qos in (1, 2):
        publisher.publish(broker.topic, b"short", qos, props={"message_expiry_interval": 1})
        publisher.publish(broker.topic, b"long", qos, props={"message_expiry_interval": 60})
        publisher.publish(broker.topic, b"for ever", qos)
    time.sleep(2.1)
    second = broker.connect(version, first.client_id, **keeping(version))
    came = [second.take() for _ in range(4)]
    assert [each.payload for each in came] == [b"long", b"for ever"] * 2
    second.expect_nothing()
    left = [each.properties.get("message_expiry_interval") for each in came]
    assert left[1] is None
    assert all(each is not None and 55 <= each <= 58 for each in left[::2]), "less the wait"


@meanwhile(5)
def test_expired_retained_message_is_not_delivered(broker: Broker, version: Version) -> None:
    client = broker.connect(version)
    for name, interval_s in (("short", 1), ("long", 60)):
        client.publish(
            f"{broker.topic}/{name}",
            name.encode(),
            retain=True,
            props={"message_expiry_interval": interval_s},
        )
    time.sleep(2.1)
    client.subscribe(f"{broker.topic}/#")
    (came,) = client.take_all()
    assert came.payload == b"long"
    assert 55 <= came.properties["message_expiry_interval"] <= 58


@meanwhile(5)
def test_message_that_waits_for_the_quota_expires(broker: Broker, version: Version) -> None:
    client = broker.connect(version, props={"receive_maximum": 1})
    client.subscribe(broker.topic, qos=1)
    publisher = broker.connect(version)
    publisher.publish(broker.topic, b"on its way", 1)
    first = client.take(acknowledged=False)
    publisher.publish(broker.topic, b"short", 1, props={"message_expiry_interval": 1})
    publisher.publish(broker.topic, b"for ever", 1)
    time.sleep(2.1)
    client.acknowledge(Kind.PUBACK, first.packet_id)
    assert client.take().payload == b"for ever"


@meanwhile(5)
def test_message_that_was_sent_does_not_expire(broker: Broker, version: Version) -> None:
    """MQTT 5, 4.3.3: the exchange goes on, and the message is sent again."""
    first = begin(broker, version)
    first.subscribe(broker.topic, qos=2)
    publisher = broker.connect(version)
    publisher.publish(broker.topic, b"x", 2, props={"message_expiry_interval": 1})
    sent = first.take(acknowledged=False)
    first.lose()
    time.sleep(2.1)
    second = broker.connect(version, first.client_id, **keeping(version))
    again = second.take()
    assert (again.packet_id, again.payload, again.dup) == (sent.packet_id, b"x", True)


def test_expiry_of_what_is_delivered_at_once_is_what_was_sent(broker: Broker) -> None:
    client = broker.connect(5)
    client.subscribe(broker.topic)
    for interval_s in (0xFFFFFFFF, 100):
        client.publish(broker.topic, props={"message_expiry_interval": interval_s})
        left = client.take().properties["message_expiry_interval"]
        assert interval_s - 1 <= left <= interval_s
