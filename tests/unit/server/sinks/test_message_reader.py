"""A rule's messages, as they stand in the sinks' file: in order, bounded, each once."""

from typing import Any, cast

from thingtank.server.sinks.message_reader import MessageReader, StoredItem
from thingtank.stores.sink_store import SinkStore
from thingtank.tank.tank import SystemClock

ROWS = [(number, bytes(10 * number)) for number in range(1, 7)]


class Store:
    """The file, in memory."""

    async def run(self, work: Any) -> Any:
        return work(self)

    def waiting(self, _name: str, after: int, count_max: int) -> list[tuple[int, bytes]]:
        return [row for row in ROWS if row[0] > after][:count_max]


def reader() -> MessageReader:
    sizes = [(number, len(blob)) for number, blob in ROWS]
    return MessageReader("r", cast("SinkStore", Store()), 0, sizes, lambda: None, SystemClock())


def numbers(items: Any) -> list[int]:
    return [each.seq for each in items]


async def test_what_is_taken_is_bounded_in_number_and_in_bytes() -> None:
    read = reader()
    assert (read.is_behind, read.has_batches, read.published_seq) == (True, False, 6)
    assert read.take(9, 9, 10**6) == []
    await read.fill()
    assert numbers(read.take(0, 9, 10**6)) == []
    assert numbers(read.take(1, 9, 10**6)) == [1]
    assert numbers(read.take(9, 1, 10**6)) == [2]
    assert numbers(read.take(9, 9, 31)) == [3, 4]  # as items stay whole
    assert numbers(read.take(9, 9, 10**6)) == [5, 6]
    assert (read.is_behind, read.has_batches, read.through_seq) == (False, False, 6)


async def test_what_is_not_passed_is_seen_again() -> None:
    read = reader()
    await read.fill()
    assert len(read.take(9, 9, 10**6)) == 6
    read.passed(4)
    assert (read.waiting_count, read.waiting_bytes) == (2, 110)
    read.go_back()
    await read.fill()
    assert read.take(9, 9, 10**6) == [StoredItem(5, bytes(50)), StoredItem(6, bytes(60))]
