"""A device's side of messaging as its page shows it."""

from collections.abc import Sequence

import msgspec

from thingtank.tank.access import Caller
from thingtank.tank.actions.tokens import list_tokens
from thingtank.tank.errors import Unavailable
from thingtank.tank.kept_messages import kept_s
from thingtank.tank.messaging.permissions import LIST_NAMES
from thingtank.tank.tank import Tank
from thingtank.tank.things import Device
from thingtank.tank.tokens import DeviceToken
from thingtank.web.workbench.event_words import ShownEvent, shown_event
from thingtank.web.workbench.message_panels import json_text, title_of
from thingtank.web.workbench.messaging_forms import keep_words
from thingtank.web.workbench.permission_words import (
    ShownPermission,
    always_words,
    shown_permissions,
)

EVENTS_ON_PAGE = 10
EVENTS_PER_PAGE = 50
PROPERTIES_CHARS_MAX = 1500

# What another panel shows in words.
_SHOWN_ELSEWHERE = LIST_NAMES | {"keepMessages"}


class ShownVisit(msgspec.Struct, frozen=True):
    """Whether a device is there.

    Attributes:
        doors: by which it is connected, each once.
        since_us: when it came; None when it is not there.
        seen_us: when it was there last; None for never since the server's start.
    """

    is_online: bool
    doors: tuple[str, ...] = ()
    since_us: int | None = None
    seen_us: int | None = None


class EventPage(msgspec.Struct, frozen=True):
    """Some of a device's events, newest first.

    Attributes:
        older: the id that the next page begins after; blank for the end.
        problem: why they cannot be read.
    """

    events: Sequence[ShownEvent] = ()
    older: str = ""
    problem: str = ""


class DeviceMessaging(msgspec.Struct, frozen=True):
    """All that the page of a device says about messaging."""

    tokens: Sequence[DeviceToken]
    kept_count: int
    keeps: str
    is_keeping: bool
    permissions: Sequence[ShownPermission]
    always: str
    property_count: int
    properties: str
    log: EventPage


def shown_visit(tank: Tank, device: Device) -> ShownVisit:
    """Whether a device is there; in the loop's thread."""
    visit = tank.messaging.presence.visit(device.device_id)
    if visit is None:
        return ShownVisit(is_online=False)
    doors = tuple(dict.fromkeys(each.protocol for each in visit.connections))
    if visit.is_online:
        return ShownVisit(True, doors, visit.online_since_us)
    return ShownVisit(False, doors, seen_us=visit.last_online_us)


async def read_visit(tank: Tank, device: Device) -> ShownVisit:
    """The same, from a page's thread."""
    return shown_visit(tank, device)


async def read_messaging(tank: Tank, caller: Caller, device: Device) -> DeviceMessaging:
    """What who may change a device sees of it."""
    seconds = kept_s(device)
    free = {
        name: value for name, value in device.properties.items() if name not in _SHOWN_ELSEWHERE
    }
    return DeviceMessaging(
        tokens=await list_tokens(tank, caller, device.device_id),
        kept_count=tank.messaging.kept.count(device.device_id),
        keeps=keep_words(seconds).lower(),
        is_keeping=seconds > 0,
        permissions=shown_permissions(
            device, tank.messaging.policy, lambda uuid: title_of(tank, caller, uuid)
        ),
        always=always_words(device),
        property_count=len(free),
        properties=json_text(free, PROPERTIES_CHARS_MAX) if free else "",
        log=await read_events(tank, caller, device, EVENTS_ON_PAGE),
    )


async def read_events(
    tank: Tank, caller: Caller, device: Device, count: int, before: str = ""
) -> EventPage:
    """The newest events of a device, or those that come after one of them.

    Args:
        before: an event's id; blank for the newest.
    """
    try:
        found = await tank.messaging.events.read(device.device_id, count + 1, before or None)
    except Unavailable as error:
        return EventPage(problem=str(error))

    def name_of(uuid: str) -> str:
        return title_of(tank, caller, uuid)

    shown = [shown_event(event, device.uuid, name_of) for event in found[:count]]
    is_more = len(found) > count
    return EventPage(shown, shown[-1].event_id if is_more and shown else "")
