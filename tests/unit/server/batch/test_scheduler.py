"""When scheduled jobs run, for which span of time, and what is kept of them."""

import asyncio
import datetime
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.deliveries import SettableClock
from tests.waiting import wait_until

from thingtank.server.batch import schedule as schedule_module
from thingtank.server.batch import schedules as schedules_module
from thingtank.server.batch.alerts import Alerts
from thingtank.server.batch.changes import (
    Alert,
    add_schedule,
    pause_schedule,
    remove_schedule,
    run_again,
)
from thingtank.server.batch.child import PROBLEM_CHARS_MAX, Ran, RunFailed, run_batch
from thingtank.server.batch.schedule import (
    SETTLE_US,
    Schedule,
    due_us,
    inputs_for,
    newest_span,
    run_folder,
)
from thingtank.server.batch.scheduler import Scheduler, Totals
from thingtank.server.batch.schedules import NoSuchSchedule, Schedules
from thingtank.stores.memory_archive import MemoryArchive
from thingtank.stores.memory_directory import MemoryDirectory
from thingtank.tank.batch import BatchAlert, Span
from thingtank.tank.errors import LimitReached, StorageFailed
from thingtank.tank.events import TriggerFired
from thingtank.tank.tank import Tank
from thingtank.tank.things import Device
from thingtank.tank.trigger_rules import Firing
from thingtank.tank.triggers import Trigger

S = 1_000_000
SOON_S_MAX = 25.0  # less than LOOK_S_MAX, by which the scheduler looks anyway


def us(text: str) -> int:
    return int(datetime.datetime.fromisoformat(f"{text}+00:00").timestamp()) * S


TEN, ELEVEN = us("2026-11-27T10:00:00"), us("2026-11-27T11:00:00")


def hourly(folder: Path, **more: Any) -> Schedule:
    plain = Schedule(
        "count", ["--job", "sequence-count"], ["log-{day}-{hour}.txt", "archive:?start={start}&end={end}"],
        "out", str(folder), 3600, TEN,
    )  # fmt: skip
    return msgspec.structs.replace(plain, **more)


def test_a_span_is_over_a_little_after_its_end() -> None:
    before, after = newest_span(3600, ELEVEN + SETTLE_US - 1), newest_span(3600, ELEVEN + SETTLE_US)
    assert (before.end_us, after) == (TEN, Span(TEN, ELEVEN))
    assert newest_span(86_400, ELEVEN).end_us == us("2026-11-27T00:00:00")


def test_inputs_name_the_span(tmp_path: Path) -> None:
    assert inputs_for(hourly(tmp_path), Span(TEN, ELEVEN)) == [
        "log-2026-11-27-10.txt",
        "archive:?start=2026-11-27T10:00:00Z&end=2026-11-27T11:00:00Z",
    ]
    assert run_folder(Span(TEN, ELEVEN)) == "2026-11-27T10-00-00"


def test_schedules_are_kept_in_the_folder(tmp_path: Path) -> None:
    schedules = Schedules(tmp_path)
    assert schedules.all() == []
    schedules.put(hourly(tmp_path))
    assert Schedules(tmp_path).get("count") == hourly(tmp_path)
    assert (tmp_path / "batch.json").stat().st_mode & 0o777 == 0o600
    with pytest.raises(NoSuchSchedule, match="no schedule other"):
        schedules.remove("other")
    schedules.remove("count")
    assert Schedules(tmp_path).all() == []


def test_schedules_of_an_older_version_are_read(tmp_path: Path) -> None:
    fields = msgspec.to_builtins(hourly(tmp_path))
    del fields["made_us"]
    (tmp_path / "batch.json").write_bytes(msgspec.json.encode([fields]))
    assert Schedules(tmp_path).get("count") == hourly(tmp_path)


def test_there_are_only_so_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedules_module, "SCHEDULES_MAX", 2)
    schedules = Schedules(tmp_path)
    for number in range(2):
        schedules.put(hourly(tmp_path, name=f"n{number}"))
    with pytest.raises(LimitReached):
        schedules.put(hourly(tmp_path))
    schedules.put(hourly(tmp_path, name="n0", every_s=60))


