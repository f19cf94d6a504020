"""A full disk: nothing is acknowledged that is not on it, and what was goes on once there is room."""

import asyncio
import contextlib
from pathlib import Path

from tests.conformance.mqtt import octets
from tests.conformance.mqtt.octets import Kind
from tests.faults.disks import fill, small_disk
from tests.faults.mqtt_child import open_door
from tests.waiting import until

from thingtank.doors.mqtt.port import MqttPort

MESSAGES_MAX = 3000
PADDING = b"x" * 20_000


class Streams:
    """A client of few words; it wants one answer to what it says."""

    def __init__(self, port: int, name: str, *, clean: bool) -> None:
        self.port, self.name, self.clean = port, name, clean
        self.writer: asyncio.StreamWriter | None = None

    async def close(self) -> None:
        if self.writer is not None:
            self.writer.close()
            with contextlib.suppress(ConnectionError):
                await self.writer.wait_closed()

    async def open(self) -> None:
        """Connect, if need be again."""
        await self.close()
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        assert (await self.ask(octets.connect(self.name, 4, clean=self.clean)))[0] >> 4 == 2

    async def ask(self, packet: bytes) -> bytes:
        """The answer, which is short; blank when there is none."""
        assert self.writer is not None
        self.writer.write(packet)
        try:
            head = await asyncio.wait_for(self.reader.readexactly(2), 10)
            return head + await self.reader.readexactly(head[1])
        except (asyncio.IncompleteReadError, ConnectionError):
            return b""

    async def publish(self, number: int, qos: int) -> bool:
        payload = b"%06d" % number + PADDING
        answer = await self.ask(octets.publish(4, "a", payload, qos=qos, packet_id=number))
        return bool(answer) and answer[0] >> 4 == (Kind.PUBACK if qos == 1 else Kind.PUBREC)


async def test_full_disk_acknowledges_nothing_and_recovers(tmp_path: Path) -> None:
    with small_disk(tmp_path) as disk:
        door, sessions = await open_door(disk)
        port = MqttPort(door)
        await port.start("127.0.0.1", 0)
        away = Streams(port.port, "away", clean=False)
        await away.open()
        assert await away.ask(octets.subscribe(4, 1, [("a", 2)]))
        await away.close()
        publisher = Streams(port.port, "publisher", clean=True)
        await publisher.open()
        taken = [number for number in range(1, 6) if await publisher.publish(number, 1)]
        assert taken == [1, 2, 3, 4, 5]
        ballast = fill(disk)
        number = 6
        while await publisher.publish(number, 1 + number % 2):
            taken.append(number)
            number += 1
            assert number < MESSAGES_MAX, "the disk took everything"
        for _ in range(2):
            await publisher.open()
            assert not await publisher.publish(number, 1), "it is not on disk"
        ballast.unlink()

        async def is_taken_again() -> bool:
            await publisher.open()
            return await publisher.publish(number + 1, 1)

        await until(is_taken_again)
        taken.append(number + 1)
        await publisher.close()
        await door.stop()
        await port.stop()
        await sessions.close()
        door, sessions = await open_door(disk)
        kept = (await sessions.found()).sessions[0].deliveries
        numbers = {int(each.message.payload[:6]) for each in kept}
        assert set(taken) <= numbers <= {*taken, number}
        await door.stop()
        await sessions.close()
