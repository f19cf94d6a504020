"""The cold tier in a bucket: the same answers, nothing lost, and no answer where there is none."""

import os
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from tests.unit.stores.history.folder_bucket import FolderBucket
from tests.unit.stores.history.test_cold_tier import (
    DAY_US,
    HOUR_US,
    START_US,
    FixedClock,
    Twins,
    rows_of,
)

from thingtank.stores.archive_settings import ArchiveSettings
from thingtank.stores.history import bucket_cache, bucket_carrier
from thingtank.stores.history.bucket_files import BucketFiles
from thingtank.stores.history.store import HistoryStore
from thingtank.tank.datapoints import AT_US_MAX, AT_US_MIN, Bucket, Datapoint
from thingtank.tank.errors import Overloaded, StorageFailed

ALL = AT_US_MAX + 1
KEEP_S = 3600


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket_carrier, "SETTLE_S", 0.0)
    monkeypatch.setattr(bucket_cache, "AWAY_S", 0.0)


@pytest.fixture
def bucket(tmp_path: Path) -> FolderBucket:
    return FolderBucket(tmp_path / "bucket")


def open_store(
    folder: Path, bucket: FolderBucket | None, clock: FixedClock | None = None, cache_bytes: int = 1
) -> HistoryStore:
    """A store whose disk keeps nothing that the bucket has, unless told."""
    settings = ArchiveSettings(cold_cache_bytes_max=cache_bytes, cold_keep_s=KEEP_S)
    return HistoryStore.open(folder, settings, clock or FixedClock(), bucket)


def fill(store: HistoryStore) -> None:
    """By the hour, over three days and a turn of months."""
    store.apply([rows_of([(1, START_US + k * HOUR_US, str(k)) for k in range(100)])], 1)


def all_of(store: HistoryStore) -> dict[int, list[Datapoint]]:
    return store.read([1], AT_US_MIN, ALL, 1000, False, None)


def hourly(store: HistoryStore) -> dict[int, list[Bucket]]:
    return store.read_buckets([1], START_US, START_US + 40 * DAY_US, HOUR_US, 0, 1000, None)


def by_steps(store: HistoryStore, step_us: int) -> dict[int, list[Bucket]]:
    """By hours, which roll-ups say, or by shorter steps, which all rows are read for."""
    return store.read_buckets([1], START_US, START_US + 400 * DAY_US, step_us, 0, 1000, None)


def local(folder: Path) -> set[str]:
    cold = folder / "cold"
    return {path.relative_to(cold).as_posix() for path in cold.rglob("*") if path.is_file()}


class BucketTwins(Twins):
    """The store with a bucket and nearly no disk, and its twin in memory."""

    def __init__(self, folder: Path, seed: int) -> None:
        super().__init__(folder, seed)
        self.bucket = FolderBucket(folder / "bucket")
        self.store.close()
        self.store = open_store(folder, self.bucket, self.clock)

    def reopen(self) -> None:
        self.store.close()
        self.store = open_store(
            self.folder, self.bucket, self.clock, self.chance.choice([1, 10**9])
        )


@pytest.mark.parametrize("seed", range(2))
def test_answers_are_the_same_wherever_the_files_are(seed: int, tmp_path: Path) -> None:
    twins = BucketTwins(tmp_path, seed)
    for _ in range(20):
        twins.chance.choices([twins.apply, twins.compact, twins.reopen], [6, 3, 1])[0]()
        twins.check()
    twins.store.compact(ALL)
    assert twins.bucket.names
    twins.check()
    twins.store.close()


def test_files_leave_the_disk_once_the_bucket_has_them(
    tmp_path: Path, bucket: FolderBucket
) -> None:
    store = open_store(tmp_path, bucket)
    fill(store)
    whole = all_of(store), hourly(store)
    store.compact(ALL)
    assert local(tmp_path) == set()
    assert len(bucket.names) == 4  # two months, and their roll-ups
    assert (all_of(store), hourly(store)) == whole
    stats = store.stats().bucket
    assert stats is not None
    assert (stats.waiting_count, stats.failure, stats.is_anothers) == (0, None, False)
    assert stats.bytes == sum(path.stat().st_size for path in bucket.folder.rglob("*.parquet"))
    store.close()


