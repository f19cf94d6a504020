"""Session state, and the QoS flows across connections. Source: MQTT 5 and 3.1.1, 4.1, 4.3 to 4.5."""

import pytest
from tests.conformance.mqtt.keeping import (
    EXPIRY_S,
    begin,
    each_version,
    keeping,
    lose,
    resume,
    settle_kept,
)
from tests.conformance.mqtt.octets import packet, publish
from tests.conformance.mqtt.wire import Broker, Client, Kind, Packet

FAILED, NOT_FOUND = 0x80, 0x92


def payloads(packets: list[Packet]) -> list[bytes]:
    return [came.payload for came in packets]


def away(broker: Broker, version: int, qos: int = 2) -> str:
    """A client that has subscribed to the test's topic and left: its identifier."""
    client = begin(broker, version)
    client.subscribe(broker.topic, qos=qos)
    client.disconnect()
    return client.client_id


# Messages for who is away


@each_version
def test_messages_of_qos_1_and_2_wait_in_their_order(broker: Broker, version: int) -> None:
    """[MQTT-4.5.0-1] [MQTT-3.1.2-23] [MQTT-4.1.0-1]; 3.1.1: 3.1.2-4, 3.1.2-5."""
    name, other = away(broker, version), broker.connect(version)
    for number in range(40):
        other.publish(broker.topic, str(number).encode(), qos=1 + number % 2)
    client = resume(broker, version, name)
    taken = [client.take() for _ in range(40)]
    for qos in (1, 2):
        numbers = [int(came.payload) for came in taken if came.qos == qos]
        assert numbers == list(range(qos - 1, 40, 2))
    assert not any(came.dup for came in taken)  # [MQTT-4.3.2-2] [MQTT-4.3.3-2]
    client.expect_nothing()
    client.disconnect()
    resume(broker, version, name).expect_nothing()


@each_version
def test_messages_wait_however_the_client_went(broker: Broker, version: int) -> None:
    """[MQTT-3.1.2-23]."""
    client = begin(broker, version)
    client.subscribe(broker.topic, qos=1)
    other = broker.connect(version)
    lose(client, other)
    other.publish(broker.topic, b"x", qos=1)
    assert payloads(resume(broker, version, client.client_id).take_all()) == [b"x"]


@each_version
def test_packet_identifiers_of_what_is_unacknowledged_are_all_different(
    broker: Broker, version: int
) -> None:
    """[MQTT-2.2.1-4] [MQTT-4.3.2-1] [MQTT-4.3.3-1]."""
    name, other = away(broker, version), broker.connect(version)
    for number in range(10):
        other.publish(broker.topic, b"x", qos=1 + number % 2)
    client = resume(broker, version, name)
    other.publish(broker.topic, b"x", qos=1)
    settle_kept(client)
    taken = client.take_all(acknowledged=False)
    assert len({came.packet_id for came in taken}) == 11


@each_version
def test_subscriptions_with_their_options_outlive_the_connection(
    broker: Broker, version: int
) -> None:
    """[MQTT-4.1.0-1]; MQTT 5, 4.1: subscriptions with identifiers and options."""
    client = begin(broker, version)
    client.subscribe((f"{broker.topic}/a", 0), (f"{broker.topic}/b", 1), (f"{broker.topic}/c", 2))
    client.unsubscribe(f"{broker.topic}/b")
    if version == 5:
        client.subscribe(
            f"{broker.topic}/d",
            qos=1,
            retain_as_published=True,
            no_local=True,
            props={"subscription_identifier": 6},
        )
    other = broker.connect(version)
    lose(client, other)
    again = resume(broker, version, client.client_id)
    for name in "abcd":
        other.publish(f"{broker.topic}/{name}", name.encode(), qos=2, retain=True)
    if version == 5:
        again.publish(f"{broker.topic}/d", b"mine", qos=1)
    settle_kept(again)
    taken = sorted(again.take_all(), key=lambda came: came.payload)
    expected = [(b"a", 0, False), (b"c", 2, False)] + [(b"d", 1, True)] * (version == 5)
    assert [(came.payload, came.qos, came.retain) for came in taken] == expected
    if version == 5:
        assert taken[-1].properties == {"subscription_identifier": [6]}


@each_version
def test_a_clean_start_begins_with_nothing(broker: Broker, version: int) -> None:
    """[MQTT-3.1.2-4]; 3.1.1: 3.1.2-6."""
    name, other = away(broker, version), broker.connect(version)
    other.publish(broker.topic, b"x", qos=1)
    client = broker.connect(version, name, clean=True)
    assert client.connack is not None
    assert not client.connack.session_present
    other.publish(broker.topic, b"x", qos=1)
    client.expect_nothing()


