"""Topic names and topic filters. Source: MQTT 5 and 3.1.1, 4.7."""

import pytest
from tests.conformance.mqtt.octets import publish, subscribe, unsubscribe
from tests.conformance.mqtt.topic_cases import (
    INVALID_FILTERS,
    INVALID_NAMES,
    MATCHES,
    MISMATCHES,
    NOT_UTF_8,
)
from tests.conformance.mqtt.wire import VERSIONS, Broker, Client, Closed, Kind, unique

each_version = pytest.mark.parametrize("version", VERSIONS)
since_3_1_1 = pytest.mark.parametrize("version", [4, 5])
MALFORMED, PROTOCOL_ERROR, FILTER_INVALID, NAME_INVALID = 0x81, 0x82, 0x8F, 0x90
TEXT_BYTES_MAX = 65_535


def ids(table: list[tuple[str, str, str]]) -> list[str]:
    return [f"{clause} {topic_filter!a} {topic!a}" for topic_filter, topic, clause in table]


def received(client: Client, payload: bytes) -> list[str]:
    """Topics of the messages with a payload; others may be others' here."""
    return [came.topic for came in client.take_all() if came.payload == payload]


@pytest.mark.parametrize(("topic_filter", "topic", "clause"), MATCHES, ids=ids(MATCHES))
def test_a_filter_matches(broker: Broker, topic_filter: str, topic: str, clause: str) -> None:
    """[MQTT-4.7.1-1] [MQTT-4.7.1-2] [MQTT-4.7.3-4] [MQTT-3.3.2-3]."""
    client, other, mark = broker.connect(), broker.connect(), unique().encode()
    granted = client.subscribe(topic_filter).reason_codes
    answer = other.publish(topic, mark, qos=1)
    assert answer is not None
    if topic.startswith("$") and answer.reason_code >= 0x80:
        assert received(client, mark) == []  # MQTT 5, 4.7.2: servers may keep them to themselves
        return
    assert granted == [0]
    assert received(client, mark) == [topic]
    assert client.unsubscribe(topic_filter).reason_codes == [0]
    other.publish(topic, mark, qos=1)
    assert received(client, mark) == []


@pytest.mark.parametrize(("topic_filter", "topic", "clause"), MISMATCHES, ids=ids(MISMATCHES))
def test_a_filter_does_not_match(
    broker: Broker, topic_filter: str, topic: str, clause: str
) -> None:
    """[MQTT-4.7.1-1] [MQTT-4.7.1-2] [MQTT-4.7.2-1] [MQTT-4.7.3-4]."""
    client, other, mark = broker.connect(), broker.connect(), unique().encode()
    client.subscribe(topic_filter)
    other.publish(topic, mark, qos=1)
    assert received(client, mark) == []


@each_version
def test_what_is_retained_is_found_by_the_same_rules(broker: Broker, version: int) -> None:
    """Chapter 4.7 for [MQTT-3.3.1-9]: every filter of the tables below a level of its own.

    3.1.1: 4.7.1-2, 4.7.1-3.
    """
    publisher, client = broker.connect(version), broker.connect(version)
    rows = [(row, True) for row in MATCHES] + [(row, False) for row in MISMATCHES]
    for (topic_filter, topic, _), does_match in rows:
        level = unique("r")
        publisher.publish(f"{level}/{topic}", b"x", qos=1, retain=True)
        client.subscribe(f"{level}/{topic_filter}")
        found = [came.topic for came in client.take_all()]
        is_of_dollar = topic.startswith("$") and not does_match  # not at the beginning any more
        if not is_of_dollar:
            assert found == ([f"{level}/{topic}"] if does_match else []), topic_filter
        client.unsubscribe(f"{level}/{topic_filter}")
        publisher.publish(f"{level}/{topic}", b"", qos=1, retain=True)


@since_3_1_1
@pytest.mark.parametrize(("topic_filter", "clause"), INVALID_FILTERS)
def test_an_invalid_filter_is_refused(
    broker: Broker, version: int, topic_filter: str, clause: str
) -> None:
    """[MQTT-4.7.1-1] [MQTT-4.7.1-2] [MQTT-4.7.3-1] [MQTT-4.7.3-2]; also beside a valid one."""
    for data in (
        subscribe(version, 1, [(topic_filter, 0)]),
        subscribe(version, 1, [("valid", 0), (topic_filter, 0)]),
        unsubscribe(version, 1, [topic_filter]),
    ):
        client = broker.connect(version)
        client.write(data)
        client.expect_closed(MALFORMED, PROTOCOL_ERROR, FILTER_INVALID)


