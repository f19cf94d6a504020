"""A walk through a run has exactly the result of its rows one by one, in few steps."""

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thingtank.server.triggers import runs as runs_module
from thingtank.server.triggers import watches as watches_module
from thingtank.server.triggers.runs import Run
from thingtank.server.triggers.watches import Fault, Fired, Watches
from thingtank.tank.datapoints import Datapoint, DatapointColumns
from thingtank.tank.trigger_rules import FROZEN_US, Firing, step
from thingtank.tank.triggers import BOUND_KINDS, HOLD_KINDS, KINDS, Armed, Trigger

S = 1_000_000
NUMBERS = ["0", "1", "2", "3", "2.0"]
ARRIVALS = st.tuples(  # (seconds since the one before, time from the newest one on, value)
    st.sampled_from([[0, 0, 1, 1, 3, 7], [0, 0, 1, 60], [0, 0, 1, 3, 7, -2, -60]]),
    st.sampled_from([[1, 1, 1, 2, -3], [1], [1, 0, 0, 0], [1, 0, -1], [1, 1, 0, 0, -3]]),
    st.sampled_from(
        [NUMBERS, ["1", "3"], ["3", "3.0", "2"], [*NUMBERS, "-1e3", "on", "off", "nan"]]
    ),
).flatmap(
    lambda choices: st.lists(st.tuples(*map(st.sampled_from, choices)), min_size=2, max_size=25)
)
Runs = list[tuple[list[tuple[int, int, str]], int | None]]  # each with a new quiet time, or None
RUNS = st.lists(st.tuples(ARRIVALS, st.sampled_from([None, None, 1, 20])), max_size=4)


def trigger(kind: str, trigger_id: int = 1, **fields: Any) -> Trigger:
    fields.setdefault("armed", Armed(1, 0, None, None))
    return Trigger(trigger_id, 1, 1001, "t", kind, **fields)  # type: ignore[arg-type] # a trigger's fields


@st.composite
def triggers(draw: st.DrawFn) -> Trigger:
    kind = draw(st.sampled_from(KINDS))
    thresholds = ["2", "2.0", "on"] if kind == "eq" else ["2", "2.0", "1"]
    threshold, clear = draw(st.sampled_from(thresholds)), ""
    if kind in BOUND_KINDS and (gap := draw(st.sampled_from([None, None, 0, 1]))) is not None:
        clear = str(float(threshold) + (gap if kind in ("lt", "lte") else -gap))
    return trigger(
        kind,
        threshold=threshold,
        clear_value=clear,
        hold_s=draw(st.sampled_from([0, 0, 3, 30])) if kind in HOLD_KINDS else 0,
        quiet_s=draw(st.sampled_from([0, 1, 5, 20])),
        armed=Armed(1, 0, *draw(st.sampled_from([(None, None), (5, "2"), (5, "on")]))),
        notified_us=draw(st.sampled_from([None, None, 0, 25 * S, 33 * S])),
    )


def arrived(watches: Watches, run: Run, now_us: int) -> list[tuple[Trigger, Firing]]:
    fired: list[Fired] = []
    faults: dict[int, Fault] = {}
    list(watches.take_run(run, now_us, fired, faults))
    assert not faults
    return [(trigger, firing) for _, trigger, firing in fired]


def check_run(
    found: Trigger, runs: Runs, frozen_s: int = 900, frozen_from_s: int = 0, rows_walk_min: int = 1
) -> None:
    """Compare runs with their rows one by one, from second 30 on."""
    one, many = Watches(frozen_s * S, frozen_from_s * S), Watches(frozen_s * S, frozen_from_s * S)
    now_us = 30 * S
    newest = 0
    for arrivals, quiet_s in runs:
        if quiet_s is not None:
            found = msgspec.structs.replace(found, quiet_s=quiet_s)
        for watches in (one, many):
            watches.put(found, 7)
        run = Run()
        expected = []
        for seconds, more, value in arrivals:
            now_us = max(0, now_us + seconds * S)
            point = Datapoint(newest + more, value)
            newest = max(newest, point.at_us)
            run.add(DatapointColumns.of([(7, point)]), now_us, 0)
            row = Run()
            row.add(DatapointColumns.of([(7, point)]), now_us, 0)
            expected += arrived(one, row, now_us)
        with patch.object(runs_module, "ROWS_WALK_MIN", rows_walk_min):
            assert arrived(many, run, now_us) == expected
        assert many.state_of(1) == one.state_of(1)
        assert list(many.take_due(now_us, 100)) == list(one.take_due(now_us, 100))


@settings(max_examples=1000, deadline=None)
@given(
    triggers(),
    RUNS,
    st.sampled_from([900, 4, 2]),
    st.sampled_from([0, 20, 40]),
    st.sampled_from([1, 1, 1, 5]),
)
def test_a_run_has_the_result_of_its_rows_one_by_one(
    found: Trigger, runs: Runs, frozen_s: int, frozen_from_s: int, rows_walk_min: int
) -> None:
    check_run(found, runs, frozen_s, frozen_from_s, rows_walk_min)


