"""Group commit of WAMP's events: while some are being synced, all that come gather in the next.

Used from the loop's thread. Of an event for history, whoever waits is told when it is on disk. If
the disk does not take it, it is gone: its publisher is told, or, where none waits, it is counted
and logged. What is retained is in memory as well; it is written as soon as the disk takes it, but
whoever waits is told at once that it is not there yet. It is lost if that does not come to pass.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import structlog

from thingtank.protocols.wamp.answers import UNAVAILABLE, Refused
from thingtank.protocols.wamp.keeping import Keeping
from thingtank.stores.committer import GATHER_S_MAX
from thingtank.stores.losses import Losses, LossWords
from thingtank.stores.wamp_event_file import RetainedKey, WampEventFile
from thingtank.stores.wamp_event_rows import Row, disk_bytes
from thingtank.stores.worker import Worker

log = structlog.get_logger()

PENDING_BYTES_MAX = 32 * 2**20
TRIM_INTERVAL_S = 5.0
_ROW_BYTES = 300  # about what an event takes in memory beside its texts

_WORDS = LossWords("wamp_event_writes_fail", "wamp_event_writes_recovered", "wamp_events_lost")
_FULL = "this event was published, but is not kept: too many others wait for the disk"
_FAILED = "this event was published, but is not kept: the disk is full, or fails"
_CLOSED = "this event was published, but is not kept: the router stops"

RetainedChanges = dict[RetainedKey, Row | None]


class WampEventWriter:
    """The one way into the file."""

    def __init__(
        self,
        file: WampEventFile,
        worker: Worker,
        now_us: Callable[[], int],
        pending_bytes_max: int = PENDING_BYTES_MAX,
        trim_interval_s: float = TRIM_INTERVAL_S,
    ) -> None:
        """Begin to write, and to forget what is old.

        Args:
            pending_bytes_max: of what waits for the disk; a single event may have more.
        """
        self._loop = asyncio.get_running_loop()
        self._file = file
        self._worker = worker
        self._now_us = now_us
        self._pending_bytes_max = pending_bytes_max
        self._trim_interval_s = trim_interval_s
        self._events: list[tuple[int, Row]] = []
        self._retained: RetainedChanges = {}
        self._keeping = Keeping()
        self._committing: Keeping | None = None
        self._size_bytes = 0  # of what gathers, and of what is being committed
        self._is_gathering = False
        self._is_trimming = False
        self._is_closed = False
        self._losses = Losses(_WORDS, self._loop.time)
        self._timer = self._loop.call_later(trim_interval_s, self._tick)

    @property
    def lost_count(self) -> int:
        """Events that were to be kept and were not, since the start."""
        return self._losses.count

    def keep(self, stream_ids: Sequence[int], row: Row) -> Keeping:
        """Add an event to streams."""
        if refused := self._take(len(stream_ids) * _memory_bytes(row)):
            self._losses.add(1, _CLOSED if self._is_closed else _FULL)
            return refused
        for stream_id in stream_ids:
            self._events.append((stream_id, row))
        return self._keeping

    def retain(self, key: RetainedKey, row: Row) -> Keeping:
        """Have an event retained."""
        if self._is_closed:
            self._losses.add(1, _CLOSED)
            return Keeping.refused(Refused(UNAVAILABLE, _CLOSED))
        self._retained[key] = row
        return self._take(_memory_bytes(row)) or self._keeping

    def forget(self, key: RetainedKey) -> Keeping:
        """Have it retained no more."""
        if self._is_closed:
            return Keeping.refused(Refused(UNAVAILABLE, _CLOSED))
        if self._retained.get(key) is not None:
            del self._retained[key]  # never was on disk
        else:
            self._retained[key] = None
        return self._take(_ROW_BYTES) or self._keeping

    def after_pending(self, do: Callable[[], None]) -> None:
        """Have something done when all that came so far is on disk, or refused; now, if it is."""
        if self._is_gathering:
            self._keeping.then(lambda refused: do())
        elif self._committing is not None:
            self._committing.then(lambda refused: do())
        else:
            do()

    async def close(self) -> None:
        """Write what came before; refuse what comes from now on."""
        self._is_closed = True
        self._timer.cancel()
        if self._retained and not self._is_gathering:
            self._gather()
        while self._is_gathering or self._committing is not None:
            settled = asyncio.Event()
            self.after_pending(settled.set)
            await settled.wait()
        retained_count = sum(row is not None for row in self._retained.values())
        self._losses.add(retained_count, _FAILED)
        self._losses.close()

    def _take(self, size_bytes: int) -> Keeping | None:
        """Make room for something; or say that there is none."""
        is_full = self._size_bytes and self._size_bytes + size_bytes > self._pending_bytes_max
        if self._is_closed or is_full:
            return Keeping.refused(Refused(UNAVAILABLE, _CLOSED if self._is_closed else _FULL))
        self._size_bytes += size_bytes
        if not self._is_gathering:
            self._gather()
        return None

    def _gather(self) -> None:
        """Commit once a turn of the loop brings nothing more, or it is time."""
        self._is_gathering = True
        if self._committing is None:
            self._loop.call_soon(self._commit_when_idle, 0, self._loop.time() + GATHER_S_MAX)

    def _commit_when_idle(self, seen_bytes: int, until_s: float) -> None:
        if self._size_bytes > seen_bytes and self._loop.time() < until_s:
            self._loop.call_soon(self._commit_when_idle, self._size_bytes, until_s)
        else:
            self._commit()

    def _commit(self) -> None:
        events, self._events = self._events, []
        retained, self._retained = self._retained, {}
        size_bytes = self._size_bytes
        self._committing, self._keeping = self._keeping, Keeping()
        self._is_gathering = False
        self._worker.submit(
            partial(self._file.commit, events, list(retained.items())),
            partial(self._committed, events, retained, size_bytes),
        )

    def _committed(
        self,
        events: Sequence[tuple[int, Row]],
        retained: RetainedChanges,
        size_bytes: int,
        result: Exception | None,
    ) -> None:
        keeping, self._committing = self._committing, None
        assert keeping is not None
        self._size_bytes -= size_bytes
        if self._is_gathering:
            self._gather()
        if result is None:
            self._losses.recover()
            _settle(keeping, None)
            return
        self._losses.fail(result)
        self._losses.add(len({id(row) for _, row in events}), _FAILED)
        self._retained = _merged(retained, self._retained)
        _settle(keeping, Refused(UNAVAILABLE, _FAILED))

    def _tick(self) -> None:
        self._timer = self._loop.call_later(self._trim_interval_s, self._tick)
        self._losses.log_rest()
        if self._retained and not self._is_gathering and self._committing is None:
            self._gather()
        if not self._is_trimming:
            self._trim()

    def _trim(self) -> None:
        self._is_trimming = True
        self._worker.submit(partial(self._file.trim, self._now_us()), self._trimmed)

    def _trimmed(self, result: bool | Exception) -> None:
        self._is_trimming = False
        if isinstance(result, Exception):
            self._losses.fail(result)
        elif not result and not self._is_closed:
            self._trim()


def _settle(keeping: Keeping, refused: Refused | None) -> None:
    try:
        keeping.settle(refused)
    except ExceptionGroup:
        # The edge of the loop's turn: bugs of those who waited, which are not the writer's.
        log.exception("wamp_event_answer_failed")


def _merged(failed: RetainedChanges, later: Mapping[RetainedKey, Row | None]) -> RetainedChanges:
    """What failed, and what came after it; an event that came and went was never on disk."""
    merged = dict(failed)
    for key, row in later.items():
        if row is None and merged.get(key) is not None:
            del merged[key]
        else:
            merged[key] = row
    return merged


def _memory_bytes(row: Row) -> int:
    return _ROW_BYTES + disk_bytes(row)
