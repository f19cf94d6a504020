"""Engines of sinks beside a bare boto3 loop: the same service, batch size and connections.

The service is a process that takes all and says so at once, as stand-ins are slower than either.
What is compared is what each value costs on our side: the bare loop has its entries ready made.
Rounds alternate between the two.
"""

import asyncio
import contextlib
import json
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from tests.bench.report import Result, Spread, number
from tests.bench.sink_items import DEVICES, items

from thingtank.aws.clients import AwsClients
from thingtank.aws.settings import AwsSettings
from thingtank.sinks.engine import EngineParts, Item
from thingtank.sinks.engines import make_engine

RATIO_MIN = 0.8
START_S_MAX = 60

_REPLIES = {
    "DescribeStreamSummary": b'{"StreamDescriptionSummary":{"StreamStatus":"ACTIVE"}}',
    "PutRecords": b'{"FailedRecordCount":0,"Records":[]}',
    "GetQueueUrl": b'{"QueueUrl":"http://127.0.0.1/1/q"}',
    "DescribeTable": b'{"Table":{"KeySchema":[{"AttributeName":"msgid","KeyType":"HASH"},'
    b'{"AttributeName":"date","KeyType":"RANGE"}],"AttributeDefinitions":'
    b'[{"AttributeName":"msgid","AttributeType":"S"},{"AttributeName":"date","AttributeType":"S"}]}}',
    "PutItem": b"{}",
    "BatchWriteItem": b'{"UnprocessedItems":{}}',
}


class Case(NamedTuple):
    """One engine and its bare loop.

    Attributes:
        to: the rule's.
        size: what one call takes.
        call: makes one bare call of items that are ready.
        entry: an item as the bare loop has it ready.
        has_target: false where the engine keeps an order that the bare loop does not.
        connections: what the bare loop has, as many as the engine.
    """

    name: str
    to: dict[str, object]
    service: str
    size: int
    call: Callable[[Any, list[Any]], object]
    entry: Callable[[Item], Any]
    has_target: bool = True
    connections: int = 4


def run(quick: bool) -> list[Result]:
    """Measure each engine beside its bare loop."""
    count, rounds = (4_000, 1) if quick else (40_000, 5)
    made = items(count)
    with service() as url:
        return [_measured(case, made, url, rounds) for case in CASES]


