"""One rule at work: a task of the loop that reads what was recorded and has it sent.

It does no more than hand batches over and wait; items are made, rendered and sent in the process
that sends (`sending/`). Batches count as passed when all their items are delivered, or dead letters
or held items that are on disk; so after a kill at any instant what was not settled is sent again.
When only the process that sends ends, it is the same: the rule goes back to its place.

    wake ─► gather ─► take ─► step ─► step … ─► passed
                               │ ▲
                        failed ▼ │ pause: 0.5 s, doubled up to `retry_s_max`, at random below that
                                   (of some devices only those pause, in the window)

Dead letters that somebody asked for take turns with them, a call each (`letter_retry.py`).
"""

import asyncio
import contextlib
import math
import random
import sqlite3
from collections.abc import Callable, Mapping, Sequence

import structlog

from thingtank.net.blotting_texts import blotted_string
from thingtank.server.sinks.letter_retry import LetterRetry
from thingtank.server.sinks.message_reader import Reader
from thingtank.server.sinks.progress import Progress
from thingtank.server.sinks.record import Record
from thingtank.server.sinks.selection import Selection
from thingtank.server.sinks.sending.calls import HeldBlob
from thingtank.server.sinks.sending.process import ENDED, SendingProcess
from thingtank.server.sinks.sending.remote_rule import RemoteRule, RemoteWindow
from thingtank.sinks.engine import EngineFailed, Kind, SinkEngine, decode_item
from thingtank.sinks.rules.settings import Send, SinkRule, SinkSettings
from thingtank.sinks.rules.steps import Step
from thingtank.stores.sink_file import HeldItem, NewLetter, RulePlace, SinkFile
from thingtank.stores.sink_store import SinkStore
from thingtank.tank.errors import StorageFailed
from thingtank.tank.failures import Failure, FailureKind
from thingtank.tank.interfaces import Clock
from thingtank.tank.sinks import SinkState, SinkStatus, SinkTrouble

log = structlog.get_logger()

REASON_CHARS_MAX = 1000
_TURN_BATCHES = 10_000
_TURN_ROWS = 10_000  # about; one commit may have more
_TURN_BYTES = 4 * 1024 * 1024  # the same
_TOPICS_SHOWN_MAX = 10
_ENDS_MAX = 3  # before it is told as trouble: one that ends for others does no harm here
# Rules wake at the same write, and each takes some of the loop's time: not all at one instant.
_GATHER_SPREAD = (0.75, 1.25)
_REASONS_LOGGED_MAX = 3  # the pages have all

