"""Shared subscriptions. Source: MQTT 5, 4.8.2."""

import itertools

import pytest
from tests.conformance.mqtt.keeping import begin, resume
from tests.conformance.mqtt.octets import subscribe, unsubscribe
from tests.conformance.mqtt.topic_cases import INVALID_SHARED_FILTERS
from tests.conformance.mqtt.wire import Broker, Client, Kind, unique

FAILED = 0x80


def numbered(count: int) -> list[bytes]:
    return [str(number).encode() for number in range(count)]


def publish_all(client: Client, topic: str, qos: int, payloads: list[bytes]) -> None:
    for payload in payloads:
        client.publish(topic, payload, qos=qos)


def payloads_of(*clients: Client) -> list[list[bytes]]:
    return [[came.payload for came in client.take_all()] for client in clients]


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_each_message_goes_to_one_of_the_group(broker: Broker, qos: int) -> None:
    """MQTT 5, 4.8.2."""
    members = [broker.connect() for _ in range(3)]
    for member in members:
        member.subscribe(f"$share/g/{broker.topic}/#", qos=qos)
    publish_all(broker.connect(), f"{broker.topic}/a", qos, numbered(30))
    parts = payloads_of(*members)
    assert sorted(itertools.chain(*parts)) == sorted(numbered(30))


def test_each_group_and_each_subscriber_for_itself_has_every_message(broker: Broker) -> None:
    """MQTT 5, 4.8.2: a ShareName and a filter together make a shared subscription."""
    filters = [f"$share/g/{broker.topic}/a", f"$share/h/{broker.topic}/a", f"{broker.topic}/a"]
    filters += [f"$share/g/{broker.topic}/+", f"$share/G/{broker.topic}/a"]
    clients = [broker.connect() for _ in filters]
    for client, topic_filter in zip(clients, filters, strict=True):
        assert client.subscribe(topic_filter, qos=1).reason_codes == [1]
    publish_all(broker.connect(), f"{broker.topic}/a", 1, numbered(5))
    assert payloads_of(*clients) == [numbered(5)] * len(filters)


def test_a_client_may_have_the_same_filter_shared_and_for_itself(broker: Broker) -> None:
    """MQTT 5, 4.8.2: it then has the message twice, or once with both identifiers."""
    client = broker.connect()
    client.subscribe(broker.topic, qos=1, props={"subscription_identifier": 1})
    client.subscribe(f"$share/g/{broker.topic}", qos=1, props={"subscription_identifier": 2})
    broker.connect().publish(broker.topic, b"x", qos=1)
    identifiers = [
        number
        for came in client.take_all()
        for number in came.properties["subscription_identifier"]
    ]
    assert sorted(identifiers) == [1, 2]


def test_a_group_of_one_client_has_each_message_once(broker: Broker) -> None:
    client = broker.connect()
    for _ in range(3):
        client.subscribe(f"$share/g/{broker.topic}", qos=1)
    publish_all(broker.connect(), broker.topic, 1, numbered(6))
    assert payloads_of(client) == [numbered(6)]


@pytest.mark.parametrize(("topic_filter", "clause"), INVALID_SHARED_FILTERS)
@pytest.mark.parametrize("build", [subscribe, unsubscribe])
def test_malformed_shared_filters_are_refused(
    broker: Broker, build: object, topic_filter: str, clause: str
) -> None:
    """[MQTT-4.8.2-1] [MQTT-4.8.2-2]: the end of the connection, or a reason code that says so."""
    client = broker.connect()
    if build is subscribe:
        client.write(subscribe(5, 1, [(topic_filter, 0)]))
    else:
        client.write(unsubscribe(5, 1, [topic_filter]))
    came = client.read()
    if came.kind == Kind.DISCONNECT:
        assert came.reason_code in (0x81, 0x82, 0x8F)
        client.expect_closed()
    else:
        assert came.reason_codes == [0x8F]


def test_the_granted_qos_is_each_members_own(broker: Broker) -> None:
    """[MQTT-4.8.2-3]."""
    members = [broker.connect() for _ in range(3)]
    for qos, member in enumerate(members):
        assert member.subscribe(f"$share/g/{broker.topic}", qos=qos).reason_codes == [qos]
    publish_all(broker.connect(), broker.topic, 2, numbered(12))
    taken = [member.take_all() for member in members]
    assert sum(map(len, taken)) == 12
    for qos, packets in enumerate(taken):
        assert {came.qos for came in packets} <= {qos}


def test_no_retained_messages_come_to_a_shared_subscription(broker: Broker) -> None:
    """MQTT 5, 4.8.2, with each value of Retain Handling."""
    other = broker.connect()
    other.publish(broker.topic, b"kept", qos=1, retain=True)
    for handling in (0, 1, 2):
        client = broker.connect()
        client.subscribe(f"$share/g{handling}/{broker.topic}", retain_handling=handling)
        client.expect_nothing()


