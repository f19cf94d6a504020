"""The cold tier beside its memory twin: the same answers whatever was compacted when, or crashed."""

import errno
import os
import random
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import pytest
from tests.unit.stores.memory_history import MemoryHistory

from thingtank.stores.archive_settings import ArchiveSettings
from thingtank.stores.history import stream_reader
from thingtank.stores.history.store import HistoryStore
from thingtank.stores.history.stream_reader import StreamReader
from thingtank.stores.rows import Deletion, Overlay, Rows
from thingtank.tank.datapoints import AT_US_MAX, AT_US_MIN, Bucket, Datapoint, DatapointColumns
from thingtank.tank.errors import StorageFailed

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
START_US = 1_767_225_600_000_000 - 3 * DAY_US  # so that a month ends within
STREAMS = [1, 2, 3]
VALUES = ["1", "2.5", "-3", "007", "on", "", "1e5"]


class FixedClock:
    """Stands still unless told."""

    def __init__(self) -> None:
        self.at_us = START_US + 90 * DAY_US

    def now_us(self) -> int:
        return self.at_us


def open_store(folder: Path, clock: FixedClock) -> HistoryStore:
    return HistoryStore.open(folder, ArchiveSettings(), clock)


def rows_of(points: list[tuple[int, int, str]]) -> Rows:
    columns = DatapointColumns()
    for stream_id, at_us, value in points:
        columns.add(stream_id, at_us, value)
    return Rows(
        np.array(columns.stream_ids, dtype=np.int32),
        np.array(columns.at_us, dtype=np.int64),
        np.array(columns.numbers, dtype=np.float64),
        columns.texts,
    )


