"""One client's packets, decoded, while somebody looks.

A tap gets the octets that go both ways and finds the packets in them; it keeps the newest until
they are taken, and of each its beginning. Nothing is decoded before that, and a connection that
nobody looks at has no tap. Secrets are not shown: passwords, user names, which may be keys, keys
in front of topics, and what is said to authenticate.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from thingtank.doors.mqtt.access.tank_topic import tank_topic_of
from thingtank.protocols.mqtt.broker_facts import SeenPacket, payload_text
from thingtank.protocols.mqtt.client_parser import parse_from_server
from thingtank.protocols.mqtt.errors import MqttError
from thingtank.protocols.mqtt.messages import Subscription
from thingtank.protocols.mqtt.packet_types import PacketType
from thingtank.protocols.mqtt.packets import ConnectWill
from thingtank.protocols.mqtt.parser import parse, parse_connect, read_length
from thingtank.protocols.mqtt.properties import Properties
from thingtank.protocols.mqtt.reason_codes import ReasonCode

if TYPE_CHECKING:
    from thingtank.doors.mqtt.door import Link

PACKETS_MAX = 200  # that wait to be taken, the newest
HEAD_BYTES_MAX = 4096  # of a packet that are kept
PAYLOAD_BYTES_MAX = 1024  # of a payload that are shown
LISTED_MAX = 50  # of topic filters, reason codes, user properties
HIDDEN = "(not shown)"

_HIDDEN_FIELDS = {"password", "user_name", "authentication_data"}
_HEADER_BYTES_MAX = 5


class _Framer:
    """Finds the packets in what goes one way."""

    def __init__(self, begun: bytes = b"") -> None:
        """Begin at a packet's beginning, some of which may be there."""
        self._rest = begun
        self._left_bytes = 0  # of a packet whose head was given out
        self._is_lost = False

    def feed(self, data: bytes) -> Iterator[tuple[bytes, int]]:
        """Heads of packets that begin in what has come, and their sizes."""
        if self._is_lost:
            return
        skipped = min(self._left_bytes, len(data))
        self._left_bytes -= skipped
        data = self._rest + data[skipped:]
        at, size = 0, len(data)
        while size - at >= 2:
            try:
                found = read_length(data[at : at + _HEADER_BYTES_MAX], 1)
            except MqttError:
                self._is_lost = True
                return
            if found is None:
                break
            packet_bytes = found[1] + found[0]
            if size - at < min(packet_bytes, HEAD_BYTES_MAX):
                break
            yield data[at : at + min(packet_bytes, HEAD_BYTES_MAX)], packet_bytes
            self._left_bytes = max(0, packet_bytes - (size - at))
            at += packet_bytes
        self._rest = data[at:]


class PacketTap:
    """What one who looks gets.

    Attributes:
        count: of packets since it began.
    """

    def __init__(self, version: int, begun: bytes, now_us: Callable[[], int]) -> None:
        """Begin to look.

        Args:
            version: that the client speaks.
            begun: octets of a packet that has come in part.
        """
        self.count = 0
        self._version = version
        self._now_us = now_us
        self._from_client = _Framer(begun)
        self._to_client = _Framer()
        self._kept: deque[tuple[int, bool, bytes, int]] = deque(maxlen=PACKETS_MAX)

    def data_received(self, data: bytes) -> None:
        """The client has sent something."""
        self._keep(self._from_client, data, is_from_client=True)

    def data_sent(self, data: bytes) -> None:
        """It was sent something."""
        self._keep(self._to_client, data, is_from_client=False)

    def _keep(self, framer: _Framer, data: bytes, *, is_from_client: bool) -> None:
        at_us = self._now_us()
        for head, size_bytes in framer.feed(data):
            self.count += 1
            self._kept.append((at_us, is_from_client, head, size_bytes))

    def take(self, count_max: int) -> list[SeenPacket]:
        """Packets since the last time, oldest first; of more than so many the newest."""
        taken = list(self._kept)[-count_max:]
        self._kept.clear()
        return [self._seen(*each) for each in taken]

    def _seen(self, at_us: int, is_from_client: bool, head: bytes, size_bytes: int) -> SeenPacket:
        first = head[0]
        name = PacketType(first >> 4).name if first >> 4 else "reserved"
        try:
            packet = _parsed(head, self._version, is_from_client=is_from_client)
        except (MqttError, IndexError):
            fields: Mapping[str, Any] = {"octets": payload_text(b"\0", 0, size_bytes)}
        else:
            fields = dict(_fields(packet, size_bytes - len(head)))
        return SeenPacket(at_us, is_from_client, name, fields, size_bytes)