def test_options_and_identifiers_of_a_shared_subscription_hold(broker: Broker) -> None:
    """MQTT 5, 3.8.3.1 and 3.8.2.1.2."""
    client = broker.connect()
    shared = f"$share/g/{broker.topic}"
    client.subscribe(shared, retain_as_published=True, props={"subscription_identifier": 9})
    broker.connect().publish(broker.topic, b"x", retain=True)
    came = client.take()
    assert (came.retain, came.properties) == (True, {"subscription_identifier": [9]})
    client.subscribe(shared)
    broker.connect().publish(broker.topic, b"x", retain=True)
    came = client.take()
    assert (came.retain, came.properties) == (False, {})


def test_unsubscribe_is_of_the_whole_shared_filter(broker: Broker) -> None:
    """[MQTT-3.10.4-1]."""
    client, other = broker.connect(), broker.connect()
    shared = f"$share/g/{broker.topic}"
    client.subscribe(shared, qos=1)
    assert client.unsubscribe(broker.topic, f"$share/h/{broker.topic}").reason_codes == [0x11] * 2
    other.publish(broker.topic, b"1", qos=1)
    assert payloads_of(client) == [[b"1"]]
    assert client.unsubscribe(shared).reason_codes == [0]
    other.publish(broker.topic, b"2", qos=1)
    client.expect_nothing()


@pytest.mark.parametrize("how", ["unsubscribe", "disconnect", "lose"])
def test_who_is_left_has_all_when_a_member_goes(broker: Broker, how: str) -> None:
    """MQTT 5, 4.8.2: the shared subscription lasts as long as there is a session with it."""
    members = [broker.connect() for _ in range(2)]
    for member in members:
        member.subscribe(f"$share/g/{broker.topic}", qos=1)
    gone, left = members
    if how == "unsubscribe":
        gone.unsubscribe(f"$share/g/{broker.topic}")
    elif how == "disconnect":
        gone.disconnect()
    else:
        gone.lose()
        left.settle()  # the end of the other connection is seen before what comes now
    publish_all(broker.connect(), broker.topic, 1, numbered(6))
    assert payloads_of(left) == [numbered(6)]


def test_messages_wait_for_the_only_member(broker: Broker) -> None:
    """[MQTT-4.5.0-1]."""
    name = unique()
    member = begin(broker, 5, name)
    member.subscribe(f"$share/g/{broker.topic}", qos=1)
    member.disconnect()
    publish_all(broker.connect(), broker.topic, 1, numbered(5))
    assert payloads_of(resume(broker, 5, name)) == [numbered(5)]


def begun_delivery(broker: Broker, qos: int) -> tuple[Client, Client, int]:
    """Two members, a message has gone to the first: that one, the other, its packet identifier."""
    members = [begin(broker, 5) for _ in range(2)]
    for member in members:
        member.subscribe(f"$share/g/{broker.topic}", qos=qos)
    broker.connect().publish(broker.topic, b"x", qos=qos)
    for member in members:
        member.settle()
    first, second = members if members[0].inbox else members[::-1]
    second.expect_nothing()
    return first, second, first.take(acknowledged=False).packet_id


@pytest.mark.parametrize("is_received", [False, True])
def test_qos_2_is_completed_to_the_member_it_began_with(broker: Broker, is_received: bool) -> None:
    """[MQTT-4.8.2-4]."""
    first, second, packet_id = begun_delivery(broker, 2)
    if is_received:
        first.acknowledge(Kind.PUBREC, packet_id)
        assert first.read().kind == Kind.PUBREL
    first.lose()
    second.expect_nothing()
    again = resume(broker, 5, first.client_id)
    came = again.read()
    assert came.packet_id == packet_id
    assert came.kind == (Kind.PUBREL if is_received else Kind.PUBLISH)
    second.expect_nothing()


def test_qos_2_is_not_sent_to_another_when_the_session_ends(broker: Broker) -> None:
    """[MQTT-4.8.2-5]."""
    first, second, _ = begun_delivery(broker, 2)
    first.lose()
    again = broker.connect(client_id=first.client_id, clean=True)
    again.expect_nothing()
    second.expect_nothing()


def test_qos_1_is_not_lost_when_a_member_goes(broker: Broker) -> None:
    """MQTT 5, 4.8.2: it waits for this member, or goes to another."""
    first, second, _ = begun_delivery(broker, 1)
    first.lose()
    second.settle()
    again = resume(broker, 5, first.client_id)
    parts = payloads_of(again, second)
    assert [*itertools.chain(*parts)] == [b"x"]


@pytest.mark.parametrize("qos", [1, 2])
def test_a_message_that_one_member_refuses_goes_to_no_other(broker: Broker, qos: int) -> None:
    """[MQTT-4.8.2-6] [MQTT-4.4.0-2]."""
    first, second, packet_id = begun_delivery(broker, qos)
    first.acknowledge(Kind.PUBACK if qos == 1 else Kind.PUBREC, packet_id, FAILED)
    first.expect_nothing()
    second.expect_nothing()
    first.lose()
    resume(broker, 5, first.client_id).expect_nothing()
    second.expect_nothing()