@each_version
def test_a_session_that_is_not_kept_ends_with_its_connection(broker: Broker, version: int) -> None:
    """[MQTT-4.1.0-2]; 3.1.1: 3.1.2-6; an absent interval is 0."""
    fields = [{"clean": True}]
    if version == 5:
        fields += [{"clean": False}, {"clean": False, "props": {"session_expiry_interval": 0}}]
    for how in fields:
        client = broker.connect(version, **how)
        client.subscribe(broker.topic, qos=1)
        client.disconnect()
        broker.connect(version).publish(broker.topic, b"x", qos=1)
        begin(broker, version, client.client_id).expect_nothing()


def test_clean_start_and_expiry_are_two_things(broker: Broker) -> None:
    """[MQTT-3.1.2-4] [MQTT-3.1.2-23]: a clean start may begin a session that is kept."""
    client = broker.connect(clean=True, props={"session_expiry_interval": EXPIRY_S})
    client.subscribe(broker.topic, qos=1)
    client.disconnect()
    broker.connect().publish(broker.topic, b"x", qos=1)
    assert payloads(resume(broker, 5, client.client_id).take_all()) == [b"x"]


def test_the_latest_expiry_interval_counts(broker: Broker) -> None:
    """MQTT 5, 3.1.2.11.2: the interval is the connection's, and is told again at each."""
    client = begin(broker, 5)
    client.disconnect()
    resume(broker, 5, client.client_id).disconnect()
    last = broker.connect(client_id=client.client_id, clean=False)
    assert last.connack is not None
    assert last.connack.session_present
    last.disconnect()
    begin(broker, 5, client.client_id)


def test_the_largest_expiry_interval_is_taken_or_told_to_be_shorter(broker: Broker) -> None:
    """MQTT 5, 3.1.2.11.2 and 3.2.2.3.2: 0xFFFFFFFF does not expire."""
    client = broker.connect(clean=True, props={"session_expiry_interval": 0xFFFFFFFF})
    assert client.connack is not None
    assert client.connack.properties.get("session_expiry_interval", 0xFFFFFFFF) > EXPIRY_S
    client.disconnect()
    resume(broker, 5, client.client_id)


def test_disconnect_may_shorten_the_expiry_interval(broker: Broker) -> None:
    """MQTT 5, 3.14.2.2.2; [MQTT-4.1.0-2]."""
    client = begin(broker, 5)
    client.disconnect(0, {"session_expiry_interval": 0})
    begin(broker, 5, client.client_id)


def test_disconnect_may_lengthen_the_expiry_interval(broker: Broker) -> None:
    """MQTT 5, 3.14.2.2.2; the interval of the CONNECT is over by then."""
    client = broker.connect(clean=True, props={"session_expiry_interval": 1})
    client.disconnect(0, {"session_expiry_interval": EXPIRY_S})
    again = resume(broker, 5, client.client_id)
    again.disconnect(4, {"session_expiry_interval": EXPIRY_S + 1})
    resume(broker, 5, client.client_id)


def test_a_session_that_is_not_kept_cannot_be_kept_by_disconnect(broker: Broker) -> None:
    """MQTT 5, 3.14.2.2.2: a Protocol Error."""
    client = broker.connect()
    body = b"\x00\x05\x11\x00\x00\x00\x09"
    client.write(packet(0xE0, body))
    client.expect_closed(0x82)
    begin(broker, 5, client.client_id)


@each_version
def test_the_session_lasts_while_the_connection_is_open(broker: Broker, version: int) -> None:
    """[MQTT-4.1.0-1]: also when it is not kept; 3.1.1: 4.1.0-2."""
    client, other = broker.connect(version), broker.connect(version)
    client.subscribe(broker.topic, qos=2)
    other.publish(broker.topic, b"x", qos=2)
    packet_id = client.take(acknowledged=False).packet_id
    for _ in range(3):
        client.settle()
        client.subscribe(f"{broker.topic}/other")
    client.acknowledge(Kind.PUBREC, packet_id)
    assert client.read().packet_id == packet_id


# Messages of the server, unfinished


