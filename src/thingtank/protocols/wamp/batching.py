"""Batched WebSocket subprotocols: many messages in one WebSocket message.

JSON messages are followed by a separator each. The text's octet is 0x1E; the code of Autobahn
writes 0x18. Neither can stand in JSON, so both are read, and the client is answered with the one
its last batch ended with. Other messages are preceded by their length, 32 bits, big-endian.

Source: WAMP, WebSocket Transport, Batched Mode.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable

from thingtank.protocols.wamp.errors import ProtocolViolation

BATCH_MESSAGES_MAX = 65_536
SEPARATORS = (b"\x18", b"\x1e")
_LENGTH_BYTES = 4


class Batching(ABC):
    """Takes the batches of one connection apart and makes those that go back."""

    @abstractmethod
    def split(self, batch: bytes) -> list[bytes]:
        """The messages in a batch, at least one.

        Args:
            batch: one WebSocket message, whose size the transport limits.

        Raises:
            ProtocolViolation: there is none, or too many, or something is left over.
        """

    @abstractmethod
    def join(self, messages: Iterable[bytes]) -> bytes:
        """A batch of at least one message."""


class SeparatedBatching(Batching):
    """Batches of JSON messages."""

    def __init__(self) -> None:
        self.separator = SEPARATORS[0]

    def split(self, batch: bytes) -> list[bytes]:
        """The messages in a batch, at least one.

        Raises:
            ProtocolViolation: it does not end with a separator, or a message is blank.
        """
        if batch[-1:] not in SEPARATORS:
            raise ProtocolViolation("a batch of JSON messages must end with 0x18 or 0x1E")
        self.separator = batch[-1:]
        _check_count(batch.count(self.separator))
        messages = batch[:-1].split(self.separator)
        if b"" in messages:
            raise ProtocolViolation("a message in a batch is empty")
        return messages

    def join(self, messages: Iterable[bytes]) -> bytes:
        """A batch of at least one message."""
        return b"".join([message + self.separator for message in messages])


class PrefixedBatching(Batching):
    """Batches of MessagePack or CBOR messages."""

    def split(self, batch: bytes) -> list[bytes]:
        """The messages in a batch, at least one.

        Raises:
            ProtocolViolation: there is none, or lengths and bytes do not agree.
        """
        messages: list[bytes] = []
        at, end = 0, len(batch)
        while at < end:
            start = at + _LENGTH_BYTES
            at = start + int.from_bytes(batch[at:start], "big")
            if at > end or start >= at:
                raise ProtocolViolation("a message in a batch is empty or cut off")
            messages.append(batch[start:at])
            _check_count(len(messages))
        if not messages:
            raise ProtocolViolation("a batch must have at least one message")
        return messages

    def join(self, messages: Iterable[bytes]) -> bytes:
        """A batch of at least one message."""
        return b"".join(
            [len(message).to_bytes(_LENGTH_BYTES, "big") + message for message in messages]
        )


def _check_count(count: int) -> None:
    if count > BATCH_MESSAGES_MAX:
        raise ProtocolViolation(f"a batch may have at most {BATCH_MESSAGES_MAX} messages")
