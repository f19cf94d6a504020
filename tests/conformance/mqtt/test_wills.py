"""MQTT 5, 3.1.2.5 and 3.1.3.2; 3.1.1, 3.1.2.5: wills."""

import time

import pytest
from tests.conformance.mqtt import octets
from tests.conformance.mqtt.keeping import each_version, keeping
from tests.conformance.mqtt.meanwhile import meanwhile
from tests.conformance.mqtt.octets import Version, Will
from tests.conformance.mqtt.wire import Broker, Client

WILL = b"gone"


def watched(broker: Broker, version: Version, qos: int = 0) -> Client:
    """A client that sees wills of this test."""
    watcher = broker.connect(version)
    watcher.subscribe(f"{broker.topic}/#", qos=qos)
    return watcher


def will_of(broker: Broker, **about: object) -> Will:
    """A will that `watched` sees."""
    return Will(f"{broker.topic}/will", WILL, **about)  # type: ignore[arg-type] # of Will


@each_version
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_will_is_published_when_the_connection_is_lost(
    broker: Broker, version: Version, qos: int
) -> None:
    watcher = watched(broker, version, 2)
    broker.connect(version, will=will_of(broker, qos=qos)).lose()
    came = watcher.take()
    assert (came.topic, came.payload, came.qos) == (f"{broker.topic}/will", WILL, qos)
    assert not came.retain
    watcher.expect_nothing()


@each_version
def test_will_is_published_after_a_protocol_error(broker: Broker, version: Version) -> None:
    watcher = watched(broker, version)
    client = broker.connect(version, will=will_of(broker))
    client.write(b"\x00\x00")
    client.expect_closed()
    assert watcher.take().payload == WILL


@each_version
def test_will_is_published_after_a_second_connect(broker: Broker, version: Version) -> None:
    watcher = watched(broker, version)
    client = broker.connect(version, will=will_of(broker))
    client.send_connect()
    client.expect_closed()
    assert watcher.take().payload == WILL


@each_version
def test_will_is_published_at_takeover(broker: Broker, version: Version) -> None:
    watcher = watched(broker, version)
    client = broker.connect(version, will=will_of(broker))
    broker.connect(version, client.client_id)
    client.expect_closed(0x8E)
    assert watcher.take().payload == WILL


@each_version
@pytest.mark.parametrize("kept", [False, True])
def test_will_is_not_published_after_a_disconnect(
    broker: Broker, version: Version, kept: bool
) -> None:
    watcher = watched(broker, version)
    fields = keeping(version) if kept else {}
    broker.connect(version, will=will_of(broker), **fields).disconnect()
    watcher.expect_nothing()


def test_will_is_published_after_a_disconnect_that_asks_for_it(broker: Broker) -> None:
    watcher = watched(broker, 5)
    broker.connect(5, will=will_of(broker)).disconnect(0x04)
    assert watcher.take().payload == WILL


@pytest.mark.parametrize("reason_code", [0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x99])
def test_will_is_published_after_a_disconnect_with_an_error(
    broker: Broker, reason_code: int
) -> None:
    watcher = watched(broker, 5)
    broker.connect(5, will=will_of(broker)).disconnect(reason_code)
    assert watcher.take().payload == WILL


@each_version
def test_no_will_no_message(broker: Broker, version: Version) -> None:
    watcher = watched(broker, version)
    broker.connect(version).lose()
    watcher.expect_nothing()


@each_version
def test_will_of_the_last_connect_is_the_one(broker: Broker, version: Version) -> None:
    watcher = watched(broker, version)
    first = broker.connect(version, will=Will(f"{broker.topic}/1"), **keeping(version))
    first.disconnect()
    second = broker.connect(
        version, first.client_id, will=Will(f"{broker.topic}/2"), **keeping(version)
    )
    second.lose()
    assert watcher.take().topic == f"{broker.topic}/2"
    third = broker.connect(version, first.client_id, **keeping(version))
    third.lose()
    watcher.expect_nothing()


