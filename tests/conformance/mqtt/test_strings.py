"""MQTT 5, 1.5 and 3.1.1, 1.5: what integers and strings look like on the wire."""

from typing import Any

import pytest
from tests.conformance.mqtt import octets
from tests.conformance.mqtt.octets import Version, Will
from tests.conformance.mqtt.wire import VERSIONS, Broker, Client, unique

each_version = pytest.mark.parametrize("version", VERSIONS)

ILL_FORMED = {
    "surrogate": b"a\xed\xa0\x80b",
    "last surrogate": b"a\xed\xbf\xbfb",
    "lone continuation": b"a\x80b",
    "cut short": b"ab\xe2\x82",
    "overlong": b"a\xc0\xafb",
    "overlong null": b"a\xc0\x80b",
    "beyond U+10FFFF": b"a\xf4\x90\x80\x80",
    "not an octet of UTF-8": b"a\xffb",
}
NULL = {"null": b"a\0b", "null at the end": b"ab\0"}
each_wrong = pytest.mark.parametrize(
    "text", [*ILL_FORMED.values(), *NULL.values()], ids=[*ILL_FORMED, *NULL]
)


def send_in_packet(client: Client, place: str, text: bytes) -> None:
    """Send a packet that is right but for a string."""
    version = client.version
    packets = {
        "topic name": octets.publish(version, text),
        "topic filter": octets.subscribe(version, 1, [(text, 0)]),
        "topic filter to unsubscribe": octets.unsubscribe(version, 1, [text]),
    }
    if version == 5:
        packets |= {
            "response topic": octets.publish(5, "t", props=b"\x08" + octets.sized(text)),
            "content type": octets.publish(5, "t", props=b"\x03" + octets.sized(text)),
            "user property's name": octets.publish(
                5, "t", props=b"\x26" + octets.sized(text) + octets.sized("v")
            ),
            "user property's value": octets.publish(
                5, "t", props=b"\x26" + octets.sized("n") + octets.sized(text)
            ),
            "reason string": octets.disconnect(5, 0, b"\x1f" + octets.sized(text)),
        }
    client.write(packets[place])


PLACES = ["topic name", "topic filter", "topic filter to unsubscribe"]
PLACES_5 = [
    "response topic",
    "content type",
    "user property's name",
    "user property's value",
    "reason string",
]


@each_wrong
@pytest.mark.parametrize(
    ("version", "place"),
    [*((v, place) for v in VERSIONS for place in PLACES), *((5, place) for place in PLACES_5)],
)
def test_ill_formed_string_closes(
    broker: Broker, version: Version, place: str, text: bytes
) -> None:
    client = broker.connect(version)
    send_in_packet(client, place, text)
    client.expect_closed(0x81, 0x82, 0x8F, 0x90, 0x99)


@each_wrong
@each_version
@pytest.mark.parametrize("place", ["client id", "will topic", "user name"])
def test_ill_formed_string_in_connect_is_refused(
    broker: Broker, version: Version, place: str, text: bytes
) -> None:
    client = broker.open(version)
    fields: dict[str, Any] = {
        "client id": {"client_id": text},
        "will topic": {"will": Will(text)},
        "user name": {"user_name": text},
    }
    client.send_connect(**fields[place])
    # 3.1.1 wants no answer to a CONNECT that is wrong, but one with 0x02 if it is the client id.
    codes = {5: (0x81, 0x82, 0x84, 0x85, 0x90), 4: (0x02,), 3: (0x02,)}[version]
    client.expect_refused(*(codes if version == 5 or place == "client id" else ()))


@each_version
@pytest.mark.parametrize("text", ["\ufeffa", "a\ufeff", "\ufeff"])
def test_byte_order_mark_is_a_character_of_the_topic(
    broker: Broker, version: Version, text: str
) -> None:
    client = broker.connect(version)
    client.subscribe(f"{broker.topic}/{text}", f"{broker.topic}/a")
    client.publish(f"{broker.topic}/{text}", b"marked")
    assert client.take().topic == f"{broker.topic}/{text}"
    client.expect_nothing()


def test_byte_order_mark_stays_in_properties(broker: Broker) -> None:
    client = broker.connect(5)
    client.subscribe(broker.topic)
    sent = {"content_type": "\ufeffx", "user_property": [("\ufeffn", "\ufeffv")]}
    client.publish(broker.topic, b"", props=sent)
    assert client.take().properties == sent


@each_version
@pytest.mark.parametrize("text", ["ä", "\u20ac", "\U0002a6d4", "\u0301e", "A\U0002a6d4 b"])
def test_strings_are_passed_on_as_they_are(broker: Broker, version: Version, text: str) -> None:
    client = broker.connect(version)
    topic = f"{broker.topic}/{text}"
    client.subscribe(topic)
    client.publish(topic, text.encode())
    assert client.take().topic == topic


@each_version
def test_longest_topic_is_passed_on(broker: Broker, version: Version) -> None:
    client = broker.connect(version)
    topic = unique("t").ljust(65535, "x")
    client.subscribe(topic)
    client.publish(topic, b"long")
    assert client.take().topic == topic


@pytest.mark.parametrize(
    "length",
    [b"\x80\x00", b"\x80\x80\x00", b"\x80\x80\x80\x00"],
    ids=["two octets", "three octets", "four octets"],
)
def test_property_length_in_more_octets_than_needed_closes(broker: Broker, length: bytes) -> None:
    client = broker.connect(5)
    client.write(octets.packet(0x30, octets.sized("t") + length))
    client.expect_closed(0x81)


@each_version
@pytest.mark.parametrize("first", [0x10, 0x30, 0x82, 0xC0, 0xE0])
def test_remaining_length_of_five_octets_closes(
    broker: Broker, version: Version, first: int
) -> None:
    client = broker.connect(version)
    client.write(bytes((first,)) + b"\x80\x80\x80\x80\x01")
    client.expect_closed()


@each_version
@pytest.mark.parametrize("size", [0, 1, 100, 127, 128, 16_383, 16_384, 70_000])
def test_payloads_around_the_steps_of_the_length(
    broker: Broker, version: Version, size: int
) -> None:
    client = broker.connect(version)
    client.subscribe(broker.topic)
    payload = bytes(at % 251 for at in range(size))
    client.send_publish(broker.topic, payload)
    assert client.take().payload == payload