def test_a_file_of_nonsense_is_named_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "batch.json").write_text("[{}]")
    with pytest.raises(StorageFailed, match=r"batch\.json cannot be used"):
        Schedules(tmp_path).put(hourly(tmp_path))
    assert (tmp_path / "batch.json").read_text() == "[{}]"


class Runs:
    """Stands for the runs' processes: counts, or fails, as it is told."""

    def __init__(self, *results: int | RunFailed) -> None:
        self._results = iter(results)
        self.words: list[Sequence[str]] = []

    async def __call__(self, words: Sequence[str], folder: Path, run_s_max: float) -> Ran:
        self.words.append(words)
        result = next(self._results)
        if isinstance(result, RunFailed):
            raise result
        return Ran([("123", result)], input_lines=9, output_lines=1)


class World:
    """A tank with a device, schedules, and a scheduler that is started."""

    def __init__(self, folder: Path, *results: int | RunFailed) -> None:
        self.clock = SettableClock(ELEVEN)
        self.directory, self.archive = MemoryDirectory(), MemoryArchive()
        self.tank = Tank(self.directory, self.archive, clock=self.clock)
        self.schedules = Schedules(folder)
        self.runs = Runs(*results)
        self.scheduler = Scheduler(self.tank, self.schedules, folder, self.runs)

    async def settled(self, count: int) -> Schedule:
        """The schedule after so many runs, once the last is noted."""
        async with asyncio.timeout(SOON_S_MAX):
            while not self._has_settled(count):  # noqa: ASYNC110 - nobody is told
                await asyncio.sleep(0)
        return self.schedules.get("count")

    def _has_settled(self, count: int) -> bool:
        last = self.schedules.get("count").last
        return len(self.runs.words) == count and last is not None and last.at_us == self.clock.us


@asynccontextmanager
async def world(folder: Path, *results: int | RunFailed) -> AsyncIterator[World]:
    found = World(folder, *results)
    yield found
    await found.scheduler.stop()


async def test_a_job_runs_when_its_span_is_over_and_not_before(tmp_path: Path) -> None:
    async with world(tmp_path, 7) as one:
        one.schedules.put(hourly(tmp_path))
        one.scheduler.start()
        await asyncio.sleep(0)
        assert one.runs.words == []
        one.clock.us = ELEVEN + SETTLE_US
        one.schedules.put(hourly(tmp_path))  # as a clock that jumps is noticed later
        found = await one.settled(1)
    assert found.last is not None
    assert (found.done_us, found.last.count, found.last.problem) == (ELEVEN, 7, "")
    assert due_us(found) == ELEVEN + 3600 * S + SETTLE_US
    [words] = one.runs.words
    assert list(words) == [
        "--job", "sequence-count", "--output", "out/2026-11-27T10-00-00", "--data", str(tmp_path),
        "--input", "log-2026-11-27-10.txt",
        "--input", "archive:?start=2026-11-27T10:00:00Z&end=2026-11-27T11:00:00Z",
    ]  # fmt: skip


async def test_of_runs_that_were_missed_the_newest_is_made_up_for(tmp_path: Path) -> None:
    async with world(tmp_path, 1) as one:
        one.schedules.put(hourly(tmp_path, done_us=TEN - 50 * 3600 * S))
        one.clock.us = ELEVEN + SETTLE_US
        one.scheduler.start()
        found = await one.settled(1)
    assert found.last is not None
    assert found.last.span == Span(TEN, ELEVEN)
    assert len(one.runs.words) == 1


async def test_a_run_that_fails_says_why_and_the_next_comes_in_its_time(tmp_path: Path) -> None:
    async with world(tmp_path, RunFailed("the mapper ended with exit status 1"), 3) as one:
        one.schedules.put(hourly(tmp_path))
        one.clock.us = ELEVEN + SETTLE_US
        one.scheduler.start()
        failed = await one.settled(1)
        one.clock.us += 3600 * S
        one.schedules.put(failed)
        found = await one.settled(2)
    assert failed.last is not None
    assert (failed.done_us, failed.last.problem) == (ELEVEN, "the mapper ended with exit status 1")
    assert found.last is not None
    assert found.last.count == 3