def _parsed(head: bytes, version: int, *, is_from_client: bool) -> object:
    found = read_length(head, 1)
    assert found is not None, "the head has it"
    body = head[found[1] :]
    if not is_from_client:
        return parse_from_server(head[0], body, version)
    if head[0] >> 4 == PacketType.CONNECT:
        return parse_connect(head[0] & 0x0F, body)
    return parse(head[0], body, version)


def _fields(packet: object, left_out_bytes: int) -> Iterator[tuple[str, Any]]:
    """What is said, and not what goes without saying.

    Args:
        left_out_bytes: of a payload that is not there as a whole.
    """
    for field in msgspec.structs.fields(type(packet)):  # type: ignore[arg-type] # packets are
        value = getattr(packet, field.name)
        if field.name == "properties":
            yield from _property_fields(value)
        elif field.name == "payload":
            size_bytes = len(value) + left_out_bytes
            yield "payload", payload_text(value, PAYLOAD_BYTES_MAX, size_bytes)
        elif field.required or value != field.default or field.name == "qos":
            yield field.name, _shown(field.name, value)


def _property_fields(properties: Properties) -> Iterator[tuple[str, Any]]:
    for name in properties.__struct_fields__:
        value = getattr(properties, name)
        if value is not None and value != ():
            yield name, _shown(name, value)


def _shown(name: str, value: Any) -> Any:
    if name in _HIDDEN_FIELDS and value is not None:
        return HIDDEN
    if isinstance(value, ReasonCode):
        return f"{value.name} (0x{value:02x})"
    if isinstance(value, str):
        return without_key(value)
    if isinstance(value, bytes):
        return payload_text(value, PAYLOAD_BYTES_MAX)
    if isinstance(value, ConnectWill | Subscription):
        return dict(_fields(value, 0))
    if isinstance(value, tuple):
        return [_shown("", each) for each in value[:LISTED_MAX]]
    return value


def without_key(topic: str) -> str:
    """A topic name or filter without the API key that may stand in front of it."""
    tank_topic = tank_topic_of(topic)
    if tank_topic is None or not tank_topic.key:
        return topic
    return f"{HIDDEN}{tank_topic.path}"


class TappedLink:
    """A link whose connection is looked at: what is written to it goes through here."""

    def __init__(self, link: "Link") -> None:
        self.link = link
        self.taps: list[PacketTap] = []

    def data_received(self, data: bytes) -> None:
        """The client has sent something."""
        for tap in self.taps:
            tap.data_received(data)

    @property
    def headers(self) -> Mapping[str, str]:
        """Of the HTTP request that became a WebSocket."""
        return self.link.headers

    @property
    def certificate(self) -> bytes | None:
        """The client's, verified, in DER."""
        return self.link.certificate

    @property
    def kind(self) -> str:
        """For people."""
        return self.link.kind

    def write(self, data: bytes) -> None:
        """Write octets."""
        for tap in self.taps:
            tap.data_sent(data)
        self.link.write(data)

    def write_all(self, pieces: list[bytes]) -> None:
        """Write octets that are too many to be copied."""
        for tap in self.taps:
            tap.data_sent(b"".join(pieces))
        self.link.write_all(pieces)

    def unread_bytes(self) -> int:
        """How much was written and not taken yet."""
        return self.link.unread_bytes()

    def pause(self) -> None:
        """Read no more for now."""
        self.link.pause()

    def resume(self) -> None:
        """Read on."""
        self.link.resume()

    def close(self) -> None:
        """End the connection, what was written first."""
        self.link.close()

    def abort(self) -> None:
        """End the connection at once."""
        self.link.abort()
