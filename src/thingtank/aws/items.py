"""DynamoDB: items from and to plain values, and batches of them.

Source: AWS, DynamoDB, BatchWriteItem, data types and quotas.
"""

import base64
import json
import time
from collections.abc import Callable, Iterable, Sequence
from decimal import Context, Decimal, Inexact, InvalidOperation, Overflow, Rounded, Underflow
from typing import Any

from thingtank.aws.attempts import ATTEMPTS_MAX, pause_s_after
from thingtank.aws.failures import classify, failure_of_code, is_aws_failure
from thingtank.tank.failures import Failure, FailureKind

CALL_ITEMS_MAX = 25
ITEM_BYTES_MAX = 400 * 1024

Item = dict[str, Any]

# 38 digits, as DynamoDB has; a number with more is refused, not rounded.
_NUMBERS = Context(
    prec=38, Emin=-128, Emax=126, traps=[InvalidOperation, Overflow, Underflow, Inexact, Rounded]
)
_WANTED = 'an item is a JSON object, such as {"msgid": "a", "date": "2026-01-31"}'


class BadItem(ValueError):
    """A value that no table takes; the message says which."""


def parse_item(text: str) -> Item:
    """An item from JSON text; its numbers exactly.

    Raises:
        BadItem.
    """
    try:
        found = json.loads(
            text, parse_float=parse_number, parse_int=parse_number, parse_constant=_refuse
        )
    except json.JSONDecodeError as error:
        line = f" of line {error.lineno}" if error.lineno > 1 else ""
        raise BadItem(f"{_WANTED}; it is none at character {error.colno}{line}") from None
    except RecursionError:
        raise BadItem("an item is nested too deep") from None
    if not isinstance(found, dict):
        raise BadItem(_WANTED)
    return found


def parse_number(text: str) -> Decimal:
    """A number as DynamoDB has them: exactly, of at most 38 digits.

    Raises:
        BadItem: it is no such number, or none at all.
    """
    try:
        found = _NUMBERS.create_decimal(text)
    except Overflow:
        raise BadItem(f"a number is too large for a table: {text[:60]}") from None
    except Underflow:
        raise BadItem(f"a number is too near to 0 for a table: {text[:60]}") from None
    except ArithmeticError:
        raise BadItem(f"a number has at most 38 digits: {text[:60]}") from None
    if not found.is_finite():
        raise BadItem(f"an item cannot hold {text[:60]}")
    return found


def to_wire(item: Item) -> dict[str, Any]:
    """An item as DynamoDB's calls take it.

    Raises:
        BadItem.
    """
    from boto3.dynamodb.types import TypeSerializer

    serialize = TypeSerializer().serialize
    try:
        return {name: serialize(value) for name, value in item.items()}
    except (TypeError, ArithmeticError) as error:
        raise BadItem(f"an item cannot hold it: {error}") from None


def from_wire(item: dict[str, Any]) -> Item:
    """An item as plain values: numbers as Decimal or int, bytes in base64, sets as lists."""
    from boto3.dynamodb.types import TypeDeserializer

    deserialize = TypeDeserializer().deserialize
    return {name: _plain(deserialize(value)) for name, value in item.items()}


def write_items(
    client: Any,
    table: str,
    items: Sequence[dict[str, Any]],
    sleep: Callable[[float], None] = time.sleep,
) -> list[dict[str, Any]]:
    """Put items whatever was there before; what a full table leaves over is sent again.

    Args:
        items: as `to_wire` makes them, at most CALL_ITEMS_MAX, of different keys.

    Returns:
        What was not written after some attempts.

    Raises:
        botocore's exceptions.
    """
    rest = list(items)
    for attempt in range(ATTEMPTS_MAX):
        requests = [{"PutRequest": {"Item": item}} for item in rest]
        reply = client.batch_write_item(RequestItems={table: requests})
        left = reply.get("UnprocessedItems", {}).get(table, ())
        rest = [request["PutRequest"]["Item"] for request in left]
        if not rest:
            break
        if attempt + 1 < ATTEMPTS_MAX:
            sleep(pause_s_after(attempt))
    return rest


def put_unless(client: Any, table: str, condition: str, **request: Any) -> bool:
    """Put or update one item if a condition holds.

    Args:
        request: of `update_item` if it has a Key, else of `put_item`.

    Returns:
        Whether it held; if not, nothing was changed.

    Raises:
        botocore's exceptions.
    """
    return _refused_by(client, table, condition, request) is None


def put_or_find(
    client: Any, table: str, condition: str, item: dict[str, Any], **request: Any
) -> dict[str, Any] | None:
    """Put one item if a condition holds.

    Returns:
        None if it held; if not, the item that is there, as `to_wire` makes it. Some stand-ins do
        not tell it: then it is empty.

    Raises:
        botocore's exceptions.
    """
    request |= {"Item": item, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    response = _refused_by(client, table, condition, request)
    return None if response is None else dict(response.get("Item", {}))


def _refused_by(
    client: Any, table: str, condition: str, request: dict[str, Any]
) -> dict[str, Any] | None:
    """Put or update an item; the response that says that the condition does not hold."""
    method = client.update_item if "Key" in request else client.put_item
    try:
        method(TableName=table, ConditionExpression=condition, **request)
    except Exception as error:
        if is_aws_failure(error) and classify(error).code == "ConditionalCheckFailedException":
            response: dict[str, Any] = getattr(error, "response", {})
            return response
        raise
    return None


def by_key(items: Iterable[dict[str, Any]], names: Sequence[str]) -> list[dict[str, Any]]:
    """The last of each key, as a batch may hold a key but once."""
    return list({tuple(str(item.get(name)) for name in names): item for item in items}.values())


def unwritten(items: Sequence[object]) -> Failure:
    """What it means that a batch was not written in all attempts."""
    found = failure_of_code(
        "ProvisionedThroughputExceededException", f"the table took all but {len(items)}"
    )
    assert found.kind is FailureKind.THROTTLED
    return found


def _refuse(word: str) -> Decimal:
    raise BadItem(f"an item cannot hold {word}")


def _plain(value: Any) -> Any:
    match value:
        case Decimal():
            return int(value) if value == value.to_integral_value() else value
        case dict():
            return {name: _plain(each) for name, each in value.items()}
        case list():
            return [_plain(each) for each in value]
        case set():
            return sorted(_plain(each) for each in value)
        case bytes() | bytearray():
            return base64.b64encode(value).decode()
    # boto3's Binary
    return base64.b64encode(value.value).decode() if hasattr(value, "value") else value
