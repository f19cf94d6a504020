"""Messages kept for devices that are away, until they come back or the messages expire."""

import math
from asyncio import Future, get_running_loop
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from thingtank.tank.errors import LimitReached
from thingtank.tank.things import Device

KEPT_S_DEFAULT = 7 * 86_400
KEPT_S_MAX = 30 * 86_400
KEEPS_NAME = "keepMessages"  # the property: true, or for how many seconds
_DIGITS_MAX = 18  # of a number as text


class KeptMessage(msgspec.Struct, frozen=True):
    """A message that waits for its device.

    Attributes:
        kept_id: rises in the order of keeping, over all devices; never used again.
        at_us: when it was sent, microseconds since the epoch, UTC.
        body: as it was given.
    """

    kept_id: int
    at_us: int
    body: bytes


class KeptMessages(Protocol):
    """What is kept; used from the loop's thread.

    What `keep` has said to be kept outlives the process, and is there once, until it is removed.
    """

    def keep(self, device_id: int, body: bytes, at_us: int, expires_us: int) -> Future[int]:
        """Keep a message; a future of its `kept_id`, done when it is synced to disk.

        Raises:
            LimitReached: the device has as many, or as many bytes, as it may have.
            Overloaded: too much waits for the disk.
            StorageFailed: the disk does not take it; this the future raises.
        """
        ...

    async def take(
        self,
        device_id: int,
        now_us: int,
        limit: int,
        *,
        after_id: int = 0,
        before_id: int | None = None,
    ) -> list[KeptMessage]:
        """A device's messages that have not expired, oldest first, at most `limit`; they stay.

        All that was kept before the call is seen, and nothing that was removed before.

        Args:
            after_id: only those that were kept after this one.
            before_id: only those that were kept before this one, and newest first.

        Raises:
            StorageFailed: the disk cannot be read.
        """
        ...

    def remove(self, device_id: int, kept_ids: Sequence[int]) -> Future[None]:
        """Remove a device's messages; done when that is synced. Ids that are not there are ignored.

        They are not taken again in any case, until the next start at least.

        Raises:
            StorageFailed: the disk does not take it yet; this the future raises. It is tried again
                by itself.
        """
        ...

    def count(self, device_id: int) -> int:
        """How many are kept for a device, expired ones that were not dropped yet included."""
        ...

    def device_ids(self) -> Collection[int]:
        """The devices that messages are kept for."""
        ...

    def forget(self, device_id: int) -> None:
        """Drop all that is kept for a deleted device, soon; it is not taken any more."""
        ...


class NoKeptMessages:
    """Implements `KeptMessages` where nothing is kept."""

    def keep(self, device_id: int, body: bytes, at_us: int, expires_us: int) -> Future[int]:
        """As `KeptMessages` says; so are the others."""
        raise LimitReached("messages are not kept here; 0 may wait")

    async def take(
        self,
        device_id: int,
        now_us: int,
        limit: int,
        *,
        after_id: int = 0,
        before_id: int | None = None,
    ) -> list[KeptMessage]:
        return []

    def remove(self, device_id: int, kept_ids: Sequence[int]) -> Future[None]:
        future: Future[None] = get_running_loop().create_future()
        future.set_result(None)
        return future

    def count(self, device_id: int) -> int:
        return 0

    def device_ids(self) -> Collection[int]:
        return ()

    def forget(self, device_id: int) -> None:
        pass


def kept_s(device: Device) -> int:
    """For how long a device has messages kept that come while it is away; 0 for not at all."""
    return _seconds_of(device.properties.get(KEEPS_NAME)) or 0


def keeping_problems(properties: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What is wrong with the property that says for how long: (field, message) pairs."""
    if _seconds_of(properties.get(KEEPS_NAME)) is not None:
        return []
    return [(KEEPS_NAME, f"must be true, false or a number of seconds up to {KEPT_S_MAX}")]


def _seconds_of(setting: object) -> int | None:
    """What the property means, which forms send as text; None for nothing."""
    match setting:
        case None | False | "" | "false":
            return 0
        case True | "true":
            return KEPT_S_DEFAULT
        case int() | float() if 0 <= setting < math.inf:
            return int(min(setting, KEPT_S_MAX))
        case str() if setting.isascii() and setting.isdigit():
            return min(int(setting[:_DIGITS_MAX]), KEPT_S_MAX)
    return None
