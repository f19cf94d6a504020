"""Kept messages: what nobody may lose is refused or on disk, and what is removed stays away."""

import asyncio
import sqlite3
import stat
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from tests.unit.stores.full_disk import DiskTooFullToDelete
from tests.waiting import WAIT_S_MAX, until

from thingtank.stores import kept_message_file
from thingtank.stores.kept_message_file import (
    EXPIRE_ROWS,
    FILE_NAME,
    Change,
    Keep,
    KeptMessageFile,
    Remove,
    Sizes,
)
from thingtank.stores.kept_message_limits import Size
from thingtank.stores.kept_message_settings import KeptMessageSettings
from thingtank.stores.kept_messages import SqliteKeptMessages
from thingtank.stores.sqlite_files import FileMismatch
from thingtank.tank.errors import Overloaded, StorageFailed

NOW_US = 1_795_447_035_330_000
LATER_US = NOW_US + 60_000_000


class Clock:
    def __init__(self) -> None:
        self.us = NOW_US

    def now_us(self) -> int:
        return self.us


class HeldFile(KeptMessageFile):
    """A file whose commits tests hold up, and have fail."""

    def hold(self) -> None:
        self.may_commit = threading.Event()
        self.may_commit.set()
        self.error: Exception | None = None
        self.batches: list[Sequence[Change]] = []

    def commit(self, changes: Sequence[Change]) -> Sizes:
        assert self.may_commit.wait(WAIT_S_MAX)
        self.batches.append(changes)
        if self.error is not None:
            raise self.error
        return super().commit(changes)


async def opened(
    folder: Path, *, tick_s: float = 3600, clock: Clock | None = None, **settings: int
) -> tuple[SqliteKeptMessages, HeldFile]:
    file = HeldFile.open(folder)
    assert isinstance(file, HeldFile)
    file.hold()
    clock = clock or Clock()
    return SqliteKeptMessages(file, KeptMessageSettings(**settings), clock, tick_s), file


def keep(kept: SqliteKeptMessages, number: int, device_id: int = 1) -> asyncio.Future[int]:
    return kept.keep(device_id, b"%d" % number, NOW_US, LATER_US)


async def bodies(kept: SqliteKeptMessages, device_id: int = 1) -> list[bytes]:
    async with asyncio.timeout(WAIT_S_MAX):
        return [each.body for each in await kept.take(device_id, NOW_US, 1000)]


FULL = StorageFailed("database or disk is full")


async def test_what_comes_during_a_commit_shares_the_next(tmp_path: Path) -> None:
    kept, file = await opened(tmp_path)
    file.may_commit.clear()
    first = keep(kept, 0)
    await asyncio.sleep(0.02)
    rest = [keep(kept, each) for each in (1, 2)]
    await asyncio.sleep(0.02)
    assert not first.done()
    file.may_commit.set()
    ids = await asyncio.wait_for(asyncio.gather(first, *rest), WAIT_S_MAX)
    assert ids == [1, 2, 3]
    assert [len(each) for each in file.batches] == [1, 2]
    await kept.close()


async def test_message_is_refused_when_too_much_waits_for_the_disk(tmp_path: Path) -> None:
    kept, file = await opened(tmp_path, pending_bytes_max=2000)
    file.may_commit.clear()
    futures = [keep(kept, each, device_id=each) for each in range(3)]
    with pytest.raises(Overloaded, match="at most 2000 may"):
        keep(kept, 3, device_id=3)
    assert kept.count(3) == 0
    file.may_commit.set()
    await asyncio.wait_for(asyncio.gather(*futures), WAIT_S_MAX)
    await keep(kept, 3, device_id=3)
    await kept.close()


async def test_message_that_the_disk_does_not_take_is_refused_and_not_counted(
    tmp_path: Path,
) -> None:
    kept, file = await opened(tmp_path)
    with capture_logs() as logs:
        for error in (FULL, RuntimeError("a bug")):
            file.error = error
            with pytest.raises(StorageFailed):
                await keep(kept, 0)
        assert (kept.count(1), list(kept.device_ids())) == (0, [])
        file.error = None
        await keep(kept, 1)
    assert [each["event"] for each in logs] == [
        "kept_message_writes_fail",
        "kept_message_writes_recovered",
    ]
    assert await bodies(kept) == [b"1"]
    await kept.close()


async def test_message_is_kept_though_nobody_waits_any_more(tmp_path: Path) -> None:
    kept, file = await opened(tmp_path)
    file.may_commit.clear()
    future = keep(kept, 0)
    await asyncio.sleep(0.02)
    future.cancel()
    file.may_commit.set()
    assert await bodies(kept) == [b"0"]
    await kept.close()


@pytest.mark.parametrize("by", ["the next commit", "itself"])
async def test_message_that_the_disk_did_not_remove_is_removed_later(
    tmp_path: Path, by: str
) -> None:
    kept, file = await opened(tmp_path, tick_s=0.01 if by == "itself" else 3600)
    first = await keep(kept, 0)
    await keep(kept, 1)
    file.error = FULL
    with pytest.raises(StorageFailed):
        await kept.remove(1, [first])
    assert await bodies(kept) == [b"1"]
    assert [each.body for each in await kept.take(1, NOW_US, 1)] == [b"1"]
    file.error = None
    if by == "the next commit":
        await keep(kept, 2)
    await until(lambda: not kept._removals)
    assert kept.count(1) == len(await bodies(kept))
    await kept.close()
    kept, _ = await opened(tmp_path)
    assert (await bodies(kept))[:1] == [b"1"]
    await kept.close()


