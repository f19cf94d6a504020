"""Flow control by Receive Maximum, both ways. Source: MQTT 5, 3.3.4 and 4.9."""

import contextlib

import pytest
from tests.conformance.mqtt.keeping import begin, resume, settle_kept
from tests.conformance.mqtt.octets import acknowledgement, publish
from tests.conformance.mqtt.wire import Broker, Client, Closed, Kind

RECEIVE_MAXIMUM_EXCEEDED, FAILED = 0x93, 0x80
LARGEST = 65_535


def subscriber(broker: Broker, receive_maximum: int, *, is_kept: bool = False) -> Client:
    if is_kept:
        client = begin(broker, 5, receive_maximum=receive_maximum)
    else:
        client = broker.connect(props={"receive_maximum": receive_maximum})
    client.subscribe(broker.topic, qos=2)
    return client


def publish_all(broker: Broker, count: int, *qos: int) -> None:
    """Publish so many messages numbered from 0, the QoS in turns."""
    other = broker.connect()
    for number in range(count):
        other.publish(broker.topic, str(number).encode(), qos=qos[number % len(qos)])


def receive_maximum_of(client: Client) -> int:
    assert client.connack is not None
    maximum: int = client.connack.properties.get("receive_maximum", LARGEST)
    assert maximum > 0
    return maximum


# Towards the client


@pytest.mark.parametrize("receive_maximum", [1, 3])
@pytest.mark.parametrize("qos", [(1,), (2,), (1, 2)])
def test_no_more_than_receive_maximum_are_unacknowledged(
    broker: Broker, receive_maximum: int, qos: tuple[int, ...]
) -> None:
    """[MQTT-3.3.4-9] [MQTT-4.9.0-1] [MQTT-4.9.0-2]."""
    client = subscriber(broker, receive_maximum)
    publish_all(broker, 8, *qos)
    unacknowledged = client.take_all(acknowledged=False)
    assert len(unacknowledged) == receive_maximum
    seen = [int(came.payload) for came in unacknowledged]
    while unacknowledged:
        first = unacknowledged.pop(0)
        if first.qos == 1:
            client.acknowledge(Kind.PUBACK, first.packet_id)
        else:
            client.acknowledge(Kind.PUBREC, first.packet_id)
            assert client.read().kind == Kind.PUBREL
            client.expect_nothing()  # a PUBREC does not give the quota back
            client.acknowledge(Kind.PUBCOMP, first.packet_id)
        came = client.take_all(acknowledged=False)
        assert len(came) == (1 if len(seen) < 8 else 0)
        seen += [int(each.payload) for each in came]
        unacknowledged += came
    assert seen == list(range(8))


def test_qos_0_and_answers_go_on_while_the_quota_is_used_up(broker: Broker) -> None:
    """[MQTT-3.3.4-10] [MQTT-4.9.0-3]; MQTT 5, 4.9: QoS 0 does not count."""
    client = subscriber(broker, 1)
    publish_all(broker, 3, 2)
    held = client.take(acknowledged=False)
    other = broker.connect()
    other.publish(broker.topic, b"qos 0", qos=0)
    assert client.take().payload == b"qos 0"
    assert client.subscribe(f"{broker.topic}/a", qos=1).reason_codes == [1]
    assert client.unsubscribe(f"{broker.topic}/a").reason_codes == [0]
    answer = client.publish(f"{broker.topic}/b", b"x", qos=2)
    assert answer is not None
    assert answer.kind == Kind.PUBCOMP
    client.expect_nothing()
    client.acknowledge(Kind.PUBREC, held.packet_id)
    assert client.read().kind == Kind.PUBREL
    client.acknowledge(Kind.PUBCOMP, held.packet_id)
    assert client.take().payload == b"1"


@pytest.mark.parametrize("qos", [1, 2])
def test_a_refusal_gives_the_quota_back(broker: Broker, qos: int) -> None:
    """MQTT 5, 4.9: a PUBACK, or a PUBREC of 0x80 or greater."""
    client = subscriber(broker, 1)
    publish_all(broker, 3, qos)
    for number in range(3):
        [came] = client.take_all(acknowledged=False)
        assert came.payload == str(number).encode()
        client.acknowledge(Kind.PUBACK if qos == 1 else Kind.PUBREC, came.packet_id, FAILED)
    client.expect_nothing()


def test_acknowledgements_that_fit_nothing_do_not_raise_the_quota(broker: Broker) -> None:
    """MQTT 5, 4.9: it is not increased beyond the initial send quota."""
    client = subscriber(broker, 2)
    for packet_id in range(100, 105):
        client.acknowledge(Kind.PUBACK, packet_id)
        client.acknowledge(Kind.PUBCOMP, packet_id)
    publish_all(broker, 5, 1)
    assert len(client.take_all(acknowledged=False)) == 2


