"""Streams and queues that take some of what is put, and what AWS does that no stand-in does."""

import errno
import hashlib
import importlib
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.stub import ANY, Stubber
from click.testing import CliRunner
from tests.stubbed_aws import StubbedAws, Told

from thingtank.aws.attempts import ATTEMPTS_MAX
from thingtank.aws.clients import AwsClients
from thingtank.aws.queues import QueueMessage
from thingtank.aws.settings import AwsSettings
from thingtank.aws.streams import RECORD_BYTES_MAX, StreamRecord
from thingtank.cli.main import main
from thingtank.cloud import queues, streams, tables
from thingtank.cloud.errors import NotDone

URL = "https://sqs.us-east-1.amazonaws.com/1/q"
TAKEN = {"SequenceNumber": "1", "ShardId": "shardId-0"}
FULL = {"ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": "Rate exceeded"}


@pytest.fixture
def clients() -> Iterator[AwsClients]:
    found = AwsClients(AwsSettings(region="us-east-1", endpoint_url="http://127.0.0.1:9"))
    yield found
    found.close()


def entries(*records: StreamRecord) -> dict[str, Any]:
    return {"StreamName": "s", "Records": [
        {"Data": record.data, "PartitionKey": record.key} for record in records
    ]}  # fmt: skip


def test_only_the_records_that_failed_are_put_again(clients: AwsClients) -> None:
    a, b, c = (StreamRecord(key, b"x") for key in "abc")
    pauses_s: list[float] = []
    with Stubber(clients.client("kinesis")) as stub:
        stub.add_response(
            "put_records", {"FailedRecordCount": 2, "Records": [FULL, TAKEN, FULL]},
            entries(a, b, c),
        )  # fmt: skip
        stub.add_response(
            "put_records", {"FailedRecordCount": 1, "Records": [TAKEN, FULL]}, entries(a, c)
        )
        stub.add_response("put_records", {"Records": [TAKEN]}, entries(c))
        assert streams.put(clients, "s", [a, b, c], pauses_s.append) == 3
    assert len(pauses_s) == 2


def test_a_stream_that_stays_full_is_said_with_what_was_put(clients: AwsClients) -> None:
    reply = {"FailedRecordCount": 1, "Records": [FULL]}
    with Stubber(clients.client("kinesis")) as stub:
        for _ in range(ATTEMPTS_MAX):
            stub.add_response("put_records", reply)
        with pytest.raises(NotDone, match=r"0 records are put, 1 are not: Rate exceeded"):
            streams.put(clients, "s", [StreamRecord("a", b"x")], lambda _: None)


def test_a_message_that_is_the_senders_fault_is_not_sent_again(clients: AwsClients) -> None:
    failed = {"Id": "0", "SenderFault": True, "Code": "InvalidMessageContents", "Message": "Bad"}
    with Stubber(clients.client("sqs")) as stub:
        stub.add_response("get_queue_url", {"QueueUrl": URL})
        stub.add_response("send_message_batch", {"Failed": [failed], "Successful": []})
        with pytest.raises(NotDone, match="0 messages are sent, 1 are not: Bad"):
            queues.send(clients, "q", [QueueMessage("a")], lambda _: None)


def test_a_message_hidden_for_too_long_is_counted_and_others_are_deleted_again(
    clients: AwsClients,
) -> None:
    received = [queues.Received("m", "b", "", 1, receipt) for receipt in "xyz"]
    late = {"Id": "0", "SenderFault": True, "Code": "ReceiptHandleIsInvalid"}
    busy = {"Id": "1", "SenderFault": False, "Code": "InternalError"}
    with Stubber(clients.client("sqs")) as stub:
        stub.add_response("delete_message_batch", {"Failed": [late, busy], "Successful": []})
        stub.add_response(
            "delete_message_batch", {"Failed": [late], "Successful": []},
            {"QueueUrl": URL, "Entries": [
                {"Id": "0", "ReceiptHandle": "x"}, {"Id": "1", "ReceiptHandle": "y"},
            ]},
        )  # fmt: skip
        assert queues.delete_messages(clients, URL, received) == 1


