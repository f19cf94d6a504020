"""MQTT 5, 3.1 and 3.1.1, 3.1: CONNECT, and what must be refused."""

import pytest
from tests.conformance.mqtt import octets
from tests.conformance.mqtt.octets import Kind, Version, Will
from tests.conformance.mqtt.wire import VERSIONS, Broker, unique

each_version = pytest.mark.parametrize("version", VERSIONS)
ALPHANUMERIC = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

# Return codes of 3.1 and 3.1.1, and reason codes of 5.
LEVEL = {3: (0x01,), 4: (0x01, 0x84), 5: (0x01, 0x84)}
WRONG = {3: (), 4: (), 5: (0x81, 0x82)}


@each_version
@pytest.mark.parametrize(
    "kind",
    [kind for kind in Kind if kind not in (Kind.CONNECT, Kind.AUTH)],
    ids=lambda kind: kind.name,
)
def test_first_packet_that_is_not_connect_closes(
    broker: Broker, version: Version, kind: Kind
) -> None:
    client = broker.open(version)
    client.write(
        {
            Kind.CONNACK: b"\x20\x02\x00\x00",
            Kind.PUBLISH: octets.publish(version, "t"),
            Kind.SUBSCRIBE: octets.subscribe(version, 1, [("t", 0)]),
            Kind.SUBACK: b"\x90\x03\x00\x01\x00",
            Kind.UNSUBSCRIBE: octets.unsubscribe(version, 1, ["t"]),
            Kind.UNSUBACK: b"\xb0\x02\x00\x01",
            Kind.PINGREQ: octets.PINGREQ,
            Kind.PINGRESP: octets.PINGRESP,
            Kind.DISCONNECT: octets.disconnect(version),
        }.get(kind)
        or octets.acknowledgement(kind, version, 1)
    )
    # [MQTT-3.14.0-1]: no DISCONNECT before a CONNACK of success.
    client.expect_refused()


def test_auth_before_connect_closes(broker: Broker) -> None:
    client = broker.open(5)
    client.write(octets.auth(0x18))
    client.expect_refused()


@pytest.mark.parametrize(
    "data", [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00", b"\0" * 20, b"\xff" * 20]
)
def test_what_is_not_mqtt_closes(broker: Broker, data: bytes) -> None:
    client = broker.open()
    client.write(data)
    client.expect_refused()


def test_octets_of_a_slow_connect_are_waited_for(broker: Broker) -> None:
    client = broker.open()
    data = octets.connect(client.client_id)
    client.write(data[:7])
    client.expect_silence(0.05)
    client.write(data[7:])
    assert client.read().kind == Kind.CONNACK


@each_version
def test_second_connect_closes(broker: Broker, version: Version) -> None:
    client = broker.connect(version)
    client.send_connect()
    client.expect_closed(0x82)


@each_version
def test_second_connect_in_the_same_segment_closes(broker: Broker, version: Version) -> None:
    client = broker.open(version)
    client.write(octets.connect(client.client_id, version) * 2)
    client.expect_closed(kinds=(Kind.CONNACK,))


@pytest.mark.parametrize(
    ("version", "name"),
    [(v, name) for v in (4, 5) for name in ("MQTU", "mqtt", "MQT", "MQTTT", "", "MQISDP")]
    + [(3, "MQIsdq"), (3, "mqisdp"), (3, "MQIsdpX")],
)
def test_other_protocol_name_is_refused(broker: Broker, version: Version, name: str) -> None:
    client = broker.open(version)
    client.send_connect(name=name)
    client.expect_refused(0x01, 0x81, 0x84)


@each_version
@pytest.mark.parametrize("level", [0, 1, 2, 6, 7, 127, 255])
def test_other_protocol_level_is_refused(broker: Broker, version: Version, level: int) -> None:
    client = broker.open(version)
    client.send_connect(level=level)
    answer = client.expect_refused(0x01, 0x84)
    assert version == 5 or answer is not None, "MQTT-3.1.2-2 of 3.1.1: a return code comes"


@pytest.mark.parametrize(("name", "level"), [("MQTT", 3), ("MQIsdp", 4), ("MQIsdp", 5)])
def test_protocol_level_of_another_name_is_refused(
    broker: Broker, name: str, level: Version
) -> None:
    client = broker.open(level)
    client.send_connect(name=name)
    client.expect_refused(0x01, 0x84)


# In 3.1 the bit is unused.
@pytest.mark.parametrize("version", [4, 5])
def test_reserved_connect_flag_is_refused(broker: Broker, version: Version) -> None:
    client = broker.open(version)
    client.send_connect(flags=0b11)
    client.expect_refused(*WRONG[version])


@pytest.mark.parametrize("version", [4, 5])
@pytest.mark.parametrize(
    "flags",
    [
        pytest.param(0b0000_1010, id="will QoS 1"),
        pytest.param(0b0001_0010, id="will QoS 2"),
        pytest.param(0b0001_1010, id="will QoS 3"),
        pytest.param(0b0010_0010, id="will retain"),
        pytest.param(0b0010_1010, id="will QoS 1 and retain"),
    ],
)
def test_flags_of_a_will_without_a_will_are_refused(
    broker: Broker, version: Version, flags: int
) -> None:
    client = broker.open(version)
    client.send_connect(flags=flags)
    client.expect_refused(*WRONG[version])


@each_version
def test_will_of_qos_3_is_refused(broker: Broker, version: Version) -> None:
    client = broker.open(version)
    client.send_connect(will=Will("t", qos=3))
    client.expect_refused(*WRONG[version], 0x9B)


@each_version
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_will_of_each_qos_is_accepted(broker: Broker, version: Version, qos: int) -> None:
    broker.connect(version, will=Will(broker.topic, qos=qos)).disconnect()


@pytest.mark.parametrize("version", [4, 5])
@pytest.mark.parametrize("topic", ["", "a/+", "#", "a/#"])
def test_will_topic_that_is_none_is_refused(broker: Broker, version: Version, topic: str) -> None:
    client = broker.open(version)
    client.send_connect(will=Will(topic))
    client.expect_refused(*WRONG[version], *((0x90,) if version == 5 else ()))


FLAGS_WITHOUT_FIELDS = {
    "will": 0b0000_0110,
    "user name": 0b1000_0010,
    "user name and password": 0b1100_0010,
}


# 3.1 lets a user name and a password be left out though the flags are set.
@pytest.mark.parametrize(
    ("version", "flags"),
    [
        pytest.param(version, flags, id=f"{what}-{version}")
        for what, flags in FLAGS_WITHOUT_FIELDS.items()
        for version in VERSIONS
        if version > 3 or what == "will"
    ],
)
def test_flags_of_fields_that_are_missing_are_refused(
    broker: Broker, version: Version, flags: int
) -> None:
    client = broker.open(version)
    client.send_connect(flags=flags)
    client.expect_refused(*WRONG[version])


@pytest.mark.parametrize("version", [4, 5])
@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"user_name": "u"}, id="user name"),
        pytest.param({"user_name": "u", "password": b"p"}, id="user name and password"),
        pytest.param({"will": Will("t", b"w")}, id="will"),
    ],
)
def test_fields_without_their_flags_are_refused(
    broker: Broker, version: Version, fields: dict[str, object]
) -> None:
    client = broker.open(version)
    client.send_connect(flags=0b10, **fields)
    client.expect_refused(*WRONG[version])


