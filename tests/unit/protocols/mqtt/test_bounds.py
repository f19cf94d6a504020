"""Each bound of the broker, and what becomes of who comes to it; choices the standard leaves."""

import asyncio
from typing import Any

import pytest
from tests.unit.protocols.mqtt.brokers import (
    AllRights,
    Clock,
    QuietLink,
    connect,
    make_broker,
    subscribe,
    taken,
)

from thingtank.protocols.mqtt.bounds import Bounds
from thingtank.protocols.mqtt.broker import Broker
from thingtank.protocols.mqtt.client_parser import parse_from_server
from thingtank.protocols.mqtt.connection import Connection
from thingtank.protocols.mqtt.messages import Message, Subscription
from thingtank.protocols.mqtt.outgoing import Outgoing
from thingtank.protocols.mqtt.packets import (
    Connack,
    Connect,
    ConnectWill,
    Disconnect,
    Puback,
    Publish,
    Pubrec,
    Suback,
    Subscribe,
)
from thingtank.protocols.mqtt.parser import read_length
from thingtank.protocols.mqtt.properties import NO_PROPERTIES, Properties, forwarded_properties
from thingtank.protocols.mqtt.reason_codes import ReasonCode
from thingtank.protocols.mqtt.serializer import serialize

KEPT = Properties(session_expiry_interval=60)


def packets_to(connection: Connection) -> list[Any]:
    """What a client has been sent since it was asked last."""
    data, found = taken(connection), []
    while data:
        length = read_length(data, 1)
        assert length is not None
        size, body = length
        found.append(parse_from_server(data[0], data[body : body + size], connection.version))
        data = data[body + size :]
    return found


def publish(client: Connection, *packets: Publish) -> list[Any]:
    for packet in packets:
        client.receive_data(serialize(packet, client.version))
    return packets_to(client)


def payloads_to(connection: Connection) -> list[bytes]:
    return [each.payload for each in packets_to(connection) if isinstance(each, Publish)]


def come(broker: Broker, packet: Connect) -> tuple[Connection, Connack]:
    """Whoever sends a CONNECT, and the answer."""
    connection = Connection(broker, QuietLink(), "127.0.0.1")
    connection.receive_data(serialize(packet, packet.protocol_version))
    (connack,) = packets_to(connection)
    assert type(connack) is Connack
    return connection, connack


def away(broker: Broker, client_id: str, *subscriptions: Subscription) -> None:
    """A client with a session that is kept, and no connection."""
    client = connect(broker, client_id, 5, properties=KEPT)
    subscribe(client, *subscriptions)
    client.close()


@pytest.mark.parametrize(
    ("bounds", "left"),
    [
        (Bounds(queue_messages_max=2), [b"22", b"33"]),
        (Bounds(queue_messages_max=2, drops_oldest=False), [b"11", b"22"]),
        (Bounds(queue_bytes_max=2 * len("t22") + 1), [b"22", b"33"]),
        (Bounds(queue_bytes_max=2 * len("t22") + 1, drops_oldest=False), [b"11", b"22"]),
    ],
)
async def test_a_full_queue_loses_its_oldest_message_or_takes_no_new_one(
    bounds: Bounds, left: list[bytes]
) -> None:
    broker = make_broker(bounds=bounds)
    away(broker, "away", Subscription("t", 1))
    publisher = connect(broker, "publisher")
    for packet_id, payload in enumerate((b"11", b"22", b"33"), 1):
        publish(publisher, Publish("t", payload, 1, packet_id=packet_id))
    assert broker.dropped_count == broker.sessions["away"].dropped_count == 1
    back = Connection(broker, QuietLink(), "")
    back.receive_data(serialize(Connect(5, "away", False, properties=KEPT), 5))
    await asyncio.sleep(0)
    assert payloads_to(back) == left


async def test_a_client_that_reads_too_slowly_loses_qos_0_and_gets_the_rest_later() -> None:
    broker = make_broker()
    slow, publisher = connect(broker, "slow"), connect(broker, "publisher")
    subscribe(slow, Subscription("t", 1))
    slow.catch_up(is_behind=True)
    publish(publisher, Publish("t", b"lost"), Publish("t", b"kept", 1, packet_id=1))
    assert payloads_to(slow) == []
    assert broker.dropped_count == 1
    slow.catch_up(is_behind=False)
    assert payloads_to(slow) == [b"kept"]


