"""Triggers in memory, found by device, account and datastream: the view behind every store."""

import msgspec

from thingtank.tank.errors import NoSuchTrigger
from thingtank.tank.triggers import Trigger


class TriggerIndex:
    """Changed in the loop's thread, read from any: what readers hold is replaced, not changed."""

    def __init__(self) -> None:
        self._triggers: dict[int, Trigger] = {}
        self._of_device: dict[int, tuple[int, ...]] = {}
        self._of_account: dict[int, tuple[int, ...]] = {}

    def put(self, trigger: Trigger) -> None:
        """Add a trigger, or replace one that watches the same device."""
        trigger_id = trigger.trigger_id
        is_new = trigger_id not in self._triggers
        self._triggers[trigger_id] = trigger
        if is_new:
            _add(self._of_device, trigger.device_id, trigger_id)
            _add(self._of_account, trigger.account_id, trigger_id)

    def drop(self, trigger_id: int) -> Trigger:
        """Forget a trigger. Raise NoSuchTrigger if there is none."""
        trigger = self.get(trigger_id)
        _remove(self._of_device, trigger.device_id, trigger_id)
        _remove(self._of_account, trigger.account_id, trigger_id)
        del self._triggers[trigger_id]
        return trigger

    def get(self, trigger_id: int) -> Trigger:
        """Raise NoSuchTrigger if there is none."""
        trigger = self._triggers.get(trigger_id)
        if trigger is None:
            raise NoSuchTrigger.of(trigger_id)
        return trigger

    def all(self) -> list[Trigger]:
        """All, oldest first."""
        return list(self._triggers.values())

    def of_device(self, device_id: int) -> list[Trigger]:
        """Those of a device, oldest first."""
        return self._found(self._of_device.get(device_id, ()))

    def of_account(self, account_id: int) -> list[Trigger]:
        """Those of an account, oldest first."""
        return self._found(self._of_account.get(account_id, ()))

    def of_datastream(self, device_id: int, name: str | None) -> list[Trigger]:
        """Those of a datastream; of all of the device without a name."""
        found = self.of_device(device_id)
        return found if name is None else [trigger for trigger in found if trigger.name == name]

    def note_fired(self, trigger_id: int, at_us: int) -> None:
        """Say when a trigger fired last, if there still is one."""
        trigger = self._triggers.get(trigger_id)
        if trigger is not None:
            self._triggers[trigger_id] = msgspec.structs.replace(trigger, notified_us=at_us)

    def _found(self, trigger_ids: tuple[int, ...]) -> list[Trigger]:
        found = map(self._triggers.get, trigger_ids)  # another thread may drop one meanwhile
        return [trigger for trigger in found if trigger is not None]


def _add(ids_by_owner: dict[int, tuple[int, ...]], owner_id: int, trigger_id: int) -> None:
    ids_by_owner[owner_id] = (*ids_by_owner.get(owner_id, ()), trigger_id)


def _remove(ids_by_owner: dict[int, tuple[int, ...]], owner_id: int, trigger_id: int) -> None:
    rest = tuple(other for other in ids_by_owner.get(owner_id, ()) if other != trigger_id)
    if rest:
        ids_by_owner[owner_id] = rest
    else:
        ids_by_owner.pop(owner_id, None)
