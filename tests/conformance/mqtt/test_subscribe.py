"""SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK, PINGREQ. Source: MQTT 5 and 3.1.1, 3.8 to 3.13."""

import pytest
from tests.conformance.mqtt.keeping import begin, each_version, resume
from tests.conformance.mqtt.octets import (
    PINGREQ,
    options,
    packet,
    property_octets,
    sized,
    subscribe,
    two,
    unsubscribe,
    varint,
)
from tests.conformance.mqtt.topic_cases import NOT_UTF_8
from tests.conformance.mqtt.wire import Broker, Client, Closed, Kind, unique

since_3_1_1 = pytest.mark.parametrize("version", [4, 5])  # 3.1 lets these bits be anything
MALFORMED, PROTOCOL_ERROR = 0x81, 0x82
PROPERTY_IN_WRONG_PLACE = [
    ("payload_format_indicator", 1),
    ("message_expiry_interval", 9),
    ("content_type", "x"),
    ("response_topic", "x"),
    ("correlation_data", b"x"),
    ("session_expiry_interval", 9),
    ("authentication_method", "x"),
    ("will_delay_interval", 9),
    ("server_reference", "x"),
    ("reason_string", "x"),
    ("receive_maximum", 9),
    ("topic_alias", 1),
    ("maximum_qos", 1),
    ("maximum_packet_size", 99),
    ("shared_subscription_available", 1),
]


def refused(broker: Broker, version: int, data: bytes, *codes: int) -> None:
    """A client that sends this is disconnected."""
    client = broker.connect(version)
    client.write(data)
    client.expect_closed(*codes)


# What is malformed


@since_3_1_1
@pytest.mark.parametrize("flags", [flags for flags in range(16) if flags != 2])
@pytest.mark.parametrize("kind", [Kind.SUBSCRIBE, Kind.UNSUBSCRIBE])
def test_reserved_bits_of_the_fixed_header_are_0010(
    broker: Broker, version: int, kind: Kind, flags: int
) -> None:
    """[MQTT-3.8.1-1] [MQTT-3.10.1-1]."""
    right = (subscribe if kind == Kind.SUBSCRIBE else unsubscribe)(
        version,
        1,
        [("a", 0)] if kind == Kind.SUBSCRIBE else ["a"],  # type: ignore[arg-type] # by kind
    )
    refused(broker, version, bytes((kind << 4 | flags,)) + right[1:], MALFORMED)


@since_3_1_1
def test_without_a_topic_filter_they_are_refused(broker: Broker, version: int) -> None:
    """[MQTT-3.8.3-2] [MQTT-3.10.3-2]; 3.1.1: 3.8.3-3, 3.10.3-2."""
    for data in (subscribe(version, 1, []), unsubscribe(version, 1, [])):
        refused(broker, version, data, MALFORMED, PROTOCOL_ERROR)


@each_version
def test_packet_identifier_0_is_refused(broker: Broker, version: int) -> None:
    """[MQTT-2.2.1-3]."""
    for data in (subscribe(version, 0, [("a", 0)]), unsubscribe(version, 0, ["a"])):
        refused(broker, version, data, MALFORMED, PROTOCOL_ERROR)


@each_version
@pytest.mark.parametrize(("octets", "why"), NOT_UTF_8)
def test_topic_filters_are_utf_8(broker: Broker, version: int, octets: bytes, why: str) -> None:
    """[MQTT-3.8.3-1] [MQTT-3.10.3-1] [MQTT-1.5.4-1] [MQTT-1.5.4-2]."""
    for data in (subscribe(version, 1, [(octets, 0)]), unsubscribe(version, 1, [octets])):
        refused(broker, version, data, MALFORMED, 0x8F)


@since_3_1_1
@pytest.mark.parametrize("octet", [0x03, 0x40, 0x80, 0xC0, 0xFF])
def test_qos_3_and_reserved_bits_of_the_options_are_refused(
    broker: Broker, version: int, octet: int
) -> None:
    """[MQTT-3.8.3-5]; 3.1.1: 3.8.3-4; the second of two filters as well."""
    for pairs in ([("a", octet)], [("a", 0), ("b", octet)]):
        refused(broker, version, subscribe(version, 1, pairs), MALFORMED, PROTOCOL_ERROR)