def test_a_table_that_is_being_made_is_waited_for_and_its_states_are_told(
    clients: AwsClients,
) -> None:
    def described(state: str) -> dict[str, Any]:
        return {"Table": {
            "TableName": "readings", "TableStatus": state,
            "KeySchema": [{"AttributeName": "msgid", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "msgid", "AttributeType": "S"}],
        }}  # fmt: skip

    told: list[str] = []
    with Stubber(clients.client("dynamodb")) as stub:
        stub.add_client_error("create_table", "ResourceInUseException")
        stub.add_client_error("describe_table", "ResourceNotFoundException")  # for some seconds
        stub.add_response("describe_table", described("CREATING"))
        stub.add_response("describe_table", described("ACTIVE"))
        stub.add_response("describe_table", described("ACTIVE"))
        stub.add_response("describe_time_to_live", {"TimeToLiveDescription": {}})
        design = tables.TableDesign("readings", tables.Key("msgid", "S"))
        assert not tables.create(clients, design, told.append)
    assert told == ["table readings: not there yet", "table readings: CREATING"]


def shard(name: str, *parents: str, is_closed: bool = False) -> dict[str, Any]:
    numbers = {"StartingSequenceNumber": "0"} | ({"EndingSequenceNumber": "9"} if is_closed else {})
    kinds = ("ParentShardId", "AdjacentParentShardId")
    return {
        "ShardId": name,
        "HashKeyRange": {"StartingHashKey": "0", "EndingHashKey": "1"},
        "SequenceNumberRange": numbers,
        **dict(zip(kinds, parents, strict=False)),
    }


def read(*texts: str, following: str | None, behind_ms: int = 0) -> dict[str, Any]:
    records = [
        {"SequenceNumber": text, "PartitionKey": "k", "Data": text.encode(),
         "ApproximateArrivalTimestamp": datetime(2026, 1, 1, tzinfo=UTC)}
        for text in texts
    ]  # fmt: skip
    reply = {"Records": records, "MillisBehindLatest": behind_ms}
    return reply | ({"NextShardIterator": following} if following else {})


def test_children_of_a_shard_are_read_after_it_and_an_old_iterator_is_renewed(
    clients: AwsClients,
) -> None:
    shards = {"Shards": [shard("p", is_closed=True), shard("c", "p"), shard("d", "gone")]}
    with Stubber(clients.client("kinesis")) as stub:
        stub.add_response("list_shards", shards)
        for name in "pd":
            place = {"StreamName": "s", "ShardId": name, "ShardIteratorType": "TRIM_HORIZON"}
            stub.add_response("get_shard_iterator", {"ShardIterator": f"{name}1"}, place)
        following = streams.Tail(clients, "s", "TRIM_HORIZON")
        stub.add_response("get_records", read("1", following="p2", behind_ms=9))
        stub.add_response("get_records", read("5", following="d2"))
        stub.add_client_error("get_records", "ExpiredIteratorException")
        stub.add_response(
            "get_shard_iterator", {"ShardIterator": "p3"},
            {"StreamName": "s", "ShardId": "p", "ShardIteratorType": "AFTER_SEQUENCE_NUMBER",
             "StartingSequenceNumber": "1"},
        )  # fmt: skip
        stub.add_response("get_records", read("2", following=None))
        stub.add_response("list_shards", shards)
        stub.add_response("get_shard_iterator", {"ShardIterator": "c1"})
        stub.add_response("get_records", read(following="d3"))
        stub.add_response("get_records", read(following="d4"))
        stub.add_response("get_records", read("3", following="c2"))
        stub.add_response("get_records", read(following="d5"))
        stub.add_response("get_records", read(following="c3"))
        found = [record.data for record in following.records(is_once=True)]
        stub.assert_no_pending_responses()
    assert found == [b"1", b"5", b"2", b"3"]