@each_version
@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize(("topic", "clause"), INVALID_NAMES)
def test_an_invalid_name_is_refused(
    broker: Broker, version: int, topic: str, clause: str, qos: int
) -> None:
    """[MQTT-4.7.0-1] [MQTT-4.7.3-1] [MQTT-4.7.3-2]; 3.1.1: 4.7.1-1."""
    client = broker.connect(version)
    client.write(publish(version, topic, b"x", qos=qos, packet_id=1))
    client.expect_closed(MALFORMED, PROTOCOL_ERROR, NAME_INVALID)


@each_version
@pytest.mark.parametrize(("topic", "why"), NOT_UTF_8)
def test_a_name_is_utf_8(broker: Broker, version: int, topic: bytes, why: str) -> None:
    """[MQTT-4.7.3-3] [MQTT-1.5.4-1]."""
    client = broker.connect(version)
    client.write(publish(version, topic, b"x"))
    client.expect_closed(MALFORMED, NAME_INVALID)


@pytest.mark.parametrize("topic", ["a/#", "+", "a/+/b", ""])
def test_a_response_topic_is_a_topic_name(broker: Broker, topic: str) -> None:
    """[MQTT-3.3.2-14]; MQTT 5, 4.10."""
    client = broker.connect()
    client.write(publish(5, broker.topic, b"x", props={"response_topic": topic}))
    client.expect_closed(MALFORMED, PROTOCOL_ERROR, NAME_INVALID)


@each_version
@pytest.mark.parametrize("level_bytes", [65_535, 600])
def test_the_longest_topic_is_passed_on(broker: Broker, version: int, level_bytes: int) -> None:
    """[MQTT-4.7.3-3]: up to 65,535 bytes; in one level, or in a hundred."""
    levels = (broker.topic + "/" + ("a" * level_bytes + "/") * 120).encode()[:TEXT_BYTES_MAX]
    topic = levels.decode().rstrip("/").ljust(TEXT_BYTES_MAX, "b")
    client, other = broker.connect(version), broker.connect(version)
    assert client.subscribe(topic, qos=1).reason_codes == [1]
    other.publish(topic, b"x", qos=1, retain=True)
    came = client.take()
    assert (came.topic, came.payload) == (topic, b"x")
    client.unsubscribe(topic)
    client.subscribe(f"{broker.topic}/#", qos=1)
    assert [came.topic for came in client.take_all()] == [topic]


@each_version
def test_the_deepest_topic_is_passed_on_or_refused(broker: Broker, version: int) -> None:
    """MQTT 5, 4.7.3: no limit on levels but the length; a limit of a server's is told."""
    topic = "/" * TEXT_BYTES_MAX
    client, other = broker.connect(version), broker.connect(version)
    try:
        is_granted = client.subscribe(topic, qos=1).reason_codes[0] < 0x80
        answer = other.publish(topic, b"x", qos=1)
        assert answer is not None
        if is_granted and answer.reason_code < 0x80:
            assert [came.topic for came in client.take_all()] == [topic]
    except Closed:
        pass
    except AssertionError:
        assert client.inbox
        assert client.inbox[0].kind == Kind.DISCONNECT
    bystander = broker.connect(version)
    bystander.subscribe(broker.topic)
    bystander.publish(broker.topic, b"x")
    assert bystander.take().payload == b"x"


@each_version
def test_names_are_case_sensitive_and_may_have_spaces_and_any_script(
    broker: Broker, version: int
) -> None:
    """[MQTT-4.7.3-4]; MQTT 5, 4.7.3."""
    client, other = broker.connect(version), broker.connect(version)
    names = ["a", "A", "a b", " a", "a ", "é", "e\u0301", "日本/語", "𝄞", "a\ufeff", "", "/", "a//"]
    topics = [f"{broker.topic}/{name}" for name in names]
    for subscribed in topics:
        client.subscribe(subscribed)
        for topic in topics:
            other.send_publish(topic, topic.encode())
        other.settle()
        assert [(came.topic, came.payload) for came in client.take_all()] == [
            (subscribed, subscribed.encode())
        ]
        client.unsubscribe(subscribed)


@each_version
def test_an_answer_finds_its_way_to_who_asked(broker: Broker, version: int) -> None:
    """MQTT 5, 4.10: request and response; by convention of payloads before."""
    asks, answers = broker.connect(version), broker.connect(version)
    response_topic, question = f"{broker.topic}/answers/1", f"{broker.topic}/questions"
    asks.subscribe(response_topic, qos=1)
    answers.subscribe(question, qos=1)
    props = {"response_topic": response_topic, "correlation_data": b"\x00\x01\xff"}
    asks.publish(question, response_topic.encode(), 1, props=props if version == 5 else b"")
    came = answers.take()
    if version == 5:
        assert came.properties == props
        props = {"correlation_data": came.properties["correlation_data"]}
    answers.publish(came.payload.decode(), b"42", 1, props=props if version == 5 else b"")
    answer = asks.take()
    assert answer.payload == b"42"
    assert version < 5 or answer.properties == {"correlation_data": b"\x00\x01\xff"}
