"""Triggers at work: from a write to what is recorded, through failures, changes and restarts."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Container, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import msgspec
import pytest
from structlog.testing import capture_logs
from tests.unit.server.triggers.trigger_bench import QUICK, START_US, Bench, S, until

from thingtank.server.triggers import engine as engine_module
from thingtank.server.triggers import watches as watches_module
from thingtank.server.triggers.runs import Run
from thingtank.tank.access import OPERATOR
from thingtank.tank.actions.datapoints import record_datapoints
from thingtank.tank.actions.datastreams import delete_datastream
from thingtank.tank.actions.devices import delete_device
from thingtank.tank.actions.triggers import delete_trigger, enable_trigger, update_trigger
from thingtank.tank.changes import DatastreamWrite
from thingtank.tank.datapoints import AT_US_MAX, AT_US_MIN, Datapoint
from thingtank.tank.errors import StorageFailed
from thingtank.tank.events import TriggerFired
from thingtank.tank.outbox import NewDelivery
from thingtank.tank.trigger_rules import Firing, TriggerState, started, step
from thingtank.tank.triggers import Trigger, TriggerChange


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    made = Bench(tmp_path)
    await made.start()
    yield made
    made.outbox.failure = None
    await made.stop()


async def test_each_crossing_is_recorded_once_and_announced_after(bench: Bench) -> None:
    trigger = await bench.make("gt", "20")
    with bench.tank.bus.listen(TriggerFired) as listener:
        await bench.write("19", "21", "22", "20", "25")
        await bench.seen()
        events = listener.take_all()
    assert bench.fired == [(trigger.trigger_id, "21"), (trigger.trigger_id, "25")]
    assert [event.firing.value for event in events if isinstance(event, TriggerFired)] == [
        "21",
        "25",
    ]
    assert bench.tank.triggers.get(trigger.trigger_id).notified_us == START_US + 50 * S
    state = bench.tank.trigger_service.state_of(trigger.trigger_id)
    assert state is not None
    assert state.is_active


async def test_one_write_is_looked_at_datapoint_by_datapoint(bench: Bench) -> None:
    trigger = await bench.make("gt", "20", quiet_s=1)
    other = await bench.make("change", name="u")
    start_us = bench.clock.us
    values = ["19", "21", "19", "23"] * 100
    write = DatastreamWrite("t", [start_us + i for i in range(400)], values)
    await record_datapoints(
        bench.tank, OPERATOR, 1001, [write, DatastreamWrite("u", (start_us,), ("a",))]
    )
    await bench.seen()
    assert bench.fired == [(trigger.trigger_id, "21")]  # the others were in quiet time
    bench.clock.pass_s(1)
    await bench.write("b", name="u", pause_s=0)
    await bench.seen()
    await until(lambda: len(bench.outbox.deliveries) == 3)
    assert sorted(bench.fired[1:]) == [(trigger.trigger_id, "23"), (other.trigger_id, "b")]


async def test_both_channels_get_the_same_document(bench: Bench) -> None:
    await bench.make("gt", "20", email="ann@example.org")
    await bench.write("21")
    await bench.seen()
    webhook, email = bench.outbox.deliveries
    assert (webhook.channel, webhook.target) == ("webhook", "http://hook.example/gt")
    assert (email.channel, email.target) == ("email", "ann@example.org")
    assert webhook.body == email.body


async def test_back_dated_and_unwatched_datapoints_fire_nothing(bench: Bench) -> None:
    await bench.make("gt", "20")
    await bench.write("5")
    await bench.write_at(bench.clock.us - S, "30")
    await bench.write("30", name="u")
    await bench.seen()
    assert bench.fired == []


async def test_while_nothing_watches_commits_are_nobodys_affair(bench: Bench) -> None:
    assert bench.archive._journal_readers.following == ()
    await bench.write("30")
    trigger = await bench.make("gt", "20")
    assert len(bench.archive._journal_readers.following) == 1
    await bench.write("31")
    await bench.seen()
    assert bench.fired == [(trigger.trigger_id, "31")]
    await delete_trigger(bench.tank, OPERATOR, trigger.trigger_id)
    assert bench.archive._journal_readers.following == ()
    await bench.write("1", "31")
    trigger = await bench.make("gt", "20")
    await bench.write("32")
    await bench.seen()
    assert bench.fired[1:] == [(trigger.trigger_id, "32")]


async def test_triggers_are_changed_while_they_work(bench: Bench) -> None:
    trigger = await bench.make("gt", "20")
    await bench.write("21")
    await bench.seen()
    await update_trigger(
        bench.tank, OPERATOR, trigger.trigger_id, TriggerChange(url="http://n.example/")
    )
    await bench.write("22")
    await bench.seen()
    assert len(bench.fired) == 1  # the same condition goes on
    await update_trigger(bench.tank, OPERATOR, trigger.trigger_id, TriggerChange(threshold="22"))
    await bench.write("21", "23")
    await bench.seen()
    assert bench.fired[1:] == [(trigger.trigger_id, "23")]
    assert bench.outbox.deliveries[-1].target == "http://n.example/"
    await enable_trigger(bench.tank, OPERATOR, trigger.trigger_id, False)
    await bench.write("1", "30")
    assert bench.engine.status().watched_count == 0
    await enable_trigger(bench.tank, OPERATOR, trigger.trigger_id)
    await bench.write("31")
    await bench.seen()
    assert bench.fired[2:] == [(trigger.trigger_id, "31")]


async def test_triggers_stop_with_their_datastream_and_device(bench: Bench) -> None:
    await bench.make("gt", "20")
    await bench.make("gt", "20", name="u")
    await bench.make("frozen")
    await delete_datastream(bench.tank, OPERATOR, 1001, "u")
    assert bench.engine.status().watched_count == 2
    await delete_device(bench.tank, OPERATOR, 1001)
    assert bench.engine.status().watched_count == 0
    bench.clock.pass_s(2000)
    await asyncio.sleep(0.05)
    assert bench.fired == []


async def test_a_suspended_accounts_triggers_tell_nobody(bench: Bench) -> None:
    await bench.make("gt", "20")
    suspended = msgspec.structs.replace(bench.alice, is_active=False)
    bench.directory._accounts[bench.alice.account_id] = suspended
    await bench.write("21")
    await bench.seen()
    assert bench.fired == []


async def test_timers_fire_without_a_write(bench: Bench) -> None:
    held = await bench.make("gt", "20", hold_s=30)
    frozen = await bench.make("frozen")
    await bench.write("21")
    await bench.seen()
    for seconds, count in [(29, 0), (1, 1), (869, 1), (1, 2)]:
        bench.clock.pass_s(seconds)
        bench.engine._wake.set()  # the clock of this test moves in leaps
        await until(lambda count=count: len(bench.fired) == count)  # type: ignore[misc] # bound here
    assert bench.fired == [(held.trigger_id, "21"), (frozen.trigger_id, "21")]
    assert [delivery.created_us for delivery in bench.outbox.deliveries] == [
        START_US + 40 * S, START_US + 910 * S,
    ]  # fmt: skip


async def test_deleted_datapoints_are_forgotten(bench: Bench) -> None:
    trigger = await bench.make("gt", "20")
    await bench.write("5")
    await bench.archive.delete([1], AT_US_MIN, AT_US_MAX + 1)
    await bench.write_at(bench.clock.us - 100 * S, "30")
    await bench.seen()
    assert bench.fired == [(trigger.trigger_id, "30")]


@pytest.mark.parametrize("is_crash", [True, False], ids=["crash", "stop"])
async def test_a_restart_goes_on_with_what_triggers_remember(
    tmp_path: Path, is_crash: bool
) -> None:
    bench = Bench(tmp_path)
    await bench.start()
    above = await bench.make("gt", "20")
    change = await bench.make("change")
    held = await bench.make("gte", "21", hold_s=60)
    frozen = await bench.make("frozen")
    await bench.write("19", "21")
    await bench.seen()
    if is_crash:
        bench.crash()
    else:
        await bench.stop()
    assert bench.fired == [(above.trigger_id, "21"), (change.trigger_id, "21")]
    bench.clock.pass_s(100)
    await bench.start()
    await until(lambda: len(bench.fired) == 3)
    assert bench.fired[2] == (held.trigger_id, "21")
    assert bench.tank.triggers.get(above.trigger_id).notified_us == START_US + 20 * S
    await bench.write("22")
    await bench.seen()
    assert bench.fired[3:] == [(change.trigger_id, "22")]
    bench.clock.pass_s(900)
    bench.engine._wake.set()
    await until(lambda: len(bench.fired) == 5)
    assert bench.fired[4] == (frozen.trigger_id, "22")
    await bench.stop()


async def test_what_was_acknowledged_before_a_crash_fires_after_it(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    await bench.start()
    trigger = await bench.make("gt", "20")
    change = await bench.make("change")
    bench.outbox.failure = StorageFailed("the disk is full")
    await bench.write("10", "21", "5", "30")
    bench.crash()
    assert bench.fired == []
    bench.outbox.failure = None
    await bench.start()
    await bench.seen()
    assert [value for i, value in bench.fired if i == trigger.trigger_id] == ["21", "30"]
    assert [value for i, value in bench.fired if i == change.trigger_id] == ["21", "5", "30"]
    await bench.stop()


async def test_a_silence_during_downtime_is_told_only_after_a_grace(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    await bench.start()
    frozen = await bench.make("frozen")
    silent = await bench.make("frozen", name="u")
    await bench.write("1")
    await bench.write("1", name="u")
    await bench.stop()
    bench.clock.pass_s(5000)
    await bench.start(msgspec.structs.replace(QUICK, frozen_grace_s=30))
    await bench.write("2", pause_s=29)
    await bench.seen()
    assert bench.fired == []
    bench.clock.pass_s(1)
    bench.engine._wake.set()
    await until(lambda: len(bench.fired) == 1)
    assert bench.fired == [(silent.trigger_id, "1")]
    state = bench.engine.state_of(frozen.trigger_id)
    assert state is not None
    assert state.due_us == bench.clock.us - S + 900 * S
    await bench.stop()


async def test_while_nothing_can_be_recorded_nothing_is_lost_and_it_is_told(bench: Bench) -> None:
    trigger = await bench.make("gt", "20", quiet_s=1)
    bench.outbox.failure = StorageFailed("the disk is full")
    with capture_logs() as logs, bench.tank.bus.listen(TriggerFired) as listener:
        await bench.write("21", "5", "22", "5")
        await until(lambda: bench.engine.status().failure is not None)
        await bench.write("23")
        assert bench.engine.status().failure == "the disk is full"
        assert listener.take_all() == []
        bench.outbox.failure = None
        await bench.seen()
        assert len(listener.take_all()) == 3
    assert bench.fired == [(trigger.trigger_id, value) for value in ("21", "22", "23")]
    assert bench.engine.status().failure is None
    events = [entry["event"] for entry in logs]
    assert events.count("trigger_engine_cannot_record") == 1
    assert events[-1] == "trigger_engine_records_again"


async def test_a_failure_that_lasts_for_days_ends_like_a_short_one(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "_RETRY_S_MAX", 0.01)
    trigger = await bench.make("gt", "20")
    bench.engine._failure_count = 100_000
    bench.outbox.failure = StorageFailed("the disk is full")
    await bench.write("21")
    await until(lambda: bench.engine._failure_count > 100_001)
    bench.outbox.failure = None
    await bench.seen()
    assert bench.fired == [(trigger.trigger_id, "21")]


async def test_timers_wait_for_what_was_committed_before_they_are_due(bench: Bench) -> None:
    await bench.make("gt", "20", hold_s=60)
    other = await bench.make("change", name="u")
    await bench.write("a", name="u")
    await bench.write("21")
    await bench.seen()
    bench.outbox.failure = StorageFailed("the disk is full")
    await bench.write("b", name="u", pause_s=1)  # fires; until it is recorded, nothing is looked at
    await until(lambda: bench.engine.status().failure is not None)
    await bench.write("5", pause_s=30)
    bench.clock.pass_s(100)
    bench.outbox.failure = None
    await bench.seen()
    assert bench.fired == [(other.trigger_id, "b")]


@contextlib.asynccontextmanager
async def all_in_one_turn(bench: Bench) -> AsyncIterator[None]:
    """What is written meanwhile waits: a firing cannot be recorded."""
    await bench.make("change", name="u", quiet_s=1)
    await bench.write("a", name="u")
    await bench.seen()
    bench.outbox.failure = StorageFailed("the disk is full")
    await bench.write("b", name="u")
    await until(lambda: bench.engine.status().failure is not None)
    yield
    bench.outbox.failure = None


async def test_writes_of_one_turn_have_the_result_of_each_at_its_own_instant(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [
        await bench.make("gt", "20", quiet_s=1),
        await bench.make("gt", "20", hold_s=3),
        await bench.make("change", quiet_s=5),
        await bench.make("eq", "on"),
        await bench.make("frozen"),
        await bench.make("live"),
    ]
    values = ["5", "21", "12", "30"] * 10 + ["25"] * 40 + ["5", "on", "21", "30"] * 10
    async with all_in_one_turn(bench):
        start_us = bench.clock.us
        for number, value in enumerate(values):
            await bench.write(value, pause_s=1000 if number == 100 else 0.1)
        stepped = Mock(wraps=step)
        monkeypatch.setattr(watches_module, "step", stepped)
    await bench.seen()
    expected: list[tuple[int, str | None]] = []
    for trigger in made:
        state, now_us = started(trigger), start_us
        for number, value in enumerate(values):
            now_us += 1000 * S if number == 100 else S // 10
            state, firings = step(trigger, state, now_us, Datapoint(now_us, value))
            expected += [(trigger.trigger_id, firing.value) for firing in firings]
        assert bench.engine.state_of(trigger.trigger_id) == state
    # Each trigger keeps its order; among several there is none.
    assert sorted(bench.fired[1:], key=itemgetter(0)) == expected
    assert {trigger_id for trigger_id, _ in bench.fired[1:]} == {i.trigger_id for i in made}
    assert stepped.call_count < len(values) * len(made) / 2


async def test_a_bug_in_one_turn_does_not_end_the_work(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bench.make("gt", "20")

    def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    with monkeypatch.context() as patch, capture_logs() as logs:
        patch.setattr(bench.engine._notices, "deliveries", broken)
        await bench.write("21")
        await until(lambda: bench.engine.status().failure == "a bug")
    assert "trigger_engine_broke" in [entry["event"] for entry in logs]
    await bench.write("5", "22")
    await until(lambda: len(bench.fired) == 1)


async def test_a_batch_that_a_trigger_cannot_look_at_is_skipped_and_no_other_with_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    trigger = await bench.make("gt", "20")
    other = await bench.make("change", name="u")
    await bench.write("a", name="u")
    await bench.seen()
    monkeypatch.setattr(watches_module, "step", broken_at("13"))
    bench.outbox.failure = StorageFailed("the disk is full")
    await bench.write("b", name="u")  # fires; until it is recorded, what follows waits
    await until(lambda: bench.engine.status().failure is not None)
    await bench.write("21", "5", "13", "22")
    with capture_logs() as logs:
        bench.outbox.failure = None
        await bench.seen()
        await until(lambda: bench.engine.status().failure == "a bug")
    assert bench.fired == [(other.trigger_id, "b"), (trigger.trigger_id, "21"), (trigger.trigger_id, "22")]  # fmt: skip
    assert bench.engine.status().missed_batch_count == 1
    events = [entry["event"] for entry in logs]
    assert (events.count("trigger_broke_off"), events.count("trigger_engine_broke")) == (1, 1)


async def test_a_fault_in_one_trigger_costs_no_other_anything(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await bench.make("gt", "20", quiet_s=1)
    broken = await bench.make("eq", "on", quiet_s=1)  # a text: it steps each row
    last = await bench.make("gt", "20", quiet_s=1)
    elsewhere = await bench.make("gt", "20", name="u", quiet_s=1)
    monkeypatch.setattr(watches_module, "step", broken_at("14", broken.trigger_id))
    values = ["on", *["21"] * 9, *["14"] * 20, "22", *["on"] * 10]
    with capture_logs() as logs:
        async with all_in_one_turn(bench):
            for value in values:
                await bench.write(value)
                await bench.write(value, name="u")
        await bench.seen()
        await until(lambda: bench.engine.status().failure == "a bug")
    await bench.write("21")
    await bench.seen()

    def told(trigger: Trigger) -> list[str]:
        return [value for trigger_id, value in bench.fired if trigger_id == trigger.trigger_id]

    assert told(first) == told(last) == ["21", "22", "21"]
    assert told(elsewhere) == ["21", "22"]
    assert told(broken) == ["on", "on"]  # the second one by the value there is, once
    state = bench.engine.state_of(broken.trigger_id)
    assert state is not None
    assert (state.value, state.fired_us) == ("21", bench.clock.us - 10 * S)
    # Those with values of its own datastream, from the first "14" on.
    assert bench.engine.status().missed_batch_count == 20 + 1 + 10
    assert bench.engine.status().seq == bench.archive._head.last_seq
    (broke_off,) = [entry for entry in logs if entry["event"] == "trigger_broke_off"]
    assert broke_off["trigger_id"] == broken.trigger_id


async def test_a_fault_outside_the_triggers_costs_all_of_them_that_run_and_no_other(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    trigger = await bench.make("gt", "20", quiet_s=1)
    split = Run.split

    def broken(run: Run, watched: Container[int]) -> Any:
        if len(run) == 30:
            raise RuntimeError("a bug")
        return split(run, watched)

    monkeypatch.setattr(Run, "split", broken)
    with capture_logs() as logs:
        async with all_in_one_turn(bench):
            await bench.write(*["21"] * 29, "5")
            await bench.archive.delete([1], AT_US_MIN, AT_US_MAX + 1)  # ends the run
            await bench.write(*["22"] * 31)
        await bench.seen()
        await until(lambda: bench.engine.status().failure == "a bug")
    assert bench.fired[-1:] == [(trigger.trigger_id, "22")]
    assert bench.engine.status().missed_batch_count == 30
    (skipped,) = [entry for entry in logs if entry["event"] == "trigger_batch_skipped"]
    assert skipped["batch_count"] == 30


async def test_a_stop_that_gave_up_does_not_wait_for_what_fired(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "_STEPS_A_TURN", 1)
    await bench.make("eq", "on", quiet_s=1)
    engine = bench.engine
    assert engine._task is not None

    def cancelled(trigger: Trigger, state: TriggerState, now_us: int, *rest: Any) -> Any:
        result = step(trigger, state, now_us, *rest)
        if result[1]:
            engine._task.cancel()  # type: ignore[union-attr] # it was started
        return result

    collected = Mock()
    async with all_in_one_turn(bench):
        await bench.write(*["off", "on"] * 20)
        monkeypatch.setattr(watches_module, "step", cancelled)
        monkeypatch.setattr(engine, "_collect", collected)
    with pytest.raises(asyncio.CancelledError):
        await engine._task
    collected.assert_not_called()
    engine._task = None


async def test_a_value_that_can_never_be_looked_at_is_left_behind(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    trigger = await bench.make("gt", "20")
    other = await bench.make("gt", "1", name="u")
    monkeypatch.setattr(watches_module, "step", broken_at("13"))
    await bench.write("13")  # stays the current value, from which it goes on after a gap
    await bench.seen()
    await bench.write("2", name="u")
    await bench.write("22")
    await bench.seen()
    assert bench.fired == [(other.trigger_id, "2"), (trigger.trigger_id, "22")]
    assert bench.engine.status().missed_batch_count == 1


async def test_a_firing_that_cannot_be_told_is_lost_alone(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = await bench.make("gt", "20"), await bench.make("gt", "20")
    deliveries = bench.engine._notices.deliveries

    def some(trigger: Trigger, *rest: Any) -> list[NewDelivery]:
        if trigger.trigger_id == first.trigger_id:
            raise RuntimeError("a bug")
        return deliveries(trigger, *rest)

    monkeypatch.setattr(bench.engine._notices, "deliveries", some)
    with capture_logs() as logs:
        await bench.write("21")
        await until(lambda: bench.engine.status().failure == "a bug")
    assert bench.fired == [(second.trigger_id, "21")]
    (lost,) = [entry for entry in logs if entry["event"] == "trigger_firing_lost"]
    assert lost["trigger_id"] == first.trigger_id
    assert bench.engine.status().missed_batch_count == 0


def broken_at(
    value: str, trigger_id: int | None = None
) -> Callable[..., tuple[TriggerState, Sequence[Firing]]]:
    """The rules of triggers, with a bug that one value meets, maybe in one trigger only."""

    def broken(
        trigger: Trigger, state: TriggerState, now_us: int, datapoint: Datapoint | None, *rest: Any
    ) -> tuple[TriggerState, Sequence[Firing]]:
        is_mine = trigger_id in (None, trigger.trigger_id)
        if is_mine and datapoint is not None and datapoint.value == value:
            raise RuntimeError("a bug")
        return step(trigger, state, now_us, datapoint, *rest)

    return broken


async def test_after_missed_batches_the_values_there_are_decide(bench: Bench) -> None:
    bench.archive._journal_readers.recent._bytes_max = 1
    trigger = await bench.make("gt", "20")
    bench.archive._journal_readers._bytes_max = 100
    bench.outbox.failure = StorageFailed("the disk is full")
    await bench.write("30")  # fires, and cannot be recorded: what follows waits
    await until(lambda: bool(bench.engine._deliveries))
    await bench.write(*["25"] * 30, "5", pause_s=1)
    await bench.archive.flush()
    await bench.archive._mover._trim()
    bench.outbox.failure = None
    await until(lambda: bench.engine.status().missed_batch_count > 0)
    await bench.seen()
    assert bench.fired == [(trigger.trigger_id, "30")]
    await bench.write("5", "26")
    await bench.seen()
    assert bench.fired[1:] == [(trigger.trigger_id, "26")]


@pytest.mark.parametrize(
    ("condition", "count", "values"),
    [
        (("eq", "on"), 1, ["off"] * 399 + ["on"]),  # a text: each row is looked at
        (("gt", "20"), 30, ["1"] * 9 + ["30"]),  # few rows, and many triggers at each
    ],
)
async def test_a_long_run_gives_others_their_turn(
    bench: Bench,
    monkeypatch: pytest.MonkeyPatch,
    condition: tuple[str, str],
    count: int,
    values: list[str],
) -> None:
    monkeypatch.setattr(engine_module, "_STEPS_A_TURN", 20)
    triggers = [await bench.make(*condition) for _ in range(count)]
    turns = 0
    turns_of_steps: list[int] = []

    async def count_turns() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    def counted(*given: Any) -> Any:
        turns_of_steps.append(turns)
        return step(*given)

    start_us = bench.clock.us
    write = DatastreamWrite("t", range(start_us, start_us + len(values)), values)
    counting = asyncio.create_task(count_turns())
    with monkeypatch.context() as patch:
        patch.setattr(watches_module, "step", counted)
        await record_datapoints(bench.tank, OPERATOR, 1001, [write])
        await bench.seen()
    counting.cancel()
    assert sorted(bench.fired) == [(trigger.trigger_id, values[-1]) for trigger in triggers]
    assert max(Counter(turns_of_steps).values()) <= 20 + count - 1  # those of one row together


async def test_a_place_is_recorded_although_nothing_fires(bench: Bench) -> None:
    await bench.make("gt", "20")
    await bench.write("1", name="u")
    await bench.seen()
    count = bench.outbox.record_count
    await asyncio.sleep(0.1)
    assert bench.outbox.record_count == count  # and only once
