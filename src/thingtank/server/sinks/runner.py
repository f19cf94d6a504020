"""One rule at work: a task of the loop that reads what was recorded, and a thread that sends.

The loop does no more than take batches from the reader and wait; items are made, rendered and sent
in the rule's thread. Batches count as passed when all their items are delivered, or dead letters
that are on disk; so after a kill at any instant what was not settled is sent again.

    wake ─► gather ─► take ─► step ─► step … ─► passed
                               │ ▲
                        failed ▼ │ pause: 0.5 s, doubled up to `retry_s_max`, at random below that
"""

import asyncio
import contextlib
import sqlite3
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TypeVar

import structlog

from thingtank.net.blotting_texts import blotted_string
from thingtank.server.sinks.items import items_of
from thingtank.server.sinks.message_reader import (
    Batch,
    Reader,
    StoredItem,
    decode_item,
    encode_item,
)
from thingtank.server.sinks.record import Record
from thingtank.server.sinks.selection import Selection
from thingtank.sinks.engine import Item, SinkEngine
from thingtank.sinks.rules.settings import SinkRule, SinkSettings
from thingtank.sinks.rules.templates import compile_template
from thingtank.sinks.rules.turns import Refused, Step, Turn, failure_of
from thingtank.stores.changes import bytes_of
from thingtank.stores.journal_readers import BATCH_BYTES, CommittedBatch
from thingtank.stores.sink_file import NewLetter, RulePlace, SinkFile
from thingtank.stores.sink_store import SinkStore
from thingtank.stores.worker import Worker
from thingtank.tank.datapoints import DatapointColumns
from thingtank.tank.errors import StorageFailed
from thingtank.tank.failures import Failure, FailureKind
from thingtank.tank.interfaces import Clock
from thingtank.tank.sinks import SinkState, SinkStatus

log = structlog.get_logger()

PLACE_INTERVAL_S = 1.0  # a place is written down so often at most
REASON_CHARS_MAX = 1000
_TURN_ROWS = 10_000  # about; one commit may have more
_TURN_BYTES = 4 * 1024 * 1024  # the same
_LETTERS_AT_ONCE = 500
_TOPICS_SHOWN_MAX = 10

Result = TypeVar("Result")


