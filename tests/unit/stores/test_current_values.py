"""Current values: newest time wins, of equal times the later write, in small and large batches."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thingtank.stores.changes import Extremes
from thingtank.stores.current_values import CurrentValues
from thingtank.stores.journal import SavedValue
from thingtank.stores.memory_archive import advanced
from thingtank.tank.datapoints import CurrentValue, Datapoint, DatapointColumns

STREAM_IDS = [0, 1, 2, 1023, 1024, 5000, 2**31 - 1, -1, -(2**31)]

written = st.tuples(
    st.sampled_from(STREAM_IDS),
    st.integers(-3, 3),
    st.sampled_from(["1", "-2.5", "on", "+4", "5.0", "nan", "", "1e3"]),
)


def expected_after(rows: list[tuple[int, int, str]]) -> dict[int, CurrentValue]:
    expected: dict[int, CurrentValue] = {}
    for stream_id, at_us, value in rows:
        before = expected.get(stream_id, CurrentValue(None, None))
        expected[stream_id] = advanced(before, Datapoint(at_us, value))
    return expected


def columns_of(rows: list[tuple[int, int, str]]) -> DatapointColumns:
    return DatapointColumns.of((i, Datapoint(at_us, value)) for i, at_us, value in rows)


@given(st.lists(st.lists(written, max_size=8), max_size=4))
def test_small_batches_leave_the_newest_of_each_datastream(
    batches: list[list[tuple[int, int, str]]],
) -> None:
    currents = CurrentValues()
    for batch in batches:
        currents.apply_rows(columns_of(batch))
    expected = expected_after([row for batch in batches for row in batch])
    assert {i: currents.get(i) for i in expected} == expected
    assert {value.stream_id for value in currents.take_touched()} == set(expected)


@given(st.lists(st.lists(written, min_size=100, max_size=130), max_size=3))
def test_large_batches_leave_the_newest_of_each_datastream(
    batches: list[list[tuple[int, int, str]]],
) -> None:
    currents = CurrentValues()
    for batch in batches:
        currents.apply_rows(columns_of(batch))
    expected = expected_after([row for batch in batches for row in batch])
    assert {i: currents.get(i) for i in expected} == expected


def test_many_datastreams_keep_their_values_while_the_columns_grow() -> None:
    currents = CurrentValues()
    order = list(range(0, 50_000, 7))
    random.Random(5).shuffle(order)
    for start in range(0, len(order), 100):
        currents.apply_rows(
            columns_of([(i, i, str(i) if i % 2 else f"+{i}") for i in order[start : start + 100]])
        )
    for i in order:
        assert currents.get(i) == CurrentValue(i, str(i) if i % 2 else f"+{i}", i, i)
    assert currents.get(1) is None


def test_value_goes_back_from_text_to_number() -> None:
    currents = CurrentValues()
    currents.apply_rows(columns_of([(1, 10, "on")]))
    currents.apply_rows(columns_of([(1, 20, "5")] * 80))
    assert currents.get(1) == CurrentValue(20, "5", 5, 5)


def test_saved_values_load_as_they_were_and_are_not_touched() -> None:
    currents = CurrentValues()
    currents.apply_rows(columns_of([(1, 10, "on"), (2, 11, "+5"), (3, 12, "2.5")]))
    currents.apply_extremes(Extremes(4, -1.0, None))
    saved = currents.take_touched()
    assert currents.take_touched() == []
    loaded = CurrentValues()
    loaded.load(saved)
    assert [loaded.get(i) for i in range(6)] == [currents.get(i) for i in range(6)]
    assert loaded.take_touched() == []


def test_extremes_change_one_by_one() -> None:
    currents = CurrentValues()
    currents.apply_extremes(Extremes(4, -1.0, None))
    currents.apply_extremes(Extremes(4, None, 7.0, leaves_minimum=True))
    assert currents.get(4) == CurrentValue(None, None, -1.0, 7.0)
    currents.apply_extremes(Extremes(4, None, 9.0, leaves_maximum=True))
    assert currents.get(4) == CurrentValue(None, None, None, 7.0)


def test_values_that_could_not_be_saved_are_taken_again() -> None:
    currents = CurrentValues()
    currents.apply_rows(columns_of([(1, 10, "1"), (2, 10, "2")]))
    taken = currents.take_touched()
    currents.touch(taken[1:])
    assert currents.take_touched() == [SavedValue(2, 10, "2", 2.0, 2.0)]


def test_replaced_value_keeps_its_extremes() -> None:
    currents = CurrentValues()
    currents.apply_rows(columns_of([(1, 10, "1"), (1, 20, "9")]))
    currents.replace(1, Datapoint(10, "1"))
    assert currents.get(1) == CurrentValue(10, "1", 1, 9)
    currents.replace(1, None)
    assert currents.get(1) == CurrentValue(None, None, 1, 9)
    assert currents.at_us(1) is None


def test_forgotten_datastream_is_saved_as_removed() -> None:
    currents = CurrentValues()
    currents.apply_rows(columns_of([(1, 10, "on")]))
    currents.forget(1)
    assert currents.get(1) is None
    assert currents.take_touched() == [SavedValue(1, None, None, None, None)]


@pytest.mark.parametrize("stream_id", STREAM_IDS)
def test_touched_values_carry_their_datastreams_number(stream_id: int) -> None:
    currents = CurrentValues()
    currents.apply_rows(columns_of([(stream_id, 10, "1")] * 70))
    assert [value.stream_id for value in currents.take_touched()] == [stream_id]
