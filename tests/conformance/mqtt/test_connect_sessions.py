"""MQTT 5, 3.1.2.4, 3.1.2.11.2, 3.1.4 and 3.2.2.1.1; 3.1.1, 3.1.2.4: sessions and takeover."""

import time

import pytest
from tests.conformance.mqtt.keeping import begin, each_version, keeping
from tests.conformance.mqtt.meanwhile import meanwhile
from tests.conformance.mqtt.octets import Version, Will
from tests.conformance.mqtt.wire import Broker, unique

WITH_SESSION_PRESENT = [4, 5]


@pytest.mark.parametrize("version", WITH_SESSION_PRESENT)
def test_session_present_is_said_if_there_is_a_session(broker: Broker, version: Version) -> None:
    name = unique()
    first = broker.open(version, name)
    assert not first.connect(**keeping(version)).session_present
    first.disconnect()
    second = broker.open(version, name)
    assert second.connect(**keeping(version)).session_present
    second.disconnect()
    third = broker.open(version, name)
    assert not third.connect(clean=True).session_present
    third.disconnect()
    fourth = broker.open(version, name)
    assert not fourth.connect(clean=False).session_present, "a clean start left none behind"


@each_version
def test_session_without_expiry_ends_with_its_connection(broker: Broker, version: Version) -> None:
    name = unique()
    first = broker.connect(version, name, clean=True)
    first.subscribe(broker.topic, qos=1)
    first.disconnect()
    second = broker.open(version, name)
    assert not second.connect(**keeping(version)).session_present
    broker.connect(version).publish(broker.topic, b"", 1)
    second.expect_nothing()


@each_version
@pytest.mark.parametrize("ends_well", [True, False])
def test_kept_session_has_its_subscriptions_and_messages(
    broker: Broker, version: Version, ends_well: bool
) -> None:
    first = begin(broker, version)
    first.subscribe(broker.topic, qos=2)
    if ends_well:
        first.disconnect()
    else:
        first.lose()
    publisher = broker.connect(version)
    for qos in (1, 2):
        publisher.publish(broker.topic, b"%d" % qos, qos)
    second = broker.open(version, first.client_id)
    assert second.connect(**keeping(version)).session_present or version == 3
    came = [second.take() for _ in range(2)]
    assert [(each.payload, each.qos, each.dup) for each in came] == [
        (b"1", 1, False),
        (b"2", 2, False),
    ]
    publisher.publish(broker.topic, b"now", 1)
    assert second.take().payload == b"now"


@each_version
def test_clean_start_discards_the_session(broker: Broker, version: Version) -> None:
    first = begin(broker, version)
    first.subscribe(broker.topic, qos=1)
    first.disconnect()
    publisher = broker.connect(version)
    publisher.publish(broker.topic, b"for the old session", 1)
    second = broker.open(version, first.client_id)
    assert not second.connect(clean=True).session_present
    second.expect_nothing()
    publisher.publish(broker.topic, b"for the old subscription", 1)
    second.expect_nothing()


@each_version
def test_clean_start_of_a_kept_session_begins_a_new_one(broker: Broker, version: Version) -> None:
    """In version 5 a session may be new and kept at once."""
    first = begin(broker, version)
    first.subscribe(broker.topic, qos=1)
    second = broker.open(version, first.client_id)
    fields = {**keeping(version), "clean": True}
    assert not second.connect(**fields).session_present
    second.disconnect()
    third = broker.open(version, first.client_id)
    assert third.connect(**keeping(version)).session_present is (version == 5)
    broker.connect(version).publish(broker.topic, b"", 1)
    third.expect_nothing()


def test_clean_start_0_without_expiry_ends_with_its_connection_in_version_5(
    broker: Broker,
) -> None:
    name = unique()
    broker.connect(5, name, clean=False).disconnect()
    assert not broker.open(5, name).connect(clean=False).session_present


def test_expiry_of_the_last_connect_counts(broker: Broker) -> None:
    first = begin(broker, 5)
    first.disconnect()
    second = broker.open(5, first.client_id)
    assert second.connect(clean=False).session_present
    second.disconnect()
    third = broker.open(5, first.client_id)
    assert not third.connect(clean=False).session_present


@pytest.mark.parametrize(("before", "after"), [(4, 5), (5, 4)])
def test_session_goes_on_in_another_version(
    broker: Broker, before: Version, after: Version
) -> None:
    first = begin(broker, before)
    first.subscribe(broker.topic, qos=1)
    first.disconnect()
    broker.connect(5).publish(broker.topic, b"x", 1, props={"content_type": "text/plain"})
    second = broker.open(after, first.client_id)
    assert second.connect(**keeping(after)).session_present
    came = second.take()
    assert came.payload == b"x"
    assert came.properties == ({"content_type": "text/plain"} if after == 5 else {})