@pytest.mark.parametrize(("asked", "sent"), [(None, 2), (1, 1), (100, 2)])
async def test_no_more_is_on_the_way_than_the_client_and_the_broker_allow(
    asked: int | None, sent: int
) -> None:
    broker = make_broker(bounds=Bounds(inflight_max=2))
    reader = connect(broker, "reader", 5, properties=Properties(receive_maximum=asked))
    subscribe(reader, Subscription("t", 1))
    publisher = connect(broker, "publisher")
    publish(publisher, *(Publish("t", b"x", 1, packet_id=number) for number in (1, 2, 3)))
    assert len(payloads_to(reader)) == sent
    assert broker.sessions["reader"].queued_count == 3 - sent


async def test_one_session_too_many_is_refused() -> None:
    broker = make_broker(bounds=Bounds(sessions_max=1))
    connect(broker, "first")
    for version, reason in ((5, ReasonCode.QUOTA_EXCEEDED), (4, ReasonCode.SERVER_UNAVAILABLE)):
        client, connack = come(broker, Connect(version, "second"))
        assert (client.is_closed, connack.reason_code) == (True, reason)
    assert come(broker, Connect(4, "first"))[1].reason_code is ReasonCode.SUCCESS


async def test_a_client_id_that_is_too_long_is_refused() -> None:
    broker = make_broker(bounds=Bounds(client_id_bytes_max=23))
    assert come(broker, Connect(5, "x" * 23))[1].reason_code is ReasonCode.SUCCESS
    refused = come(broker, Connect(5, "x" * 24))[1]
    assert refused.reason_code is ReasonCode.CLIENT_IDENTIFIER_NOT_VALID


@pytest.mark.parametrize("name", ["subscriptions_per_session_max", "subscriptions_max"])
@pytest.mark.parametrize(
    ("version", "refused"), [(5, ReasonCode.QUOTA_EXCEEDED), (4, ReasonCode.UNSPECIFIED_ERROR)]
)
async def test_one_subscription_too_many_is_refused(
    name: str, version: int, refused: ReasonCode
) -> None:
    broker = make_broker(bounds=Bounds(**{name: 1}))
    client = connect(broker, "client", version)
    filters = (Subscription("a"), Subscription("b"), Subscription("a", 1))
    client.receive_data(serialize(Subscribe(1, filters), version))
    assert packets_to(client) == [
        Suback(1, (ReasonCode.GRANTED_QOS_0, refused, ReasonCode.GRANTED_QOS_1))
    ]


async def test_topics_that_are_too_deep_are_refused() -> None:
    broker = make_broker(bounds=Bounds(topic_levels_max=2))
    client = connect(broker, "client", 5)
    filters = (Subscription("a/b/c"), Subscription("a/b"))
    client.receive_data(serialize(Subscribe(1, filters), 5))
    reasons = (ReasonCode.TOPIC_FILTER_INVALID, ReasonCode.GRANTED_QOS_0)
    assert packets_to(client) == [Suback(1, reasons)]
    assert publish(client, Publish("a/b/c", b"x")) == [Disconnect(ReasonCode.TOPIC_NAME_INVALID)]
    assert client.is_closed


async def test_what_there_is_no_room_to_retain_is_passed_on_and_the_publisher_told() -> None:
    broker = make_broker(bounds=Bounds(packet_bytes_max=2**21))
    client = connect(broker, "client", 5)
    subscribe(client, Subscription("big", 0))
    answers = publish(client, Publish("big", bytes(2**20), 1, True, packet_id=1))
    assert [type(each) for each in answers] == [Publish, Puback]
    assert answers[1] == Puback(1, ReasonCode.QUOTA_EXCEEDED)
    assert len(broker.retained) == 0


async def test_clients_of_mqtt_5_are_told_what_is_less_than_they_asked_for() -> None:
    broker = make_broker(bounds=Bounds(session_expiry_s_max=100, keep_alive_s_max=30))
    asked = Properties(session_expiry_interval=1000)
    told = come(broker, Connect(5, "long", keep_alive_s=60, properties=asked))[1].properties
    assert (told.session_expiry_interval, told.server_keep_alive) == (100, 30)
    asked = Properties(session_expiry_interval=99)
    told = come(broker, Connect(5, "short", keep_alive_s=10, properties=asked))[1].properties
    assert (told.session_expiry_interval, told.server_keep_alive) == (None, None)