def test_a_question_about_all_time_brings_no_more_at_once_than_there_is_room_for(
    tmp_path: Path, bucket: FolderBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(tmp_path, bucket)
    points = [(1, START_US + k * 10 * DAY_US, str(k)) for k in range(30)]
    store.apply([rows_of(points)], 1)
    asked = [by_steps(store, HOUR_US), by_steps(store, 10 * 60_000_000)]
    store.compact(ALL)
    most = 0

    def held(cache: bucket_cache.BucketCache, names: Sequence[str]) -> AbstractContextManager[Any]:
        nonlocal most
        most = max(most, len(names))
        return plain(cache, names)

    plain = bucket_cache.BucketCache.held
    monkeypatch.setattr(bucket_cache.BucketCache, "held", held)
    assert [by_steps(store, HOUR_US), by_steps(store, 10 * 60_000_000)] == asked
    assert len(bucket.names) > 10
    assert most == 1
    store.close()


def test_what_was_read_stays_here_while_there_is_room(tmp_path: Path, bucket: FolderBucket) -> None:
    store = open_store(tmp_path, bucket)
    fill(store)
    store.compact(ALL)
    store.close()
    roomy = open_store(tmp_path, bucket, cache_bytes=10**9)
    bucket.reads.clear()
    for _ in range(3):
        all_of(roomy)
    assert len(bucket.reads) == 2
    assert len(local(tmp_path)) == 2
    roomy.close()
    tight = open_store(tmp_path, bucket)
    assert local(tmp_path) == set()
    tight.close()


def test_many_who_ask_for_one_file_bring_it_once(tmp_path: Path, bucket: FolderBucket) -> None:
    store = open_store(tmp_path, bucket, cache_bytes=10**9)
    fill(store)
    store.compact(ALL)
    for name in local(tmp_path):
        (tmp_path / "cold" / name).unlink()
    bucket.reads.clear()
    bucket.gate.clear()
    found: list[object] = []
    threads = [
        threading.Thread(target=lambda: found.append(all_of(store)))
        for _ in range(ArchiveSettings().reader_threads - 1)
    ]
    for thread in threads:
        thread.start()
    while not is_full(store):
        threads[0].join(0.01)
    with pytest.raises(Overloaded):
        all_of(store)
    recent = store.read([1], ALL - 1, ALL, 10, False, None)  # needs no file
    assert recent == {}
    bucket.gate.set()
    for thread in threads:
        thread.join()
    assert found == [all_of(store)] * len(threads)
    assert len(bucket.reads) == len(set(bucket.reads))
    store.close()


def is_full(store: HistoryStore) -> bool:
    """Whether as many wait for files as may."""
    assert isinstance(store.files, BucketFiles)
    waiting = store.files.cache._waiting
    if waiting.acquire(blocking=False):
        waiting.release()
        return False
    return True


def test_a_bucket_that_is_away_is_an_error_for_what_is_there_and_nothing_else(
    tmp_path: Path, bucket: FolderBucket
) -> None:
    store = open_store(tmp_path, bucket)
    fill(store)
    store.compact(START_US + 2 * DAY_US)
    bucket.is_away = True
    with pytest.raises(StorageFailed, match="cannot be reached"):
        all_of(store)
    with pytest.raises(StorageFailed, match="cannot be reached"):
        hourly(store)
    recent_us = START_US + 2 * DAY_US
    assert len(store.read([1], recent_us, ALL, 1000, False, None)[1]) == 52
    store.apply([rows_of([(1, ALL - 1, "new")])], 2)
    store.compact(START_US + 3 * DAY_US)  # goes on, here
    stats = store.stats().bucket
    assert stats is not None
    assert stats.waiting_count > 0
    assert stats.failure == "nobody is there"
    bucket.is_away = False
    assert len(all_of(store)[1]) == 101
    store.compact(START_US + 3 * DAY_US)
    stats = store.stats().bucket
    assert stats is not None
    assert (stats.waiting_count, stats.failure) == (0, None)
    store.close()


def test_what_arrived_wrong_is_put_again_and_never_leaves_the_disk(
    tmp_path: Path, bucket: FolderBucket
) -> None:
    store = open_store(tmp_path, bucket)
    fill(store)
    whole = all_of(store)
    bucket.loses = 1
    store.compact(ALL)
    assert local(tmp_path)
    assert all_of(store) == whole
    store.compact(ALL)
    assert local(tmp_path) == set()
    assert all_of(store) == whole
    store.close()


@pytest.mark.parametrize("harm", [Path.unlink, lambda path: path.write_bytes(b"PAR1")])
def test_what_the_bucket_has_lost_is_an_error_and_never_a_wrong_answer(
    harm: Callable[[Path], object], tmp_path: Path, bucket: FolderBucket
) -> None:
    store = open_store(tmp_path, bucket)
    fill(store)
    store.compact(ALL)
    for path in bucket.folder.rglob("*.parquet"):
        harm(path)
    for read in (all_of, hourly):
        with pytest.raises(StorageFailed, match="does not give them"):
            read(store)
    store.close()


def test_what_is_replaced_stays_in_the_bucket_for_backups_and_then_goes(
    tmp_path: Path, bucket: FolderBucket
) -> None:
    clock = FixedClock()
    store = open_store(tmp_path, bucket, clock)
    fill(store)
    store.compact(START_US + 2 * DAY_US)
    days = bucket.names
    store.compact(ALL)  # the days become months
    assert days < bucket.names
    clock.at_us += (KEEP_S - 1) * 1_000_000
    store.compact(ALL)
    assert days < bucket.names
    clock.at_us += 2_000_000
    store.compact(ALL)
    assert not days & bucket.names
    assert len(all_of(store)[1]) == 100
    store.close()


def test_files_of_before_the_setting_go_to_the_bucket_as_well(
    tmp_path: Path, bucket: FolderBucket
) -> None:
    store = open_store(tmp_path, None)
    fill(store)
    whole = all_of(store)
    store.compact(ALL)
    store.close()
    store = open_store(tmp_path, bucket)
    store.compact(ALL)
    assert local(tmp_path) == set()
    assert all_of(store) == whole
    store.close()


def test_a_folder_whose_files_are_in_a_bucket_is_not_opened_without_it(
    tmp_path: Path, bucket: FolderBucket
) -> None:
    store = open_store(tmp_path, bucket)
    fill(store)
    store.compact(ALL)
    store.close()
    with pytest.raises(StorageFailed, match=r"archive\.cold"):
        open_store(tmp_path, None)
    for name in bucket.names:  # brought home by hand
        (tmp_path / "cold" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "cold" / name).write_bytes((bucket.folder / name).read_bytes())
    home = open_store(tmp_path, None)
    assert len(all_of(home)[1]) == 100
    home.close()


def test_a_copy_reads_the_bucket_and_changes_nothing_in_it_until_it_adopts_it(
    tmp_path: Path, bucket: FolderBucket
) -> None:
    store = open_store(tmp_path / "first", bucket)
    fill(store)
    store.compact(START_US + 2 * DAY_US)
    (tmp_path / "copy" / "cold").mkdir(parents=True)
    store.copy_to(tmp_path / "copy")
    assert local(tmp_path / "copy") == set()  # all of it is in the bucket
    before = bucket.names

    copy = open_store(tmp_path / "copy", bucket)
    assert all_of(copy) == all_of(store)
    copy.compact(ALL)
    assert bucket.names == before
    stats = copy.stats().bucket
    assert stats is not None
    assert stats.is_anothers
    assert len(all_of(copy)[1]) == 100

    copy.adopt()
    copy.compact(ALL)
    assert before < bucket.names
    after = bucket.names
    store.compact(ALL)  # the first is not the owner any more
    assert bucket.names == after
    assert len(all_of(store)[1]) == 100
    for each in (store, copy):
        each.close()


def test_an_owners_id_is_on_disk_before_it_has_its_name_and_an_empty_one_is_refused(
    tmp_path: Path, bucket: FolderBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []

    def keep(descriptor: int) -> None:
        synced.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")).name)

    store = open_store(tmp_path, bucket)
    with monkeypatch.context() as patch:
        patch.setattr(bucket_carrier.os, "fsync", keep)
        store.adopt()
    assert synced[:1] == ["cold-bucket.part"]
    (tmp_path / "cold-bucket.id").write_text("")  # as a power cut could leave it
    with pytest.raises(StorageFailed, match=r"cold-bucket\.id .* is empty.* archive adopt"):
        store.adopt()
    fill(store)
    store.compact(ALL)
    stats = store.stats().bucket
    assert stats is not None
    assert "cold-bucket.id" in (stats.failure or "")
    assert bucket.names == set()
    store.close()


def test_a_copy_holds_what_the_bucket_has_not(tmp_path: Path, bucket: FolderBucket) -> None:
    bucket.is_away = True
    store = open_store(tmp_path / "first", bucket)
    fill(store)
    store.compact(ALL)
    (tmp_path / "copy" / "cold").mkdir(parents=True)
    store.copy_to(tmp_path / "copy")
    whole = all_of(store)
    store.close()
    copy = open_store(tmp_path / "copy", bucket)
    assert all_of(copy) == whole
    copy.close()


def test_a_store_that_stops_does_not_wait_for_the_bucket(
    tmp_path: Path, bucket: FolderBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucket_carrier, "SETTLE_S", 3600.0)
    store = open_store(tmp_path, bucket)
    fill(store)
    thread = threading.Thread(target=store.compact, args=[ALL])
    thread.start()
    while not bucket.names:
        thread.join(0.01)
    store.interrupt()
    thread.join(10)
    assert not thread.is_alive()
    assert isinstance(store.files, BucketFiles)
    assert store.files.carrier.failure is None
    store.close()
    again = open_store(tmp_path, bucket)
    assert len(all_of(again)[1]) == 100
    again.close()


def test_a_fetch_that_hangs_holds_up_neither_a_reader_nor_the_end(
    tmp_path: Path, bucket: FolderBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucket_cache, "CLOSE_S_MAX", 0.1)
    store = open_store(tmp_path, bucket)
    fill(store)
    store.compact(ALL)
    refusals: list[StorageFailed] = []

    def read() -> None:
        try:
            all_of(store)
        except StorageFailed as error:
            refusals.append(error)

    bucket.gate.clear()
    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    while not bucket.reads:
        readers[0].join(0.01)
    store.interrupt()
    for reader in readers:
        reader.join(5)
    assert [str(error) for error in refusals] == ["the server is stopping"] * 2
    begun_s = time.monotonic()
    store.close()
    assert time.monotonic() - begun_s < 5  # the gate holds a fetch for 10
    bucket.gate.set()
    fetching = [each for each in threading.enumerate() if each.name == "archive-bucket"]
    for each in fetching:
        each.join(5)
    assert local(tmp_path) == set()  # what came too late is not kept
