"""Items in a table of Amazon DynamoDB.

An item has its own key, so that writing it again changes nothing: by the condition that there is
none such, or none newer. A table keeps no order of arrival: items are sorted by their range key.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import islice
from typing import Any

from thingtank.aws.failures import is_missing
from thingtank.aws.items import (
    CALL_ITEMS_MAX,
    ITEM_BYTES_MAX,
    BadItem,
    parse_number,
    put_or_find,
    put_unless,
    unwritten,
    write_items,
)
from thingtank.aws.names import check_name
from thingtank.aws.tags import APP_TAG
from thingtank.sinks.engine import (
    GATHER_S,
    BatchBounds,
    EngineFailed,
    EngineParts,
    Item,
    SendResult,
)
from thingtank.sinks.engines.call_pool import CallPool, check_connections
from thingtank.sinks.engines.keys import KEY_IS_TAKEN, Keyed, Keys, KeySettings
from thingtank.sinks.engines.lanes import Entry, send_in_lanes
from thingtank.tank.failures import Failure, FailureKind

READY_S_MAX = 60
KEYS_BYTES = 8 * 1024  # more than all besides the value takes


class Settings(KeySettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table.

    Attributes:
        table: its name, in the region of `[aws]`.
        create: it is made if it is missing, with these keys, each call paid for.
        plain: items are written 25 a call without the condition that there is none such: much
            faster, and whatever has the same key is written over. So give each item a key of its
            own, with `{{id}}` in it, as by default.
        connections: calls at the same time.
    """

    table: str
    create: bool = False
    plain: bool = False
    connections: int = 8

    def __post_init__(self) -> None:
        """Check what is here to be checked."""
        super().__post_init__()
        check_name("table", self.table)
        if self.plain and self.keep == "latest":
            raise ValueError('`plain` cannot go with `keep = "latest"`, which has a condition')
        check_connections(self.connections)