@pytest.mark.parametrize("octet", [0x04, 0x08, 0x10, 0x20, 0x2C])
def test_options_of_version_5_are_reserved_bits_in_3_1_1(broker: Broker, octet: int) -> None:
    """3.1.1: 3.8.3-4."""
    refused(broker, 4, subscribe(4, 1, [("a", octet)]))


def test_retain_handling_3_is_refused(broker: Broker) -> None:
    """MQTT 5, 3.8.3.1: a Protocol Error."""
    refused(broker, 5, subscribe(5, 1, [("a", 0x30)]), MALFORMED, PROTOCOL_ERROR)


@each_version
def test_what_ends_too_early_or_too_late_is_refused(broker: Broker, version: int) -> None:
    """[MQTT-4.13.1-1]; 3.1.1: 4.8.0-1."""
    none = b"\0" if version == 5 else b""
    wrong = [
        packet(0x82, b""),
        packet(0x82, b"\0"),
        packet(0x82, two(1) + none + b"\0"),
        packet(0x82, two(1) + none + two(2) + b"a"),
        packet(0x82, two(1) + none + sized("a")),
        packet(0x82, two(1) + none + sized("a") + b"\0" + b"\0"),
        packet(0xA2, b"\0"),
        packet(0xA2, two(1) + none + two(2) + b"a"),
        packet(0xA2, two(1) + none + sized("a") + b"\0"),
    ]
    if version == 5:
        wrong += [packet(0x82, two(1)), packet(0xA2, two(1))]
        wrong += [packet(first, two(1) + b"\x7f" + sized("a") + b"\0") for first in (0x82, 0xA2)]
        wrong += [
            packet(first, two(1) + b"\x80" * 4 + sized("a") + b"\0") for first in (0x82, 0xA2)
        ]
    for data in wrong:
        refused(broker, version, data, MALFORMED, PROTOCOL_ERROR)


@pytest.mark.parametrize(
    "props",
    [
        property_octets("subscription_identifier", 0),
        property_octets("subscription_identifier", [1, 2]),
        b"\x0b\xff\xff\xff\xff\x01",
        b"\x0b",
        b"\x26\x00\x01a\x00\x02b",
        b"\x7f\x00",
        *(property_octets(*each) for each in PROPERTY_IN_WRONG_PLACE),
    ],
)
def test_wrong_properties_of_subscribe_are_refused(broker: Broker, props: bytes) -> None:
    """MQTT 5, 3.8.2.1 and 2.2.2.2."""
    refused(broker, 5, subscribe(5, 1, [("a", 0)], props), MALFORMED, PROTOCOL_ERROR)


@pytest.mark.parametrize(
    "props",
    [
        property_octets("subscription_identifier", 1),
        *(property_octets(*each) for each in PROPERTY_IN_WRONG_PLACE),
    ],
)
def test_wrong_properties_of_unsubscribe_are_refused(broker: Broker, props: bytes) -> None:
    """MQTT 5, 3.10.2.1 and 2.2.2.2."""
    refused(broker, 5, unsubscribe(5, 1, ["a"], props), MALFORMED, PROTOCOL_ERROR)


@each_version
@pytest.mark.parametrize("kind", [Kind.CONNACK, Kind.SUBACK, Kind.UNSUBACK, Kind.PINGRESP])
def test_a_client_does_not_send_what_servers_send(broker: Broker, version: int, kind: Kind) -> None:
    """MQTT 5, 2.1.2: a direction that is not allowed is a Protocol Error."""
    bodies = {Kind.CONNACK: b"\0\0", Kind.PINGRESP: b"", Kind.UNSUBACK: two(1)}
    body = bodies.get(kind, two(1) + b"\0")
    if version == 5 and body:
        body += b"\0"
    refused(broker, version, packet(kind << 4, body), MALFORMED, PROTOCOL_ERROR)


