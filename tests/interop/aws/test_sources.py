"""Streams and queues of stand-ins that are read into feeds; also while servers come, go and die."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from tests.aws_stand_ins import own_name
from tests.live_server import LiveServer, start_server
from tests.unit.sources.kinesis.test_aggregated import put_together
from tests.unit.sources.source_bench import SourceBench, texts
from tests.waiting import until, wait_until

from thingtank.aws.clients import AwsClients
from thingtank.aws.queues import QueueMessage
from thingtank.aws.settings import AwsSettings
from thingtank.aws.streams import StreamRecord
from thingtank.cloud import queues, streams


@pytest.fixture
def clients(stand_in: AwsSettings) -> Iterator[AwsClients]:
    made = AwsClients(stand_in)
    yield made
    made.close()


@pytest.fixture
async def bench(
    tmp_path: Path, stand_in: AwsSettings, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[SourceBench]:
    monkeypatch.setattr("thingtank.server.sources.sources.WAIT_S", 1)
    made = SourceBench(tmp_path, stand_in)
    await made.furnish()
    yield made
    async with asyncio.timeout(30):
        await made.stop()


@pytest.fixture
async def stream(clients: AwsClients) -> AsyncIterator[str]:
    name = own_name("in")
    await asyncio.to_thread(streams.create, clients, name, 4, told)
    yield name
    await asyncio.to_thread(streams.delete, clients, name, told)


def told(_: object) -> None:
    pass


async def put(clients: AwsClients, stream: str, numbers: range) -> None:
    records = [StreamRecord(f"key{n}", b'{"t": %d, "at": %d}' % (n, n)) for n in numbers]
    await asyncio.to_thread(streams.put, clients, stream, records)


async def test_two_servers_share_a_stream_and_one_goes_on_for_the_other(
    bench: SourceBench, clients: AwsClients, stream: str
) -> None:
    table = own_name("leases")
    rule = {
        "name": "in", "engine": "kinesis", "stream": stream, "start": "oldest", "leases": table,
    }  # fmt: skip
    await put(clients, stream, range(200))
    bench.start(rule, folder="a")
    await until(lambda: len(bench.values()) == 200, lambda: bench.status())
    bench.start(rule, folder="b")
    await until(
        lambda: [len(bench.status(n).shards) for n in (0, 1)] == [2, 2],
        lambda: (bench.status(0), bench.status(1)),
    )
    await put(clients, stream, range(200, 400))
    await until(lambda: len(bench.values()) == 400)
    assert all(bench.status(n).record_count for n in (0, 1))
    bench.kill(0)
    await put(clients, stream, range(400, 500))
    await until(lambda: len(bench.values()) == 500, lambda: bench.status(1))
    assert texts(bench.values()) == [str(n) for n in range(500)]
    await bench.stop()
    await asyncio.to_thread(clients.client("dynamodb").delete_table, TableName=table)


async def test_records_that_were_put_together_are_taken_apart_by_the_shards_of_the_stream(
    bench: SourceBench, clients: AwsClients, stream: str
) -> None:
    quarter = hashlib.md5(b"key").digest()[0] // 64  # noqa: S324 - its shard, of four
    other_shard = str((quarter + 1) % 4 * 2**126)
    whole = put_together(
        [("key", None, b'{"t": 1}'), ("key", other_shard, b'{"t": 2}'), ("key", None, b'{"t": 3}')]
    )
    await asyncio.to_thread(streams.put, clients, stream, [StreamRecord("key", whole)])
    bench.start({"name": "in", "engine": "kinesis", "stream": stream, "start": "oldest"})
    await until(lambda: bench.status().skipped_count == 1, lambda: bench.status())
    assert texts(bench.values()) == ["1", "3"]


def wait_for_dead_letter(clients: AwsClients, name: str) -> None:
    wait_until(lambda: queues.count(clients, name).waiting == 1)


@pytest.mark.parametrize("suffix", ["", ".fifo"])
async def test_messages_of_a_queue_are_deleted_once_written_and_poison_is_left_to_it(
    bench: SourceBench, clients: AwsClients, suffix: str
) -> None:
    name = own_name("in")
    design = queues.QueueDesign(name + suffix, dead_letters=f"{name}-dead{suffix}", receives_max=1)
    await asyncio.to_thread(queues.create, clients, design)
    bodies = [json.dumps({"t": n}) for n in range(25)] + ["poison"]
    sent = [
        QueueMessage(body, "1001" if suffix else "", own_name("once") if suffix else "")
        for body in bodies
    ]
    await asyncio.to_thread(queues.send, clients, design.name, sent)
    rule = {"name": "in", "engine": "sqs", "queue": design.name, "visibility_s": 1}
    bench.start(rule)
    await until(lambda: len(bench.values()) == 25, lambda: bench.status())
    await asyncio.to_thread(wait_for_dead_letter, clients, design.dead_letters)
    assert sorted(map(int, bench.values().values())) == list(range(25))
    counts = await asyncio.to_thread(queues.count, clients, design.name)
    assert tuple(counts) == (0, 0, 0)
    status = bench.status()
    assert (status.rejected_count, status.trouble) == (1, None)
    await bench.stop()
    for each in (design.name, design.dead_letters):
        await asyncio.to_thread(queues.delete, clients, each)


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        ({"engine": "kinesis", "stream": "no-such-stream"}, "ResourceNotFoundException"),
        ({"engine": "sqs", "queue": "no-such-queue"}, "NonExistentQueue"),
    ],
)
async def test_a_place_that_is_missing_is_told_in_words(
    bench: SourceBench, rule: dict[str, Any], code: str
) -> None:
    bench.start({"name": "in", **rule})
    await until(lambda: bench.status().state == "stuck")
    trouble = bench.status().trouble
    assert trouble is not None
    assert trouble.kind == "missing"
    assert code in trouble.what
    assert "aws.region" in trouble.what


SETTINGS = """
[aws]
endpoint_url = "{url}"
region = "us-east-1"

