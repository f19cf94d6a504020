"""MQTT 5, 3.2 and 3.1.1, 3.2: what a CONNACK says."""

import pytest
from tests.conformance.mqtt import octets
from tests.conformance.mqtt.octets import Kind, Version
from tests.conformance.mqtt.wire import VERSIONS, Broker

each_version = pytest.mark.parametrize("version", VERSIONS)


@each_version
def test_connack_is_the_first_packet_and_the_only_one(broker: Broker, version: Version) -> None:
    client = broker.open(version)
    client.write(octets.connect(client.client_id, version) + octets.PINGREQ)
    assert client.read().kind == Kind.CONNACK
    assert client.read().kind == Kind.PINGRESP
    client.expect_nothing()


@pytest.mark.parametrize("version", [3, 4])
def test_connack_is_four_octets_before_version_5(broker: Broker, version: Version) -> None:
    client = broker.open(version)
    assert client.connect().raw == b"\x20\x02\x00\x00"


def test_connack_has_limits_that_make_sense(broker: Broker) -> None:
    told = broker.open().connect().properties
    assert 1 <= told.get("receive_maximum", 65535) <= 65535
    assert told.get("maximum_packet_size", 1024) >= 1024
    assert told.get("maximum_qos", 1) == 1, "2 is said by saying nothing"
    for name in (
        "retain_available",
        "wildcard_subscription_available",
        "subscription_identifier_available",
        "shared_subscription_available",
    ):
        assert told.get(name, 1) == 1, f"this broker has all of it: {name}"


def test_assigned_client_identifier_comes_only_if_none_was_given(broker: Broker) -> None:
    given = broker.open(5).connect().properties
    assert "assigned_client_identifier" not in given


def test_assigned_client_identifiers_differ(broker: Broker) -> None:
    assigned = [
        broker.open(5, "").connect().properties["assigned_client_identifier"] for _ in range(5)
    ]
    assert all(assigned)
    assert len(set(assigned)) == 5


def test_assigned_client_identifier_takes_up_its_session(broker: Broker) -> None:
    kept = {"session_expiry_interval": 300}
    first = broker.open(5, "")
    assigned = first.connect(props=kept).properties["assigned_client_identifier"]
    first.subscribe(broker.topic, qos=1)
    first.disconnect()
    broker.connect(5).publish(broker.topic, b"kept", 1)
    second = broker.connect(5, assigned, clean=False)
    assert second.connack is not None
    assert second.connack.session_present
    assert second.take().payload == b"kept"


def test_server_keep_alive_is_not_longer_than_asked_for(broker: Broker) -> None:
    told = broker.open(5).connect(keep_alive_s=7).properties
    assert 0 < told.get("server_keep_alive", 7) <= 7


def test_session_expiry_interval_comes_only_if_it_is_another_one(broker: Broker) -> None:
    told = broker.open(5).connect(props={"session_expiry_interval": 60}).properties
    assert told.get("session_expiry_interval", 60) == 60


@pytest.mark.parametrize("asked", [None, 0])
def test_response_information_does_not_come_unasked(broker: Broker, asked: int | None) -> None:
    props = {} if asked is None else {"request_response_information": asked}
    assert "response_information" not in broker.open(5).connect(props=props).properties


def test_response_information_may_be_asked_for(broker: Broker) -> None:
    told = broker.open(5).connect(props={"request_response_information": 1}).properties
    assert told.get("response_information", "x"), "if it comes then it is the base of a topic"


def test_authentication_method_does_not_come_unasked(broker: Broker) -> None:
    told = broker.open(5).connect().properties
    assert not {"authentication_method", "authentication_data"} & set(told)


@each_version
def test_refusal_has_no_session_present_and_closes(broker: Broker, version: Version) -> None:
    name = broker.topic
    kept = {"props": {"session_expiry_interval": 60}} if version == 5 else {"clean": False}
    broker.connect(version, name, **kept).disconnect()
    client = broker.open(version, name)
    client.send_connect(clean=False, user_name="known", password=b"wrong")
    answer = client.expect_refused(*((0x86, 0x87) if version == 5 else (0x04, 0x05)))
    assert answer is not None


def test_connack_keeps_within_the_clients_maximum_packet_size(broker: Broker) -> None:
    client = broker.open(5)
    client.send_connect(props={"maximum_packet_size": 30})
    assert len(client.read().raw) <= 30


def test_connack_that_would_be_too_large_closes(broker: Broker) -> None:
    client = broker.open(5)
    client.send_connect(props={"maximum_packet_size": 2})
    assert client.expect_refused() is None