def test_following_from_the_latest_leaves_out_what_is_closed(clients: AwsClients) -> None:
    with Stubber(clients.client("kinesis")) as stub:
        stub.add_response("list_shards", {
            "Shards": [shard("p", is_closed=True), shard("c", "p")],
        })  # fmt: skip
        place = {"StreamName": "s", "ShardId": "c", "ShardIteratorType": "LATEST"}
        stub.add_response("get_shard_iterator", {"ShardIterator": "c1"}, place)
        streams.Tail(clients, "s", "LATEST")
        stub.assert_no_pending_responses()


def test_what_is_made_carries_our_tag(stubbed: Callable[..., StubbedAws]) -> None:
    aws = stubbed("kinesis", "sqs", "dynamodb")
    aws.answer("kinesis", "create_stream")
    aws.refuse("kinesis", "describe_stream_summary", "AccessDeniedException")
    aws.answer("dynamodb", "create_table")
    aws.refuse("dynamodb", "describe_table", "AccessDeniedException")
    aws.answer("sqs", "create_queue", QueueUrl=URL)
    with pytest.raises(ClientError, match="AccessDenied"):
        streams.create(aws.clients, "made", 1, lambda _: None)
    with pytest.raises(ClientError, match="AccessDenied"):
        tables.create(
            aws.clients, tables.TableDesign("made", tables.Key("id", "S")), lambda _: None
        )
    queues.create(aws.clients, queues.QueueDesign("made"))
    asked = {name: asked for name, asked in aws.sent if name.startswith("Create")}
    assert asked["CreateStream"]["Tags"] == asked["CreateQueue"]["tags"] == {"app": "thingtank"}
    assert asked["CreateTable"]["Tags"] == [{"Key": "app", "Value": "thingtank"}]


def test_no_queue_for_dead_letters_is_left_where_the_queue_itself_is_refused(
    stubbed: Callable[..., StubbedAws],
) -> None:
    aws, told = stubbed("sqs"), Told()
    aws.refuse("sqs", "get_queue_url", "AWS.SimpleQueueService.NonExistentQueue")
    aws.answer("sqs", "create_queue", QueueUrl=f"{URL}-dead")
    aws.answer("sqs", "get_queue_attributes", Attributes={"QueueArn": "arn:aws:sqs:x:1:q-dead"})
    aws.refuse("sqs", "create_queue", "QueueAlreadyExists", "with other attributes")
    aws.answer("sqs", "delete_queue")
    with pytest.raises(ClientError, match="QueueAlreadyExists"):
        queues.create(aws.clients, queues.QueueDesign("q", dead_letters="q-dead"), told)
    aws.assert_all_asked()
    assert aws.asked("DeleteQueue") == [{"QueueUrl": f"{URL}-dead"}]
    assert told.lines[-1] == "Took back queue q-dead for dead letters"


