"""Octets as a network brings them: one by one, many packets at once, with rubbish after them.

Source: MQTT 5, 4.2 (an ordered, lossless stream of bytes) and 4.13.
"""

import pytest
from tests.conformance.mqtt.keeping import each_version
from tests.conformance.mqtt.octets import (
    PINGREQ,
    acknowledgement,
    connect,
    disconnect,
    publish,
    subscribe,
    unsubscribe,
)
from tests.conformance.mqtt.wire import Broker, Client, Closed, Kind, unique

RUBBISH = [
    b"\x00\x00",
    b"\xf5\x05hello",
    b"\x37\x07\x00\x01a\x00\x01xx",
    b"\x10\xff\xff\xff\xff\x01",
    b"\x82\x02\x00\x00",
    b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(32),
    b"\xff" * 50,
]


def conversation(version: int, client_id: str, topic: str) -> list[bytes]:
    """A client's packets, of every type that one sends."""
    props = {"user_property": [("a", "b")]} if version == 5 else b""
    return [
        connect(client_id, version, user_name=None, keep_alive_s=60),
        subscribe(version, 1, [(f"{topic}/#", 2), ("é/+", 1)], props),
        publish(version, f"{topic}/0", b"zero" * 40, props=props),
        publish(version, f"{topic}/1", b"one", qos=1, packet_id=2, props=props),
        publish(version, f"{topic}/2", b"", qos=2, packet_id=3, props=props),
        acknowledgement(Kind.PUBREL, version, 3),
        acknowledgement(Kind.PUBACK, version, 1),
        acknowledgement(Kind.PUBREC, version, 2),
        PINGREQ,
        acknowledgement(Kind.PUBCOMP, version, 2),
        unsubscribe(version, 4, [f"{topic}/#", "é/+"], props),
        PINGREQ,
        disconnect(version),
    ]


def answers(client: Client) -> list[bytes]:
    """All that comes until the end, in an order that does not depend on when it was asked for."""
    seen = []
    try:
        while True:
            seen.append(client.read_raw())
    except Closed:
        return sorted(seen)


@each_version
def test_packets_may_come_octet_by_octet_and_all_at_once(broker: Broker, version: int) -> None:
    """[MQTT-4.2-1]."""
    packets = conversation(version, unique(), broker.topic)
    data = b"".join(packets)
    cut_anyhow = [data[at : at + 7] for at in range(0, len(data), 7)]
    ways = [packets, [data], [bytes((octet,)) for octet in data], cut_anyhow]
    seen = []
    for pieces in ways:
        client = broker.open(version)
        for piece in pieces:
            client.write(piece)
        seen.append(answers(client))
    assert len(seen[0]) == 12
    assert seen == [seen[0]] * len(ways)


@each_version
@pytest.mark.parametrize("rubbish", RUBBISH)
def test_what_comes_before_rubbish_is_answered_and_nothing_after_it(
    broker: Broker, version: int, rubbish: bytes
) -> None:
    """[MQTT-4.13.1-1]; 3.1.1: 4.8.0-1."""
    witness = broker.connect(version)
    witness.subscribe(broker.topic, qos=1)
    client = broker.open(version)
    before = connect(client.client_id, version)
    before += publish(version, broker.topic, b"before", qos=1, packet_id=1)
    after = publish(version, broker.topic, b"after", qos=1, packet_id=2)
    client.write(before + rubbish + after + PINGREQ * 100)
    seen = answers(client)
    kinds = [Kind(raw[0] >> 4) for raw in seen]
    assert kinds[:2] == [Kind.CONNACK, Kind.PUBACK]
    assert kinds[2:] in ([], [Kind.DISCONNECT])
    assert [came.payload for came in witness.take_all()] == [b"before"]


@pytest.mark.parametrize("rubbish", [*RUBBISH, b"\x10\x00", b"\x10\x0a\x00\x04MQT", PINGREQ])
def test_a_connection_that_begins_with_rubbish_is_closed(broker: Broker, rubbish: bytes) -> None:
    """[MQTT-3.1.0-1] [MQTT-3.1.4-1]; what is incomplete waits for more, or its time-out."""
    client = broker.open()
    client.write(rubbish + PINGREQ * 100)
    for raw in answers(client):
        assert raw[0] >> 4 == Kind.CONNACK
        assert raw[3] >= 0x80


@each_version
def test_a_packet_cut_off_by_the_end_of_the_connection_does_nothing(
    broker: Broker, version: int
) -> None:
    """[MQTT-4.2-1]: every part of a PUBLISH; a whole one is taken."""
    witness = broker.connect(version)
    witness.subscribe(broker.topic, qos=1)
    whole = publish(version, broker.topic, b"payload", qos=1, packet_id=1)
    for size in range(1, len(whole) + 1):
        client = broker.connect(version)
        client.write(whole[:size])
        client.lose()
    came = witness.take()
    assert came.payload == b"payload"
    witness.expect_nothing()


@each_version
def test_each_length_of_the_remaining_length_is_read(broker: Broker, version: int) -> None:
    """MQTT 5, 2.1.4: one to four octets; 2,097,151 of payload are more than some servers take."""
    client = broker.connect(version)
    client.subscribe(broker.topic)
    head = len(publish(version, broker.topic)) - 2
    for remaining in (127, 128, 16_383, 16_384, 300_000):
        payload = bytes(remaining - head)
        client.publish(broker.topic, payload)
        came = client.take()
        assert came.payload == payload


@each_version
def test_many_packets_in_one_segment_are_all_taken(broker: Broker, version: int) -> None:
    """[MQTT-4.2-1]."""
    client, other = broker.connect(version), broker.connect(version)
    client.subscribe(broker.topic)
    data = b"".join(publish(version, broker.topic, str(at).encode()) for at in range(2000))
    other.write(data)
    other.settle()
    assert [int(came.payload) for came in client.take_all()] == list(range(2000))
