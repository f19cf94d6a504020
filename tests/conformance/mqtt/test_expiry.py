"""What ends after a while: sessions, messages. Source: MQTT 5, 3.1.2.11.2, 3.3.2.3.3, 4.1.

All scenarios run up to their `yield`, then their time passes at once, then each is looked at.
"""

import time
from collections.abc import Callable, Iterator

import pytest
from tests.conformance.mqtt.keeping import EXPIRY_S, begin, keeping, resume
from tests.conformance.mqtt.wire import Broker, Kind, Will, unique

PASSING_S = 2.6  # what lives for a second is gone by then, and what lives for long has less left
Scenario = Callable[[Broker], Iterator[None]]
_scenarios: list[Scenario] = []


def scenario(function: Scenario) -> Scenario:
    _scenarios.append(function)
    return function


@pytest.fixture(scope="module")
def begun(address: tuple[str, int]) -> Iterator[dict[str, Iterator[None]]]:
    broker = Broker(*address)
    running = {each.__name__: each(broker) for each in _scenarios}
    for each in running.values():
        next(each)
    time.sleep(PASSING_S)
    yield running
    broker.close()


@scenario
def a_session_ends_when_its_interval_has_passed(broker: Broker) -> Iterator[None]:
    """[MQTT-4.1.0-2]."""
    client = broker.connect(**keeping(5, 1))
    client.disconnect()
    yield
    begin(broker, 5, client.client_id)


@scenario
def a_session_ends_as_well_when_its_connection_was_lost(broker: Broker) -> Iterator[None]:
    """[MQTT-4.1.0-2]."""
    client = broker.connect(**keeping(5, 1))
    client.lose()
    yield
    begin(broker, 5, client.client_id)


@scenario
def a_session_does_not_end_while_it_is_connected(broker: Broker) -> Iterator[None]:
    """[MQTT-4.1.0-1]: the interval begins when the connection is closed."""
    client = broker.connect(**keeping(5, 1))
    client.subscribe(unique(), qos=1)
    yield
    client.expect_nothing()
    client.lose()
    again = resume(broker, 5, client.client_id)
    again.expect_nothing()


@scenario
def a_longer_interval_in_disconnect_counts(broker: Broker) -> Iterator[None]:
    """MQTT 5, 3.14.2.2.2."""
    client = broker.connect(**keeping(5, 1))
    client.disconnect(0, {"session_expiry_interval": EXPIRY_S})
    yield
    resume(broker, 5, client.client_id)


@scenario
def a_shorter_interval_in_disconnect_counts(broker: Broker) -> Iterator[None]:
    """MQTT 5, 3.14.2.2.2."""
    client = begin(broker, 5)
    client.disconnect(0, {"session_expiry_interval": 1})
    yield
    begin(broker, 5, client.client_id)


@scenario
def a_session_of_3_1_1_does_not_end_by_itself(broker: Broker) -> Iterator[None]:
    """3.1.1: 4.1.0-1, 3.1.2-4; within what a server decides on."""
    client = begin(broker, 4)
    client.disconnect()
    yield
    resume(broker, 4, client.client_id)


@scenario
def an_ended_session_is_not_a_subscriber_any_more(broker: Broker) -> Iterator[None]:
    """[MQTT-4.1.0-2]: its subscriptions end with it, in a shared group as well."""
    topic, left = unique("t"), broker.connect()
    gone = broker.connect(**keeping(5, 1))
    for client in (gone, left):
        client.subscribe(f"$share/g/{topic}", qos=1)
    gone.disconnect()
    yield
    for number in range(6):
        broker.connect().publish(topic, str(number).encode(), qos=1)
    assert [came.payload for came in left.take_all()] == [b"0", b"1", b"2", b"3", b"4", b"5"]


@scenario
def a_will_that_is_delayed_comes_when_the_session_ends(broker: Broker) -> Iterator[None]:
    """[MQTT-3.1.2-8]: whichever is first."""
    topic, witness = unique("t"), broker.connect()
    witness.subscribe(topic)
    will = Will(topic, b"will", properties={"will_delay_interval": EXPIRY_S})
    broker.connect(will=will, **keeping(5, 1)).lose()
    witness.expect_nothing()
    yield
    assert witness.take().payload == b"will"


