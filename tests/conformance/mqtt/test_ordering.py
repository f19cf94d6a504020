"""Order of messages. Source: MQTT 5 and 3.1.1, 4.6."""

import pytest
from tests.conformance.mqtt.keeping import begin, each_version, lose, resume, settle_kept
from tests.conformance.mqtt.octets import Kind, acknowledgement, publish
from tests.conformance.mqtt.wire import Broker, Client, Packet, unique

COUNT = 60


def numbers(packets: list[Packet]) -> list[int]:
    return [int(came.payload) for came in packets]


def take(client: Client, count: int) -> list[Packet]:
    """So many messages, each acknowledged as it comes."""
    return [client.take() for _ in range(count)]


@each_version
@pytest.mark.parametrize("granted", [0, 1, 2])
def test_messages_of_a_topic_and_qos_keep_their_order(
    broker: Broker, version: int, granted: int
) -> None:
    """[MQTT-4.6.0-5] [MQTT-4.6.0-6]."""
    client, other = broker.connect(version), broker.connect(version)
    client.subscribe(broker.topic, qos=granted)
    for number in range(COUNT):
        other.publish(broker.topic, str(number).encode(), qos=number % 3)
    taken = take(client, COUNT)
    client.expect_nothing()
    for published in range(3):
        part = [int(came.payload) for came in taken if int(came.payload) % 3 == published]
        assert part == list(range(published, COUNT, 3))


@each_version
def test_each_publishers_order_is_kept(broker: Broker, version: int) -> None:
    """[MQTT-4.6.0-5]: received from any given client."""
    client = broker.connect(version)
    client.subscribe(broker.topic, qos=1)
    others = [broker.connect(version) for _ in range(3)]
    for number in range(0, COUNT, 3):
        for at, other in enumerate(others):
            other.send_publish(broker.topic, str(number + at).encode(), qos=1)
    taken = numbers(take(client, COUNT))
    for at in range(3):
        assert [number for number in taken if number % 3 == at] == list(range(at, COUNT, 3))


@pytest.mark.parametrize("receive_maximum", [1, 2, 7])
@pytest.mark.parametrize("qos", [1, 2])
def test_order_is_kept_while_messages_wait_for_the_quota(
    broker: Broker, qos: int, receive_maximum: int
) -> None:
    """[MQTT-4.6.0-5] with 4.9."""
    client = broker.connect(props={"receive_maximum": receive_maximum})
    other = broker.connect()
    client.subscribe(broker.topic, qos=qos)
    for number in range(COUNT):
        other.publish(broker.topic, str(number).encode(), qos=qos)
    assert numbers(take(client, COUNT)) == list(range(COUNT))


@each_version
@pytest.mark.parametrize("qos", [1, 2])
def test_messages_are_sent_again_in_their_order_and_before_newer_ones(
    broker: Broker, version: int, qos: int
) -> None:
    """[MQTT-4.6.0-1] of the server; [MQTT-4.4.0-1]."""
    name = unique()
    client, other = begin(broker, version, name), broker.connect(version)
    client.subscribe(broker.topic, qos=qos)
    for number in range(10):
        other.publish(broker.topic, str(number).encode(), qos=qos)
    settle_kept(client)
    first = client.take_all(acknowledged=False)
    assert numbers(first) == list(range(10))
    lose(client, other)
    for number in range(10, 15):
        other.publish(broker.topic, str(number).encode(), qos=qos)
    again = resume(broker, version, name)
    settle_kept(again)
    second = again.take_all(acknowledged=False)
    assert numbers(second) == list(range(15))
    assert [came.dup for came in second] == [True] * 10 + [False] * 5
    assert [came.packet_id for came in second[:10]] == [came.packet_id for came in first]
    again.lose()
    assert numbers(take(resume(broker, version, name), 15)) == list(range(15))


@each_version
def test_messages_of_both_qos_and_pubrel_are_sent_again_with_their_packet_identifiers(
    broker: Broker, version: int
) -> None:
    """[MQTT-4.4.0-1]: what was acknowledged meanwhile is not."""
    name = unique()
    client, other = begin(broker, version, name), broker.connect(version)
    client.subscribe(broker.topic, qos=2)
    for number in range(8):
        other.publish(broker.topic, str(number).encode(), qos=1 + number % 2)
    settle_kept(client)
    sent = sorted(client.take_all(acknowledged=False), key=lambda came: came.payload)
    for number in (0, 4):
        client.acknowledge(Kind.PUBACK, sent[number].packet_id)
    for number in (1, 3, 5):
        client.acknowledge(Kind.PUBREC, sent[number].packet_id)
        assert client.read().packet_id == sent[number].packet_id
    client.acknowledge(Kind.PUBCOMP, sent[3].packet_id)
    client.settle()
    client.lose()
    again = resume(broker, version, name)
    settle_kept(again)
    publishes = [came for came in again.inbox if came.kind == Kind.PUBLISH]
    releases = [came for came in again.inbox if came.kind == Kind.PUBREL]
    assert sorted(numbers(publishes)) == [2, 6, 7]
    for came in publishes:
        assert came.packet_id == sent[int(came.payload)].packet_id
    assert [number for number in numbers(publishes) if number % 2 == 0] == [2, 6]
    assert all(came.dup for came in publishes)
    assert [came.packet_id for came in releases] == [sent[1].packet_id, sent[5].packet_id]


@each_version
@pytest.mark.parametrize("qos", [1, 2])
def test_acknowledgements_come_in_the_order_of_what_they_acknowledge(
    broker: Broker, version: int, qos: int
) -> None:
    """[MQTT-4.6.0-2] [MQTT-4.6.0-3] [MQTT-4.6.0-4], as a server keeps them."""
    client = broker.connect(version)
    packet_ids = [5, 1, 65_535, 300, 2, 256, 255]
    client.write(
        b"".join(
            publish(version, broker.topic, b"x", qos=qos, packet_id=packet_id)
            for packet_id in packet_ids
        )
    )
    assert [client.read().packet_id for _ in packet_ids] == packet_ids
    if qos == 2:
        client.write(
            b"".join(acknowledgement(Kind.PUBREL, version, number) for number in packet_ids)
        )
        released = [client.read() for _ in packet_ids]
        assert {came.kind for came in released} == {Kind.PUBCOMP}
        assert [came.packet_id for came in released] == packet_ids
    client.expect_nothing()


@each_version
def test_qos_0_of_one_segment_keeps_its_order(broker: Broker, version: int) -> None:
    """[MQTT-4.6.0-5]."""
    client, other = broker.connect(version), broker.connect(version)
    client.subscribe(f"{broker.topic}/#")
    data = [publish(version, f"{broker.topic}/{at % 5}", str(at).encode()) for at in range(500)]
    other.write(b"".join(data))
    other.settle()
    assert numbers(client.take_all()) == list(range(500))