async def test_a_session_of_3_1_1_that_is_kept_ends_after_the_longest_expiry() -> None:
    clock = Clock()
    broker = make_broker(bounds=Bounds(session_expiry_s_max=100), now_us=clock.now_us)
    come(broker, Connect(4, "old", clean_start=False))[0].close()
    for after_s, is_there in ((99, True), (2, False)):
        clock.us += after_s * 1_000_000
        broker.tick()
        assert ("old" in broker.sessions) is is_there


@pytest.mark.parametrize(
    ("version", "again", "is_closed"),
    [(5, b"x", True), (4, b"x", True), (3, b"x", False), (4, b"y", False)],
)
async def test_a_message_of_qos_2_that_comes_a_third_time_ends_the_connection(
    version: int, again: bytes, is_closed: bool
) -> None:
    client = connect(make_broker(), "client", version)
    for payload in (b"x", b"x"):
        (answer,) = publish(client, Publish("t", payload, 2, packet_id=1))
        assert type(answer) is Pubrec
    publish(client, Publish("t", again, 2, packet_id=1))
    assert client.is_closed is is_closed


@pytest.mark.parametrize("properties", [NO_PROPERTIES, KEPT], ids=["ends", "kept"])
async def test_a_message_of_qos_2_is_delivered_when_it_comes_and_after_its_pubrec(
    properties: Properties,
) -> None:
    broker = make_broker()
    client = connect(broker, "client", 5, properties=properties)
    other = connect(broker, "other", 5)
    for each in (client, other):
        subscribe(each, Subscription("t", 0))
        await asyncio.sleep(0)
        taken(each)
    came = publish(client, Publish("t", b"x", 2, packet_id=1))
    assert payloads_to(other) == [b"x"]
    await asyncio.sleep(0)
    came += packets_to(client)
    assert {type(each) for each in came} == {Pubrec, Publish}
    if properties is NO_PROPERTIES:
        assert [type(each) for each in came] == [Pubrec, Publish]


async def test_shared_messages_pass_over_who_is_away_and_wait_for_somebody_if_all_are() -> None:
    broker = make_broker()
    shared = Subscription("$share/g/t", 1)
    away(broker, "away", shared)
    there = connect(broker, "there", 5)
    subscribe(there, shared)
    publisher = connect(broker, "publisher")
    sent = [Publish("t", b"%d" % number, 1, packet_id=number) for number in (1, 2, 3)]
    publish(publisher, *sent)
    assert payloads_to(there) == [b"1", b"2", b"3"]
    there.close()
    publish(publisher, Publish("t", b"4", 1, packet_id=4))
    assert broker.sessions["away"].queued_count == 1


async def test_a_session_that_is_resumed_loses_what_its_client_may_not_have_any_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broker = make_broker()
    away(broker, "away", Subscription("may", 1), Subscription("may-not", 1))
    publisher = connect(broker, "publisher")
    publish(publisher, Publish("may", b"1", 1, packet_id=1))
    publish(publisher, Publish("may-not", b"2", 1, packet_id=2))
    for name in ("may_subscribe", "may_receive"):
        monkeypatch.setattr(AllRights, name, lambda self, topic: topic == "may")
    back = Connection(broker, QuietLink(), "")
    back.receive_data(serialize(Connect(5, "away", False, properties=KEPT), 5))
    await asyncio.sleep(0)
    assert payloads_to(back) == [b"1"]
    assert list(broker.sessions["away"].subscriptions) == ["may"]


async def test_a_will_is_published_with_the_rights_of_the_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broker = make_broker()
    reader = connect(broker, "reader")
    subscribe(reader, Subscription("+", 0))
    will = ConnectWill("t", b"gone")
    come(broker, Connect(4, "first", will=will))[0].close()
    second, _ = come(broker, Connect(4, "second", will=will))
    monkeypatch.setattr(AllRights, "may_publish", lambda self, topic: False)
    second.close()
    assert payloads_to(reader) == [b"gone"]


