"""Rules at work: from a write to what arrives, through failures, restarts, crashes and changes."""

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from tests.unit.server.sinks import engine_for_tests, sink_bench
from tests.unit.server.sinks.sink_bench import Bench
from tests.unit.sinks.rules.fake_engine import FakeEngine
from tests.waiting import until

from thingtank.server.sinks import progress, runner, waiting_items
from thingtank.sinks.engine import BatchBounds, EngineFailed, Item, SendResult
from thingtank.stores.journal_readers import JournalReader
from thingtank.stores.sink_file import FILE_NAME, SinkFile, WaitingItem
from thingtank.tank.access import OPERATOR
from thingtank.tank.actions.datapoints import record_datapoints
from thingtank.tank.actions.devices import delete_device, update_device
from thingtank.tank.changes import DatastreamWrite, DeviceChange
from thingtank.tank.errors import Overloaded, StorageFailed
from thingtank.tank.failures import FailureKind

GONE = EngineFailed.of(FailureKind.UNREACHABLE, "Nobody is there")
NOT_ALLOWED = EngineFailed.of(FailureKind.NOT_ALLOWED, "You may not", "Ask somebody.")
WRONG = EngineFailed.of(FailureKind.REFUSED, "That is no value")


def refusing(*values: str) -> FakeEngine:
    """An engine that refuses some values for ever, until its `answers` are cleared."""

    def refuse(items: Sequence[Item]) -> SendResult:
        return SendResult(refused={n: "no" for n, it in enumerate(items) if it.value in values})

    return FakeEngine(*[refuse] * 100)