async def test_device_that_the_disk_did_not_forget_is_forgotten_at_close(tmp_path: Path) -> None:
    kept, file = await opened(tmp_path)
    await keep(kept, 0)
    file.error = FULL
    kept.forget(1)
    assert await bodies(kept) == []
    file.error = None
    await kept.close()
    kept, _ = await opened(tmp_path)
    assert (await bodies(kept), kept.count(1)) == ([], 0)
    await kept.close()


async def test_removals_that_are_lost_are_logged(tmp_path: Path) -> None:
    kept, file = await opened(tmp_path)
    kept_id = await keep(kept, 0)
    file.error = FULL
    with pytest.raises(StorageFailed):
        await kept.remove(1, [kept_id])
    with capture_logs() as logs:
        await kept.close()
    assert [each["event"] for each in logs] == ["kept_message_removals_lost"]


async def test_expired_messages_go_by_themselves(tmp_path: Path) -> None:
    clock = Clock()
    kept, file = await opened(
        tmp_path, tick_s=0.01, clock=clock, messages_per_device_max=2 * EXPIRE_ROWS
    )
    for number in range(EXPIRE_ROWS + 10):
        kept.keep(1, b"a", NOW_US, NOW_US + 1 + (number == 7))
    await bodies(kept)
    clock.us = NOW_US + 1
    await until(lambda: kept.count(1) <= 1)
    await asyncio.sleep(0.05)
    assert kept.count(1) == 1
    clock.us = NOW_US + 2
    await until(lambda: not kept.count(1))
    batch_count = len(file.batches)
    await asyncio.sleep(0.05)
    assert len(file.batches) == batch_count, "where nothing is kept, nothing is looked for"
    await kept.close()


async def test_closed_one_refuses(tmp_path: Path) -> None:
    kept, _ = await opened(tmp_path)
    last = keep(kept, 0)
    await kept.close()
    assert last.done()
    await kept.close()
    for refused in (keep(kept, 1), kept.remove(1, [1]), kept.take(1, NOW_US, 1)):
        with pytest.raises(StorageFailed, match="the server stops"):
            await refused
    kept.forget(1)
    kept, _ = await opened(tmp_path)
    assert await bodies(kept) == [b"0"]
    assert await keep(kept, 1) == 2
    await kept.close()


def test_nobody_else_may_read_the_file(tmp_path: Path) -> None:
    KeptMessageFile.open(tmp_path).close()
    assert stat.S_IMODE((tmp_path / FILE_NAME).stat().st_mode) == 0o600


def test_other_file_is_not_taken_for_it(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / FILE_NAME) as connection:
        connection.execute("CREATE TABLE other (a)")
    with pytest.raises(FileMismatch, match="is not a file of kept messages"):
        KeptMessageFile.open(tmp_path)


def row(kept_id: int, device_id: int = 1) -> Keep:
    return Keep(kept_id, device_id, NOW_US, LATER_US, b"abc")


def test_what_was_refused_as_its_sync_failed_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = KeptMessageFile.open(tmp_path)
    file.commit([row(1), row(2, 2)])
    before = dict(file.sizes), file.last_id
    file.commit([row(3), Remove(2, (2,))])
    file.sizes, file.last_id = before
    file._recover(sqlite3.OperationalError("disk I/O error"))
    with DiskTooFullToDelete(monkeypatch):
        with pytest.raises(StorageFailed, match="could not be written"):
            file.commit([row(4)])
        with pytest.raises(StorageFailed, match="could not be read"):
            file.take(1, 0, NOW_US, 10)
    sizes = file.commit([row(5), Remove(2, (2,))])
    assert sizes == Sizes({1: Size(2, 6)}, True, False)
    assert [each.kept_id for each in file.take(1, 0, NOW_US, 10)] == [1, 5]
    assert file.commit([row(6, 3)]) == Sizes({3: Size(1, 3)}, False, False)
    file.close()
    assert KeptMessageFile.open(tmp_path).sizes == {1: Size(2, 6), 3: Size(1, 3)}


STATEMENTS = {
    name: text
    for name, text in vars(kept_message_file).items()
    if isinstance(text, str) and text.strip().startswith(("SELECT", "DELETE")) and "?" in text
}


@pytest.mark.parametrize("name", STATEMENTS)
def test_no_statement_goes_through_the_whole_table(tmp_path: Path, name: str) -> None:
    text = STATEMENTS[name]
    connection = KeptMessageFile.open(tmp_path)._connected()
    plan = connection.execute(f"EXPLAIN QUERY PLAN {text}", [1] * text.count("?"))
    details = [detail for *_, detail in plan]
    assert details
    assert [each for each in details if each.startswith("SCAN") and "json_each" not in each] == []
