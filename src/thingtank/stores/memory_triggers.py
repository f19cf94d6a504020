"""Triggers held wholly in memory: the twin that tests compare with, and what a trial run needs."""

import itertools
from collections.abc import Callable, Sequence

import msgspec

from thingtank.tank.errors import NoSuchDatastream
from thingtank.tank.interfaces import Directory
from thingtank.tank.trigger_index import TriggerIndex
from thingtank.tank.triggers import Trigger


class MemoryTriggers:
    """Implements `tank.trigger_interfaces.Triggers`; nothing outlives the process."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._ids = itertools.count(1)
        self._index = TriggerIndex()
        self.get = self._index.get
        self.all = self._index.all
        self.of_device = self._index.of_device
        self.of_account = self._index.of_account
        self.note_fired = self._index.note_fired

    async def insert(self, trigger: Trigger) -> Trigger:
        """Store a trigger. Raise NoSuchDatastream if what it watches is gone."""
        if trigger.name not in self._directory.datastreams(trigger.device_id):
            raise NoSuchDatastream(f"feed {trigger.device_id} has no datastream {trigger.name}")
        stored = msgspec.structs.replace(trigger, trigger_id=next(self._ids), notified_us=None)
        self._index.put(stored)
        return stored

    async def update(self, trigger_id: int, change: Callable[[Trigger], Trigger]) -> Trigger:
        """Store `change` of a trigger."""
        trigger = change(self._index.get(trigger_id))
        self._index.put(trigger)
        return trigger

    async def delete(
        self, trigger_id: int, check: Callable[[Trigger], None] | None = None
    ) -> Trigger:
        """Remove a trigger; return what it was."""
        if check is not None:
            check(self._index.get(trigger_id))
        return self._index.drop(trigger_id)

    def forget_of(self, device_id: int, name: str | None = None) -> Sequence[Trigger]:
        """Drop those of a device, or of one datastream of it, that is gone."""
        found = self._index.of_datastream(device_id, name)
        return [self._index.drop(trigger.trigger_id) for trigger in found]