@each_version
def test_sessions_of_other_clients_are_others(broker: Broker, version: Version) -> None:
    first, second = begin(broker, version), begin(broker, version)
    first.subscribe(broker.topic, qos=1)
    second.expect_nothing()
    broker.connect(version).publish(broker.topic, b"", 1)
    second.expect_nothing()
    assert first.take().topic == broker.topic


@each_version
def test_retained_messages_are_not_of_the_session(broker: Broker, version: Version) -> None:
    client = broker.connect(version)
    client.publish(broker.topic, b"retained", retain=True)
    client.disconnect()
    other = broker.connect(version, client.client_id)
    other.subscribe(broker.topic)
    assert other.take().payload == b"retained"
    other.publish(broker.topic, b"", retain=True)


@each_version
@pytest.mark.parametrize("clean", [True, False])
def test_takeover_ends_the_older_connection(broker: Broker, version: Version, clean: bool) -> None:
    first = begin(broker, version)
    first.subscribe(broker.topic, qos=1)
    second = broker.open(version, first.client_id)
    fields = {**keeping(version), "clean": clean}
    assert second.connect(**fields).session_present is (version > 3 and not clean)
    first.expect_closed(0x8E)
    broker.connect(version).publish(broker.topic, b"x", 1)
    if clean:
        second.expect_nothing()
    else:
        assert second.take().payload == b"x"


@each_version
def test_takeover_by_a_session_that_is_not_kept(broker: Broker, version: Version) -> None:
    first = broker.connect(version)
    second = broker.connect(version, first.client_id)
    first.expect_closed(0x8E)
    second.expect_nothing()


@each_version
def test_takeover_sends_again_what_was_not_acknowledged(broker: Broker, version: Version) -> None:
    first = begin(broker, version)
    first.subscribe(broker.topic, qos=1)
    broker.connect(version).publish(broker.topic, b"x", 1)
    unacknowledged = first.take(acknowledged=False)
    second = broker.connect(version, first.client_id, **keeping(version))
    again = second.take()
    assert (again.packet_id, again.payload) == (unacknowledged.packet_id, b"x")
    assert again.dup, "MQTT-3.3.1-1"


@each_version
def test_client_that_connects_again_and_again_is_there_once(
    broker: Broker, version: Version
) -> None:
    name = unique()
    for _ in range(20):
        client = broker.connect(version, name, **keeping(version))
        client.subscribe(broker.topic, qos=0)
    broker.connect(version).publish(broker.topic, b"once")
    assert [each.payload for each in client.take_all()] == [b"once"]


@meanwhile(5)
def test_session_expires(broker: Broker, version: Version) -> None:
    first = begin(broker, version, session_expiry_interval=1)
    first.subscribe(broker.topic, qos=1)
    first.lose()
    time.sleep(2.2)
    assert not broker.open(version, first.client_id).connect(clean=False).session_present


@meanwhile(5)
def test_session_is_there_until_it_expires(broker: Broker, version: Version) -> None:
    first = begin(broker, version, session_expiry_interval=3)
    first.lose()
    time.sleep(1)
    assert broker.open(version, first.client_id).connect(clean=False).session_present


@meanwhile(5)
def test_expiry_counts_from_the_end_of_the_connection(broker: Broker, version: Version) -> None:
    first = begin(broker, version, session_expiry_interval=2)
    time.sleep(2.6)
    first.lose()
    time.sleep(0.2)
    assert broker.open(version, first.client_id).connect(clean=False).session_present


@meanwhile(5)
def test_session_that_never_expires_is_kept(broker: Broker, version: Version) -> None:
    first = begin(broker, version, session_expiry_interval=0xFFFFFFFF)
    first.disconnect()
    time.sleep(1.5)
    second = broker.open(version, first.client_id)
    assert second.connect(clean=False, will=Will(broker.topic)).session_present


@each_version
def test_what_waits_for_the_disk_waits_for_nothing_else(broker: Broker, version: Version) -> None:
    """The clock of the broker ticks once a second; an acknowledgement does not wait for it."""
    client = begin(broker, version)
    client.subscribe(broker.topic, qos=1)
    publisher, took_s = broker.connect(version), []
    for _ in range(5):
        begun_s = time.monotonic()
        publisher.publish(broker.topic, b"kept", 1)
        took_s.append(time.monotonic() - begun_s)
    assert sorted(took_s)[2] < 0.7
