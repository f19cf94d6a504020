"""The short way for plain messages and the long way for all others come to the same."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.protocols.mqtt.brokers import connect, make_broker, subscribe, taken

from thingtank.protocols.mqtt import connection as connection_module
from thingtank.protocols.mqtt import relaying
from thingtank.protocols.mqtt.messages import Subscription
from thingtank.protocols.mqtt.packets import Puback, Publish, Pubrel
from thingtank.protocols.mqtt.properties import NO_PROPERTIES, Properties
from thingtank.protocols.mqtt.serializer import serialize

WAYS = ("relay_once", "relay_tracked")
VERSIONS = st.sampled_from([3, 4, 5])
# Each topic's first message goes the long way, so most are of one.
TOPICS = st.sampled_from(["a", "a", "a", "a", "ü", "b" * 200])


class Reader(NamedTuple):
    version: int
    qos: int
    no_local: bool
    identifier: int
    receive_maximum: int
    packet_bytes_max: int
    aliases_max: int
    topic_filter: str


READERS = st.builds(
    Reader,
    VERSIONS,
    st.integers(0, 2),
    st.booleans(),
    st.sampled_from([0, 7, 300]),
    st.sampled_from([65_535, 1, 2]),
    st.sampled_from([0, 0, 40]),
    st.sampled_from([0, 0, 2]),
    st.sampled_from(["a", "a/#", "#", "+"]),
)
PACKETS = st.lists(
    st.builds(
        Publish,
        TOPICS,
        st.binary(max_size=20),
        st.integers(0, 2),
        st.sampled_from([False] * 9 + [True]),
        st.just(False),
        st.integers(1, 6),
        st.sampled_from([NO_PROPERTIES] * 5 + [Properties(content_type="text/plain")]),
    ),
    min_size=8,
    max_size=24,
)


def plain(packet: Publish, version: int) -> bytes:
    dup = False
    return serialize(
        Publish(
            packet.topic,
            packet.payload,
            packet.qos,
            packet.retain,
            dup,
            packet.packet_id if packet.qos else 0,
            packet.properties if version == 5 else NO_PROPERTIES,
        ),
        version,
    )


async def played(version: int, readers: list[Reader], packets: list[Publish]) -> list[bytes]:
    """What each client has been sent in the end; the first is who publishes."""
    broker = make_broker()
    clients = [connect(broker, "publisher", version)]
    for number, reader in enumerate(readers):
        is_5 = reader.version == 5
        properties = NO_PROPERTIES
        if is_5:
            properties = Properties(
                receive_maximum=reader.receive_maximum,
                maximum_packet_size=reader.packet_bytes_max or None,
                topic_alias_maximum=reader.aliases_max or None,
            )
        client = connect(broker, f"reader-{number}", reader.version, properties=properties)
        subscription = Subscription(
            reader.topic_filter,
            reader.qos,
            no_local=reader.no_local and is_5,
            identifier=reader.identifier if is_5 else 0,
        )
        subscribe(client, subscription)
        clients.append(client)
    subscribe(clients[0], Subscription("a", 1))
    heard = [b""] * len(clients)
    for packet in packets:
        clients[0].receive_data(plain(packet, version))
        broker.settle()
        await asyncio.sleep(0)  # what waits for the disk goes on
        for number, client in enumerate(clients):
            heard[number] += taken(client)
            if not client.is_open:
                continue
            acknowledged = (
                list(client.session.inflight)[: packet.packet_id % 2] if client.session else []
            )
            for packet_id in acknowledged:
                if client.session and client.session.inflight[packet_id].qos == 1:
                    client.receive_data(serialize(Puback(packet_id), client.version))
        if packet.qos == 2 and packet.packet_id % 2 and clients[0].is_open:
            clients[0].receive_data(serialize(Pubrel(packet.packet_id), version))
    return [old + taken(client) for old, client in zip(heard, clients, strict=True)]


@given(VERSIONS, st.lists(READERS, min_size=1, max_size=3), PACKETS)
def test_both_ways_send_the_same(
    version: int, readers: list[Reader], packets: list[Publish]
) -> None:
    async def play() -> tuple[list[bytes], list[bytes]]:
        short = await played(version, readers, packets)
        with pytest.MonkeyPatch.context() as patch:
            for way in WAYS:
                patch.setattr(connection_module, way, lambda *_: False)
            return short, await played(version, readers, packets)

    short, long = asyncio.run(play())
    assert short == long


async def test_plain_messages_go_the_short_way(monkeypatch: pytest.MonkeyPatch) -> None:
    ways: list[bool] = []

    def noted(relay: Callable[..., bool], *args: object) -> bool:
        ways.append(relay(*args))
        return ways[-1]

    for way in WAYS:
        monkeypatch.setattr(connection_module, way, partial(noted, getattr(relaying, way)))
    for version in (4, 5):
        broker = make_broker()
        publisher, reader = connect(broker, "publisher", version), connect(broker, "r", version)
        subscribe(reader, Subscription("a", 2))
        for qos in (0, 1, 2):
            for packet_id in (1, 2):
                packet = Publish("a", b"x", qos, packet_id=packet_id + 2 * qos if qos else 0)
                publisher.receive_data(serialize(packet, version))
    assert ways == [True] * 10  # all but the first of each connection, which finds the route
