"""A rule loses nothing when the process that sends ends, or answers too late for a stop."""

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

import pytest
from tests.unit.server.sinks.sink_bench import Bench
from tests.waiting import until

from thingtank.server.sinks import progress
from thingtank.server.sinks.sending.calls import WhatIsKept
from thingtank.server.sinks.sending.process import ended
from thingtank.server.sinks.sending.remote_rule import RemoteWindow
from thingtank.sinks.engine import EngineFailed, Item, SendResult
from thingtank.sinks.rules import window
from thingtank.tank.failures import FailureKind

GONE = EngineFailed.of(FailureKind.UNREACHABLE, "Nobody is there")
RETRY_S_MAX = 1000.0


def throttle(items: Sequence[Item]) -> SendResult:
    return SendResult({n: "slowly" for n, each in enumerate(items) if each.device_id == 1001})


def refuse(items: Sequence[Item]) -> SendResult:
    return SendResult(refused={n: "no" for n, each in enumerate(items) if each.value == "bad"})


async def end_process(bench: Bench) -> None:
    assert bench.process is not None
    await (await bench.process.link()).end()


@pytest.mark.parametrize("is_written_down", [False, True])
async def test_what_was_held_comes_once_and_in_order(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, is_written_down: bool
) -> None:
    monkeypatch.setattr(progress, "SAVE_INTERVAL_S", 0.0)
    monkeypatch.setattr(progress, "KEEP_AFTER_S", 0.0 if is_written_down else 1000.0)
    bench.engine.answers.extend([throttle] * 1000)
    await bench.start(bench.rule(), retry_s_max=RETRY_S_MAX)
    await bench.write("a", "b")
    await bench.write("1", "2", feed_id=1002)
    at_work = bench.sinks._runners["r"]._progress
    if is_written_down:
        await until(lambda: at_work.place.seq >= 4 and at_work.is_saved)
    await until(lambda: bench.values == ["1", "2"])
    await end_process(bench)
    bench.engine.answers.clear()
    await bench.write("c")
    await bench.settled()
    assert bench.status().trouble is None  # that a process ended is no trouble with the service
    of_first = [each.value for each in bench.engine.delivered if each.device_id == 1001]
    of_second = [each.value for each in bench.engine.delivered if each.device_id == 1002]
    assert of_first == ["a", "b", "c"]
    # What went past the place comes again, with the same ids.
    assert of_second == ["1", "2"] * (1 if is_written_down else 2)
    await bench.restart(bench.rule())
    await bench.write("d")
    await bench.settled()
    assert bench.values[-1:] == ["d"]
    assert bench.status().missed_count == 0


