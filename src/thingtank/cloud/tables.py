"""DynamoDB tables: make, look at, write, read, delete.

Source: AWS, DynamoDB, CreateTable, Query.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from typing import Any, NamedTuple

import msgspec

from thingtank.aws.clients import AwsClients
from thingtank.aws.items import (
    CALL_ITEMS_MAX,
    BadItem,
    Item,
    by_key,
    from_wire,
    put_unless,
    to_wire,
    unwritten,
    write_items,
)
from thingtank.aws.tags import APP_TAG
from thingtank.cloud.errors import NotDone
from thingtank.cloud.names import TABLE, check_name
from thingtank.cloud.progress import Say
from thingtank.cloud.waiting import pause_s_of, said_if_made, state_of, wait_until, wait_until_gone

_KEY = re.compile(r"([^:]{1,255})(?::([SNB]))?\Z")


class Key(NamedTuple):
    """An attribute that is part of a table's key; `kind` is S text, N number or B bytes."""

    name: str
    kind: str


class TableDesign(msgspec.Struct, frozen=True):
    """What a table is to be.

    Attributes:
        hash_key, range_key: items of one hash key are together, sorted by their range key.
        units: reads and writes per second that are paid for; None pays by the call.
        expires: an attribute with seconds since the epoch, after which an item goes; or blank.
        is_backed_up: any instant of the last 35 days can be restored.
        is_protected: it cannot be deleted before that is taken back.
    """

    name: str
    hash_key: Key
    range_key: Key | None = None
    units: tuple[int, int] | None = None
    expires: str = ""
    is_backed_up: bool = False
    is_protected: bool = False


class Table(msgspec.Struct, frozen=True):
    """What a table is; `item_count` and `byte_count` are of the last six hours."""

    name: str
    state: str
    hash_key: Key
    range_key: Key | None
    units: tuple[int, int] | None
    item_count: int
    byte_count: int
    is_protected: bool
    expires: str = ""


class KeyRange(NamedTuple):
    """Which of the items of one hash key: ends included, or those whose text begins so."""

    start: str | None = None
    end: str | None = None
    prefix: str | None = None


def parse_key(text: str) -> Key:
    """`date`, which is text, or `date:N`.

    Raises:
        ValueError.
    """
    found = _KEY.match(text)
    if found is None:
        raise ValueError(f"{text!r} is no key such as date, or date:N for a number")
    return Key(found[1], found[2] or "S")


def names(clients: AwsClients) -> list[str]:
    """All tables of the region."""
    pages = clients.client("dynamodb").get_paginator("list_tables").paginate()
    return [name for page in pages for name in page["TableNames"]]


def create(clients: AwsClients, design: TableDesign, say: Say) -> bool:
    """Make a table and wait until it can be used; one that is there already is taken as it is.

    Returns:
        Whether it was made.

    Raises:
        NotDone: another table has the name, or AWS takes none such.
        botocore's exceptions.
    """
    check_name(TABLE, design.name)
    client = clients.client("dynamodb")
    is_new = True
    try:
        client.create_table(**_request(design))
    except client.exceptions.ResourceInUseException:
        is_new = False
    with said_if_made(say, "table", design.name) if is_new else nullcontext():
        _complete(clients, design, say)
    return is_new


def _complete(clients: AwsClients, design: TableDesign, say: Say) -> None:
    """Wait for a table, and have it be the rest of what it is to be."""
    client = clients.client("dynamodb")
    wait_until(
        lambda: _state(client, design.name),
        ("ACTIVE",), say, f"table {design.name}", pause_s_of(clients, "dynamodb"),
    )  # fmt: skip
    found = get(clients, design.name)
    if (found.hash_key, found.range_key) != (design.hash_key, design.range_key):
        raise NotDone(
            f"there is a table {design.name} already, with other keys: {_said(found)}. Choose"
            " another name, or the same keys"
        )
    if design.expires and found.expires != design.expires:
        setting = {"Enabled": True, "AttributeName": design.expires}
        client.update_time_to_live(TableName=design.name, TimeToLiveSpecification=setting)
    if design.is_backed_up:
        client.update_continuous_backups(
            TableName=design.name,
            PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
        )


def get(clients: AwsClients, name: str) -> Table:
    """What a table is.

    Raises:
        botocore's exceptions: also when there is none.
    """
    client = clients.client("dynamodb")
    found = client.describe_table(TableName=name)["Table"]
    kinds = {each["AttributeName"]: each["AttributeType"] for each in found["AttributeDefinitions"]}
    keys = {
        each["KeyType"]: Key(each["AttributeName"], kinds[each["AttributeName"]])
        for each in found["KeySchema"]
    }
    throughput = found.get("ProvisionedThroughput", {})
    units = (throughput.get("ReadCapacityUnits", 0), throughput.get("WriteCapacityUnits", 0))
    lifetime = client.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    is_expiring = lifetime.get("TimeToLiveStatus") in ("ENABLED", "ENABLING")
    return Table(
        found["TableName"], found["TableStatus"], keys["HASH"], keys.get("RANGE"),
        units if any(units) else None, found.get("ItemCount", 0), found.get("TableSizeBytes", 0),
        found.get("DeletionProtectionEnabled", False),
        lifetime.get("AttributeName", "") if is_expiring else "",
    )  # fmt: skip


