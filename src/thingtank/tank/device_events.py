"""The event log of devices: what SkyNet's `/events/:uuid` shows.

Source: Meshblu's events with their codes; the log says what happened and acknowledges nothing.
"""

import re
from typing import Protocol

import msgspec

EVENTS_READ_MAX = 1000
_ID_SECONDS_MASK = 0xFFFF_FFFF
_MADE_ID = re.compile("[0-9a-f]{24}")
_NUMBER_MAX = 2**63 - 1


class LoggedEvent(msgspec.Struct, frozen=True):
    """An event to be logged.

    Attributes:
        at_us: when it happened, microseconds since the epoch, UTC.
        code: its event code, such as 300 for a message.
        device_ids: the devices whose lists show it, in any order.
        body: a JSON object: what is shown but for id, timestamp and event code.
        event_id: blank to have the log make one. An id is there once: an event whose id is taken
            is left out, unless it `replaces`.
        replaces: the event stored with this `event_id`, if any, goes from all lists, as a read of
            a device took the place of its registration in 2014.
    """

    at_us: int
    code: int
    device_ids: tuple[int, ...]
    body: bytes
    event_id: str = ""
    replaces: bool = False


class StoredEvent(msgspec.Struct, frozen=True):
    """An event as it was logged.

    Attributes:
        event_id: as given; or 24 hexadecimal digits that rise with time, as an ObjectId's do.
    """

    event_id: str
    at_us: int
    code: int
    body: bytes


class DeviceEvents(Protocol):
    """The log; used from the loop's thread."""

    @property
    def dropped_count(self) -> int:
        """Events not logged since the start: too many others waited, or the disk failed."""
        ...

    def append(self, event: LoggedEvent) -> None:
        """Log an event soon. Never waits; when too much waits already, the event is dropped."""
        ...

    async def read(
        self, device_id: int, limit: int = 10, before: str | None = None
    ) -> list[StoredEvent]:
        """A device's newest events, newest first; of one instant, the last appended first.

        All that was appended before the call is seen.

        Args:
            limit: at most EVENTS_READ_MAX. Where events are large, fewer come, one at least.
            before: an event's id: only what comes after it in this order. Nothing, if it is not in
                the list (any more).

        Raises:
            StorageFailed: the disk cannot be read.
        """
        ...

    def forget(self, device_id: int) -> None:
        """Drop a deleted device's list as it is now; events in other lists stay there."""
        ...


def make_event_id(at_us: int, number: int) -> str:
    """An id that rises with time and number, in an ObjectId's form.

    Args:
        number: 0 <= number < 2**63, used once.
    """
    return f"{at_us // 1_000_000 & _ID_SECONDS_MASK:08x}{number:016x}"


def number_of_event_id(event_id: str) -> int | None:
    """The number that `make_event_id` was given; None where it has not made this one."""
    if not _MADE_ID.fullmatch(event_id):
        return None
    number = int(event_id[8:], 16)
    return number if number <= _NUMBER_MAX else None


class NoDeviceEvents:
    """Implements `DeviceEvents` where nothing is logged."""

    @property
    def dropped_count(self) -> int:
        """Nothing was to be logged."""
        return 0

    def append(self, event: LoggedEvent) -> None:
        """As `DeviceEvents` says; so are the others."""

    async def read(
        self, device_id: int, limit: int = 10, before: str | None = None
    ) -> list[StoredEvent]:
        return []

    def forget(self, device_id: int) -> None:
        pass