def _measured(case: Case, made: Sequence[Item], url: str, rounds: int) -> Result:
    if case.size == 1:
        made = made[: len(made) // 10]  # a call each
    aws = AwsClients(AwsSettings(region="us-east-1", endpoint_url=url))
    engine = make_engine(case.to, EngineParts(lambda: aws, Path()))
    engine.open()
    client = aws.client(case.service)
    entries = [case.entry(item) for item in made]
    calls = [entries[first : first + case.size] for first in range(0, len(entries), case.size)]
    batch = engine.bounds.items_max
    rates: list[float] = []
    ratios: list[float] = []
    with ThreadPoolExecutor(case.connections) as pool:
        for turn in range(rounds + 1):
            start_s = time.perf_counter()
            for _ in pool.map(lambda entries: case.call(client, entries), calls):
                pass
            bare_s = time.perf_counter() - start_s
            start_s = time.perf_counter()
            for first in range(0, len(made), batch):
                result = engine.send(made[first : first + batch])
                assert not result.retry
                assert not result.refused
            ours_s = time.perf_counter() - start_s
            if turn:  # the first one warms up
                rates.append(len(made) / ours_s)
                ratios.append(bare_s / ours_s)
    engine.close()
    aws.close()
    rate, ratio = Spread.of(rates), Spread.of(ratios)
    return Result(
        f"values to {case.name}",
        f">= {RATIO_MIN} of a bare boto3 loop" if case.has_target else "",
        rate.median,
        "values/s",
        ratio.median,
        ratio.median >= RATIO_MIN if case.has_target else None,
        f"{DEVICES} devices, {case.connections} connections, {case.size} a call; {rate}; ratio "
        f"{number(ratio.lowest)} to {number(ratio.highest)}",
    )


def _record(item: Item) -> dict[str, object]:
    return {"Data": item.payload, "PartitionKey": item.uuid}


def _message(item: Item) -> dict[str, str]:
    return {"Id": "", "MessageBody": item.payload.decode()}


def _fifo_message(item: Item) -> dict[str, str]:
    ids = {"MessageGroupId": item.uuid, "MessageDeduplicationId": item.item_id}
    return {**_message(item), **ids}


def _wired(item: Item) -> dict[str, Any]:
    found = json.loads(item.payload)
    return {
        "msgid": {"S": f"{item.uuid}/{item.datastream}"}, "date": {"S": found["at"]},
        "id": {"S": item.item_id}, "feed": {"N": str(item.device_id)}, "device": {"S": item.uuid},
        "datastream": {"S": item.datastream}, "at": {"S": found["at"]},
        "at_us": {"N": str(item.at_us)}, "value": {"S": item.value},
        "number": {"N": repr(item.number)},
    }  # fmt: skip


def _put_records(client: Any, entries: list[Any]) -> object:
    return client.put_records(StreamName="s", Records=entries)


def _send_messages(client: Any, entries: list[Any]) -> object:
    numbered = [{**entry, "Id": str(place)} for place, entry in enumerate(entries)]
    return client.send_message_batch(QueueUrl="http://127.0.0.1/1/q", Entries=numbered)


def _put_item(client: Any, entries: list[Any]) -> object:
    return client.put_item(
        TableName="table", Item=entries[0], ConditionExpression="attribute_not_exists(msgid)"
    )


def _write_items(client: Any, entries: list[Any]) -> object:
    requests = [{"PutRequest": {"Item": entry}} for entry in entries]
    return client.batch_write_item(RequestItems={"table": requests})


def _put_object(client: Any, entries: list[Any]) -> object:
    return client.put_object(
        Bucket="bucket", Key="day=2026-11-27/batch", Body=b"\n".join(entries), IfNoneMatch="*",
        ChecksumAlgorithm="SHA256",
    )  # fmt: skip


CASES = (
    Case("Kinesis, what a device has in one record", {"engine": "kinesis", "stream": "s"},
         "kinesis", 500, _put_records, _record),
    Case("Kinesis, a record each", {"engine": "kinesis", "stream": "s", "joined": False},
         "kinesis", 500, _put_records, _record, has_target=False),
    Case("SQS", {"engine": "sqs", "queue": "q"}, "sqs", 10, _send_messages, _message),
    Case("SQS, FIFO", {"engine": "sqs", "queue": "q.fifo"}, "sqs", 10, _send_messages,
         _fifo_message),
    Case("DynamoDB, by condition", {"engine": "dynamodb", "table": "table", "connections": 4},
         "dynamodb", 1, _put_item, _wired),
    Case("DynamoDB, 25 a call",
         {"engine": "dynamodb", "table": "table", "plain": True, "connections": 4}, "dynamodb",
         25, _write_items, _wired),
    Case("S3", {"engine": "s3", "bucket": "bucket"}, "s3", 10_000, _put_object,
         lambda item: item.payload, connections=1),
)  # fmt: skip


@contextlib.contextmanager
def service(*, gives_way: bool = False) -> Iterator[str]:
    """A process that takes all calls of these services.

    Args:
        gives_way: all else comes first, as a service elsewhere takes no processor here.
    """
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs, gives_way))
    process.start()
    try:
        if not ours.poll(START_S_MAX):
            raise RuntimeError("what stands for the service does not start")
        yield f"http://127.0.0.1:{ours.recv()}"
    finally:
        process.terminate()
        process.join()


def _serve(pipe: Any, gives_way: bool) -> None:
    if gives_way:
        os.nice(19)

    async def main() -> None:
        server = await asyncio.start_server(_answer_all, "127.0.0.1", 0, limit=2**24)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(main())


async def _answer_all(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            headers = dict(
                line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line
            )
            if headers.get("expect") == "100-continue":
                writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            operation = next((name for name in _REPLIES if f".{name}\r\n" in head), "")
            reply = _REPLIES.get(operation, b"")
            if "SendMessageBatch" in head:
                ids = ",".join(f'{{"Id":"{place}"}}' for place in range(body.count(b'"Id"')))
                reply = f'{{"Successful":[{ids}]}}'.encode()
            writer.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\n"
                b"Content-Length: %d\r\n\r\n%b" % (len(reply), reply)
            )
            await writer.drain()
    writer.close()
