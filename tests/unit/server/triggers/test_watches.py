"""Triggers that watch: changed at work, timers that do not pile up, faults that cost one."""

from typing import Any

import pytest

from thingtank.server.triggers import watches as watches_module
from thingtank.server.triggers.runs import Run
from thingtank.server.triggers.watches import Fault, Fired, Watches
from thingtank.tank.datapoints import Datapoint, DatapointColumns
from thingtank.tank.trigger_rules import FROZEN_US, TriggerState, step
from thingtank.tank.triggers import Armed, Trigger

S = 1_000_000


def trigger(kind: str, trigger_id: int = 1, **fields: Any) -> Trigger:
    fields.setdefault("armed", Armed(1, 0, None, None))
    return Trigger(trigger_id, 1, 1001, "t", kind, **fields)  # type: ignore[arg-type] # a trigger's fields


def arrived(watches: Watches, at_us: int, value: str) -> list[Fired]:
    run = Run()
    run.add(DatapointColumns.of([(7, Datapoint(at_us, value))]), at_us, 0)
    fired: list[Fired] = []
    faults: dict[int, Fault] = {}
    list(watches.take_run(run, at_us, fired, faults))
    assert not faults
    return fired


def test_a_trigger_may_be_changed_and_dropped_while_a_run_is_looked_at() -> None:
    watches = Watches(FROZEN_US)
    watches.put(trigger("eq", threshold="on"), 7)
    watches.put(trigger("eq", 2, threshold="on"), 7)
    columns = DatapointColumns()
    for row in range(40):
        columns.add(7, row, "on" if row % 2 else "off")
    run = Run()
    run.add(columns, S, 0)
    fired: list[Fired] = []
    faults: dict[int, Fault] = {}
    work = watches.take_run(run, S, fired, faults)
    while watches.state_of(1).at_us != 20:  # type: ignore[union-attr] # it watches
        next(work)
    changed = trigger("eq", threshold="off", armed=Armed(2, S, 24, "off"), quiet_s=0)
    watches.put(changed, 7)
    watches.drop(2)
    list(work)
    assert not faults
    assert [(trigger.threshold, firing.value_at_us) for _, trigger, firing in fired] == [
        ("on", 1),
        *(("off", at_us) for at_us in range(26, 40, 2)),
    ]


@pytest.mark.parametrize("rows_count", [10, 40], ids=["row by row", "walk"])
def test_a_fault_costs_one_trigger_the_rest_of_the_run_and_no_other_anything(
    monkeypatch: pytest.MonkeyPatch, rows_count: int
) -> None:
    watches = Watches(FROZEN_US)
    for trigger_id in (1, 2, 3):
        watches.put(trigger("eq", trigger_id, threshold="on", quiet_s=0), 7)
    broken: list[int] = []

    def broken_once(found: Trigger, state: TriggerState, *rest: Any) -> Any:
        if found.trigger_id == 2 and rest[1] is not None and rest[1].at_us == 3 and not broken:
            broken.append(found.trigger_id)
            raise RuntimeError("a bug")
        return step(found, state, *rest)

    monkeypatch.setattr(watches_module, "step", broken_once)
    columns = DatapointColumns()
    for row in range(rows_count):
        columns.add(7, row, "on" if row % 2 else "off")
    run = Run()
    run.add(columns, S, 0)
    run.add(columns, S - 1, 1)  # the clock was set back: it is not looked at anew either
    fired: list[Fired] = []
    faults: dict[int, Fault] = {}
    list(watches.take_run(run, S, fired, faults))
    told: dict[int, list[int | None]] = {1: [], 2: [], 3: []}
    for _, found, firing in fired:
        told[found.trigger_id].append(firing.value_at_us)
    assert told[1] == told[3] == list(range(1, rows_count, 2))
    assert told[2] == [1]
    assert [(i, fault.row, str(fault.error)) for i, fault in faults.items()] == [(2, 3, "a bug")]
    assert watches.state_of(2).at_us == 2  # type: ignore[union-attr] # it watches
    assert [found.trigger.trigger_id for found in arrived(watches, 99, "on")] == [2]


def test_timers_do_not_pile_up() -> None:
    watches = Watches(FROZEN_US)
    watches.put(trigger("frozen"), 7)
    for second in range(5000):
        at_us = second * S
        assert list(watches.take_due(at_us, 100)) == []
        assert arrived(watches, at_us, "1") == []
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
    arrived(watches, 1, "1")
    assert watches.has_changed
    states = watches.take_changed()
    watches.touch(states)
    assert watches.take_changed() == states
    watches.drop(1)
    watches.touch(states)
    assert watches.take_changed() == {}
