"""The embedded archive between the journal and the history store: limits, failures, restarts."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path

import pytest
from tests.abandoned import abandon_journal
from tests.unit.stores.memory_history import MemoryHistory
from tests.waiting import WAIT_S_MAX, until

from thingtank.stores import fall_back
from thingtank.stores.archive_settings import ArchiveSettings
from thingtank.stores.embedded_archive import EmbeddedArchive
from thingtank.stores.journal import Journal
from thingtank.stores.memory_archive import MemoryArchive
from thingtank.tank.datapoints import (
    AT_US_MAX,
    AT_US_MIN,
    CurrentValue,
    Datapoint,
    DatapointRows,
)
from thingtank.tank.errors import Overloaded, StorageFailed, ValidationFailed
from thingtank.tank.interfaces import Archive

NEVER_S = 3600.0  # the mover stays still unless a test asks for a flush
QUIET = ArchiveSettings(move_interval_s=NEVER_S, trim_interval_s=NEVER_S)
QUICK = ArchiveSettings(move_interval_s=0.01, trim_interval_s=0.01)


@pytest.fixture
def history() -> MemoryHistory:
    return MemoryHistory()


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fall_back, "PAUSE_S_MIN", 0.001)


@pytest.fixture
async def archive(tmp_path: Path, history: MemoryHistory) -> AsyncIterator[EmbeddedArchive]:
    opened = await EmbeddedArchive.join(tmp_path, QUIET, history)
    yield opened
    history.gate.set()
    history.failure = None
    await opened.close()


def rows(*written: tuple[int, int, str]) -> DatapointRows:
    return DatapointRows.of((i, Datapoint(at_us, value)) for i, at_us, value in written)


async def all_of(archive: EmbeddedArchive, stream_id: int = 1) -> list[tuple[int, str]]:
    found = await archive.read([stream_id], AT_US_MIN, AT_US_MAX + 1, 1000)
    return [(datapoint.at_us, datapoint.value) for datapoint in found.get(stream_id, [])]


def crash(archive: EmbeddedArchive) -> None:
    """Leave the archive as a killed process would: nothing is moved, trimmed or saved any more."""
    assert archive._mover._task is not None
    archive._mover._task.cancel()
    abandon_journal(archive)


def break_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    def commit(_journal: Journal, _changes: object) -> tuple[int, int]:
        raise StorageFailed("the journal could not be written: disk full")

    monkeypatch.setattr(Journal, "commit", commit)


async def test_many_writers_share_commits(archive: EmbeddedArchive) -> None:
    await asyncio.gather(*(archive.append(rows((1, at_us, "1"))) for at_us in range(100)))
    assert archive._journal.last_seq == 1
    assert len(await all_of(archive)) == 100


async def test_current_value_is_there_when_the_write_is_acknowledged(
    archive: EmbeddedArchive,
) -> None:
    acknowledgement = archive.append(rows((1, 10, "5")))
    assert archive.current(1) is None
    await acknowledgement
    assert archive.current(1) == CurrentValue(10, "5", 5, 5)


async def test_writer_that_gave_up_does_not_hinder_others(archive: EmbeddedArchive) -> None:
    given_up = asyncio.ensure_future(archive.append(rows((1, 10, "1"))))
    other = archive.append(rows((1, 20, "2")))
    given_up.cancel()
    await other
    assert await all_of(archive) == [(10, "1"), (20, "2")]


async def test_failed_commit_refuses_everybody_and_keeps_nothing(
    archive: EmbeddedArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    await archive.append(rows((1, 10, "1")))
    with monkeypatch.context() as patch:
        break_journal(patch)
        acknowledgements = [archive.append(rows((1, at_us, "x"))) for at_us in (20, 30)]
        acknowledgements.append(archive.delete([1], 0, 100))
        outcomes = await asyncio.gather(*acknowledgements, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [StorageFailed] * 3
        assert archive.current(1) == CurrentValue(10, "1", 1, 1)
        assert await all_of(archive) == [(10, "1")]
    await archive.append(rows((1, 40, "4")))
    assert await all_of(archive) == [(10, "1"), (40, "4")]


async def test_more_than_may_wait_is_refused(tmp_path: Path, history: MemoryHistory) -> None:
    settings = ArchiveSettings(pending_bytes_max=5000)
    archive = await EmbeddedArchive.join(tmp_path, settings, history)
    first = archive.append(rows(*[(1, at_us, "1") for at_us in range(200)]))
    with pytest.raises(Overloaded, match="5000"):
        archive.append(rows(*[(1, at_us, "1") for at_us in range(100)]))
    await first
    await archive.append(rows((1, 999, "1")))
    assert len(await all_of(archive)) == 201
    await archive.close()


async def test_full_head_refuses_writes_until_it_is_moved(
    tmp_path: Path, history: MemoryHistory
) -> None:
    settings = ArchiveSettings(head_bytes_max=5000, move_interval_s=0.01)
    archive = await EmbeddedArchive.join(tmp_path, settings, history)
    history.gate.clear()
    await archive.append(rows(*[(1, at_us, "1") for at_us in range(200)]))
    with pytest.raises(Overloaded, match="history store"):
        archive.append(rows(*[(1, at_us, "1") for at_us in range(100)]))
    assert len(await all_of(archive)) == 200
    history.gate.set()
    await archive.flush()
    await archive.append(rows(*[(1, at_us, "2") for at_us in range(100)]))
    await archive.close()


async def test_text_that_is_not_unicode_is_refused_alone(archive: EmbeddedArchive) -> None:
    good = archive.append(rows((1, 10, "1")))
    with pytest.raises(ValidationFailed, match="Unicode"):
        archive.append(rows((1, 20, "\ud800")))
    await good
    assert await all_of(archive) == [(10, "1")]


async def test_head_moves_when_it_holds_enough(tmp_path: Path, history: MemoryHistory) -> None:
    settings = ArchiveSettings(move_rows=100, move_interval_s=NEVER_S)
    archive = await EmbeddedArchive.join(tmp_path, settings, history)
    await archive.append(rows((1, -1, "1")))
    await asyncio.sleep(0.05)
    assert history.applied == []
    await archive.append(rows(*[(1, at_us, "1") for at_us in range(100)]))
    await until(lambda: history.applied == [(2, 101)])
    await archive.close()


async def test_head_moves_when_it_is_old_enough(tmp_path: Path, history: MemoryHistory) -> None:
    archive = await EmbeddedArchive.join(tmp_path, QUICK, history)
    for at_us in range(3):
        await archive.append(rows((1, at_us, "1")))
        await until(lambda: not archive._head)
    assert sum(row_count for _, row_count in history.applied) == 3
    await until(lambda: archive._journal.trimmed_seq == 3)
    await archive.close()


async def test_reads_are_whole_while_the_head_moves(
    archive: EmbeddedArchive, history: MemoryHistory
) -> None:
    history.gate.clear()
    await archive.append(rows((1, 10, "old"), (1, 20, "2"), (1, 30, "3")))
    flushing = asyncio.create_task(archive.flush())
    await until(lambda: archive._head.growing_row_count == 0)
    await archive.append(rows((1, 10, "new")))
    await archive.delete([1], 20, 21)
    expected = [(10, "new"), (30, "3")]
    assert await all_of(archive) == expected
    history.gate.set()
    await flushing
    assert await all_of(archive) == expected
    await archive.flush()
    assert not archive._head
    assert await all_of(archive) == expected


async def test_failing_history_store_is_tried_again_with_the_same_changes(
    tmp_path: Path, history: MemoryHistory
) -> None:
    archive = await EmbeddedArchive.join(tmp_path, QUICK, history)
    history.failure = OSError("no space left")
    await archive.append(rows((1, 10, "1")))
    await until(lambda: archive._mover.failure is not None)
    await archive.append(rows((1, 20, "2")))
    assert await all_of(archive) == [(10, "1"), (20, "2")]
    with pytest.raises(StorageFailed) as failed:
        await archive.flush()
    assert "no space left" in failed.value.reason
    history.failure = None
    await until(lambda: not archive._head)
    assert await all_of(archive) == [(10, "1"), (20, "2")]
    assert archive._mover.failure is None
    await archive.close()


async def test_what_could_not_be_moved_is_moved_after_a_restart(
    tmp_path: Path, history: MemoryHistory
) -> None:
    archive = await EmbeddedArchive.join(tmp_path, QUIET, history)
    history.failure = OSError("no space left")
    await archive.append(rows((1, 10, "on")))
    await archive.close()
    history.failure = None
    archive = await EmbeddedArchive.join(tmp_path, QUIET, history)
    assert await all_of(archive) == [(10, "on")]
    await archive.close()
    assert history.applied == [(1, 1)]


async def test_closed_archive_finishes_what_it_has_and_refuses_more(
    tmp_path: Path, history: MemoryHistory
) -> None:
    archive = await EmbeddedArchive.join(tmp_path, QUIET, history)
    acknowledgement = archive.append(rows((1, 10, "1")))
    await archive.close()
    await acknowledgement
    with pytest.raises(StorageFailed, match="closing"):
        archive.append(rows((1, 20, "2")))
    assert history.applied == [(1, 1)]
    reopened = Journal.open(tmp_path)
    assert list(reopened.batches()) == []
    assert [value.stream_id for value in reopened.current_values()] == [1]
    reopened.close()


async def test_everything_is_there_after_a_crash_before_the_move(
    tmp_path: Path, history: MemoryHistory
) -> None:
    archive = await EmbeddedArchive.join(tmp_path, QUIET, history)
    await archive.append(rows((1, 10, "1"), (1, 30, "3"), (2, 5, "on")))
    await archive.append(rows((1, 20, "2")))
    await archive.set_extremes(1, -5, None)
    await archive.delete([1], 30, 31)
    crash(archive)
    archive = await EmbeddedArchive.join(tmp_path, QUIET, history)
    assert await all_of(archive) == [(10, "1"), (20, "2")]
    assert archive.current(1) == CurrentValue(20, "2", -5, None)
    assert archive.current(2) == CurrentValue(5, "on")
    await archive.close()
    assert sum(row_count for _, row_count in history.applied) == 4


async def test_nothing_is_moved_twice_after_a_crash_before_the_trim(
    tmp_path: Path, history: MemoryHistory
) -> None:
    archive = await EmbeddedArchive.join(tmp_path, QUIET, history)
    await archive.append(rows((1, 10, "1"), (1, 20, "2")))
    await archive.flush()
    await archive.append(rows((1, 30, "3")))
    crash(archive)
    archive = await EmbeddedArchive.join(tmp_path, QUIET, history)
    assert await all_of(archive) == [(10, "1"), (20, "2"), (30, "3")]
    assert archive.current(1) == CurrentValue(30, "3", 1, 3)
    await archive.close()
    assert history.applied == [(1, 2), (2, 1)]


async def test_current_value_deleted_before_a_crash_falls_back_to_what_is_stored(
    tmp_path: Path, history: MemoryHistory
) -> None:
    archive = await EmbeddedArchive.join(tmp_path, QUIET, history)
    await archive.append(rows((1, 10, "1"), (1, 20, "2")))
    await archive.flush()
    await archive._mover._trim()
    await archive.delete([1], 20, 21)
    crash(archive)
    archive = await EmbeddedArchive.join(tmp_path, QUIET, history)
    assert archive.current(1) == CurrentValue(10, "1", 1, 2)
    assert await all_of(archive) == [(10, "1")]
    await archive.close()


async def test_journal_keeps_what_current_values_do_not_contain_yet(
    tmp_path: Path, history: MemoryHistory
) -> None:
    archive = await EmbeddedArchive.join(tmp_path, QUIET, history)
    await archive.append(rows((1, 10, "1"), (1, 20, "2"), (2, 10, "1")))
    await archive.flush()
    history.read_gate.clear()
    deletion = archive.delete([1], 20, 21)
    write = archive.append(rows((2, 20, "2")))
    await until(lambda: archive._head.last_seq == 2)
    await archive.flush()
    await archive._mover._trim()  # while the deletion looks for the newest datapoint left
    crash(archive)
    history.read_gate.set()
    await asyncio.gather(deletion, write)
    archive = await EmbeddedArchive.join(tmp_path, QUIET, history)
    assert archive.current(1) == CurrentValue(10, "1", 1, 2)
    assert archive.current(2) == CurrentValue(20, "2", 1, 2)
    await archive.close()


async def test_values_saved_ahead_of_the_trim_do_no_harm(
    tmp_path: Path, history: MemoryHistory
) -> None:
    archive = await EmbeddedArchive.join(tmp_path, QUIET, history)
    await archive.append(rows((1, 10, "50"), (2, 10, "1")))
    await archive.set_extremes(1, None, None)
    await archive.append(rows((1, 5, "7"), (1, 20, "3"), (1, 30, "on")))
    await archive.delete([1], 25, 100)
    await archive.delete([2], AT_US_MIN, AT_US_MAX + 1)
    await archive.append(rows((2, 5, "2")))
    expected = [CurrentValue(20, "3", 3, 7), CurrentValue(5, "2", 2, 2)]
    assert [archive.current(1), archive.current(2)] == expected
    archive._journal.save(archive._currents.take_touched())
    crash(archive)
    archive = await EmbeddedArchive.join(tmp_path, QUIET, history)
    assert [archive.current(1), archive.current(2)] == expected
    await archive.close()


async def test_numbers_go_on_when_the_journal_was_lost(
    tmp_path: Path, history: MemoryHistory
) -> None:
    history.through_seq = 100
    archive = await EmbeddedArchive.join(tmp_path, QUIET, history)
    await archive.append(rows((1, 10, "1")))
    await archive.flush()
    assert history.through_seq == 101
    await archive.close()


async def test_write_waits_for_a_deletion_that_looks_for_the_newest_left(
    archive: EmbeddedArchive,
) -> None:
    await archive.append(rows((1, 10, "1"), (1, 20, "2")))
    await archive.flush()
    deletion = archive.delete([1], 15, 100)
    writes = [archive.append(rows((1, 5, "5"))), archive.append(rows((1, 12, "+12")))]
    await asyncio.gather(deletion, *writes)
    assert archive.current(1) == CurrentValue(12, "+12", 1, 12)


async def test_last_before_is_answered_from_memory_where_it_can_be(
    archive: EmbeddedArchive, monkeypatch: pytest.MonkeyPatch, history: MemoryHistory
) -> None:
    await archive.append(rows((1, 10, "1"), (2, 30, "2")))
    await archive.flush()
    monkeypatch.setattr(history, "read_last_before", None)
    assert await archive.read_last_before([1], 20) == {1: Datapoint(10, "1")}
    monkeypatch.setattr(history, "read", None)
    assert await archive.read([1, 2, 3], 31, 100, 10) == {}


async def test_stats_count_what_was_just_written_and_come_all_the_same_while_the_store_fails(
    archive: EmbeddedArchive, history: MemoryHistory
) -> None:
    await archive.append(rows((1, 10, "1")))
    stats = await archive.stats()
    assert (stats.hot_rows, stats.head_bytes) == (1, 0)
    history.failure = OSError("no space left")
    await archive.append(rows((1, 20, "2")))
    stats = await archive.stats()
    assert stats.hot_rows == 1
    assert stats.head_bytes > 0


async def lose_current_value(archive: EmbeddedArchive, history: MemoryHistory) -> None:
    """Delete the current value of datastream 1 while the store cannot say what is newest now."""
    await archive.append(rows((1, 10, "1"), (1, 20, "2")))
    await archive.flush()
    history.read_failure = OSError("input/output error")
    async with asyncio.timeout(WAIT_S_MAX):
        await archive.delete([1], 15, 100)


async def test_value_that_cannot_be_looked_up_is_unknown_until_the_store_answers(
    archive: EmbeddedArchive, history: MemoryHistory
) -> None:
    await lose_current_value(archive, history)
    assert archive.is_failing
    assert archive.current(1) == CurrentValue(None, None, 1, 2)
    assert await all_of(archive) == [(10, "1")]
    async with asyncio.timeout(WAIT_S_MAX):  # the others go on
        await archive.append(rows((2, 5, "5")))
        await archive.delete([2], 0, 100)
        await archive.append(rows((1, 12, "12"), (3, 5, "5")))
    assert archive.current(3) == CurrentValue(5, "5", 5, 5)
    with pytest.raises(OSError, match="input/output"):
        await archive.read_last_before([1], 100)
    history.read_failure = None
    await until(lambda: not archive.is_failing)
    assert archive.current(1) == CurrentValue(12, "12", 1, 12)
    assert archive.current(2) == CurrentValue(None, None, 5, 5)
    assert await archive.read_last_before([1], 100) == {1: Datapoint(12, "12")}


async def test_newer_write_answers_what_the_store_could_not(
    archive: EmbeddedArchive, history: MemoryHistory
) -> None:
    await lose_current_value(archive, history)
    await archive.append(rows((1, 30, "3")))
    assert archive.current(1) == CurrentValue(30, "3", 1, 3)
    assert not archive.is_failing


async def test_value_that_was_not_looked_up_is_after_a_restart(
    tmp_path: Path, history: MemoryHistory
) -> None:
    archive = await EmbeddedArchive.join(tmp_path, QUIET, history)
    await lose_current_value(archive, history)
    await archive.append(rows((1, 5, "5")))
    await archive.close()
    assert archive._journal.trimmed_seq == 1  # the deletion stays
    history.read_failure = None
    archive = await EmbeddedArchive.join(tmp_path, QUIET, history)
    assert archive.current(1) == CurrentValue(10, "1", 1, 5)
    assert await all_of(archive) == [(5, "5"), (10, "1")]
    await archive.close()
    assert archive._journal.trimmed_seq == 3


async def test_deletion_of_what_is_just_being_found_is_not_undone_by_the_answer(
    archive: EmbeddedArchive, history: MemoryHistory
) -> None:
    await lose_current_value(archive, history)
    history.read_gate.clear()
    history.read_failure = None
    await until(archive._fall_back._turn.locked)  # it asks, and will be told of 10
    deletion = asyncio.ensure_future(archive.delete([1], 10, 11))
    await until(lambda: archive._head.last_seq == 3)
    history.read_gate.set()
    await deletion
    assert archive.current(1) == CurrentValue(None, None, 1, 2)
    assert not archive.is_failing


@pytest.mark.parametrize("seed", range(8))
async def test_store_that_fails_now_and_then_makes_no_difference_in_the_end(
    seed: int, tmp_path: Path, history: MemoryHistory
) -> None:
    chance, twin = random.Random(seed), MemoryArchive()
    archive = await EmbeddedArchive.join(tmp_path, QUIET, history)

    def changed(target: Archive, seed: int) -> Awaitable[None]:
        course = random.Random(seed)
        stream_id, at_us = course.randrange(3), course.randrange(20)
        if course.random() < 0.5:
            return target.append(rows((stream_id, at_us, str(seed % 50))))
        return target.delete([stream_id], at_us, at_us + course.randrange(1, 20))

    for step in range(120):
        history.read_failure = OSError("failing") if chance.random() < 0.5 else None
        for one in (archive, twin):
            await changed(one, seed * 1000 + step)
        if chance.random() < 0.1:
            await archive.flush()
        if chance.random() < 0.1:
            await archive._mover._trim()
        if chance.random() < 0.05:
            crash(archive)
            await archive._fall_back.stop()
            history.read_failure = None
            archive = await EmbeddedArchive.join(tmp_path, QUIET, history)
    history.read_failure = None
    await until(lambda: not archive.is_failing)
    assert [archive.current(i) for i in range(3)] == [twin.current(i) for i in range(3)]
    for i in range(3):
        found = await twin.read([i], AT_US_MIN, AT_US_MAX + 1, 1000)
        assert await all_of(archive, i) == [(p.at_us, p.value) for p in found.get(i, [])]
    await archive.close()
