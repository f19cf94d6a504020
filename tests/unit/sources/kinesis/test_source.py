"""A stream that is read: checkpoints, failures, splits, hand-overs; and rejected records."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.unit.sources.kinesis.fake_kinesis import ARRIVED_AT, Expired, FakeClients, FakeKinesis
from tests.unit.sources.kinesis.test_aggregated import put_together
from tests.unit.sources.source_bench import SourceBench, texts
from tests.waiting import until

from thingtank.sources import calls
from thingtank.sources.kinesis.aggregated import MAGIC
from thingtank.sources.kinesis.leases import Lease
from thingtank.sources.source_file import FileLeases, SourceFile
from thingtank.tank.errors import Overloaded, StorageFailed

RULE = {"name": "in", "engine": "kinesis", "stream": "s", "start": "oldest"}


@pytest.fixture
def kinesis(monkeypatch: pytest.MonkeyPatch) -> FakeKinesis:
    made = FakeKinesis(2)
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


def put(kinesis: FakeKinesis, *numbers: int, shard: str = "", key: str = "") -> None:
    for n in numbers:
        kinesis.put(b'{"t": %d}' % n, key or f"key{n}", shard)


def numbers(bench: SourceBench) -> list[int]:
    return [int(text) for text in texts(bench.values())]


def files_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def until_numbers(bench: SourceBench, wanted: list[int]) -> None:
    await until(lambda: sorted(numbers(bench)) == wanted, lambda: (numbers(bench), bench.status()))


async def test_all_shards_are_read_and_times_are_those_of_arrival(
    bench: SourceBench, kinesis: FakeKinesis
) -> None:
    put(kinesis, *range(50))
    bench.start(RULE)
    await until_numbers(bench, list(range(50)))
    assert numbers(bench) == list(range(50))  # in the order of arrival
    first_us = min(bench.values())
    assert 0 <= first_us / 1e6 - ARRIVED_AT.timestamp() < 0.2
    status = bench.status()
    assert (status.state, status.record_count, status.datapoint_count) == ("reading", 50, 50)
    assert (status.shards, status.where) == (["s0", "s1"], "stream s of Kinesis")


async def test_reading_goes_on_behind_the_checkpoint(
    bench: SourceBench, kinesis: FakeKinesis
) -> None:
    put(kinesis, 1, 2, 3)
    bench.start(RULE)
    await until_numbers(bench, [1, 2, 3])
    await bench.stop()
    put(kinesis, 4, 5)
    bench.start(RULE)
    await until_numbers(bench, [1, 2, 3, 4, 5])
    assert bench.status().record_count == 2


async def test_a_stop_after_the_write_and_before_its_checkpoint_waits_for_that(
    bench: SourceBench, kinesis: FakeKinesis, monkeypatch: pytest.MonkeyPatch
) -> None:
    change = FileLeases.change

    def slow_change(self: FileLeases, lease: Lease, **changes: Any) -> Lease | None:
        if changes.get("checkpoint"):
            time.sleep(0.2)
        return change(self, lease, **changes)

    monkeypatch.setattr(FileLeases, "change", slow_change)
    put(kinesis, 1, 2, 3, shard="s0")
    bench.start(RULE)
    await until_numbers(bench, [1, 2, 3])
    await bench.stop()
    put(kinesis, 4, shard="s0")
    bench.start(RULE)
    await until_numbers(bench, [1, 2, 3, 4])
    assert bench.status().record_count == 1


async def test_latest_begins_now_and_a_restart_does_not_begin_anew(
    bench: SourceBench, kinesis: FakeKinesis
) -> None:
    put(kinesis, 1)
    bench.start({**RULE, "start": "latest"})
    await until(lambda: len(kinesis.iterator_places) >= 2)
    assert set(kinesis.iterator_places) == {"AT_TIMESTAMP"}
    await bench.stop()
    assert numbers(bench) == []
    file = SourceFile(bench.folder)
    starts = {lease.checkpoint for lease in file.leases("in", "s").all()}
    file.close()
    kinesis.iterator_places.clear()
    bench.start({**RULE, "start": "oldest"})
    await until(lambda: len(kinesis.iterator_places) >= 2)
    assert "TRIM_HORIZON" not in kinesis.iterator_places
    assert all(start.startswith("@") or start.isdigit() for start in starts)


async def test_a_time_is_where_reading_begins(bench: SourceBench, kinesis: FakeKinesis) -> None:
    put(kinesis, 1, 2, shard="s0")
    arrived_at = kinesis.shards["s0"][1]["ApproximateArrivalTimestamp"]
    bench.start({**RULE, "start": arrived_at.isoformat()})
    await until_numbers(bench, [2])


async def test_children_of_split_and_merged_shards_are_read_after_their_parents(
    bench: SourceBench, kinesis: FakeKinesis
) -> None:
    kinesis.page_records_max = 2
    read: list[str] = []
    kinesis.before_read = read.append
    put(kinesis, *range(7), shard="s0")
    left, right = kinesis.split("s0")
    put(kinesis, *range(7, 10), shard=left)
    put(kinesis, *range(10, 12), shard=right)
    (merged,) = kinesis.merge(right, "s1")
    put(kinesis, 12, 13, shard=merged)
    bench.start(RULE)
    await until_numbers(bench, list(range(14)))
    last_of = {shard: len(read) - 1 - read[::-1].index(shard) for shard in ("s0", "s1", right)}
    assert read.index(left) > last_of["s0"]
    assert read.index(merged) > max(last_of["s1"], last_of[right])
    split = kinesis.split(merged)  # while it is read
    put(kinesis, 14, shard=split[0])
    await until_numbers(bench, list(range(15)))


async def test_shards_that_are_gone_with_their_age_are_forgotten(
    bench: SourceBench, kinesis: FakeKinesis
) -> None:
    children = kinesis.split("s0")
    bench.start(RULE)
    await until(lambda: bench.status().shards == ["s1", *children])
    kinesis.age("s0")
    kinesis.age("s1")
    await until(lambda: bench.status().shards == children)
    await bench.stop()
    file = SourceFile(bench.folder)
    assert [lease.shard for lease in file.leases("in", "s").all()] == children
    file.close()


async def test_a_shard_that_a_list_was_too_early_for_keeps_its_place(
    bench: SourceBench, kinesis: FakeKinesis
) -> None:
    put(kinesis, 1, 2, shard="s1")
    bench.start(RULE)
    await until_numbers(bench, [1, 2])
    await bench.stop()
    kinesis.hidden_once = {"s1"}
    bench.start(RULE)
    put(kinesis, 3, shard="s1")
    await until_numbers(bench, [1, 2, 3])
    assert bench.status().record_count == 1


async def test_nothing_is_acknowledged_before_it_is_on_disk(
    bench: SourceBench, kinesis: FakeKinesis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "SETTLE_S_MAX", 0.05)
    put(kinesis, 1, shard="s0")
    for failure in (Overloaded("full"), StorageFailed("no disk")):
        bench.archive.failure = failure
        bench.archive.failed_count = 0
        bench.start(RULE)
        await until(lambda: bench.archive.failed_count > 2)
        trouble = bench.status().trouble
        assert trouble is not None
        assert (trouble.kind, trouble.what) == ("storage", str(failure))
        await bench.stop()
    bench.archive.failure = None
    bench.start(RULE)
    await until_numbers(bench, [1])


async def test_an_iterator_that_expires_is_made_anew_where_it_was(
    bench: SourceBench, kinesis: FakeKinesis
) -> None:
    put(kinesis, 1, shard="s0")
    bench.start(RULE)
    await until_numbers(bench, [1])
    fails = [OSError("broken pipe"), Expired()]

    def fail(shard: str) -> None:
        if fails and shard == "s0":
            raise fails.pop()

    kinesis.before_read = fail
    put(kinesis, 2, shard="s0")
    await until_numbers(bench, [1, 2])
    assert bench.status().record_count == 2
    assert bench.status().failures == {"unknown": 1}
    assert bench.status().trouble is None


@pytest.mark.parametrize(
    ("code", "kind", "state", "advice"),
    [
        ("ProvisionedThroughputExceededException", "throttled", "failing", "try again in a while"),
        ("ExpiredTokenException", "credentials", "failing", "aws sts get-caller-identity"),
        ("AccessDeniedException", "not_allowed", "stuck", "thingtank cloud check"),
    ],
)
async def test_what_aws_refuses_is_told_with_advice_and_tried_again(
    bench: SourceBench, kinesis: FakeKinesis, code: str, kind: str, state: str, advice: str
) -> None:
    refusal = ClientError({"Error": {"Code": code, "Message": "No"}}, "GetRecords")

    def refuse(shard: str) -> None:
        if shard == "s0":
            raise refusal

    kinesis.before_read = refuse
    put(kinesis, 1, shard="s0")
    put(kinesis, 2, shard="s1")
    bench.start(RULE)
    await until(lambda: bench.status().failures.get(kind, 0) > 2)
    await until_numbers(bench, [2])  # the other shard is read
    trouble = bench.status().trouble
    assert trouble is not None
    assert (bench.status().state, trouble.kind) == (state, kind)
    assert code in trouble.what
    assert advice in trouble.what
    kinesis.before_read = lambda _: None
    await until_numbers(bench, [1, 2])
    assert bench.status().trouble is None


async def test_rejected_records_are_kept_and_hold_nobody_up(
    bench: SourceBench, kinesis: FakeKinesis, capsys: pytest.CaptureFixture[str]
) -> None:
    good = b'{"datastream": "t", "value": 1}'
    for data in (
        b"garbage", good + b'\n{"datastream": "t", "value": 2, "device": 77}', b'{"t": 3}',
        b'{"feed": 1002, "t": 4}', b'{"bad name!": 5}', b'{"t": "%s"}' % (b"x" * 300),
    ):  # fmt: skip
        kinesis.put(data, shard="s0")
    sources = bench.start(RULE, rejected_max=4)
    await until_numbers(bench, [1, 3])
    await until(lambda: (bench.status().rejected_count, bench.status().kept_count) == (5, 4))
    await until(lambda: not bench.values(1002))
    rejected = await sources.rejected("in", 10)
    assert [(each.record_id, each.reason) for each in rejected] == [
        ("s0/105", "t: is too long (maximum is 255 characters)"),
        ("s0/104", next(each.reason for each in rejected if each.record_id == "s0/104")),
        ("s0/103", "t: there is no device 1002"),
        ("s0/101", "t: there is no device 77"),
    ]
    assert rejected[-1].excerpt.startswith('{"datastream"')
    older = await sources.rejected("in", 10, before=rejected[1].number)
    assert [each.record_id for each in older] == ["s0/103", "s0/101"]
    for number in range(3):
        kinesis.put(b"more garbage", shard="s1")
        await until(lambda want=6 + number: bench.status().rejected_count == want)  # type: ignore[misc] # bound now, as the loop goes on
    # One line for all of these reads: a stream may hold nothing else.
    assert capsys.readouterr().out.count("source_records_rejected") == 1


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"create_missing": False}, "u: device 1001 has no datastream u"),
        ({"owner": "bob"}, "u: there is no device 1001"),
    ],
)
async def test_rights_and_datastreams_are_those_of_the_rule(
    bench: SourceBench, kinesis: FakeKinesis, members: dict[str, object], reason: str
) -> None:
    kinesis.put(b'{"u": 1}', shard="s0")
    sources = bench.start({**RULE, **members})
    await until(lambda: bench.status().kept_count == 1)
    assert [each.reason for each in await sources.rejected("in", 9)] == [reason]


async def test_a_rule_of_nobody_waits_for_the_account(
    bench: SourceBench, kinesis: FakeKinesis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "SETTLE_S_MAX", 0.05)
    put(kinesis, 1)
    bench.start({**RULE, "owner": "carol"})
    await until(lambda: bench.status().state == "stuck")
    trouble = bench.status().trouble
    assert trouble is not None
    assert trouble.what.startswith("There is no active account carol. Make or enable it")
    assert numbers(bench) == []
    await bench.stop()


async def test_thousands_of_values_of_one_page_are_written_in_groups(
    bench: SourceBench, kinesis: FakeKinesis
) -> None:
    lines = [b'{"t": 1, "at": %d}' % at for at in range(1_600_000_000, 1_600_004_000)]
    for n in range(0, 4000, 1000):
        kinesis.put(b"\n".join(lines[n : n + 1000] * 6), shard="s0")
    bench.start(RULE)
    await until(lambda: len(bench.values()) == 4000)
    await until(lambda: bench.status().datapoint_count == 24_000)


async def test_a_backup_has_the_place_that_was_reached(
    bench: SourceBench, kinesis: FakeKinesis, tmp_path: Path
) -> None:
    put(kinesis, 1, 2)
    sources = bench.start(RULE)
    await until_numbers(bench, [1, 2])
    await until(lambda: bench.status().record_count == 2)
    await bench.stop()
    sources = bench.start(RULE)
    (tmp_path / "backup").mkdir()
    await sources.copy_to(tmp_path / "backup")
    await bench.stop()
    bench.start(RULE, folder="backup")
    put(kinesis, 3)
    await until_numbers(bench, [1, 2, 3])
    assert bench.status().record_count == 1


async def test_an_instance_that_has_read_nothing_has_no_file(
    bench: SourceBench, tmp_path: Path
) -> None:
    sources = bench.start()
    await sources.copy_to(tmp_path)
    assert list(sources.statuses()) == []
    await bench.stop()
    assert files_in(tmp_path) == []


async def test_records_that_were_put_together_are_read_each_for_itself(
    bench: SourceBench, kinesis: FakeKinesis, capsys: pytest.CaptureFixture[str]
) -> None:
    middle = 2**127
    kinesis.hash_ranges = {"s0": (0, middle - 1), "s1": (middle, 2**128 - 1)}
    bodies = [b'{"t": 1}', b"garbage", b'{"t": 3}', b'{"t": 4}']
    hash_keys = ["5", "6", str(middle), "7"]
    kinesis.put(
        put_together([("k", text, body) for text, body in zip(hash_keys, bodies, strict=True)]),
        shard="s0",
    )
    kinesis.put(MAGIC + b"garbage", shard="s1")
    sources = bench.start(RULE)
    await until(lambda: bench.status().kept_count == 2)
    await until_numbers(bench, [1, 4])
    await until(lambda: bench.status().skipped_count == 1)
    assert bench.status().record_count == 4
    rejected = await sources.rejected("in", 9)
    assert sorted((each.record_id, each.reason.partition(":")[0]) for each in rejected) == [
        ("s0/100/1", "it is not JSON"),
        ("s1/101", "it begins as an aggregated record, and its checksum is another"),
    ]
    assert "kinesis_records_of_another_shard" in capsys.readouterr().out
