"""The writer of WAMP events: group commit, bounds, and a disk that does not take everything."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

import pytest
from structlog.testing import capture_logs
from tests.waiting import WAIT_S_MAX, until

from thingtank.protocols.wamp.answers import Refused
from thingtank.protocols.wamp.keeping import Keeping
from thingtank.stores.wamp_event_rows import Row
from thingtank.stores.wamp_event_writer import WampEventWriter
from thingtank.stores.worker import Worker
from thingtank.tank.errors import StorageFailed

ROOM_BYTES = 10_000


class Disk:
    """A file that tests hold up, and have fail."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.retained: set[int] = set()
        self.changes: list[dict[int, bool]] = []
        self.trims = 0
        self.is_failing = False
        self.may_commit = threading.Event()
        self.may_commit.set()

    def commit(
        self, events: Sequence[tuple[int, Row]], retained: Iterable[tuple[Any, Row | None]] = ()
    ) -> None:
        assert self.may_commit.wait(WAIT_S_MAX)
        changes = {key[1]: row is not None for key, row in retained}
        self.changes.append(changes)
        if self.is_failing:
            raise StorageFailed("database or disk is full")
        self.batches.append([row[0] for _, row in events])
        self.retained |= {each for each, is_put in changes.items() if is_put}
        self.retained -= {each for each, is_put in changes.items() if not is_put}

    def trim(self, now_us: int) -> bool:
        self.trims += 1
        return self.trims % 3 == 0


def row(publication_id: int, size_bytes: int = 10) -> Row:
    return publication_id, 0, "a", None, None, 1, 1, b"x" * size_bytes


async def told(keeping: Keeping) -> str:
    """Why it was refused; empty if it was not."""
    future: asyncio.Future[Refused | None] = asyncio.get_running_loop().create_future()
    keeping.then(future.set_result)
    refused = await asyncio.wait_for(future, WAIT_S_MAX)
    return "" if refused is None else refused.error


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
async def writer(disk: Disk) -> AsyncIterator[WampEventWriter]:
    worker = Worker("test")
    writer = WampEventWriter(disk, worker, lambda: 0, ROOM_BYTES, 3600)  # type: ignore[arg-type] # a double in its place
    yield writer
    disk.may_commit.set()
    await writer.close()
    await worker.stop()


async def test_what_comes_during_a_commit_shares_the_next(
    disk: Disk, writer: WampEventWriter
) -> None:
    disk.may_commit.clear()
    first = writer.keep([1], row(1))
    await asyncio.sleep(0.01)
    rest = [writer.keep([1], row(each)) for each in (2, 3, 4)]
    assert rest[0] is rest[1] is rest[2]
    assert rest[0] is not first
    answered: list[object] = []
    for keeping in (first, *rest):
        keeping.then(answered.append)
    await asyncio.sleep(0.01)
    assert answered == [], "nothing is on disk yet"
    disk.may_commit.set()
    assert [await told(each) for each in (first, *rest)] == [""] * 4
    assert disk.batches == [[1], [2, 3, 4]]


async def test_what_comes_in_one_turn_of_the_loop_shares_a_commit(
    disk: Disk, writer: WampEventWriter
) -> None:
    keepings = [writer.keep([1, 2], row(each)) for each in (1, 2)]
    await told(keepings[-1])
    assert disk.batches == [[1, 1, 2, 2]]


async def test_question_is_asked_when_what_came_before_is_written(
    disk: Disk, writer: WampEventWriter
) -> None:
    asked: list[list[list[int]]] = []

    def ask() -> None:
        asked.append([*disk.batches])

    writer.after_pending(ask)
    assert asked == [[]]
    disk.may_commit.clear()
    writer.keep([1], row(1))
    await asyncio.sleep(0.01)
    writer.after_pending(ask)
    second = writer.keep([1], row(2))
    writer.after_pending(ask)
    assert len(asked) == 1
    disk.may_commit.set()
    await told(second)
    assert asked == [[], [[1]], [[1], [2]]]


async def test_full_queue_refuses_and_counts(disk: Disk, writer: WampEventWriter) -> None:
    disk.may_commit.clear()
    with capture_logs() as logs:
        taken = writer.keep([1], row(1, ROOM_BYTES * 2))  # one alone may be as large as it is
        for each in range(50):
            assert await told(writer.keep([1], row(each))) == "wamp.error.unavailable"
    assert writer.lost_count == 50
    assert [(log["event"], log["count"]) for log in logs] == [("wamp_events_lost", 1)]
    assert "wait for the disk" in logs[0]["reason"]
    disk.may_commit.set()
    assert await told(taken) == ""
    assert await told(writer.keep([1], row(99))) == "", "with room again it goes on"


async def test_failing_disk_is_told_counted_logged_once_and_recovers(
    disk: Disk, writer: WampEventWriter
) -> None:
    disk.is_failing = True
    with capture_logs() as logs:
        for each in range(3):
            assert await told(writer.keep([1], row(each))) == "wamp.error.unavailable"
        assert writer.lost_count == 3
        disk.is_failing = False
        assert await told(writer.keep([1], row(9))) == ""
    assert [log["event"] for log in logs] == [
        "wamp_event_writes_fail",
        "wamp_events_lost",
        "wamp_event_writes_recovered",
    ]
    assert disk.batches == [[9]]


