"""What the tank needs to know triggers, and to have them at work."""

from collections.abc import Callable, Sequence
from typing import Protocol

from thingtank.tank.errors import NoSuchTrigger, Unavailable
from thingtank.tank.trigger_rules import FROZEN_US, TriggerState
from thingtank.tank.triggers import Trigger


class Triggers(Protocol):
    """Which triggers exist.

    Reads are answered from memory, from any thread, and never wait. Writes are durable when they
    return; the view in memory then already says so. They run one after another, so a `change`
    function sees the newest value. Triggers go away with their device or datastream.
    """

    def get(self, trigger_id: int) -> Trigger:
        """Raise NoSuchTrigger if there is none."""
        ...

    def all(self) -> Sequence[Trigger]:
        """All of the instance, oldest first."""
        ...

    def of_device(self, device_id: int) -> Sequence[Trigger]:
        """Those of a device, oldest first."""
        ...

    def of_account(self, account_id: int) -> Sequence[Trigger]:
        """Those of an account's devices, oldest first."""
        ...

    async def insert(self, trigger: Trigger) -> Trigger:
        """Store a trigger. Raise NoSuchDatastream if what it watches is gone."""
        ...

    async def update(self, trigger_id: int, change: Callable[[Trigger], Trigger]) -> Trigger:
        """Store `change` of a trigger; not of what it watches, nor of `notified_us`."""
        ...

    async def delete(
        self, trigger_id: int, check: Callable[[Trigger], None] | None = None
    ) -> Trigger:
        """Remove a trigger; return what it was.

        Args:
            check: is given the newest state within the turn of all writes; nothing is removed when
                it raises.
        """
        ...

    def forget_of(self, device_id: int, name: str | None = None) -> Sequence[Trigger]:
        """Drop those of a device, or of one datastream of it, that is gone, from the view.

        What is stored has gone with it already. Returns what they were.
        """
        ...

    def note_fired(self, trigger_id: int, at_us: int) -> None:
        """Say when a trigger fired last; kept in memory, since its state tells it after a start."""
        ...


class TriggerService(Protocol):
    """Triggers at work."""

    @property
    def frozen_us(self) -> int:
        """For how long a datastream must be silent to count as frozen."""
        ...

    @property
    def is_failing(self) -> bool:
        """Whether nothing can be recorded at the moment; the log says why."""
        ...

    async def fire_test(self, trigger: Trigger) -> None:
        """Queue a delivery marked as a test, with the value there is now. Raise StorageFailed."""
        ...

    def state_of(self, trigger_id: int) -> TriggerState | None:
        """What a trigger remembers now; None while it does not watch."""
        ...


class NoTriggers:
    """Implements `Triggers` for a tank without any: there are none, and none can be made."""

    def get(self, trigger_id: int) -> Trigger:
        """There is none."""
        raise NoSuchTrigger.of(trigger_id)

    def all(self) -> Sequence[Trigger]:
        """None."""
        return ()

    def of_device(self, device_id: int) -> Sequence[Trigger]:
        """None."""
        return ()

    def of_account(self, account_id: int) -> Sequence[Trigger]:
        """None."""
        return ()

    async def insert(self, trigger: Trigger) -> Trigger:
        """Refuse."""
        raise Unavailable("this tank keeps no triggers")

    async def update(self, trigger_id: int, change: Callable[[Trigger], Trigger]) -> Trigger:
        """There is none."""
        return self.get(trigger_id)

    async def delete(
        self, trigger_id: int, check: Callable[[Trigger], None] | None = None
    ) -> Trigger:
        """There is none."""
        return self.get(trigger_id)

    def forget_of(self, device_id: int, name: str | None = None) -> Sequence[Trigger]:
        """None."""
        return ()

    def note_fired(self, trigger_id: int, at_us: int) -> None:
        """Nothing to note."""


class NoTriggerService:
    """Implements `TriggerService` where no triggers are at work, as in a command on a folder."""

    frozen_us = FROZEN_US
    is_failing = False

    async def fire_test(self, trigger: Trigger) -> None:
        """Refuse."""
        raise Unavailable("triggers are not at work here")

    def state_of(self, trigger_id: int) -> TriggerState | None:
        """Nothing is remembered."""
        return None
