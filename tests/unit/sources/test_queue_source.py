"""A queue that is read: messages go when their values are on disk, and not before."""

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import pytest
from tests.unit.sources.source_bench import SourceBench, texts
from tests.waiting import until

from thingtank.local.queue_file import NewMessage, QueueCounts, QueueFile
from thingtank.sources import queues
from thingtank.tank.errors import Overloaded

RULE = {"name": "work", "engine": "queue", "queue": "work"}
EMPTY = QueueCounts(0, 0, 0)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queues.LocalQueue, "idle_s", 0.01)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[SourceBench]:
    made = SourceBench(tmp_path)
    await made.furnish()
    yield made
    async with asyncio.timeout(20):
        await made.stop()


@contextlib.contextmanager
def queue(bench: SourceBench) -> Iterator[QueueFile]:
    file = QueueFile(bench.folder / "sinks" / queues.LOCAL_FILE)
    yield file
    file.close()


def send(bench: SourceBench, *bodies: str, group: str = "") -> None:
    with queue(bench) as file:
        file.send("work", [NewMessage(body.encode(), group) for body in bodies])


def counts(bench: SourceBench) -> QueueCounts:
    with queue(bench) as file:
        return file.counts("work")


async def test_messages_become_datapoints_and_are_deleted(bench: SourceBench) -> None:
    send(bench, *[f'{{"t": {n}}}' for n in range(200)], group="1001")  # of one instant
    bench.start({**RULE, "feed": ""})
    await until(lambda: counts(bench) == EMPTY)
    assert texts(bench.values()) == [str(n) for n in range(200)]
    assert bench.status().where == "queue work of this machine"
    assert bench.status().record_count == 200


async def test_values_of_one_instant_keep_their_order_and_places_whoever_reads_them(
    bench: SourceBench,
) -> None:
    bodies = ["\n".join(f'{{"t": {n * 20 + k}}}' for k in range(20)) for n in range(120)]
    for some in (bodies[:50], bodies[50:100], bodies[100:]):
        send(bench, *some)
    for reader in range(4):  # as if the server was started again and again
        bench.start(RULE)
        least = 600 * (reader + 1)
        await until(lambda: len(bench.values()) >= least)  # noqa: B023 - awaited here
        await bench.stop()
    assert texts(bench.values()) == [str(n) for n in range(2400)]


async def test_a_stop_after_the_write_and_before_the_delete_waits_for_that(
    bench: SourceBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    delete = queues.LocalQueue.delete

    def slow_delete(self: queues.LocalQueue, messages: Sequence[queues.Message]) -> int:
        time.sleep(0.2)
        return delete(self, messages)

    monkeypatch.setattr(queues.LocalQueue, "delete", slow_delete)
    send(bench, '{"t": 1}')
    bench.start(RULE)
    await until(bench.values)
    await bench.stop()
    assert counts(bench) == EMPTY


@pytest.mark.parametrize("is_broken", [False, True])
async def test_what_is_received_while_it_stops_is_there_again_at_once(
    bench: SourceBench, monkeypatch: pytest.MonkeyPatch, is_broken: bool
) -> None:
    receive = queues.LocalQueue.receive
    is_received = threading.Event()

    def slow_receive(self: queues.LocalQueue) -> list[queues.Message]:
        found = receive(self)
        if found:
            is_received.set()
            time.sleep(0.3)
        return found

    monkeypatch.setattr(queues.LocalQueue, "receive", slow_receive)
    if is_broken:
        monkeypatch.setattr(queues.LocalQueue, "release", lambda *_: 1 / 0)
    send(bench, '{"t": 1}', '{"t": 2}')
    bench.start(RULE)
    await until(is_received.is_set)
    await bench.stop()
    assert counts(bench) == (QueueCounts(0, 2, 0) if is_broken else QueueCounts(2, 0, 0))
    assert bench.values() == {}
    if not is_broken:
        with queue(bench) as file:
            assert [each.receive_count for each in file.receive("work", 10, 1)] == [1, 1]


async def test_a_message_stays_hidden_while_the_tank_cannot_write(bench: SourceBench) -> None:
    send(bench, '{"t": 1}')
    bench.archive.failure = Overloaded("full")
    bench.start({**RULE, "visibility_s": 1})
    await until(lambda: bench.archive.failed_count > 1)
    with queue(bench) as file:
        await asyncio.sleep(1.2)  # longer than it would be hidden
        assert file.receive("work", 1, 1) == []
    bench.archive.failure = None
    await until(lambda: counts(bench) == EMPTY)
    assert (texts(bench.values()), bench.status().late_count) == (["1"], 0)


async def test_poison_becomes_a_dead_letter_and_its_good_part_a_datapoint(
    bench: SourceBench, caplog: pytest.LogCaptureFixture
) -> None:
    send(bench, '{"t": 1}\n{"t": {}}', '{"t": 2}\n{"feed": 1002, "t": 9}', '{"t": 3}')
    bench.start({**RULE, "visibility_s": 1, "receives_max": 2})
    await until(lambda: counts(bench) == QueueCounts(0, 0, 2), lambda: counts(bench))
    assert texts(bench.values()) == ["2", "3"]  # twice the same datapoint
    assert bench.values(1002) == {}
    assert (bench.status().record_count, bench.status().rejected_count) == (5, 4)