async def test_runs_are_kept_newest_first_with_the_output_of_the_newest_that_succeeded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule_module, "RUNS_KEPT", 3)
    failure = RunFailed("it broke\n" + "x" * 2000)
    async with world(tmp_path, 1, 2, failure, failure) as one:
        one.schedules.put(hourly(tmp_path))
        one.clock.us = ELEVEN + SETTLE_US
        one.scheduler.start()
        for count in (1, 2, 3, 4):
            found = await one.settled(count)
            one.clock.us += 3600 * S
            one.schedules.put(found)
        assert one.scheduler.totals("count") == Totals(4, 2)
    kept = Schedules(tmp_path).get("count")
    assert kept.last is not None
    assert [run.problem[:8] for run in (kept.last, *kept.earlier)] == ["it broke", "it broke", ""]
    assert [len(run.problem) for run in (kept.last, *kept.earlier)] == [2009, 300, 0]
    assert (kept.earlier[-1].count, kept.earlier[-1].input_lines) == (2, 9)
    assert kept.result is not None
    assert (kept.result.top, kept.result.at_us) == ([("123", 2)], kept.earlier[-1].at_us)


async def test_a_schedule_that_is_paused_runs_only_when_somebody_asks(tmp_path: Path) -> None:
    async with world(tmp_path, 1, 2) as one:
        one.schedules.put(hourly(tmp_path))
        pause_schedule(one.schedules, "count", True)
        one.clock.us = ELEVEN + SETTLE_US
        one.scheduler.start()
        for _ in range(20):
            await asyncio.sleep(0)
        assert one.runs.words == []
        run_again(one.tank, one.schedules, "count")
        found = await one.settled(1)
        assert (found.is_paused, found.is_asked) == (True, False)
        one.clock.us += 3600 * S
        pause_schedule(one.schedules, "count", False)
        await one.settled(2)


async def test_a_firing_of_its_trigger_is_kept_as_an_alert(tmp_path: Path) -> None:
    async with world(tmp_path) as one:
        alerts = Alerts(one.tank.bus, one.schedules)
        one.schedules.put(hourly(tmp_path, trigger_id=7))
        firing = Firing(ELEVEN + S, ELEVEN, "12")
        ours = Trigger(7, 1, 1, "count", "gt", "10")
        for event in (
            TriggerFired(ours, firing),
            TriggerFired(ours, firing, is_test=True),
            TriggerFired(msgspec.structs.replace(ours, trigger_id=8), firing),
        ):
            one.tank.bus.publish(event)
    assert Schedules(tmp_path).get("count").alerts == [BatchAlert(ELEVEN + S, ELEVEN, "12", "10")]
    assert alerts.counts == {"count": 1}


async def test_counts_become_datapoints_that_fall_to_none_between_spans(tmp_path: Path) -> None:
    async with world(tmp_path, 7, 9) as one:
        account_id = one.directory.add_account("alice").account_id
        draft = Device(0, "uuid", account_id, "Machine", created_us=0, updated_us=0)
        device = await one.directory.insert_device(draft, [], "token", None)
        one.schedules.put(hourly(tmp_path, feed_id=device.device_id, channel="sequence"))
        one.clock.us = ELEVEN + SETTLE_US
        one.scheduler.start()
        first = await one.settled(1)
        one.clock.us += 3600 * S
        one.schedules.put(first)
        await one.settled(2)
    stream_id = one.directory.datastreams(device.device_id)["sequence"].stream_id
    found = await one.archive.read([stream_id], 0, ELEVEN + 7200 * S, 100)
    assert [(point.at_us, point.value) for point in found[stream_id]] == [
        (TEN + 1, "0"), (ELEVEN, "7"), (ELEVEN + 1, "0"), (ELEVEN + 3600 * S, "9"),
    ]  # fmt: skip


