"""A process that keeps messages and logs events, and says what is on disk, until it is killed.

`python -m tests.faults.skynet_store_child FOLDER FIRST`: for each device, numbers are kept, FIRST
upwards, one after another, and logged; when more than WAITING wait, the oldest is removed. A line
`kept DEVICE NUMBER ID` or `removed DEVICE ID` is printed the instant that this is said to be on
disk, `removing DEVICE ID` before.
"""

import asyncio
import sys
from pathlib import Path

from thingtank.stores.device_event_settings import DeviceEventSettings
from thingtank.stores.device_events import DeviceEventLog
from thingtank.stores.kept_message_settings import KeptMessageSettings
from thingtank.stores.kept_messages import SqliteKeptMessages
from thingtank.tank.device_events import LoggedEvent
from thingtank.tank.tank import SystemClock

DEVICES = range(1, 7)
WAITING = 5
LATER_US = 2**60
EVENT_SETTINGS = DeviceEventSettings(events_per_device_max=1000)


async def open_log(folder: Path) -> DeviceEventLog:
    """The log that the process has, and whoever looks afterwards."""
    return await DeviceEventLog.open(folder, EVENT_SETTINGS, linger_s=0.005, trim_interval_s=0.02)


async def open_kept(folder: Path) -> SqliteKeptMessages:
    """The messages that the process has, and whoever looks afterwards."""
    return await SqliteKeptMessages.open(folder, KeptMessageSettings(), tick_s=0.02)


async def keep_numbers(
    kept: SqliteKeptMessages, log: DeviceEventLog, device_id: int, number: int
) -> None:
    """One device's, until the process is killed."""
    clock = SystemClock()
    while True:
        now_us = clock.now_us()
        log.append(LoggedEvent(now_us, number, (device_id, 100), b"%d" % device_id))
        kept_id = await kept.keep(device_id, b"%d" % number, now_us, LATER_US)
        print(f"kept {device_id} {number} {kept_id}", flush=True)
        if kept.count(device_id) > WAITING:
            (oldest,) = await kept.take(device_id, now_us, 1)
            print(f"removing {device_id} {oldest.kept_id}", flush=True)
            await kept.remove(device_id, [oldest.kept_id])
            print(f"removed {device_id} {oldest.kept_id}", flush=True)
        number += 1


async def main(folder: Path, first: int) -> None:
    """Keep for all devices at once."""
    kept, log = await open_kept(folder), await open_log(folder)
    await asyncio.gather(*(keep_numbers(kept, log, each, first) for each in DEVICES))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
