"""A disk that is full or fails: messages are refused, none that was kept is lost, reads go on."""

import asyncio
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from tests.faults.disks import fill, small_disk, turn_read_only

from thingtank.stores.device_event_settings import DeviceEventSettings
from thingtank.stores.device_events import DeviceEventLog
from thingtank.stores.kept_message_settings import KeptMessageSettings
from thingtank.stores.kept_messages import SqliteKeptMessages
from thingtank.tank.device_events import LoggedEvent
from thingtank.tank.errors import StorageFailed
from thingtank.tank.tank import SystemClock

MESSAGES_MAX = 3000
WAIT_S_MAX = 10.0
LATER_US = 2**60
TICK_S = 0.02
SETTINGS = KeptMessageSettings(
    messages_per_device_max=10 * MESSAGES_MAX, bytes_per_device_max=2**40
)


class World:
    """Messages on a disk."""

    def __init__(self, kept: SqliteKeptMessages) -> None:
        self.kept = kept
        self.number = 0

    @classmethod
    async def open(cls, folder: Path) -> "World":
        return cls(await SqliteKeptMessages.open(folder, SETTINGS, tick_s=TICK_S))

    async def keep(self) -> bool:
        """One more message; whether it is on disk."""
        self.number += 1
        body = b"%d " % self.number + b"x" * 20_000
        try:
            async with asyncio.timeout(WAIT_S_MAX):
                await self.kept.keep(1, body, 0, LATER_US)
        except StorageFailed:
            return False
        return True

    async def keep_until_refused(self) -> int:
        while await self.keep():
            assert self.number < MESSAGES_MAX, "the disk took everything"
        return self.number

    async def numbers(self) -> list[int]:
        async with asyncio.timeout(WAIT_S_MAX):
            found = await self.kept.take(1, 0, MESSAGES_MAX)
        return [int(each.body.split()[0]) for each in found]


async def test_full_disk_refuses_messages_loses_none_and_recovers(tmp_path: Path) -> None:
    with small_disk(tmp_path) as disk:
        world = await World.open(disk / "tank")
        assert [await world.keep() for _ in range(5)] == [True] * 5
        ballast = fill(disk)
        with capture_logs() as logs:
            refused = await world.keep_until_refused()
            assert not await world.keep()
            assert await world.numbers() == list(range(1, refused)), "reads go on"
            assert world.kept.count(1) == refused - 1
            removed = world.kept.remove(1, [1])
            ballast.unlink()
            await asyncio.wait([removed], timeout=WAIT_S_MAX)
            assert await world.keep()
        assert [log["event"] for log in logs] == [
            "kept_message_writes_fail",
            "kept_message_writes_recovered",
        ]
        removed.exception()  # it may have come before the room
        await world.kept.close()
        again = await World.open(disk / "tank")
        assert await again.numbers() == [*range(2, refused), refused + 2]
        await again.kept.close()


async def test_disk_that_fails_stops_nobody(tmp_path: Path) -> None:
    with small_disk(tmp_path) as disk:
        world = await World.open(disk / "tank")
        log = await DeviceEventLog.open(
            disk / "tank", DeviceEventSettings(), trim_interval_s=TICK_S
        )
        assert await world.keep()
        log.append(event(0))
        assert [each.code for each in await log.read(1)] == [0]
        turn_read_only(disk)
        with capture_logs() as logs:
            for number in range(1, 4):
                assert not await world.keep()
                with pytest.raises(StorageFailed):
                    await world.kept.remove(1, [1])
                log.append(event(number))
                await asyncio.sleep(3 * TICK_S)
            assert world.kept.count(1) == 1
            await asyncio.wait_for(log.close(), WAIT_S_MAX)
            await asyncio.wait_for(world.kept.close(), WAIT_S_MAX)
        assert log.dropped_count == 3
        names = {each["event"] for each in logs}
        assert names == {
            "kept_message_writes_fail",
            "kept_message_removals_lost",
            "device_event_writes_fail",
            "device_events_lost",
        }


async def test_log_on_a_full_disk_drops_events_and_recovers(tmp_path: Path) -> None:
    with small_disk(tmp_path) as disk:
        log = await DeviceEventLog.open(disk / "tank", DeviceEventSettings())
        log.append(event(0))
        assert [each.code for each in await log.read(1)] == [0]
        ballast = fill(disk)
        number = 0
        while not log.dropped_count:
            number += 1
            assert number < MESSAGES_MAX, "the disk took everything"
            log.append(event(number))
            newest = (await log.read(1, 1))[0].code
        assert newest == number - 1
        ballast.unlink()
        log.append(event(number + 1))
        assert [each.code for each in await log.read(1, 2)] == [number + 1, number - 1]
        await log.close()


def event(code: int) -> LoggedEvent:
    return LoggedEvent(SystemClock().now_us(), code, (1,), b"x" * 20_000)