@each_version
@pytest.mark.parametrize("qos", [1, 2])
def test_an_unacknowledged_message_is_sent_again_with_dup_and_its_packet_identifier(
    broker: Broker, version: int, qos: int
) -> None:
    """[MQTT-4.4.0-1] [MQTT-3.3.1-1] [MQTT-3.3.1-3] [MQTT-4.3.2-3] [MQTT-4.3.3-3]."""
    client = begin(broker, version)
    client.subscribe(broker.topic, qos=2)
    client.publish(broker.topic, b"x", qos=qos)
    sent = client.take(acknowledged=False)
    assert not sent.dup
    for _ in range(3):
        client.lose()
        client = resume(broker, version, client.client_id)
        again = client.take(acknowledged=False)
        assert (again.dup, again.packet_id) == (True, sent.packet_id)
        assert (again.topic, again.payload, again.qos) == (broker.topic, b"x", qos)
        settle_kept(client)
        client.expect_nothing()


@each_version
def test_nothing_is_sent_again_while_connected(broker: Broker, version: int) -> None:
    """[MQTT-4.4.0-1]: not at any other time; before version 5 it was only not asked for."""
    client, other = broker.connect(version), broker.connect(version)
    client.subscribe(broker.topic, qos=2)
    for qos in (1, 2, 2):
        other.publish(broker.topic, b"x", qos=qos)
    sent = client.take_all(acknowledged=False)
    client.acknowledge(Kind.PUBREC, sent[2].packet_id)
    assert client.read().kind == Kind.PUBREL
    client.subscribe(f"{broker.topic}/other")
    client.expect_nothing()
    client.expect_silence(0.3)


@each_version
def test_after_pubrec_the_release_is_sent_again_and_not_the_message(
    broker: Broker, version: int
) -> None:
    """[MQTT-4.3.3-4] [MQTT-4.3.3-5] [MQTT-4.3.3-6] [MQTT-4.4.0-1]."""
    client = begin(broker, version)
    client.subscribe(broker.topic, qos=2)
    client.publish(broker.topic, b"x", qos=2)
    packet_id = client.take(acknowledged=False).packet_id
    client.acknowledge(Kind.PUBREC, packet_id)
    assert client.read().kind == Kind.PUBREL
    for _ in range(2):
        client.lose()
        client = resume(broker, version, client.client_id)
        again = client.read()
        assert (again.kind, again.packet_id) == (Kind.PUBREL, packet_id)
        settle_kept(client)
        client.expect_nothing()
    client.acknowledge(Kind.PUBCOMP, packet_id)
    settle_kept(client)
    client.lose()
    resume(broker, version, client.client_id).expect_nothing()


@each_version
def test_a_second_pubrec_is_answered_by_pubrel_again(broker: Broker, version: int) -> None:
    """[MQTT-4.3.3-4]."""
    client = broker.connect(version)
    client.subscribe(broker.topic, qos=2)
    client.publish(broker.topic, b"x", qos=2)
    packet_id = client.take(acknowledged=False).packet_id
    for _ in range(2):
        client.acknowledge(Kind.PUBREC, packet_id)
        came = client.read()
        assert (came.kind, came.packet_id) == (Kind.PUBREL, packet_id)
    client.acknowledge(Kind.PUBCOMP, packet_id)
    client.expect_nothing()


@pytest.mark.parametrize("qos", [1, 2])
def test_a_message_that_the_client_refuses_is_not_sent_again(broker: Broker, qos: int) -> None:
    """[MQTT-4.4.0-2]; its packet identifier is free."""
    client = begin(broker, 5)
    client.subscribe(broker.topic, qos=2)
    client.publish(broker.topic, b"x", qos=qos)
    packet_id = client.take(acknowledged=False).packet_id
    client.acknowledge(Kind.PUBACK if qos == 1 else Kind.PUBREC, packet_id, FAILED)
    settle_kept(client)
    client.expect_nothing()
    client.lose()
    resume(broker, 5, client.client_id).expect_nothing()


@each_version
def test_pubrec_for_what_was_not_sent_is_answered(broker: Broker, version: int) -> None:
    """[MQTT-4.3.3-4]; MQTT 5, 3.6.2.1: Packet Identifier not found is one of the two codes."""
    client = broker.connect(version)
    client.acknowledge(Kind.PUBREC, 77)
    came = client.read()
    assert (came.kind, came.packet_id) == (Kind.PUBREL, 77)
    assert came.reason_code in (0, NOT_FOUND)
    client.acknowledge(Kind.PUBCOMP, 77)
    client.expect_nothing()


@each_version
def test_acknowledgements_of_what_was_not_sent_do_no_harm(broker: Broker, version: int) -> None:
    """[MQTT-4.3.2-3]: only the one that corresponds counts."""
    client = broker.connect(version)
    client.subscribe(broker.topic, qos=2)
    client.publish(broker.topic, b"x", qos=1)
    sent = client.take(acknowledged=False)
    for kind in (Kind.PUBACK, Kind.PUBCOMP):
        client.acknowledge(kind, sent.packet_id + 1)
    client.expect_nothing()


