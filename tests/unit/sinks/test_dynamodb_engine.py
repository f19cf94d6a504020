"""Items on their way into a table of DynamoDB, where a client in memory answers as AWS does."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from thingtank.aws import items as items_module
from thingtank.aws.clients import AwsClients
from thingtank.aws.settings import AwsSettings
from thingtank.sinks.engine import EngineFailed, EngineParts, Item, SendResult
from thingtank.sinks.engines import make_engine
from thingtank.tank.failures import FailureKind


class Table:
    """A client of DynamoDB with one table."""

    def __init__(self, hash_kind: str = "S") -> None:
        self.hash_kind = hash_kind
        self.refused_value = ""
        self.expiry: dict[str, Any] = {"TimeToLiveStatus": "DISABLED"}
        self.items: list[dict[str, Any]] = []

    def describe_table(self, **_: Any) -> dict[str, Any]:
        names = (("msgid", "HASH", self.hash_kind), ("date", "RANGE", "S"))
        return {
            "Table": {
                "KeySchema": [{"AttributeName": n, "KeyType": part} for n, part, _ in names],
                "AttributeDefinitions": [
                    {"AttributeName": n, "AttributeType": kind} for n, _, kind in names
                ],
            }
        }

    def batch_write_item(self, RequestItems: dict[str, Any]) -> dict[str, Any]:
        """Takes all but the last, and gives that back as DynamoDB writes numbers."""
        *taken, last = [each["PutRequest"]["Item"] for each in RequestItems["readings"]]
        self.items += taken
        left = {**last, "msgid": {"N": last["msgid"]["N"].rstrip("0")}}
        return {"UnprocessedItems": {"readings": [{"PutRequest": {"Item": left}}]}}

    def describe_time_to_live(self, **_: Any) -> dict[str, Any]:
        return {"TimeToLiveDescription": self.expiry}

    def update_time_to_live(
        self, TimeToLiveSpecification: dict[str, Any], **_: Any
    ) -> dict[str, Any]:
        name = TimeToLiveSpecification["AttributeName"]
        self.expiry = {"TimeToLiveStatus": "ENABLING", "AttributeName": name}
        return {}

    def put_item(self, Item: dict[str, Any], **request: Any) -> dict[str, Any]:
        for there in self.items:
            if (there["msgid"], there["date"]) == (Item["msgid"], Item["date"]):
                assert request["ReturnValuesOnConditionCheckFailure"] == "ALL_OLD"
                error = {"Code": "ConditionalCheckFailedException"}
                raise ClientError({"Error": error, "Item": there}, "PutItem")  # type: ignore[typeddict-unknown-key] # DynamoDB adds Item
        if Item["value"]["S"] == self.refused_value:
            raise ClientError({"Error": {"Code": "ValidationException"}}, "PutItem")
        self.items.append(Item)
        return {}


class OneClient(AwsClients):
    def __init__(self, client: Any) -> None:
        super().__init__(AwsSettings())
        self.found = client

    def client(self, service: str, **_: Any) -> Any:
        return self.found


def send(client: Any, *values: str, **to: object) -> SendResult:
    engine = make_engine(
        {"engine": "dynamodb", "table": "readings", "connections": 1, **to},
        EngineParts(lambda: OneClient(client), Path()),
    )
    engine.open()
    try:
        return engine.send(items(values))
    finally:
        engine.close()


def items(values: Sequence[str]) -> list[Item]:
    return [
        Item(f"o-1-{place}", "datapoint", 1, "d", "t", place, value)
        for place, value in enumerate(values)
    ]


def test_one_refused_item_stops_no_other() -> None:
    client = Table()
    client.refused_value = "2"
    result = send(client, "1", "2", "3")
    assert (dict(result.retry), list(result.refused)) == ({}, [1])
    assert [item["value"]["S"] for item in client.items] == ["1", "3"]


@pytest.mark.parametrize("text", ["x", "inf", "NaN", "1_000", "1e130", "1." + "3" * 40])
def test_a_key_that_is_no_number_as_a_table_has_them_is_refused_before_it_is_sent(
    text: str,
) -> None:
    client = Table("N")
    result = send(client, "1.50", text, hash="{{value}}")
    assert list(result.refused) == [1]
    assert "is no number of at most 38 digits" in result.refused[1]
    assert [item["msgid"] for item in client.items] == [{"N": "1.50"}]


def test_a_table_that_is_there_deletes_what_is_over_from_then_on() -> None:
    client = Table()
    send(client, "1", keep_days=1, create=True)
    assert client.expiry == {"TimeToLiveStatus": "ENABLING", "AttributeName": "expires"}
    send(client, "1", keep_days=1)  # by another rule, which makes none
    send(client, "1", create=True)
    send(Table(), "1")  # nobody asks for it


@pytest.mark.parametrize(
    ("expiry", "words"),
    [
        ({"TimeToLiveStatus": "DISABLED"}, "deletes nothing"),
        ({"TimeToLiveStatus": "ENABLED", "AttributeName": "ttl"}, "deletes items by ttl"),
    ],
)
def test_a_table_that_would_not_delete_what_is_over_is_told(
    expiry: dict[str, Any], words: str
) -> None:
    client = Table()
    client.expiry = expiry
    with pytest.raises(EngineFailed, match=words):
        send(client, "1", keep_days=1)


def test_another_item_of_one_key_is_refused_and_a_repeat_is_not() -> None:
    client = Table()
    by_device = {"hash": "{{device}}", "range": "{{datastream}}"}
    assert list(send(client, "1", **by_device).refused) == []
    result = send(client, "1", "2", **by_device)  # the first one once more
    assert list(result.refused) == [1]
    assert "another item has its key" in result.refused[1]
    assert [item["value"]["S"] for item in client.items] == ["1"]


def test_what_a_table_left_over_is_known_by_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(items_module, "ATTEMPTS_MAX", 1)
    client = Table("N")
    result = send(client, "1.50", "2.50", hash="{{value}}", plain=True)
    assert list(result.retry) == [1]
    assert result.failure is not None
    assert result.failure.kind is FailureKind.THROTTLED