KINDS: Mapping[Send, Kind] = {"values": "datapoint", "messages": "message", "topics": "topic"}


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
        process: SendingProcess,
        selection: Selection,
        store: SinkStore,
        settings: SinkSettings,
        clock: Clock,
        *,
        is_fixed: bool,
        is_paused: bool = False,
        letters_size: tuple[int, int] = (0, 0),
    ) -> None:
        """Make one, which does nothing yet.

        Args:
            engine: the rule's, which is never opened here: another such is, by `process`.
            letters_size: number and bytes of the dead letters that are kept.
        """
        self._loop = asyncio.get_running_loop()
        self.rule = rule
        self.selection = selection
        self.letter_count, self._letter_bytes = letters_size
        self._store = store
        self._settings = settings
        self._clock = clock
        self._is_fixed = is_fixed
        self._is_paused = is_paused
        self._refusal: SinkTrouble | None = None
        self._where = engine.describe()
        self._gather_s = engine.gather_s if rule.gather_s is None else rule.gather_s
        self._wake = asyncio.Event()
        self._hurry = asyncio.Event()  # ends a pause: somebody asks for it, or it is time to stop
        self._is_stopping = False
        self._is_open = False
        self._ends_in_a_row = 0  # of the process that sends, while it did nothing for this rule
        kind = KINDS[rule.send]
        self._remote = RemoteRule(
            process, rule, kind, store.origin, settings.retry_s_max, selection
        )
        self._letter_retry = LetterRetry(rule.name, self._remote.letters, store)
        self._letter_retry.is_changed = self.letter_count > 0  # maybe, since before the start
        self._has_taken_all = True  # by what was taken last; if not, more waits for long enough
        self._record = Record(rule.name, settings.retry_s_max, clock)
        self._reader: Reader | None = None
        self._progress = Progress(rule.name, store, self._loop.time)
        self._task: asyncio.Task[None] | None = None

    @property
    def wake(self) -> Callable[[], None]:
        """To be called when there is something to read."""
        return self._wake.set

    def start(self, reader: Reader, place: RulePlace | None, held: Sequence[HeldItem] = ()) -> None:
        """Go on from a reader's place.

        Args:
            place: as it was written down last; None for a new rule.
            held: what was written down with it.
        """
        self._reader = reader
        self._go_on(reader, place, held)
        self._task = self._loop.create_task(self._run(), name=f"sink-{self.rule.name}")

    def _go_on(self, reader: Reader, place: RulePlace | None, held: Sequence[HeldItem]) -> None:
        ids = [decode_item(each.item).item_id for each in held]
        numbers = {item_id: each.number for item_id, each in zip(ids, held, strict=True)}
        self._progress.start(reader, place, numbers, self._clock.now_us())
        passed_seq = reader.passed_seq
        blobs = [
            HeldBlob(min(each.seq, passed_seq), item_id, each.item)
            for item_id, each in zip(ids, held, strict=True)
        ]
        self._remote.go_on(passed_seq, blobs)

    async def stop(self) -> None:
        """End; a call under way has `stop_s`, and comes once more after the next start if not."""
        task, self._task = self._task, None
        if task is None:
            return
        self._is_stopping = True
        self._wake.set()
        self._hurry.set()
        done, _ = await asyncio.wait([task], timeout=self._settings.stop_s)
        if not done:
            log.warning("sink_stopped_early", rule=self.rule.name)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        name = self.rule.name
        try:
            async with asyncio.timeout(self._settings.stop_s):
                await self._progress.stop(self._remote.fresh)
                await self._letter_retry.stop()
        except (EngineFailed, TimeoutError) as error:  # the next start begins as after a crash
            log.warning("sink_place_not_saved", rule=name, reason=str(error) or "no answer in time")
        except Exception:
            log.exception("sink_place_not_saved", rule=name)
        try:
            async with asyncio.timeout(self._settings.stop_s if done else 0):
                await self._remote.close()
        except (EngineFailed, TimeoutError):
            pass  # it is gone, or is closed when its call ends
        except Exception:
            log.exception("sink_not_closed", rule=name)

    def pause(self, is_paused: bool) -> None:
        """Send nothing until it is resumed; what comes meanwhile waits in the journal."""
        self._is_paused = is_paused
        self.hurry()

    @property
    def is_refused(self) -> bool:
        """Whether it must send nothing; see `refuse`."""
        return self._refusal is not None

    def refuse(self, reason: str) -> None:
        """Send nothing, for a reason that is shown; blank to send again."""
        told = reason[:1].upper() + reason[1:]
        self._refusal = SinkTrouble("refused", told, self._clock.now_us()) if reason else None
        self.hurry()

    def hurry(self) -> None:
        """Try now, whatever there is to wait for."""
        self._record.forgive()
        self._remote.fresh.forgive()
        self._remote.letters.forgive()
        self._wake.set()
        self._hurry.set()

    def retry_letters(self) -> None:
        """Some dead letters are to be sent again, or are no more."""
        self._letter_retry.is_changed = True
        self.hurry()

    def status(self) -> SinkStatus:
        """How it is doing."""
        record = self._record
        return SinkStatus(
            self.rule.name,
            str(self.rule.to.get("engine", "")),
            self._where,
            _what(self.rule),
            self._state,
            self._is_fixed,
            self._progress.behind_count,
            self._progress.behind_us(self._clock.now_us()) / 1e6,
            record.throughput.per_minute(self._loop.time()),
            record.delivered_count,
            record.retried_count,
            record.dead_count,
            {kind.name.lower(): count for kind, count in record.failures.items()},
            self._reader.missed_count if self._reader is not None else 0,
            self.letter_count,
            self._letter_retry.is_at_work,
            self._refusal or record.trouble,
            self.rule.send,
        )

    @property
    def _state(self) -> SinkState:
        if self._is_paused:
            return "paused"
        if self._refusal is not None:
            return "stuck"
        if self._is_full:
            return "full"
        if self._record.trouble is not None:
            return "stuck" if self._record.needs_a_person else "failing"
        return (
            "working" if self._progress.behind_count or self._letter_retry.is_at_work else "waiting"
        )

    @property
    def _is_full(self) -> bool:
        return (
            self.letter_count >= self._settings.dead_letters_max
            or self._letter_bytes >= self._settings.dead_letter_bytes_max
        )

    async def _run(self) -> None:
        while not self._is_stopping:
            try:
                await self._turn()
            except EngineFailed as error:
                await self._missed(error.failure)
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

    async def _missed(self, failure: Failure) -> None:
        """A call was not done. The end of the process that sends is no fault of the service."""
        if failure.code == ENDED:
            self._ends_in_a_row += 1
            if self._ends_in_a_row <= _ENDS_MAX:
                return
        self._record.failed(failure)
        await self._pause()

    async def _turn(self) -> None:
        """Wait for something to do, and do some of it."""
        reader = self._reader
        assert reader is not None, "started"
        self._wake.clear()
        window = self._remote.fresh
        await self._record_refused(window)  # if a fault came between
        await self._record_refused(self._remote.letters)
        if self._remote.is_lost:
            await self._go_back(reader)
        await self._may_go()
        is_sent = await self._send_again()
        await self._may_go()
        if self._is_full:  # what is sent again makes room, and takes none
            if not is_sent:
                await self._stand_still(self._letter_retry.wait_s)
            return
        if not window.has_fresh:
            await self._read(reader, window)
        if not window.can_send:
            await self._rest(reader, window)
        elif (
            not self._is_stopping
            and (step := await self._step(window, is_other_held=self._letter_retry.is_at_work))
            is not None
        ):
            self._progress.holds(step.held_count > 0)
            self._progress.passed(window.through_seq, self._clock.now_us())
            await self._progress.save_sometimes(window)
            if step.is_stuck:
                await self._pause()

    async def _go_back(self, reader: Reader) -> None:
        """Begin at the place again: what windows had is lost with the process that sends."""
        name = self.rule.name
        place = (await self._store.run(SinkFile.places)).get(name)
        held = await self._store.run(lambda file: file.held(name))
        reader.go_back()
        self._is_open = False
        self._has_taken_all = False  # what is behind the place has waited for long enough
        self._go_on(reader, place, held)
        self._letter_retry.begin_again()

    async def _read(self, reader: Reader, window: RemoteWindow) -> None:
        """Take what comes next, if there is more."""
        await reader.fill()
        if not reader.has_batches:
            return
        if self._has_taken_all and not reader.is_behind:
            gather_s = self._gather_s * random.uniform(*_GATHER_SPREAD)  # noqa: S311 - no secret
            await self._sleep(min(gather_s, window.wait_s(), self._letter_retry.wait_s))
        batches = reader.take(_TURN_BATCHES, _TURN_ROWS, _TURN_BYTES)
        if not batches:  # others have come meanwhile, and put them out of memory: read back next
            return
        self._has_taken_all = not (reader.has_batches or reader.is_behind)
        window.add(batches, self._progress.begun)

    async def _rest(self, reader: Reader, window: RemoteWindow) -> None:
        """There is nothing to send now: write down what is settled, and wait."""
        if reader.is_behind and not window.has_fresh:
            return
        progress = self._progress
        if window.is_empty:
            progress.passed(reader.through_seq, self._clock.now_us())
        if not window.has_fresh:
            self.selection.drop_gone()
        if self._is_stopping:
            return
        wait_s = min(window.wait_s(), self._letter_retry.wait_s)
        if window.has_fresh:  # there is no room; what comes to the journal changes nothing
            await self._sleep(wait_s)
            return
        if not progress.is_saved:
            wait_s = min(wait_s, progress.save_in_s)
        try:
            async with asyncio.timeout(None if math.isinf(wait_s) else wait_s):
                await self._wake.wait()
        except TimeoutError:
            await progress.save_sometimes(window)

    async def _send_again(self) -> bool:
        """Send dead letters once that somebody asked for; whether there were some to send now."""
        retry = self._letter_retry
        if retry.has_to_read:
            await retry.read()
            await self.count_letters()
        if self._is_stopping or not retry.window.can_send:
            return False
        await self._step(retry.window, is_other_held=self._progress.is_held)
        retry.stepped()
        return True

    async def _step(self, window: RemoteWindow, *, is_other_held: bool) -> Step | None:
        """Send once, and keep what is refused; None if the engine cannot be opened.

        Args:
            is_other_held: whether something waits in the other window: then not all is well.
        """
        if not await self._ensure_open():
            if not self._is_stopping:
                await self._pause()
            return None
        step = await window.step()
        self._ends_in_a_row = 0
        if step.is_sent:
            held_count = max(step.held_count, is_other_held)
            self._record.note(step._replace(held_count=held_count), self._loop.time())
        if step.failure is not None:
            self._is_open = step.failure.kind is FailureKind.THROTTLED
        await self._record_refused(window)
        return step

    async def _may_go(self) -> None:
        """Wait while it is paused, or must not send at all."""
        while (self._is_paused or self._refusal is not None) and not self._is_stopping:
            await self._stand_still(math.inf)

    async def _stand_still(self, wait_s: float) -> None:
        """Sleep for as long at most; what is held is written down meanwhile, if that is due."""
        await self._sleep(min(wait_s, self._progress.keep_in_s))
        if not self._is_stopping:
            await self._progress.save_sometimes(self._remote.fresh)

    async def _ensure_open(self) -> bool:
        if self._is_open:
            return True
        try:
            await self._remote.open()
        except EngineFailed as error:
            if error.failure.code == ENDED:
                raise
            self._record.failed(error.failure)
            return False
        self._is_open = True
        return True

    async def _record_refused(self, window: RemoteWindow) -> None:
        """Write dead letters down; it goes on only when they are on disk."""
        refused = list(window.unrecorded)
        if not refused:
            return
        self._letter_retry.refused(refused)
        name, now_us = self.rule.name, self._clock.now_us()
        letters = [
            NewLetter(item_id, blob, reason[:REASON_CHARS_MAX], now_us)
            for item_id, blob, reason in refused
        ]
        reasons = list(dict.fromkeys(letter.reason for letter in letters))[:_REASONS_LOGGED_MAX]
        log.warning("sink_items_refused", rule=name, count=len(letters), reasons=reasons)
        while True:
            try:
                await self._store.run(lambda file: file.add_letters(name, letters))
                break
            except StorageFailed as error:
                self._record.failed(Failure(FailureKind.UNKNOWN, "storage", str(error), ""))
                if self._is_stopping:
                    raise
                await self._pause()
        window.recorded(len(refused))
        counts = await self._store.run(SinkFile.letter_counts)
        self.letter_count = counts.get(name, 0)
        # The file would look at each letter for that, so it is asked only when it matters: one that
        # is refused once more counts twice until then.
        self._letter_bytes += sum(len(letter.item) for letter in letters)
        if self._is_full:
            await self.count_letters()

    async def count_letters(self) -> None:
        """Look at how many dead letters there are, and how large they are."""
        name = self.rule.name
        self.letter_count, self._letter_bytes = await self._store.run(
            lambda file: file.letters_size(name)
        )

    async def _pause(self) -> None:
        await self._sleep(self._record.pause_s())

    async def _sleep(self, pause_s: float) -> None:
        """Sleep, unless it is time to stop or somebody asks for haste, or has since last time."""
        if self._is_stopping or pause_s <= 0:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None if math.isinf(pause_s) else pause_s):
                await self._hurry.wait()
        self._hurry.clear()


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
