"""Records that were put together: taken apart, refused where they are none, and bounded."""

import hashlib
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thingtank.sources.kinesis.aggregated import (
    AGGREGATED_BYTES_MAX,
    MAGIC,
    PART_RECORDS,
    SUB_RECORDS_MAX,
    WHOLE_RANGE,
    HashRange,
    NotAggregated,
    sub_records,
    take_apart,
)
from thingtank.sources.records import Arrived, points_of

# Made by AWS's own library of Python, aws-kinesis-agg 1.2.3: roof, cellar with the explicit hash
# key 2**127, and roof once more.
FROM_AWS = bytes.fromhex(
    "f3899ac20a04726f6f660a0663656c6c6172122731373031343131383334363034363932333137333136383733"
    "30333731353838343130353732381a0c08001a087b2274223a20317d1a0e080110001a087b2274223a20327d1a"
    "0c08001a087b2274223a20337dbbf9adcb1cce8263cca33c42780cb00f"
)
ROOF = int.from_bytes(hashlib.md5(b"roof").digest())  # noqa: S324 - as Kinesis has it


def varint(number: int) -> bytes:
    return bytes([number]) if number < 128 else bytes([number & 127 | 128]) + varint(number >> 7)


def field(number: int, value: int | bytes) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def sealed(message: bytes) -> bytes:
    return MAGIC + message + hashlib.md5(message).digest()  # noqa: S324 - as the format has it


def put_together(records: Sequence[tuple[str, str | None, bytes]]) -> bytes:
    """Records of a key, an explicit hash key maybe, and data, as an aggregated one."""
    keys = list(dict.fromkeys(key for key, _, _ in records))
    hash_keys = list(dict.fromkeys(text for _, text, _ in records if text is not None))
    message = b"".join(field(1, key.encode()) for key in keys)
    message += b"".join(field(2, text.encode()) for text in hash_keys)
    for key, text, data in records:
        place = b"" if text is None else field(2, hash_keys.index(text))
        message += field(3, field(1, keys.index(key)) + place + field(3, data))
    return sealed(message)


def arrived(data: bytes, number: int = 100) -> Arrived:
    return Arrived(f"s/{number}", "whole", 1_700_000_000_123_000, data)


def test_what_awss_own_library_puts_together_is_taken_apart() -> None:
    assert sub_records(FROM_AWS) == [
        ("roof", ROOF, b'{"t": 1}'),
        ("cellar", 2**127, b'{"t": 2}'),
        ("roof", ROOF, b'{"t": 3}'),
    ]


def test_they_stand_in_the_place_of_theirs_with_names_and_times_of_their_own() -> None:
    plain = arrived(b'{"t": 0}', 99)
    (part,) = take_apart([plain, arrived(FROM_AWS), plain], WHOLE_RANGE)
    assert [(each.name, each.key) for each in part.records] == [
        ("s/99", "whole"), ("s/100/0", "roof"), ("s/100/1", "cellar"), ("s/100/2", "roof"),
        ("s/99", "whole"),
    ]  # fmt: skip
    assert (part.refused, part.skipped_count) == ([], 0)


def test_values_without_a_time_do_not_share_one_though_they_came_together() -> None:
    lines = b'{"t": 1}\n{"t": 2, "u": 3}\n{"datastream": "t", "value": 4}'
    (part,) = take_apart([arrived(put_together([("k", None, lines)] * 900))], WHOLE_RANGE)
    times = [
        point.at_us
        for record in part.records
        for point in points_of(record, 7)
        if point.datastream == "t"
    ]
    assert len(set(times)) == 2700
    assert times == sorted(times)
    again = points_of(part.records[-1], 7)
    assert [point.at_us for point in again if point.datastream == "t"] == times[-3:]


def test_those_of_another_shard_are_left_out_and_the_others_stay_as_they_were() -> None:
    records = [("roof", None, b"a"), ("roof", str(ROOF + 1), b"b"), ("cellar", str(ROOF), b"c")]
    whole = arrived(put_together(records))
    (part,) = take_apart([whole], HashRange(0, ROOF))
    assert [(each.name, each.data) for each in part.records] == [
        ("s/100/0", b"a"),
        ("s/100/2", b"c"),
    ]
    assert part.skipped_count == 1
    (part,) = take_apart([whole], HashRange(ROOF + 2, WHOLE_RANGE.last))
    assert (part.records, part.skipped_count) == ([], 3)


