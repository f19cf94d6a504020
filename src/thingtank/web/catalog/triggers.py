"""Triggers on Django's models, with a view in memory that answers whoever asks.

Written in the directory's one writer thread; the database lets them go with their datastream.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Protocol, TypeVar

import msgspec
from django.db import connection

from thingtank.tank.errors import NoSuchDatastream
from thingtank.tank.trigger_index import TriggerIndex
from thingtank.tank.triggers import Trigger
from thingtank.web.catalog import models

Result = TypeVar("Result")

_COLUMNS = (
    "id", "account_id", "datastream__device_id", "datastream__name", "kind", "threshold", "url",
    "email", "clear_value", "hold_s", "quiet_s", "is_enabled", "created_us", "armed",
)  # fmt: skip
_LOAD_ROWS = 2000


class Writer(Protocol):
    """Runs a write in the catalog's one writer thread, as one transaction."""

    def __call__(self, write: Callable[[], Result]) -> Awaitable[Result]:
        """Raise StorageFailed, and what `write` raises."""
        ...


class DjangoTriggers:
    """Implements `tank.trigger_interfaces.Triggers`."""

    def __init__(self, write: Writer) -> None:
        self._write = write
        self._turn = asyncio.Lock()
        self._under_way: set[asyncio.Task[Any]] = set()
        self._index = TriggerIndex()
        self.get = self._index.get
        self.all = self._index.all
        self.of_device = self._index.of_device
        self.of_account = self._index.of_account
        self.note_fired = self._index.note_fired

    def load(self) -> None:
        """Fill the view from the database; blocking."""
        try:
            rows = models.Trigger.objects.order_by("id").values_list(*_COLUMNS)
            for row in rows.iterator(_LOAD_ROWS):
                self._index.put(msgspec.convert(_renamed(row), Trigger))
        finally:
            connection.close()

    async def insert(self, trigger: Trigger) -> Trigger:
        """Store a trigger. Raise NoSuchDatastream if what it watches is gone."""

        def write() -> int:
            found = models.Datastream.objects.filter(
                device_id=trigger.device_id, name=trigger.name
            ).values_list("id", flat=True)
            stream_id = found.first()
            if stream_id is None:
                raise NoSuchDatastream(f"feed {trigger.device_id} has no datastream {trigger.name}")
            row = models.Trigger.objects.create(
                account_id=trigger.account_id, datastream_id=stream_id, **_values(trigger)
            )
            return int(row.pk)

        async def insert() -> Trigger:
            trigger_id = await self._write(write)
            stored = msgspec.structs.replace(trigger, trigger_id=trigger_id, notified_us=None)
            self._index.put(stored)
            return stored

        return await self._carried_through(insert())

    async def update(self, trigger_id: int, change: Callable[[Trigger], Trigger]) -> Trigger:
        """Store `change` of a trigger."""

        async def update() -> Trigger:
            trigger = change(self._index.get(trigger_id))
            values = _values(trigger)
            rows = models.Trigger.objects.filter(id=trigger_id)
            await self._write(lambda: rows.update(**values))
            # It may have fired, or gone with its datastream, while it was written.
            notified_us = self._index.get(trigger_id).notified_us
            stored = msgspec.structs.replace(trigger, notified_us=notified_us)
            self._index.put(stored)
            return stored

        return await self._carried_through(update())

    async def delete(
        self, trigger_id: int, check: Callable[[Trigger], None] | None = None
    ) -> Trigger:
        """Remove a trigger; return what it was."""

        async def delete() -> Trigger:
            found = self._index.get(trigger_id)
            if check is not None:
                check(found)
            await self._write(models.Trigger.objects.filter(id=trigger_id).delete)
            return self._index.drop(trigger_id)

        return await self._carried_through(delete())

    def forget_of(self, device_id: int, name: str | None = None) -> Sequence[Trigger]:
        """Drop those of a device, or of one datastream of it, that is gone, from the view.

        One that was being inserted is in the view by then: there is one writer thread, so what it
        did first is also told first.
        """
        found = self._index.of_datastream(device_id, name)
        return [self._index.drop(trigger.trigger_id) for trigger in found]

    async def _carried_through(self, change: Coroutine[Any, Any, Result]) -> Result:
        """Have a change end in database and view alike, though its caller may give up."""
        task = asyncio.get_running_loop().create_task(self._in_turn(change))
        self._under_way.add(task)  # the loop itself would let go of a task that nobody awaits
        task.add_done_callback(self._under_way.discard)
        return await asyncio.shield(task)

    async def _in_turn(self, change: Coroutine[Any, Any, Result]) -> Result:
        async with self._turn:
            return await change


def _values(trigger: Trigger) -> dict[str, object]:
    return {
        "kind": trigger.kind,
        "threshold": trigger.threshold,
        "url": trigger.url,
        "email": trigger.email,
        "clear_value": trigger.clear_value,
        "hold_s": trigger.hold_s,
        "quiet_s": trigger.quiet_s,
        "is_enabled": trigger.is_enabled,
        "created_us": trigger.created_us,
        "armed": msgspec.to_builtins(trigger.armed),
    }


def _renamed(row: Sequence[object]) -> dict[str, object]:
    values = dict(zip(_COLUMNS, row, strict=True))
    values["trigger_id"] = values.pop("id")
    values["device_id"] = values.pop("datastream__device_id")
    values["name"] = values.pop("datastream__name")
    return values
