"""Messages for devices that are away, on disk; implements `tank.kept_messages.KeptMessages`.

```
kept = await SqliteKeptMessages.open(folder, settings)
... serve; then, when nobody sends any more:
await kept.close()
```

A message that the disk does not take is refused. What is to be removed is not taken any more in any
case, and is tried again until the disk has removed it.
"""

import asyncio
from collections.abc import Collection, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import structlog

from thingtank.stores.group_commit import GroupCommit
from thingtank.stores.kept_message_file import (
    Change,
    Expire,
    Forget,
    Keep,
    KeptMessageFile,
    Remove,
    Sizes,
)
from thingtank.stores.kept_message_limits import NOTHING, Size, check_limits
from thingtank.stores.kept_message_settings import KeptMessageSettings
from thingtank.stores.worker import Worker
from thingtank.tank.errors import Overloaded, StorageFailed
from thingtank.tank.interfaces import Clock
from thingtank.tank.kept_messages import KeptMessage
from thingtank.tank.tank import SystemClock

log = structlog.get_logger()

TICK_S = 5.0
SYSTEM_CLOCK = SystemClock()

_MESSAGE_BYTES = 500  # about what one takes in memory beside its body
_CLOSED = "messages are kept no more: the server stops"


class _Entry(NamedTuple):
    change: Change
    future: "asyncio.Future[Any] | None" = None

    def resolve(self, result: Any) -> None:
        """Tell who waits, unless they gave up."""
        if self.future is None or self.future.done():
            return
        if isinstance(result, Exception):
            self.future.set_exception(result)
        else:
            self.future.set_result(result)