@pytest.mark.parametrize("is_made_again", [True, False])
async def test_a_run_of_a_schedule_that_is_removed_leaves_no_count_and_no_outcome(
    tmp_path: Path, is_made_again: bool
) -> None:
    begun, may_end = asyncio.Event(), asyncio.Event()

    async def run_until_told(words: Sequence[str], folder: Path, run_s_max: float) -> Ran:
        ran = await one.runs(words, folder, run_s_max)
        begun.set()
        await may_end.wait()
        return ran

    one = World(tmp_path, 7, 9)
    scheduler = Scheduler(one.tank, one.schedules, tmp_path, run_until_told)
    account_id = one.directory.add_account("alice").account_id
    device = await one.directory.insert_device(
        Device(0, "uuid", account_id, "Machine", created_us=0, updated_us=0), [], "token", None
    )
    old = hourly(tmp_path, feed_id=device.device_id, channel="old", keep_count=1)
    await add_schedule(one.tank, one.schedules, old, Alert())
    one.clock.us = ELEVEN + SETTLE_US
    scheduler.start()
    await begun.wait()
    assert scheduler.begun_us(one.schedules.get("count")) is not None
    await remove_schedule(one.tank, one.schedules, "count")
    for name in ("2026-11-27T08-00-00", "2026-11-27T09-00-00"):
        (tmp_path / "out" / name).mkdir(parents=True)
    if is_made_again:
        new = hourly(tmp_path, options=["--job", "other"], feed_id=device.device_id, channel="new")
        new = await add_schedule(one.tank, one.schedules, new, Alert())
        run_again(one.tank, one.schedules, "count")
        assert scheduler.begun_us(new) is None
    may_end.set()
    if is_made_again:
        found = await one.settled(2)
        assert list(one.runs.words[1])[:2] == ["--job", "other"]
        assert (found.earlier, found.result and found.result.top) == ([], [("123", 9)])
    else:
        async with asyncio.timeout(SOON_S_MAX):
            while scheduler.running is not None:  # noqa: ASYNC110 - nobody is told
                await asyncio.sleep(0)
    await scheduler.stop()
    assert scheduler.totals("count") == Totals(int(is_made_again), 0)
    assert len(list((tmp_path / "out").iterdir())) == 2
    stream_id = one.directory.datastreams(device.device_id)["old"].stream_id
    found_points = await one.archive.read([stream_id], 0, ELEVEN + 7200 * S, 100)
    assert [point.value for point in found_points[stream_id]] == ["0"]  # as it was made


async def test_a_feed_that_is_gone_is_a_problem_of_the_run(tmp_path: Path) -> None:
    async with world(tmp_path, 7) as one:
        one.schedules.put(hourly(tmp_path, feed_id=404, channel="sequence"))
        one.clock.us = ELEVEN + SETTLE_US
        one.scheduler.start()
        found = await one.settled(1)
    assert found.last is not None
    assert "404" in found.last.problem


async def test_output_of_old_runs_goes_and_nothing_else(tmp_path: Path) -> None:
    for name in ("2026-11-27T07-00-00", "2026-11-27T08-00-00", "2026-11-27T09-00-00", "mine"):
        (tmp_path / "out" / name).mkdir(parents=True)
    async with world(tmp_path, 7) as one:
        one.schedules.put(hourly(tmp_path, keep_count=2))
        one.clock.us = ELEVEN + SETTLE_US
        one.scheduler.start()
        await one.settled(1)
    left = {path.name for path in (tmp_path / "out").iterdir()}
    assert left == {"2026-11-27T08-00-00", "2026-11-27T09-00-00", "mine"}


