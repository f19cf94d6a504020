"""Group commit: what shares a batch, and that nobody waits for ever."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from typing import Any

import pytest

from thingtank.stores.changes import Change
from thingtank.stores.committer import Committer
from thingtank.stores.worker import Worker
from thingtank.tank.datapoints import DatapointColumns, DatapointRows
from thingtank.tank.errors import StorageFailed

WAIT_S_MAX = 10.0
PENDING_BYTES_MAX = 2**40


class Publisher:
    """Shows batches; fails at once, or while the committer awaits it."""

    def __init__(self) -> None:
        self.fails_at_once = False
        self.fails_later = False

    def publish(
        self, changes: Sequence[Change], seq: int, blob: bytes
    ) -> Coroutine[Any, Any, None] | None:
        if self.fails_at_once:
            raise ValueError("a bug")
        return self._fail() if self.fails_later else None

    async def _fail(self) -> None:
        raise ValueError("a bug")


class CountingJournal:
    """Has the part of a journal that the committer uses; notes how many rows each batch has."""

    def __init__(self) -> None:
        self.row_counts: list[int] = []
        self.failures = 0

    def commit(self, changes: Sequence[Change]) -> tuple[int, bytes]:
        if self.failures:
            self.failures -= 1
            raise StorageFailed("the disk is full")
        rows = sum(len(change) for change in changes if isinstance(change, DatapointColumns))
        self.row_counts.append(rows)
        return len(self.row_counts), b"rows"


@pytest.fixture
def journal() -> CountingJournal:
    return CountingJournal()


@pytest.fixture
def publisher() -> Publisher:
    return Publisher()


@pytest.fixture
async def committer(journal: CountingJournal, publisher: Publisher) -> AsyncIterator[Committer]:
    worker = Worker("test-journal")
    made = Committer(
        journal,  # type: ignore[arg-type] # the part that is used
        worker,
        publisher.publish,
        PENDING_BYTES_MAX,
        lambda: PENDING_BYTES_MAX,
    )
    yield made
    await made.close()
    await worker.stop()


def one_row() -> DatapointRows:
    return DatapointRows([1], [0], ["1"])


async def test_what_neighbouring_turns_of_the_loop_bring_is_one_batch(
    committer: Committer, journal: CountingJournal
) -> None:
    async with asyncio.timeout(WAIT_S_MAX):
        waiting = []
        for _ in range(5):
            waiting.append(committer.append(one_row()))
            await asyncio.sleep(0)
        await asyncio.gather(*waiting)
    assert journal.row_counts == [5]


async def test_a_loop_that_is_never_idle_holds_no_batch_open_for_ever(
    committer: Committer, journal: CountingJournal
) -> None:
    async with asyncio.timeout(WAIT_S_MAX):
        first = asyncio.ensure_future(committer.append(one_row()))
        count = 1
        last = first
        while not first.done():
            last = asyncio.ensure_future(committer.append(one_row()))
            count += 1
            await asyncio.sleep(0)
        await last
    assert sum(journal.row_counts) == count
    assert len(journal.row_counts) > 1


async def test_after_a_refused_batch_the_next_is_committed(
    committer: Committer, journal: CountingJournal
) -> None:
    journal.failures = 1
    async with asyncio.timeout(WAIT_S_MAX):
        with pytest.raises(StorageFailed, match="the disk is full"):
            await committer.append(one_row())
        await committer.append(one_row())
    assert journal.row_counts == [1]


@pytest.mark.parametrize("fault", ["fails_at_once", "fails_later"])
async def test_a_batch_that_cannot_be_shown_is_refused_and_the_next_goes_on(
    committer: Committer, publisher: Publisher, fault: str
) -> None:
    setattr(publisher, fault, True)
    async with asyncio.timeout(WAIT_S_MAX):
        with pytest.raises(StorageFailed, match="could not be shown"):
            await committer.append(one_row())
        setattr(publisher, fault, False)
        await committer.append(one_row())


async def test_closing_waits_for_what_came_before_and_refuses_the_rest(
    committer: Committer, journal: CountingJournal
) -> None:
    async with asyncio.timeout(WAIT_S_MAX):
        before = asyncio.ensure_future(committer.append(one_row()))
        await committer.close()
        assert before.done()
        with pytest.raises(StorageFailed, match="closing"):
            await committer.append(one_row())
    assert journal.row_counts == [1]
