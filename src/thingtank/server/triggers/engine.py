"""Triggers at work: reads the journal's batches, steps the triggers, records what is due.

One task of the loop, behind the write path: a write is acknowledged before a trigger looks at it.
Deliveries, the states of the triggers and the place in the journal are recorded in one transaction;
so after a kill at any instant the engine goes on from the place that was recorded, with the states
that belong to it, and each firing is in the outbox exactly once.
"""

import asyncio
import contextlib
import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Sequence
from operator import attrgetter
from typing import Protocol

import msgspec
import structlog

from thingtank.server.triggers.notices import Notices
from thingtank.server.triggers.runs import Run, in_runs
from thingtank.server.triggers.settings import TriggerSettings
from thingtank.server.triggers.watches import Fault, Fired, Watches
from thingtank.stores.journal_readers import CommittedBatch, JournalReader
from thingtank.stores.rows import Deletion
from thingtank.tank.datapoints import Datapoint, DatapointColumns
from thingtank.tank.errors import NotFound, StorageFailed, reason_of
from thingtank.tank.events import TriggerChanged, TriggerFired
from thingtank.tank.outbox import NewDelivery, Outbox
from thingtank.tank.tank import Tank
from thingtank.tank.trigger_rules import Firing, TriggerState, decode_state
from thingtank.tank.triggers import Trigger

log = structlog.get_logger()

READER = "triggers"
TEST_READER = "trigger_tests"  # tests are no part of the journal; their place stays 0
_BATCHES_AT_ONCE = 256
_STEPS_A_TURN = 500  # about a millisecond; then others of the loop have their turn
_FIRINGS_A_TURN = 50  # likewise
_TIMERS_AT_ONCE = 500
_RETRY_S_MAX = 5.0
_TIMER_S_MAX = 60.0  # the clock may be set forward meanwhile


class JournalSource(Protocol):
    """Where committed batches come from."""

    def read_journal(
        self, name: str, place_seq: int, wake: Callable[[], None]
    ) -> Awaitable[JournalReader]:
        """Let a named reader see each committed batch from its place on, in order."""
        ...


class EngineStatus(msgspec.Struct, frozen=True):
    """How triggers are doing.

    Attributes:
        watched_count: triggers that watch.
        seq: the journal's batch up to which all was looked at.
        missed_batch_count: batches since the start of which one trigger at least missed some
            values that it watches: they came too fast for too long, which all missed, or it met
            a fault of ours, which others need not have noticed.
        failure: why nothing can be recorded at the moment; None when it can.
    """

    watched_count: int
    seq: int
    missed_batch_count: int
    failure: str | None