class Twins:
    """The store and its twin, given the same."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.clock, self.chance = folder, FixedClock(), random.Random(seed)
        self.store, self.twin = open_store(folder, self.clock), MemoryHistory()
        self.seq = 0

    def instant(self) -> int:
        # Few enough to meet again, over a turn of months, on and off the hour.
        return START_US + self.chance.randrange(6 * 24 * 4) * (HOUR_US // 4)

    def points(self, count: int) -> list[tuple[int, int, str]]:
        chance = self.chance
        return [
            (chance.choice(STREAMS), self.instant(), chance.choice(VALUES)) for _ in range(count)
        ]

    def range(self) -> tuple[int, int]:
        start_us, end_us = sorted([self.instant(), self.instant()])
        return start_us, end_us + 1

    def apply(self) -> None:
        changes: list[Rows | Deletion] = []
        for _ in range(self.chance.randrange(1, 4)):
            if self.chance.random() < 0.25:
                streams = self.chance.sample(STREAMS, self.chance.randrange(1, 3))
                changes.append(Deletion(streams, *self.range()))
            else:
                changes.append(rows_of(self.points(self.chance.randrange(1, 60))))
        self.seq += 1
        for history in (self.store, self.twin):
            history.apply(changes, self.seq)

    def compact(self) -> None:
        self.clock.at_us += self.chance.choice([0, DAY_US])
        self.store.compact(START_US + self.chance.choice([2, 4, 6, 60]) * DAY_US)

    def reopen(self) -> None:
        self.store.close()
        self.store = open_store(self.folder, self.clock)

    def check(self) -> None:
        chance = self.chance
        overlay = None
        if chance.random() < 0.5:
            deletions = [Deletion([chance.choice(STREAMS)], *self.range())]
            newest = {(s, at): v for s, at, v in self.points(10)}
            overlay = Overlay(rows_of([(s, at, v) for (s, at), v in newest.items()]), deletions)
        start_us, end_us = (AT_US_MIN, AT_US_MAX + 1) if chance.random() < 0.3 else self.range()
        limit, newest_first = chance.choice([1, 3, 50, 100_000]), chance.random() < 0.5
        asked = (STREAMS, start_us, end_us, limit, newest_first, overlay)
        assert self.store.read(*asked) == self.twin.read(*asked)
        before = (STREAMS, end_us, overlay)
        assert self.store.read_last_before(*before) == self.twin.read_last_before(*before)
        interval_us = chance.choice([HOUR_US // 4, HOUR_US, 3 * HOUR_US, DAY_US, 7 * HOUR_US // 5])
        origin_us = chance.choice([0, HOUR_US, HOUR_US // 2])
        steps = (STREAMS, start_us, end_us, interval_us, origin_us, limit, overlay)
        assert self.store.read_buckets(*steps) == self.twin.read_buckets(*steps)


@pytest.mark.parametrize("seed", range(6))
def test_what_is_compacted_when_makes_no_difference(seed: int, tmp_path: Path) -> None:
    twins = Twins(tmp_path, seed)
    for _ in range(20):
        twins.chance.choices([twins.apply, twins.compact, twins.reopen], [6, 3, 1])[0]()
        twins.check()
    twins.store.compact(AT_US_MAX + 1)
    twins.check()
    twins.store.close()


class PowerCut(BaseException):
    """The process ends here."""


def cut_at(step: str) -> Callable[[str], None]:
    """What a compaction calls at each step; the process ends at this one."""

    def cut(reached: str) -> None:
        if reached == step:
            raise PowerCut

    return cut


STEPS = ["rows written", "roll-up written", "named", "switched"]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("is_second", [False, True], ids=["first segment", "over a segment"])
def test_a_crash_at_any_step_leaves_each_datapoint_once(
    step: str, is_second: bool, tmp_path: Path
) -> None:
    twins = Twins(tmp_path, 7)
    for _ in range(6):
        twins.apply()
    if is_second:
        twins.store.compact(AT_US_MAX + 1)
        twins.clock.at_us += 2 * DAY_US
        twins.apply()

    twins.store.compactor.step = cut_at(step)
    with pytest.raises(PowerCut):
        twins.store.compact(AT_US_MAX + 1)
    twins.reopen()
    for _ in range(10):
        twins.check()
    named = {
        path.relative_to(tmp_path / "cold").as_posix() for path in (tmp_path / "cold").rglob("*.*")
    }
    assert len(named) == 2 * twins.store.stats().segment_count  # no leftovers
    twins.clock.at_us += 2 * DAY_US
    twins.store.compact(AT_US_MAX + 1)
    for _ in range(10):
        twins.check()
    twins.store.close()


def test_files_that_are_read_in_another_order_the_second_time_are_told_of_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(tmp_path, FixedClock())
    store.apply([rows_of([(1, START_US + each, word) for each, word in enumerate("abc")])], 1)
    store.compact(AT_US_MAX + 1)
    turned = f"{stream_reader._ALL_COLD_TEXTS} ORDER BY at_us DESC"
    monkeypatch.setattr(stream_reader, "_ALL_COLD_TEXTS", turned)
    with pytest.raises(StorageFailed, match=r"datastream 1 could not be read: .* ask again"):
        store.read_buckets([1], START_US, START_US + 10, 5, 0, 10, None)
    store.close()


@pytest.mark.parametrize("step", ["rows written", "named"])
def test_what_happens_during_a_compaction_is_not_lost(step: str, tmp_path: Path) -> None:
    twins = Twins(tmp_path, 11)
    twins.apply()
    twins.apply()

    def meanwhile(name: str) -> None:
        if name == step:
            for _ in range(5):
                twins.apply()
            twins.check()

    twins.store.compactor.step = meanwhile
    twins.store.compact(AT_US_MAX + 1)
    twins.store.compactor.step = lambda _name: None
    for _ in range(20):
        twins.check()
    twins.clock.at_us += 2 * DAY_US
    twins.store.compact(AT_US_MAX + 1)
    twins.check()
    twins.store.close()


def filled(tmp_path: Path) -> HistoryStore:
    store = open_store(tmp_path, FixedClock())
    store.apply([rows_of([(1, START_US + k * HOUR_US, str(k)) for k in range(100)])], 1)
    return store


def test_only_whole_periods_that_are_over_are_compacted(tmp_path: Path) -> None:
    store = filled(tmp_path)
    assert store.compact(START_US + DAY_US - 1).done_count == 0
    assert store.compact(START_US + 2 * DAY_US).done_count == 2
    stats = store.stats()
    assert (stats.cold_rows, stats.hot_rows, stats.segment_count) == (48, 52, 2)
    assert store.compact(START_US + 2 * DAY_US).done_count == 0
    store.close()


def test_days_become_a_month_once_it_is_over(tmp_path: Path) -> None:
    store = filled(tmp_path)
    store.compact(START_US + 3 * DAY_US)
    assert store.stats().segment_count == 3
    store.compact(START_US + 40 * DAY_US)
    assert (store.stats().segment_count, store.stats().hot_rows) == (2, 0)
    store.close()
    reopened = open_store(tmp_path, FixedClock())
    months = sorted(path.name for path in (tmp_path / "cold").iterdir())
    assert months == ["month=2025-12", "month=2026-01"]
    reopened.close()


def hourly(store: HistoryStore) -> dict[int, list[Bucket]]:
    return store.read_buckets([1], START_US, START_US + 40 * DAY_US, HOUR_US, 0, 1000, None)


def test_the_days_of_a_month_share_their_rollups(tmp_path: Path) -> None:
    store = filled(tmp_path)
    whole = hourly(store)
    for day in range(1, 4):
        store.compact(START_US + day * DAY_US)
        assert hourly(store) == whole
    with store._database.snapshot() as connection:
        months = connection.execute(
            "SELECT count(DISTINCT rollup) FROM segments GROUP BY month(epoch_ms(start_us // 1000))"
        ).fetchall()
    assert set(months) == {(1,)}
    store.close()
    reopened = open_store(tmp_path, FixedClock())  # and leaves no file that nobody names
    assert hourly(reopened) == whole
    names = {path.name for path in (tmp_path / "cold").rglob("*.rollup.parquet")}
    assert len(names) == len(months)
    reopened.close()


def test_the_rollups_of_a_day_that_is_emptied_go_and_the_other_days_stay(tmp_path: Path) -> None:
    store = filled(tmp_path)
    store.compact(START_US + 3 * DAY_US)
    day_us = START_US + DAY_US
    store.apply([Deletion([1], day_us, day_us + DAY_US)], 2)
    expected = hourly(store)
    clock = store.compactor._clock
    assert isinstance(clock, FixedClock)
    clock.at_us += 2 * DAY_US
    store.compact(START_US + 3 * DAY_US)
    assert store.stats().segment_count == 2
    assert hourly(store) == expected
    store.close()


@pytest.mark.parametrize("step", STEPS)
def test_a_crash_while_a_day_joins_the_others_leaves_each_hour_once(
    step: str, tmp_path: Path
) -> None:
    store = filled(tmp_path)
    whole = hourly(store)
    store.compact(START_US + 2 * DAY_US)
    store.compactor.step = cut_at(step)
    with pytest.raises(PowerCut):
        store.compact(START_US + 3 * DAY_US)
    store.close()
    reopened = open_store(tmp_path, FixedClock())
    assert hourly(reopened) == whole
    reopened.compact(START_US + 3 * DAY_US)
    assert hourly(reopened) == whole
    assert reopened.stats().segment_count == 3
    reopened.close()


def test_a_day_that_is_written_anew_takes_the_days_of_its_file_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = filled(tmp_path)
    store.compact(START_US + 2 * DAY_US)  # two days in one file
    monkeypatch.setattr("thingtank.stores.history.compaction.SHARED_ROLLUP_ROWS_MAX", 1)
    store.compact(START_US + 3 * DAY_US)  # the third is too much for it
    rollups = {path.name for path in (tmp_path / "cold").rglob("day-2025-12-31*.rollup.parquet")}
    assert len(rollups) == 1
    store.apply([rows_of([(1, START_US + k, str(k)) for k in range(50)])], 2)
    whole = hourly(store)
    clock = store.compactor._clock
    assert isinstance(clock, FixedClock)
    clock.at_us += 1
    assert store.compact(START_US + 3 * DAY_US).done_count == 1
    assert hourly(store) == whole
    store.compactor._forgotten = [(-1e9, path) for _, path in store.compactor._forgotten]
    store.compact(START_US + 3 * DAY_US)
    assert hourly(store) == whole
    store.close()


def test_files_are_for_their_owner_only(tmp_path: Path) -> None:
    store = filled(tmp_path)
    store.compact(AT_US_MAX + 1)
    for path in (tmp_path / "cold").rglob("*.parquet"):
        assert path.stat().st_mode & 0o077 == 0
    store.close()


@pytest.mark.parametrize(
    "harm", [Path.unlink, lambda path: path.write_bytes(b"PAR1 broken")], ids=["missing", "broken"]
)
def test_a_lost_file_is_an_error_and_never_a_wrong_answer(
    harm: Callable[[Path], object], tmp_path: Path
) -> None:
    store = filled(tmp_path)
    store.compact(AT_US_MAX + 1)
    for path in (tmp_path / "cold").rglob("*.parquet"):
        harm(path)
    with pytest.raises(StorageFailed, match="could not be read"):
        store.read([1], AT_US_MIN, AT_US_MAX + 1, 10, False, None)
    with pytest.raises(StorageFailed, match="could not be read"):
        store.read_buckets([1], START_US, START_US + 9 * DAY_US, HOUR_US, 0, 10, None)
    store.apply([rows_of([(2, START_US, "5")])], 2)  # the rest goes on
    store.close()


def test_a_deleted_stream_leaves_no_file(tmp_path: Path) -> None:
    store = filled(tmp_path)
    store.compact(AT_US_MAX + 1)
    store.apply([Deletion([1], AT_US_MIN, AT_US_MAX + 1)], 2)
    assert store.read([1], AT_US_MIN, AT_US_MAX + 1, 10, False, None) == {}
    clock = store.compactor._clock
    assert isinstance(clock, FixedClock)
    clock.at_us += 2 * DAY_US
    store.compact(AT_US_MAX + 1)
    stats = store.stats()
    assert (stats.segment_count, stats.cold_rows, stats.oldest_us) == (0, 0, None)
    store.close()


def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How often a reader asks the tiers for more."""
    calls: list[int] = []
    ask = StreamReader._some

    def some(self: StreamReader, *asked: int) -> object:
        calls.append(1)
        return ask(self, *asked)

    monkeypatch.setattr(StreamReader, "_some", some)
    return calls


