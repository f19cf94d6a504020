"""Items that are in no journal, on their way to the disk for each rule that wants them.

Who sent one is told when it is there. What comes together is written together, in one commit.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple, TypeAlias

import structlog

from thingtank.server.sinks.message_reader import MessageReader
from thingtank.sinks.engine import Item, encode_item
from thingtank.stores.sink_file import WaitingItem
from thingtank.stores.sink_store import SinkStore
from thingtank.tank.errors import Overloaded, StorageFailed

log = structlog.get_logger()

PENDING_MAX = 10_000  # items that are not on disk yet
PENDING_BYTES_MAX = 16 * 1024 * 1024  # the same
TELL_EACH_S = 60.0
_AT_ONCE_MAX = 500

Recorded: TypeAlias = Callable[[Exception | None], None]


class _Pending(NamedTuple):
    """An item, the readers that have room reserved for it, and who waits for it."""

    body: bytes
    readers: Mapping[str, MessageReader]
    recorded: Recorded | None

    @property
    def size_bytes(self) -> int:
        return len(self.body) * len(self.readers)


class WaitingItems:
    """From `start` to `stop`; lives in the loop's thread.

    Attributes:
        readers: of the rules that read such items, by name.
    """

    def __init__(self, store: SinkStore, messages_max: int, bytes_max: int) -> None:
        """Make it.

        Args:
            messages_max: that wait for one rule.
            bytes_max: what these take on the disk.
        """
        self._store = store
        self._messages_max = messages_max
        self._bytes_max = bytes_max
        self._pending: deque[_Pending] = deque()
        self._pending_bytes = 0
        self._wake = asyncio.Event()
        self._is_stopping = False
        self._task: asyncio.Task[None] | None = None
        self._untold_count = 0
        self._tell_at_s = 0.0
        self._when_caught_up: list[Callable[[], None]] = []
        self.readers: dict[str, MessageReader] = {}

    @property
    def origin(self) -> str:
        """Of the data folder; a part of each item's id."""
        return self._store.origin

    def start(self) -> None:
        """Begin to record."""
        self._task = asyncio.create_task(self._run(), name="sink-items")

    async def stop(self) -> None:
        """Record what waits, and end."""
        self._is_stopping = True
        self._wake.set()
        if self._task is not None:
            await self._task

    @property
    def is_behind(self) -> bool:
        """Whether half of what may be on its way to the disk is."""
        return (
            len(self._pending) >= PENDING_MAX // 2 or self._pending_bytes >= PENDING_BYTES_MAX // 2
        )

    def when_caught_up(self, call: Callable[[], None]) -> None:
        """Call once it is not behind any more, from the loop."""
        self._when_caught_up.append(call)
        self._wake.set()

    def put(
        self,
        names: Sequence[str],
        item: Item,
        recorded: Recorded | None,
        *,
        is_best_effort: bool = False,
    ) -> None:
        """Have an item written for rules.

        Where a rule has no room it is left out for that rule, and counted.

        Args:
            recorded: called once, from the loop: with None when it is on disk for all of them, or
                with why it is for none. None where nobody waits: then it is counted as missed.
            is_best_effort: it is left out, and counted, while the disk is behind.
        """
        readers = [(name, self.readers[name]) for name in names if name in self.readers]
        if is_best_effort and self.is_behind:
            for name, reader in readers:
                _miss(name, reader, "the disk is behind")
            readers = []
        if not readers:
            _tell_soon(recorded, None)
            return
        is_full = len(self._pending) >= PENDING_MAX or self._pending_bytes >= PENDING_BYTES_MAX
        if self._is_stopping or is_full:
            error = Overloaded(f"{len(self._pending)} messages wait for the disk")
            if recorded is None:
                for name, reader in readers:
                    _miss(name, reader, str(error))
            _tell_soon(recorded, error)
            return
        body = encode_item(item)
        taking = {}
        for name, reader in readers:
            if reader.waiting_count >= self._messages_max:
                _miss(name, reader, f"{self._messages_max} wait already")
                continue
            if reader.waiting_bytes + len(body) > self._bytes_max:
                _miss(name, reader, f"{reader.waiting_bytes} bytes wait of {self._bytes_max}")
                continue
            reader.reserve(len(body))
            taking[name] = reader
        self._pending.append(_Pending(body, taking, recorded))
        self._pending_bytes += self._pending[-1].size_bytes
        self._wake.set()

    async def _run(self) -> None:
        while self._pending or not self._is_stopping:
            self._wake.clear()
            if self._pending:
                await self._record(self._taken(_AT_ONCE_MAX))
            if self._when_caught_up and not self.is_behind:
                calls, self._when_caught_up = self._when_caught_up, []
                for call in calls:
                    _safely(call)
            if not self._pending and not self._is_stopping:
                await self._wake.wait()

    def _taken(self, count_max: int) -> Sequence[_Pending]:
        """Those that came first."""
        taken = [self._pending.popleft() for _ in range(min(count_max, len(self._pending)))]
        self._pending_bytes -= sum(pending.size_bytes for pending in taken)
        return taken

    async def _record(self, together: Sequence[_Pending]) -> None:
        error: Exception | None = None
        rows = self._numbered(together)
        try:
            if rows:
                await self._store.run(lambda file: file.add_waiting(rows))
        except StorageFailed as failure:
            error = failure
            self._tell(len(rows), str(failure))
        except Exception:
            error = StorageFailed("a fault of this server; its log says more")
            log.exception("sink_messages_not_recorded", count=len(rows))
        if error is not None:
            # Not one of those behind may be there before them: their publishers send all again.
            together = [*together, *self._taken(len(self._pending))]
        sizes: dict[MessageReader, list[int]] = {}
        for pending in together:
            for name, reader in pending.readers.items():
                reader.release(len(pending.body))
                if error is None and self.readers.get(name) is reader:
                    sizes.setdefault(reader, []).append(len(pending.body))
        for reader, of_reader in sizes.items():
            reader.published(of_reader)
        for pending in together:
            if pending.recorded is not None:
                _safely(partial(pending.recorded, error))
            elif error is not None:
                for name, reader in pending.readers.items():
                    _miss(name, reader, str(error))

    def _numbered(self, together: Sequence[_Pending]) -> list[WaitingItem]:
        """Rows with the numbers that come next for each rule that is still there."""
        rows = []
        numbers = {name: reader.published_seq for name, reader in self.readers.items()}
        for pending in together:
            for name, reader in pending.readers.items():
                if self.readers.get(name) is reader:
                    numbers[name] += 1
                    rows.append(WaitingItem(name, numbers[name], pending.body))
        return rows

    def _tell(self, count: int, reason: str) -> None:
        """Log that messages are not recorded, at most once in TELL_EACH_S: a disk stays full."""
        self._untold_count += count
        now_s = asyncio.get_running_loop().time()
        if now_s >= self._tell_at_s:
            log.error("sink_messages_not_recorded", count=self._untold_count, reason=reason)
            self._untold_count, self._tell_at_s = 0, now_s + TELL_EACH_S


def _safely(call: Callable[[], None]) -> None:
    """Call: a fault of ours in what one waits for must not cost others theirs."""
    try:
        call()
    except Exception:
        log.exception("sink_messages_not_told")


def _tell_soon(recorded: Recorded | None, error: Exception | None) -> None:
    if recorded is not None:
        asyncio.get_running_loop().call_soon(recorded, error)


def _miss(name: str, reader: MessageReader, reason: str) -> None:
    """Count what a rule will never see; the first time, say so."""
    reader.missed_count += 1
    if reader.missed_count == 1:
        log.error("sink_misses_messages", rule=name, reason=reason)
