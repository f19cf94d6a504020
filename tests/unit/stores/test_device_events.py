"""The event log takes no more than its bounds allow, and says what it lost."""

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from tests.waiting import WAIT_S_MAX, until

from thingtank.stores.device_event_file import DeviceEventFile, Forget, Item
from thingtank.stores.device_event_settings import DeviceEventSettings
from thingtank.stores.device_events import DeviceEventLog
from thingtank.tank.device_events import LoggedEvent
from thingtank.tank.errors import StorageFailed
from thingtank.tank.tank import SystemClock


class HeldFile(DeviceEventFile):
    """A file whose commits tests hold up, and have fail."""

    def hold(self) -> None:
        self.may_commit = threading.Event()
        self.may_commit.set()
        self.is_failing = False
        self.batches: list[Sequence[Item]] = []
        self.trim_count = 0

    def commit(self, items: Sequence[Item]) -> None:
        assert self.may_commit.wait(WAIT_S_MAX)
        self.batches.append(items)
        if self.is_failing:
            raise StorageFailed("database or disk is full")
        super().commit(items)

    def trim(self, oldest_us: int) -> bool:
        self.trim_count += 1
        return super().trim(oldest_us)


async def opened(
    folder: Path, *, tick_s: float = 3600, **settings: int
) -> tuple[DeviceEventLog, HeldFile]:
    wanted = DeviceEventSettings(**settings)
    file = HeldFile.open(folder, wanted.events_per_device_max)
    assert isinstance(file, HeldFile)
    file.hold()
    return DeviceEventLog(file, wanted, SystemClock(), 0.01, tick_s), file


def event(number: int, *device_ids: int, size_bytes: int = 2) -> LoggedEvent:
    at_us = SystemClock().now_us()
    return LoggedEvent(at_us, number, device_ids or (1,), b"x" * size_bytes)


async def codes(log: DeviceEventLog, device_id: int = 1) -> list[int]:
    async with asyncio.timeout(WAIT_S_MAX):
        return [each.code for each in await log.read(device_id, 100)]


async def wait_for_batches(file: HeldFile, count: int) -> None:
    await until(lambda: len(file.batches) >= count)


async def test_newest_are_dropped_when_too_many_wait(tmp_path: Path) -> None:
    log, file = await opened(tmp_path, pending_events_max=3)
    file.may_commit.clear()
    with capture_logs() as logs:
        for number in range(5):
            log.append(event(number))
    assert log.dropped_count == 2
    assert [(each["event"], each["count"]) for each in logs] == [("device_events_lost", 1)]
    file.may_commit.set()
    assert await codes(log) == [2, 1, 0]
    log.append(event(5))
    assert await codes(log) == [5, 2, 1, 0]
    with capture_logs() as logs:
        await log.close()
    assert [each["count"] for each in logs] == [1], "what was not logged yet"


@pytest.mark.parametrize("large", [{"size_bytes": 2000}, {"device_count": 20}])
async def test_newest_are_dropped_when_they_take_too_much(
    tmp_path: Path, large: dict[str, int]
) -> None:
    log, _ = await opened(tmp_path, pending_bytes_max=2000)
    log.append(event(0))
    devices = range(1, large.get("device_count", 1) + 1)
    log.append(event(1, *devices, size_bytes=large.get("size_bytes", 2)))
    log.append(event(2))
    assert await codes(log) == [2, 0]
    assert log.dropped_count == 1
    await log.close()


async def test_what_the_disk_does_not_take_is_lost_and_counted(tmp_path: Path) -> None:
    log, file = await opened(tmp_path)
    log.append(event(0))
    assert await codes(log) == [0]
    file.is_failing = True
    with capture_logs() as logs:
        for number in (1, 2):
            log.append(event(number))
            assert await codes(log) == [0]
        file.is_failing = False
        log.append(event(3))
        assert await codes(log) == [3, 0]
    assert [each["event"] for each in logs] == [
        "device_event_writes_fail",
        "device_events_lost",
        "device_event_writes_recovered",
    ]
    assert log.dropped_count == 2
    await log.close()


async def test_device_is_forgotten_once_the_disk_takes_it(tmp_path: Path) -> None:
    log, file = await opened(tmp_path, tick_s=0.01)
    log.append(event(0))
    assert await codes(log) == [0]
    file.is_failing = True
    log.forget(1)
    await wait_for_batches(file, 3)
    assert list(file.batches[-1]) == [Forget(1)]
    file.is_failing = False
    await wait_for_batches(file, len(file.batches) + 1)
    assert await codes(log) == []
    assert log.dropped_count == 0
    await log.close()


async def test_lists_are_trimmed_by_themselves(tmp_path: Path) -> None:
    log, file = await opened(tmp_path, tick_s=0.01, events_per_device_max=5)
    for number in range(20):
        log.append(event(number))
    await codes(log)
    seen_count = file.trim_count
    await until(lambda: file.trim_count >= seen_count + 2)
    await log.close()
    count = "SELECT count(*) FROM event"
    assert file._connected().execute(count).fetchone() == (5,)
    file.close()


async def test_closing_writes_what_waits_and_drops_what_comes_later(tmp_path: Path) -> None:
    log, _ = await opened(tmp_path)
    log.append(event(0))
    await log.close()
    log.append(event(1))
    log.forget(1)
    await log.close()
    assert log.dropped_count == 1
    with pytest.raises(StorageFailed, match="closed"):
        await log.read(1)
    log = await DeviceEventLog.open(tmp_path, DeviceEventSettings())
    assert await codes(log) == [0]
    await log.close()
