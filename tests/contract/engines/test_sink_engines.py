"""The contract of `sinks.engine.SinkEngine`, by each engine that has a local form and one at AWS."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests.aws_stand_ins import own_name

from thingtank.aws.clients import AwsClients
from thingtank.cloud import queues, streams, tables
from thingtank.local.object_folder import ObjectFolder
from thingtank.local.queue_file import QueueFile
from thingtank.local.table_file import TableFile
from thingtank.sinks.engine import ALL_DELIVERED, EngineParts, Item, SinkEngine, TopicFacts
from thingtank.sinks.engines import make_engine
from thingtank.sinks.rules.steps import failure_of
from thingtank.tank.failures import FailureKind

START_US = 1_700_000_000_000_000


def items_of(*texts: str, first: int = 0, datastream: str = "temperature") -> list[Item]:
    """`a1` is device a's value 1."""
    found = []
    for place, text in enumerate(texts, first):
        payload = json.dumps({"device": text[0], "value": text[1:]}).encode()
        number = float(text[1:]) if text[1:].isdigit() else None
        found.append(
            Item(
                f"o-1-{place}", "datapoint", ord(text[0]), f"uuid-{text[0]}", datastream,
                START_US + place, text[1:], number, "", payload,
            )
        )  # fmt: skip
    return found


class Case(NamedTuple):
    """An engine and what it has written.

    Attributes:
        read: every value with its device, in the order of a device: `a1`.
        repeats: whether what is sent twice is there twice.
    """

    engine: SinkEngine
    read: Callable[[], list[str]]
    name: str
    repeats: bool


Make = Callable[[str], Case]
HERE = ("queue", "table", "folder")
AT_AWS = ("kinesis", "kinesis-single", "sqs", "sqs-fifo", "dynamodb", "dynamodb-plain", "s3")


def targets(kind: str, name: str) -> Mapping[str, object]:
    """What a rule's `to` is."""
    return {
        "queue": {"engine": "queue", "queue": name},
        "table": {"engine": "table", "table": name},
        "folder": {"engine": "folder", "folder": name},
        "kinesis": {"engine": "kinesis", "stream": name, "shards": 2},
        "kinesis-single": {"engine": "kinesis", "stream": name, "shards": 2, "joined": False},
        "sqs": {"engine": "sqs", "queue": name, "create": True},
        "sqs-fifo": {"engine": "sqs", "queue": f"{name}.fifo", "create": True},
        "dynamodb": {"engine": "dynamodb", "table": name, "create": True},
        "dynamodb-plain": {"engine": "dynamodb", "table": name, "create": True, "plain": True},
        "s3": {"engine": "s3", "bucket": name},
    }[kind]


def texts_of(payloads: Sequence[Mapping[str, Any]]) -> list[str]:
    return [f"{each['device'].removeprefix('uuid-')}{each['value']}" for each in payloads]


def reader_here(kind: str, name: str, folder: Path) -> Callable[[], list[str]]:
    def queue() -> list[str]:
        file = QueueFile(folder / "sinks" / "queues.sqlite3")
        found = []
        while got := file.receive(name, 10, 60):
            found += [json.loads(each.body) for each in got]
            file.ack(each.receipt for each in got)
        file.close()
        return texts_of(found)

    def table() -> list[str]:
        file = TableFile(folder / "sinks" / "tables.sqlite3")
        found = [
            each.attributes
            for device in "abc"
            for each in file.query(name, f"uuid-{device}/temperature", 0, limit=1000)
        ]
        file.close()
        return texts_of(found)

    def objects() -> list[str]:
        found = ObjectFolder(folder / "sinks" / "objects" / name)
        return texts_of([
            json.loads(line) for key in found.keys("") for line in found.get(key).splitlines()
        ])  # fmt: skip

    return {"queue": queue, "table": table, "folder": objects}[kind]


