"""A stream that is split and merged while it is read, at the stand-in that does these as AWS does."""

import asyncio
import contextlib
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.aws_stand_ins import REGION, own_name
from tests.needed import NODE, needed_program, node_package
from tests.ports import free_port
from tests.unit.sources.source_bench import SourceBench, texts
from tests.waiting import until, wait_until

from thingtank.aws.clients import AwsClients
from thingtank.aws.settings import AwsSettings
from thingtank.aws.streams import StreamRecord
from thingtank.cloud import streams

_QUICK = (
    "CREATE_STREAM", "DELETE_STREAM", "SPLIT_SHARD", "MERGE_SHARDS",
)  # fmt: skip


@pytest.fixture(scope="module")
def kinesis_local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsSettings]:
    """kinesis-local, which listens on all interfaces unless it is kept from it."""
    package, port = node_package("kinesis-local"), free_port()
    environment = {
        **os.environ,
        "KINESIS_MOCK_PLAIN_PORT": str(port),
        "KINESIS_MOCK_TLS_PORT": str(free_port()),
        "LOG_LEVEL": "ERROR",
        **{f"{each}_DURATION": "50ms" for each in _QUICK},
    }
    log = tmp_path_factory.mktemp("kinesis-local") / "log.txt"
    words = [needed_program("node"), "--require", str(NODE / "loopback.js"), "main.js"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            words, cwd=package, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        settings = AwsSettings(region=REGION, endpoint_url=f"http://127.0.0.1:{port}")
        _wait_until_ready(settings, process, log)
        yield settings
    finally:
        process.kill()
        process.wait()


def _wait_until_ready(settings: AwsSettings, process: "subprocess.Popen[bytes]", log: Path) -> None:
    clients = AwsClients(settings, attempts_max=1)

    def answers() -> bool:
        assert process.poll() is None, log.read_text()
        with contextlib.suppress(Exception):
            streams.names(clients)
            return True
        return False

    wait_until(answers, log.read_text)
    clients.close()


@pytest.fixture
async def bench(tmp_path: Path, kinesis_local: AwsSettings) -> AsyncIterator[SourceBench]:
    made = SourceBench(tmp_path, kinesis_local)
    await made.furnish()
    yield made
    async with asyncio.timeout(30):
        await made.stop()


def told(_: object) -> None:
    pass


async def test_a_stream_is_read_whole_and_in_order_through_splits_and_a_merge(
    bench: SourceBench, kinesis_local: AwsSettings
) -> None:
    clients, name = AwsClients(kinesis_local), own_name("in")
    client = clients.client("kinesis")
    kept = [0]

    async def call(work: Any, *words: Any, **members: Any) -> Any:
        return await asyncio.to_thread(work, *words, **members)

    async def put(count: int) -> None:
        first = kept[0]
        kept[0] += count
        records = [StreamRecord(f"key{n}", b'{"t": %d, "at": %d}' % (n, n)) for n in
                   range(first, first + count)]  # fmt: skip
        await call(streams.put, clients, name, records)

    async def opened() -> list[dict[str, Any]]:
        await call(client.get_waiter("stream_exists").wait, StreamName=name,
                   WaiterConfig={"Delay": 0.1, "MaxAttempts": 50})  # fmt: skip
        shards = (await call(client.list_shards, StreamName=name))["Shards"]
        return [x for x in shards if "EndingSequenceNumber" not in x["SequenceNumberRange"]]

    await call(streams.create, clients, name, 1, told)
    await put(40)
    bench.start({"name": "in", "engine": "kinesis", "stream": name, "start": "oldest"})
    await until(lambda: len(bench.values()) == 40, bench.status)
    (shard,) = await opened()
    await call(client.split_shard, StreamName=name, ShardToSplit=shard["ShardId"],
               NewStartingHashKey=str(2**127))  # fmt: skip
    left, right = await opened()
    await put(40)
    await until(lambda: len(bench.values()) == 80, bench.status)
    assert bench.status().shards == sorted(x["ShardId"] for x in (left, right))
    await bench.stop()  # and the rest happens while nobody reads
    await put(40)
    await call(client.merge_shards, StreamName=name, ShardToMerge=left["ShardId"],
               AdjacentShardToMerge=right["ShardId"])  # fmt: skip
    (merged,) = await opened()
    await put(40)
    bench.start({"name": "in", "engine": "kinesis", "stream": name})
    await until(lambda: len(bench.values()) == 160, bench.status)
    await until(lambda: bench.status().shards == [merged["ShardId"]], bench.status)
    assert texts(bench.values()) == [str(n) for n in range(160)]
    assert bench.status().record_count == 80  # each once, as nobody was killed
    await bench.stop()
    await call(streams.delete, clients, name, told)
    clients.close()