# Messages of the client, unfinished


@each_version
@pytest.mark.parametrize("qos", [1, 2])
def test_a_message_is_acknowledged_with_its_packet_identifier(
    broker: Broker, version: int, qos: int
) -> None:
    """[MQTT-4.3.2-4] [MQTT-4.3.3-8] [MQTT-4.3.3-11] [MQTT-2.2.1-5]."""
    client = broker.connect(version)
    for packet_id in (1, 255, 256, 65_535):
        client.send_publish(broker.topic, b"x", qos=qos, packet_id=packet_id)
        came = client.read()
        expected = Kind.PUBACK if qos == 1 else Kind.PUBREC
        assert (came.kind, came.packet_id) == (expected, packet_id)
        assert came.reason_code in (0, 0x10)
        if qos == 2:
            client.acknowledge(Kind.PUBREL, packet_id)
            came = client.read()
            assert (came.kind, came.packet_id, came.reason_code) == (Kind.PUBCOMP, packet_id, 0)


@each_version
@pytest.mark.parametrize("dup", [False, True])
def test_after_puback_the_same_packet_identifier_is_a_new_message(
    broker: Broker, version: int, dup: bool
) -> None:
    """[MQTT-4.3.2-5]; [MQTT-3.3.1-3]: DUP is not passed on."""
    client, other = broker.connect(version), broker.connect(version)
    client.subscribe(broker.topic, qos=1)
    for payload in (b"1", b"2"):
        other.publish(broker.topic, payload, qos=1, packet_id=7, dup=dup)
    taken = client.take_all()
    assert payloads(taken) == [b"1", b"2"]
    assert not any(came.dup for came in taken)


@each_version
def test_qos_2_is_delivered_once_though_it_is_sent_twice(broker: Broker, version: int) -> None:
    """[MQTT-4.3.3-10]: in one connection."""
    client, other = broker.connect(version), broker.connect(version)
    client.subscribe(broker.topic, qos=2)
    for dup in (False, True):  # a third time a server may take for what it is: [MQTT-4.4.0-1]
        other.send_publish(broker.topic, b"x", qos=2, packet_id=7, dup=dup)
        assert other.read().kind == Kind.PUBREC
    other.acknowledge(Kind.PUBREL, 7)
    assert other.read().kind == Kind.PUBCOMP
    assert payloads(client.take_all()) == [b"x"]


@each_version
def test_qos_2_is_delivered_once_across_connections(broker: Broker, version: int) -> None:
    """[MQTT-4.3.3-10] [MQTT-4.3.3-8] after a reconnect."""
    client, other = broker.connect(version), begin(broker, version)
    client.subscribe(broker.topic, qos=2)
    other.send_publish(broker.topic, b"x", qos=2, packet_id=7)
    assert other.read().kind == Kind.PUBREC
    for _ in range(2):
        other.lose()
        other = resume(broker, version, other.client_id)
        other.send_publish(broker.topic, b"x", qos=2, packet_id=7, dup=True)
        came = other.read()
        assert (came.kind, came.packet_id) == (Kind.PUBREC, 7)
    other.lose()
    other = resume(broker, version, other.client_id)
    for _ in range(2):
        other.acknowledge(Kind.PUBREL, 7)
        came = other.read()
        assert (came.kind, came.packet_id) == (Kind.PUBCOMP, 7)
    assert payloads(client.take_all()) == [b"x"]


@each_version
def test_after_pubcomp_the_same_packet_identifier_is_a_new_message(
    broker: Broker, version: int
) -> None:
    """[MQTT-4.3.3-12]."""
    client, other = broker.connect(version), broker.connect(version)
    client.subscribe(broker.topic, qos=2)
    for payload in (b"1", b"2"):
        other.publish(broker.topic, payload, qos=2, packet_id=7, dup=True)
    assert payloads(client.take_all()) == [b"1", b"2"]


@each_version
def test_a_clean_start_forgets_unfinished_qos_2_of_the_client(broker: Broker, version: int) -> None:
    """[MQTT-3.1.2-4]: the same packet identifier is a new message.

    The first was delivered already, or never is: MQTT 5, 4.3.3 has both methods.
    """
    client, other = broker.connect(version), begin(broker, version)
    client.subscribe(broker.topic, qos=2)
    other.send_publish(broker.topic, b"1", qos=2, packet_id=7)
    assert other.read().kind == Kind.PUBREC
    other.lose()
    other = broker.connect(version, other.client_id, clean=True)
    other.publish(broker.topic, b"2", qos=2, packet_id=7)
    assert payloads(client.take_all()) in ([b"1", b"2"], [b"2"])