class SqliteKeptMessages:
    """Owns the file and its thread; used from the loop's thread."""

    def __init__(
        self, file: KeptMessageFile, settings: KeptMessageSettings, clock: Clock, tick_s: float
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._file = file
        self._settings = settings
        self._clock = clock
        self._tick_s = tick_s
        self._worker = Worker("kept-messages", is_awaited=True)
        self._commits: GroupCommit[_Entry, Sizes] = GroupCommit(
            self._worker, partial(_commit, file), self._committed
        )
        self._last_id = file.last_id
        self._on_disk = dict(file.sizes)
        self._pending: dict[int, Size] = {}  # not on disk yet
        self._removals: dict[int, set[int]] = {}  # that the disk did not take, by device
        self._forgets: dict[int, int] = {}  # up to which number
        self._is_failing = False
        self._is_closed = False
        self._timer = self._loop.call_later(tick_s, self._tick)

    @classmethod
    async def open(
        cls,
        folder: Path,
        settings: KeptMessageSettings,
        clock: Clock = SYSTEM_CLOCK,
        *,
        tick_s: float = TICK_S,
    ) -> "SqliteKeptMessages":
        """Open the file of a data folder, made when missing.

        Args:
            tick_s: expired messages are dropped, and what failed is tried again, so often.

        Raises:
            sqlite3.Error, OSError: the folder cannot be used.
            FileMismatch: the file is something else.
        """
        file = await asyncio.to_thread(KeptMessageFile.open, folder)
        return cls(file, settings, clock, tick_s)

    async def copy_to(self, folder: Path) -> None:
        """Write what is on disk to a file of the same name in another folder.

        Raises:
            sqlite3.Error, OSError: it could not be written.
        """
        await self._worker.run(partial(self._file.copy_to, folder))

    def keep(self, device_id: int, body: bytes, at_us: int, expires_us: int) -> asyncio.Future[int]:
        """As `KeptMessages` says; so are the others."""
        size = self._size(device_id)
        check_limits(device_id, size, len(body), self._settings)
        waiting_bytes = self._commits.waiting_bytes + len(body) + _MESSAGE_BYTES
        if waiting_bytes > self._settings.pending_bytes_max:
            raise Overloaded(
                f"{waiting_bytes} bytes of kept messages wait for the disk;"
                f" at most {self._settings.pending_bytes_max} may"
            )
        self._last_id += 1
        future: asyncio.Future[int] = self._loop.create_future()
        entry = _Entry(Keep(self._last_id, device_id, at_us, expires_us, body), future)
        if self._add(entry):
            self._pending[device_id] = self._pending.get(device_id, NOTHING).plus(1, len(body))
        return future

    async def take(
        self,
        device_id: int,
        now_us: int,
        limit: int,
        *,
        after_id: int = 0,
        before_id: int | None = None,
    ) -> list[KeptMessage]:
        if not self.count(device_id) or limit <= 0:
            return []
        await self._commits.settled()
        if self._is_closed:
            raise StorageFailed(_CLOSED)
        removed = self._removals.get(device_id, ())
        after_id = max(after_id, self._forgets.get(device_id, 0))
        limit_read = limit + len(removed)
        found = await self._worker.run(
            partial(self._file.take, device_id, after_id, now_us, limit_read, before_id)
        )
        return [message for message in found if message.kept_id not in removed][:limit]

    def remove(self, device_id: int, kept_ids: Sequence[int]) -> asyncio.Future[None]:
        future: asyncio.Future[None] = self._loop.create_future()
        if kept_ids:
            self._add(_Entry(Remove(device_id, tuple(kept_ids)), future))
        else:
            future.set_result(None)
        return future

    def count(self, device_id: int) -> int:
        return self._size(device_id).message_count

    def device_ids(self) -> Collection[int]:
        return self._on_disk.keys() | self._pending.keys()

    def forget(self, device_id: int) -> None:
        if self.count(device_id):
            self._add(_Entry(Forget(device_id, self._last_id)))

    async def close(self) -> None:
        """Write what there is; refuse what comes from now on; close the file."""
        if self._is_closed:
            return
        self._try_again()
        self._is_closed = True
        self._timer.cancel()
        await self._commits.settled()
        if lost := sum(map(len, self._removals.values())) + len(self._forgets):
            log.error("kept_message_removals_lost", count=lost)
        await self._worker.stop()
        self._file.close()

    def _size(self, device_id: int) -> Size:
        on_disk = self._on_disk.get(device_id, NOTHING)
        return on_disk.plus(*self._pending.get(device_id, NOTHING))

    def _add(self, entry: _Entry) -> bool:
        if self._is_closed:
            entry.resolve(StorageFailed(_CLOSED))
            return False
        body = entry.change.body if isinstance(entry.change, Keep) else b""
        self._commits.add(entry, len(body) + _MESSAGE_BYTES)
        return True

    def _committed(self, entries: list[_Entry], result: Sizes | Exception) -> None:
        for entry in entries:
            if isinstance(entry.change, Keep):
                self._no_longer_pending(entry.change)
        if isinstance(result, Exception):
            self._refuse(entries, result)
        else:
            self._accept(entries, result)

    def _no_longer_pending(self, keep: Keep) -> None:
        size = self._pending[keep.device_id].plus(-1, -len(keep.body))
        if size.message_count:
            self._pending[keep.device_id] = size
        else:
            del self._pending[keep.device_id]

    def _accept(self, entries: list[_Entry], sizes: Sizes) -> None:
        if sizes.is_all:
            self._on_disk.clear()
        for device_id, size in sizes.sizes.items():
            if size.message_count:
                self._on_disk[device_id] = size
            else:
                self._on_disk.pop(device_id, None)
        for change, _ in entries:
            if isinstance(change, Remove):
                self._removed(change)
            elif isinstance(change, Forget) and self._forgets.get(change.device_id) == (
                change.through_id
            ):
                del self._forgets[change.device_id]
        if self._is_failing:
            self._is_failing = False
            log.warning("kept_message_writes_recovered")
            self._try_again()
        if sizes.has_more_expired:
            self._add(_Entry(Expire(self._clock.now_us())))
        for entry in entries:
            entry.resolve(entry.change.kept_id if isinstance(entry.change, Keep) else None)

    def _removed(self, change: Remove) -> None:
        if (removals := self._removals.get(change.device_id)) is not None:
            removals.difference_update(change.kept_ids)
            if not removals:
                del self._removals[change.device_id]

    def _refuse(self, entries: list[_Entry], error: Exception) -> None:
        if not self._is_failing:
            self._is_failing = True
            is_expected = isinstance(error, StorageFailed)
            log.error(
                "kept_message_writes_fail",
                exc_info=None if is_expected else error,
                reason=str(error),
            )
        if not isinstance(error, StorageFailed):
            error = StorageFailed("the file of kept messages failed", details=error)
        for entry in entries:
            match entry.change:
                case Remove(device_id, kept_ids):
                    self._removals.setdefault(device_id, set()).update(kept_ids)
                case Forget(device_id, through_id):
                    self._forgets[device_id] = through_id
                case _:
                    pass
            entry.resolve(error)

    def _try_again(self) -> None:
        """Have removed what the disk did not remove when it should have."""
        for device_id, kept_ids in self._removals.items():
            self._add(_Entry(Remove(device_id, tuple(kept_ids))))
        for device_id, through_id in self._forgets.items():
            self._add(_Entry(Forget(device_id, through_id)))

    def _tick(self) -> None:
        self._timer = self._loop.call_later(self._tick_s, self._tick)
        if self._commits.waiting_count:
            return
        self._try_again()
        if self._on_disk:
            self._add(_Entry(Expire(self._clock.now_us())))


def _commit(file: KeptMessageFile, entries: list[_Entry]) -> Sizes:
    return file.commit([entry.change for entry in entries])