ARMED_ABOVE = Armed(1, 0, 5, "2")
RARE: list[tuple[str, Trigger, Runs]] = [
    (
        "due before the quiet time, which was made longer meanwhile, ends",
        trigger("change"),
        [
            ([(0, 1, "1"), (0, 1, "3"), (1, 1, "1")], 5),
            ([(1, 1, "1"), (0, 1, "3"), (0, 1, "1")], 20),
        ],
    ),
    (
        "fired later than it is now",
        trigger("change", quiet_s=0, notified_us=33 * S),
        [([(1, 1, "1"), (0, 1, "3"), (1, 1, "0")], None)],
    ),
    (
        "to hold for longer than the quiet time",
        trigger("eq", threshold="2", hold_s=30, quiet_s=20, notified_us=25 * S),
        [([(8, 1, "1"), (1, 1, "2"), (1, 1, "2")], None)],
    ),
    (
        "begun within the quiet time, and not ended",
        trigger("gte", threshold="1", clear_value="0", quiet_s=20, notified_us=29 * S),
        [([(0, 1, "-1"), (1, 1, "1"), (1, 1, "0.5")], None)],
    ),
    (
        "crossed and came back after it was told",
        trigger("gt", threshold="2", quiet_s=20),
        [([(0, 1, "3"), (1, 1, "1"), (1, 1, "3")], None)],
    ),
    (
        "live again, and to be told when the quiet time ends",
        trigger("live", notified_us=29 * S),
        [([(0, 1, "3"), (0, 1, "2"), (60, 1, "on")], None)],
    ),
    (
        "above when armed, and that is written once more",
        trigger("gte", threshold="1", armed=ARMED_ABOVE),
        [([(0, 5, "2"), (1, 1, "2"), (1, 1, "2"), (1, 1, "2"), (1, 1, "0"), (0, 1, "0")], None)],
    ),
    (
        "due when a back-dated one comes",
        trigger("lte", threshold="2", hold_s=3),
        [([(0, 1, "1"), (3, -3, "0")], None)],
    ),
    (
        "due when the clock had been set back",
        trigger("gt", threshold="2", hold_s=3),
        [([(0, 1, "3"), (9, -1, "3"), (-9, 1, "3"), (0, 1, "0"), (1, 1, "0")], None)],
    ),
    (
        "written twice, with another value",
        trigger("gt", threshold="2"),
        [([(0, 1, "1"), (0, 1, "3"), (0, 0, "1"), (0, 0, "3"), (9, 0, "1")], None)],
    ),
    (
        "another one and the same again, all at one time",
        trigger("frozen"),
        [([(0, 1, "1"), (1, 0, "2"), (1, 0, "1"), (1, 0, "1")], None)],
    ),
    (
        "another text and the same again, all at one time",
        trigger("frozen"),
        [([(0, 1, "on"), (1, 0, "off"), (1, 0, "on"), (1, 0, "on")], None)],
    ),
    (
        "the same again in another spelling, at one time",
        trigger("live"),
        [([(0, 1, "3"), (1, 0, "3.0"), (1, 0, "3"), (899, 0, "3"), (1, 0, "3.0")], None)],
    ),
    (
        "written again at the time of the newest, which was there before",
        trigger("gte", threshold="1", armed=ARMED_ABOVE),
        [([(0, 5, "2"), (1, 0, "2"), (1, 0, "2.0"), (1, 0, "2"), (1, 1, "2")], None)],
    ),
    (
        "a clock that was set back twice",
        trigger("change", quiet_s=5),
        [([(0, 1, "1"), (3, 1, "2"), (-2, 1, "1"), (9, 1, "3"), (-9, 0, "2"), (7, 1, "2")], None)],
    ),
]


@pytest.mark.parametrize(
    ("found", "runs"), [case[1:] for case in RARE], ids=[case[0] for case in RARE]
)
def test_a_run_has_the_result_of_its_rows_where_it_is_rare(found: Trigger, runs: Runs) -> None:
    check_run(found, runs)


@pytest.mark.parametrize(
    ("found", "values", "steps_max"),
    [
        (trigger("gt", threshold="1000"), ["21"], 4),
        (trigger("gt", threshold="30", quiet_s=1), ["21", "31"], 10),
        (trigger("change", quiet_s=1), ["21", "31"], 10),
        (trigger("frozen"), ["21", "31", "on"], 5),
        (trigger("live"), ["21", "31", "on"], 5),
    ],
    ids=["never", "crossing", "change", "frozen", "live"],
)
@pytest.mark.parametrize(
    ("at_us", "is_set_back"),
    [
        (lambda batch, row: batch * 1000 + row, False),
        (lambda batch, row: batch * S, False),
        (lambda batch, row: (batch * 50 + row) // 7 * S, False),
        (lambda batch, row: 5 if batch < 3 else batch * 1000 + row, False),
        (lambda batch, row: batch // 2 * 1000 + row, False),
        (lambda batch, row: batch * 1000 + row // 2, False),
        (lambda batch, row: batch * 1000 + row, True),
    ],
    ids=[
        "plain",
        "a batch in one second",
        "whole seconds",
        "the newest's time",
        "each batch sent again",
        "each row written twice",
        "the clock set back",
    ],
)
def test_what_tells_nothing_is_not_looked_at(
    found: Trigger,
    values: list[str],
    steps_max: int,
    at_us: Callable[[int, int], int],
    is_set_back: bool,
) -> None:
    watches = Watches(FROZEN_US)
    watches.put(msgspec.structs.replace(found, armed=Armed(1, 0, 5, "21")), 7)
    run = Run()
    for batch in range(20):  # over a second
        columns = DatapointColumns()
        for row in range(50):
            columns.add(7, at_us(batch, row), values[at_us(0, row) % len(values)])
        now_us = S + batch * S // 19
        run.add(columns, now_us - S // 2 if is_set_back and batch > 10 else now_us, batch)
    with patch.object(watches_module, "step", wraps=step) as stepped:
        assert len(arrived(watches, run, 0)) <= 2
    assert stepped.call_count <= steps_max * (2 if is_set_back else 1)