class DynamoDbEngine:
    """Implements `SinkEngine`."""

    bounds = BatchBounds(500, 2 * 1024 * 1024)
    wants_payload = False
    gather_s = GATHER_S

    def __init__(self, settings: Settings, parts: EngineParts) -> None:
        """Make one that is not open."""
        self._settings = settings
        self._parts = parts
        self._keys = Keys(settings)
        self._kinds: dict[str, str] = {}
        self._client: Any = None
        self._pool: CallPool | None = None

    def open(self) -> None:
        """See SinkEngine."""
        self.close()
        client = self._parts.aws().client("dynamodb", is_checked=False)
        name = self._settings.table
        try:
            found = client.describe_table(TableName=name)["Table"]
        except Exception as error:
            if not (self._settings.create and is_missing(error)):
                raise
            found = self._create(client)
        self._kinds = self._checked(found)
        if self._settings.keep_days:
            self._ensure_expiry(client)
        self._client = client
        self._pool = CallPool(self._settings.connections, "dynamodb")

    def send(self, items: Sequence[Item]) -> SendResult:
        """See SinkEngine."""
        assert self._pool is not None, "open"
        keyed, refused = self._keys.keyed(items)
        entries = []
        for place, each in enumerate(keyed):
            try:
                wired = self._wired(each)
            except BadItem as error:
                refused |= dict.fromkeys(each.places, str(error))
                continue
            lane = "\0".join(each.key) if self._settings.plain else str(place)
            entries.append(Entry(lane, each.places, wired))
        call, cut = (self._write, _by_25) if self._settings.plain else (self._put, _singly)
        result = send_in_lanes(entries, call, cut, self._pool)
        return SendResult(result.retry, {**result.refused, **refused}, result.failure)

    def close(self) -> None:
        """See SinkEngine."""
        pool, self._pool, self._client = self._pool, None, None
        if pool is not None:
            pool.close()

    def describe(self) -> str:
        """See SinkEngine."""
        return f"DynamoDB table {self._settings.table}"

    def _put(self, wired: Sequence[dict[str, Any]]) -> list[Failure | None]:
        """One item, under its condition; that it is there already is fine."""
        settings = self._settings
        request: dict[str, Any] = {"ExpressionAttributeNames": {"#hash": settings.hash_key}}
        condition = "attribute_not_exists(#hash)"
        if settings.keep == "latest":
            condition += " OR #at <= :at"
            request["ExpressionAttributeNames"]["#at"] = "at_us"
            request["ExpressionAttributeValues"] = {":at": wired[0]["at_us"]}
            put_unless(self._client, settings.table, condition, Item=wired[0], **request)
            return [None]
        there = put_or_find(self._client, settings.table, condition, wired[0], **request)
        if there and there.get("id") != wired[0]["id"]:
            return [Failure(FailureKind.REFUSED, "KeyIsTaken", KEY_IS_TAKEN, "")]
        return [None]

    def _write(self, wired: Sequence[dict[str, Any]]) -> list[Failure | None]:
        rest = write_items(self._client, self._settings.table, wired)
        failure = unwritten(rest)
        # By their keys: what comes back may write numbers otherwise.
        left = {self._key_of(item) for item in rest}
        return [failure if self._key_of(item) in left else None for item in wired]

    def _key_of(self, wired: Mapping[str, Mapping[str, str]]) -> tuple[str | Decimal, ...]:
        return tuple(
            parse_number(wired[name]["N"]) if kind == "N" else wired[name]["S"]
            for name, kind in self._kinds.items()
        )

    def _wired(self, each: Keyed) -> dict[str, Any]:
        """An item as it is sent.

        Raises:
            BadItem.
        """
        settings = self._settings
        attributes = self._keys.attributes_of(each.item) | {settings.hash_key: each.key.hash}
        if settings.range_key:
            attributes[settings.range_key] = each.key.range
        if not _has_number(attributes.get("number")):
            attributes.pop("number", None)
        wired: dict[str, Any] = {name: _attribute(value) for name, value in attributes.items()}
        for name, kind in self._kinds.items():
            if kind == "N":
                wired[name] = {"N": _number_text(attributes[name])}
        if each.item.size_bytes > ITEM_BYTES_MAX - KEYS_BYTES:
            raise BadItem(f"an item has at most {ITEM_BYTES_MAX:,} bytes")
        return wired

    def _checked(self, found: dict[str, Any]) -> dict[str, str]:
        """The kinds of the table's keys, which must be those of the settings."""
        settings = self._settings
        keys = {each["KeyType"]: each["AttributeName"] for each in found["KeySchema"]}
        wanted = {"HASH": settings.hash_key}
        if settings.range_key:
            wanted["RANGE"] = settings.range_key
        if keys != wanted:
            said = " and ".join(keys.values())
            raise EngineFailed.of(
                FailureKind.EXISTS,
                f"the table {settings.table} has the keys {said}",
                "Name them in `hash_key` and `range_key`, or name another table.",
            )
        kinds = {
            each["AttributeName"]: each["AttributeType"] for each in found["AttributeDefinitions"]
        }
        kinds = {name: kinds[name] for name in keys.values()}
        if "B" in kinds.values():
            raise EngineFailed.of(
                FailureKind.EXISTS,
                f"the table {settings.table} has a key of bytes",
                "Keys are made of text here, or of numbers: name another table.",
            )
        return kinds

    def _create(self, client: Any) -> dict[str, Any]:
        settings = self._settings
        names = [settings.hash_key] + ([settings.range_key] if settings.range_key else [])
        client.create_table(
            TableName=settings.table,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[
                {"AttributeName": name, "KeyType": kind}
                for name, kind in zip(names, ("HASH", "RANGE"), strict=False)
            ],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in names],
            Tags=[APP_TAG],
        )
        waiting = {"Delay": 1, "MaxAttempts": READY_S_MAX}
        client.get_waiter("table_exists").wait(TableName=settings.table, WaiterConfig=waiting)
        table: dict[str, Any] = client.describe_table(TableName=settings.table)["Table"]
        return table

    def _ensure_expiry(self, client: Any) -> None:
        """See that the table deletes items by the attribute that they have."""
        settings = self._settings
        found = client.describe_time_to_live(TableName=settings.table)["TimeToLiveDescription"]
        is_on = found["TimeToLiveStatus"] in ("ENABLED", "ENABLING")
        if is_on and found.get("AttributeName") == settings.expires:
            return
        if is_on:
            raise EngineFailed.of(
                FailureKind.EXISTS,
                f"the table {settings.table} deletes items by {found.get('AttributeName')}",
                "Name that in `expires`, or name another table.",
            )
        if not settings.create:
            raise EngineFailed.of(
                FailureKind.MISSING,
                f"the table {settings.table} deletes nothing, as `keep_days` asks for",
                f"Switch it on: thingtank cloud table create … --expires {settings.expires};"
                " or say `create = true` here.",
            )
        client.update_time_to_live(
            TableName=settings.table,
            TimeToLiveSpecification={"Enabled": True, "AttributeName": settings.expires},
        )


def make_engine(settings: Settings, parts: EngineParts) -> DynamoDbEngine:
    """An engine that is not open yet."""
    return DynamoDbEngine(settings, parts)


def _attribute(value: str | float | bool) -> dict[str, object]:
    """A value as DynamoDB has it on the wire."""
    if isinstance(value, bool):
        return {"BOOL": value}
    return {"S": value} if isinstance(value, str) else {"N": repr(value)}


def _singly(wired: Iterable[Any]) -> Iterator[list[Any]]:
    return ([each] for each in wired)


def _by_25(wired: Iterable[Any]) -> Iterator[list[Any]]:
    rest = iter(wired)
    while call := list(islice(rest, CALL_ITEMS_MAX)):
        yield call


def _has_number(number: float | None) -> bool:
    """Whether DynamoDB has such a number; where not, the value is there as text."""
    return number is not None and (number == 0 or 1e-129 < abs(number) < 1e125)


def _number_text(text: str) -> str:
    try:
        return str(parse_number(text))
    except BadItem:
        what = "no number of at most 38 digits, as the table wants it"
        raise BadItem(f"its key {text[:60]!r} is {what}") from None
