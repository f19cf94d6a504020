"""Many datapoints at once have exactly the result of one by one; timers do not pile up."""

from collections.abc import Sequence
from typing import Any
from unittest.mock import patch

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thingtank.server.triggers import runs as runs_module
from thingtank.server.triggers import watches as watches_module
from thingtank.server.triggers.runs import Run, in_runs
from thingtank.server.triggers.watches import Fired, Watches
from thingtank.stores.changes import Change, Extremes
from thingtank.stores.journal_readers import CommittedBatch
from thingtank.stores.rows import Deletion
from thingtank.tank.datapoints import Datapoint, DatapointColumns
from thingtank.tank.trigger_rules import FROZEN_US, step
from thingtank.tank.triggers import BOUND_KINDS, HOLD_KINDS, KINDS, Armed, Trigger

S = 1_000_000
NUMBERS = ["0", "1", "2", "3", "2.0"]
ARRIVALS = st.tuples(  # (seconds since the one before, time from the newest one on, value)
    st.sampled_from([[0, 0, 1, 1, 3, 7], [0, 0, 1, 60], [0, 0, 1, 3, 7, -2, -60]]),
    st.sampled_from([[1, 1, 1, 2, -3], [1], [1, 1, 1, 0, -3]]),
    st.sampled_from([NUMBERS, ["1", "3"], [*NUMBERS, "-1e3", "on", "off", "nan"]]),
).flatmap(
    lambda choices: st.lists(st.tuples(*map(st.sampled_from, choices)), min_size=2, max_size=25)
)
Runs = list[tuple[list[tuple[int, int, str]], int | None]]  # each with a new quiet time, or None
RUNS = st.lists(st.tuples(ARRIVALS, st.sampled_from([None, None, 1, 20])), max_size=4)


def trigger(kind: str, trigger_id: int = 1, **fields: Any) -> Trigger:
    fields.setdefault("armed", Armed(1, 0, None, None))
    return Trigger(trigger_id, 1, 1001, "t", kind, **fields)  # type: ignore[arg-type]


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
            run.add(DatapointColumns.of([(7, point)]), now_us)
            expected += one.take_row(7, point, now_us, now_us)
        fired: list[Fired] = []
        with patch.object(runs_module, "ROWS_WALK_MIN", rows_walk_min):
            list(many.take_run(run, now_us, fired))
        assert [(trigger, firing) for _, trigger, firing in fired] == expected
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
]


@pytest.mark.parametrize(
    ("found", "runs"), [case[1:] for case in RARE], ids=[case[0] for case in RARE]
)
def test_a_run_has_the_result_of_its_rows_where_it_is_rare(found: Trigger, runs: Runs) -> None:
    check_run(found, runs)


@pytest.mark.parametrize(
    ("found", "values", "steps_max"),
    [
        (trigger("gt", threshold="1000"), ["21"], 3),
        (trigger("gt", threshold="30", quiet_s=1), ["21", "31"], 8),
        (trigger("change", quiet_s=1), ["21", "31"], 8),
        (trigger("frozen"), ["21", "31", "on"], 4),
        (trigger("live"), ["21", "31", "on"], 4),
    ],
    ids=["never", "crossing", "change", "frozen", "live"],
)
def test_what_tells_nothing_is_not_looked_at(
    found: Trigger, values: list[str], steps_max: int
) -> None:
    watches = Watches(FROZEN_US)
    watches.put(found, 7)
    run = Run()
    for batch in range(20):  # over a second
        columns = DatapointColumns()
        for row in range(50):
            columns.add(7, batch * 1000 + row, values[row % len(values)])
        run.add(columns, S + batch * S // 19)
    with patch.object(watches_module, "step", wraps=step) as stepped:
        list(watches.take_run(run, 0, []))
    assert stepped.call_count <= steps_max


def test_the_rows_of_a_run_are_sorted_out_by_datastream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs_module, "ROWS_WALK_MIN", 2)
    run = Run()
    for start, stream_ids in ((0, [5, 1, 3, 5]), (4, []), (4, [9, 3, 4])):
        columns = DatapointColumns()
        for row, stream_id in enumerate(stream_ids, start):
            columns.add(stream_id, 100 + row, "on" if stream_id == 9 else str(row))
        run.add(columns, start)
    rows, streams = run.split({3, 5, 9})
    assert rows == [4]
    assert {i: arrivals.rows.tolist() for i, arrivals in streams} == {3: [2, 5], 5: [0, 3]}
    assert run.arrival(4) == (9, Datapoint(104, "on"), 4)
    assert run.arrival(3) == (5, Datapoint(103, "3"), 0)
    monkeypatch.setattr(runs_module, "ROWS_WALK_MIN", 8)
    rows, streams = run.split({3, 5, 9})
    assert (rows, list(streams)) == ([0, 2, 3, 4, 5], [])
    assert not run.split(set())[0]


def test_a_trigger_may_be_changed_and_dropped_while_a_run_is_looked_at() -> None:
    watches = Watches(FROZEN_US)
    watches.put(trigger("eq", threshold="on"), 7)
    watches.put(trigger("eq", 2, threshold="on"), 7)
    columns = DatapointColumns()
    for row in range(40):
        columns.add(7, row, "on" if row % 2 else "off")
    run = Run()
    run.add(columns, S)
    fired: list[Fired] = []
    work = watches.take_run(run, S, fired)
    while watches.state_of(1).at_us != 20:  # type: ignore[union-attr]
        next(work)
    changed = trigger("eq", threshold="off", armed=Armed(2, S, 24, "off"), quiet_s=0)
    watches.put(changed, 7)
    watches.drop(2)
    list(work)
    assert [(trigger.threshold, firing.value_at_us) for _, trigger, firing in fired] == [
        ("on", 1),
        *(("off", at_us) for at_us in range(26, 40, 2)),
    ]


def test_batches_come_together_where_that_changes_nothing_and_is_quicker() -> None:
    rows = DatapointColumns.of((7, Datapoint(row, "1")) for row in range(10))
    many = DatapointColumns.of((7, Datapoint(row, "1")) for row in range(15_000))

    def together(*changes: tuple[Sequence[Change], int | None]) -> list[list[int]]:
        batches = [CommittedBatch(seq, *change) for seq, change in enumerate(changes)]
        return [[batch.seq for batch in found] for found in in_runs(batches)]

    now, read_back = ([rows], S), ([rows], None)
    assert together() == []
    assert together(now) == [[0]]
    assert together(now, now, now) == [[0, 1, 2]]
    assert together(now, read_back, now, now) == [[0], [1], [2, 3]]
    assert together(now, now, ([Deletion([7], 0, 9)], S), now, now) == [[0, 1], [2], [3, 4]]
    assert together(now, ([Extremes(7, 1, 2)], S), now) == [[0, 1, 2]]
    assert together(([many], S), ([many], S), now) == [[0], [1, 2]]


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
