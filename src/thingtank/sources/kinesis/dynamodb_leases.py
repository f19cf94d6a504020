"""Leases in a table of DynamoDB, for several servers that share a stream."""

import contextlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec

from thingtank.aws.clients import AwsClients
from thingtank.aws.failures import is_missing
from thingtank.sources.kinesis.leases import Lease

READY_S_MAX = 60
_START = "#start"  # no shard is called so
_NEW = "attribute_not_exists(leaseKey)"


class DynamoDbLeases:
    """Implements `LeaseTable`. One table may hold the leases of many rules."""

    def __init__(self, clients: AwsClients, table: str, rule: str, stream: str) -> None:
        self._clients = clients
        self._table = table
        self._prefix = f"{rule}/{stream}/"
        self._known: set[str] = set()
        self._start = ""

    def ensure(self, parents: Mapping[str, Sequence[str]], start: str) -> None:
        """See LeaseTable; so are the others."""
        if not self._start:
            self._start = self._ensured_start(start)
        for shard, olds in parents.items():
            if shard not in self._known:
                self._put_new(Lease(shard, checkpoint=self._start, parents=tuple(olds)))
                self._known.add(shard)

    def all(self) -> list[Lease]:
        pages = (
            self._client()
            .get_paginator("scan")
            .paginate(
                TableName=self._table,
                ConsistentRead=True,
                FilterExpression="begins_with(leaseKey, :prefix)",
                ExpressionAttributeValues={":prefix": {"S": self._prefix}},
            )
        )
        leases = [self._lease(item) for page in pages for item in page["Items"]]
        return sorted(
            (each for each in leases if each.shard != _START), key=lambda lease: lease.shard
        )

    def change(self, lease: Lease, *, owner: str, checkpoint: str | None = None) -> Lease | None:
        changed = msgspec.structs.replace(
            lease,
            owner=owner,
            counter=lease.counter + 1,
            checkpoint=lease.checkpoint if checkpoint is None else checkpoint,
        )
        client = self._client()
        try:
            client.update_item(
                TableName=self._table,
                Key={"leaseKey": {"S": self._prefix + lease.shard}},
                UpdateExpression="SET leaseOwner = :owner, leaseCounter = :next, #place = :place",
                ConditionExpression="leaseCounter = :seen AND leaseOwner = :holder",
                ExpressionAttributeNames={"#place": "checkpoint"},
                ExpressionAttributeValues={
                    ":owner": {"S": owner},
                    ":next": {"N": str(changed.counter)},
                    ":place": {"S": changed.checkpoint},
                    ":seen": {"N": str(lease.counter)},
                    ":holder": {"S": lease.owner},
                },
            )
        except client.exceptions.ConditionalCheckFailedException:
            return None
        return changed

    def forget(self, shards: Collection[str]) -> None:
        for shard in shards:
            self._client().delete_item(
                TableName=self._table, Key={"leaseKey": {"S": self._prefix + shard}}
            )
            self._known.discard(shard)

    def _client(self) -> Any:
        return self._clients.client("dynamodb")

    def _ensured_start(self, start: str) -> str:
        """The start that counts, which is the first that any reader has put; makes the table."""
        marker = Lease(_START, checkpoint=start)
        try:
            self._put_new(marker)
        except Exception as error:
            if not is_missing(error):
                raise
            self._make()
            self._put_new(marker)
        found = self._client().get_item(
            TableName=self._table,
            Key={"leaseKey": {"S": self._prefix + _START}},
            ConsistentRead=True,
        )
        return self._lease(found["Item"]).checkpoint

    def _make(self) -> None:
        client = self._client()
        # Unless another reader makes it.
        with contextlib.suppress(client.exceptions.ResourceInUseException):
            client.create_table(
                TableName=self._table,
                AttributeDefinitions=[{"AttributeName": "leaseKey", "AttributeType": "S"}],
                KeySchema=[{"AttributeName": "leaseKey", "KeyType": "HASH"}],
                BillingMode="PAY_PER_REQUEST",
            )
        client.get_waiter("table_exists").wait(
            TableName=self._table, WaiterConfig={"Delay": 2, "MaxAttempts": READY_S_MAX // 2}
        )

    def _put_new(self, lease: Lease) -> None:
        """Put a lease unless there is one."""
        client = self._client()
        with contextlib.suppress(client.exceptions.ConditionalCheckFailedException):
            client.put_item(
                TableName=self._table,
                Item={
                    "leaseKey": {"S": self._prefix + lease.shard},
                    "leaseOwner": {"S": lease.owner},
                    "leaseCounter": {"N": str(lease.counter)},
                    "checkpoint": {"S": lease.checkpoint},
                    "parents": {"S": " ".join(lease.parents)},
                },
                ConditionExpression=_NEW,
            )

    def _lease(self, item: Mapping[str, Any]) -> Lease:
        return Lease(
            item["leaseKey"]["S"].removeprefix(self._prefix),
            item["leaseOwner"]["S"],
            int(item["leaseCounter"]["N"]),
            item["checkpoint"]["S"],
            tuple(item["parents"]["S"].split()),
        )
