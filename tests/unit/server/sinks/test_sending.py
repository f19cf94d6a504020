"""The process that sends: results, failures, and ends of either process."""

import asyncio
import os
import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.slices import slice_ns
from tests.unit.server.sinks import engine_for_tests
from tests.unit.server.sinks.sending_thread import start_thread
from tests.unit.sinks.rules.fake_engine import FakeEngine
from tests.waiting import WAIT_S_MAX, until

from thingtank.aws.settings import AwsSettings
from thingtank.server.sinks.message_reader import StoredItem
from thingtank.server.sinks.selection import Selection
from thingtank.server.sinks.sending import calls, host, process
from thingtank.server.sinks.sending.calls import (
    FRAME_BYTES_MAX,
    HeldBlob,
    RefusedItem,
    Reply,
    Setup,
    Stepped,
    WhatIsKept,
    WindowState,
    decode_reply,
    frame_of,
)
from thingtank.server.sinks.sending.items import ItemSource
from thingtank.server.sinks.sending.process import (
    SendingFault,
    SendingProcess,
    Started,
    start_process,
)
from thingtank.server.sinks.sending.remote_rule import RemoteRule
from thingtank.sinks.engine import EngineFailed, Item, SendResult, TopicFacts, encode_item
from thingtank.sinks.engines import ENGINES
from thingtank.sinks.rules.settings import SinkRule
from thingtank.sinks.rules.steps import Step
from thingtank.stores.memory_directory import MemoryDirectory
from thingtank.stores.processor_slices import LONG_NS
from thingtank.tank.failures import Failure, FailureKind

NOWHERE = "http://127.0.0.1:1"
NOTHING_BEGUN = (0, 0)


class World:
    """A process that sends, over a folder."""

    def __init__(
        self, folder: Path, start: Callable[[], Started] = start_process, **facts: str
    ) -> None:
        self.folder = folder
        aws = AwsSettings(region="us-east-1", endpoint_url=NOWHERE)
        self.process = SendingProcess(Setup(aws, 1, 1.0, str(folder), None, **facts), start)

    def rule(self, held: Sequence[HeldBlob] = (), **to: Any) -> RemoteRule:
        rule = SinkRule("r", to, send="messages", template="{{value}}")
        selection = Selection(rule, MemoryDirectory())
        made = RemoteRule(self.process, rule, "message", "o", 0.01, selection)
        made.go_on(0, held)
        return made

    def fake(self, *answers: Any, **bounds: int) -> tuple[FakeEngine, RemoteRule]:
        """An engine that a test has in its hand; only in a thread."""
        key = f"{self.folder}{len(engine_for_tests.made)}"
        engine = engine_for_tests.made[key] = FakeEngine(*answers, **bounds)
        return engine, self.rule(engine=engine_for_tests.NAME, key=key)

    @property
    def pid(self) -> int:
        """The number of its process."""
        assert self.process._opening is not None
        return self.process._opening.result().pid


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path)
    yield made
    await made.process.stop()