[[sources.rules]]
name = "stream"
engine = "kinesis"
stream = "{name}"
start = "oldest"

[[sources.rules]]
name = "queue"
engine = "sqs"
queue = "{name}"
visibility_s = 2

[[sinks.rules]]
name = "out"
to = {{engine = "kinesis", stream = "{name}"}}
datastreams = ["said"]
template = '{{"feed": {{{{feed}}}}, "datastream": "heard", "value": "{{{{value}}}}", "at": "{{{{at}}}}"}}'
gather_s = 0
"""
COUNT = 900


def history(server: LiveServer, name: str) -> list[str]:
    reply = requests.get(
        f"{server.url}/v2/feeds/{server.feed_id}/datastreams/{name}.json",
        params={"start": "2024-01-01T00:00:00Z", "end": "2024-01-01T01:00:00Z", "limit": "1000"},
        headers={"X-ApiKey": server.api_key},
        timeout=10,
    )
    return [each["value"] for each in reply.json().get("datapoints", ())] if reply.ok else []


def wait_for(server: LiveServer, name: str, count: int) -> list[str]:
    def look() -> list[str]:
        found = history(server, name)
        return found if len(found) >= count else []

    return wait_until(look, lambda: history(server, name))


def test_nothing_is_lost_when_the_server_is_killed_while_it_reads(
    moto: AwsSettings, tmp_path: Path
) -> None:
    clients = AwsClients(moto)
    name = own_name("kill")
    streams.create(clients, name, 2, told)
    queues.create(clients, queues.QueueDesign(name))
    (tmp_path / "thingtank.toml").write_text(SETTINGS.format(url=moto.endpoint_url, name=name))
    server = start_server(tmp_path)

    def reading(datastream: str, n: int) -> str:
        at = f"2024-01-01T00:{n // 60:02}:{n % 60:02}Z"
        return json.dumps({"feed": server.feed_id, "datastream": datastream, "value": n, "at": at})

    records = [StreamRecord(f"key{n}", reading("s", n).encode()) for n in range(COUNT)]
    queues.send(clients, name, (QueueMessage(reading("q", n)) for n in range(60)))
    third = COUNT // 3
    streams.put(clients, name, records[:third])
    wait_for(server, "q", 10)
    streams.put(clients, name, records[third : 2 * third])
    server.kill()
    streams.put(clients, name, records[2 * third :])
    with start_server(tmp_path) as server:
        assert wait_for(server, "s", COUNT) == [str(n) for n in range(COUNT)]
        assert wait_for(server, "q", 60) == [str(n) for n in range(60)]
        put = requests.put(
            f"{server.url}/v2/feeds/{server.feed_id}",
            json={
                "version": "1.0.0",
                "datastreams": [{"id": "said", "current_value": "5", "at": "2024-01-01T00:00:05Z"}],
            },
            headers={"X-ApiKey": server.api_key},
            timeout=10,
        )
        put.raise_for_status()
        assert wait_for(server, "heard", 1) == ["5"]  # out by a sink, and in by a source
        metrics = requests.get(f"{server.url}/metrics", timeout=10).text
        assert 'thingtank_source_shards{engine="kinesis"} 2' in metrics
        assert 'thingtank_source_rules{engine="sqs",state="reading"} 1' in metrics
    streams.delete(clients, name, told)
    queues.delete(clients, name)
    clients.close()