def change(path: Path, statement: str) -> list[object]:
    """Run a statement on a file that nobody has open."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as file:
        return file.execute(statement).fetchall()


async def test_what_is_written_arrives_in_order_with_all_that_names_it(bench: Bench) -> None:
    await bench.start(bench.rule())
    await bench.write("21.50", "on")
    await bench.write("3", name="u", feed_id=1002)
    await bench.settled()
    first, second, third = bench.engine.delivered
    device = bench.directory.get_device(1001)
    assert (first.device_id, first.uuid, first.datastream) == (1001, device.uuid, "t")
    assert (first.value, first.number) == ("21.50", 21.5)
    assert (second.value, second.number) == ("on", None)
    assert (third.device_id, third.datastream, third.value) == (1002, "u", "3")
    assert second.at_us == first.at_us + 1_000_000
    assert len({item.item_id for item in bench.engine.delivered}) == 3
    status = bench.status()
    assert (status.state, status.delivered_count, status.behind_s) == ("waiting", 3, 0)
    assert status.per_minute == 3
    assert status.where == "a list in memory"


@pytest.mark.parametrize(
    ("members", "expected", "what"),
    [
        ({}, "abcdef", "all feeds"),
        ({"feeds": [1002]}, "cd", "feed 1002"),
        ({"feeds": [1001, 1002, 77]}, "abcd", "feeds 1001, 1002, 77"),
        ({"tag": "Outdoor"}, "abef", "all feeds with the tag Outdoor"),
        ({"datastreams": ["u"]}, "bdf", "all feeds: u"),
        ({"datastreams": ["t*"]}, "ace", "all feeds: t*"),
        ({"feeds": [1001], "tag": "indoor"}, "", "feed 1001 with the tag indoor"),
    ],
)
async def test_a_rule_takes_what_it_names(
    bench: Bench, members: dict[str, object], expected: str, what: str
) -> None:
    await bench.start(bench.rule(**members))
    feed_id = await bench.make_device(("outdoor",))  # made while the rule is at work
    values = iter("abcdef")
    for each in (1001, 1002, feed_id):
        for name in "tu":
            await bench.write(next(values), name=name, feed_id=each)
    await bench.settled()
    assert "".join(bench.values) == expected
    assert bench.status().what == what


async def test_devices_come_and_go_while_a_rule_is_at_work(bench: Bench) -> None:
    await bench.start(bench.rule(tag="outdoor"))
    await bench.write("1", name="new")  # a datastream that this write makes
    await update_device(bench.tank, OPERATOR, 1001, DeviceChange(tags=()))
    await bench.write("2")
    await update_device(bench.tank, OPERATOR, 1002, DeviceChange(tags=("outdoor",)))
    await bench.write("3", feed_id=1002)
    await bench.settled()
    assert bench.values[0] == "1"
    assert bench.values[-1] == "3"
    await bench.write("4", feed_id=1002)
    await delete_device(bench.tank, OPERATOR, 1002)
    await bench.settled()
    assert bench.values[-1] == "4"
    selection = bench.sinks._runners["r"].selection
    await until(lambda: not selection.streams)


@pytest.mark.parametrize("is_killed", [False, True], ids=["stopped", "killed"])
async def test_what_a_deleted_device_wrote_is_sent_after_a_restart_too(
    bench: Bench, is_killed: bool
) -> None:
    rules = [bench.rule(), bench.rule("t", datastreams=["t"])]
    await bench.start(*rules)
    for name in "rt":
        await bench.sinks.pause(name, True)
    await bench.write("1", feed_id=1002)
    await bench.write("2", name="u", feed_id=1002)
    await delete_device(bench.tank, OPERATOR, 1002)
    store = bench.sinks._store
    assert store is not None

    async def are_kept() -> bool:
        return all(
            [await store.run(lambda file, name=name: file.gone_streams(name)) for name in "rt"]
        )

    if is_killed:
        await until(are_kept)
        await bench.crash()
        await bench.start(*rules)
    else:
        await bench.restart(*rules)
    for name in "rt":
        await bench.sinks.pause(name, False)
    await bench.settled()
    await bench.settled("t")
    assert sorted(bench.values) == ["1", "1", "2"]

    def has_gone() -> bool:
        return any(runner.selection.gone() for runner in bench.sinks._runners.values())

    await until(lambda: not has_gone())
    await bench.restart(*rules)
    assert not has_gone()


async def test_a_sink_that_is_away_costs_nothing_but_lag(bench: Bench) -> None:
    bench.engine.open_answers.extend([GONE] * 3)
    bench.engine.answers.extend([GONE, GONE])
    await bench.start(bench.rule())
    await bench.write("1", "2", "3")
    await until(lambda: bench.status().failures)
    failing = bench.status()
    assert failing.trouble is not None
    assert "Nobody is there" in failing.trouble.what
    await bench.settled()
    assert bench.values == ["1", "2", "3"]
    assert bench.status().trouble is None
    assert bench.status().failures == {"unreachable": 5}


async def test_what_needs_a_person_waits_for_one(bench: Bench) -> None:
    bench.engine.answers.append(NOT_ALLOWED)
    await bench.start(bench.rule(), retry_s_max=1000.0)
    await bench.write("1")
    await until(lambda: bench.status().trouble)
    status = bench.status()
    assert status.state == "stuck"
    assert status.trouble is not None
    assert status.trouble.kind == "not_allowed"
    assert status.trouble.what.endswith("Ask somebody.")
    assert bench.values == []
    bench.sinks.hurry("r")
    await bench.settled()
    assert bench.values == ["1"]


async def test_what_fails_in_part_is_told_as_what_it_is(bench: Bench) -> None:
    bench.engine.answers.append(
        lambda _: SendResult({1: "x"}, failure=NOT_ALLOWED.failure)  # the first one has arrived
    )
    bench.engine.answers.extend([NOT_ALLOWED] * 1000)
    await bench.start(bench.rule())
    await bench.sinks.pause("r", True)
    await bench.write("1", "2")
    await bench.sinks.pause("r", False)
    await until(lambda: bench.values == ["1"])
    await until(lambda: bench.status().state == "stuck")
    bench.engine.answers.clear()
    bench.sinks.hurry("r")
    await bench.settled()
    assert bench.values == ["1", "2"]
    assert "throttled" not in bench.status().failures


async def test_a_fault_of_ours_is_told_and_loses_nothing(bench: Bench) -> None:
    bench.engine.answers.extend([ZeroDivisionError("boo"), ZeroDivisionError("boo")])
    await bench.start(bench.rule())
    await bench.write("1", "2")
    await bench.settled()
    assert bench.values == ["1", "2"]
    assert bench.status().failures["unknown"] == 2


async def test_after_a_clean_restart_nothing_comes_twice(bench: Bench) -> None:
    await bench.start(bench.rule())
    await bench.write("1", "2")
    await bench.settled()
    await bench.restart(bench.rule())
    await bench.write("3")
    await bench.settled()
    assert bench.values == ["1", "2", "3"]


async def test_a_stop_in_the_middle_of_a_large_write_sends_none_of_it_twice(bench: Bench) -> None:
    await bench.start(bench.rule())
    await bench.write_many(400)  # 40 calls
    await until(lambda: bench.engine.calls)
    await bench.restart(bench.rule())
    await bench.settled()
    assert bench.values == [str(n) for n in range(400)]


async def test_after_a_crash_what_was_not_settled_comes_again_with_the_same_ids(
    bench: Bench,
) -> None:
    await bench.start(bench.rule())
    await bench.archive.read_journal("another", 0, lambda: None)  # so that nothing is trimmed
    await bench.write("1", "2", "3")
    await until(lambda: len(bench.values) == 3)
    await bench.crash()
    ids = {item.value: item.item_id for item in bench.engine.delivered}
    change(bench.folder / FILE_NAME, "DELETE FROM place")
    change(bench.folder / "journal.sqlite3", "UPDATE reader SET seq = 0")
    await bench.start(bench.rule())
    await bench.write("4")
    await bench.settled()
    assert bench.values[3:] == ["1", "2", "3", "4"]
    assert {item.value: item.item_id for item in bench.engine.delivered[3:6]} == ids


async def test_what_was_written_while_no_server_read_it_arrives_after_a_restart(
    bench: Bench,
) -> None:
    bench.engine.open_answers.extend([GONE] * 1000)
    await bench.start(bench.rule())
    await bench.write("1", "2")
    await until(lambda: bench.status().failures)
    await bench.restart(bench.rule(), retry_s_max=1000.0)
    await until(lambda: bench.status().failures)
    assert bench.status().behind_count >= 2
    bench.engine.open_answers.clear()
    bench.sinks.hurry("r")
    await bench.settled()
    assert bench.values == ["1", "2"]


async def test_refused_items_become_dead_letters_and_are_sent_again_on_demand(
    bench: Bench,
) -> None:
    bench.engine = engine_for_tests.made[bench.key] = refusing("bad", "worse")
    await bench.start(bench.rule())
    await bench.write("1", "bad", "2", "worse")
    await bench.settled()
    assert bench.values == ["1", "2"]
    worse, bad = await bench.sinks.letters("r", 10)
    assert (bad.value, bad.reason, bad.device_id, bad.datastream) == ("bad", "no", 1001, "t")
    assert bench.status().letter_count == 2
    assert [x.value for x in await bench.sinks.letters("r", 10, worse.letter_id)] == ["bad"]
    await bench.restart(bench.rule())  # they outlive a restart
    # Once more refused: it stays the same letter.
    await bench.sinks.retry("r", [bad.letter_id])
    await until(lambda: bench.status().dead_count)
    await until(lambda: not bench.status().is_retrying_letters)
    assert [x.letter_id for x in await bench.sinks.letters("r", 10)] == [
        worse.letter_id,
        bad.letter_id,
    ]
    bench.engine.answers.clear()
    await bench.sinks.retry("r", None)
    await until(lambda: bench.status().letter_count == 0)
    assert sorted(bench.values[2:]) == ["bad", "worse"]


def throttling(feed_id: int) -> FakeEngine:
    """An engine that takes nothing of a device, until its `answers` are cleared."""

    def throttle(items: Sequence[Item]) -> SendResult:
        return SendResult({n: "slowly" for n, it in enumerate(items) if it.device_id == feed_id})

    return FakeEngine(*[throttle] * 1000)


async def test_a_device_that_is_throttled_holds_up_no_other(bench: Bench) -> None:
    bench.engine = engine_for_tests.made[bench.key] = throttling(1001)
    await bench.start(bench.rule(), retry_s_max=1000.0)
    await bench.write("a", "b")
    await until(lambda: bench.engine.calls)
    await bench.write(*"12345", feed_id=1002)
    await until(lambda: bench.values == [*"12345"])
    status = bench.status()
    assert (status.state, status.behind_count >= 6) == ("failing", True)
    assert status.behind_s > 0
    bench.engine.answers.clear()
    bench.sinks.hurry("r")
    await bench.settled()
    assert bench.values == [*"12345", "a", "b"]
    assert bench.status().trouble is None


async def test_after_a_stop_what_was_held_comes_first_and_the_rest_not_twice(bench: Bench) -> None:
    bench.engine = engine_for_tests.made[bench.key] = throttling(1001)
    await bench.start(bench.rule(), retry_s_max=1000.0)
    await bench.write("a")
    await bench.write(*"123", feed_id=1002)
    await until(lambda: bench.values == [*"123"])
    await bench.write("b")
    await bench.restart(bench.rule(), retry_s_max=1000.0)  # held once more
    await until(lambda: bench.status().failures)
    assert bench.status().state == "failing"
    assert bench.status().behind_count >= 1
    await bench.write("c")
    bench.engine.answers.clear()
    await bench.restart(bench.rule())
    await bench.settled()
    assert bench.values == [*"123abc"]
    await bench.restart(bench.rule())
    await bench.write("d")
    await bench.settled()
    assert bench.values == [*"123abcd"]


async def test_what_is_held_for_long_is_written_down_and_holds_the_journal_no_more(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "KEEP_AFTER_S", 0.0)
    monkeypatch.setattr(progress, "SAVE_INTERVAL_S", 0.0)
    bench.engine = engine_for_tests.made[bench.key] = throttling(1001)
    await bench.start(bench.rule(), retry_s_max=1000.0)
    await bench.archive.read_journal("another", 0, lambda: None)  # so that nothing is trimmed
    await bench.write("a")
    await bench.write(*"123", feed_id=1002)
    await until(lambda: bench.values == [*"123"])
    progress_ = bench.sinks._runners["r"]._progress
    # In memory alone it does not count: after a crash all of them would come once more.
    await until(lambda: progress_.place.seq >= 4 and progress_.is_saved)
    assert bench.status().behind_count == 1
    assert bench.status().behind_s > 0
    await bench.crash()
    bench.engine.answers.clear()
    await bench.start(bench.rule())
    await bench.settled()
    assert bench.values == [*"123a"]


@pytest.mark.parametrize("why", ["paused", "full"])
async def test_a_rule_that_stands_still_writes_down_what_it_holds(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    monkeypatch.setattr(progress, "KEEP_AFTER_S", 0.5)

    def throttle(items: Sequence[Item]) -> SendResult:
        refused = {n: "no" for n, each in enumerate(items) if each.value == "bad"}
        return SendResult({n: "slowly" for n in range(len(items)) if n not in refused}, refused)

    bench.engine.answers.extend([throttle] * 1000)
    await bench.start(bench.rule(), retry_s_max=1000.0, dead_letters_max=1)
    await bench.write("a")
    await until(lambda: bench.status().failures)
    if why == "paused":
        await bench.sinks.pause("r", is_paused=True)
    else:
        await bench.write("bad", feed_id=1002)
    await until(lambda: bench.status().state == why)
    store = bench.sinks._store
    assert store is not None
    assert await store.run(lambda file: file.held("r")) == []
    await until(lambda: store.run(lambda file: file.held("r")))


@pytest.mark.parametrize("calls_count", [3, 20, 40])
async def test_the_rest_of_a_commit_that_is_sent_by_half_is_read_from_the_journal_again(
    bench: Bench, calls_count: int
) -> None:
    def deliver(_: Sequence[Item]) -> SendResult:
        return SendResult()

    bench.engine.answers.extend([*[deliver] * calls_count, *[GONE] * 100])
    await bench.start(bench.rule())
    await bench.write("0", "1", feed_id=1002)
    await until(lambda: len(bench.values) == 2)
    numbers = [str(n) for n in range(250)]
    times = range(sink_bench.NOW_US, sink_bench.NOW_US + 250)
    writes = [DatastreamWrite(name, times, numbers) for name in "tu"]
    await record_datapoints(bench.tank, OPERATOR, 1001, writes)
    await until(lambda: len(bench.engine.answers) < 100)
    await bench.stop()
    (held,) = change(bench.folder / FILE_NAME, "SELECT count(*) FROM held")
    assert held == (bench.engine.bounds.items_max,)  # the call that failed
    bench.engine.answers.clear()
    await bench.start(bench.rule())
    await bench.settled()
    assert bench.values == ["0", "1", *numbers, *numbers]


async def test_a_dead_letter_that_the_disk_does_not_take_comes_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise StorageFailed("no room on the disk")

    bench.engine = engine_for_tests.made[bench.key] = refusing("bad")
    await bench.start(bench.rule(), retry_s_max=1000.0)
    with monkeypatch.context() as patched:
        patched.setattr(SinkFile, "add_letters", fail)
        await bench.write("bad")
        await until(lambda: "unknown" in bench.status().failures)
        await bench.sinks.stop()
    await bench.archive.close()
    await bench.start(bench.rule())
    await bench.settled()
    assert [letter.value for letter in await bench.sinks.letters("r", 10)] == ["bad"]


async def test_a_rule_with_too_many_dead_letters_stops_until_there_is_room(bench: Bench) -> None:
    bench.engine = engine_for_tests.made[bench.key] = refusing("a", "b", "c")
    await bench.start(bench.rule(), dead_letters_max=2)
    await bench.write("a", "b")
    await until(lambda: bench.status().state == "full")
    await bench.write("c", "d")
    assert bench.values == []
    await bench.sinks.discard("r", None)
    await bench.settled()
    assert bench.values == ["d"]
    assert [letter.value for letter in await bench.sinks.letters("r", 10)] == ["c"]


async def test_a_full_rule_sends_its_dead_letters_again(bench: Bench) -> None:
    bench.engine = engine_for_tests.made[bench.key] = refusing("a", "b")
    bench.engine.bounds = BatchBounds(1, 1000)
    await bench.start(bench.rule(), dead_letters_max=2)
    await bench.sinks.pause("r", True)
    await bench.write("a", "b", "c")  # it is full in the middle of a turn
    await bench.sinks.pause("r", False)
    await until(lambda: bench.status().state == "full")
    await bench.sinks.retry("r", None)
    await until(lambda: bench.status().dead_count == 4)  # refused again, and still full
    await until(lambda: not bench.status().is_retrying_letters)
    assert bench.status().state == "full"
    bench.engine.answers.clear()
    await bench.sinks.retry("r", None)
    await bench.settled()
    assert bench.values == ["a", "b", "c"]
    assert bench.status().letter_count == 0


async def test_a_dead_letter_that_is_asked_for_again_while_it_is_refused_stays(
    bench: Bench,
) -> None:
    sending, leave = threading.Event(), threading.Event()

    def wait(items: Sequence[Item]) -> SendResult:
        sending.set()
        leave.wait(20)
        return SendResult()

    refuse = [lambda _: SendResult(refused={0: "no"})]
    bench.engine = engine_for_tests.made[bench.key] = FakeEngine(*refuse * 3, wait, *refuse)
    bench.engine.bounds = BatchBounds(1, 1000)
    await bench.start(bench.rule())
    await bench.write("a", "b")
    await until(lambda: bench.status().letter_count == 2)
    await bench.sinks.retry("r", None)  # `a` is refused once more, while `b` waits
    await until(sending.is_set)
    (_, a) = await bench.sinks.letters("r", 10)
    await bench.sinks.retry("r", [a.letter_id])
    leave.set()
    await until(lambda: bench.status().dead_count == 4)
    await until(lambda: not bench.status().is_retrying_letters)
    assert [letter.value for letter in await bench.sinks.letters("r", 10)] == ["a"]
    assert bench.values == ["b"]


async def test_what_waits_already_is_not_waited_for_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "_TURN_ROWS", 10)
    await bench.start(bench.rule(gather_s=500))
    await bench.sinks.pause("r", True)
    await bench.write(*map(str, range(35)))
    await bench.sinks.pause("r", False)

    def is_hurried() -> bool:
        bench.sinks.hurry("r")
        return bool(bench.values)

    await until(is_hurried)
    await bench.settled()
    assert bench.values == [str(n) for n in range(35)]


async def test_a_rule_that_does_not_say_how_long_it_gathers_does_as_its_engine_does(
    bench: Bench,
) -> None:
    bench.engine.gather_s = 500
    await bench.start(bench.rule(gather_s=None))
    await bench.write("1")
    reader = bench.sinks._runners["r"]._reader
    await until(lambda: reader.has_batches)  # type: ignore[union-attr] # it is there, but for tests
    assert bench.values == []
    seq = reader.published_seq  # type: ignore[union-attr] # as above
    await bench.write("2")
    await until(lambda: reader.published_seq > seq)  # type: ignore[union-attr] # as above
    bench.sinks.hurry("r")
    await until(lambda: bench.values == ["1", "2"])
    assert len(bench.engine.calls) == 1


async def test_who_asks_for_haste_before_the_rule_begins_to_gather_is_heard(bench: Bench) -> None:
    bench.engine.gather_s = 500
    await bench.start(bench.rule(gather_s=None))
    bench.sinks.hurry("r")
    await bench.write("1")
    await until(lambda: bench.values == ["1"])


async def test_a_turn_is_bounded_in_bytes(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "_TURN_BYTES", 1)
    await bench.start(bench.rule())
    await bench.sinks.pause("r", True)
    await bench.write("1", "2", "3")
    await bench.sinks.pause("r", False)
    await bench.settled()
    assert [len(call) for call in bench.engine.calls] == [1, 1, 1]


async def test_a_paused_rule_keeps_its_place_over_restarts(bench: Bench) -> None:
    await bench.start(bench.rule())
    await bench.sinks.pause("r", True)
    await bench.write("1")
    await bench.restart(bench.rule())
    await bench.write("2")
    assert bench.status().state == "paused"
    assert bench.engine.calls == []
    await bench.sinks.pause("r", False)
    await bench.settled()
    assert bench.values == ["1", "2"]


async def test_rules_are_made_and_ended_while_the_server_runs_and_outlive_restarts(
    bench: Bench,
) -> None:
    await bench.start()
    assert not (bench.folder / FILE_NAME).exists()
    await bench.write("before")
    rule = bench.asked("made")
    assert await bench.sinks.add(rule) == []
    assert await bench.sinks.add(rule) == ["There is a rule made already"]
    assert "`engine` must be one of" in (await bench.sinks.add({"name": "x", "to": {}}))[0]
    assert "no setting `colour`" in (await bench.sinks.add({**rule, "colour": 1}))[0]
    await bench.write("1")
    await bench.settled("made")
    await bench.restart()
    await bench.write("2")
    await bench.settled("made")
    assert bench.values == ["1", "2"]
    await bench.sinks.delete("made")
    assert bench.engine.is_closed
    assert bench.sinks.statuses() == []
    await bench.restart()
    assert bench.sinks.statuses() == []
    await bench.stop()
    assert change(bench.folder / "journal.sqlite3", "SELECT name FROM reader") == []
    await bench.start()


async def test_a_made_rule_takes_a_datastream_that_is_made_meanwhile(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bench.start()
    read_journal = bench.archive.read_journal

    async def read(name: str, place_seq: int, wake: Callable[[], None]) -> JournalReader:
        reader = await read_journal(name, place_seq, wake)
        await bench.write("1", name="new")
        return reader

    monkeypatch.setattr(bench.archive, "read_journal", read)
    assert await bench.sinks.add(bench.asked("made")) == []
    await bench.write("2", name="new")
    await bench.settled("made")
    assert bench.values == ["1", "2"]


@pytest.mark.parametrize("what", ["reader", "rule"])
async def test_a_rule_that_cannot_be_kept_is_none_and_can_be_made_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    def fail(*_: object) -> None:
        raise StorageFailed("no room on the disk")

    await bench.start()
    with monkeypatch.context() as patched:
        if what == "reader":
            patched.setattr(bench.archive._journal_readers._journal, "save_places", fail)
        else:
            patched.setattr(SinkFile, "save_rule", fail)
        with pytest.raises(StorageFailed, match="no room"):
            await bench.sinks.add(bench.asked("made"))
    assert bench.sinks.statuses() == []
    await bench.restart()
    assert bench.sinks.statuses() == []
    assert await bench.sinks.add(bench.asked("made")) == []
    await bench.write("1")
    await bench.settled("made")
    assert bench.values == ["1"]


async def test_a_rule_that_comes_back_to_the_settings_begins_afresh(bench: Bench) -> None:
    await bench.start(bench.rule())
    await bench.write("1")
    await bench.settled()
    await bench.sinks.pause("r", True)
    await bench.restart()
    await bench.write("2")
    await bench.restart(bench.rule())
    await bench.write("3")
    await bench.settled()
    assert bench.values == ["1", "3"]
    assert bench.status().state == "waiting"


@pytest.mark.parametrize(("before", "after"), [("values", "messages"), ("messages", "values")])
async def test_a_rule_that_sends_something_else_now_begins_afresh(
    bench: Bench, before: str, after: str
) -> None:
    await bench.start(bench.rule(send=before))
    await bench.send(*"ab")
    await bench.write(*"123456")
    await bench.settled()
    bench.engine.delivered.clear()
    await bench.restart(bench.rule(send=after))
    await bench.send("c")
    await bench.write("7")
    await bench.settled()
    assert (bench.payloads if after == "messages" else bench.values) == [
        "c" if after == "messages" else "7"
    ]
    kept = bench.archive._journal_readers._waiting_places()
    assert len(kept) == (after == "values")


async def test_dead_letters_of_a_rule_that_is_gone_are_shown_until_they_are_deleted(
    bench: Bench,
) -> None:
    bench.engine = engine_for_tests.made[bench.key] = refusing("bad", "worse")
    await bench.start(bench.rule())
    await bench.write("bad", "worse")
    await bench.settled()
    await bench.restart()
    (status,) = bench.sinks.statuses()
    assert (status.name, status.state, status.letter_count) == ("r", "gone", 2)
    worse, bad = await bench.sinks.letters("r", 10)
    await bench.sinks.discard("r", [worse.letter_id])
    assert bench.status().letter_count == 1
    await bench.restart(bench.rule())
    assert (bench.status().state, bench.status().letter_count) == ("waiting", 1)
    bench.engine.answers.clear()
    await bench.sinks.retry("r", [bad.letter_id])
    await until(lambda: bench.values == ["bad"])
    await until(lambda: bench.status().letter_count == 0)
    bench.engine.answers.append(lambda _: SendResult(refused={0: "no"}))
    await bench.write("bad")
    await bench.settled()
    await bench.restart()
    await bench.sinks.delete("r")
    assert bench.sinks.statuses() == []
    await bench.restart()
    assert bench.sinks.statuses() == []


async def test_a_rule_whose_seal_cannot_be_read_keeps_its_place(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bench.start()
    assert await bench.sinks.add(bench.asked("made")) == []
    await bench.write("1")
    await bench.settled("made")
    with monkeypatch.context() as patched:
        patched.setattr(sink_bench, "SECRET", bytes(32))
        await bench.restart()
    assert bench.sinks.statuses() == []
    await bench.write("2")
    await bench.restart()
    await bench.settled("made")
    assert bench.values == ["1", "2"]


async def test_a_rule_that_left_the_settings_holds_the_journal_back_no_more(bench: Bench) -> None:
    await bench.start(bench.rule())
    await bench.restart()
    assert bench.archive._journal_readers._waiting_places() == {}


async def test_the_password_of_a_made_rule_is_sealed_at_rest(bench: Bench) -> None:
    await bench.start()
    url = "mysql://tank:very-secret@127.0.0.1:1/iot"
    assert await bench.sinks.add({"name": "m", "to": {"engine": "sql", "url": url}}) == []
    assert "very-secret" not in repr(bench.sinks.statuses())
    await bench.restart()
    assert bench.sinks._runners["m"].rule.target["url"] == url
    for path in bench.folder.glob("sinks.sqlite3*"):
        assert b"very-secret" not in path.read_bytes()


async def test_a_backup_goes_on_under_an_origin_of_its_own(bench: Bench, tmp_path: Path) -> None:
    """Its journal would give numbers away that are given already."""
    await bench.start(bench.rule())
    await bench.write("1")
    await bench.settled()
    copies = tmp_path / "copies"
    copies.mkdir()
    await bench.sinks.copy_to(copies)
    before = bench.engine.delivered[0].item_id.partition("-")[0]
    await bench.stop()
    (copies / FILE_NAME).replace(bench.folder / FILE_NAME)
    for rest in ("-wal", "-shm"):
        (bench.folder / f"{FILE_NAME}{rest}").unlink(missing_ok=True)
    await bench.start(bench.rule())
    await bench.write("2")
    await bench.settled()
    assert bench.values == ["1", "2"]
    assert bench.engine.delivered[1].item_id.partition("-")[0] != before


async def test_an_engine_that_hangs_does_not_keep_the_server_from_stopping(bench: Bench) -> None:
    hanging, leave = threading.Event(), threading.Event()

    def hang(items: Sequence[Item]) -> SendResult:
        hanging.set()
        leave.wait(20)
        return SendResult()

    bench.engine.answers.append(hang)
    await bench.start(bench.rule(), stop_s=0.05)
    await bench.write("1")
    await until(hanging.is_set)
    async with asyncio.timeout(5):
        await bench.sinks.stop()
    leave.set()
    await until(lambda: bench.engine.is_closed)
    await bench.archive.close()
    await bench.start(bench.rule())
    await bench.settled()
    assert set(bench.values) == {"1"}


# --- messages ---


async def test_messages_arrive_in_order_and_only_those_to_devices_that_are_named(
    bench: Bench,
) -> None:
    await bench.start(bench.rule(send="messages", tag="outdoor"), bench.rule("values", key="other"))
    await bench.write("1")
    await bench.send("on", "off")
    await bench.send("not you", feed_id=1002)
    await bench.send("on")
    await bench.settled()
    assert bench.payloads == ["on", "off", "on"]
    first = bench.engine.delivered[0]
    device = bench.directory.get_device(1001)
    assert (first.kind, first.device_id, first.uuid, first.topic) == (
        "message",
        1001,
        device.uuid,
        "lights",
    )
    assert len({item.item_id for item in bench.engine.delivered}) == 3
    assert bench.status().what == "messages to all feeds with the tag outdoor"
    await bench.settled("values")
    assert [item.value for item in engine_for_tests.made["other"].delivered] == ["1"]


async def test_messages_wait_on_disk_for_a_sink_that_is_away_over_restarts(bench: Bench) -> None:
    bench.engine.open_answers.extend([GONE] * 1000)
    rule = bench.rule(send="messages")
    await bench.start(rule)
    await bench.send("1", "2")
    await until(lambda: bench.status().failures)
    await bench.restart(rule)
    await bench.send("3")
    assert bench.status().behind_count == 3
    bench.engine.open_answers.clear()
    bench.sinks.hurry("r")
    await bench.settled()
    assert bench.payloads == ["1", "2", "3"]
    await bench.restart(rule)
    await bench.send("4")
    await bench.settled()
    assert bench.payloads == ["1", "2", "3", "4"]
    await bench.sinks.stop()
    assert change(bench.folder / FILE_NAME, "SELECT * FROM waiting") == []
    await bench.archive.close()
    await bench.start()


async def test_a_message_is_acknowledged_when_it_is_on_disk_and_else_refused(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise StorageFailed("no room on the disk")

    await bench.start(bench.rule(send="messages"))
    await bench.sinks.pause("r", True)
    await bench.send("1")
    with monkeypatch.context() as patched:
        patched.setattr(SinkFile, "add_waiting", fail)
        with pytest.raises(StorageFailed, match="no room"):
            await bench.send("2")
    await bench.send("3")
    await bench.crash()
    await bench.start(bench.rule(send="messages"))
    await bench.sinks.pause("r", False)
    await bench.settled()
    assert bench.payloads == ["1", "3"]


async def test_messages_beyond_the_bound_are_left_out_and_counted(bench: Bench) -> None:
    await bench.start(bench.rule(send="messages"), messages_max=2)
    await bench.sinks.pause("r", True)
    await bench.send("1", "2", "3")
    assert bench.status().missed_count == 1
    await bench.sinks.pause("r", False)
    await bench.settled()
    await bench.send("4")
    await bench.settled()
    assert bench.payloads == ["1", "2", "4"]


class SlowDisk:
    """Keeps messages only when it is let."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.writing, self.may_write = threading.Event(), threading.Event()
        add_waiting = SinkFile.add_waiting

        def wait(file: SinkFile, rows: Sequence[WaitingItem]) -> None:
            self.writing.set()
            self.may_write.wait(20)
            add_waiting(file, rows)

        monkeypatch.setattr(SinkFile, "add_waiting", wait)

    async def send_two(self, bench: Bench, first: str, second: str) -> list[asyncio.Task[None]]:
        """Have one message under way to the disk, and another wait."""
        sending = [asyncio.create_task(bench.send(first))]
        await until(self.writing.is_set)
        sending.append(asyncio.create_task(bench.send(second)))
        await until(lambda: bench.sinks._waiting and bench.sinks._waiting._pending)
        return sending


