"""Engines in a process of their own: results, failures, and ends of either process."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import msgspec
import pytest

from thingtank.aws.settings import AwsSettings
from thingtank.sinks import engine_process
from thingtank.sinks.engine import (
    ALL_DELIVERED,
    EngineFailed,
    EngineParts,
    Item,
    SendResult,
    TopicFacts,
)
from thingtank.sinks.engine_calls import Reply, Setup, frame_of
from thingtank.sinks.engine_process import EngineFault, EngineProcess, HostedEngine
from thingtank.sinks.engines import BadEngine
from thingtank.tank.failures import Failure, FailureKind

NOWHERE = "http://127.0.0.1:1"
WAIT_S = 20.0


class World:
    """A process of engines over a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        aws = AwsSettings(region="us-east-1", endpoint_url=NOWHERE)
        self.process = EngineProcess(Setup(aws, 1, 1.0, str(folder), None))

    def engine(self, **to: Any) -> HostedEngine:
        return self.process.make_engine(to, EngineParts(_no_clients, self.folder))

    @property
    def child(self) -> int:
        """The number of its process."""
        link = self.process._link
        assert link is not None
        return link._process.pid


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.process.stop()


def _no_clients() -> NoReturn:
    raise AssertionError("not asked here")


def item(number: int, **members: Any) -> Item:
    words = {"payload": b"n%d" % number, "number": float(number)} | members
    return Item(f"o-1-{number}", "datapoint", 1, "u", "t", 10**15, str(number), **words)


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def until(is_so: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + WAIT_S
    while not is_so():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


def lines(world: World) -> list[str]:
    files = (world.folder / "sinks" / "objects").rglob("*.jsonl")
    return sorted(line for path in files for line in path.read_text().splitlines())


def test_what_is_sent_arrives_by_another_process_and_bounds_are_the_engines(world: World) -> None:
    engine = world.engine(engine="folder", folder="out")
    assert (engine.bounds.items_max, engine.wants_payload, engine.gather_s) == (10_000, True, 60.0)
    assert "out" in engine.describe()
    engine.open()
    assert engine.send([item(1), item(2)]) == ALL_DELIVERED
    engine.close()
    engine.open()  # after a close, as after a failure
    facts = TopicFacts(1, True, False, "text/plain", (("a", "b"),), 5)
    engine.send([item(3, topic="x/y", facts=facts)])
    engine.close()
    assert lines(world) == ["n1", "n2", "n3"]
    assert os.getpriority(os.PRIO_PROCESS, world.child) > 0


def test_a_bad_rule_is_refused_here(world: World) -> None:
    with pytest.raises(BadEngine, match="`engine` must be one of"):
        world.engine(engine="nonsense")
    assert world.process._link is None


def test_failures_of_services_come_over_with_kind_and_words(world: World) -> None:
    engine = world.engine(engine="kinesis", stream="s")
    with pytest.raises(EngineFailed) as raised:
        engine.open()
    assert raised.value.failure.kind in (FailureKind.UNREACHABLE, FailureKind.CREDENTIALS)
    assert raised.value.failure.advice
    nowhere = world.engine(engine="folder", folder="/proc/none")
    with pytest.raises(EngineFailed, match="/proc/none"):
        nowhere.open()


def test_a_reply_carries_what_became_of_each_item() -> None:
    failure = Failure(FailureKind.THROTTLED, "Slow", "too fast", "wait")
    reply = Reply(7, SendResult({0: "later"}, {3: "never"}, failure))
    body = frame_of(reply)[4:]
    assert msgspec.msgpack.decode(body, type=Reply) == reply


def test_a_fault_of_ours_comes_with_its_traceback(world: World) -> None:
    engine = world.engine(engine="folder", folder="out")
    engine.open()
    engine._to = {"engine": "nonsense"}
    engine._number = 99  # made by the other side, which cannot
    with pytest.raises(EngineFault, match="BadEngine"):
        engine.open()


def test_engines_wait_apart(world: World) -> None:
    slow = world.engine(engine="kinesis", stream="s")  # boto3 is imported for it
    quick = world.engine(engine="folder", folder="out")
    quick.open()
    ended: list[str] = []

    def open_slow() -> None:
        with pytest.raises(EngineFailed):
            slow.open()
        ended.append("slow")

    thread = threading.Thread(target=open_slow)
    thread.start()
    quick.send([item(1)])
    ended.append("quick")
    thread.join()
    assert ended == ["quick", "slow"]


def test_a_killed_process_is_a_passing_failure_and_another_is_begun(world: World) -> None:
    engine, other = (world.engine(engine="folder", folder=name) for name in ("a", "b"))
    engine.open()
    other.open()
    first = world.child
    os.kill(first, signal.SIGKILL)
    for each in (engine, other):
        with pytest.raises(EngineFailed, match="has ended") as raised:
            each.send([item(1)])
        assert raised.value.failure.is_passing
        each.open()
        each.send([item(1)])
    assert world.child != first
    assert lines(world) == ["n1", "n1"]


def test_a_call_that_hangs_ends_the_process(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = world.engine(engine="folder", folder="out")
    engine.open()
    child = world.child
    monkeypatch.setattr(engine_process, "CALL_S_MAX", 0.3)
    monkeypatch.setattr(engine_process, "END_S_MAX", 0.1)
    os.kill(child, signal.SIGSTOP)
    with pytest.raises(EngineFailed, match="has ended"):
        engine.send([item(1)])
    assert not is_running(child)
    monkeypatch.setattr(engine_process, "CALL_S_MAX", 20.0)
    engine.open()
    assert engine.send([item(2)]) == ALL_DELIVERED


def test_a_process_that_reads_nothing_holds_no_call_for_ever(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_process, "SEND_S_MAX", 0.3)
    monkeypatch.setattr(engine_process, "END_S_MAX", 0.1)
    engine = world.engine(engine="folder", folder="out")
    engine.open()
    child = world.child
    os.kill(child, signal.SIGSTOP)
    with pytest.raises(EngineFailed, match="has ended"):
        engine.send([item(1, payload=bytes(4_000_000))])  # more than a socket holds
    assert not is_running(child)


def test_it_ends_with_the_server_and_not_by_what_is_sent_to_all(
    world: World, tmp_path: Path
) -> None:
    engine = world.engine(engine="folder", folder="out")
    engine.open()
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(world.child, number)
    engine.send([item(1)])
    child = world.child
    world.process.stop()
    until(lambda: not is_running(child))
    with pytest.raises(EngineFailed, match="has ended"):
        engine.send([item(2)])
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.unit.sinks.engine_process_server", str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    orphan = int(server.stdout.readline())
    os.kill(server.pid, signal.SIGKILL)
    server.wait()
    server.stdout.close()
    until(lambda: not is_running(orphan))