class TriggerEngine:
    """Runs from `start` to `stop`. Implements `tank.trigger_interfaces.TriggerService`."""

    def __init__(
        self,
        tank: Tank,
        journal: JournalSource,
        outbox: Outbox,
        base_url: str,
        settings: TriggerSettings | None = None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._tank = tank
        self._journal = journal
        self._outbox = outbox
        self._settings = settings or TriggerSettings()
        self._notices = Notices(tank, base_url)
        self._watches = Watches(self._settings.frozen_s * 1_000_000)
        self._wake = asyncio.Event()
        self._deliveries: list[NewDelivery] = []
        self._fired: list[TriggerFired] = []
        self._seq = 0
        self._looked_at_us = 0  # when what was looked at last was committed
        self._recorded_seq = 0
        self._recorded_at_s = 0.0
        self._missed_count = 0  # the reader's
        self._skipped_count = 0
        self._has_gap = False  # all triggers missed some
        self._broke_off: set[int] = set()  # the triggers that alone missed some
        self._fault: Exception | None = None  # the first of this turn
        self._failure: str | None = None
        self._failure_count = 0
        self._is_stopping = False
        self._task: asyncio.Task[None] | None = None
        self._reader: JournalReader | None = None

    async def start(self) -> None:
        """Load what triggers remember, and go on from where the last run stopped.

        Raises:
            StorageFailed: the outbox or the journal cannot be used.
        """
        states = await self._outbox.states()
        place = await self._outbox.place(READER)
        reader = await self._journal.read_journal(READER, place, self._wake.set)
        self._reader = reader
        self._seq = self._recorded_seq = reader.passed_seq
        grace_us = round(self._settings.frozen_grace_s * 1_000_000)
        self._watches.frozen_from_us = self._tank.clock.now_us() + grace_us
        self._tank.bus.react(TriggerChanged, self._take_change)
        for trigger in self._tank.triggers.all():
            state = decode_state(states.get(trigger.trigger_id, b""))
            if state is not None and state.fired_us is not None:
                self._tank.triggers.note_fired(trigger.trigger_id, state.fired_us)
                trigger = self._tank.triggers.get(trigger.trigger_id)
            self._put(trigger, state)
        if not len(self._watches):
            reader.rest()
        self._tank.trigger_service = self
        self._task = self._loop.create_task(self._run(), name="trigger-engine")

    async def stop(self) -> None:
        """Look at what was committed until now, record it, end. What fails comes after a start."""
        if self._task is None:
            return
        self._is_stopping = True
        self._wake.set()
        try:
            async with asyncio.timeout(_RETRY_S_MAX):
                await asyncio.shield(self._task)
        except TimeoutError:
            log.error("trigger_engine_stopped_early", seq=self._recorded_seq)
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def status(self) -> EngineStatus:
        """How triggers are doing."""
        missed_count = self._missed_count + self._skipped_count
        return EngineStatus(len(self._watches), self._seq, missed_count, self._failure)

    @property
    def frozen_us(self) -> int:
        """For how long a datastream must be silent to count as frozen."""
        return self._settings.frozen_s * 1_000_000

    @property
    def is_failing(self) -> bool:
        """Whether nothing can be recorded at the moment."""
        return self._failure is not None

    def state_of(self, trigger_id: int) -> TriggerState | None:
        """What a trigger remembers now; None while it does not watch."""
        return self._watches.state_of(trigger_id)

    async def fire_test(self, trigger: Trigger) -> None:
        """Queue a delivery marked as a test, with the value there is now. Raise StorageFailed."""
        datastream = self._tank.directory.datastreams(trigger.device_id).get(trigger.name)
        current = None if datastream is None else self._tank.archive.current(datastream.stream_id)
        firing = Firing(
            self._tank.clock.now_us(),
            None if current is None else current.at_us,
            None if current is None else current.value,
        )
        deliveries = self._notices.deliveries(trigger, firing, is_test=True)
        await self._outbox.record(TEST_READER, 0, {}, deliveries)
        self._tank.bus.publish(TriggerFired(trigger, firing, is_test=True))

    def _take_change(self, event: TriggerChanged) -> None:
        """A trigger was made or changed, or is gone; called at once, within the action."""
        if self._reader is None or self._is_stopping:
            return
        if event.is_deleted:
            self._watches.drop(event.trigger.trigger_id)
        else:
            self._put(event.trigger, None)
        if not len(self._watches):
            self._reader.rest()
        elif self._reader.is_resting:
            self._seq = self._reader.follow()
        self._wake.set()

    def _put(self, trigger: Trigger, saved: TriggerState | None) -> None:
        datastream = self._tank.directory.datastreams(trigger.device_id).get(trigger.name)
        if not trigger.is_enabled or datastream is None:
            self._watches.drop(trigger.trigger_id)
        else:
            self._watches.put(trigger, datastream.stream_id, saved)

    async def _run(self) -> None:
        while True:
            try:
                is_done = await self._turn()
                if self._fault is not None:
                    fault, self._fault = self._fault, None
                    raise fault  # told like any other, and paused after: it may come again
            except Exception as error:
                if not isinstance(error, StorageFailed | sqlite3.Error):
                    log.exception("trigger_engine_broke")
                self._failed(error)
                if self._is_stopping:
                    return
                await asyncio.sleep(min(0.1 * 2 ** min(self._failure_count, 10), _RETRY_S_MAX))
            else:
                if is_done and self._is_stopping:
                    return
                if not self._is_stopping:
                    await asyncio.sleep(self._settings.wake_interval_s)
                    await self._wait()

    async def _turn(self) -> bool:
        """Look at some of what there is, and record it; tell whether that was all."""
        self._wake.clear()
        reader = self._reader
        assert reader is not None, "started"
        if not self._deliveries:  # else they could not be recorded, and wait
            await reader.fill()
            for batches in in_runs(reader.take(_BATCHES_AT_ONCE)):
                await self._take_or_skip(batches)
            if reader.missed_count > self._missed_count:
                self._has_gap = True
            if (self._has_gap or self._broke_off) and not reader.has_batches:
                self._missed_count = reader.missed_count
                await self._go_on_after_a_gap()
            self._take_due(reader)
            if not reader.has_batches:
                self._seq = max(self._seq, reader.through_seq)
        is_done = not reader.has_batches and not reader.is_behind
        if not is_done:
            self._wake.set()
        if self._deliveries or self._is_checkpoint_due() or (is_done and self._is_stopping):
            await self._record()
        return is_done

    def _take_due(self, reader: JournalReader) -> None:
        """Let time pass, but no further than to what was committed and not looked at yet."""
        now_us = self._tank.clock.now_us()
        if reader.has_batches or reader.is_behind:
            now_us = min(now_us, self._looked_at_us)
        self._collect(self._watches.take_due(now_us, _TIMERS_AT_ONCE))

    async def _take_or_skip(self, batches: Sequence[CommittedBatch]) -> None:
        """Look at batches; what a fault of ours keeps from being seen is missed, and no more.

        It is not looked at again: it might never be passed. Within a trigger, the fault costs that
        one the rest of the run; elsewhere it costs all triggers what they had not looked at.
        """
        seq, committed_us = batches[-1].seq, batches[-1].committed_us
        self._looked_at_us = committed_us or self._looked_at_us
        try:
            missed = await self._take(batches)
        except Exception as error:  # noqa: BLE001 - told at the turn's end
            self._note_fault(error, "trigger_batch_skipped", seq=seq, batch_count=len(batches))
            missed = {batch.seq for batch in batches}
            self._has_gap = True
        self._skipped_count += len(missed)
        self._seq = max(self._seq, seq)

    async def _take(self, batches: Sequence[CommittedBatch]) -> set[int]:
        """Look at batches; tell of which a trigger missed some."""
        run, missed = Run(), set[int]()
        for batch in batches:
            for change in batch.changes:
                if isinstance(change, DatapointColumns):
                    run.add(change, batch.committed_us, batch.seq)
                elif isinstance(change, Deletion):
                    missed |= await self._take_run(run)
                    run = Run()
                    self._watches.take_deletion(change)
        return missed | await self._take_run(run)

    async def _take_run(self, run: Run) -> set[int]:
        fired: list[Fired] = []
        faults: dict[int, Fault] = {}
        try:
            await self._look_at(run, fired, faults)
        except Exception:
            await self._collect_fired(fired)  # what fired before a fault has fired
            raise
        await self._collect_fired(fired)
        for trigger_id, fault in faults.items():
            self._note_fault(fault.error, "trigger_broke_off", trigger_id=trigger_id)
        self._broke_off.update(faults)
        return run.seqs_from({fault.row for fault in faults.values()})

    async def _look_at(self, run: Run, fired: list[Fired], faults: dict[int, Fault]) -> None:
        steps_left = _STEPS_A_TURN
        for steps in self._watches.take_run(run, self._tank.clock.now_us(), fired, faults):
            steps_left -= steps
            if steps_left <= 0:
                await asyncio.sleep(0)
                steps_left = _STEPS_A_TURN

    async def _collect_fired(self, fired: list[Fired]) -> None:
        fired.sort(key=attrgetter("row"))  # keeps the order of each trigger
        for count, (_, trigger, firing) in enumerate(fired, 1):
            self._collect([(trigger, firing)])
            if count % _FIRINGS_A_TURN == 0:
                await asyncio.sleep(0)

    async def _go_on_after_a_gap(self) -> None:
        """What was missed is lost to the triggers; what they say now they learn from the values."""
        watched = self._watches.watched()
        if not self._has_gap:
            watched = [pair for pair in watched if pair[0] in self._broke_off]
        self._has_gap = False
        self._broke_off.clear()
        for count, (trigger_id, stream_id) in enumerate(watched, 1):
            current = self._tank.archive.current(stream_id)
            if current is not None and current.at_us is not None and current.value is not None:
                datapoint = Datapoint(current.at_us, current.value)
                now_us = self._tank.clock.now_us()
                try:
                    self._collect(self._watches.take_current(trigger_id, datapoint, now_us))
                except Exception as error:  # noqa: BLE001 - told at the turn's end
                    self._note_fault(error, "trigger_value_skipped", trigger_id=trigger_id)
            if count % _STEPS_A_TURN == 0:
                await asyncio.sleep(0)

    def _collect(self, firings: Iterable[tuple[Trigger, Firing]]) -> None:
        for trigger, firing in firings:
            try:
                if not self._tank.directory.get_account(trigger.account_id).is_active:
                    continue
                self._deliveries += self._notices.deliveries(trigger, firing)
            except NotFound:  # deleted at this moment
                continue
            except Exception as error:  # noqa: BLE001 - told at the turn's end
                self._note_fault(error, "trigger_firing_lost", trigger_id=trigger.trigger_id)
                continue
            self._fired.append(TriggerFired(trigger, firing))

    def _note_fault(self, error: Exception, event: str, **fields: int) -> None:
        """Keep the turn's first fault, to be told at its end; the others are likely the same."""
        if self._fault is None:
            self._fault = error
            log.error(event, **fields)

    def _is_checkpoint_due(self) -> bool:
        if self._seq == self._recorded_seq and not self._watches.has_changed:
            return False
        waited_s = self._loop.time() - self._recorded_at_s
        return waited_s >= self._settings.checkpoint_interval_s

    async def _record(self) -> None:
        """Record deliveries, states and place together; then let go of what was passed."""
        seq, deliveries = self._seq, self._deliveries
        states = self._watches.take_changed()
        try:
            await self._outbox.record(READER, seq, states, deliveries)
        except BaseException:
            self._watches.touch(states)
            raise
        fired, self._fired, self._deliveries = self._fired, [], []
        self._recorded_seq = seq
        self._recorded_at_s = self._loop.time()
        self._succeeded()
        if self._reader is not None:
            self._reader.passed(seq)
        for event in fired:
            self._tank.triggers.note_fired(event.trigger.trigger_id, event.firing.at_us)
            self._tank.bus.publish(event)

    async def _wait(self) -> None:
        """Until something was committed or changed, or the next timer or checkpoint is due."""
        timeout_s: float | None = None
        if (due_us := self._watches.next_due_us) is not None:
            due_s = (due_us - self._tank.clock.now_us()) / 1e6
            timeout_s = min(max(0.0, due_s), _TIMER_S_MAX)
        if self._seq != self._recorded_seq or self._watches.has_changed:
            checkpoint_s = self._settings.checkpoint_interval_s
            timeout_s = checkpoint_s if timeout_s is None else min(timeout_s, checkpoint_s)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._wake.wait()

    def _failed(self, error: Exception) -> None:
        if self._failure is None:
            log.error("trigger_engine_cannot_record", reason=reason_of(error))
        self._failure = str(error) or type(error).__name__
        self._failure_count += 1

    def _succeeded(self) -> None:
        if self._failure is not None:
            log.warning("trigger_engine_records_again")
        self._failure = None
        self._failure_count = 0
