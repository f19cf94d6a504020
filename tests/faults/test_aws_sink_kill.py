"""Sinks at AWS under kills and bad days: each acknowledged value arrives, in its device's order."""

import json
import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from tests.aws_stand_ins import ministack, own_name
from tests.faults.aws_sink_child import VALUES_A_WRITE
from tests.faults.bad_aws import FATES, bad_aws
from tests.faults.kills import ROOT, printed_seed, rounds, run_and_kill
from tests.faults.sink_child import WRITERS

from thingtank.aws.clients import AwsClients
from thingtank.aws.settings import AwsSettings
from thingtank.cloud import queues, streams, tables
from thingtank.local.object_folder import ObjectFolder
from thingtank.local.queue_file import QueueFile
from thingtank.local.table_file import TableFile

__all__ = ["ministack"]

ROUNDS = rounds(2)
KEYS = tables.Key("msgid", "S"), tables.Key("date", "S")

Row = tuple[int, int]  # device, number


@pytest.mark.timeout(240 + 20 * ROUNDS)
def test_killed_throttled_and_cut_off_sinks_deliver_all_that_was_acknowledged_in_order(
    ministack: AwsSettings, tmp_path: Path
) -> None:
    seed = printed_seed()
    chance = random.Random(seed)
    clients = AwsClients(ministack)
    name = own_name("ledger")
    make_places(clients, name)
    acknowledged: dict[int, set[int]] = {writer: set() for writer in WRITERS}
    first = 1
    with bad_aws(ministack.endpoint_url, seed) as day:
        for kill in range(ROUNDS):
            words = (tmp_path, first, seed + kill, day.url, name)
            for line in run_and_kill("aws_sink_child", *words, after_s=chance.uniform(0.4, 1)):
                assert line.startswith("acknowledged "), line
                writer, number = map(int, line.split()[1:])
                acknowledged[writer].update(range(number + 1 - VALUES_A_WRITE, number + 1))
            # What was cut off may be there, whole; so the next begins behind that.
            first = 1 + VALUES_A_WRITE + max(map(max, acknowledged.values()))
        assert settle(tmp_path, seed, day.url, name) == "settled 0 0"
        fates = dict(day.fates)
    print(f"{sum(map(len, acknowledged.values()))} values; requests: {fates}")
    assert set(fates) == set(FATES), "the day was not bad enough"
    once = {"sqs": fifo, "dynamodb": table, "queue": local_queue, "table": local_table}
    again = {"kinesis": stream, "s3": bucket, "folder": folder}  # after a kill, or a lost answer
    try:
        for service, read in {**once, **again}.items():
            rows = list(read(clients, name, tmp_path))
            check(service, rows, acknowledged, is_once=service in once)
    finally:
        delete_places(clients, name)


def check(
    service: str, rows: Sequence[Row], acknowledged: dict[int, set[int]], *, is_once: bool
) -> None:
    """All is there that was acknowledged, besides that only what was cut off, and in order."""
    for writer, told in acknowledged.items():
        arrived = [number for device, number in rows if device == 1000 + writer]
        firsts = list(dict.fromkeys(arrived))
        assert told <= set(firsts), f"{service} has lost {sorted(told - set(firsts))}"
        assert len(set(firsts) - told) <= ROUNDS * VALUES_A_WRITE
        assert firsts == sorted(firsts), f"{service} is out of order"
        if is_once:
            assert arrived == firsts, f"{service} has some twice"


def settle(folder: Path, seed: int, url: str, name: str) -> str:
    """Start once more, until all is delivered."""
    words = [str(folder), "0", str(seed), url, name]
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.aws_sink_child", *words],
        capture_output=True, text=True, cwd=ROOT, timeout=200,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-9000:]
    return done.stdout.strip()


def make_places(clients: AwsClients, name: str) -> None:
    def told(_: str) -> None:
        pass

    # One shard, so that the ledger is read in one order.
    streams.create(clients, name, 1, told)
    queues.create(clients, queues.QueueDesign(f"{name}.fifo"))
    tables.create(clients, tables.TableDesign(name, *KEYS), told)
    clients.client("s3").create_bucket(Bucket=name)


def delete_places(clients: AwsClients, name: str) -> None:
    clients.client("kinesis").delete_stream(StreamName=name)
    queues.delete(clients, f"{name}.fifo")
    clients.client("dynamodb").delete_table(TableName=name)
    client = clients.client("s3")
    for each in client.list_objects_v2(Bucket=name).get("Contents", ()):
        client.delete_object(Bucket=name, Key=each["Key"])
    client.delete_bucket(Bucket=name)


def rows_of(data: bytes) -> Iterator[Row]:
    for line in data.splitlines():
        found = json.loads(line)
        yield found["feed"], int(found["value"])


def stream(clients: AwsClients, name: str, _: Path) -> Iterator[Row]:
    for record in streams.Tail(clients, name, "TRIM_HORIZON").records(is_once=True):
        yield from rows_of(record.data)


def fifo(clients: AwsClients, name: str, _: Path) -> Iterator[Row]:
    url = queues.url_of(clients, f"{name}.fifo")
    while received := queues.receive(clients, url, 10, 0):
        for message in received:
            yield from rows_of(message.body.encode())
        queues.delete_messages(clients, url, received)


def table(clients: AwsClients, name: str, _: Path) -> Iterator[Row]:
    found = tables.get(clients, name)
    for writer in WRITERS:
        for item in tables.query(clients, found, str(1000 + writer), tables.KeyRange(), 100_000):
            yield item["feed"], int(item["value"])


def bucket(clients: AwsClients, name: str, _: Path) -> Iterator[Row]:
    client = clients.client("s3")
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=name):
        for each in page.get("Contents", ()):
            yield from rows_of(client.get_object(Bucket=name, Key=each["Key"])["Body"].read())


def local_queue(_: AwsClients, name: str, data: Path) -> Iterator[Row]:
    file = QueueFile(data / "sinks" / "queues.sqlite3")
    while received := file.receive(name, 10, 60):
        for message in received:
            yield from rows_of(message.body)
        file.ack(each.receipt for each in received)
    file.close()


def local_table(_: AwsClients, name: str, data: Path) -> Iterator[Row]:
    file = TableFile(data / "sinks" / "tables.sqlite3")
    for writer in WRITERS:
        for item in file.query(name, str(1000 + writer), 0, limit=100_000):
            yield item.attributes["feed"], int(item.attributes["value"])
    file.close()


def folder(_: AwsClients, name: str, data: Path) -> Iterator[Row]:
    found = ObjectFolder(data / "sinks" / "objects" / name)
    for key in found.keys(""):
        yield from rows_of(found.get(key))
