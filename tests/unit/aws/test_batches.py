"""Batches of Kinesis, SQS and DynamoDB that fail in part, as botocore's Stubber answers."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.stub import Stubber
from hypothesis import given, settings
from hypothesis import strategies as st

from thingtank.aws import attempts, items, queues, streams
from thingtank.aws.clients import AwsClients
from thingtank.aws.queues import QueueMessage
from thingtank.aws.settings import AwsSettings
from thingtank.aws.streams import StreamRecord
from thingtank.tank.failures import FailureKind

URL = "https://sqs.us-east-1.amazonaws.com/1/q"
TAKEN = {"SequenceNumber": "1", "ShardId": "shardId-0"}
FULL = {"ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": "Rate exceeded"}


@pytest.fixture(scope="module")
def clients() -> Iterator[AwsClients]:
    found = AwsClients(AwsSettings(region="us-east-1", endpoint_url="http://127.0.0.1:9"))
    yield found
    found.close()


def test_records_that_fail_are_told_at_their_place(clients: AwsClients) -> None:
    client = clients.client("kinesis")
    records = [StreamRecord(key, b"x") for key in "abc"]
    with Stubber(client) as stub:
        stub.add_response("put_records", {"FailedRecordCount": 2, "Records": [
            TAKEN, FULL, {"ErrorCode": "InternalFailure", "ErrorMessage": "oops"},
        ]})  # fmt: skip
        stub.add_response("put_records", {"Records": [TAKEN] * 3})  # no count at all is none
        first, second, third = streams.put_records(client, "s", records)
        assert streams.put_records(client, "s", records) == [None] * 3
    assert first is None
    assert second is not None
    assert third is not None
    assert (second.kind, third.kind) == (FailureKind.THROTTLED, FailureKind.UNKNOWN)
    assert second.message == "Rate exceeded"


def test_messages_that_fail_are_told_at_their_place(clients: AwsClients) -> None:
    client = clients.client("sqs")
    digests = {"0": "0cc175b9c0f1b6a831c399e269772661", "1": "0" * 32}
    with Stubber(client) as stub:
        stub.add_response("send_message_batch", {
            "Successful": [
                {"Id": each, "MessageId": "m", "MD5OfMessageBody": digest}
                for each, digest in digests.items()
            ],
            "Failed": [
                {"Id": "2", "SenderFault": True, "Code": "Odd", "Message": "not so"},
                {"Id": "3", "SenderFault": False, "Code": "InternalError"},
                {"Id": "4", "SenderFault": True, "Code": "RequestThrottled"},
            ],
        }, {"QueueUrl": URL, "Entries": [
            {"Id": str(place), "MessageBody": "a", "MessageGroupId": "g"} for place in range(6)
        ]})  # fmt: skip
        messages = [QueueMessage("a", "g")] * 6
        told = queues.send_messages(client, URL, messages)
    assert [failure and (failure.kind, failure.code) for failure in told] == [
        None,
        (FailureKind.UNKNOWN, "WrongDigest"),
        (FailureKind.REFUSED, "Odd"),
        (FailureKind.UNKNOWN, "InternalError"),
        (FailureKind.THROTTLED, "RequestThrottled"),
        (FailureKind.UNKNOWN, "NoResult"),
    ]


def unprocessed(*wired: dict[str, Any]) -> dict[str, Any]:
    return {"UnprocessedItems": {"t": [{"PutRequest": {"Item": item}} for item in wired]}}


def test_items_that_a_full_table_leaves_over_are_sent_again(clients: AwsClients) -> None:
    client = clients.client("dynamodb")
    a, b = ({"id": {"S": name}} for name in "ab")
    pauses_s: list[float] = []
    with Stubber(client) as stub:
        stub.add_response("batch_write_item", unprocessed(b))
        stub.add_response("batch_write_item", unprocessed(b))
        stub.add_response("batch_write_item", {}, {"RequestItems": {"t": [
            {"PutRequest": {"Item": b}}
        ]}})  # fmt: skip
        assert items.write_items(client, "t", [a, b], pauses_s.append) == []
        stub.assert_no_pending_responses()
        for _ in range(attempts.ATTEMPTS_MAX):
            stub.add_response("batch_write_item", unprocessed(a))
        assert items.write_items(client, "t", [a], pauses_s.append) == [a]
    assert all(0 <= pause_s <= attempts.PAUSE_S_MAX for pause_s in pauses_s)


def test_a_condition_that_does_not_hold_is_an_answer_and_other_failures_are_raised(
    clients: AwsClients,
) -> None:
    client = clients.client("dynamodb")
    condition = "attribute_not_exists(id)"
    with Stubber(client) as stub:
        stub.add_client_error("put_item", "ConditionalCheckFailedException", "The conditional …")
        assert not items.put_unless(client, "t", condition, Item={"id": {"S": "a"}})
        stub.add_client_error("update_item", "ResourceNotFoundException")
        with pytest.raises(client.exceptions.ResourceNotFoundException):
            items.put_unless(client, "t", condition, Key={"id": {"S": "a"}})


@given(st.lists(st.integers(0, streams.RECORD_BYTES_MAX - 1), max_size=1200))
def test_records_are_cut_into_calls_that_kinesis_takes(sizes: list[int]) -> None:
    records = [StreamRecord("k", bytes(size)) for size in sizes if size < 300] + [
        StreamRecord("k", bytes(size)) for size in sizes[:20] if size >= 300
    ]
    calls = list(streams.calls_of(records))
    assert [record for call in calls for record in call] == records
    assert all(0 < len(call) <= streams.CALL_RECORDS_MAX for call in calls)
    assert all(
        sum(record.byte_count for record in call) <= streams.CALL_BYTES_MAX for call in calls
    )


@given(st.lists(st.sampled_from([1, 10, 200_000, queues.MESSAGE_BYTES_MAX]), max_size=40))
def test_messages_are_cut_into_calls_that_sqs_takes(sizes: list[int]) -> None:
    messages = [QueueMessage("x" * size) for size in sizes]
    calls = list(queues.calls_of(messages))
    assert [message for call in calls for message in call] == messages
    assert all(0 < len(call) <= queues.CALL_MESSAGES_MAX for call in calls)
    assert all(
        sum(message.byte_count for message in call) <= queues.CALL_BYTES_MAX for call in calls
    )


@pytest.mark.parametrize("text", ["a\x0b", "\x1f", "\ud800", "\ufffe", "\uffff"])
def test_a_character_that_xml_has_not_is_found(text: str) -> None:
    assert "may not hold" in str(queues.fault_of(QueueMessage(text)))


@pytest.mark.parametrize("text", ["\t\n\r", "ä\ud7ff\ue000\ufffd😀"])
def test_characters_that_xml_has_may_be_sent(text: str) -> None:
    assert queues.fault_of(QueueMessage(text)) is None


@settings(max_examples=30)
@given(
    st.dictionaries(
        st.text(min_size=1),
        st.recursive(
            st.none() | st.booleans() | st.integers(-(10**37), 10**37) | st.text(),
            lambda each: st.lists(each, max_size=3) | st.dictionaries(st.text(), each, max_size=3),
            max_leaves=6,
        ),
        max_size=4,
    )
)
def test_an_item_comes_back_as_it_went(item: items.Item) -> None:
    assert items.from_wire(items.to_wire(item)) == item


def test_of_one_key_the_last_item_is_kept() -> None:
    wired = [{"id": {"S": key}, "n": {"N": str(n)}} for n, key in enumerate("aba")]
    assert items.by_key(wired, ["id"]) == [wired[2], wired[1]]