class SinkRunner:
    """From `start` to `stop`; lives in the loop's thread.

    Attributes:
        rule: what it does.
        selection: the datastreams that it wants; the loop keeps it right.
        letter_count: dead letters that are kept; whoever removes some changes it.
    """

    def __init__(
        self,
        rule: SinkRule,
        engine: SinkEngine,
        selection: Selection,
        store: SinkStore,
        settings: SinkSettings,
        clock: Clock,
        *,
        is_fixed: bool,
        is_paused: bool = False,
        letter_count: int = 0,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self.rule = rule
        self.selection = selection
        self.letter_count = letter_count
        self._engine = engine
        self._store = store
        self._settings = settings
        self._clock = clock
        self._is_fixed = is_fixed
        self._is_paused = is_paused
        self._where = engine.describe()
        self._gather_s = engine.gather_s if rule.gather_s is None else rule.gather_s
        self._render = compile_template(rule.template) if engine.wants_payload else None
        self._wake = asyncio.Event()
        self._hurry = asyncio.Event()  # ends a pause: somebody asks for it, or it is time to stop
        self._is_stopping = False
        self._is_open = False
        self._has_asked_letters = letter_count > 0  # maybe, since before the start
        self._is_replaying = False
        self._pending: list[Batch] = []  # taken, and not settled
        self._has_taken_all = True  # by what was taken last; if not, more waits for long enough
        self._record = Record(rule.name, settings.retry_s_max, clock)
        self._reader: Reader | None = None
        self._place = RulePlace(0, 0)
        self._saved_seq = 0
        self._saved_at_s = 0.0
        self._worker: Worker | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def wake(self) -> Callable[[], None]:
        """To be called when there is something to read."""
        return self._wake.set

    def start(self, reader: Reader, place: RulePlace | None) -> None:
        """Go on from a reader's place.

        Args:
            place: as it was written down last; None for a new rule.
        """
        self._reader = reader
        reached_us = place.reached_us if place is not None else self._clock.now_us()
        self._place = RulePlace(reader.passed_seq, reached_us)
        self._saved_seq = place.seq if place is not None else -1
        self._worker = Worker(f"sink-{self.rule.name}"[:15])
        self._task = self._loop.create_task(self._run(), name=f"sink-{self.rule.name}")

    async def stop(self) -> None:
        """End; a call under way has `stop_s`, and comes once more after the next start if not."""
        if self._task is None or self._worker is None:
            return
        self._is_stopping = True
        self._wake.set()
        self._hurry.set()
        ending = asyncio.ensure_future(self._end(self._task, self._worker))
        done, _ = await asyncio.wait([ending], timeout=self._settings.stop_s)
        if not done:
            log.warning("sink_stopped_early", rule=self.rule.name)
            ending.cancel()
            self._task.cancel()
            await asyncio.gather(self._task, ending, return_exceptions=True)
            self._worker.submit(self._engine.close, lambda _: None)
            self._worker.leave()
        self._task = None
        with contextlib.suppress(StorageFailed):
            await self._save_place()

    async def _end(self, task: asyncio.Task[None], worker: Worker) -> None:
        await asyncio.wait([task])
        await worker.run(self._engine.close)
        await worker.stop()

    def pause(self, is_paused: bool) -> None:
        """Send nothing until it is resumed; what comes meanwhile waits in the journal."""
        self._is_paused = is_paused
        self.hurry()

    def hurry(self) -> None:
        """Try now, whatever there is to wait for."""
        self._record.forgive()
        self._wake.set()
        self._hurry.set()

    def replay(self) -> None:
        """Some dead letters are to be sent again."""
        self._has_asked_letters = True
        self.hurry()

    def status(self) -> SinkStatus:
        """How it is doing."""
        behind_batches = self._behind_batches
        behind_us = self._clock.now_us() - self._place.reached_us if behind_batches else 0
        record = self._record
        return SinkStatus(
            self.rule.name,
            str(self.rule.to.get("engine", "")),
            self._where,
            _what(self.rule),
            self._state,
            self._is_fixed,
            behind_batches,
            max(0, behind_us) / 1e6,
            record.throughput.per_minute(self._loop.time()),
            record.delivered_count,
            record.retried_count,
            record.dead_count,
            {kind.name.lower(): count for kind, count in record.failures.items()},
            self._reader.missed_count if self._reader is not None else 0,
            self.letter_count,
            self._is_replaying,
            record.trouble,
            self.rule.send,
        )

    @property
    def _behind_batches(self) -> int:
        reader = self._reader
        return 0 if reader is None else max(0, reader.published_seq - self._place.seq)

    @property
    def _state(self) -> SinkState:
        if self._is_paused:
            return "paused"
        if self._is_full:
            return "full"
        if self._record.trouble is not None:
            return "stuck" if self._record.needs_a_person else "failing"
        return "working" if self._behind_batches or self._is_replaying else "waiting"

    @property
    def _is_full(self) -> bool:
        return self.letter_count >= self._settings.dead_letters_max

    async def _run(self) -> None:
        while not self._is_stopping:
            try:
                await self._turn()
            except (StorageFailed, sqlite3.Error) as error:
                self._record.failed(Failure(FailureKind.UNKNOWN, "storage", str(error), ""))
                await self._pause()
            except Exception as error:
                log.exception("sink_broke", rule=self.rule.name)
                name = type(error).__name__
                self._record.failed(
                    Failure(
                        FailureKind.UNKNOWN, name, "A fault of this server", "Its log says more."
                    )
                )
                await self._pause()

    async def _turn(self) -> None:
        """Wait for something to do, and do some of it."""
        reader = self._reader
        assert reader is not None, "started"
        self._wake.clear()
        await self._may_go()
        if self._has_asked_letters:
            await self._replay()
        await self._may_go_on()
        if not self._pending:
            await reader.fill()
            if not reader.has_batches:
                await self._rest(reader)
                return
            if self._has_taken_all and not reader.is_behind:
                await self._sleep(self._gather_s)
            self._pending = self._take(reader)
            self._has_taken_all = not (reader.has_batches or reader.is_behind)
        await self._send_pending()

    async def _send_pending(self) -> None:
        # After a fault of ours some of them may be settled already.
        batches = [batch for batch in self._pending if batch.seq > self._place.seq]
        if batches:
            streams, origin = self.selection.streams, self._store.origin
            items = items_of(batches, streams, origin, self._render)
            make = partial(Turn, self._engine, items, self._place.seq, batches[-1].seq)
            turn = await self._in_thread(make)
            may_go, passed = self._may_go_on, partial(self._pass_step, batches)
            if not await self._carry_out(turn, may_go, passed):
                return
            self._pass_some(batches, batches[-1].seq)
        self._pending = []

    async def _rest(self, reader: Reader) -> None:
        """All is settled: write that down, and wait."""
        if reader.is_behind:
            return
        self._passed(reader.through_seq, self._clock.now_us())
        self.selection.drop_gone()
        if self._place.seq == self._saved_seq or self._is_stopping:
            await self._wake.wait()
            return
        save_in_s = max(0.0, self._saved_at_s + PLACE_INTERVAL_S - self._loop.time())
        try:
            async with asyncio.timeout(save_in_s):
                await self._wake.wait()
        except TimeoutError:
            await self._save_place()

    def _take(self, reader: Reader) -> list[Batch]:
        """What comes next, up to about as much as one turn is to be."""
        batches: list[Batch] = []
        row_count = size_bytes = 0
        while row_count < _TURN_ROWS and size_bytes < _TURN_BYTES and (more := reader.take(1)):
            batches.extend(more)
            row_count += _rows_in(more[0])
            size_bytes += _bytes_in(more[0])
        return batches

    async def _carry_out(
        self,
        turn: Turn,
        may_go: Callable[[], Awaitable[None]],
        settled: Callable[[Step], None],
    ) -> bool:
        """Step a turn, and tell of each step. Whether it came to its end.

        It does not where it is time to stop: then it ends where no batch is sent by half, if what
        is left of that one can be sent at once.

        Args:
            may_go: waits before each step while it may not be taken.
            settled: is told of a step when what it refused is on disk.
        """
        is_midway = False
        while not turn.is_over:
            await may_go()
            if self._is_stopping and not is_midway:
                return False
            if not await self._ensure_open():
                if self._is_stopping:
                    return False
                await self._pause()
                continue
            step = await self._in_thread(turn.step)
            await self._settle(step)
            settled(step)
            await self._save_place_sometimes()
            is_midway = step.is_midway and not step.retry_count
            if step.retry_count and not step.delivered_count and not step.refused:
                await self._pause()
        return True

    async def _may_go(self) -> None:
        """Wait while it is paused."""
        while self._is_paused and not self._is_stopping:
            self._hurry.clear()
            await self._hurry.wait()

    async def _may_go_on(self) -> None:
        """Wait while it is paused, or there is no room for dead letters.

        Those that somebody asks for are sent again meanwhile: that makes room, and takes none.
        """
        await self._may_go()
        while self._is_full and not self._is_stopping:
            if self._has_asked_letters:
                await self._replay()
            else:
                self._hurry.clear()
                await self._hurry.wait()
            await self._may_go()

    async def _ensure_open(self) -> bool:
        if self._is_open:
            return True
        try:
            await self._in_thread(self._engine.open)
        except Exception as error:
            failure = failure_of(error)
            if failure is None:
                raise
            self._record.failed(failure)
            return False
        self._is_open = True
        return True

    async def _settle(self, step: Step) -> None:
        """Count what came of a step, and keep what was refused."""
        self._record.note(step, self._loop.time())
        if step.failure is not None:
            self._is_open = step.failure.kind is FailureKind.THROTTLED
        if step.refused:
            await self._keep(step.refused)

    async def _keep(self, refused: Sequence[Refused]) -> None:
        """Write dead letters down; it goes on only when they are on disk."""
        name, now_us = self.rule.name, self._clock.now_us()
        letters = [
            NewLetter(item.item_id, encode_item(item), reason[:REASON_CHARS_MAX], now_us)
            for item, reason in refused
        ]
        reason = refused[0].reason
        log.warning("sink_items_refused", rule=name, count=len(letters), reason=reason)
        while True:
            try:
                await self._store.run(lambda file: file.add_letters(name, letters))
                break
            except StorageFailed as error:
                self._record.failed(Failure(FailureKind.UNKNOWN, "storage", str(error), ""))
                if self._is_stopping:
                    raise
                await self._pause()
        await self.count_letters()

    async def count_letters(self) -> None:
        """Look at how many dead letters there are."""
        counts = await self._store.run(SinkFile.letter_counts)
        self.letter_count = counts.get(self.rule.name, 0)

    async def _replay(self) -> None:
        """Send the dead letters again that somebody asked for."""
        name = self.rule.name
        self._has_asked_letters = False
        try:
            while not self._is_stopping:
                stored = await self._store.run(lambda file: file.asked(name, _LETTERS_AT_ONCE))
                if not stored:
                    break
                self._is_replaying = True
                await self._send_again({each.letter_id: decode_item(each.item) for each in stored})
        except BaseException:
            self._has_asked_letters = True
            raise
        finally:
            self._is_replaying = False

    async def _send_again(self, letters: Mapping[int, Item]) -> None:
        name = self.rule.name
        refused_ids: set[str] = set()  # somebody may ask for them again before this is over

        def settled(step: Step) -> None:
            refused_ids.update(refused.item.item_id for refused in step.refused)

        items = iter([(0, item) for item in letters.values()])
        if await self._carry_out(Turn(self._engine, items, 0, 0), self._may_go, settled):
            arrived = [each for each, item in letters.items() if item.item_id not in refused_ids]
            await self._store.run(lambda file: file.remove_letters(name, arrived))
            await self.count_letters()

    def _pass_step(self, batches: Sequence[Batch], step: Step) -> None:
        self._pass_some(batches, step.through_seq)

    def _pass_some(self, batches: Sequence[Batch], through_seq: int) -> None:
        """Let go of what is settled."""
        if through_seq <= self._place.seq:
            return
        known_us = self._place.reached_us
        for batch in batches:
            if batch.seq <= through_seq and batch.committed_us is not None:
                known_us = batch.committed_us
        self._passed(through_seq, known_us)

    def _passed(self, seq: int, reached_us: int) -> None:
        self._place = RulePlace(max(seq, self._place.seq), reached_us)
        if self._reader is not None:
            self._reader.passed(self._place.seq)

    async def _save_place_sometimes(self) -> None:
        if self._loop.time() - self._saved_at_s >= PLACE_INTERVAL_S:
            await self._save_place()

    async def _save_place(self) -> None:
        place = self._place
        if place.seq != self._saved_seq:
            await self._store.run(lambda file: file.save_places({self.rule.name: place}))
            self._saved_seq = place.seq
            self._saved_at_s = self._loop.time()

    async def _pause(self) -> None:
        await self._sleep(self._record.pause_s())

    async def _sleep(self, pause_s: float) -> None:
        """Sleep, unless it is time to stop or somebody asks for haste, or has since last time."""
        if self._is_stopping or pause_s <= 0:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause_s):
                await self._hurry.wait()
        self._hurry.clear()

    async def _in_thread(self, work: Callable[[], Result]) -> Result:
        assert self._worker is not None, "started"
        return await self._worker.run(work)


