"""What a server sent, read strictly: whatever it may not send fails the test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.conformance.mqtt.octets import NAMES, PROPERTIES, Kind, Version, varint

ACKNOWLEDGEMENTS = (Kind.PUBACK, Kind.PUBREC, Kind.PUBREL, Kind.PUBCOMP)
FROM_SERVER = {
    Kind.CONNACK,
    Kind.PUBLISH,
    *ACKNOWLEDGEMENTS,
    Kind.SUBACK,
    Kind.UNSUBACK,
    Kind.PINGRESP,
}
REPEATABLE = ("user_property", "subscription_identifier")


@dataclass
class Packet:
    """A packet of a server.

    Attributes:
        kind: its type.
        raw: all of it, as it came.
        flags: the low four bits of its first octet.
        packet_id: 0 if it has none.
        reason_code: also the return code of a CONNACK before version 5.
        reason_codes: of SUBACK and UNSUBACK, one for each topic filter.
        properties: by name; those that may come more than once are lists.
    """

    kind: Kind
    raw: bytes
    flags: int = 0
    packet_id: int = 0
    session_present: bool = False
    reason_code: int = 0
    reason_codes: list[int] = field(default_factory=list)
    topic: str = ""
    payload: bytes = b""
    properties: dict[str, Any] = field(default_factory=dict)

    @property
    def qos(self) -> int:
        """Of a PUBLISH."""
        return self.flags >> 1 & 3

    @property
    def retain(self) -> bool:
        """Of a PUBLISH."""
        return bool(self.flags & 1)

    @property
    def dup(self) -> bool:
        """Of a PUBLISH."""
        return bool(self.flags & 8)


class Octets:
    """The body of a packet, read from the front."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def take(self, size: int) -> bytes:
        """So many octets, which must be there."""
        assert len(self.data) >= size, "the packet ends too early"
        taken, self.data = self.data[:size], self.data[size:]
        return taken

    def number(self, size: int) -> int:
        """A Byte, Two Byte or Four Byte Integer."""
        return int.from_bytes(self.take(size), "big")

    def varint(self) -> int:
        """A Variable Byte Integer in its shortest form."""
        number = size = 0
        while True:
            octet = self.number(1)
            number |= (octet & 127) << 7 * size
            size += 1
            assert size <= 4, "a Variable Byte Integer has at most four octets"
            if not octet & 128:
                assert len(varint(number)) == size, "MQTT-1.5.5-1: the minimum number of bytes"
                return number

    def binary(self) -> bytes:
        """Binary Data."""
        return self.take(self.number(2))

    def string(self) -> str:
        """A UTF-8 Encoded String; decoding is strict, as MQTT-1.5.4-1 is."""
        text = self.binary().decode("utf-8")
        assert "\0" not in text, "MQTT-1.5.4-2: no U+0000"
        return text

    def properties(self, kind: Kind) -> dict[str, Any]:
        """Properties that a server may send in this packet."""
        found: dict[str, Any] = {}
        part = Octets(self.take(self.varint()))
        readers: dict[str, Callable[[], Any]] = {
            "byte": lambda: part.number(1),
            "two": lambda: part.number(2),
            "four": lambda: part.number(4),
            "varint": part.varint,
            "string": part.string,
            "binary": part.binary,
            "pair": lambda: (part.string(), part.string()),
        }
        while part.data:
            name = NAMES[part.varint()]
            _, how, allowed = PROPERTIES[name]
            assert kind in allowed, f"a server may not send {name} in a {kind.name}"
            value = readers[how]()
            if name in REPEATABLE:
                found.setdefault(name, []).append(value)
            else:
                assert name not in found, f"{name} comes twice"
                found[name] = value
        return found


def read_packet(raw: bytes, version: Version) -> Packet:
    """Read one whole packet of a server.

    Raises:
        AssertionError: a server of that version may not send it.
    """
    kind, flags = Kind(raw[0] >> 4), raw[0] & 15
    octets = Octets(raw[1:])
    assert octets.varint() == len(octets.data)
    allowed = FROM_SERVER | ({Kind.DISCONNECT, Kind.AUTH} if version == 5 else set())
    assert kind in allowed, f"a server of version {version} does not send {kind.name}"
    read = Packet(kind, raw, flags)
    if kind != Kind.PUBLISH:
        assert flags == (2 if kind == Kind.PUBREL else 0), "MQTT-2.1.3-1: reserved flags"
    if kind == Kind.PUBLISH:
        _read_publish(read, octets, version)
    elif kind == Kind.CONNACK:
        _read_connack(read, octets, version)
    elif kind in (Kind.SUBACK, Kind.UNSUBACK):
        _read_list(read, octets, version)
    elif kind in ACKNOWLEDGEMENTS:
        read.packet_id = octets.number(2)
        assert read.packet_id, "a packet identifier is not 0"
        _read_reason(read, octets, version)
    elif kind in (Kind.DISCONNECT, Kind.AUTH):
        _read_reason(read, octets, version)
    assert not octets.data, "the packet goes on after its end"
    return read


def _read_publish(read: Packet, octets: Octets, version: Version) -> None:
    assert read.qos < 3, "MQTT-3.3.1-4: not both QoS bits"
    assert read.qos or not read.dup, "MQTT-3.3.1-2: DUP is 0 with QoS 0"
    read.topic = octets.string()
    assert not set("+#") & set(read.topic), "MQTT-3.3.2-2: no wildcards"
    if read.qos:
        read.packet_id = octets.number(2)
        assert read.packet_id, "MQTT-2.2.1-4: a packet identifier is not 0"
    if version == 5:
        read.properties = octets.properties(Kind.PUBLISH)
        assert read.properties.get("topic_alias") != 0, "MQTT-3.3.2-8: no topic alias 0"
        assert 0 not in read.properties.get("subscription_identifier", ())
    assert read.topic or "topic_alias" in read.properties, "MQTT-4.7.3-1: at least one character"
    read.payload, octets.data = octets.data, b""


def _read_connack(read: Packet, octets: Octets, version: Version) -> None:
    flags = octets.number(1)
    assert flags in (0, 1), "MQTT-3.2.2-1: reserved flags"
    assert version > 3 or not flags, "there is no Session Present in 3.1"
    read.session_present = bool(flags)
    read.reason_code = octets.number(1)
    assert not (read.reason_code and flags), "MQTT-3.2.2-6: no Session Present in a refusal"
    # A refusal of the protocol level may come in the form of version 5 whatever was asked for.
    if version == 5 or octets.data:
        assert version == 5 or read.reason_code >= 0x80
        read.properties = octets.properties(Kind.CONNACK)


def _read_list(read: Packet, octets: Octets, version: Version) -> None:
    read.packet_id = octets.number(2)
    assert read.packet_id, "a packet identifier is not 0"
    if version == 5:
        read.properties = octets.properties(read.kind)
    if version == 5 or read.kind == Kind.SUBACK:
        read.reason_codes, octets.data = list(octets.data), b""
        assert read.reason_codes, "at least one reason code"


def _read_reason(read: Packet, octets: Octets, version: Version) -> None:
    if version == 5 and octets.data:
        read.reason_code = octets.number(1)
        if octets.data:
            read.properties = octets.properties(read.kind)
