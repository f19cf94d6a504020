"""Any packet comes back the same, and no octets do harm."""

from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from thingtank.protocols.mqtt.client_parser import parse_from_server
from thingtank.protocols.mqtt.errors import MqttError
from thingtank.protocols.mqtt.messages import RetainHandling, Subscription
from thingtank.protocols.mqtt.packet_types import PacketType
from thingtank.protocols.mqtt.packets import (
    Auth,
    Connack,
    Connect,
    ConnectWill,
    Disconnect,
    Packet,
    Pingreq,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    Suback,
    Subscribe,
    Unsuback,
    Unsubscribe,
)
from thingtank.protocols.mqtt.parser import parse, parse_connect, read_length
from thingtank.protocols.mqtt.properties import (
    NO_PROPERTIES,
    Properties,
    forwarded_properties,
    parse_forwarded_properties,
    parse_properties,
    serialize_properties,
)
from thingtank.protocols.mqtt.reason_codes import (
    AUTH_CODES_OF_CLIENTS,
    DISCONNECT_CODES_OF_CLIENTS,
    REASON_CODES,
    ReasonCode,
)
from thingtank.protocols.mqtt.serializer import serialize

# A busy machine is no failure.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

characters = st.characters(exclude_categories=("Cs", "Cc", "Cn"))
texts = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=9)
names = st.text(characters, max_size=9)
levels = st.text(
    st.characters(exclude_categories=("Cs", "Cc", "Cn"), exclude_characters="+#/$"), max_size=5
)
topics = st.lists(levels, min_size=1, max_size=4).map("/".join).filter(bool)
filters = st.lists(levels | st.just("+"), min_size=1, max_size=4).map("/".join).filter(bool)
filters = filters | filters.map("{}/#".format) | filters.map("$share/group/{}".format)
binaries = st.binary(max_size=9)
bits = st.integers(0, 1)
two_bytes = st.integers(0, 0xFFFF)
four_bytes = st.integers(0, 2**32 - 1)
packet_ids = st.integers(1, 0xFFFF)
qualities = st.integers(0, 2)

user = {"user_properties": st.lists(st.tuples(texts, texts), max_size=3).map(tuple)}
told = user | {"reason_string": texts}
message = user | {
    "payload_format_indicator": bits,
    "message_expiry_interval": four_bytes,
    "content_type": texts,
    "response_topic": topics,
    "correlation_data": binaries,
}
limits = user | {
    "session_expiry_interval": four_bytes,
    "receive_maximum": packet_ids,
    "maximum_packet_size": st.integers(1, 2**32 - 1),
    "topic_alias_maximum": two_bytes,
    "authentication_method": texts,
}


