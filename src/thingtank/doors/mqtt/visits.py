"""Clients of this process's own, on behalf of accounts: who tries things out in the workbench.

A visit is a client of MQTT 5 like every other: what it asks for is allowed or not, and what it is
sent is bounded. Only its connection has no network, and who it is has been found out before.
"""

import asyncio
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from thingtank.doors.mqtt.authentication.principal import Principal
from thingtank.net.visits import Newest
from thingtank.protocols.mqtt.client_parser import parse_from_server
from thingtank.protocols.mqtt.errors import MqttError
from thingtank.protocols.mqtt.outgoing import PUBLISH
from thingtank.protocols.mqtt.packets import (
    ClientPacket,
    Connack,
    Connect,
    Disconnect,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    ServerPacket,
    Suback,
)
from thingtank.protocols.mqtt.parser import parse_publish, read_length
from thingtank.protocols.mqtt.properties import Properties
from thingtank.protocols.mqtt.serializer import acknowledgement, serialize

if TYPE_CHECKING:
    from thingtank.doors.mqtt.door import MqttDoor
    from thingtank.doors.mqtt.gate import MqttGate

KIND = "workbench"
PACKET_BYTES_MAX = 2**20  # of a packet to a visit; messages in longer ones do not come
PACKET_ID = 1  # a visit asks once

_VERSION = 5
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})
_PUBACK, _PUBREC, _PUBCOMP = 0x40, 0x50, 0x70


class VisitEnded(Exception):
    """The broker has ended a visit, or lets none begin.

    Attributes:
        packet: CONNACK or DISCONNECT; None where nothing was said.
    """

    def __init__(self, packet: Connack | Disconnect | None) -> None:
        super().__init__("the connection was closed" if packet is None else packet.reason_code.name)
        self.packet = packet


class _Link:
    """What a visit's connection writes to."""

    headers = _NO_HEADERS
    certificate: bytes | None = None
    kind = KIND

    def __init__(self, visit: "Visit") -> None:
        self._visit = visit

    def write(self, data: bytes) -> None:
        self._visit.take(data)

    def write_all(self, pieces: list[bytes]) -> None:
        self._visit.take(b"".join(pieces))

    def unread_bytes(self) -> int:
        return 0  # what waits is bounded here, and the broker need not care

    def pause(self) -> None:
        """Nothing is read from a network."""

    def resume(self) -> None:
        """Nothing is read from a network."""

    def close(self) -> None:
        self._visit.end_soon()

    abort = close


class Visit:
    """One of them.

    Attributes:
        messages: PUBLISH packets that came, the newest.
        farewell: what the broker said at the end.
        is_over: it has ended, on whichever side.
    """

    def __init__(self, door: "MqttDoor", gate: "MqttGate", principal: Principal) -> None:
        """Connect to the broker; `open` says CONNECT.

        Args:
            principal: who it is.
        """
        self.messages = Newest()
        self.farewell: Connack | Disconnect | None = None
        self.is_over = False
        self._principal = principal
        self._door = door
        self._loop = asyncio.get_running_loop()
        self._awaited: asyncio.Future[ServerPacket] | None = None
        self._replies: list[bytes] = []
        self.connection = door.open(_Link(self), principal.address)
        gate.expect(self.connection, principal)

    async def open(self, seconds_max: float) -> None:
        """Come in.

        Raises:
            VisitEnded: the broker does not let it in.
            TimeoutError.
        """
        properties = Properties(maximum_packet_size=PACKET_BYTES_MAX)
        packet = Connect(_VERSION, self._principal.client_id, properties=properties)
        await self.ask(packet, seconds_max)

    async def ask(self, packet: ClientPacket, seconds_max: float) -> ServerPacket:
        """Send a packet and wait for what answers it.

        Raises:
            VisitEnded: the connection has ended meanwhile.
            TimeoutError.
        """
        future: asyncio.Future[ServerPacket] = self._loop.create_future()
        self._awaited = future
        try:
            self.tell(packet)
            async with asyncio.timeout(seconds_max):
                return await future
        finally:
            self._awaited = None

    def tell(self, packet: ClientPacket) -> None:
        """Send a packet that is not answered.

        Raises:
            VisitEnded.
        """
        if self.is_over:
            raise VisitEnded(self.farewell)
        self._door.receive(self.connection, serialize(packet, _VERSION))

    def take_messages(self, count_max: int) -> list[Publish]:
        """Messages since the last time, oldest first; of more than so many the newest."""
        taken = []
        for data in self.messages.take(count_max):
            found = read_length(data, 1)
            assert found is not None, "the broker sends whole packets"
            taken.append(parse_publish(data[0] & 0x0F, data[found[1] :], _VERSION, False))
        return taken

    def close(self) -> None:
        """End it; its subscriptions go with it."""
        if not self.is_over:
            self.is_over = True
            self._door.lose(self.connection)
            self._fail_awaited()

    # --- what the broker sends ---

    def take(self, data: bytes) -> None:
        """Take whole packets."""
        at = 0
        while at < len(data) and not self.is_over:
            found = read_length(data, at + 1)
            assert found is not None, "the broker sends whole packets"
            length, body = found
            end = body + length
            if data[at] & 0xF0 == PUBLISH:
                self._hear(data[at:end], body - at)
            else:
                try:
                    self._take_answer(parse_from_server(data[at], data[body:end], _VERSION))
                except MqttError:
                    self.end_soon()
                    return
            at = end

    def _hear(self, packet: bytes, body: int) -> None:
        self.messages.add(packet)
        qos = packet[0] >> 1 & 3
        if qos:
            at = body + 2 + (packet[body] << 8 | packet[body + 1])
            packet_id = packet[at] << 8 | packet[at + 1]
            self._reply(acknowledgement(_PUBACK if qos == 1 else _PUBREC, packet_id))

    def _take_answer(self, packet: ServerPacket) -> None:
        if isinstance(packet, Pubrel):
            self._reply(acknowledgement(_PUBCOMP, packet.packet_id))
            return
        if isinstance(packet, Disconnect) or (isinstance(packet, Connack) and packet.reason_code):
            self.farewell = packet
            self.end_soon()
            return
        awaited = self._awaited
        is_answer = isinstance(packet, Connack | Puback | Pubrec | Pubcomp | Suback)
        if is_answer and awaited is not None and not awaited.done():
            awaited.set_result(packet)

    def _reply(self, octets: bytes) -> None:
        # Not now: the connection is in the middle of writing.
        if not self._replies:
            self._loop.call_soon(self._send_replies)
        self._replies.append(octets)

    def _send_replies(self) -> None:
        replies, self._replies = self._replies, []
        if not self.is_over:
            self._door.receive(self.connection, b"".join(replies))

    def end_soon(self) -> None:
        """End it, but not in the middle of what the broker does."""
        self._loop.call_soon(self.close)

    def _fail_awaited(self) -> None:
        if self._awaited is not None and not self._awaited.done():
            self._awaited.set_exception(VisitEnded(self.farewell))
