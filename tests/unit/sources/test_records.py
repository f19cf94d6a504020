"""What records hold: each form that is taken, and what is refused with which reason."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thingtank.protocols.xively.times import parse_time
from thingtank.sinks.engine import Item
from thingtank.sinks.rules.templates import as_json
from thingtank.sources.records import (
    RECORD_BYTES_MAX,
    TIMES_TAKEN_MAX,
    Arrived,
    NotTaken,
    TimesTaken,
    points_of,
)
from thingtank.tank.actions.bulk import BULK_DATAPOINTS_MAX, BulkPoint

AT = "2026-11-27T08:00:00.000000Z"
AT_US = parse_time(AT)
ARRIVED_US = 1_700_000_000_123_000
UUID = "0e6a8d34-3f43-4a9c-9c53-5b8f2f9a1c11"


def taken(data: str | bytes, key: str = "", feed: int | str = "") -> list[tuple[object, ...]]:
    """The datapoints of a record; a time that is the record's own as None."""
    data = data.encode() if isinstance(data, str) else data
    points = points_of(Arrived("shard/1", key, ARRIVED_US, data), feed)
    return [(p.device, p.datastream, None if is_own(p) else p.at_us, p.value) for p in points]


def is_own(point: BulkPoint) -> bool:
    return point.at_us // 1000 * 1000 == ARRIVED_US


READING = f'{{"device": "{UUID}", "datastream": "t", "value": 21.50, "at": "{AT}"}}'


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(READING, [(UUID, "t", AT_US, "21.50")], id="a reading keeps its spelling"),
        pytest.param(
            f"[{READING},\n {READING}]", [(UUID, "t", AT_US, "21.50")] * 2, id="a list of readings"
        ),
        pytest.param(
            f"{READING}\n\n{READING}\r\n", [(UUID, "t", AT_US, "21.50")] * 2, id="JSON lines"
        ),
        pytest.param(
            '{"feed": 7, "datastream": "t", "value": true}',
            [(7, "t", None, "true")],
            id="a feed's number, and no time",
        ),
        pytest.param(
            f'{{"feed": 7, "device": "{UUID}", "datastream": "t", "value": "on"}}',
            [(UUID, "t", None, "on")],
            id="a uuid counts before the number that another instance has for the feed",
        ),
        pytest.param(
            '{"datastream": "t", "value": 1, "timestamp": 1764230400}',
            [("key", "t", 1_764_230_400_000_000, "1")],
            id="the partition key is the device of what names none",
        ),
        pytest.param(
            f'{{"version": "1.0.0", "id": 7, "datastreams": [{{"id": "t", "current_value": "1",'
            f' "at": "{AT}"}}, {{"id": 2, "datapoints": [{{"value": 2, "at": "{AT}"}},'
            ' {"value": "3"}]}, {"id": "empty"}]}',
            [(7, "t", AT_US, "1"), (7, "2", AT_US, "2"), (7, "2", None, "3")],
            id="a feed of Xively",
        ),
        pytest.param(
            '{"temperature": 21.5, "door": "open", "lit": false, "none": null}',
            [("key", "temperature", None, "21.5"), ("key", "door", None, "open"),
             ("key", "lit", None, "false")],
            id="a flat object",
        ),
        pytest.param(
            f'{{"t": 1, "timestamp": "{AT}", "device": "{UUID}"}}',
            [(UUID, "t", AT_US, "1")],
            id="a flat object with time and device",
        ),
        pytest.param(
            '{"t": 1, "timestamp": 1764230400.25}',
            [("key", "t", 1_764_230_400_250_000, "1")],
            id="fractions of seconds",
        ),
        pytest.param(
            '{"t": 1, "timestamp": 1764230400250}',
            [("key", "t", 1_764_230_400_250_000, "1")],
            id="milliseconds",
        ),
        pytest.param(
            '{"t": 1, "at": "20261127"}',
            [("key", "t", parse_time("20261127"), "1")],
            id="a date without dashes is no number",
        ),
    ],
)  # fmt: skip
def test_a_record_is_taken(data: str, expected: list[tuple[object, ...]]) -> None:
    assert taken(data, key="key") == expected


def test_what_our_own_sinks_send_is_taken() -> None:
    item = Item("a-1-0", "datapoint", 7, UUID, "t", AT_US, "21.50", 21.5)
    assert taken(as_json(item) + b"\n" + as_json(item)) == [(UUID, "t", AT_US, "21.50")] * 2