def put(clients: AwsClients, table: Table, items: Iterable[Item], say: Say) -> int:
    """Put items, 25 a call; of one key the last is kept.

    Returns:
        How many calls' items were written.

    Raises:
        NotDone: the table takes no more; some items may have been written.
        BadItem, botocore's exceptions.
    """
    client = clients.client("dynamodb")
    key_names = [key.name for key in _keys(table)]
    count = 0
    for batch in _batches(items):
        wired = by_key([_checked(table, item) for item in batch], key_names)
        rest = write_items(client, table.name, wired)
        count += len(batch) - len(rest)
        if rest:
            raise NotDone(f"{count} items are written, and then: {unwritten(rest)}")
        if count > CALL_ITEMS_MAX:
            say(f"{count} items")
    return count


def put_if_absent(clients: AwsClients, table: Table, item: Item) -> bool:
    """Put an item unless one with its key is there; whether it was put."""
    return put_unless(
        clients.client("dynamodb"), table.name, "attribute_not_exists(#key)",
        Item=_checked(table, item), ExpressionAttributeNames={"#key": table.hash_key.name},
    )  # fmt: skip


def find(
    clients: AwsClients, table: Table, hash_value: str, range_value: str | None
) -> Item | None:
    """The item of a key, as it is now.

    Raises:
        NotDone: the key has another form.
        botocore's exceptions.
    """
    if (range_value is None) != (table.range_key is None):
        raise NotDone(f"the key of {table.name} is {_said(table)}: give one value for each")
    key = {table.hash_key.name: _value(table.hash_key, hash_value)}
    if table.range_key is not None and range_value is not None:
        key[table.range_key.name] = _value(table.range_key, range_value)
    reply = clients.client("dynamodb").get_item(TableName=table.name, Key=key, ConsistentRead=True)
    return from_wire(reply["Item"]) if "Item" in reply else None


def query(
    clients: AwsClients,
    table: Table,
    hash_value: str,
    within: KeyRange,
    limit: int,
    *,
    is_newest_first: bool = False,
) -> Iterator[Item]:
    """The items of one hash key in the order of their range key, page by page.

    Raises:
        NotDone: a range is asked of a table that has no range key.
        botocore's exceptions.
    """
    conditions, values = ["#hash = :hash"], {":hash": _value(table.hash_key, hash_value)}
    attributes = {"#hash": table.hash_key.name}
    if any(part is not None for part in within):
        if table.range_key is None:
            raise NotDone(f"{table.name} has no range key")
        attributes["#range"] = table.range_key.name
        conditions.append(_condition(within))
        values |= {
            f":{name}": _value(table.range_key, part)
            for name, part in within._asdict().items()
            if part is not None
        }
    pages = (
        clients.client("dynamodb")
        .get_paginator("query")
        .paginate(
            TableName=table.name,
            KeyConditionExpression=" AND ".join(conditions),
            ExpressionAttributeNames=attributes,
            ExpressionAttributeValues=values,
            ScanIndexForward=not is_newest_first,
            PaginationConfig={"MaxItems": limit},
        )
    )
    for page in pages:
        yield from (from_wire(item) for item in page["Items"])


def delete(clients: AwsClients, name: str, say: Say) -> None:
    """Delete a table with all that is in it, and wait until it is gone.

    Raises:
        botocore's exceptions: also when there is none, or it is protected.
    """
    client = clients.client("dynamodb")
    client.delete_table(TableName=name)
    pause_s = pause_s_of(clients, "dynamodb")
    wait_until_gone(lambda: _state(client, name), say, f"table {name}", pause_s)


def _request(design: TableDesign) -> dict[str, Any]:
    keys = [design.hash_key] + ([design.range_key] if design.range_key else [])
    request: dict[str, Any] = {
        "TableName": design.name,
        "KeySchema": [
            {"AttributeName": key.name, "KeyType": kind}
            for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)
        ],
        "AttributeDefinitions": [
            {"AttributeName": key.name, "AttributeType": key.kind} for key in keys
        ],
        "DeletionProtectionEnabled": design.is_protected,
        "Tags": [APP_TAG],
    }
    if design.units is None:
        return request | {"BillingMode": "PAY_PER_REQUEST"}
    reads, writes = design.units
    throughput = {"ReadCapacityUnits": reads, "WriteCapacityUnits": writes}
    return request | {"BillingMode": "PROVISIONED", "ProvisionedThroughput": throughput}


def _state(client: Any, name: str) -> str:
    return state_of(lambda: str(client.describe_table(TableName=name)["Table"]["TableStatus"]))


def _keys(table: Table) -> list[Key]:
    return [table.hash_key] + ([table.range_key] if table.range_key else [])


def _said(table: Table) -> str:
    return " and ".join(f"{key.name}:{key.kind}" for key in _keys(table))


def _checked(table: Table, item: Item) -> dict[str, Any]:
    """An item as it is sent; AWS's own words would not name the key that is missing."""
    missing = [key.name for key in _keys(table) if key.name not in item]
    if missing:
        raise BadItem(f"an item of {table.name} has {_said(table)}; this has no {missing[0]}")
    return to_wire(item)


def _value(key: Key, text: str) -> dict[str, str]:
    if key.kind == "B":
        raise NotDone(f"the key {key.name} is bytes, which cannot be named here")
    return {key.kind: text}


def _condition(within: KeyRange) -> str:
    match within:
        case KeyRange(prefix=str()):
            return "begins_with(#range, :prefix)"
        case KeyRange(start=str(), end=str()):
            return "#range BETWEEN :start AND :end"
        case KeyRange(start=str()):
            return "#range >= :start"
    return "#range <= :end"


def _batches(items: Iterable[Item]) -> Iterator[list[Item]]:
    batch: list[Item] = []
    for item in items:
        batch.append(item)
        if len(batch) == CALL_ITEMS_MAX:
            yield batch
            batch = []
    if batch:
        yield batch
