"""Group commit: what comes during a commit shares the next, and may linger if nobody waits."""

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest
from tests.waiting import WAIT_S_MAX, until

from thingtank.stores.group_commit import GroupCommit
from thingtank.stores.worker import Worker


class Disk:
    """Tests hold it up, and have it fail."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.told: list[object] = []
        self.may_write = threading.Event()
        self.may_write.set()
        self.error: Exception | None = None

    def write(self, items: list[int]) -> str:
        assert self.may_write.wait(WAIT_S_MAX)
        self.batches.append(items)
        if self.error is not None:
            raise self.error
        return f"wrote {len(items)}"

    def written(self, items: list[int], result: str | Exception) -> None:
        self.told.append(result)


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
async def worker(disk: Disk) -> AsyncIterator[Worker]:
    worker = Worker("test")
    yield worker
    disk.may_write.set()
    await worker.stop()


async def settled(commits: GroupCommit[int, str]) -> None:
    await asyncio.wait_for(commits.settled(), WAIT_S_MAX)


async def test_what_comes_in_one_turn_shares_a_batch(disk: Disk, worker: Worker) -> None:
    commits = GroupCommit(worker, disk.write, disk.written)
    for number in range(3):
        commits.add(number, 10)
    assert (commits.waiting_count, commits.waiting_bytes) == (3, 30)
    await settled(commits)
    assert (disk.batches, disk.told) == ([[0, 1, 2]], ["wrote 3"])
    assert (commits.waiting_count, commits.waiting_bytes) == (0, 0)
    await settled(commits)


async def test_what_comes_during_a_commit_shares_the_next(disk: Disk, worker: Worker) -> None:
    commits = GroupCommit(worker, disk.write, disk.written)
    disk.may_write.clear()
    commits.add(0, 10)
    await asyncio.sleep(0.02)
    first = asyncio.create_task(commits.settled())
    await asyncio.sleep(0)
    commits.add(1, 10)
    commits.add(2, 10)
    assert (commits.waiting_count, commits.waiting_bytes) == (3, 30)
    await asyncio.sleep(0.02)
    assert not first.done()
    disk.may_write.set()
    await asyncio.wait_for(first, WAIT_S_MAX)
    await settled(commits)
    assert disk.batches == [[0], [1, 2]]


async def test_what_nobody_waits_for_lingers(disk: Disk, worker: Worker) -> None:
    commits = GroupCommit(worker, disk.write, disk.written, linger_s=3600, linger_items_max=4)
    commits.add(0)
    await asyncio.sleep(0.02)
    commits.add(1)
    assert disk.batches == []
    await settled(commits)
    assert disk.batches == [[0, 1]]


async def test_so_many_do_not_linger(disk: Disk, worker: Worker) -> None:
    commits = GroupCommit(worker, disk.write, disk.written, linger_s=3600, linger_items_max=4)
    for number in range(6):
        commits.add(number)
    await until(lambda: disk.told)
    assert disk.batches == [[0, 1, 2, 3]]
    await settled(commits)
    assert disk.batches == [[0, 1, 2, 3], [4, 5]]


async def test_lingering_ends_by_itself(disk: Disk, worker: Worker) -> None:
    commits = GroupCommit(worker, disk.write, disk.written, linger_s=0.01, linger_items_max=4)
    commits.add(0)
    await until(lambda: disk.told)
    assert disk.batches == [[0]]


async def test_who_waits_for_a_batch_that_fails_waits_no_longer(disk: Disk, worker: Worker) -> None:
    commits = GroupCommit(worker, disk.write, disk.written)
    disk.error = OSError("full")
    commits.add(0)
    await settled(commits)
    disk.error = None
    commits.add(1)
    await settled(commits)
    assert [type(each) for each in disk.told] == [OSError, str]
