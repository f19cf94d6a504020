"""Binary values: they come behind their event, and are put where it has placeholders for them.

A value that JSON does not have is handed on as text in base64 (standard alphabet, padded): what
SkyNet's devices say to each other is JSON, on every wire.

Source: Socket.IO protocol, Packet encoding, Sending and receiving data.
"""

from base64 import b64encode
from typing import Any

from thingtank.protocols.socketio.packets import MalformedPacket, Packet


class Reconstruction:
    """A binary packet that waits for its attachments."""

    def __init__(self, packet: Packet, args: list[Any], bytes_max: int) -> None:
        """Wait for `packet.attachments_count` >= 1 of them, of at most bytes_max together."""
        self.packet = packet
        self._args = args
        self._bytes_max = bytes_max
        self._attachments: list[str] = []

    @property
    def is_whole(self) -> bool:
        """Whether all have come."""
        return len(self._attachments) == self.packet.attachments_count

    def add(self, attachment: bytes) -> None:
        """Take the next one.

        Raises:
            MalformedPacket: they are too much.
        """
        self._bytes_max -= len(attachment)
        if self._bytes_max < 0:
            raise MalformedPacket("attachments are too long")
        self._attachments.append(b64encode(attachment).decode("ascii"))

    def args(self) -> list[Any]:
        """The packet's values, with the attachments in their places.

        Raises:
            MalformedPacket: a placeholder is for none of them.
        """
        return [self._filled(value) for value in self._args]

    def _filled(self, value: Any) -> Any:
        # As deep as the parser lets JSON be.
        if isinstance(value, list):
            return [self._filled(item) for item in value]
        if not isinstance(value, dict):
            return value
        if value.get("_placeholder") is True:
            return self._attachment(value.get("num"))
        return {name: self._filled(member) for name, member in value.items()}

    def _attachment(self, number: object) -> str:
        if type(number) is not int or not 0 <= number < len(self._attachments):
            raise MalformedPacket("a placeholder for no attachment")
        return self._attachments[number]
