"""What every archive does, sentence by sentence of `tank.interfaces.Archive`.

The embedded archive is tried twice: once reading what is mostly in its head, once after all was
moved to the history store before each read.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import UNSET
from tests.unit.stores.memory_history import MemoryHistory

from thingtank.stores.archive_settings import ArchiveSettings
from thingtank.stores.embedded_archive import EmbeddedArchive
from thingtank.stores.history.store import HistoryStore
from thingtank.stores.history_interface import History
from thingtank.stores.memory_archive import MemoryArchive
from thingtank.tank.datapoints import (
    AT_US_MAX,
    AT_US_MIN,
    Bucket,
    CurrentValue,
    Datapoint,
    DatapointRows,
    number_of,
)
from thingtank.tank.interfaces import Archive
from thingtank.tank.tank import SystemClock

FEED = [1, 2, 3]
ALL_TIME = (AT_US_MIN, AT_US_MAX + 1)
LETTER_FOR_LETTER = [
    "0000017", "+5", "1e3", "1E3", "-0", "5.0", "21.50", "0.00001", "", " ", " 5 ", "nan", "inf",
    "1e999", "1_000", "٣", "on", "grün", "温度", "🌡️", "a\nb", "1,2", '"', "null", "9007199254740993",
    "999999999999999", "1000000000000000", "-12.25", "0.1", "1" * 400,
]  # fmt: skip


class MovedArchive(EmbeddedArchive):
    """The embedded archive with nothing in its head whenever it is read."""

    async def read(
        self,
        stream_ids: Sequence[int],
        start_us: int,
        end_us: int,
        limit: int,
        newest_first: bool = False,
    ) -> dict[int, list[Datapoint]]:
        await self.flush()
        return await super().read(stream_ids, start_us, end_us, limit, newest_first)

    async def read_last_before(
        self, stream_ids: Sequence[int], before_us: int
    ) -> dict[int, Datapoint]:
        await self.flush()
        return await super().read_last_before(stream_ids, before_us)

    async def read_buckets(
        self,
        stream_ids: Sequence[int],
        start_us: int,
        end_us: int,
        interval_us: int,
        origin_us: int = 0,
        limit: int = 10_000,
        *,
        is_as_written: bool = True,
    ) -> dict[int, list[Bucket]]:
        await self.flush()
        return await super().read_buckets(
            stream_ids, start_us, end_us, interval_us, origin_us, limit, is_as_written=is_as_written
        )


class CompactedArchive(MovedArchive):
    """The embedded archive with all it holds in the cold tier whenever it is read."""

    async def flush(self) -> None:
        await super().flush()
        await asyncio.to_thread(self._history.compact, AT_US_MAX + 1)


WAYS = {"embedded": EmbeddedArchive, "moved": MovedArchive, "compacted": CompactedArchive}


def open_memory_history(_folder: Path) -> History:
    return MemoryHistory()


def open_duckdb_history(folder: Path) -> History:
    return HistoryStore.open(folder, ArchiveSettings(), SystemClock())


HISTORIES = {"memory": open_memory_history, "duckdb": open_duckdb_history}


@pytest.fixture(params=["memory", *(f"{how}-{name}" for how in WAYS for name in HISTORIES)])
async def archive(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Archive]:
    if request.param == "memory":
        yield MemoryArchive()
        return
    way, name = request.param.split("-")
    history = HISTORIES[name](tmp_path)
    opened = await WAYS[way].join(tmp_path, ArchiveSettings(), history)
    yield opened
    await opened.close()


async def write(archive: Archive, stream_id: int, *values: tuple[int, str]) -> None:
    rows = [(stream_id, Datapoint(at_us, value)) for at_us, value in values]
    await archive.append(DatapointRows.of(rows))


async def everything(archive: Archive, stream_id: int = 1) -> list[tuple[int, str]]:
    found = await archive.read([stream_id], *ALL_TIME, 10_000)
    return [(datapoint.at_us, datapoint.value) for datapoint in found.get(stream_id, [])]


async def test_nothing_written_is_nothing_read(archive: Archive) -> None:
    assert archive.current(1) is None
    assert await archive.read(FEED, *ALL_TIME, 10) == {}
    assert await archive.read_last_before(FEED, AT_US_MAX) == {}
    assert await archive.read_buckets(FEED, *ALL_TIME, 1_000_000) == {}


async def test_empty_append_changes_nothing(archive: Archive) -> None:
    await archive.append(DatapointRows([], [], []))
    assert await everything(archive) == []


async def test_written_datapoints_are_read_oldest_first(archive: Archive) -> None:
    await write(archive, 1, (10, "1"), (20, "2"))
    await write(archive, 1, (30, "3"))
    assert await everything(archive) == [(10, "1"), (20, "2"), (30, "3")]


async def test_writes_out_of_order_are_read_in_order(archive: Archive) -> None:
    await write(archive, 1, (30, "3"), (10, "1"))
    await write(archive, 1, (20, "2"))
    assert await everything(archive) == [(10, "1"), (20, "2"), (30, "3")]


async def test_same_instant_is_overwritten(archive: Archive) -> None:
    await write(archive, 1, (10, "old"), (20, "2"))
    await everything(archive)
    await write(archive, 1, (10, "new"))
    assert await everything(archive) == [(10, "new"), (20, "2")]


async def test_last_of_one_write_wins_the_instant(archive: Archive) -> None:
    await write(archive, 1, (10, "first"), (10, "5"), (10, "last"))
    assert await everything(archive) == [(10, "last")]
    assert archive.current(1) == CurrentValue(10, "last", 5, 5)


async def test_caller_may_go_on_using_its_rows(archive: Archive) -> None:
    rows = DatapointRows.of([(1, Datapoint(10, "1"))])
    acknowledgement = archive.append(rows)
    rows.extend(DatapointRows([1], [20], ["2"]))
    await acknowledgement
    assert await everything(archive) == [(10, "1")]


async def test_range_holds_its_start_and_excludes_its_end(archive: Archive) -> None:
    await write(archive, 1, (9, "a"), (10, "b"), (19, "c"), (20, "d"))
    assert await archive.read([1], 10, 20, 10) == {1: [Datapoint(10, "b"), Datapoint(19, "c")]}


async def test_earliest_and_latest_instants_can_be_written(archive: Archive) -> None:
    await write(archive, 1, (AT_US_MAX, "last"), (0, "epoch"), (AT_US_MIN, "first"), (-1, "before"))
    assert await everything(archive) == [
        (AT_US_MIN, "first"),
        (-1, "before"),
        (0, "epoch"),
        (AT_US_MAX, "last"),
    ]
    assert archive.current(1) == CurrentValue(AT_US_MAX, "last")


async def test_limit_counts_for_each_datastream(archive: Archive) -> None:
    for stream_id in (1, 2):
        await write(archive, stream_id, *[(at_us, str(at_us)) for at_us in range(5)])
    assert await archive.read(FEED, 1, 5, 2) == {
        1: [Datapoint(1, "1"), Datapoint(2, "2")],
        2: [Datapoint(1, "1"), Datapoint(2, "2")],
    }


async def test_newest_are_read_oldest_first_too(archive: Archive) -> None:
    await write(archive, 1, *[(at_us, str(at_us)) for at_us in range(5)])
    found = await archive.read([1], 0, 4, 2, newest_first=True)
    assert found == {1: [Datapoint(2, "2"), Datapoint(3, "3")]}


async def test_datastreams_with_nothing_in_the_range_are_left_out(archive: Archive) -> None:
    await write(archive, 1, (10, "1"))
    await write(archive, 2, (99, "1"))
    assert list(await archive.read(FEED, 0, 50, 10)) == [1]
    assert list(await archive.read_last_before(FEED, 50)) == [1]
    assert list(await archive.read_buckets(FEED, 0, 50, 10)) == [1]


@pytest.mark.parametrize("text", LETTER_FOR_LETTER)
async def test_value_is_read_letter_for_letter(archive: Archive, text: str) -> None:
    await write(archive, 1, (10, "20.5"), (20, text))
    assert await everything(archive) == [(10, "20.5"), (20, text)]
    current = archive.current(1)
    assert current is not None
    assert (current.at_us, current.value) == (20, text)
    assert await archive.read_last_before([1], 21) == {1: Datapoint(20, text)}
    buckets = await archive.read_buckets([1], 0, 100, 100)
    assert buckets[1][0].last == Datapoint(20, text)


async def test_newest_time_is_current_whatever_was_written_last(archive: Archive) -> None:
    await write(archive, 1, (20, "new"))
    await write(archive, 1, (10, "old"))
    assert archive.current(1) == CurrentValue(20, "new")


async def test_extremes_are_of_all_numbers_ever_written(archive: Archive) -> None:
    await write(archive, 1, (20, "7"), (10, "-2.5"), (15, "nan"), (30, "on"))
    assert archive.current(1) == CurrentValue(30, "on", -2.5, 7)


async def test_extremes_can_be_set_and_reset(archive: Archive) -> None:
    await write(archive, 1, (10, "5"))
    await archive.set_extremes(1, -100, None)
    assert archive.current(1) == CurrentValue(10, "5", -100, None)
    await write(archive, 1, (20, "3"))
    assert archive.current(1) == CurrentValue(20, "3", -100, 3)
    await archive.set_extremes(1, None, None)
    assert archive.current(1) == CurrentValue(20, "3")


async def test_an_extreme_that_is_left_is_what_the_changes_before_made_it(archive: Archive) -> None:
    await write(archive, 1, (10, "5"))
    on_their_way = [
        archive.set_extremes(1, UNSET, 100),
        archive.append(DatapointRows([1], [20], ["-50"])),
        archive.set_extremes(1, UNSET, 90),
        archive.set_extremes(2, -1, UNSET),
        archive.set_extremes(2, UNSET, 1),
        archive.set_extremes(3, UNSET, UNSET),
    ]
    for each in on_their_way:
        await each
    assert archive.current(1) == CurrentValue(20, "-50", -50, 90)
    assert archive.current(2) == CurrentValue(None, None, -1, 1)
    assert archive.current(3) is None


async def test_extremes_of_a_datastream_without_datapoints_are_kept(archive: Archive) -> None:
    await archive.set_extremes(1, 1.5, 2.5)
    assert archive.current(1) == CurrentValue(None, None, 1.5, 2.5)
    await write(archive, 1, (10, "2"))
    assert archive.current(1) == CurrentValue(10, "2", 1.5, 2.5)


async def test_large_writes_count_as_small_ones_do(archive: Archive) -> None:
    rows = [
        (stream_id, Datapoint(at_us, f"{stream_id * at_us % 97 / 2:.1f}"))
        for at_us in range(200)
        for stream_id in (1, 2, 70_000)
    ]
    rows.reverse()
    await archive.append(DatapointRows.of(rows))
    for stream_id in (1, 2, 70_000):
        expected = [(row.at_us, row.value) for other, row in reversed(rows) if other == stream_id]
        assert await everything(archive, stream_id) == expected
        numbers = [float(value) for _, value in expected]
        assert archive.current(stream_id) == CurrentValue(*expected[-1], min(numbers), max(numbers))


async def test_deleted_range_is_gone_and_its_neighbours_are_not(archive: Archive) -> None:
    for stream_id in FEED:
        await write(archive, stream_id, *[(at_us, str(at_us)) for at_us in range(5)])
    await everything(archive)
    await archive.delete([1, 2], 1, 3)
    assert await everything(archive, 1) == [(0, "0"), (3, "3"), (4, "4")]
    assert await everything(archive, 2) == [(0, "0"), (3, "3"), (4, "4")]
    assert len(await everything(archive, 3)) == 5


async def test_what_is_written_after_a_deletion_stays(archive: Archive) -> None:
    await write(archive, 1, (10, "old"), (11, "old"))
    await everything(archive)
    await asyncio.gather(
        archive.append(DatapointRows.of([(1, Datapoint(12, "gone"))])),
        archive.delete([1], 0, 100),
        archive.append(DatapointRows.of([(1, Datapoint(10, "new"))])),
    )
    assert await everything(archive) == [(10, "new")]
    assert archive.current(1) == CurrentValue(10, "new")


async def test_deleting_nothing_is_fine(archive: Archive) -> None:
    await archive.delete(FEED, *ALL_TIME)
    await archive.delete(FEED, 5, 6)
    assert archive.current(1) is None


async def test_current_value_falls_back_to_the_newest_left(archive: Archive) -> None:
    await write(archive, 1, (10, "1"), (20, "2"), (30, "3"))
    await everything(archive)
    await archive.delete([1], 20, 31)
    assert archive.current(1) == CurrentValue(10, "1", 1, 3)
    await archive.delete([1], 10, 11)
    assert archive.current(1) == CurrentValue(None, None, 1, 3)
    await write(archive, 1, (5, "5"))
    assert archive.current(1) == CurrentValue(5, "5", 1, 5)


async def test_deletion_of_older_datapoints_leaves_the_current_value(archive: Archive) -> None:
    await write(archive, 1, (10, "1"), (20, "2"))
    await archive.delete([1], 0, 20)
    assert archive.current(1) == CurrentValue(20, "2", 1, 2)


async def test_deletion_of_all_time_forgets_the_extremes(archive: Archive) -> None:
    await write(archive, 1, (10, "1"), (20, "2"))
    await archive.delete([1], *ALL_TIME)
    assert archive.current(1) is None
    await write(archive, 1, (5, "7"))
    assert archive.current(1) == CurrentValue(5, "7", 7, 7)


async def test_last_before_excludes_its_instant(archive: Archive) -> None:
    await write(archive, 1, (10, "1"), (20, "2"), (30, "3"))
    assert await archive.read_last_before([1, 2], 20) == {1: Datapoint(10, "1")}
    assert await archive.read_last_before([1, 2], 21) == {1: Datapoint(20, "2")}
    assert await archive.read_last_before([1, 2], AT_US_MAX + 1) == {1: Datapoint(30, "3")}
    assert await archive.read_last_before([1, 2], 10) == {}


async def test_buckets_summarize_numbers_and_count_texts(archive: Archive) -> None:
    await write(archive, 1, (10, "1"), (12, "on"), (19, "2.5"), (20, "off"), (45, "+4"))
    assert await archive.read_buckets([1], 0, 100, 10) == {
        1: [
            Bucket(10, 3, 2, 1, 2.5, 3.5, 10, 1.0, 19, 2.5, 10, 19),
            Bucket(20, 1, 0, None, None, None, 20, "off", 20, "off", None, None),
            Bucket(40, 1, 1, 4, 4, 4, 45, "+4", 45, "+4", 45, 45),
        ]
    }
    found = await archive.read_buckets([1], 0, 20, 20)
    assert [(bucket.first, bucket.last) for bucket in found[1]] == [
        (Datapoint(10, "1"), Datapoint(19, "2.5"))
    ]


async def test_buckets_for_who_draws_say_the_same_in_numbers(archive: Archive) -> None:
    texts = ["1.50", "on", "2", "+4", "nan", "3e0", "off", "0x1", "7.0"]
    await write(archive, 1, *[(at_us * 7, text) for at_us, text in enumerate(texts * 20)])
    await write(archive, 1, (3, "2.50"), (70, "9.90"), (71, "late"))
    for interval_us in (10, 100, 10_000):
        written = await archive.read_buckets([1], 0, 2_000, interval_us)
        drawn = await archive.read_buckets([1], 0, 2_000, interval_us, is_as_written=False)
        assert list(map(in_numbers, drawn[1])) == list(map(in_numbers, written[1]))


def in_numbers(bucket: Bucket) -> Bucket:
    """A bucket whose first and last are numbers where they can be."""
    first, last = (number_of(each.value) for each in (bucket.first, bucket.last))
    return msgspec.structs.replace(
        bucket,
        first_kept=bucket.first.value if first is None else first,
        last_kept=bucket.last.value if last is None else last,
    )


async def test_buckets_count_from_their_origin_before_and_after_it(archive: Archive) -> None:
    await write(archive, 1, (-8, "1"), (2, "2"), (3, "3"), (13, "4"))
    found = await archive.read_buckets([1], -100, 100, 10, origin_us=3)
    assert [(bucket.start_us, bucket.count) for bucket in found[1]] == [
        (-17, 1),
        (-7, 1),
        (3, 1),
        (13, 1),
    ]


async def test_buckets_hold_only_what_is_in_the_range(archive: Archive) -> None:
    await write(archive, 1, *[(at_us, str(at_us)) for at_us in range(30)])
    found = await archive.read_buckets([1], 5, 15, 10)
    assert [(b.start_us, b.count, b.first.at_us, b.last.at_us) for b in found[1]] == [
        (0, 5, 5, 9),
        (10, 5, 10, 14),
    ]


async def test_oldest_buckets_are_kept_by_the_limit(archive: Archive) -> None:
    for stream_id in (1, 2):
        await write(archive, stream_id, *[(at_us, "1") for at_us in range(stream_id, 50, 10)])
    found = await archive.read_buckets([1, 2], 0, 50, 10, limit=2)
    assert {i: [bucket.start_us for bucket in buckets] for i, buckets in found.items()} == {
        1: [0, 10],
        2: [0, 10],
    }


async def test_overwritten_and_deleted_datapoints_are_in_no_bucket(archive: Archive) -> None:
    await write(archive, 1, (10, "1"), (11, "2"), (12, "3"))
    await archive.read_buckets([1], 0, 100, 10)
    await write(archive, 1, (10, "5"))
    await archive.delete([1], 11, 12)
    assert await archive.read_buckets([1], 0, 100, 10) == {
        1: [Bucket(10, 2, 2, 3, 5, 8, 10, 5.0, 12, 3.0, 12, 10)]
    }


async def test_concurrent_writers_lose_nothing(archive: Archive) -> None:
    async def writer(stream_id: int) -> None:
        for at_us in range(20):
            await write(archive, stream_id, (at_us, str(at_us)))
            current = archive.current(stream_id)
            assert current is not None
            assert current.at_us == at_us

    await asyncio.gather(*(writer(stream_id) for stream_id in range(1, 17)))
    found = await archive.read(list(range(1, 17)), *ALL_TIME, 100)
    assert {len(datapoints) for datapoints in found.values()} == {20}
    assert len(found) == 16


instants = st.integers(0, 12)
stream_numbers = st.integers(1, 2)
writes = st.tuples(
    st.just("write"),
    st.lists(
        st.tuples(stream_numbers, instants, st.sampled_from(["1", "2.5", "-3", "on", "+4", "5.0"])),
        min_size=1,
        max_size=4,
    ),
)
deletions = st.tuples(st.just("delete"), stream_numbers, instants, st.integers(1, 6))
resets = st.tuples(st.just("reset"), stream_numbers)
moves = st.just(("move",))
steps = st.lists(st.one_of(writes, writes, deletions, resets, moves), max_size=12)


@pytest.mark.parametrize("open_history", HISTORIES.values(), ids=HISTORIES.keys())
@given(steps=steps, is_grouped=st.booleans())
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
async def test_any_course_of_events_ends_as_in_memory(
    tmp_path_factory: pytest.TempPathFactory,
    open_history: Callable[[Path], History],
    steps: list[tuple],
    is_grouped: bool,
) -> None:
    folder = tmp_path_factory.mktemp("tank")
    history = open_history(folder)
    embedded = await EmbeddedArchive.join(folder, ArchiveSettings(), history)
    memory = MemoryArchive()
    try:
        under_way = []
        for step in steps:
            if step[0] == "move":
                await embedded.flush()
                continue
            await act(memory, step)
            under_way.append(act(embedded, step))
            if not is_grouped:
                await asyncio.gather(*under_way)
                under_way.clear()
        await asyncio.gather(*under_way)
        await compare(memory, embedded)
    finally:
        await embedded.close()
    again = open_history(folder) if isinstance(history, HistoryStore) else reopen(history, folder)
    reopened = await EmbeddedArchive.join(folder, ArchiveSettings(), again)
    try:
        await compare(memory, reopened)
    finally:
        await reopened.close()


def act(archive: Archive, step: tuple) -> asyncio.Future:
    match step:
        case ("write", rows):
            columns = DatapointRows.of((i, Datapoint(at, value)) for i, at, value in rows)
            return asyncio.ensure_future(archive.append(columns))
        case ("delete", stream_id, start_us, length_us):
            return asyncio.ensure_future(
                archive.delete([stream_id], start_us, start_us + length_us)
            )
        case ("reset", stream_id):
            return asyncio.ensure_future(archive.set_extremes(stream_id, None, None))
    raise AssertionError(step)


def reopen(history: History, folder: Path) -> History:
    """The same history store after a restart; one in memory is its own disk."""
    return history


async def compare(expected: Archive, got: Archive) -> None:
    questions: list[Callable[[Archive], Awaitable[object]]] = [
        lambda archive: archive.read([1, 2], *ALL_TIME, 100),
        lambda archive: archive.read([1, 2], 3, 9, 2, True),
        lambda archive: archive.read_last_before([1, 2], 6),
        lambda archive: archive.read_buckets([1, 2], 0, 20, 5, 1),
    ]
    for ask in questions:
        assert await ask(got) == await ask(expected)
    assert [got.current(i) for i in (1, 2)] == [expected.current(i) for i in (1, 2)]


async def test_datastreams_that_something_is_stored_of_are_told_a_part_at_a_time(
    archive: Archive,
) -> None:
    await archive.append(DatapointRows.of((i, Datapoint(5, "1")) for i in range(1, 3000)))
    await archive.set_extremes(5000, 1, None)
    await write(archive, 6000, (5, "on"))
    await archive.delete([7, 6000], *ALL_TIME)
    await archive.delete([8], 5, 6)  # its extremes stay
    parts = list(archive.stored_streams())
    assert sorted(i for part in parts for i in part) == [*range(1, 7), *range(8, 3000), 5000]
    assert max(map(len, parts)) <= 1024


async def test_the_newest_may_be_at_the_very_beginning_of_the_epoch(archive: Archive) -> None:
    await write(archive, 1, (-5, "a"), (0, "b"))
    found = await archive.read([1], *ALL_TIME, 1, newest_first=True)
    assert found == {1: [Datapoint(0, "b")]}