# SUBACK


@each_version
def test_suback_has_the_packet_identifier_and_a_code_for_each_filter_in_order(
    broker: Broker, version: int
) -> None:
    """[MQTT-3.8.4-1] [MQTT-3.8.4-2] [MQTT-3.8.4-5] [MQTT-3.8.4-6] [MQTT-3.9.3-1]."""
    client = broker.connect(version)
    wanted = [2, 0, 1, 1, 0, 2, 0]
    pairs = [(f"{broker.topic}/{number}", qos) for number, qos in enumerate(wanted)]
    for packet_id in (1, 65_535, 256):
        client.write(subscribe(version, packet_id, pairs))
        answer = client.read()
        assert (answer.kind, answer.packet_id) == (Kind.SUBACK, packet_id)
        assert answer.reason_codes == wanted  # [MQTT-3.8.4-7] [MQTT-3.9.3-2]
    client.expect_nothing()


@each_version
def test_many_filters_in_one_packet_are_all_subscribed_to(broker: Broker, version: int) -> None:
    """[MQTT-3.8.4-5]."""
    client, other = broker.connect(version), broker.connect(version)
    filters = [f"{broker.topic}/{number}" for number in range(300)]
    assert client.subscribe(*filters, qos=1).reason_codes == [1] * 300
    other.publish(filters[0], b"first", qos=1)
    other.publish(filters[-1], b"last", qos=1)
    assert [came.payload for came in client.take_all()] == [b"first", b"last"]


@each_version
def test_the_same_filter_twice_in_one_packet_is_as_two_packets(
    broker: Broker, version: int
) -> None:
    """[MQTT-3.8.4-5] with [MQTT-3.8.4-3]."""
    client, other = broker.connect(version), broker.connect(version)
    topic = broker.topic
    assert client.subscribe((topic, 0), (topic, 1)).reason_codes == [0, 1]
    other.publish(topic, b"x", qos=2)
    assert [came.qos for came in client.take_all()] == [1]


@each_version
@pytest.mark.parametrize("published", [0, 1, 2])
@pytest.mark.parametrize("granted", [0, 1, 2])
def test_qos_is_the_lower_of_the_published_and_the_granted(
    broker: Broker, version: int, granted: int, published: int
) -> None:
    """[MQTT-3.8.4-8]; 3.1.1: 3.8.4-6."""
    client, other = broker.connect(version), broker.connect(version)
    assert client.subscribe(broker.topic, qos=granted).reason_codes == [granted]
    other.publish(broker.topic, b"x", qos=published)
    came = client.take()
    assert (came.qos, came.dup, came.retain) == (min(granted, published), False, False)
    client.expect_nothing()


def test_suback_and_unsuback_are_never_larger_than_the_client_takes(broker: Broker) -> None:
    """[MQTT-3.9.2-1] [MQTT-3.9.2-2] [MQTT-3.11.2-1] [MQTT-3.11.2-2] [MQTT-3.1.2-24]."""
    client = broker.connect(props={"maximum_packet_size": 24})
    filters = [f"{broker.topic}/{number}" for number in range(10)]
    assert client.subscribe(*filters).reason_codes == [0] * 10
    assert client.unsubscribe(*filters, "unknown").reason_codes == [0] * 10 + [0x11]
    client.write(subscribe(5, 9, [(name, 0) for name in filters * 3]))
    client.write(PINGREQ)
    try:
        while (raw := client.read_raw()) != b"\xd0\x00":
            assert len(raw) <= 24
    except Closed:
        return  # there is no other way to say that there is no answer


# Replacing a subscription


@each_version
def test_the_same_filter_again_replaces_the_subscription(broker: Broker, version: int) -> None:
    """[MQTT-3.8.4-3]."""
    client, other = broker.connect(version), broker.connect(version)
    for qos in (0, 2, 1):
        client.subscribe(f"{broker.topic}/+", qos=qos)
        other.publish(f"{broker.topic}/a", b"x", qos=2)
        assert [came.qos for came in client.take_all()] == [qos]
    client.unsubscribe(f"{broker.topic}/+")
    other.publish(f"{broker.topic}/a", b"x", qos=2)
    client.expect_nothing()


