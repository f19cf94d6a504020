"""Read a device's event log."""

from typing import Any

import msgspec

from thingtank.doors.skynet.door import SkynetDoor
from thingtank.doors.skynet.operations.devices import visible
from thingtank.doors.skynet.records import iso_time
from thingtank.tank.messaging.permissions import Party, check_configure

EVENTS_DEFAULT = 10
EVENTS_MAX = 100


async def read(
    door: SkynetDoor,
    party: Party,
    uuid: str,
    *,
    limit: int = EVENTS_DEFAULT,
    before: str = "",
    is_legacy: bool = True,
) -> list[dict[str, Any]]:
    """What happened to a device last, newest first.

    Args:
        limit: at most EVENTS_MAX.
        before: the id of an event; only older ones, for paging.
        is_legacy: times in milliseconds; else as text.

    Raises:
        NoSuchDevice, NotAllowed, RateLimited.
    """
    await door.rates.count("queries", party)
    device = visible(door, party, uuid)
    check_configure(party, device, door.tank.messaging.policy)
    limit = min(max(limit, 1), EVENTS_MAX)
    events = await door.tank.messaging.events.read(device.device_id, limit, before or None)
    shown = []
    for event in events:
        body: dict[str, Any] = msgspec.json.decode(event.body)
        body.pop("token", None)
        body.pop("_id", None)
        body["timestamp"] = event.at_us // 1000 if is_legacy else iso_time(event.at_us)
        body["eventCode"] = int(event.code)
        body["id"] = event.event_id
        shown.append(body)
    return shown