async def test_a_run_is_a_process_that_counts(tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_text("123\n9123\n")
    words = ["--job", "sequence-count", "--input", "log.txt", "--output", "out"]
    assert await run_batch(words, tmp_path, 60) == Ran([("123", 2)], [], 2, 1)
    with pytest.raises(RunFailed, match="out exists already"):
        await run_batch(words, tmp_path, 60)


async def test_a_run_that_fails_says_what_failed_and_its_last_words(tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_text("123\n")
    mapper = f"sh -c 'yes {'y' * 150} | head -n 40 >&2; echo last words >&2; exit 3'"
    words = ["--mapper", mapper, "--reducer", "cat", "--input", "log.txt", "--output", "out"]
    with pytest.raises(RunFailed) as failed:
        await run_batch(words, tmp_path, 60)
    first, *_, last = str(failed.value).splitlines()
    assert first.endswith("ended with exit status 3; the last it wrote to standard error:")
    assert last == "  last words"
    assert len(str(failed.value)) <= PROBLEM_CHARS_MAX + 1


async def test_a_run_that_is_killed_says_so(tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_text("123\n")
    mapper = "sh -c 'kill -9 $(ps -o ppid= -p $PPID)'"  # the job, above the worker
    words = ["--mapper", mapper, "--reducer", "cat", "--input", "log.txt", "--output", "out"]
    with pytest.raises(RunFailed, match="it was ended by SIGKILL, and said nothing"):
        await run_batch(words, tmp_path, 60)


async def test_a_run_that_takes_too_long_is_ended_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_text("123\n")
    words = ["--mapper", "sleep 60", "--reducer", "cat", "--input", "log.txt", "--output", "out"]
    with pytest.raises(RunFailed, match="took longer than 1 s, and was ended"):
        await run_batch(words, tmp_path, 1.0)
    assert os.listdir(tmp_path) == ["log.txt"]


async def test_a_run_that_was_killed_with_the_server_is_made_again_beside_it(
    tmp_path: Path,
) -> None:
    (tmp_path / "out" / "2026-11-27T10-00-00").mkdir(parents=True)
    async with world(tmp_path, 7) as one:
        one.schedules.put(hourly(tmp_path))
        one.clock.us = ELEVEN + SETTLE_US
        one.scheduler.start()
        found = await one.settled(1)
    assert found.last is not None
    assert found.last.output == f"out/2026-11-27T10-00-00-again-{one.clock.us // S}"


async def test_a_run_that_is_broken_off_is_made_again_beside_what_it_may_have_left(
    tmp_path: Path,
) -> None:
    begun = asyncio.Event()

    async def run_for_ever(*_: object) -> Ran:
        begun.set()
        await asyncio.Event().wait()
        return Ran([])

    one = World(tmp_path, 7)
    place = "s3://mybucket/out"  # which nobody here can look into
    one.schedules.put(hourly(tmp_path, output=place))
    one.clock.us = ELEVEN + SETTLE_US
    stopped = Scheduler(one.tank, one.schedules, tmp_path, run_for_ever)
    stopped.start()
    await begun.wait()
    await stopped.stop()
    assert Schedules(tmp_path).get("count").begun == Span(TEN, ELEVEN)
    one.scheduler.start()
    found = await one.settled(1)
    await one.scheduler.stop()
    assert found.last is not None
    assert found.last.output == f"{place}/2026-11-27T10-00-00-again-{one.clock.us // S}"
    assert found.begun is None


def test_a_run_ends_with_the_server_that_started_it(tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_text("123\n")
    mapper = "sh -c 'echo $$ > mapper.pid; exec sleep 600'"
    words = ["--mapper", mapper, "--reducer", "cat", "--input", "log.txt", "--output", "out"]
    program = (
        "import asyncio, pathlib; from thingtank.server.batch.child import run_batch;"
        f"asyncio.run(run_batch({words!r}, pathlib.Path('.'), 60))"
    )
    with subprocess.Popen([sys.executable, "-c", program], cwd=tmp_path) as server:
        wait_until((tmp_path / "mapper.pid").exists)
        server.kill()
    # Less than what a run may take.
    wait_until(lambda: set(os.listdir(tmp_path)) == {"log.txt", "mapper.pid"}, s_max=30.0)