def test_expiry_comes_before_what_is_passed_on_and_identifiers_and_alias_behind_it() -> None:
    passed_on = serialize_properties(content_type="text/plain")
    message = Message("t", b"x", properties=passed_on, expires_at_us=5_000_000)
    _, tail = Outgoing(message, b"t", 0).aliased(0x30, (7,), 3, is_known=False)
    expiry, identifier, alias = b"\x02\0\0\0\x05", b"\x0b\x07", b"\x23\0\x03"
    assert tail[1:] == expiry + passed_on + identifier + alias + b"x"


def serialize_properties(**properties: Any) -> bytes:
    return forwarded_properties(Properties(**properties))


@pytest.mark.parametrize("expiry_s", [0, 60])
async def test_client_that_takes_no_connack_leaves_no_connected_session(expiry_s: int) -> None:
    broker = make_broker()
    for name in ("first", "second", "second"):  # which finds its session, where it is kept
        connection = Connection(broker, QuietLink(), "127.0.0.1")
        properties = Properties(maximum_packet_size=2, session_expiry_interval=expiry_s)
        packet = Connect(5, name, clean_start=False, keep_alive_s=10, properties=properties)
        connection.receive_data(serialize(packet, 5))
        assert connection.is_closed
        assert taken(connection) == b""
    assert all(each.connection is None for each in broker.sessions.values())
    assert len(broker.sessions) == (2 if expiry_s else 0)


async def test_message_that_is_acknowledged_before_it_is_sent_again_is_not_sent_again() -> None:
    broker = make_broker()
    source = connect(broker, "source")
    client = connect(broker, "c", 5, properties=KEPT)
    subscribe(client, Subscription("a", 1))
    publish(source, *(Publish("a", b"%d" % each, 1, packet_id=each) for each in (1, 2)))
    assert payloads_to(client) == [b"1", b"2"]
    client.close()
    properties = Properties(session_expiry_interval=60, receive_maximum=1)
    client = Connection(broker, QuietLink(), "127.0.0.1")
    client.receive_data(serialize(Connect(5, "c", False, properties=properties), 5))
    assert payloads_to(client) == [b"1"]
    client.receive_data(serialize(Puback(2), 5))
    client.receive_data(serialize(Puback(1), 5))
    assert payloads_to(client) == []
    publish(source, Publish("a", b"3", 1, packet_id=3))
    assert payloads_to(client) == [b"3"]


@pytest.mark.parametrize("qos", [0, 1])
async def test_message_that_is_too_large_for_a_client_sets_no_topic_alias(qos: int) -> None:
    broker = make_broker()
    source = connect(broker, "source")
    properties = Properties(maximum_packet_size=100, topic_alias_maximum=5)
    client = connect(broker, "c", 5, properties=properties)
    subscribe(client, Subscription("a", qos))
    publish(source, Publish("a", bytes(100), qos, packet_id=qos))
    assert packets_to(client) == []
    publish(source, Publish("a", b"x", qos, packet_id=qos))
    (came,) = packets_to(client)
    assert (came.topic, came.properties.topic_alias) == ("a", 1)


async def test_one_principal_cannot_have_all_sessions_that_there_may_be() -> None:
    broker = make_broker(bounds=Bounds(sessions_per_principal_max=2))
    for client_id, name, is_let_in in (
        ("a", "key:1", True), ("b", "key:1", True), ("c", "key:1", False), ("c", "key:2", True),
    ):  # fmt: skip
        connection = Connection(broker, QuietLink(), "127.0.0.1")
        connection.receive_data(serialize(Connect(5, client_id, user_name=name), 5))
        assert connection.is_open is is_let_in, client_id
    broker.sessions["a"].connection.close()
    connection = Connection(broker, QuietLink(), "127.0.0.1")
    connection.receive_data(serialize(Connect(5, "d", user_name="key:1"), 5))
    assert connection.is_open


async def test_a_packet_that_stands_still_is_told_from_one_that_goes_on() -> None:
    clock = Clock()
    broker = make_broker(now_us=clock.now_us)
    client = connect(broker, "c")
    client.receive_data(b"\x30\x7f\x00")
    clock.us += 9
    assert not client.is_stalled(clock.us, 10)
    client.receive_data(b"\x01")
    clock.us += 9
    assert not client.is_stalled(clock.us, 10)
    clock.us += 9
    assert client.is_stalled(clock.us, 10)
    idle = connect(broker, "idle")
    clock.us += 1000
    assert not idle.is_stalled(clock.us, 10)