@each_version
def test_replacing_a_subscription_sends_retained_messages_again(
    broker: Broker, version: int
) -> None:
    """[MQTT-3.8.4-4]; 3.1.1: 3.8.4-3."""
    client, other = broker.connect(version), broker.connect(version)
    other.publish(broker.topic, b"kept", qos=1, retain=True)
    for _ in range(3):
        client.subscribe(broker.topic, qos=1)
        assert [(came.payload, came.retain) for came in client.take_all()] == [(b"kept", True)]


@each_version
def test_no_message_is_lost_while_a_subscription_is_replaced(broker: Broker, version: int) -> None:
    """[MQTT-3.8.4-4]; 3.1.1: 3.8.4-3."""
    client, other = broker.connect(version), broker.connect(version)
    client.subscribe(broker.topic, qos=1)
    for number in range(50):
        other.send_publish(broker.topic, str(number).encode(), qos=1)
        pairs = [(broker.topic, 1 + number % 2)]
        client.write(subscribe(version, client.next_packet_id(), pairs))
    other.settle()
    for _ in range(50):
        client.wait_for(Kind.SUBACK)
    payloads = [client.take().payload for _ in range(50)]
    assert payloads == [str(number).encode() for number in range(50)]
    client.expect_nothing()


def test_a_replaced_subscription_has_the_options_and_the_identifier_of_the_new_one(
    broker: Broker,
) -> None:
    """[MQTT-3.8.4-3]; MQTT 5, 3.8.2.1.2."""
    client, other = broker.connect(), broker.connect()
    steps: list[tuple[dict[str, int], list[int] | None]] = [
        ({"subscription_identifier": 1}, [1]),
        ({"subscription_identifier": 268_435_455}, [268_435_455]),
        ({}, None),
        ({"subscription_identifier": 128}, [128]),
    ]
    for props, identifiers in steps:
        client.subscribe(broker.topic, props=props)
        other.publish(broker.topic, b"x")
        [came] = client.take_all()
        assert came.properties.get("subscription_identifier") == identifiers
    client.subscribe(broker.topic, no_local=True)
    client.publish(broker.topic, b"mine")
    client.expect_nothing()
    client.subscribe(broker.topic)
    client.publish(broker.topic, b"mine")
    assert [came.payload for came in client.take_all()] == [b"mine"]


# Options


def test_no_local_keeps_a_client_from_its_own_messages(broker: Broker) -> None:
    """[MQTT-3.8.3-3]."""
    client, other = broker.connect(), broker.connect()
    client.subscribe(broker.topic, qos=2, no_local=True)
    other.subscribe(broker.topic, qos=2)
    for qos in (0, 1, 2):
        client.publish(broker.topic, b"mine", qos=qos)
        other.publish(broker.topic, b"others", qos=qos)
    assert [came.payload for came in client.take_all()] == [b"others"] * 3
    assert [came.payload for came in other.take_all()] == [b"mine", b"others"] * 3


def test_no_local_is_a_matter_of_the_client_identifier(broker: Broker) -> None:
    """[MQTT-3.8.3-3]: a later connection of the same client."""
    name = unique()
    client = begin(broker, 5, name)
    client.subscribe(broker.topic, qos=1, no_local=True)
    client.disconnect()
    again = resume(broker, 5, name)
    again.publish(broker.topic, b"mine", qos=1)
    again.expect_nothing()


def test_no_local_of_one_subscription_leaves_another_alone(broker: Broker) -> None:
    """[MQTT-3.8.3-3]: overlapping subscriptions, one without it."""
    client = broker.connect()
    client.subscribe(broker.topic, no_local=True, props={"subscription_identifier": 1})
    client.subscribe(f"{broker.topic}/#", props={"subscription_identifier": 2})
    client.publish(broker.topic, b"mine")
    [came] = client.take_all()
    assert came.properties["subscription_identifier"] == [2]


