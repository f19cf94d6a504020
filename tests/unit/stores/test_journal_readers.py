"""Readers behind the journal see each batch once and in order, live and after restarts."""

import asyncio
import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from tests.abandoned import abandon_journal
from tests.unit.stores.memory_history import MemoryHistory

from thingtank.stores import journal as journal_module
from thingtank.stores import journal_readers
from thingtank.stores.archive_settings import ArchiveSettings
from thingtank.stores.embedded_archive import EmbeddedArchive
from thingtank.stores.journal import Journal
from thingtank.stores.journal_readers import JournalReader
from thingtank.stores.rows import Deletion
from thingtank.tank.datapoints import Datapoint, DatapointColumns, DatapointRows
from thingtank.tank.errors import StorageFailed

NEVER_S = 3600.0
QUIET = ArchiveSettings(move_interval_s=NEVER_S, trim_interval_s=NEVER_S)
RESTLESS = ArchiveSettings(move_interval_s=0.001, trim_interval_s=0.001)


def quiet() -> None:
    pass


class Folder:
    """A data folder that archives are opened in, one after another."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._history = MemoryHistory()
        self._opened: list[EmbeddedArchive] = []

    async def archive(self, settings: ArchiveSettings = QUIET) -> EmbeddedArchive:
        archive = await EmbeddedArchive.join(self._path, settings, self._history)
        self._opened.append(archive)
        return archive

    def crash(self) -> None:
        """Leave the archive as a killed process would."""
        archive = self._opened.pop()
        assert archive._mover._task is not None
        archive._mover._task.cancel()
        assert archive._compacting is not None
        archive._compacting.cancel()
        abandon_journal(archive)

    async def close(self) -> None:
        await self._opened.pop().close()


@pytest.fixture
async def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


async def write(archive: EmbeddedArchive, *instants: int) -> None:
    """One batch for each."""
    for at_us in instants:
        await archive.append(DatapointRows([1], [at_us], ["1"]))


async def seen(reader: JournalReader) -> list[int]:
    """The times of all there is to read."""
    found: list[int] = []
    while reader.has_batches or reader.is_behind:
        await reader.fill()
        for batch in reader.take(3):
            found += times(batch.changes)
    return found


def times(changes: Sequence[object]) -> list[int]:
    return [at for change in changes if isinstance(change, DatapointColumns) for at in change.at_us]


async def settle(archive: EmbeddedArchive) -> None:
    """Move and trim all that may be."""
    await archive.flush()
    await archive._mover._trim()


def kept(archive: EmbeddedArchive) -> list[int]:
    """Numbers of the batches that the journal still has."""
    return [seq for seq, *_ in archive._journal.batches_after(0, 10**9)]


async def test_batches_come_live_in_order_with_their_numbers(folder: Folder) -> None:
    archive = await folder.archive()
    woken: list[int] = []
    reader = await archive.read_journal("r", 0, lambda: woken.append(1))
    await write(archive, 10, 11)
    await archive.delete([1], 11, 12)
    batches = reader.take(10)
    assert [batch.seq for batch in batches] == [1, 2, 3]
    assert [times(batch.changes) for batch in batches] == [[10], [11], []]
    assert list(batches[2].changes) == [Deletion((1,), 11, 12)]
    assert all(batch.committed_us is not None for batch in batches)
    assert len(woken) == 3
    assert reader.take(10) == []
    assert archive._journal_readers.recent.size_bytes == 0
    await folder.close()


async def test_a_new_reader_begins_with_what_comes_after_it(folder: Folder) -> None:
    archive = await folder.archive()
    await write(archive, 10)
    reader = await archive.read_journal("r", 0, quiet)
    await write(archive, 11)
    assert await seen(reader) == [11]
    await folder.close()


@pytest.mark.parametrize("settings", [QUIET, RESTLESS], ids=["quiet", "restless"])
async def test_after_a_crash_a_reader_goes_on_from_its_place(
    folder: Folder, settings: ArchiveSettings
) -> None:
    archive = await folder.archive(settings)
    reader = await archive.read_journal("r", 0, quiet)
    await write(archive, *range(10, 20))
    reader.passed(4)
    await settle(archive)
    await write(archive, 20, 21)
    folder.crash()
    archive = await folder.archive(settings)
    await settle(archive)  # before the reader has come back
    reader = await archive.read_journal("r", 4, quiet)
    await write(archive, 22)
    assert await seen(reader) == list(range(14, 23))
    assert reader.missed_count == 0
    await folder.close()


async def test_what_is_read_back_is_told_from_what_is_live(folder: Folder) -> None:
    archive = await folder.archive()
    await archive.read_journal("r", 0, quiet)
    await write(archive, 10)
    folder.crash()
    archive = await folder.archive()
    reader = await archive.read_journal("r", 0, quiet)
    await reader.fill()
    await write(archive, 11)
    batches = reader.take(10)
    assert [batch.committed_us is None for batch in batches] == [True, False]
    assert [reader.committed_us(seq) for seq in (1, 2)] == [batch.committed_us for batch in batches]
    await folder.close()


async def test_the_journal_keeps_what_a_reader_has_not_passed(folder: Folder) -> None:
    archive = await folder.archive()
    reader = await archive.read_journal("r", 0, quiet)
    other = await archive.read_journal("s", 0, quiet)
    await write(archive, 10, 11, 12, 13)
    reader.passed(2)
    other.passed(3)
    await settle(archive)
    assert kept(archive) == [3, 4]
    assert archive._journal.trimmed_seq == 4
    reader.passed(4)
    await settle(archive)
    assert kept(archive) == [4]
    other.passed(4)
    await settle(archive)
    assert kept(archive) == []
    assert archive._journal.places() == {"r": 4, "s": 4}
    await folder.close()


async def test_what_is_kept_for_readers_alone_is_not_recovered_again(folder: Folder) -> None:
    archive = await folder.archive()
    await archive.read_journal("r", 0, quiet)
    await write(archive, 10, 11)
    await settle(archive)
    folder.crash()
    archive = await folder.archive()
    assert not archive._head
    assert [d.at_us for d in (await archive.read([1], 0, 100, 10))[1]] == [10, 11]
    await write(archive, 12)
    assert archive._journal.last_seq == 3
    await folder.close()


async def test_a_resting_reader_sees_nothing_and_keeps_nothing(folder: Folder) -> None:
    archive = await folder.archive()
    reader = await archive.read_journal("r", 0, quiet)
    await write(archive, 10)
    reader.rest()
    assert archive._journal_readers.following == ()
    await write(archive, 11)
    await settle(archive)
    assert kept(archive) == []
    assert await seen(reader) == []
    assert reader.follow() == 2
    await write(archive, 12)
    assert await seen(reader) == [12]
    folder.crash()
    # It never recorded a place of its own, but what it follows since is not lost.
    archive = await folder.archive()
    reader = await archive.read_journal("r", 0, quiet)
    assert await seen(reader) == [12]
    await folder.close()


async def test_what_is_not_in_memory_any_more_is_read_back(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_readers, "RECENT_BYTES_MAX", 700)
    monkeypatch.setattr(journal_readers, "_FILL_BYTES", 700)
    archive = await folder.archive(RESTLESS)
    reader = await archive.read_journal("r", 0, quiet)
    await write(archive, *range(100))
    assert reader.is_behind
    assert await seen(reader) == list(range(100))
    assert not reader.is_behind
    await write(archive, 100)
    assert [batch.committed_us is None for batch in reader.take(9)] == [False]
    await folder.close()


async def test_a_slow_reader_costs_the_others_nothing_and_memory_is_bounded(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_readers, "RECENT_BYTES_MAX", 2000)
    archive = await folder.archive()
    slow = await archive.read_journal("slow", 0, quiet)
    quick = await archive.read_journal("quick", 0, quiet)
    recent = archive._journal_readers.recent
    for at_us in range(100):
        await write(archive, at_us)
        assert [times(batch.changes) for batch in quick.take(9)] == [[at_us]]
        assert not quick.is_behind
    assert recent.size_bytes <= 2000
    assert slow.is_behind
    assert await seen(slow) == list(range(100))
    assert len(recent) == 0  # both have them
    assert recent.size_bytes == 0
    await folder.close()


async def test_who_rests_holds_nothing_in_memory(folder: Folder) -> None:
    archive = await folder.archive()
    slow = await archive.read_journal("slow", 0, quiet)
    quick = await archive.read_journal("quick", 0, quiet)
    await write(archive, 10, 11)
    assert await seen(quick) == [10, 11]
    assert len(archive._journal_readers.recent) == 2
    slow.rest()
    assert len(archive._journal_readers.recent) == 0
    slow.follow()
    await write(archive, 12)
    assert await seen(slow) == [12] == await seen(quick)
    await folder.close()


async def test_what_is_taken_is_bounded_in_rows_and_in_bytes(folder: Folder) -> None:
    archive = await folder.archive()
    reader = await archive.read_journal("r", 0, quiet)
    await write(archive, *range(6))
    assert len(reader.take(10, rows_max=2)) == 2
    assert len(reader.take(10, bytes_max=1)) == 1
    assert len(reader.take(2)) == 2
    assert reader.take(0) == []
    assert len(reader.take(10)) == 1
    await folder.close()


async def test_one_that_rests_beside_one_that_follows_sees_nothing(folder: Folder) -> None:
    archive = await folder.archive()
    resting = await archive.read_journal("resting", 0, quiet)
    following = await archive.read_journal("following", 0, quiet)
    resting.rest()
    await write(archive, 10)
    assert (resting.has_batches, resting.is_behind, resting.take(9)) == (False, False, [])
    following.rest()
    assert len(archive._journal_readers.recent) == 0
    await folder.close()


async def test_a_batch_that_was_not_shown_is_read_back_with_the_next(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = await folder.archive()
    woken = asyncio.Event()
    reader = await archive.read_journal("r", 0, woken.set)
    await write(archive, 10)
    assert await seen(reader) == [10]
    woken.clear()

    def fail(*_: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(archive._head, "apply", fail)
        with pytest.raises(StorageFailed):
            await write(archive, 11)
    await write(archive, 12, 13)
    assert woken.is_set()
    assert await seen(reader) == [11, 12, 13]
    await folder.close()


class Wanderer:
    """A reader that waits only at the end, and now and then goes back, rests or dawdles."""

    def __init__(self, archive: EmbeddedArchive, chance: random.Random) -> None:
        self._archive = archive
        self._chance = chance
        self._woken = asyncio.Event()
        self.seq = 0

    async def read(self, name: str, last_seq: int) -> None:
        """Until a batch has come; each has its number as its time."""
        chance, reader = self._chance, await self._archive.read_journal(name, 0, self._woken.set)
        self.seq = reader.passed_seq
        while self.seq < last_seq:
            self._woken.clear()
            await reader.fill()
            for batch in reader.take(chance.randrange(1, 5), bytes_max=chance.randrange(1, 3000)):
                assert times(batch.changes) == [batch.seq] == [self.seq + 1]
                self.seq = batch.seq
            what = chance.random()
            if what < 0.3:
                reader.passed(self.seq)
            elif what < 0.4:
                reader.go_back()
                self.seq = reader.passed_seq
            elif what < 0.45 and self.seq < last_seq - 50:  # there will be more to follow
                reader.rest()
                await asyncio.sleep(0)
                self.seq = reader.follow()
            elif what < 0.7:
                await asyncio.sleep(chance.random() * 0.002)
            if self.seq < last_seq and not (reader.has_batches or reader.is_behind):
                async with asyncio.timeout(30):
                    await self._woken.wait()


@pytest.mark.parametrize("seed", range(12))
async def test_readers_that_come_and_go_see_all_in_order(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    chance, last_seq = random.Random(seed), 200
    monkeypatch.setattr(journal_readers, "RECENT_BYTES_MAX", chance.choice([1, 700, 2000, 10**6]))
    monkeypatch.setattr(journal_readers, "_FILL_BYTES", chance.choice([1, 700, 3000]))
    archive = await folder.archive(chance.choice([QUIET, RESTLESS]))
    reading = list[asyncio.Task[None]]()
    for at_us in range(1, last_seq + 1):
        if at_us % 20 == 1 and len(reading) < 4:
            wanderer = Wanderer(archive, random.Random(f"{seed} {at_us}"))
            reading.append(asyncio.create_task(wanderer.read(f"r{at_us}", last_seq)))
        await write(archive, at_us)
    async with asyncio.timeout(60):
        await asyncio.gather(*reading)
    assert archive._journal_readers.recent.size_bytes <= 10**6
    await folder.close()


async def test_reading_back_while_writers_go_on_loses_and_doubles_nothing(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_readers, "RECENT_BYTES_MAX", 2000)
    monkeypatch.setattr(journal_readers, "_FILL_BYTES", 3000)
    archive = await folder.archive(RESTLESS)
    reader = await archive.read_journal("r", 0, quiet)
    writing = asyncio.create_task(write(archive, *range(1000)))
    found: list[int] = []
    seq = 0
    async with asyncio.timeout(60):
        while len(found) < 1000:
            await reader.fill()
            for batch in reader.take(5):
                assert batch.seq == seq + 1
                seq = batch.seq
                found += times(batch.changes)
            reader.passed(seq)
            await asyncio.sleep(0)
    await writing
    assert found == list(range(1000))
    assert reader.missed_count == 0
    await folder.close()


async def test_a_reader_too_far_behind_is_told_what_it_missed_and_writes_go_on(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_readers, "RECENT_BYTES_MAX", 1)
    archive = await folder.archive(
        ArchiveSettings(move_interval_s=NEVER_S, trim_interval_s=NEVER_S, reader_bytes_max=300)
    )
    reader = await archive.read_journal("r", 0, quiet)
    with capture_logs() as logs:
        for at_us in range(30):
            await write(archive, at_us)
            await settle(archive)
        found = await seen(reader)
    assert found == list(range(30 - len(found), 30))
    assert 2 < len(found) < 20
    assert reader.missed_count == 30 - len(found)
    events = [entry["event"] for entry in logs]
    assert events.count("journal_reader_is_too_far_behind") == 1
    assert "journal_reader_missed" in events
    reader.passed(30)
    await write(archive, 30)
    await settle(archive)
    await write(archive, 31)
    await settle(archive)
    assert await seen(reader) == [30, 31]
    assert kept(archive) == [31, 32]
    await folder.close()


async def test_what_was_given_up_before_a_crash_is_told_after_it(folder: Folder) -> None:
    small = ArchiveSettings(move_interval_s=NEVER_S, trim_interval_s=NEVER_S, reader_bytes_max=100)
    archive = await folder.archive(small)
    reader = await archive.read_journal("r", 0, quiet)
    for at_us in range(10):
        await write(archive, at_us)
        reader.passed(min(at_us, 2))
        await settle(archive)
    folder.crash()
    archive = await folder.archive(small)
    reader = await archive.read_journal("r", 2, quiet)
    await write(archive, 10)
    found = await seen(reader)
    assert found == list(range(11 - len(found), 11))
    assert reader.missed_count == 9 - len(found) > 0
    await folder.close()


async def test_a_place_ahead_of_the_journal_is_none(folder: Folder) -> None:
    archive = await folder.archive()
    await write(archive, 10)
    with capture_logs() as logs:
        reader = await archive.read_journal("r", 99, quiet)
    assert [entry["event"] for entry in logs] == ["journal_reader_is_ahead"]
    await write(archive, 11)
    assert await seen(reader) == [11]
    await folder.close()


async def test_much_is_dropped_in_steps(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "_DROP_BATCHES", 3)
    archive = await folder.archive()
    await write(archive, *range(10))
    await archive.flush()
    drops: list[int] = []
    trim = Journal.trim

    def counted(self: Journal, *args: object) -> bool:
        is_done = trim(self, *args)  # type: ignore[arg-type] # as they came
        drops.append(self.dropped_seq)
        return is_done

    monkeypatch.setattr(Journal, "trim", counted)
    await archive._mover._trim()
    assert drops == [3, 6, 9, 10]
    assert kept(archive) == []
    await folder.close()


async def test_a_journal_from_before_there_were_readers_gets_them(tmp_path: Path) -> None:
    import sqlite3

    old = Journal.open(tmp_path)
    old.commit([DatapointColumns.of([(1, Datapoint(5, "1"))])])
    old.close()
    with sqlite3.connect(tmp_path / journal_module.FILE_NAME) as connection:
        connection.execute("DROP TABLE reader")
    connection.close()
    opened = Journal.open(tmp_path)
    assert opened.places() == {}
    opened.save_places({"r": 1})
    assert opened.places() == {"r": 1}
    assert [seq for seq, _ in opened.batches()] == [1]
    opened.close()


async def test_without_a_reader_a_commit_asks_nobody(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = await folder.archive()

    def offer(*_: object) -> None:
        raise AssertionError("nobody follows")

    monkeypatch.setattr(journal_readers.JournalReaders, "offer", offer)
    await write(archive, 10)
    reader = await archive.read_journal("r", 0, quiet)
    reader.rest()
    await write(archive, 11)
    await folder.close()
