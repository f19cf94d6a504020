"""Many datapoints at once have exactly the result of one by one; timers do not pile up."""

from typing import Any
from unittest.mock import patch

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from thingtank.server.triggers import watches as watches_module
from thingtank.server.triggers.watches import Watches
from thingtank.tank.datapoints import Datapoint, DatapointColumns
from thingtank.tank.trigger_rules import FROZEN_US
from thingtank.tank.triggers import KINDS, Armed, Trigger

S = 1_000_000
VALUES = st.sampled_from(["0", "1", "2", "3", "4", "2.0", "on", "off", "nan", "-1e3"])
BATCHES = st.lists(
    st.tuples(
        st.sampled_from([0, 0, 1, 3, 4, 7, 1000]),  # seconds since the batch before
        st.lists(st.tuples(st.integers(0, 12), VALUES), max_size=12),  # (time, value)
    ),
    max_size=8,
)


def trigger(kind: str, **fields: Any) -> Trigger:
    fields.setdefault("armed", Armed(1, 0, None, None))
    return Trigger(1, 1, 1001, "t", kind, **fields)  # type: ignore[arg-type]


@settings(max_examples=500, deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    threshold=st.sampled_from(["2", "2.0", "on"]),
    clear_gap=st.sampled_from([None, 0, 1]),
    hold_s=st.sampled_from([0, 0, 3]),
    quiet_s=st.sampled_from([0, 1, 5]),
    initial=st.sampled_from([(None, None), (5, "2"), (5, "on")]),
    rows_many_min=st.sampled_from([0, 0, 5]),
    batches=BATCHES,
)
def test_many_at_once_is_the_same_as_one_by_one(
    kind: str,
    threshold: str,
    clear_gap: int | None,
    hold_s: int,
    quiet_s: int,
    initial: tuple[int | None, str | None],
    rows_many_min: int,
    batches: list[tuple[int, list[tuple[int, str]]]],
) -> None:
    clear = ""
    if kind != "eq":
        threshold = threshold if threshold != "on" else "1"
        if clear_gap is not None and kind in ("gt", "gte", "lt", "lte"):
            sign = -1 if kind in ("gt", "gte") else 1
            clear = str(float(threshold) + sign * clear_gap)
    found = trigger(
        kind, threshold=threshold, clear_value=clear, hold_s=hold_s, quiet_s=quiet_s,
        armed=Armed(1, 0, *initial),
    )  # fmt: skip
    one, many = Watches(FROZEN_US), Watches(FROZEN_US)
    for watches in (one, many):
        watches.put(found, 7)
    now_us = 0
    base = 0
    for seconds, points in batches:
        now_us += seconds * S
        base += 5  # so that batches overlap
        columns = DatapointColumns.of((7, Datapoint(base + at, value)) for at, value in points)
        expected = [
            fired for _, point in columns.rows() for fired in one.take_row(7, point, now_us, now_us)
        ]
        if not points:
            continue
        rows = np.arange(len(points))
        (watch,) = many.of_stream(7)
        with patch.object(watches_module, "_ROWS_MANY_MIN", rows_many_min):
            assert list(many.take_many(watch, columns, rows, now_us)) == expected
        assert many.state_of(1) == one.state_of(1)


def test_the_rows_of_a_large_batch_are_found_by_datastream_and_in_order() -> None:
    watches = Watches(FROZEN_US)
    for number in (3, 5):
        watches.put(trigger("gt", threshold="1"), number)
        watches.put(Trigger(number, 1, 1001, "t", "gt", "1"), number)
    columns = DatapointColumns.of(
        (stream_id, Datapoint(row, "1")) for row, stream_id in enumerate([5, 1, 3, 5, 9, 3])
    )
    found = {i: rows.tolist() for i, rows in watches.watched_rows_by_stream(columns)}
    assert found == {3: [2, 5], 5: [0, 3]}
    assert watches.watched_rows(columns) == [0, 2, 3, 5]
    watches.drop(3)
    watches.drop(5)
    watches.drop(1)
    assert list(watches.watched_rows_by_stream(columns)) == []
    assert not watches.watched_rows(columns)


def test_timers_do_not_pile_up() -> None:
    watches = Watches(FROZEN_US)
    watches.put(trigger("frozen"), 7)
    for second in range(5000):
        at_us = second * S
        assert list(watches.take_due(at_us, 100)) == []
        assert list(watches.take_row(7, Datapoint(at_us, "1"), at_us, at_us)) == []
    assert len(watches._timers) == 1
    for trigger_id in range(2, 5000):
        watches.put(Trigger(trigger_id, 1, 1001, "t", "frozen"), 8)
        watches.drop(trigger_id)
    assert len(watches._timers) < 2000
    fired = list(watches.take_due(10**15, 100))
    assert [firing.at_us for _, firing in fired] == [4999 * S + FROZEN_US]


def test_only_some_timers_fire_in_one_turn_and_the_oldest_first() -> None:
    watches = Watches(FROZEN_US)
    for trigger_id in range(1, 11):
        armed = Armed(1, (20 - trigger_id) * S)
        watches.put(Trigger(trigger_id, 1, 1001, "t", "frozen", armed=armed), trigger_id)
    assert [found.trigger_id for found, _ in watches.take_due(10**12, 4)] == [10, 9, 8, 7]
    assert [found.trigger_id for found, _ in watches.take_due(10**12, 99)] == [6, 5, 4, 3, 2, 1]
    assert watches.next_due_us is None


def test_what_changed_is_saved_once() -> None:
    watches = Watches(FROZEN_US)
    watches.put(trigger("gt", threshold="1"), 7)
    assert list(watches.take_changed()) == [1]
    assert not watches.has_changed
    list(watches.take_row(7, Datapoint(1, "1"), 1, 1))
    assert watches.has_changed
    states = watches.take_changed()
    watches.touch(states)
    assert watches.take_changed() == states
    watches.drop(1)
    watches.touch(states)
    assert watches.take_changed() == {}