def test_no_local_on_a_shared_subscription_is_refused(broker: Broker) -> None:
    """[MQTT-3.8.3-4]."""
    wrong = subscribe(5, 1, [(f"$share/g/{broker.topic}", options(no_local=True))])
    refused(broker, 5, wrong, PROTOCOL_ERROR)


def test_subscription_identifiers_tell_which_subscription_a_message_is_for(broker: Broker) -> None:
    """MQTT 5, 3.8.2.1.2; [MQTT-3.3.4-3]."""
    client, other = broker.connect(), broker.connect()
    client.subscribe(f"{broker.topic}/a", f"{broker.topic}/b", props={"subscription_identifier": 7})
    client.subscribe(f"{broker.topic}/c", props={"subscription_identifier": 300})
    client.subscribe(f"{broker.topic}/d")
    for name in "abcd":
        other.publish(f"{broker.topic}/{name}", name.encode(), qos=1)
    identifiers = [came.properties.get("subscription_identifier") for came in client.take_all()]
    assert identifiers == [[7], [7], [300], None]


def test_user_properties_of_subscribe_and_unsubscribe_are_taken(broker: Broker) -> None:
    """MQTT 5, 3.8.2.1.3 and 3.10.2.1.2."""
    client = broker.connect()
    props = {"user_property": [("a", "1"), ("a", "2"), ("", "")]}
    assert client.subscribe(broker.topic, props=props).reason_codes == [0]
    assert client.unsubscribe(broker.topic, props=props).reason_codes == [0]


# UNSUBSCRIBE


@each_version
def test_unsuback_has_the_packet_identifier_and_codes_in_order(
    broker: Broker, version: int
) -> None:
    """[MQTT-3.10.4-4] [MQTT-3.10.4-5] [MQTT-3.11.3-1] [MQTT-3.11.3-2]; none before version 5."""
    client = broker.connect(version)
    filters = [f"{broker.topic}/{number}" for number in range(5)]
    client.subscribe(*filters[1::2])
    for packet_id, codes in ((65_535, [0x11, 0, 0x11, 0, 0x11]), (1, [0x11] * 5)):
        client.write(unsubscribe(version, packet_id, filters))
        answer = client.read()
        assert (answer.kind, answer.packet_id) == (Kind.UNSUBACK, packet_id)
        assert answer.reason_codes == (codes if version == 5 else [])
    client.expect_nothing()


@each_version
def test_unsubscribe_compares_character_by_character(broker: Broker, version: int) -> None:
    """[MQTT-3.10.4-1]."""
    client, other = broker.connect(version), broker.connect(version)
    topic = broker.topic
    client.subscribe(f"{topic}/+/b", f"{topic}/a/#")
    for near in (f"{topic}/a/b", f"{topic}/#", f"{topic}/+/+", f"{topic}/a/+", f"{topic}/+/B", "#"):
        client.unsubscribe(near)
    other.publish(f"{topic}/x/b", b"1")
    other.publish(f"{topic}/a/x", b"2")
    assert [came.payload for came in client.take_all()] == [b"1", b"2"]
    client.unsubscribe(f"{topic}/+/b")
    other.publish(f"{topic}/x/b", b"1")
    other.publish(f"{topic}/a/x", b"2")
    assert [came.payload for came in client.take_all()] == [b"2"]


@each_version
def test_unsubscribe_of_many_filters_is_as_many_packets(broker: Broker, version: int) -> None:
    """[MQTT-3.10.4-6]: the same one twice is found only once."""
    client, other = broker.connect(version), broker.connect(version)
    client.subscribe(broker.topic, f"{broker.topic}/a", f"{broker.topic}/b")
    answer = client.unsubscribe(broker.topic, broker.topic, f"{broker.topic}/a")
    assert answer.reason_codes == ([0, 0x11, 0] if version == 5 else [])
    for name in (broker.topic, f"{broker.topic}/a", f"{broker.topic}/b"):
        other.publish(name, name.encode())
    assert [came.topic for came in client.take_all()] == [f"{broker.topic}/b"]