@each_version
def test_will_is_published_once(broker: Broker, version: Version) -> None:
    watcher = watched(broker, version)
    first = broker.connect(version, will=will_of(broker), **keeping(version))
    first.lose()
    assert watcher.take().payload == WILL
    broker.connect(version, first.client_id, clean=False).lose()
    watcher.expect_nothing()


@each_version
@pytest.mark.parametrize("retain", [True, False])
def test_will_is_retained_if_it_says_so(broker: Broker, version: Version, retain: bool) -> None:
    watcher = watched(broker, version)
    broker.connect(version, will=will_of(broker, retain=retain)).lose()
    assert watcher.take().retain is False, "an established subscription"
    late = watched(broker, version)
    if retain:
        came = late.take()
        assert (came.payload, came.retain) == (WILL, True)
        late.publish(f"{broker.topic}/will", b"", retain=True)
    else:
        late.expect_nothing()


@each_version
def test_empty_will_removes_what_is_retained(broker: Broker, version: Version) -> None:
    topic = f"{broker.topic}/will"
    broker.connect(version).publish(topic, b"old", retain=True)
    watcher = watched(broker, version)
    assert watcher.take().payload == b"old"
    broker.connect(version, will=Will(topic, b"", retain=True)).lose()
    assert watcher.take().payload == b""
    watched(broker, version).expect_nothing()


@each_version
def test_will_reaches_the_clients_own_kept_session(broker: Broker, version: Version) -> None:
    client = broker.connect(version, will=will_of(broker, qos=1), **keeping(version))
    client.subscribe(f"{broker.topic}/#", qos=1)
    client.lose()
    again = broker.connect(version, client.client_id, **keeping(version))
    assert again.take().payload == WILL


def test_will_has_its_properties(broker: Broker) -> None:
    watcher = watched(broker, 5)
    sent = {
        "payload_format_indicator": 1,
        "content_type": "text/plain",
        "response_topic": f"{broker.topic}/answer",
        "correlation_data": b"\0\1\2",
        "user_property": [("b", "1"), ("a", "2"), ("b", "1")],
    }
    broker.connect(5, will=will_of(broker, properties={**sent, "will_delay_interval": 0})).lose()
    assert watcher.take().properties == sent


def test_will_has_its_message_expiry_interval(broker: Broker) -> None:
    watcher = watched(broker, 5)
    broker.connect(5, will=will_of(broker, properties={"message_expiry_interval": 100})).lose()
    assert 98 <= watcher.take().properties["message_expiry_interval"] <= 100


def test_will_delay_ends_with_the_session(broker: Broker) -> None:
    """MQTT 5, 3.1.3.2.2: after the delay, or at the end of the session, whichever is first."""
    watcher = watched(broker, 5)
    broker.connect(5, will=will_of(broker, properties={"will_delay_interval": 300})).lose()
    assert watcher.take().payload == WILL


def test_will_delay_ends_with_a_clean_start(broker: Broker) -> None:
    watcher = watched(broker, 5)
    client = _delayed(broker, 300)
    client.lose()
    watcher.expect_nothing()
    broker.connect(5, client.client_id, clean=True)
    assert watcher.take().payload == WILL


def test_will_is_not_published_if_the_client_is_back_before_its_delay(broker: Broker) -> None:
    watcher = watched(broker, 5)
    client = _delayed(broker, 300)
    client.lose()
    again = broker.connect(5, client.client_id, **keeping(5))
    watcher.expect_nothing()
    again.disconnect()
    watcher.expect_nothing()


def test_will_delay_holds_at_takeover(broker: Broker) -> None:
    watcher = watched(broker, 5)
    client = _delayed(broker, 300)
    broker.connect(5, client.client_id, **keeping(5))
    client.expect_closed(0x8E)
    watcher.expect_nothing()


