"""Dead letters that are sent again: beside what is fresh, and never at its cost."""

import asyncio
from collections.abc import Callable, Sequence

import pytest
from tests.unit.server.sinks import engine_for_tests
from tests.unit.server.sinks.sink_bench import Bench
from tests.unit.sinks.rules.fake_engine import FakeEngine
from tests.waiting import until

from thingtank.server.sinks import letter_retry
from thingtank.sinks.engine import BatchBounds, EngineFailed, Item, SendResult
from thingtank.sinks.rules import window
from thingtank.tank.failures import FailureKind

GONE = EngineFailed.of(FailureKind.UNREACHABLE, "Nobody is there")
RETRY_S_MAX = 1000.0


def refuse(items: Sequence[Item]) -> SendResult:
    return SendResult(refused={n: "no" for n, it in enumerate(items) if it.value.startswith("bad")})


def throttle(items: Sequence[Item]) -> SendResult:
    return SendResult({n: "slowly" for n, it in enumerate(items) if it.device_id == 1001})


def answer(bench: Bench, what: Callable[[Sequence[Item]], SendResult] | Exception) -> None:
    """Have the engine answer so until it is told otherwise."""
    bench.engine.answers.clear()
    bench.engine.answers.extend([what] * 1000)


async def start_with_letters(bench: Bench, *values: str, feed_id: int = 1001) -> None:
    bench.engine = engine_for_tests.made[bench.key] = FakeEngine()
    answer(bench, refuse)
    await bench.start(bench.rule(), retry_s_max=RETRY_S_MAX)
    await bench.write(*values, feed_id=feed_id)
    await until(lambda: bench.status().letter_count == len(values))


async def test_letters_of_a_device_that_is_throttled_hold_up_nothing_else(bench: Bench) -> None:
    await start_with_letters(bench, "bad 1")
    await bench.write("bad 2", feed_id=1002)
    await until(lambda: bench.status().letter_count == 2)
    answer(bench, throttle)
    await bench.sinks.retry("r", None)
    await until(lambda: bench.status().letter_count == 1)  # that of the other device arrived
    async with asyncio.timeout(3):
        await bench.write("1", "2", feed_id=1002)
        await bench.settled()
    assert bench.values == ["bad 2", "1", "2"]
    status = bench.status()
    assert (status.state, status.is_retrying_letters) == ("failing", True)
    bench.engine.answers.clear()
    bench.sinks.hurry("r")
    await until(lambda: bench.status().letter_count == 0)
    assert bench.values == ["bad 2", "1", "2", "bad 1"]
    assert bench.status().trouble is None
    assert not bench.status().is_retrying_letters


async def test_more_letters_than_are_read_at_once_go_past_one_that_is_held(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(letter_retry, "_LETTERS_AT_ONCE", 3)
    await start_with_letters(bench, "bad 0")
    await bench.write(*(f"bad {n}" for n in range(1, 8)), feed_id=1002)
    await until(lambda: bench.status().letter_count == 8)
    answer(bench, throttle)
    await bench.sinks.retry("r", None)
    await until(lambda: bench.status().letter_count == 1)
    assert bench.values == [f"bad {n}" for n in range(1, 8)]
    (held,) = await bench.sinks.letters("r", 10)
    assert held.is_asked


async def test_letters_of_a_device_come_in_order(bench: Bench) -> None:
    await start_with_letters(bench, "bad 1", "bad 2", "bad 3")
    bench.engine.bounds = BatchBounds(1, 1000)
    answer(bench, throttle)
    await bench.sinks.retry("r", None)
    await until(lambda: bench.status().failures)
    bench.engine.answers.clear()
    bench.sinks.hurry("r")
    await until(lambda: bench.status().letter_count == 0)
    assert bench.values == ["bad 1", "bad 2", "bad 3"]


async def test_a_letter_that_is_deleted_while_it_waits_is_not_sent(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So that it waits, and is not under way when it is deleted.
    monkeypatch.setattr(window, "pause_s_max", lambda *_, **__: RETRY_S_MAX)
    await start_with_letters(bench, "bad 1", "bad 2")
    answer(bench, throttle)
    await bench.sinks.retry("r", None)
    await until(lambda: bench.status().failures)
    (_, first) = await bench.sinks.letters("r", 10)
    await bench.sinks.discard("r", [first.letter_id])
    bench.engine.answers.clear()
    bench.sinks.hurry("r")
    await until(lambda: bench.status().letter_count == 0)
    assert bench.values == ["bad 2"]


async def test_letters_that_were_not_sent_before_a_stop_are_sent_after_it(bench: Bench) -> None:
    await start_with_letters(bench, "bad 1")
    await bench.write("bad 2", feed_id=1002)
    await until(lambda: bench.status().letter_count == 2)
    await bench.restart(bench.rule(), retry_s_max=RETRY_S_MAX)
    bench.engine.open_answers.extend([GONE] * 1000)
    await bench.sinks.retry("r", None)
    await until(lambda: bench.status().failures)
    await bench.stop()
    bench.engine.open_answers.clear()
    answer(bench, throttle)
    await bench.start(bench.rule(), retry_s_max=RETRY_S_MAX)
    await until(lambda: bench.values == ["bad 2"])
    bench.engine.answers.clear()
    await bench.restart(bench.rule(), retry_s_max=RETRY_S_MAX)  # what arrived is not sent again
    await until(lambda: bench.status().letter_count == 0)
    assert bench.values == ["bad 2", "bad 1"]


async def test_a_rule_is_full_of_so_many_bytes_of_letters_too(bench: Bench) -> None:
    bench.engine = engine_for_tests.made[bench.key] = FakeEngine()
    answer(bench, refuse)
    bounds = {"dead_letter_bytes_max": 300}
    await bench.start(bench.rule(), **bounds)
    await bench.write("bad 1")
    await bench.settled()
    assert bench.status().state == "waiting"
    await bench.write("bad " + "2" * 200)
    await until(lambda: bench.status().state == "full")
    await bench.restart(bench.rule(), **bounds)
    await bench.write("3")
    assert bench.status().state == "full"
    letters = await bench.sinks.letters("r", 10)
    assert bench.values == []
    await bench.sinks.discard("r", [letters[0].letter_id])
    await bench.settled()
    assert bench.values == ["3"]
    assert bench.status().letter_count == 1


async def test_a_sink_that_is_away_for_letters_is_tried_again_and_loses_none(bench: Bench) -> None:
    await start_with_letters(bench, "bad 1", "bad 2")
    answer(bench, GONE)
    await bench.sinks.retry("r", None)
    await until(lambda: bench.status().failures)
    assert bench.status().letter_count == 2
    bench.engine.answers.clear()
    bench.sinks.hurry("r")
    await until(lambda: bench.status().letter_count == 0)
    assert bench.values == ["bad 1", "bad 2"]