async def test_messages_that_wait_for_the_disk_are_bounded_in_bytes(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting_items, "PENDING_BYTES_MAX", 1000)
    disk = SlowDisk(monkeypatch)
    await bench.start(bench.rule(send="messages"))
    sending = await disk.send_two(bench, "1", "x" * 1000)
    with pytest.raises(Overloaded, match="wait for the disk"):
        await bench.send("3")
    disk.may_write.set()
    await asyncio.gather(*sending)
    await bench.send("4")
    await bench.settled()
    assert [payload[:1] for payload in bench.payloads] == ["1", "x", "4"]


async def test_messages_under_way_to_a_rule_that_is_deleted_leave_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = SlowDisk(monkeypatch)
    await bench.start()
    assert await bench.sinks.add({**bench.asked("made"), "send": "messages"}) == []
    sending = await disk.send_two(bench, "1", "2")
    deleting = asyncio.create_task(bench.sinks.delete("made"))
    await until(lambda: "made" not in bench.sinks._waiting.readers)  # type: ignore[union-attr] # there once a rule was made
    disk.may_write.set()
    await asyncio.gather(deleting, *sending)
    await bench.sinks.stop()
    assert change(bench.folder / FILE_NAME, "SELECT * FROM waiting") == []
    await bench.archive.close()
    await bench.start()