@each_version
def test_pubrel_of_an_unknown_packet_identifier_has_its_pubcomp(
    broker: Broker, version: int
) -> None:
    """[MQTT-4.3.3-11]; MQTT 5, 3.7.2.1: Packet Identifier not found is one of the two codes."""
    client = broker.connect(version)
    client.acknowledge(Kind.PUBREL, 99)
    came = client.read()
    assert (came.kind, came.packet_id) == (Kind.PUBCOMP, 99)
    assert came.reason_code in (0, NOT_FOUND)


def test_a_refused_qos_2_message_leaves_its_packet_identifier_free(broker: Broker) -> None:
    """[MQTT-4.3.3-9]; refused because clients may not publish to a topic of the server's."""
    client, other = broker.connect(), broker.connect()
    client.subscribe(broker.topic, qos=2)
    for _ in range(2):
        other.send_publish("$SYS/broker/version", b"forged", qos=2, packet_id=7)
        came = other.read()
        assert (came.kind, came.packet_id) == (Kind.PUBREC, 7)
        assert came.reason_code >= FAILED
    other.publish(broker.topic, b"ok", qos=2, packet_id=7)
    assert payloads(client.take_all()) == [b"ok"]


@each_version
def test_client_and_server_may_use_the_same_packet_identifier_at_once(
    broker: Broker, version: int
) -> None:
    """MQTT 5, 2.2.1: they are assigned independently of each other."""
    client = broker.connect(version)
    client.subscribe(broker.topic, qos=2)
    broker.connect(version).publish(broker.topic, b"theirs", qos=2)
    theirs = client.take(acknowledged=False)
    client.unsubscribe(broker.topic)
    client.send_publish(broker.topic, b"mine", qos=2, packet_id=theirs.packet_id)
    assert client.read().kind == Kind.PUBREC
    client.acknowledge(Kind.PUBREC, theirs.packet_id)
    assert client.read().kind == Kind.PUBREL
    client.acknowledge(Kind.PUBREL, theirs.packet_id)
    assert client.read().kind == Kind.PUBCOMP
    client.acknowledge(Kind.PUBCOMP, theirs.packet_id)
    client.expect_nothing()


# Takeover


@each_version
def test_who_takes_a_session_over_has_what_is_unfinished(broker: Broker, version: int) -> None:
    """[MQTT-3.1.4-3] with [MQTT-4.4.0-1]."""
    client, other = begin(broker, version), broker.connect(version)
    client.subscribe(broker.topic, qos=1)
    other.publish(broker.topic, b"1", qos=1)
    sent = client.take(acknowledged=False)
    again = resume(broker, version, client.client_id)
    client.expect_closed(0x8E)
    other.publish(broker.topic, b"2", qos=1)
    taken = again.take_all()
    assert payloads(taken) == [b"1", b"2"]
    assert [came.dup for came in taken] == [True, False]
    assert taken[0].packet_id == sent.packet_id


@pytest.mark.parametrize(("before", "after"), [(4, 5), (5, 4), (3, 5), (3, 4)])
def test_a_session_may_be_resumed_in_another_version(
    broker: Broker, before: int, after: int
) -> None:
    """[MQTT-3.1.2-5]: the Client Identifier alone says which session it is."""
    name = away(broker, before)
    other = broker.connect()
    other.publish(broker.topic, b"x", qos=2, props={"content_type": "text/plain"})
    client: Client = broker.connect(after, name, **keeping(after))
    came = client.take()
    assert (came.payload, came.qos, came.dup) == (b"x", 2, False)
    assert came.properties == ({"content_type": "text/plain"} if after == 5 else {})


@each_version
def test_one_segment_with_connect_and_more_is_taken_as_one_session(
    broker: Broker, version: int
) -> None:
    """[MQTT-3.1.4-5]: a client need not wait for its CONNACK."""
    name, other = away(broker, version), broker.connect(version)
    other.publish(broker.topic, b"1", qos=1)
    client = broker.open(version, name)
    client.send_connect(**keeping(version))
    client.write(publish(version, broker.topic, b"2", qos=1, packet_id=1))
    assert client.read().kind == Kind.CONNACK
    assert client.wait_for(Kind.PUBACK).packet_id == 1
    assert payloads(client.take_all()) == [b"1", b"2"]