@pytest.mark.parametrize("version", [4, 5])
def test_octets_after_the_payload_are_refused(broker: Broker, version: Version) -> None:
    client = broker.open(version)
    body = octets.connect(client.client_id, version)[2:] + b"\0"
    client.write(octets.packet(0x10, body))
    client.expect_refused(*WRONG[version])


@each_version
def test_connect_that_is_cut_short_is_refused(broker: Broker, version: Version) -> None:
    name = octets.connect("id", version)
    body = name[2:]
    for size in range(len(body)):
        client = broker.open(version)
        client.write(octets.packet(0x10, body[:size]))
        client.expect_refused(*WRONG[version], 0x84, *((0x85,) if version == 5 else (0x02,)))


def test_password_without_user_name_is_refused_before_version_5(broker: Broker) -> None:
    client = broker.open(4)
    client.send_connect(password=b"p")
    client.expect_refused()


def test_password_without_user_name_is_looked_at_in_version_5(broker: Broker) -> None:
    """MQTT 5, 3.1.2.9: it is allowed; whether it is the right one is another question."""
    client = broker.open(5)
    client.send_connect(password=b"p")
    answer = client.read()
    assert (answer.kind, answer.reason_code in (0x00, 0x86, 0x87)) == (Kind.CONNACK, True)


@each_version
@pytest.mark.parametrize("size", [1, 2, 11, 22, 23])
def test_client_ids_up_to_23_octets_are_accepted(
    broker: Broker, version: Version, size: int
) -> None:
    client_id = (unique() + ALPHANUMERIC)[-size:]
    broker.connect(version, client_id).expect_nothing()


@each_version
def test_each_letter_and_digit_is_accepted_in_a_client_id(broker: Broker, version: Version) -> None:
    for at in range(0, len(ALPHANUMERIC), 20):
        broker.connect(version, ALPHANUMERIC[at : at + 20]).expect_nothing()


@pytest.mark.parametrize("version", [4, 5])
@pytest.mark.parametrize("clean", [True, False])
def test_empty_client_id_stands_for_one_that_the_broker_makes(
    broker: Broker, version: Version, clean: bool
) -> None:
    client = broker.open(version, "")
    client.send_connect(clean=clean)
    if version == 4 and not clean:
        assert client.expect_refused(0x02) is not None
        return
    answer = client.read()
    assert answer.reason_code == 0
    assert version < 5 or answer.properties["assigned_client_identifier"]


def test_empty_client_id_is_refused_in_3_1(broker: Broker) -> None:
    client = broker.open(3, "")
    client.send_connect()
    assert client.expect_refused(0x02) is not None