@pytest.mark.parametrize("tier", ["hot", "cold"])
def test_what_lies_before_a_long_deleted_range_is_found_without_reading_through_it(
    tier: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(tmp_path, FixedClock())
    second_us = 1_000_000
    store.apply([rows_of([(1, START_US + k * second_us, str(k)) for k in range(20_000)])], 1)
    deletion = Deletion([1], START_US + second_us, AT_US_MAX + 1)
    overlay = None
    if tier == "cold":
        store.compact(AT_US_MAX + 1)
        store.apply([deletion], 2)
    else:  # deleted in the head, not yet in the store
        overlay = Overlay(rows_of([]), [deletion])
    calls = counted(monkeypatch)
    found = store.read_last_before([1], AT_US_MAX + 1, overlay)
    assert found == {1: Datapoint(START_US, "0")}
    assert len(calls) <= 3
    store.close()


def test_many_single_deletions_do_not_make_a_read_crawl(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(tmp_path, FixedClock())
    times = [START_US + k * 1_000_000 for k in range(5_000)]
    store.apply([rows_of([(1, at_us, "1") for at_us in times])], 1)
    store.compact(AT_US_MAX + 1)
    store.apply([Deletion([1], at_us, at_us + 1) for at_us in times[1:]], 2)
    calls = counted(monkeypatch)
    assert store.read_last_before([1], AT_US_MAX + 1, None) == {1: Datapoint(START_US, "1")}
    assert len(calls) <= 10
    store.close()


def tombstone_count(store: HistoryStore) -> int:
    with store._database.snapshot() as connection:
        (row,) = connection.execute("SELECT count(*) FROM tombstones").fetchall()
        return int(row[0])


def test_a_deletion_that_no_segment_holds_leaves_no_tombstone(tmp_path: Path) -> None:
    store = filled(tmp_path)
    store.apply([Deletion([1], AT_US_MIN, AT_US_MAX + 1)], 2)
    assert tombstone_count(store) == 0
    store.close()


def test_a_period_that_cannot_be_compacted_does_not_hold_up_the_others(tmp_path: Path) -> None:
    store = filled(tmp_path)
    store.compact(START_US + DAY_US)
    for path in (tmp_path / "cold").rglob("*.parquet"):
        path.write_bytes(b"broken")
    store.apply([rows_of([(1, START_US + k, "late") for k in range(100)])], 2)
    outcomes = []
    for _ in range(4):
        try:
            outcomes.append(store.compact(START_US + 2 * DAY_US, 1).done_count)
        except StorageFailed:
            outcomes.append(-1)
    assert outcomes[:2] == [-1, 1]
    assert store.stats().segment_count == 2
    store.close()


@pytest.mark.parametrize("step", ["rows written", "roll-up written"])
def test_a_compaction_that_is_interrupted_changes_nothing(step: str, tmp_path: Path) -> None:
    store = filled(tmp_path)
    before = store.read([1], AT_US_MIN, AT_US_MAX + 1, 1000, False, None)

    def stop(name: str) -> None:
        if name == step:
            store.interrupt()

    store.compactor.step = stop
    with pytest.raises(StorageFailed, match="interrupted"):
        store.compact(AT_US_MAX + 1)
    assert store.stats().segment_count == 0
    assert [path for path in (tmp_path / "cold").rglob("*") if path.is_file()] == []
    assert store.read([1], AT_US_MIN, AT_US_MAX + 1, 1000, False, None) == before
    store.close()


def files_of(store: HistoryStore) -> set[str]:
    cold = store.compactor._folder
    return {path.relative_to(cold).as_posix() for path in cold.rglob("*") if path.is_file()}


def named_by(store: HistoryStore) -> set[str]:
    with store._database.snapshot() as connection:
        rows = connection.execute("SELECT file, rollup FROM segments").fetchall()
    return {name for row in rows for name in row}


@pytest.mark.parametrize("call", ["mkdir", "fsync", "rename"])
@pytest.mark.parametrize("nth", [1, 2])
def test_a_file_that_the_disk_refuses_is_a_storage_failure_and_leaves_nothing(
    call: str, nth: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = filled(tmp_path)
    before = store.read([1], AT_US_MIN, AT_US_MAX + 1, 1000, False, None)
    owner: object = os if call == "fsync" else Path
    works = getattr(owner, call)
    calls: list[object] = []

    def refuse(*args: object, **kwargs: object) -> object:
        calls.append(args)
        if len(calls) >= nth:
            raise OSError(errno.ENOSPC, "no space left")
        return works(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(owner, call, refuse)
        with pytest.raises(StorageFailed) as failed:
            store.compact(AT_US_MAX + 1)
        assert "no space left" in failed.value.reason
    assert files_of(store) == named_by(store)
    assert store.read([1], AT_US_MIN, AT_US_MAX + 1, 1000, False, None) == before
    store.compact(AT_US_MAX + 1)
    assert store.stats().segment_count == 2
    store.close()


def test_files_that_the_manifest_did_not_take_over_are_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = filled(tmp_path)

    def refuse(*_: object) -> None:
        raise duckdb.IOException("disk full")

    with monkeypatch.context() as patch:
        patch.setattr("thingtank.stores.history.compaction.insert_segment", refuse)
        with pytest.raises(StorageFailed) as failed:
            store.compact(AT_US_MAX + 1)
        assert "disk full" in failed.value.reason
    assert files_of(store) == set()
    assert store.stats().hot_rows == 100
    store.close()


def test_files_that_the_manifest_names_stay_though_the_switch_looked_failed(tmp_path: Path) -> None:
    store = filled(tmp_path)
    before = store.read([1], AT_US_MIN, AT_US_MAX + 1, 1000, False, None)

    def fail(step: str) -> None:
        if step == "switched":
            raise StorageFailed("the commit's answer was lost")

    store.compactor.step = fail
    with pytest.raises(StorageFailed, match="answer was lost"):
        store.compact(AT_US_MAX + 1)
    assert files_of(store) == named_by(store) != set()
    assert store.read([1], AT_US_MIN, AT_US_MAX + 1, 1000, False, None) == before
    store.close()


def test_the_cold_tier_is_left_alone_where_the_manifest_is_lost(tmp_path: Path) -> None:
    store = open_store(tmp_path, FixedClock())
    store.apply([rows_of([(1, START_US, "21.5")])], 1)
    store.compact(AT_US_MAX + 1)
    store.close()
    files = sorted((tmp_path / "cold").rglob("*.parquet"))
    for lose in (Path.unlink, Path.touch):  # gone, then empty
        lose(tmp_path / "hot.duckdb")
        with pytest.raises(StorageFailed, match="restore it from your backup"):
            open_store(tmp_path, FixedClock())
        assert sorted((tmp_path / "cold").rglob("*.parquet")) == files