def reader_at_aws(kind: str, name: str, clients: AwsClients) -> Callable[[], list[str]]:
    def stream() -> list[str]:
        found = streams.Tail(clients, name, "TRIM_HORIZON").records(is_once=True)
        return texts_of([json.loads(line) for each in found for line in each.data.splitlines()])

    def queue() -> list[str]:
        url = queues.url_of(clients, f"{name}.fifo" if kind == "sqs-fifo" else name)
        found = []
        while got := queues.receive(clients, url, 10, 0):
            found += [json.loads(each.body) for each in got]
            queues.delete_messages(clients, url, got)
        if kind == "sqs":  # keeps no order
            found.sort(key=lambda each: (each["device"], int(each["value"])))
        return texts_of(found)

    def table() -> list[str]:
        found = tables.get(clients, name)
        return texts_of([
            each
            for device in "abc"
            for each in tables.query(
                clients, found, f"uuid-{device}/temperature", tables.KeyRange(), 1000
            )
        ])  # fmt: skip

    def bucket() -> list[str]:
        client = clients.client("s3")
        listed = client.list_objects_v2(Bucket=name).get("Contents", ())
        bodies = [client.get_object(Bucket=name, Key=each["Key"])["Body"].read() for each in listed]
        return texts_of([json.loads(line) for body in bodies for line in body.splitlines()])

    readers = {"kinesis": stream, "sqs": queue, "dynamodb": table, "s3": bucket}
    return readers[kind.partition("-")[0]]


def delete_at_aws(kind: str, name: str, clients: AwsClients) -> None:
    match kind.partition("-")[0]:
        case "kinesis":
            clients.client("kinesis").delete_stream(StreamName=name)
        case "sqs":
            queues.delete(clients, f"{name}.fifo" if kind == "sqs-fifo" else name)
        case "dynamodb":
            clients.client("dynamodb").delete_table(TableName=name)
        case "s3":
            client = clients.client("s3")
            for each in client.list_objects_v2(Bucket=name).get("Contents", ()):
                client.delete_object(Bucket=name, Key=each["Key"])
            client.delete_bucket(Bucket=name)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "case" in metafunc.fixturenames:
        metafunc.parametrize(
            ("place", "kind"),
            [("here", kind) for kind in HERE]
            + [(place, kind) for place in ("moto", "ministack") for kind in AT_AWS],
        )


@pytest.fixture
def case(
    place: str, kind: str, clients: AwsClients | None, parts: EngineParts, tmp_path: Path
) -> Iterator[Case]:
    name = own_name("engine")
    engine = make_engine(targets(kind, name), parts)
    if clients is None:
        read = reader_here(kind, name, tmp_path)
    else:
        read = reader_at_aws(kind, name, clients)
        if kind == "s3":
            clients.client("s3").create_bucket(Bucket=name)
    engine.open()
    yield Case(engine, read, name, repeats=kind in ("kinesis", "kinesis-single", "sqs"))
    engine.close()
    if clients is not None:
        delete_at_aws(kind, name, clients)


def by_device(texts: Sequence[str]) -> list[str]:
    """In the order of devices, each one's in the order in which they are."""
    return sorted(texts, key=lambda text: text[0])


def test_what_is_sent_is_there_in_the_order_of_each_device(case: Case) -> None:
    texts = [f"{'abc'[number % 3]}{number}" for number in range(30)]
    assert case.engine.send(items_of(*texts)) == ALL_DELIVERED
    assert case.engine.send(items_of("a30", "a31", first=30)) == ALL_DELIVERED
    assert by_device(case.read()) == by_device([*texts, "a30", "a31"])
    assert case.name in case.engine.describe()


def test_what_is_sent_twice_is_there_once_where_the_service_can(case: Case) -> None:
    items = items_of("a0", "b1", "a2")
    for _ in range(2):
        assert case.engine.send(items) == ALL_DELIVERED
        case.engine.close()
        case.engine.open()
    found = case.read()
    assert len(found) == (6 if case.repeats else 3)
    assert set(found) == {"a0", "b1", "a2"}