@pytest.mark.parametrize("version", [4, 5])
def test_clients_without_client_id_have_nothing_in_common(broker: Broker, version: Version) -> None:
    first, second = broker.connect(version, ""), broker.connect(version, "")
    first.subscribe(broker.topic)
    second.expect_nothing()
    second.publish(broker.topic, b"x")
    assert first.take().payload == b"x"
    second.expect_nothing()


@each_version
def test_client_ids_differ_in_case(broker: Broker, version: Version) -> None:
    name = unique()
    lower, upper = broker.connect(version, name + "a"), broker.connect(version, name + "A")
    lower.expect_nothing()
    upper.expect_nothing()


@each_version
def test_nothing_after_a_refused_connect_is_looked_at(broker: Broker, version: Version) -> None:
    watcher = broker.connect(version)
    watcher.subscribe(broker.topic)
    client = broker.open(version)
    refused = octets.connect(client.client_id, version, level=9)
    client.write(refused + octets.publish(version, broker.topic, b"smuggled"))
    client.expect_refused(0x01, 0x84)
    watcher.expect_nothing()


@each_version
def test_packets_right_after_connect_are_looked_at(broker: Broker, version: Version) -> None:
    client = broker.open(version)
    data = octets.connect(client.client_id, version)
    data += octets.subscribe(version, 1, [(broker.topic, 0)])
    data += octets.publish(version, broker.topic, b"at once")
    client.write(data)
    assert [client.read().kind for _ in range(3)] == [Kind.CONNACK, Kind.SUBACK, Kind.PUBLISH]
    client.expect_nothing()


# Few, because who guesses too often is not let in for a while, whatever it says.
@pytest.mark.parametrize(("version", "password"), [(3, b"wrong"), (4, b""), (5, None)])
def test_wrong_password_is_refused(
    broker: Broker, version: Version, password: bytes | None
) -> None:
    client = broker.open(version)
    client.send_connect(user_name="known", password=password)
    answer = client.expect_refused(*((0x86, 0x87) if version == 5 else (0x04, 0x05)))
    assert answer is not None


@each_version
def test_right_password_is_accepted(broker: Broker, version: Version) -> None:
    broker.connect(version, user_name="known", password=b"right-password").expect_nothing()


CONNECT_PROPERTIES_TWICE = {
    "session expiry interval": b"\x11\0\0\0\1" * 2,
    "receive maximum": b"\x21\0\1" * 2,
    "maximum packet size": b"\x27\0\0\1\0" * 2,
    "topic alias maximum": b"\x22\0\1" * 2,
    "request response information": b"\x19\0" * 2,
    "request problem information": b"\x17\0" * 2,
    "authentication method": b"\x15\0\1a" * 2,
}
CONNECT_PROPERTIES_WRONG = {
    "receive maximum 0": b"\x21\0\0",
    "maximum packet size 0": b"\x27\0\0\0\0",
    "request response information 2": b"\x19\2",
    "request problem information 2": b"\x17\2",
    "authentication data without method": b"\x16\0\1a",
    "of a will": b"\x18\0\0\0\1",
    "of PUBLISH": b"\x23\0\1",
    "of CONNACK": b"\x12\0\1a",
    "cut short": b"\x11\0\0",
}


@pytest.mark.parametrize(
    "props",
    [*CONNECT_PROPERTIES_TWICE.values(), *CONNECT_PROPERTIES_WRONG.values()],
    ids=[*CONNECT_PROPERTIES_TWICE, *CONNECT_PROPERTIES_WRONG],
)
def test_properties_that_are_wrong_are_refused(broker: Broker, props: bytes) -> None:
    client = broker.open(5)
    client.send_connect(props=props)
    client.expect_refused(0x81, 0x82)


@pytest.mark.parametrize(
    "props",
    [
        pytest.param(b"\x01\2", id="payload format 2"),
        pytest.param(b"\x01\1" * 2, id="payload format twice"),
        pytest.param(b"\x18\0\0\0\1" * 2, id="delay twice"),
        pytest.param(b"\x02\0\0\0\1" * 2, id="expiry twice"),
        pytest.param(b"\x03\0\1a" * 2, id="content type twice"),
        pytest.param(b"\x08\0\1a" * 2, id="response topic twice"),
        pytest.param(b"\x08\0\1#", id="response topic with wildcard"),
        pytest.param(b"\x09\0\1a" * 2, id="correlation data twice"),
        pytest.param(b"\x11\0\0\0\1", id="of CONNECT"),
        pytest.param(b"\x23\0\1", id="of PUBLISH alone"),
    ],
)
def test_will_properties_that_are_wrong_are_refused(broker: Broker, props: bytes) -> None:
    client = broker.open(5)
    client.send_connect(will=Will("t", b"", properties=props))
    client.expect_refused(0x81, 0x82, 0x90, 0x99)


def test_unknown_authentication_method_is_refused(broker: Broker) -> None:
    client = broker.open(5)
    client.send_connect(props={"authentication_method": "NO-SUCH-METHOD"})
    client.expect_refused(0x87, 0x8C)


def test_user_properties_of_connect_may_repeat(broker: Broker) -> None:
    pairs = [("name", "one"), ("name", "two"), ("", "")]
    broker.connect(5, props={"user_property": pairs}).expect_nothing()
