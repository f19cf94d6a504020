"""A message in the bytes of those who receive it; encoded once for all who get the same."""

from thingtank.protocols.mqtt.messages import Message
from thingtank.protocols.mqtt.octets import serialize_variable

PUBLISH = 0x30
DUP, RETAIN = 0x08, 0x01

_EXPIRY, _IDENTIFIER, _ALIAS = b"\x02", b"\x0b", b"\x23"
_US_PER_S = 1_000_000


class Outgoing:
    """One message on its way to any number of receivers.

    A PUBLISH is made of two pieces: up to the packet id, and from behind it.
    """

    __slots__ = ("_heads", "_now_us", "_tails", "message", "octets")

    def __init__(self, message: Message, octets: bytes, now_us: int) -> None:
        """Encode nothing yet.

        Args:
            octets: the topic name.
            now_us: from which the rest of its life counts.
        """
        self.message = message
        self.octets = octets
        self._now_us = now_us
        self._heads: dict[tuple[int, int], bytes] = {}
        self._tails: dict[tuple[int, ...] | None, bytes] = {}

    def pieces(self, first: int, identifiers: tuple[int, ...] | None) -> tuple[bytes, bytes]:
        """Both pieces.

        Args:
            first: the first octet.
            identifiers: of subscriptions; None for a version without properties.
        """
        tail = self._tails.get(identifiers)
        if tail is None:
            tail = self._tails[identifiers] = self._tail(identifiers)
        head = self._heads.get((first, len(tail)))
        if head is None:
            head = self._heads[first, len(tail)] = publish_head(first, self.octets, len(tail))
        return head, tail

    def aliased(
        self, first: int, identifiers: tuple[int, ...], alias: int, *, is_known: bool
    ) -> tuple[bytes, bytes]:
        """Both pieces, with a topic alias that the receiver knows, or is to learn."""
        properties = self._properties(identifiers) + _ALIAS + alias.to_bytes(2, "big")
        tail = serialize_variable(len(properties)) + properties + self.message.payload
        return publish_head(first, b"" if is_known else self.octets, len(tail)), tail

    def _tail(self, identifiers: tuple[int, ...] | None) -> bytes:
        payload = self.message.payload
        if identifiers is None:
            return payload
        properties = self._properties(identifiers)
        return serialize_variable(len(properties)) + properties + payload

    def _properties(self, identifiers: tuple[int, ...]) -> bytes:
        message = self.message
        properties = message.properties
        if message.expires_at_us:
            left_us = max(0, message.expires_at_us - self._now_us)
            left_s = -(-left_us // _US_PER_S)  # MQTT 5, 3.3.2.3.3: what it waited is taken off
            properties = _EXPIRY + left_s.to_bytes(4, "big") + properties
        for identifier in identifiers:
            properties += _IDENTIFIER + serialize_variable(identifier)
        return properties


def publish_head(first: int, topic: bytes, tail_bytes: int) -> bytes:
    """A PUBLISH up to where its packet id is, if it has one."""
    length = len(topic) + tail_bytes + (4 if first & 0x06 else 2)
    return b"%c%b%b%b" % (first, serialize_variable(length), len(topic).to_bytes(2, "big"), topic)