def test_fields_may_come_in_any_order_and_unknown_ones_are_skipped() -> None:
    tag = field(4, field(1, b"name"))
    body = tag + field(3, b"old") + field(1, 5) + field(3, b"data") + field(1, 0) + b"\x4d1234"
    message = field(3, body) + field(9, 7) + b"\x5112345678" + field(1, b"k")
    assert [(each.key, each.data) for each in sub_records(sealed(message))] == [("k", b"data")]


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        pytest.param(field(3, field(3, b"x")), "no key or no data", id="no key"),
        pytest.param(field(3, field(1, 0)), "no key or no data", id="no data"),
        pytest.param(field(3, field(1, 0) + field(3, b"")), "key that is not there", id="key"),
        pytest.param(
            field(1, b"k") + field(3, field(1, 0) + field(2, 0) + field(3, b"")),
            "key that is not there", id="hash key",
        ),
        pytest.param(field(2, b"-1"), "hash key in it is no number", id="negative"),
        pytest.param(field(2, b"9" * 40), "hash key in it is no number", id="too long"),
        pytest.param(field(1, 5), "field 1 is no text", id="a number as a table"),
        pytest.param(field(3, field(1, b"x")), "field 1 of a record", id="a text as an index"),
        pytest.param(b"\x0b", "wire type 3", id="a group"),
        pytest.param(b"\x0a\x05abc", "it is cut off", id="a text that is cut off"),
        pytest.param(b"\xff" * 12, "has no end", id="a number without an end"),
        pytest.param(b"\xff" * 9 + b"\x7f", "has no end", id="a number beyond 64 bits"),
        pytest.param(
            field(1, b"k") * (SUB_RECORDS_MAX + 1), "more than 10,000 records or keys", id="keys"
        ),
        pytest.param(b"\x1a\x00" * (SUB_RECORDS_MAX + 1), "more than 10,000", id="records"),
    ],
)  # fmt: skip
def test_what_is_no_aggregated_record_is_refused_with_a_reason(message: bytes, reason: str) -> None:
    with pytest.raises(NotAggregated, match=reason):
        sub_records(sealed(message))
    (part,) = take_apart([arrived(sealed(message)), arrived(b"{}")], WHOLE_RANGE)
    assert [each.data for each in part.records] == [b"{}"]
    assert [each.data for each, _ in part.refused] == [sealed(message)]


def test_each_beginning_and_each_changed_byte_of_one_is_refused() -> None:
    for size in range(len(MAGIC), len(FROM_AWS)):
        with pytest.raises(NotAggregated, match="its checksum is another"):
            sub_records(FROM_AWS[:size])
    for place in range(len(MAGIC), len(FROM_AWS)):
        changed = bytearray(FROM_AWS)
        changed[place] ^= 1
        with pytest.raises(NotAggregated, match="its checksum is another"):
            sub_records(bytes(changed))
    with pytest.raises(NotAggregated, match="at most 10,485,760 are read"):
        sub_records(MAGIC + b"x" * AGGREGATED_BYTES_MAX)


def test_many_are_given_in_parts() -> None:
    whole = put_together([("k", None, b"{}")] * (PART_RECORDS - 1))
    plain = [arrived(b"{}", n) for n in range(PART_RECORDS * 2 + 1)]
    assert [len(part.records) for part in take_apart(plain, WHOLE_RANGE)] == [1000, 1000, 1]
    parts = list(take_apart([arrived(whole, n) for n in range(5)], WHOLE_RANGE))
    assert [len(part.records) for part in parts] == [1998, 1998, 999]
    assert not list(take_apart([], WHOLE_RANGE))


KEYS = st.text("aä温\U0001f321", max_size=12)  # of 1 to 4 bytes each
HASH_KEYS = st.none() | st.integers(0, WHOLE_RANGE.last).map(str)


@settings(max_examples=50)
@given(st.lists(st.tuples(KEYS, HASH_KEYS, st.binary(max_size=40)), max_size=12))
def test_what_is_put_together_comes_apart(records: list[tuple[str, str | None, bytes]]) -> None:
    found = sub_records(put_together(records))
    assert [(each.key, each.data) for each in found] == [(key, data) for key, _, data in records]
    assert all(
        text is None or each.hash_key == int(text)
        for each, (_, text, _) in zip(found, records, strict=True)
    )


@given(st.one_of(
    st.binary(max_size=120),
    st.lists(st.builds(
        field, st.integers(1, 4), st.integers(0, 2**64 - 1) | st.binary(max_size=20)
    ), max_size=8).map(b"".join),
    st.lists(st.builds(field, st.just(3), st.lists(st.builds(
        field, st.integers(1, 4), st.integers(0, 3) | st.binary(max_size=9)
    ), max_size=4).map(b"".join)), max_size=5).map(lambda found: field(1, b"k") + b"".join(found)),
))  # fmt: skip
def test_nothing_but_a_refusal_comes_of_garbage(message: bytes) -> None:
    try:
        found = sub_records(sealed(message))
    except NotAggregated:
        return
    assert all(0 <= each.hash_key <= 10**39 for each in found)