def _rows_in(batch: Batch) -> int:
    return 1 if isinstance(batch, StoredItem) else sum(map(len, _columns_in(batch)))


def _bytes_in(batch: Batch) -> int:
    if isinstance(batch, StoredItem):
        return batch.item.size_bytes
    return BATCH_BYTES + sum(map(bytes_of, _columns_in(batch)))


def _columns_in(batch: CommittedBatch) -> Iterator[DatapointColumns]:
    return (change for change in batch.changes if isinstance(change, DatapointColumns))


def _what(rule: SinkRule) -> str:
    """What a rule sends, for people."""
    if rule.send == "topics":
        more = len(rule.topics) - _TOPICS_SHOWN_MAX
        shown = ", ".join(map(blotted_string, rule.topics[:_TOPICS_SHOWN_MAX]))
        return f"topics {shown}{f' and {more} more' if more > 0 else ''}"
    ids = rule.feeds
    feeds = (
        "all feeds" if ids == "all" else f"feed{'s' * (len(ids) > 1)} {', '.join(map(str, ids))}"
    )
    tag = f" with the tag {rule.tag}" if rule.tag else ""
    streams = f": {', '.join(rule.datastreams)}" if rule.datastreams else ""
    of = "messages to " if rule.send == "messages" else ""
    return f"{of}{feeds}{tag}{streams}"