def test_the_quota_is_new_with_each_connection(broker: Broker) -> None:
    """MQTT 5, 4.9: send quota and Receive Maximum are not part of the session."""
    client = subscriber(broker, 4, is_kept=True)
    publish_all(broker, 6, 1)
    assert len(client.take_all(acknowledged=False)) == 4
    client.lose()
    again = resume(broker, 5, client.client_id, receive_maximum=2)
    first = again.take_all(acknowledged=False)
    assert [(int(came.payload), came.dup) for came in first] == [(0, True), (1, True)]
    for came in first:
        again.acknowledge(Kind.PUBACK, came.packet_id)
    taken = again.take_all()
    rest = [int(came.payload) for came in taken]
    while taken := again.take_all():
        rest += [int(came.payload) for came in taken]
    assert rest == [2, 3, 4, 5]


def test_after_a_reconnect_releases_come_and_no_more_messages_than_the_quota(
    broker: Broker,
) -> None:
    """[MQTT-4.9.0-2] [MQTT-4.9.0-3]: a PUBREL is sent whatever the quota is."""
    client = subscriber(broker, 2, is_kept=True)
    publish_all(broker, 6, 2)
    for packet_id in (client.read().packet_id, client.read().packet_id):
        client.acknowledge(Kind.PUBREC, packet_id)
    assert [client.wait_for(Kind.PUBREL).kind for _ in range(2)]
    client.lose()
    again = resume(broker, 5, client.client_id, receive_maximum=1)
    settle_kept(again)
    kinds = [came.kind for came in again.inbox]
    assert kinds.count(Kind.PUBREL) == 2
    assert kinds.count(Kind.PUBLISH) <= 1


def test_receive_maximum_0_is_refused(broker: Broker) -> None:
    """MQTT 5, 3.1.2.11.3: a Protocol Error."""
    client = broker.open()
    client.send_connect(props={"receive_maximum": 0})
    with contextlib.suppress(Closed):  # it need not say why
        assert client.read().reason_code in (0x81, 0x82)
    client.expect_closed()


# Towards the server


@pytest.mark.parametrize("qos", [1, 2])
def test_as_many_as_the_servers_receive_maximum_are_taken(broker: Broker, qos: int) -> None:
    """[MQTT-3.3.4-7]: again and again, as acknowledgements give the quota back."""
    client = broker.connect()
    maximum = min(receive_maximum_of(client), 200)
    numbers = range(1, maximum + 1)
    for _ in range(3):
        client.write(
            b"".join(
                publish(5, broker.topic, b"x", qos=qos, packet_id=number) for number in numbers
            )
        )
        assert [client.read().packet_id for _ in numbers] == list(numbers)
        if qos == 2:
            client.write(b"".join(acknowledgement(Kind.PUBREL, 5, number) for number in numbers))
            assert [client.read().packet_id for _ in numbers] == list(numbers)
    client.expect_nothing()


def test_more_than_the_servers_receive_maximum_are_refused(broker: Broker) -> None:
    """[MQTT-3.3.4-7]; MQTT 5, 3.3.4: DISCONNECT with 0x93; unreleased QoS 2 counts."""
    client = broker.connect()
    maximum = receive_maximum_of(client)
    if maximum == LARGEST:
        pytest.skip("there are no more packet identifiers than this server takes messages")
    for number in range(1, maximum + 1):
        client.send_publish(broker.topic, b"x", qos=2, packet_id=number)
    for _ in range(maximum):
        assert client.read().kind == Kind.PUBREC
    client.send_publish(broker.topic, b"x", qos=2, packet_id=1, dup=True)  # not one more
    assert client.read().kind == Kind.PUBREC
    client.send_publish(broker.topic, b"x", qos=2, packet_id=maximum + 1)
    client.expect_closed(RECEIVE_MAXIMUM_EXCEEDED)


def test_what_the_server_refuses_or_completes_is_not_counted(broker: Broker) -> None:
    """[MQTT-4.9.0-3]: QoS 0 and QoS 1 go on as QoS 2 is completed."""
    client = broker.connect()
    maximum = min(receive_maximum_of(client), 200)
    for number in range(1, maximum):
        client.send_publish(broker.topic, b"x", qos=2, packet_id=number)
        assert client.read().kind == Kind.PUBREC
    for number in range(maximum, maximum + 10):  # one place is left for all of these
        client.send_publish(broker.topic, b"x", qos=1, packet_id=number)
        assert client.read().kind == Kind.PUBACK
        client.send_publish(broker.topic, b"x")
    client.expect_nothing()


@pytest.mark.parametrize("version", [3, 4])
def test_versions_without_receive_maximum_are_not_held_to_it(broker: Broker, version: int) -> None:
    """MQTT 3.1.1 has no flow control: many unreleased messages of a client are taken."""
    client = broker.connect(version)
    for number in range(1, 31):
        client.send_publish(broker.topic, b"x", qos=2, packet_id=number)
        assert client.read().kind == Kind.PUBREC
    client.expect_nothing()