def test_an_item_that_is_too_large_is_refused_and_others_arrive(case: Case, kind: str) -> None:
    items = items_of("a0", "a1", "b2")
    huge = "9" * 1_100_000
    items[1] = Item(
        "o-1-1", "datapoint", 97, "uuid-a", "temperature", START_US + 1, huge, None, "",
        json.dumps({"device": "a", "value": huge}).encode(),
    )  # fmt: skip
    result = case.engine.send(items)
    if kind in ("s3", "folder"):  # have no such bound
        assert result == ALL_DELIVERED
        return
    assert dict(result.retry) == {}
    assert list(result.refused) == [1]
    assert "bytes" in result.refused[1]
    assert by_device(case.read()) == ["a0", "b2"]


@pytest.mark.parametrize("kind", ["kinesis", "sqs", "dynamodb", "s3"])
@pytest.mark.parametrize("place", ["moto", "ministack"])
def test_what_is_not_there_is_told_and_not_made_unless_the_rule_says_so(
    place: str, kind: str, parts: EngineParts
) -> None:
    to = {
        key: value
        for key, value in targets(kind, own_name("nowhere")).items()
        if key not in ("create", "shards")
    }
    with pytest.raises(Exception) as raised:  # noqa: PT011 - boto3 makes its classes as it runs
        make_engine(to, parts).open()
    failure = failure_of(raised.value)
    assert failure is not None
    assert failure.kind is FailureKind.MISSING


@pytest.mark.parametrize(("place", "kind"), [("here", "table"), ("moto", "dynamodb"), ("ministack", "dynamodb")])  # fmt: skip
def test_of_the_latest_state_only_the_newest_is_kept(
    place: str, kind: str, parts: EngineParts, clients: AwsClients | None, tmp_path: Path
) -> None:
    name = own_name("state")
    to = {**targets(kind, name), "keep": "latest"}
    engine = make_engine(to, parts)
    engine.open()
    items = items_of("a0", "b1", "a2", "a3")
    assert engine.send(items[2:]) == ALL_DELIVERED
    assert engine.send(items[:3]) == ALL_DELIVERED  # late, and again
    read = reader_at_aws(kind, name, clients) if clients else reader_here(kind, name, tmp_path)
    assert read() == ["a3", "b1"]
    engine.close()
    if clients:
        delete_at_aws(kind, name, clients)


@pytest.mark.parametrize(("place", "kind"), [("here", "table"), ("moto", "dynamodb")])
def test_messages_of_topics_are_found_by_their_topic(
    place: str, kind: str, parts: EngineParts, clients: AwsClients | None, tmp_path: Path
) -> None:
    name = own_name("topics")
    facts = TopicFacts(1, True, False, "text/plain", (("unit", "°C"),))
    items = [
        Item(f"o-t-{n}-1", "topic", 0, "", "", n, text, None, "plant/1", facts=facts)
        for n, text in enumerate(("on", "off"))
    ]
    engine = make_engine(targets(kind, name), parts._replace(kind="topic"))
    engine.open()
    assert engine.send(items) == ALL_DELIVERED
    assert engine.send(items) == ALL_DELIVERED  # as after a crash
    engine.close()
    if clients:
        table = tables.get(clients, name)
        found = list(tables.query(clients, table, "plant/1", tables.KeyRange(), 1000))
        delete_at_aws(kind, name, clients)
    else:
        file = TableFile(tmp_path / "sinks" / "tables.sqlite3")
        found = [each.attributes for each in file.query(name, "plant/1", 0, limit=1000)]
        file.close()
    assert [each["payload"] for each in found] == ["on", "off"]
    first = found[0]
    assert (first["qos"], first["retain"], first["content_type"]) == (1, True, "text/plain")
    assert first["user_properties"] == '[["unit","°C"]]'
    assert {"feed", "device", "datastream", "value", "encoding"}.isdisjoint(first)