@scenario
def a_waiting_message_is_deleted_when_its_time_has_passed(broker: Broker) -> Iterator[None]:
    """[MQTT-3.3.2-5]."""
    topic, client = unique("t"), begin(broker, 5)
    client.subscribe(topic, qos=2)
    client.disconnect()
    other = broker.connect()
    for qos in (1, 2):
        other.publish(topic, b"short", qos=qos, props={"message_expiry_interval": 1})
    other.publish(topic, b"long", qos=1, props={"message_expiry_interval": 100})
    other.publish(topic, b"for ever", qos=1)
    yield
    again = resume(broker, 5, client.client_id)
    taken = [again.take(), again.take()]
    assert [came.payload for came in taken] == [b"long", b"for ever"]
    assert 95 <= taken[0].properties["message_expiry_interval"] <= 98  # [MQTT-3.3.2-6]
    assert taken[1].properties == {}
    again.expect_nothing()


@scenario
def a_message_that_waits_for_the_quota_is_deleted_too(broker: Broker) -> Iterator[None]:
    """[MQTT-3.3.2-5]: onward delivery has not begun."""
    topic, client = unique("t"), broker.connect(props={"receive_maximum": 1})
    client.subscribe(topic, qos=2)
    other = broker.connect()
    other.publish(topic, b"first", qos=1)
    other.publish(topic, b"short", qos=1, props={"message_expiry_interval": 1})
    other.publish(topic, b"last", qos=1)
    yield
    assert client.take().payload == b"first"
    assert client.take().payload == b"last"
    client.expect_nothing()


@scenario
def expiry_does_not_end_a_delivery_that_has_begun(broker: Broker) -> Iterator[None]:
    """[MQTT-4.3.3-7] [MQTT-4.3.3-13]."""
    topic, client = unique("t"), begin(broker, 5)
    client.subscribe(topic, qos=2)
    client.publish(topic, b"x", qos=2, props={"message_expiry_interval": 1})
    packet_id = client.take(acknowledged=False).packet_id
    yield
    client.acknowledge(Kind.PUBREC, packet_id)
    assert client.read().kind == Kind.PUBREL
    client.acknowledge(Kind.PUBCOMP, packet_id)
    client.expect_nothing()


@scenario
def expiry_does_not_end_the_exchange_with_the_publisher(broker: Broker) -> Iterator[None]:
    """[MQTT-4.3.3-13]: of a server that receives."""
    topic, client = unique("t"), broker.connect()
    props = {"message_expiry_interval": 1}
    packet_id = client.send_publish(topic, b"x", qos=2, props=props)
    assert client.read().kind == Kind.PUBREC
    yield
    client.acknowledge(Kind.PUBREL, packet_id)
    came = client.read()
    assert (came.kind, came.packet_id, came.reason_code) == (Kind.PUBCOMP, packet_id, 0)


@scenario
def a_retained_message_is_deleted_when_its_time_has_passed(broker: Broker) -> Iterator[None]:
    """[MQTT-3.3.2-5]; MQTT 5, 3.3.1.3: it is no longer retained."""
    topic, client = unique("t"), broker.connect()
    short, long = f"{topic}/short", f"{topic}/long"
    client.publish(short, b"x", qos=1, retain=True, props={"message_expiry_interval": 1})
    client.publish(long, b"x", qos=1, retain=True, props={"message_expiry_interval": 100})
    yield
    client.subscribe(f"{topic}/+", qos=1)
    client.subscribe(short, qos=1)
    [came] = client.take_all()
    assert came.topic == long
    assert 95 <= came.properties["message_expiry_interval"] <= 98  # [MQTT-3.3.2-6]
    assert client.version == 5


@scenario
def a_replaced_retained_message_has_the_time_of_the_new_one(broker: Broker) -> Iterator[None]:
    """[MQTT-3.3.1-5]: also when the new one has none."""
    topic, client = unique("t"), broker.connect()
    client.publish(topic, b"1", qos=1, retain=True, props={"message_expiry_interval": 1})
    client.publish(topic, b"2", qos=1, retain=True)
    yield
    client.subscribe(topic, qos=1)
    [came] = client.take_all()
    assert (came.payload, came.properties) == (b"2", {})


@scenario
def a_subscriber_of_3_1_1_is_not_sent_what_is_over_either(broker: Broker) -> Iterator[None]:
    """[MQTT-3.3.2-5]: it is the publisher that asks for it."""
    topic, client = unique("t"), begin(broker, 4)
    client.subscribe(topic, qos=1)
    client.disconnect()
    other = broker.connect()
    other.publish(topic, b"x", qos=1, props={"message_expiry_interval": 1})
    yield
    resume(broker, 4, client.client_id).expect_nothing()


@pytest.mark.parametrize("name", [each.__name__ for each in _scenarios])
def test_after_a_while(begun: dict[str, Iterator[None]], name: str) -> None:
    assert next(begun[name], "done") == "done"
