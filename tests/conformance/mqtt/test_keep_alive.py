"""MQTT 5, 3.1.2.10; 3.1.1, 3.1.2.10: keep alive."""

import time

from tests.conformance.mqtt import octets
from tests.conformance.mqtt.meanwhile import meanwhile
from tests.conformance.mqtt.octets import Kind, Version
from tests.conformance.mqtt.wire import Broker, Client, Closed

LATE_S_MAX = 2.5  # on a busy machine


def closed_after_s(client: Client, begun_s: float) -> float:
    """When the broker closes."""
    client.expect_closed(0x8D)
    return time.monotonic() - begun_s


@meanwhile()
def test_silent_client_is_closed_after_one_and_a_half_times(
    broker: Broker, version: Version
) -> None:
    client = broker.connect(version, keep_alive_s=1)
    assert 1.3 <= closed_after_s(client, time.monotonic()) <= 1.5 + LATE_S_MAX


@meanwhile()
def test_two_seconds_are_three(broker: Broker, version: Version) -> None:
    client = broker.connect(version, keep_alive_s=2)
    assert 2.8 <= closed_after_s(client, time.monotonic()) <= 3 + LATE_S_MAX


@meanwhile()
def test_pings_keep_a_client_alive(broker: Broker, version: Version) -> None:
    client = broker.connect(version, keep_alive_s=1)
    for _ in range(4):
        time.sleep(0.7)
        client.expect_nothing()


@meanwhile()
def test_any_packet_keeps_a_client_alive(broker: Broker, version: Version) -> None:
    client = broker.connect(version, keep_alive_s=1)
    for at in range(4):
        time.sleep(0.7)
        if at % 2:
            client.send_publish(broker.topic, b"alive")
        else:
            client.subscribe(f"{broker.topic}/{at}")
    client.expect_nothing()


@meanwhile()
def test_what_the_broker_sends_does_not_keep_a_client_alive(
    broker: Broker, version: Version
) -> None:
    client, publisher = broker.connect(version, keep_alive_s=1), broker.connect(version)
    client.subscribe(broker.topic)
    begun_s, is_closed = time.monotonic(), False
    while not is_closed and time.monotonic() - begun_s < 1.5 + LATE_S_MAX:
        publisher.publish(broker.topic, b"are you there")
        try:
            while client.read(0.1).kind == Kind.PUBLISH:
                pass
            is_closed = True
        except Closed:
            is_closed = True
        except TimeoutError:
            continue
    assert is_closed
    assert time.monotonic() - begun_s >= 1.3


@meanwhile()
def test_keep_alive_of_zero_is_none(broker: Broker, version: Version) -> None:
    client = broker.connect(version, keep_alive_s=0)
    told = client.connack.properties if client.connack else {}
    if "server_keep_alive" not in told:
        client.expect_silence(3)
    client.expect_nothing()


@meanwhile()
def test_part_of_a_packet_does_not_keep_a_client_alive(broker: Broker, version: Version) -> None:
    client = broker.connect(version, keep_alive_s=1)
    begun_s = time.monotonic()
    time.sleep(0.9)
    client.write(octets.publish(version, broker.topic, b"never whole")[:4])
    assert 1.3 <= closed_after_s(client, begun_s) <= 1.5 + LATE_S_MAX