@pytest.fixture
async def near(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """One in a thread."""
    monkeypatch.setitem(ENGINES, engine_for_tests.NAME, engine_for_tests.__name__)  # type: ignore[arg-type] # a dict
    made = World(tmp_path, start_thread)
    yield made
    await made.process.stop()


def item(number: int, **members: Any) -> Item:
    words = {"uuid": "u", "value": f"n{number}", "topic": "t"} | members
    return Item(f"o-{number}", "message", 1, words.pop("uuid"), "", 10**15, **words)


def add(rule: RemoteRule, *items: Item) -> None:
    """Have the window of what is fresh send items, each a batch."""
    seqs = [int(each.item_id.partition("-")[2]) for each in items]
    blobs = map(encode_item, items)
    rule.fresh.add([StoredItem(*each) for each in zip(seqs, blobs, strict=True)], NOTHING_BEGUN)


async def send(rule: RemoteRule, *items: Item) -> Step:
    add(rule, *items)
    return await rule.fresh.step()


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def ignored_signals(pid: int) -> set[int]:
    status = Path(f"/proc/{pid}/status").read_text()
    (mask,) = [line.split()[1] for line in status.splitlines() if line.startswith("SigIgn")]
    return {number for number in range(1, 65) if int(mask, 16) >> (number - 1) & 1}


def lines(world: World) -> list[str]:
    files = (world.folder / "sinks" / "objects").rglob("*.jsonl")
    return sorted(line for path in files for line in path.read_text().splitlines())


async def test_what_is_sent_arrives_by_another_process(world: World) -> None:
    rule = world.rule(engine="folder", folder="out")
    await rule.open()
    stepped = await send(rule, item(1), item(2))
    assert (stepped.delivered_count, rule.fresh.through_seq, rule.fresh.is_empty) == (2, 2, True)
    await rule.open()  # as after a failure
    facts = TopicFacts(1, True, False, "text/plain", (("a", "b"),), 5)
    await send(rule, item(3, topic="x/y", facts=facts))
    assert os.getpriority(os.PRIO_PROCESS, world.pid) > 0
    await rule.close()
    assert lines(world) == ["n1", "n2", "n3"]


async def test_failures_of_services_come_over_with_kind_and_words(world: World) -> None:
    with pytest.raises(EngineFailed) as raised:
        await world.rule(engine="kinesis", stream="s").open()
    assert raised.value.failure.kind in (FailureKind.UNREACHABLE, FailureKind.CREDENTIALS)
    assert raised.value.failure.advice
    with pytest.raises(EngineFailed, match="/proc/none"):
        await world.rule(engine="folder", folder="/proc/none").open()


@pytest.mark.parametrize(
    "reply",
    [
        Reply(1),
        Reply(2, failure=Failure(FailureKind.THROTTLED, "Slow", "too fast", "wait"), fault="x"),
        Reply(
            3,
            Stepped(
                WindowState(True, False, True, float("inf"), 9),
                Step(1, 2, 3, Failure(FailureKind.THROTTLED, "Slow", "too fast", "wait")),
                [RefusedItem("o-1", b"\0", "no")],
                ["o-2"],
            ),
        ),
        Reply(4, WhatIsKept(7, 3, [HeldBlob(7, "o-7", b"\xff")], ["o-1"], 1, ["o-2"])),
    ],
)
def test_a_reply_comes_over_as_it_is(reply: Reply) -> None:
    assert decode_reply(frame_of(reply)[4:]) == reply


async def test_a_fault_of_ours_comes_with_its_traceback_and_loses_nothing(near: World) -> None:
    engine, rule = near.fake(ZeroDivisionError())
    await rule.open()
    with pytest.raises(SendingFault, match="ZeroDivisionError"):
        await send(rule, item(1), item(2))
    assert (rule.fresh.has_fresh, rule.fresh.can_send, rule.fresh.through_seq) == (True, True, 0)
    assert (await rule.fresh.step()).delivered_count == 2
    assert [each.value for each in engine.delivered] == ["n1", "n2"]
    bad = near.rule(engine="nonsense")
    with pytest.raises(SendingFault, match="BadEngine"):
        await bad.open()


async def test_rules_wait_apart(world: World) -> None:
    slow = world.rule(engine="kinesis", stream="s")  # boto3 is imported for it
    quick = world.rule(engine="folder", folder="out")
    await quick.open()
    opening = asyncio.create_task(slow.open())
    await send(quick, item(1))
    assert not opening.done()
    with pytest.raises(EngineFailed):
        await opening


async def test_refused_items_are_told_until_they_are_recorded(near: World) -> None:
    def refuse(items: Sequence[Item]) -> SendResult:
        return SendResult(refused={0: "never"})

    _, rule = near.fake(refuse, refuse)
    await rule.open()
    await send(rule, item(1))
    first = list(rule.fresh.unrecorded)
    await send(rule, item(2))
    assert [(each.item_id, each.reason) for each in first] == [("o-1", "never")]
    assert [each.item_id for each in rule.fresh.unrecorded] == ["o-1", "o-2"]
    assert (await rule.fresh.keep()).unrecorded_count == 2
    rule.fresh.recorded(2)
    assert (await rule.fresh.keep(is_last=True)).unrecorded_count == 0


def _said(kept: WhatIsKept) -> tuple[int, list[HeldBlob], list[str]]:
    return kept.seq, list(kept.added), list(kept.gone_ids)


async def test_what_is_kept_is_said_once_and_whole_when_that_is_asked(near: World) -> None:
    def throttle(items: Sequence[Item]) -> SendResult:
        return SendResult(dict.fromkeys(range(len(items)), "slowly"))

    _, rule = near.fake(throttle)
    await rule.open()
    assert _said(await rule.fresh.keep()) == (0, [], [])
    await send(rule, item(1, uuid="a"), item(2, uuid="b"))
    kept = await rule.fresh.keep()
    blobs = [HeldBlob(n, f"o-{n}", encode_item(item(n, uuid="ab"[n - 1]))) for n in (1, 2)]
    assert _said(kept) == (2, blobs, [])
    assert _said(await rule.fresh.keep()) == (2, [], [])
    await asyncio.sleep(rule.fresh.wait_s())
    while not rule.fresh.is_empty:
        await rule.fresh.step()
        await asyncio.sleep(0.005)
    asked = await rule.fresh.keep(is_asked_only=True)
    assert (asked.seq, sorted(asked.gone_ids)) == (-1, ["o-1", "o-2"])
    # Before another process is begun, what the disk has is known here.
    again = near.rule(held=blobs, engine=engine_for_tests.NAME, key="held")
    assert _said(await again.fresh.keep()) == (0, [], [])
    assert (await again.fresh.keep(is_whole=True)).added == blobs
    assert again.fresh.can_send
    await again.open()
    assert (await again.fresh.keep(is_whole=True)).added == blobs
    await again.fresh.step()
    assert [each.value for each in engine_for_tests.made["held"].delivered] == ["n1", "n2"]


async def test_what_is_kept_is_said_while_a_call_is_under_way(near: World) -> None:
    sending, leave = threading.Event(), threading.Event()

    def hang(items: Sequence[Item]) -> SendResult:
        sending.set()
        leave.wait(WAIT_S_MAX)
        return SendResult()

    _, rule = near.fake(hang)
    await rule.open()
    step = asyncio.create_task(send(rule, item(1)))
    await until(sending.is_set)
    kept = await rule.fresh.keep(is_last=True)
    assert [each.item_id for each in kept.added] == ["o-1"]
    leave.set()
    assert not (await step).is_sent  # it counts as not sent


async def test_a_killed_process_is_a_passing_failure_and_another_is_begun(world: World) -> None:
    rule, other = (world.rule(engine="folder", folder=name) for name in ("a", "b"))
    await rule.open()
    await other.open()
    first = world.pid
    os.kill(first, signal.SIGKILL)
    for each in (rule, other):
        with pytest.raises(EngineFailed, match="has ended") as raised:
            await send(each, item(1))
        assert raised.value.failure.is_passing
        assert each.is_lost
        each.go_on(0, ())
        await each.open()
        await send(each, item(1))
    assert world.pid != first
    assert lines(world) == ["n1", "n1"]


async def test_a_call_that_hangs_ends_the_process(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = world.rule(engine="folder", folder="out")
    await rule.open()
    child = world.pid
    monkeypatch.setattr(process, "CALL_S_MAX", 0.3)
    monkeypatch.setattr(process, "END_S_MAX", 0.1)
    os.kill(child, signal.SIGSTOP)
    with pytest.raises(EngineFailed, match="has ended"):
        await send(rule, item(1, value="x" * 4_000_000))  # more than a socket holds
    await until(lambda: not is_running(child))
    monkeypatch.setattr(process, "CALL_S_MAX", WAIT_S_MAX)
    rule.go_on(0, ())
    await rule.open()
    assert (await send(rule, item(2))).delivered_count == 1


@pytest.mark.parametrize(
    "said", [b"\xff" * 64, bytes(8), b"\0\0\0\2\xc1\xc1", (FRAME_BYTES_MAX + 1).to_bytes(4), b"\0"]
)
async def test_a_process_that_talks_nonsense_is_ended(tmp_path: Path, said: bytes) -> None:
    def start() -> Started:
        end, theirs = socket.socketpair()
        with theirs:
            theirs.sendall(said)
        return Started(end, 0, lambda: 0)

    world = World(tmp_path, start)
    with pytest.raises(EngineFailed, match="has ended"):
        await world.rule(engine="folder", folder="out").open()
    await world.process.stop()


async def test_a_process_that_cannot_be_begun_is_said(tmp_path: Path) -> None:
    def start() -> Started:
        raise OSError("no more processes")

    world = World(tmp_path, start)
    with pytest.raises(EngineFailed, match="cannot be started: no more processes") as raised:
        await world.rule(engine="folder", folder="out").open()
    assert raised.value.failure.is_passing
    await world.process.stop()


@pytest.mark.parametrize("hangs", [False, True])
async def test_it_ends_with_the_server_and_not_by_what_is_sent_to_all(
    world: World, tmp_path: Path, hangs: bool
) -> None:
    rule = world.rule(engine="folder", folder="out")
    await rule.open()
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(world.pid, number)
    await send(rule, item(1))
    child = world.pid
    await world.process.stop()
    await until(lambda: not is_running(child))
    with pytest.raises(EngineFailed, match="has ended"):
        await send(rule, item(2))
    words = ("-m", "tests.unit.server.sinks.sending_server", str(tmp_path))
    server = await asyncio.create_subprocess_exec(
        sys.executable, *words, stdout=asyncio.subprocess.PIPE
    )
    assert server.stdout is not None
    orphan = int(await server.stdout.readline())
    if hangs:
        os.kill(orphan, signal.SIGSTOP)
    server.kill()
    await server.wait()
    await until(lambda: not is_running(orphan))


async def test_its_niceness_counts_beside_the_server_and_no_terminal_stops_it(
    world: World,
) -> None:
    await world.rule(engine="folder", folder="out").open()
    usual = os.getpriority(os.PRIO_PROCESS, 0)
    assert os.getpriority(os.PRIO_PROCESS, world.pid) == min(usual + host.NICENESS, 19)
    if slice_ns(0):  # from Linux 6.12 on
        newest = max(map(int, os.listdir(f"/proc/{world.pid}/task")))  # a rule's thread
        assert {slice_ns(world.pid), slice_ns(newest)} == {LONG_NS}  # give way to who wakes up
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGTTIN, signal.SIGTTOU):
        assert number in ignored_signals(world.pid)
    assert os.getsid(world.pid) == os.getsid(0)  # between sessions it means nothing: sched(7)
    assert os.getpgid(world.pid) != os.getpgid(0)


async def test_a_call_that_may_have_come_there_by_half_loses_the_rule_and_no_value(
    near: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, rule = near.fake()
    await rule.open()

    def fail(*_: object) -> ItemSource:
        raise MemoryError("no room")

    with monkeypatch.context() as patch:
        patch.setattr(host, "ItemSource", fail)
        with pytest.raises(SendingFault, match="no room"):
            await send(rule, item(1))
    assert rule.is_lost
    assert (rule.fresh.through_seq, rule.fresh.is_unanswered) == (0, True)


async def test_what_is_too_large_for_a_frame_stops_its_rule_alone(
    near: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "FRAME_BYTES_MAX", 2000)
    _, large = near.fake()
    engine, small = near.fake()
    await large.open()
    await small.open()
    with pytest.raises(EngineFailed, match="2,000 is the most"):
        await send(large, item(1, value="x" * 3000))
    assert large.is_lost
    add(small, item(2, value="y" * 500))
    await small.fresh.step()
    assert [each.value for each in engine.delivered] == ["y" * 500]

    def refuse_at_length(items: Sequence[Item]) -> SendResult:
        return SendResult(refused={0: "z" * 3000})

    _, talkative = near.fake(refuse_at_length)
    await talkative.open()
    with pytest.raises(SendingFault, match="FrameTooLarge"):
        await send(talkative, item(3))


async def test_a_process_of_another_version_does_nothing_and_says_why(tmp_path: Path) -> None:
    world = World(tmp_path, version="0.0.0")
    with pytest.raises(EngineFailed, match="replaced") as raised:
        await world.rule(engine="folder", folder="out").open()
    assert "Start the server again" in raised.value.failure.advice
    await world.process.stop()


async def test_who_gives_up_while_a_process_is_ended_takes_nobody_along(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = [world.rule(engine="folder", folder=name) for name in "ab"]
    for rule in rules:
        await rule.open()
    monkeypatch.setattr(process, "CALL_S_MAX", 0.2)
    monkeypatch.setattr(process, "END_S_MAX", 0.5)
    os.kill(world.pid, signal.SIGSTOP)
    first = asyncio.create_task(send(rules[0], item(1)))
    await asyncio.sleep(0.1)
    second = asyncio.create_task(send(rules[1], item(1)))
    await asyncio.sleep(0.2)  # the first one's time is over, and the process is given its own
    assert not first.done()
    first.cancel()
    with pytest.raises(EngineFailed, match="has ended"):
        async with asyncio.timeout(5):
            await second
    async with asyncio.timeout(5):
        await world.process.stop()


async def test_no_process_is_started_beside_one_that_is_on_its_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[int] = []
    beside: list[int] = []

    def start() -> Started:
        beside.extend(pid for pid in started if is_running(pid))
        made = start_process()
        started.append(made.pid)
        return made

    world = World(tmp_path, start)
    hung, other = (world.rule(engine="folder", folder=name) for name in "ab")
    for rule in (hung, other):
        await rule.open()
    monkeypatch.setattr(process, "CALL_S_MAX", 0.2)
    monkeypatch.setattr(process, "END_S_MAX", 0.5)
    os.kill(world.pid, signal.SIGSTOP)
    hanging = asyncio.create_task(send(hung, item(1)))
    await asyncio.sleep(0.3)  # it is given time to end now
    monkeypatch.setattr(process, "CALL_S_MAX", WAIT_S_MAX)
    with pytest.raises(EngineFailed, match="has ended"):
        await send(other, item(1))
    other.go_on(0, ())
    await other.open()
    assert (len(started), beside) == (2, [])
    with pytest.raises(EngineFailed, match="has ended"):
        await hanging
    await world.process.stop()