async def test_a_process_that_ends_before_it_has_done_anything_is_told(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def end(self: RemoteWindow) -> None:
        await end_process(bench)
        raise ended()

    await bench.start(bench.rule())
    with monkeypatch.context() as patch:
        patch.setattr(RemoteWindow, "step", end)
        await bench.write("1")
        await until(lambda: bench.status().trouble)
        trouble = bench.status().trouble
        assert trouble is not None
        assert "has ended" in trouble.what
    await bench.settled()
    assert bench.values == ["1"]
    assert bench.status().trouble is None


async def test_what_failed_for_all_is_over_when_something_arrives(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(window, "pause_s_max", lambda *_, **__: RETRY_S_MAX)  # of what is held
    bench.engine.answers.extend([throttle, GONE, *[throttle] * 1000])
    await bench.start(bench.rule(), retry_s_max=RETRY_S_MAX)
    await bench.write("a")
    await until(lambda: bench.status().failures)
    await bench.write("1", feed_id=1002)
    await until(lambda: bench.status().failures.get("unreachable"))
    await until(lambda: bench.values == ["1"])
    await until(lambda: bench.status().trouble is None)


async def test_messages_are_read_again_behind_the_place(bench: Bench) -> None:
    bench.engine.answers.extend([throttle] * 1000)
    await bench.start(bench.rule(send="messages"), retry_s_max=RETRY_S_MAX)
    await bench.send("a", "b")
    await bench.send("1", feed_id=1002)
    await until(lambda: bench.payloads == ["1"])
    await end_process(bench)
    bench.engine.answers.clear()
    await bench.send("c")
    await bench.settled()
    assert [each for each in bench.payloads if each.isalpha()] == ["a", "b", "c"]


async def test_dead_letters_that_were_asked_for_are_sent_all_the_same(bench: Bench) -> None:
    bench.engine.answers.extend([refuse] * 1000)
    await bench.start(bench.rule(), retry_s_max=RETRY_S_MAX)
    await bench.write("bad", "bad")
    await until(lambda: bench.status().letter_count == 2)
    bench.engine.answers.clear()
    bench.engine.answers.extend([throttle] * 1000)
    await bench.sinks.retry("r", None)
    await until(lambda: bench.status().retried_count)
    await end_process(bench)
    bench.engine.answers.clear()
    bench.sinks.hurry("r")
    await until(lambda: bench.status().letter_count == 0)
    assert bench.values == ["bad", "bad"]


async def test_a_paused_rule_goes_on_where_it_was(bench: Bench) -> None:
    await bench.start(bench.rule())
    await bench.write("1")
    await bench.settled()
    await bench.sinks.pause("r", is_paused=True)
    await bench.write("2")
    await end_process(bench)
    await bench.write("3")
    assert bench.values == ["1"]
    await bench.sinks.pause("r", is_paused=False)
    await until(lambda: bench.values[-1] == "3")
    assert list(dict.fromkeys(bench.values)) == ["1", "2", "3"]


async def test_a_stop_after_it_has_ended_is_a_clean_one(bench: Bench) -> None:
    await bench.start(bench.rule())
    await bench.write("1")
    await bench.settled()
    await end_process(bench)
    await bench.restart(bench.rule())
    await bench.write("2")
    await bench.settled()
    assert list(dict.fromkeys(bench.values)) == ["1", "2"]


async def test_what_was_said_to_be_kept_and_not_written_down_is_said_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "SAVE_INTERVAL_S", 0.0)
    monkeypatch.setattr(progress, "KEEP_AFTER_S", 0.0)
    keep, answered = RemoteWindow.keep, asyncio.Event()

    async def answer_too_late(self: RemoteWindow, **members: Any) -> WhatIsKept:
        kept = await keep(self, **members)
        if kept.added and not answered.is_set():
            answered.set()
            await asyncio.Event().wait()
        return kept

    monkeypatch.setattr(RemoteWindow, "keep", answer_too_late)
    bench.engine.answers.extend([throttle] * 1000)
    await bench.start(bench.rule(), retry_s_max=RETRY_S_MAX, stop_s=0.1)
    await bench.write("a", "b")
    await bench.write("1", feed_id=1002)
    await answered.wait()
    await bench.stop()
    bench.engine.answers.clear()
    await bench.start(bench.rule())
    await bench.settled()
    assert [each.value for each in bench.engine.delivered if each.device_id == 1001] == ["a", "b"]


async def test_a_letter_that_is_refused_when_the_rule_has_stopped_waiting_stays(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    sending, leave, refused = threading.Event(), threading.Event(), threading.Event()

    def refuse_late(items: Sequence[Item]) -> SendResult:
        sending.set()
        leave.wait(20)
        refused.set()
        return refuse(items)

    bench.engine.answers.extend([refuse])
    await bench.start(bench.rule(), stop_s=0.1)
    await bench.write("bad")
    await until(lambda: bench.status().letter_count == 1)
    bench.engine.answers.append(refuse_late)
    await bench.sinks.retry("r", None)
    await until(sending.is_set)
    stop = progress.Progress.stop

    async def stop_late(self: progress.Progress, window: Any) -> None:
        leave.set()
        await until(refused.is_set)
        await asyncio.sleep(0.02)
        await stop(self, window)

    monkeypatch.setattr(progress.Progress, "stop", stop_late)
    await bench.stop()
    await bench.start(bench.rule())
    await until(lambda: bench.values == ["bad"])  # it stayed, and was still asked for
    await until(lambda: bench.status().letter_count == 0)


async def test_an_engine_that_cannot_be_closed_keeps_nothing_from_stopping(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    await bench.start(bench.rule())
    await bench.write("1")
    await bench.settled()
    with monkeypatch.context() as patch:
        patch.setattr(bench.engine, "close", fail)
        await bench.stop()
    await bench.start(bench.rule())
    await bench.write("2")
    await bench.settled()
    assert bench.values == ["1", "2"]
