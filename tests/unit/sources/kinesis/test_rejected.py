"""Rejected records: kept whole within bounds, tried again when something was mended, deleted."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from tests.unit.sources.kinesis.fake_kinesis import FakeClients, FakeKinesis
from tests.unit.sources.kinesis.test_aggregated import put_together
from tests.unit.sources.source_bench import SourceBench, texts
from tests.waiting import until

from thingtank.server.monitoring.source_samples import of_sources
from thingtank.server.rule_troubles import rule_troubles
from thingtank.server.sources import rejected_keeper
from thingtank.sources.records import RECORD_BYTES_MAX, Arrived
from thingtank.sources.rejected_store import RejectedStore
from thingtank.sources.source_file import FILE_NAME
from thingtank.sources.writer import Writer
from thingtank.tank.access import Caller
from thingtank.tank.actions.devices import create_device
from thingtank.tank.changes import DeviceChange
from thingtank.tank.errors import NotAllowed, NotFound, StorageFailed
from thingtank.tank.sources import ALL, DiscardOutcome, RejectedReason, RetryOutcome, Which

RULE = {"name": "in", "engine": "kinesis", "stream": "s", "start": "oldest", "feed": ""}


@pytest.fixture
def kinesis(monkeypatch: pytest.MonkeyPatch) -> FakeKinesis:
    made = FakeKinesis()
    monkeypatch.setattr(
        "thingtank.server.sources.sources.AwsClients", lambda *_, **__: FakeClients(made)
    )
    return made


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[SourceBench]:
    made = SourceBench(tmp_path)
    await made.furnish()
    yield made
    async with asyncio.timeout(20):
        await made.stop()


async def until_kept(bench: SourceBench, count: int) -> None:
    await until(lambda: bench.status().kept_count == count, lambda: bench.status())


async def make_device(bench: SourceBench) -> None:
    """The next device, 1003, which belongs to alice."""
    await create_device(bench.tank, Caller(bench.alice), DeviceChange(title="Late"), [])


async def test_what_was_rejected_is_written_when_its_device_is_there_and_only_once(
    bench: SourceBench, kinesis: FakeKinesis
) -> None:
    kinesis.put(b'{"t": 1}\n{"t": 2, "u": 3}\n{"v": 4}', "1003")
    kinesis.put(b'{"t": 4,' + b" " * 5000 + b'"x": 5}', "1003")  # longer than what a list shows
    sources = bench.start(RULE)
    await until_kept(bench, 2)
    outcome = await sources.retry("in", ALL)
    assert outcome == RetryOutcome(refused_count=2)
    await make_device(bench)
    assert await sources.retry("in", ALL) == RetryOutcome(written_count=2)
    first = dict(bench.values(1003))
    assert texts(first) == ["1", "2", "4"]
    assert (await sources.retry("in", ALL), list(await sources.rejected("in", 9))) == (
        RetryOutcome(), [],
    )  # fmt: skip
    assert bench.status().kept_count == 0
    await bench.stop()
    bench.start({**RULE, "name": "anew"})  # a rule with a new name reads all once more
    await until(lambda: bench.status().datapoint_count == 6, lambda: bench.status())
    assert bench.values(1003) == first


async def test_one_or_all_of_a_reason_are_tried_again_and_deleted(
    bench: SourceBench, kinesis: FakeKinesis
) -> None:
    for key in ("1003", "1003", "77", "77", "77"):
        kinesis.put(b'{"t": 1}', key)
    kinesis.put(b"garbage", "1003")
    kinesis.put(b'{"a\\n\\u2028\\u0000b": [1]}', "1003")
    sources = bench.start(RULE)
    await until_kept(bench, 7)
    which = Which(reason="a b must be a number, a text, true or false")
    assert await sources.discard("in", which) == DiscardOutcome(1)
    reasons = await sources.reasons("in", 2)
    away = "t: there is no device 77"
    assert reasons == [RejectedReason(away, 3), RejectedReason("t: there is no device 1003", 2)]
    await make_device(bench)
    (newest, *_) = await sources.rejected("in", 1)
    assert newest.excerpt == "garbage"
    outcome = await sources.retry("in", Which([9999, newest.number]))
    assert outcome == RetryOutcome(refused_count=1, missing_numbers=(9999,))
    assert await sources.retry("in", Which(reason=away)) == RetryOutcome(refused_count=3)
    assert bench.values(1003) == {}
    late = Which(reason="t: there is no device 1003")
    assert await sources.retry("in", late) == RetryOutcome(written_count=2)
    assert len(bench.values(1003)) == 2
    assert await sources.discard("in", Which([newest.number, 9999])) == DiscardOutcome(1, (9999,))
    assert bench.status().kept_count == 3
    assert await sources.discard("in", Which(reason=away)) == DiscardOutcome(3)
    assert await sources.discard("in", ALL) == DiscardOutcome(0)
    assert bench.status().kept_count == 0


async def test_a_part_of_an_aggregated_record_has_its_time_when_it_is_tried_again(
    bench: SourceBench, kinesis: FakeKinesis
) -> None:
    parts = [("1001", None, b'{"t": 1}'), ("1003", None, b'{"t": 2}\n{"t": 3}')]
    kinesis.put(put_together(parts))
    sources = bench.start(RULE)
    await until_kept(bench, 1)
    await make_device(bench)
    assert await sources.retry("in", ALL) == RetryOutcome(written_count=1)
    (first,) = bench.values(1001)
    assert list(bench.values(1003).items()) == [(first + 1, "2"), (first + 2, "3")]


async def test_a_part_that_begins_as_an_aggregated_record_is_refused_each_time_and_stays_itself(
    bench: SourceBench, kinesis: FakeKinesis
) -> None:
    inner = put_together([("1001", None, b'{"t": 9}'), ("1001", None, b"garbage")])
    kinesis.put(put_together([("1001", None, b'{"t": 1}'), ("1001", None, inner)]))
    sources = bench.start(RULE)
    await until_kept(bench, 1)
    (before,) = await sources.rejected("in", 9)
    assert await sources.retry("in", ALL) == RetryOutcome(refused_count=1)
    (after,) = await sources.rejected("in", 9)
    assert (after.number, after.record_id) == (before.number, before.record_id)
    assert texts(bench.values(1001)) == ["1"]


@pytest.mark.parametrize("is_trimmed", [False, True], ids=["deleted", "trimmed"])
async def test_what_goes_while_it_is_tried_again_does_not_come_back(
    bench: SourceBench, kinesis: FakeKinesis, monkeypatch: pytest.MonkeyPatch, is_trimmed: bool
) -> None:
    kinesis.put(b"garbage")
    kinesis.put(b"more garbage")
    sources = bench.start(RULE, rejected_max=2)
    await until_kept(bench, 2)
    (kept, first) = await sources.rejected("in", 9)
    write = Writer.write

    async def write_slowly(writer: Writer, records: Sequence[Arrived]) -> dict[int, str]:
        monkeypatch.setattr(Writer, "write", write)
        if is_trimmed:
            kinesis.put(b"newest garbage")

            async def is_there() -> bool:
                (newest,) = await sources.rejected("in", 1)
                return newest.excerpt == "newest garbage"

            await until(is_there)
        else:
            assert await sources.discard("in", Which([first.number])) == DiscardOutcome(1)
        return await writer.write(records)

    monkeypatch.setattr(Writer, "write", write_slowly)
    assert await sources.retry("in", ALL) == RetryOutcome(refused_count=2)
    found = {each.number: each for each in await sources.rejected("in", 9)}
    assert first.number not in found
    assert found[kept.number].at_us > kept.at_us
    assert len(found) == bench.status().kept_count == 1 + is_trimmed


async def test_what_is_kept_has_bounds_and_says_when_a_record_is_too_long(
    bench: SourceBench, kinesis: FakeKinesis
) -> None:
    kinesis.put(b'{"t": 1}' + b" " * RECORD_BYTES_MAX)
    sources = bench.start(RULE, rejected_bytes_max=RECORD_BYTES_MAX + 4000, rejected_max=4)
    await until_kept(bench, 1)
    (kept,) = await sources.rejected("in", 9)
    assert (kept.is_whole, kept.byte_count) == (False, RECORD_BYTES_MAX + 8)
    assert len(kept.excerpt) == 2000
    assert await sources.retry("in", ALL) == RetryOutcome(too_long_count=1)
    kinesis.put(b"[" + b" " * (RECORD_BYTES_MAX - 1))
    await until_kept(bench, 2)
    kinesis.put(b"[" + b" " * 3000)  # the first one makes room for it
    await until(lambda: bench.status().dropped_count == 1)
    await until_kept(bench, 2)
    assert [each.is_whole for each in await sources.rejected("in", 9)] == [True, True]
    for _ in range(6):
        kinesis.put(b"garbage")
    await until(lambda: bench.status().dropped_count == 5)
    await until_kept(bench, 4)
    assert bench.status().rejected_count == 9
    await sources.discard("in", ALL)
    assert bench.status().dropped_count == 5  # what a person discards is not counted


async def test_kept_records_are_there_after_a_restart_and_count_for_their_rule(
    bench: SourceBench, kinesis: FakeKinesis
) -> None:
    kinesis.put(b"garbage")
    bench.start(RULE)
    await until_kept(bench, 1)
    await bench.stop()
    sources = bench.start(RULE, {**RULE, "name": "other", "start": "latest"})
    await until_kept(bench, 1)
    assert [each.kept_count for each in sources.statuses()] == [1, 0]
    assert bench.status().rejected_count == 0
    assert await sources.discard("other", ALL) == DiscardOutcome(0)
    assert await sources.discard("in", ALL) == DiscardOutcome(1)
    for action in (sources.retry, sources.discard):
        with pytest.raises(NotFound, match="there is no rule none of sources"):
            await action("none", ALL)


async def test_records_of_a_rule_that_is_gone_are_told_of_and_can_be_deleted(
    bench: SourceBench, kinesis: FakeKinesis
) -> None:
    kinesis.put(b"garbage")
    bench.start(RULE)
    await until_kept(bench, 1)
    await bench.stop()
    sources = bench.start({**RULE, "name": "another", "start": "latest"})
    await until(lambda: len(sources.statuses()) == 2)
    told = [(each.name, each.state, each.kept_count) for each in sources.statuses()]
    assert told == [("another", "reading", 0), ("in", "gone", 1)]
    with pytest.raises(NotAllowed, match="in is no rule any more"):
        await sources.retry("in", ALL)
    assert await sources.discard("in", ALL) == DiscardOutcome(1)
    assert [each.kept_count for each in sources.statuses()] == [0, 0]
    assert list(rule_troubles((), sources.statuses())) == []
    assert {each.labels["engine"] for each in of_sources(sources.statuses())} == {"kinesis"}


async def test_a_retry_that_cannot_go_on_says_why_and_loses_nothing(
    bench: SourceBench, kinesis: FakeKinesis, monkeypatch: pytest.MonkeyPatch
) -> None:
    kinesis.put(b'{"t": 1}', "1003")
    sources = bench.start(RULE)
    await until_kept(bench, 1)
    await make_device(bench)
    monkeypatch.setattr(rejected_keeper, "RETRY_S_MAX", 0.1)
    bench.archive.failure = StorageFailed("no room on the disk")
    outcome = await sources.retry("in", ALL)
    assert outcome == RetryOutcome(left_count=1, trouble="no room on the disk")
    assert bench.status().trouble is None  # the rule itself has nothing to write
    bench.archive.failure = None
    assert await sources.retry("in", ALL) == RetryOutcome(written_count=1)


async def test_a_retry_that_breaks_off_behind_the_write_writes_the_same_once_more(
    bench: SourceBench, kinesis: FakeKinesis, monkeypatch: pytest.MonkeyPatch
) -> None:
    kinesis.put(b'{"t": 1}\n{"t": 2}', "1003")
    sources = bench.start(RULE)
    await until_kept(bench, 1)
    await make_device(bench)

    def break_off(*_: object) -> int:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(RejectedStore, "settle", break_off)
        with pytest.raises(StorageFailed):
            await sources.retry("in", ALL)
    first = dict(bench.values(1003))
    assert texts(first) == ["1", "2"]
    assert await sources.retry("in", ALL) == RetryOutcome(written_count=1)
    assert bench.values(1003) == first


async def test_a_file_that_cannot_be_read_is_told_as_such(
    bench: SourceBench, kinesis: FakeKinesis, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = bench.start(RULE)
    assert await sources.retry("in", ALL) == RetryOutcome()
    await bench.stop()
    with sqlite3.connect(bench.folder / FILE_NAME) as connection:
        connection.execute("PRAGMA user_version = 9")
    connection.close()
    sources = bench.start(RULE)
    for asking in (sources.rejected("in", 1), sources.retry("in", ALL), sources.reasons("in", 1)):
        with pytest.raises(StorageFailed, match="cannot be read or kept"):
            await asking