def some(fields: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[Properties]:
    """Properties with any of these."""
    return st.fixed_dictionaries({}, optional=fields).map(lambda found: Properties(**found))


PROPERTIES = {
    PacketType.CONNECT: some(
        limits | {"request_problem_information": bits, "request_response_information": bits}
    ),
    PacketType.CONNACK: some(
        limits
        | told
        | {
            "assigned_client_identifier": names,
            "server_keep_alive": two_bytes,
            "response_information": texts,
            "server_reference": texts,
            "maximum_qos": bits,
            "retain_available": bits,
            "wildcard_subscription_available": bits,
            "subscription_identifier_available": bits,
            "shared_subscription_available": bits,
        }
    ),
    PacketType.WILL: some(message | {"will_delay_interval": four_bytes}),
    PacketType.PUBLISH: some(message | {"topic_alias": packet_ids}),
    PacketType.SUBSCRIBE: some(
        user | {"subscription_identifiers": st.tuples(st.integers(1, 268_435_455))}
    ),
    PacketType.UNSUBSCRIBE: some(user),
    PacketType.DISCONNECT: some(
        told | {"session_expiry_interval": four_bytes, "server_reference": texts}
    ),
    PacketType.AUTH: some(told | {"authentication_data": binaries}).map(
        lambda found: msgspec.structs.replace(found, authentication_method="m")
    ),
}
TELLING = some(told)


def properties_of(packet_type: PacketType, version: int) -> st.SearchStrategy[Properties]:
    if version < 5:
        return st.just(NO_PROPERTIES)
    return PROPERTIES.get(packet_type, TELLING)


def codes_of(packet_type: PacketType, version: int) -> st.SearchStrategy[ReasonCode]:
    codes = REASON_CODES[packet_type].values() if version == 5 else [ReasonCode.SUCCESS]
    return st.sampled_from(list(codes))


@st.composite
def connects(draw: st.DrawFn) -> Connect:
    version = draw(st.sampled_from([3, 4, 5]))
    wills = st.builds(
        ConnectWill,
        topics,
        binaries,
        qualities,
        st.booleans(),
        properties_of(PacketType.WILL, version),
    )
    user_name = draw(st.none() | names)
    return Connect(
        version,
        draw(names.filter(bool)),
        draw(st.booleans()),
        draw(two_bytes),
        draw(st.none() | wills),
        user_name,
        draw(st.none() | binaries) if version == 5 or user_name is not None else None,
        draw(properties_of(PacketType.CONNECT, version)),
    )


def publishes(version: int) -> st.SearchStrategy[Publish]:
    properties = properties_of(PacketType.PUBLISH, version)
    quiet = st.builds(Publish, topics, binaries, retain=st.booleans(), properties=properties)
    acknowledged = st.builds(
        Publish,
        topics,
        st.binary(max_size=300),
        st.integers(1, 2),
        st.booleans(),
        st.booleans(),
        packet_ids,
        properties,
    )
    return quiet | acknowledged


def acknowledgements(version: int) -> st.SearchStrategy[Packet]:
    return st.one_of(
        *(
            st.builds(made, packet_ids, codes_of(kind, version), properties_of(kind, version))
            for made, kind in [
                (Puback, PacketType.PUBACK),
                (Pubrec, PacketType.PUBREC),
                (Pubrel, PacketType.PUBREL),
                (Pubcomp, PacketType.PUBCOMP),
            ]
        )
    )


@st.composite
def subscribes(draw: st.DrawFn, version: int) -> Subscribe:
    properties = draw(properties_of(PacketType.SUBSCRIBE, version))
    identifier = (properties.subscription_identifiers or (0,))[0]
    found = []
    for topic_filter in draw(st.lists(filters, min_size=1, max_size=3)):
        options: tuple[Any, ...] = (False, False, RetainHandling.SEND)
        if version == 5:
            is_local = topic_filter.startswith("$share/") or draw(st.booleans())
            options = (not is_local, draw(st.booleans()), draw(st.sampled_from(RetainHandling)))
        found.append(Subscription(topic_filter, draw(qualities), *options, identifier))
    return Subscribe(draw(packet_ids), tuple(found), properties)


def from_clients(version: int) -> st.SearchStrategy[Packet]:
    some_filters = st.lists(filters, min_size=1, max_size=3).map(tuple)
    unsubscribes = properties_of(PacketType.UNSUBSCRIBE, version)
    found = [
        publishes(version),
        acknowledgements(version),
        subscribes(version),
        st.builds(Unsubscribe, packet_ids, some_filters, unsubscribes),
        st.just(Pingreq()),
    ]
    if version == 5:
        ends = st.sampled_from(list(DISCONNECT_CODES_OF_CLIENTS.values()))
        steps = st.sampled_from(list(AUTH_CODES_OF_CLIENTS.values()))
        found.append(st.builds(Disconnect, ends, properties_of(PacketType.DISCONNECT, 5)))
        found.append(st.builds(Auth, steps, properties_of(PacketType.AUTH, 5)))
    return st.one_of(found)


def from_servers(version: int) -> st.SearchStrategy[Packet]:
    granted = codes_of(PacketType.SUBACK, 5)
    if version < 5:
        granted = st.sampled_from([ReasonCode(code) for code in (0, 1, 2, 0x80)])
    found = [
        publishes(version),
        acknowledgements(version),
        st.builds(
            Suback,
            packet_ids,
            st.lists(granted, min_size=1, max_size=3).map(tuple),
            properties_of(PacketType.SUBACK, version),
        ),
        st.builds(Connack, st.booleans() if version > 3 else st.just(False)),
    ]
    if version == 5:
        gone = st.lists(codes_of(PacketType.UNSUBACK, 5), min_size=1, max_size=3).map(tuple)
        found += [
            st.builds(Unsuback, packet_ids, gone, properties_of(PacketType.UNSUBACK, 5)),
            st.builds(
                Connack,
                st.just(False),
                codes_of(PacketType.CONNACK, 5),
                properties_of(PacketType.CONNACK, 5),
            ),
            st.builds(
                Disconnect,
                codes_of(PacketType.DISCONNECT, 5),
                properties_of(PacketType.DISCONNECT, 5),
            ),
            st.builds(Auth, codes_of(PacketType.AUTH, 5), properties_of(PacketType.AUTH, 5)),
        ]
    return st.one_of(found)


versions = st.sampled_from([3, 4, 5])
versions_and_requests = versions.flatmap(lambda each: st.tuples(st.just(each), from_clients(each)))
versions_and_answers = versions.flatmap(lambda each: st.tuples(st.just(each), from_servers(each)))


def body_of(octets: bytes) -> bytes:
    """What is behind the remaining length, which has to say how much that is."""
    found = read_length(octets, 1)
    assert found
    length, at = found
    assert at + length == len(octets)
    return octets[at:]


@patient
@given(connects())
def test_connect_comes_back_the_same(packet: Connect) -> None:
    octets = serialize(packet, packet.protocol_version)
    assert parse_connect(octets[0] & 0x0F, body_of(octets)) == packet


@patient
@given(versions_and_requests)
def test_what_clients_send_comes_back_the_same(found: tuple[int, Packet]) -> None:
    version, packet = found
    octets = serialize(packet, version)
    assert parse(octets[0], body_of(octets), version) == packet


@patient
@given(versions_and_answers)
def test_what_servers_send_comes_back_the_same(found: tuple[int, Packet]) -> None:
    version, packet = found
    octets = serialize(packet, version)
    assert parse_from_server(octets[0], body_of(octets), version) == packet


@patient
@given(PROPERTIES[PacketType.PUBLISH])
def test_forwarded_properties_come_back_the_same(properties: Properties) -> None:
    octets = forwarded_properties(properties)
    assert parse_forwarded_properties(octets) == msgspec.structs.replace(
        properties, message_expiry_interval=None, topic_alias=None
    )


@patient
@given(versions_and_requests | versions_and_answers, st.data())
def test_flipped_octets_are_refused_or_read_as_something_that_can_be_written(
    found: tuple[int, Packet], data: st.DataObject
) -> None:
    version, packet = found
    octets = bytearray(serialize(packet, version))
    for _ in range(data.draw(st.integers(1, 3))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    check_garbage(octets[0], bytes(octets[2:]), version)


@patient
@given(st.integers(0, 255), st.binary(max_size=40), versions)
def test_garbage_is_refused_or_read_as_something_that_can_be_written(
    first_octet: int, body: bytes, version: int
) -> None:
    check_garbage(first_octet, body, version)


def check_garbage(first_octet: int, body: bytes, version: int) -> None:
    """Only errors of the tree come out; what is read can be written, and reads the same again."""
    for parse_this in (parse, parse_from_server):
        try:
            packet = parse_this(first_octet, body, version)
        except MqttError:
            continue
        octets = serialize(packet, version)
        assert parse_this(octets[0], body_of(octets), version) == packet


@patient
@given(st.sampled_from([b"\0\6MQIsdp\3", b"\0\4MQTT\4", b"\0\4MQTT\5"]), st.binary(max_size=40))
def test_garbage_in_connect_is_refused_or_read_as_something_that_can_be_written(
    head: bytes, rest: bytes
) -> None:
    try:
        packet = parse_connect(0, head + rest)
    except MqttError:
        return
    octets = serialize(packet, packet.protocol_version)
    assert parse_connect(0, body_of(octets)) == packet


@patient
@given(st.binary(max_size=40), st.sampled_from(PacketType))
def test_garbage_in_properties_is_refused_or_read_as_something_that_can_be_written(
    octets: bytes, packet_type: PacketType
) -> None:
    try:
        found, _ = parse_properties(octets, 0, packet_type)
    except MqttError:
        return
    written = serialize_properties(found, packet_type)
    assert parse_properties(written, 0, packet_type) == (found, len(written))