def test_the_rules_feed_is_the_device_before_the_key() -> None:
    assert taken('{"t": 1}', key="key", feed=1001) == [(1001, "t", None, "1")]
    assert taken('{"t": 1, "feed": 7}', feed=1001) == [(7, "t", None, "1")]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("", "it is not JSON"),
        ("21.5", "item 1 is no JSON object"),
        ("[1]", "item 1 is no JSON object"),
        ("{", "it is not JSON"),
        (b"\xff\xfe", "it is not JSON"),
        ("[" * 100_000, "it is not JSON"),
        ('{"t": 1}\n{', "line 2 is not JSON"),
        ("{}", "there is no value in it"),
        ("[]", "there is no value in it"),
        ('{"datastreams": []}', "there is no value in it"),
        ('{"datastreams": [{"current_value": 1}]}', "a datastream of it has no id"),
        ('{"datastreams": [1]}', "it is no feed as Xively has it"),
        ('{"datastreams": [{"id": "t", "current_value": {}}]}', "t must be a number"),
        ('{"t": {"deep": 1}}', "t must be a number, a text, true or false"),
        ('{"t": [1]}', "t must be a number"),
        ('{"datastream": "t"}', "value must be a number"),
        ('{"datastream": 5, "value": 1}', "`datastream` must be the name of one"),
        ('{"value": 1}', "`datastream` must be the name of one"),
        ('{"datastream": "", "topic": "x/y", "value": "{}"}', "it is a message to a device"),
        ('{"t": 1, "at": "yesterday"}', "yesterday is no time"),
        ('{"t": 1, "at": true}', "True is no time"),
        ('{"t": 1, "at": {"a": 1}}', "is no time"),
        ('{"t": 1, "at": 99999999999999999}', "is no time"),
        ('{"t": 1, "at": 1e99}', "is no time"),
        ('{"t": 1, "device": true}', "`device` must be a uuid or the number of a feed"),
        ('{"t": 1, "device": "%s"}' % ("x" * 300), "more than 256 characters"),
    ],
)  # fmt: skip
def test_garbage_is_refused_with_a_reason(data: str | bytes, reason: str) -> None:
    with pytest.raises(NotTaken, match=reason.replace("(", r"\(")):
        taken(data, key="key")


def test_values_of_no_device_are_refused() -> None:
    with pytest.raises(NotTaken, match="it names no device, and the rule names none in `feed`"):
        taken('{"t": 1}')


def test_a_record_has_bounds() -> None:
    full = json.dumps({f"s{n}": n for n in range(BULK_DATAPOINTS_MAX)})
    assert len(taken(full, "k")) == BULK_DATAPOINTS_MAX
    for data, reason in [
        (json.dumps({f"s{n}": n for n in range(BULK_DATAPOINTS_MAX + 1)}), "10,000 values"),
        ("{}\n" * (BULK_DATAPOINTS_MAX + 1), "10,000 lines"),
        (" " * (RECORD_BYTES_MAX + 1), "at most 1,048,576 are read"),
    ]:
        with pytest.raises(NotTaken, match=reason):
            taken(data, "k")


def test_a_record_that_is_read_twice_gives_the_same_datapoints() -> None:
    lines = b'{"t": 1}\n{"t": 2}\n{"u": 3}'
    once, again = (points_of(Arrived("s/1", "k", ARRIVED_US, lines)) for _ in range(2))
    assert once == again
    assert len({point.at_us for point in once}) == 3
    assert all(is_own(point) for point in once)
    other = points_of(Arrived("s/2", "k", ARRIVED_US, lines))
    assert {p.at_us for p in once}.isdisjoint({p.at_us for p in other})


def test_of_many_records_in_one_millisecond_each_has_a_time_of_its_own() -> None:
    records = [Arrived(f"s/{n}", "k", ARRIVED_US, b'{"t": 1}\n{"t": 2}') for n in range(400)]
    taken = TimesTaken()
    points = [point for record in records for point in points_of(record, taken=taken)]
    assert len({point.at_us for point in points}) == 800
    again = [point for record in reversed(records) for point in points_of(record, taken=taken)]
    assert set(again) == set(points)
    alone = points_of(records[1], taken=TimesTaken())  # by another reader: where it would be first
    assert alone == points_of(records[1])


def test_what_is_remembered_of_records_is_bounded_however_long_their_names_are() -> None:
    taken = TimesTaken()
    for n in range(TIMES_TAKEN_MAX + 10):
        taken.take("d" * 100_000, "t", n, "s/1")
    assert len(taken._records) == TIMES_TAKEN_MAX
    assert all(isinstance(part, int) for pair in taken._records.items() for part in pair)


@given(st.one_of(st.binary(max_size=200), st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(
        ["device", "feed", "datastream", "value", "at", "timestamp", "datastreams", "id", "t",
         "current_value", "datapoints", "topic"]), inner, max_size=5),
    max_leaves=12,
).map(lambda found: json.dumps(found).encode())))  # fmt: skip
def test_nothing_but_a_refusal_comes_of_garbage(data: bytes) -> None:
    try:
        points = points_of(Arrived("s/1", "k", ARRIVED_US, data))
    except NotTaken:
        return
    assert all(isinstance(point.value, str) and point.datastream != "" for point in points)
