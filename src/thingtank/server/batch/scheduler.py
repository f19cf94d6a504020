"""Runs what is due, one job after another, and writes down what came of it."""

import asyncio
import contextlib
import shutil
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import msgspec
import structlog

from thingtank.server.batch.child import Ran, RunFailed, run_batch
from thingtank.server.batch.schedule import (
    RUN_FOLDER,
    Schedule,
    after_run,
    due_us,
    inputs_for,
    may_run,
    newest_span,
    run_folder,
)
from thingtank.server.batch.schedules import NoSuchSchedule, Schedules
from thingtank.tank.access import OPERATOR
from thingtank.tank.actions.datapoints import record_datapoints
from thingtank.tank.batch import BatchResult, BatchRun, Span
from thingtank.tank.changes import DatastreamWrite
from thingtank.tank.errors import TankError
from thingtank.tank.tank import Tank

log = structlog.get_logger()

LOOK_S_MAX = 30.0  # a clock that jumped is noticed by then

Run = Callable[[Sequence[str], Path, float], Awaitable[Ran]]


class Running(msgspec.Struct, frozen=True):
    """The run under way."""

    schedule: Schedule
    begun_us: int


class Totals(msgspec.Struct):
    """Of one schedule since the start."""

    run_count: int = 0
    failed_count: int = 0


class Scheduler:
    """From `start` to `stop`; lives in the loop's thread."""

    def __init__(
        self, tank: Tank, schedules: Schedules, folder: Path, run: Run = run_batch
    ) -> None:
        """Run nothing yet.

        Args:
            folder: the data folder, which jobs read the archive of.
            run: as `run_batch`.
        """
        self._tank = tank
        self._schedules = schedules
        self._folder = folder
        self._run_batch = run
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._totals: dict[str, Totals] = {}
        self.running: Running | None = None
        schedules.on_change(self._wake.set)

    def totals(self, name: str) -> Totals:
        """Runs of a schedule that have ended."""
        return self._totals.get(name, Totals())

    def begun_us(self, schedule: Schedule) -> int | None:
        """When the run of it that is under way began; None when none is."""
        running = self.running
        if running is None or not _is_same(running.schedule, schedule):
            return None  # or the run is one of a schedule that had its name before
        return running.begun_us

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._run(), name="batch-scheduler")

    async def stop(self) -> None:
        """End; a run under way is broken off, and made up for at the next start."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            try:
                wait_s = await self._run_due()
            except Exception:
                log.exception("batch_scheduler_failed")
                wait_s = LOOK_S_MAX
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._wake.wait()

    async def _run_due(self) -> float:
        """Run the one that has been due for longest; for how long nothing is due otherwise."""
        due = filter(may_run, self._schedules.all())
        schedule = min(due, key=due_us, default=None)
        if schedule is None:
            return LOOK_S_MAX
        now_us = self._tank.clock.now_us()
        pause_s = (due_us(schedule) - now_us) / 1e6
        if pause_s > 0:
            return min(pause_s, LOOK_S_MAX)
        await self._run_one(schedule, newest_span(schedule.every_s, now_us), now_us)
        return 0.0

    async def _run_one(self, schedule: Schedule, span: Span, now_us: int) -> None:
        name = run_folder(span, now_us if _was_begun(schedule, span) else None)
        self._schedules.put(msgspec.structs.replace(schedule, begun=span))
        output = f"{schedule.output.rstrip('/')}/{name}"
        words = [*schedule.options, "--output", output, "--data", str(self._folder.absolute())]
        for text in inputs_for(schedule, span):
            words += ["--input", text]
        log.info("batch_run_started", schedule=schedule.name, output=output)
        begin_s = time.monotonic()
        self.running = Running(schedule, now_us)
        ran, problem = None, ""
        try:
            found = await self._run_batch(words, Path(schedule.folder), schedule.run_s_max)
            await self._record(schedule, span, found.count)
            ran = found
        except (RunFailed, TankError) as error:
            problem = str(error)
        finally:
            self.running = None
        duration_s = time.monotonic() - begin_s
        if self._is_there(schedule):
            output_folder = Path(schedule.folder, schedule.output)
            await asyncio.to_thread(_remove_old, output_folder, schedule.keep_count)
        if ran is None:
            self._note(schedule, BatchRun(now_us, span, duration_s, output, problem), None)
            log.warning("batch_run_failed", schedule=schedule.name, reason=problem)
            return
        run = BatchRun(
            now_us, span, duration_s, output, "", ran.count, ran.input_lines, ran.output_lines
        )
        self._note(schedule, run, BatchResult(now_us, span, output, ran.top, ran.head))
        log.info("batch_run_ended", schedule=schedule.name, count=ran.count)

    async def _record(self, schedule: Schedule, span: Span, count: int) -> None:
        """Write the count to the feed: none at the beginning of the span, all at its end.

        So a trigger fires for each span in which the count is beyond its limit, as it falls to none
        between two of them.
        """
        if schedule.feed_id is None or not self._is_there(schedule):
            return
        write = DatastreamWrite(
            schedule.channel, (span.start_us + 1, span.end_us), ("0", str(count))
        )
        await record_datapoints(
            self._tank, OPERATOR, schedule.feed_id, [write], creates_missing=True
        )

    def _note(self, begun: Schedule, run: BatchRun, result: BatchResult | None) -> None:
        if not self._is_there(begun):
            self._totals.pop(begun.name, None)
            return
        totals = self._totals.setdefault(begun.name, Totals())
        totals.run_count += 1
        totals.failed_count += result is None
        self._schedules.put(after_run(self._schedules.get(begun.name), run, result))

    def _is_there(self, schedule: Schedule) -> bool:
        """Whether it has not been removed meanwhile, and made again or not."""
        try:
            return _is_same(self._schedules.get(schedule.name), schedule)
        except NoSuchSchedule:
            return False


def _is_same(one: Schedule, other: Schedule) -> bool:
    """Whether they are the same schedule, now and before: one of a name may be made again."""
    return (one.name, one.made_us) == (other.name, other.made_us)


def _was_begun(schedule: Schedule, span: Span) -> bool:
    """Whether a run of that span may have output: it ended, was broken off, or was killed."""
    if schedule.begun == span or (schedule.last is not None and schedule.last.span == span):
        return True
    return Path(schedule.folder, schedule.output, run_folder(span)).exists()


def _remove_old(output: Path, keep_count: int) -> None:
    """Remove the output of old runs, where it is on this machine."""
    if not output.is_dir():
        return
    runs = sorted(path for path in output.iterdir() if RUN_FOLDER.fullmatch(path.name))
    for old in runs[:-keep_count]:
        shutil.rmtree(old, ignore_errors=True)