def test_will_delay_ends_at_takeover_with_a_clean_start(broker: Broker) -> None:
    watcher = watched(broker, 5)
    client = _delayed(broker, 300)
    broker.connect(5, client.client_id, clean=True)
    client.expect_closed(0x8E)
    assert watcher.take().payload == WILL
    watcher.expect_nothing()


def test_will_delay_of_zero_is_none_though_the_session_is_kept(broker: Broker) -> None:
    watcher = watched(broker, 5)
    client = _delayed(broker, 0)
    broker.connect(5, client.client_id, **keeping(5))
    client.expect_closed(0x8E)
    assert watcher.take().payload == WILL


@each_version
def test_will_waits_for_a_subscriber_that_is_away(broker: Broker, version: Version) -> None:
    watcher = broker.connect(version, **keeping(version))
    watcher.subscribe(f"{broker.topic}/#", qos=1)
    watcher.disconnect()
    broker.connect(version, will=will_of(broker, qos=1)).lose()
    broker.connect(version).settle()
    assert broker.connect(version, watcher.client_id, **keeping(version)).take().payload == WILL


@each_version
@pytest.mark.parametrize("size", [0, 1, 65_535])
def test_will_has_its_payload(broker: Broker, version: Version, size: int) -> None:
    watcher = watched(broker, version)
    payload = bytes(at % 256 for at in range(size))
    broker.connect(version, will=Will(f"{broker.topic}/will", payload)).lose()
    assert watcher.take().payload == payload


@meanwhile(5)
def test_disconnect_with_will_message_waits_for_the_delay(broker: Broker, version: Version) -> None:
    watcher = watched(broker, version)
    client = _delayed(broker, 2)
    client.disconnect(0x04)
    watcher.expect_nothing()
    assert watcher.take().payload == WILL


@meanwhile(5)
def test_will_is_published_after_its_delay(broker: Broker, version: Version) -> None:
    watcher = watched(broker, version)
    client = _delayed(broker, 1)
    client.lose()
    lost_s = time.monotonic()
    assert watcher.take().payload == WILL
    assert 0.8 <= time.monotonic() - lost_s <= 4


@meanwhile(5)
def test_will_of_a_short_session_does_not_wait_longer(broker: Broker, version: Version) -> None:
    watcher = watched(broker, version)
    client = _delayed(broker, 300, session_expiry_interval=1)
    client.lose()
    lost_s = time.monotonic()
    assert watcher.take().payload == WILL
    assert 0.8 <= time.monotonic() - lost_s <= 4


@meanwhile(5)
def test_will_that_was_called_off_does_not_come_later(broker: Broker, version: Version) -> None:
    watcher = watched(broker, version)
    client = _delayed(broker, 2)
    client.lose()
    again = broker.connect(5, client.client_id, **keeping(5))
    time.sleep(3.2)
    watcher.expect_nothing()
    again.expect_nothing()


@meanwhile()
def test_will_is_published_when_keep_alive_is_over(broker: Broker, version: Version) -> None:
    watcher = watched(broker, version)
    client = broker.connect(version, keep_alive_s=1, will=will_of(broker))
    begun_s = time.monotonic()
    assert watcher.take().payload == WILL
    assert 1.2 <= time.monotonic() - begun_s <= 4
    client.expect_closed(0x8D)


def _delayed(broker: Broker, delay_s: int, **props: object) -> Client:
    will = will_of(broker, properties={"will_delay_interval": delay_s})
    fields = keeping(5, **props)  # type: ignore[arg-type] # properties of CONNECT
    return broker.connect(5, will=will, **fields)


def test_will_of_a_refused_connect_is_not_published(broker: Broker) -> None:
    watcher = watched(broker, 5)
    client = broker.open(5)
    client.write(octets.connect(client.client_id, 5, level=9, will=will_of(broker)))
    client.expect_refused(0x01, 0x84)
    watcher.expect_nothing()