async def test_retained_event_is_written_when_the_disk_takes_it(
    disk: Disk, writer: WampEventWriter
) -> None:
    assert await told(writer.retain(("r", 1), row(1))) == ""
    disk.is_failing = True
    assert await told(writer.retain(("r", 2), row(2))) == "wamp.error.unavailable"
    assert await told(writer.forget(("r", 1))) == "wamp.error.unavailable"
    writer.retain(("r", 3), row(3))
    assert await told(writer.forget(("r", 2))) == "wamp.error.unavailable"
    disk.is_failing = False
    assert await told(writer.keep([1], row(9))) == ""
    assert disk.retained == {3}
    assert disk.changes[-1] == {1: False, 3: True}


async def test_retained_changes_do_not_pile_up_while_the_disk_fails(
    disk: Disk, writer: WampEventWriter
) -> None:
    assert await told(writer.retain(("r", 0), row(0))) == ""
    disk.is_failing = True
    for each in range(1, 20):
        writer.forget(("r", each - 1))
        await told(writer.retain(("r", each), row(each)))
        assert len(disk.changes[-1]) <= 2
    disk.is_failing = False
    await told(writer.forget(("r", 19)))
    assert disk.retained == set()


async def test_event_that_is_replaced_at_once_is_not_written(
    disk: Disk, writer: WampEventWriter
) -> None:
    for each in range(8):
        keeping = writer.retain(("r", each), row(each))
        if each < 7:
            writer.forget(("r", each))
    assert await told(keeping) == ""
    assert disk.changes == [{7: True}]


async def test_closing_writes_what_waits_and_refuses_the_rest(
    disk: Disk, writer: WampEventWriter
) -> None:
    disk.may_commit.clear()
    first = writer.keep([1], row(1))
    await asyncio.sleep(0.01)
    second = writer.keep([1], row(2))
    closing = asyncio.create_task(writer.close())
    await asyncio.sleep(0)
    assert await told(writer.keep([1], row(3))) == "wamp.error.unavailable"
    disk.may_commit.set()
    await closing
    assert (await told(first), await told(second)) == ("", "")
    assert disk.batches == [[1], [2]]


def broken(refused: Refused | None) -> None:
    raise ZeroDivisionError("a bug")


@pytest.mark.parametrize("is_failing", [False, True])
async def test_bug_of_one_who_waits_keeps_no_other_waiting(
    disk: Disk, writer: WampEventWriter, is_failing: bool
) -> None:
    disk.is_failing = is_failing
    disk.may_commit.clear()
    first = writer.keep([1], row(1))
    first.then(broken)
    await asyncio.sleep(0.01)
    second = writer.keep([1], row(2))
    second.then(broken)
    answers = [asyncio.create_task(told(each)) for each in (first, second)]
    closing = asyncio.create_task(writer.close())
    await asyncio.sleep(0.01)
    with capture_logs() as logs:
        disk.may_commit.set()
        await asyncio.wait_for(closing, WAIT_S_MAX)
    expected = "wamp.error.unavailable" if is_failing else ""
    assert [await each for each in answers] == [expected] * 2
    assert [log["event"] for log in logs].count("wamp_event_answer_failed") == 2


async def test_event_of_several_streams_is_lost_once(disk: Disk, writer: WampEventWriter) -> None:
    disk.is_failing = True
    with capture_logs() as logs:
        await told(writer.keep([1, 2, 3], row(1)))
    assert writer.lost_count == 1
    assert [log["count"] for log in logs if log["event"] == "wamp_events_lost"] == [1]


async def test_retained_event_that_is_written_later_is_not_lost(
    disk: Disk, writer: WampEventWriter
) -> None:
    assert await told(writer.retain(("r", 1), row(1))) == ""
    disk.may_commit.clear()
    with capture_logs() as logs:
        filling = writer.keep([1], row(9, ROOM_BYTES * 2))
        await asyncio.sleep(0.01)
        assert await told(writer.retain(("r", 2), row(2))) == "wamp.error.unavailable"
        assert await told(writer.forget(("r", 1))) == "wamp.error.unavailable"
        disk.may_commit.set()
        assert await told(filling) == ""
        await writer.close()
    assert disk.retained == {2}
    assert writer.lost_count == 0
    assert logs == []


async def test_retained_event_that_is_never_written_is_lost(
    disk: Disk, writer: WampEventWriter
) -> None:
    assert await told(writer.retain(("r", 1), row(1))) == ""
    disk.is_failing = True
    with capture_logs() as logs:
        await told(writer.keep([1], row(9)))
        await told(writer.retain(("r", 2), row(2)))
        await told(writer.forget(("r", 1)))
        assert writer.lost_count == 1
        await writer.close()
        assert await told(writer.retain(("r", 3), row(3))) == "wamp.error.unavailable"
    assert writer.lost_count == 3
    counts = [log["count"] for log in logs if log["event"] == "wamp_events_lost"]
    assert sum(counts) == 3, "the last ones are logged at once: nothing follows"


async def test_retained_events_that_failed_are_tried_again_in_the_end(
    disk: Disk, writer: WampEventWriter
) -> None:
    disk.is_failing = True
    await told(writer.retain(("r", 1), row(1)))
    disk.is_failing = False
    await writer.close()
    assert disk.retained == {1}


async def test_forgetting_goes_on_until_it_is_done_and_failures_are_tried_again(
    disk: Disk,
) -> None:
    worker = Worker("test")
    writer = WampEventWriter(disk, worker, lambda: 0, ROOM_BYTES, 0.02)  # type: ignore[arg-type] # a double in its place
    disk.is_failing = True
    await told(writer.retain(("r", 1), row(1)))
    disk.is_failing = False
    await until(lambda: disk.trims >= 3 and disk.retained)
    await writer.close()
    await worker.stop()
