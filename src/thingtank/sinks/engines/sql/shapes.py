"""The columns that a table has: one shape for what devices write and are sent, one for topics."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

from thingtank.protocols.xively.times import format_times
from thingtank.sinks.engine import Item, Kind
from thingtank.sinks.rules.templates import encoding_of, user_properties_json

# A row as it is written, its members as in `Shape.columns`; times as `2026-11-23T10:00:00.000000Z`,
# cut to `Dialect.at_chars`. A plain tuple: there are many.
Row: TypeAlias = tuple[Any, ...]


class Shape(NamedTuple):
    """What is in a table besides `row_id`.

    Attributes:
        columns: their names; the first is unique.
        series: those by which rows are found, the time last.
        row: an item as a row; its time is given as text.
    """

    columns: tuple[str, ...]
    series: tuple[str, ...]
    row: Callable[[Item, str, int], Row]


def _row_of_device(item: Item, at: str, at_chars: int) -> Row:
    name = item.datastream or item.topic
    return item.item_id, item.device_id, name, at, item.value, item.number


def _row_of_topic(item: Item, at: str, at_chars: int) -> Row:
    facts = item.facts
    assert facts is not None, "of a topic"
    expires_at = format_times([facts.expires_at_us])[0] if facts.expires_at_us else None
    return (
        item.item_id,
        item.topic,
        at,
        item.value,
        encoding_of(facts),
        item.number,
        facts.qos,
        facts.is_retain,
        facts.content_type or None,
        user_properties_json(facts) or None,
        expires_at and expires_at[:at_chars],
    )


OF_DEVICES = Shape(
    ("item_id", "device_id", "datastream", "at", "value", "number"),
    ("device_id", "datastream", "at"),
    _row_of_device,
)
OF_TOPICS = Shape(
    (
        *("item_id", "topic", "at", "payload", "encoding", "number", "qos", "retain"),
        *("content_type", "user_properties", "expires_at"),
    ),
    ("topic", "at"),
    _row_of_topic,
)


def shape_of(kind: Kind) -> Shape:
    """Of the items that a table is for."""
    return OF_TOPICS if kind == "topic" else OF_DEVICES


def rows_of(shape: Shape, items: Sequence[Item], at_chars: int) -> list[Row]:
    """Items as rows."""
    ats = format_times([item.at_us for item in items])
    return [shape.row(item, at[:at_chars], at_chars) for item, at in zip(items, ats, strict=True)]
