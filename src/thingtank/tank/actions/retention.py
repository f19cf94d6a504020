"""Delete what feeds no longer want to keep."""

import asyncio
import itertools
from collections.abc import Iterator

from thingtank.tank.access import Caller, check_operate
from thingtank.tank.datapoints import AT_US_MIN
from thingtank.tank.interfaces import PER_PAGE_MAX, DeviceQuery
from thingtank.tank.tank import Tank
from thingtank.tank.things import Device


async def apply_retention(tank: Tank, caller: Caller) -> int:
    """Delete datapoints past their feed's `retention_s`; a datastream's newest always stays.

    Returns:
        How many datastreams lost some.

    Raises:
        NotAllowed: the caller is not the operator.
        Overloaded, StorageFailed: what was deleted before stays deleted.
    """
    check_operate(caller)
    count = 0
    for device in await asyncio.to_thread(lambda: list(_devices(tank))):
        if device.retention_s is not None:
            count += await _apply(tank, device, device.retention_s)
    return count


async def _apply(tank: Tank, device: Device, retention_s: int) -> int:
    keep_from_us = tank.clock.now_us() - retention_s * 1_000_000
    count = 0
    for datastream in list(tank.directory.datastreams(device.device_id).values()):
        stream_id = datastream.stream_id
        current = tank.archive.current(stream_id)
        if current is None or current.at_us is None:
            continue
        end_us = min(keep_from_us, current.at_us)
        # Asked first, so that nothing to do writes nothing.
        if await tank.archive.read([stream_id], AT_US_MIN, end_us, 1):
            await tank.archive.delete([stream_id], AT_US_MIN, end_us)
            count += 1
    return count


def _devices(tank: Tank) -> Iterator[Device]:
    for page in itertools.count(1):
        query = DeviceQuery(everybody=True, page=page, per_page=PER_PAGE_MAX)
        found = tank.directory.list_devices(query).devices
        if not found:
            return
        yield from found