@each_version
def test_no_new_messages_come_after_unsuback(broker: Broker, version: int) -> None:
    """[MQTT-3.10.4-2]."""
    client, other = broker.connect(version), broker.connect(version)
    client.subscribe(broker.topic, qos=2)
    other.publish(broker.topic, b"before", qos=2)
    client.unsubscribe(broker.topic)
    for qos in (0, 1, 2):
        other.publish(broker.topic, b"after", qos=qos)
    assert [came.payload for came in client.take_all()] == [b"before"]


@each_version
def test_what_is_on_its_way_is_delivered_in_spite_of_unsubscribe(
    broker: Broker, version: int
) -> None:
    """[MQTT-3.10.4-3]: to the end of QoS 2, also in a later connection."""
    name = unique()
    client, other = begin(broker, version, name), broker.connect(version)
    client.subscribe(broker.topic, qos=2)
    other.publish(broker.topic, b"one", qos=1)
    other.publish(broker.topic, b"two", qos=2)
    sent = [client.take(acknowledged=False) for _ in range(2)]
    assert [came.payload for came in sent] == [b"one", b"two"]
    client.unsubscribe(broker.topic)
    client.acknowledge(Kind.PUBREC, sent[1].packet_id)
    assert client.read().kind == Kind.PUBREL
    client.lose()
    again = resume(broker, version, name)
    first, second = sorted((again.read(), again.read()), key=lambda came: came.kind)
    assert (first.kind, first.packet_id, first.dup) == (Kind.PUBLISH, sent[0].packet_id, True)
    assert (second.kind, second.packet_id) == (Kind.PUBREL, sent[1].packet_id)
    again.acknowledge(Kind.PUBACK, first.packet_id)
    again.acknowledge(Kind.PUBCOMP, second.packet_id)
    again.expect_nothing()


# PINGREQ


@each_version
def test_each_pingreq_has_its_pingresp(broker: Broker, version: int) -> None:
    """[MQTT-3.12.4-1]."""
    client = broker.connect(version)
    client.write(PINGREQ * 1000)
    assert b"".join(client.read_raw() for _ in range(1000)) == b"\xd0\x00" * 1000


@since_3_1_1
def test_pingreq_has_neither_flags_nor_a_body(broker: Broker, version: int) -> None:
    """[MQTT-2.1.3-1]; MQTT 5, 3.12.1."""
    for data in (b"\xc1\x00", b"\xc2\x00", b"\xc8\x00"):
        refused(broker, version, data, MALFORMED, PROTOCOL_ERROR)
    for data in (b"\xc0\x01\x00", b"\xc0\x02\x00\x00"):
        refused(broker, version, data)


@each_version
def test_requests_in_one_segment_are_answered_in_order(broker: Broker, version: int) -> None:
    """[MQTT-3.8.4-5]: each packet by itself."""
    client: Client = broker.connect(version)
    data = b""
    for number in range(1, 100, 3):
        data += subscribe(version, number, [(f"{broker.topic}/{number}", 1)])
        data += unsubscribe(version, number + 1, [f"{broker.topic}/{number}"]) + PINGREQ
    client.write(data)
    for number in range(1, 100, 3):
        kinds = [(Kind.SUBACK, number), (Kind.UNSUBACK, number + 1), (Kind.PINGRESP, 0)]
        assert [(came.kind, came.packet_id) for came in (client.read() for _ in "123")] == kinds


def test_the_largest_subscription_identifier_has_four_octets(broker: Broker) -> None:
    """MQTT 5, 3.8.2.1.2: 1 to 268,435,455."""
    assert varint(268_435_455) == b"\xff\xff\xff\x7f"
    client, other = broker.connect(), broker.connect()
    client.subscribe(broker.topic, props={"subscription_identifier": 268_435_455})
    other.publish(broker.topic, b"x")
    assert client.take().properties["subscription_identifier"] == [268_435_455]