@pytest.mark.parametrize(
    ("start", "again"),
    [
        ("TRIM_HORIZON", {"ShardIteratorType": "TRIM_HORIZON"}),
        ("LATEST", {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": ANY}),
        (datetime(2026, 1, 1, tzinfo=UTC), {
            "ShardIteratorType": "AT_TIMESTAMP", "Timestamp": datetime(2026, 1, 1, tzinfo=UTC),
        }),
    ],
)  # fmt: skip
def test_an_iterator_that_is_old_before_any_record_begins_where_the_first_did(
    clients: AwsClients, start: str | datetime, again: dict[str, Any]
) -> None:
    with Stubber(clients.client("kinesis")) as stub:
        stub.add_response("list_shards", {"Shards": [shard("a")]})
        stub.add_response("get_shard_iterator", {"ShardIterator": "a1"})
        following = streams.Tail(clients, "s", start)
        stub.add_client_error("get_records", "ExpiredIteratorException")
        stub.add_response(
            "get_shard_iterator", {"ShardIterator": "a2"},
            {"StreamName": "s", "ShardId": "a", **again},
        )  # fmt: skip
        stub.add_response("get_records", read(following="a3"))
        assert list(following.records(is_once=True)) == []
        stub.assert_no_pending_responses()


def test_a_shard_is_read_with_pauses_also_while_it_is_behind(
    clients: AwsClients, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses_s: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses_s.append)
    with Stubber(clients.client("kinesis")) as stub:
        stub.add_response("list_shards", {"Shards": [shard("a")]})
        stub.add_response("get_shard_iterator", {"ShardIterator": "a1"})
        following = streams.Tail(clients, "s", "TRIM_HORIZON")
        stub.add_response("get_records", read("1", following="a2", behind_ms=9))
        stub.add_response("get_records", read("2", following="a3", behind_ms=9))
        stub.add_response("get_records", read(following="a4"))
        assert len(list(following.records(is_once=True))) == 2
    assert len(pauses_s) == 2


def test_messages_of_a_group_wait_for_the_one_before_that_failed(clients: AwsClients) -> None:
    def entries_of(*messages: QueueMessage) -> dict[str, Any]:
        return {"QueueUrl": URL, "Entries": [
            {"Id": str(place), "MessageBody": each.body, "MessageGroupId": each.group}
            for place, each in enumerate(messages)
        ]}  # fmt: skip

    def taken(place: int, body: str) -> list[dict[str, str]]:
        digest = hashlib.md5(body.encode(), usedforsecurity=False).hexdigest()
        return [{"Id": str(place), "MessageId": "m", "MD5OfMessageBody": digest}]

    a1, b1, a2 = (QueueMessage(body, body[0]) for body in ("a1", "b1", "a2"))
    busy = {"Id": "0", "SenderFault": False, "Code": "InternalError"}
    with Stubber(clients.client("sqs")) as stub:
        stub.add_response("get_queue_url", {"QueueUrl": URL})
        stub.add_response(
            "send_message_batch",
            {"Failed": [busy], "Successful": taken(1, "b1")},
            entries_of(a1, b1),
        )
        for message in (a1, a2):
            stub.add_response(
                "send_message_batch",
                {"Successful": taken(0, message.body), "Failed": []},
                entries_of(message),
            )
        assert queues.send(clients, "q.fifo", [a1, b1, a2], lambda _: None) == 3
        stub.assert_no_pending_responses()


@pytest.mark.parametrize("length", [RECORD_BYTES_MAX - 1, 3 * RECORD_BYTES_MAX])
def test_a_line_that_is_too_long_for_a_record_is_refused_and_never_cut(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, length: int
) -> None:
    put: list[StreamRecord] = []
    monkeypatch.setattr(streams, "put_records", lambda _, __, records: [
        put.append(record) for record in records
    ])  # fmt: skip
    ran = CliRunner(env={"AWS_DEFAULT_REGION": "us-east-1"}).invoke(
        main, ["cloud", "stream", "put", "s", "k", "-", "--data", str(tmp_path)],
        input="x" * length + "\n",
    )  # fmt: skip
    if length < RECORD_BYTES_MAX:
        assert (ran.exit_code, [len(each.data) for each in put]) == (0, [length])
    else:
        assert (ran.exit_code, put) == (1, [])
        assert "record 1 cannot be put: a record has at most 1,048,576 bytes" in ran.output


def test_messages_that_cannot_be_written_stay_in_the_queue(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = queues.Received("m", "b", "", 1, "r")
    monkeypatch.setattr(queues, "url_of", lambda *_: URL)
    monkeypatch.setattr(queues, "receive", lambda *_: [found])

    def full(_: object) -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    command = importlib.import_module("thingtank.cli.cloud.queue")
    monkeypatch.setattr(command, "_json_line", full)
    ran = CliRunner(env={"AWS_DEFAULT_REGION": "us-east-1"}).invoke(
        main, ["cloud", "queue", "receive", "q", "--json", "--data", str(tmp_path)]
    )
    assert (ran.exit_code, "No space left on device" in ran.output) == (1, True), ran.output
    assert "stays in the queue" in ran.output
