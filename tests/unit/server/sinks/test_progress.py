"""How far a rule has come is written down in time, and little is written for it."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.unit.sinks.rules.fake_engine import FakeEngine, item

from thingtank.server.sinks.message_reader import MessageReader
from thingtank.server.sinks.progress import KEEP_AFTER_S, Progress
from thingtank.server.sinks.sending.calls import Keep, WhatIsKept
from thingtank.server.sinks.sending.host import KeptChanges
from thingtank.sinks.engine import Item, SendResult
from thingtank.sinks.rules.steps import Entry
from thingtank.sinks.rules.window import Window
from thingtank.stores.sink_file import SinkFile
from thingtank.stores.sink_store import SinkStore
from thingtank.tank.errors import StorageFailed


class Keeper:
    """Says of a window what has changed, as the process that sends does."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._changes = KeptChanges(())

    async def keep(
        self, *, is_asked_only: bool = False, is_last: bool = False, is_whole: bool = False
    ) -> WhatIsKept:
        call = Keep(1, 1, "fresh", is_asked_only, is_last, is_whole, 0)
        return self._changes.of(self._window, call)


class Clock:
    now_s = 0.0

    def now_us(self) -> int:
        return int(self.now_s * 1_000_000)


class Rule:
    """A rule's progress and window over a file of sinks, at a time that a test says."""

    def __init__(self, store: SinkStore, engine: FakeEngine) -> None:
        self.store = store
        self.now_s = 0.0
        self.last_seq = 0
        self.window = Window(engine, 1.0, now_s=lambda: self.now_s, chance=lambda: 0.0)
        self.progress = Progress("r", store, lambda: self.now_s)
        self._keeper = Keeper(self.window)
        self.clock = Clock()
        self.reader = MessageReader("r", store, 0, (), lambda: None, self.clock)
        self.progress.start(self.reader, None, {}, 0)

    def publish(self, seqs: Sequence[int]) -> None:
        """One a second, each at the second of its number."""
        for seq in seqs:
            self.clock.now_s = seq
            self.reader.published([0])

    @property
    def behind_s(self) -> float:
        return self.progress.behind_us(self.clock.now_us()) / 1_000_000

    async def send(self, items: Sequence[Item] = ()) -> None:
        """Turns of a runner: take a batch for each item, send, write it down if that is due."""
        if items:
            parts: list[Sequence[Entry]] = [[(each.at_us, each) for each in items], []]
            self.last_seq = items[-1].at_us
            self.publish([each.at_us for each in items])
            self.window.add(iter(parts).__next__, self.last_seq)
        is_sent = False
        while self.window.has_fresh or not is_sent:
            step = self.window.step()
            is_sent = True
            self.progress.holds(step.held_count > 0)
            self.progress.passed(self.window.through_seq, self.clock.now_us())
            await self.progress.save_sometimes(self._keeper)

    async def on_disk(self) -> tuple[int, list[int]]:
        """The place, and the batches of what is held."""
        places = await self.store.run(SinkFile.places)
        held = await self.store.run(lambda file: file.held("r"))
        return places["r"].seq, [each.seq for each in held]

    async def changed_rows(self) -> int:
        """How many rows of the file were changed since it was opened."""
        return await self.store.run(lambda file: file._connected().total_changes)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SinkStore]:
    made = await SinkStore.open(tmp_path)
    yield made
    await made.close()


def trickling(items: Sequence[Item]) -> SendResult:
    """Of a call that has some of device `a`, its first item gets through."""
    of_a = [n for n, each in enumerate(items) if each.uuid == "a"]
    return SendResult(dict.fromkeys(of_a[1:], "slowly"))


async def test_a_device_of_which_some_gets_through_now_and_then_does_not_keep_the_place(
    store: SinkStore,
) -> None:
    rule = Rule(store, FakeEngine(*[trickling] * 1000, items_max=500))
    await rule.send([item(n, "a") for n in range(1, 301)])
    for seq in range(301, 381):
        rule.now_s += KEEP_AFTER_S / 10
        await rule.send([item(seq, "ab"[seq % 2])])
        await rule.send()
    place, held = await rule.on_disk()
    assert place >= rule.last_seq - 2 * KEEP_AFTER_S
    assert len(held) > 50
    waiting = {int(item_id.split("-")[1]) for item_id in rule.window.waiting_ids()}
    assert {seq for seq in waiting if seq <= place} <= set(held)


async def test_a_held_item_is_written_once_and_deleted_when_it_is_settled(
    store: SinkStore,
) -> None:
    rule = Rule(store, FakeEngine(*[trickling] * 1000, items_max=2000))
    await rule.send([item(n, "a") for n in range(1, 1001)])
    rule.now_s += KEEP_AFTER_S
    await rule.send()
    held_before, before = (await rule.on_disk())[1], await rule.changed_rows()
    assert len(held_before) == len(rule.window.waiting_ids()) > 900
    for _ in range(40):
        rule.now_s += 1.0
        await rule.send()
    place, held = await rule.on_disk()
    assert (place, held) == (1000, held_before[40:])
    assert await rule.changed_rows() - before <= 40 * 2  # the item, and the place


async def test_how_far_behind_a_rule_is_moves_with_the_oldest_that_it_holds(
    store: SinkStore,
) -> None:
    rule = Rule(store, FakeEngine(*[trickling] * 1000, items_max=500))
    await rule.send([item(n, "a") for n in range(1, 41)])
    for seq in range(41, 71):
        rule.now_s += KEEP_AFTER_S / 5
        await rule.send([item(seq, "ab"[seq % 2])])
        await rule.send()
    waiting = sorted(int(item_id.split("-")[1]) for item_id in rule.window.waiting_ids())
    place = rule.progress.place
    assert place.seq > waiting[0] > 20
    assert waiting[0] - 20 <= place.reached_us / 1_000_000 <= waiting[0]


async def test_a_rule_that_catches_up_is_ever_less_behind(store: SinkStore) -> None:
    rule = Rule(store, FakeEngine())
    rule.publish(range(1, 101))
    rule.clock.now_s = 200
    for seq in range(100):
        assert rule.behind_s == 200 - max(1, seq + 1)
        rule.progress.passed(seq + 1, rule.clock.now_us())
    assert rule.behind_s == 0


async def test_a_rule_is_not_behind_for_as_long_as_nothing_came(store: SinkStore) -> None:
    rule = Rule(store, FakeEngine())
    rule.publish([1])
    rule.progress.passed(1, rule.clock.now_us())
    rule.publish([3600])
    rule.clock.now_s = 3601.5
    assert rule.behind_s == 1.5


async def test_what_is_being_written_down_is_not_taken_for_settled(
    store: SinkStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = Rule(store, FakeEngine(*[trickling] * 1000, items_max=2000))
    await rule.send([item(n, "a") for n in range(1, 11)])
    seen: list[int] = []
    save_place = SinkFile.save_place

    def save_and_look(*args: Any) -> None:
        seen.append(rule.progress.behind_count)
        save_place(*args)

    monkeypatch.setattr(SinkFile, "save_place", save_and_look)
    rule.now_s += KEEP_AFTER_S
    await rule.send()
    assert rule.progress.place.seq == rule.last_seq
    assert seen == [1]


async def test_what_the_disk_refused_is_written_down_whole(
    store: SinkStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A commit whose sync failed may stand there, or not."""
    rule = Rule(store, FakeEngine(*[trickling] * 1000, items_max=2000))
    await rule.send([item(n, "a") for n in range(1, 11)])
    save_place = SinkFile.save_place

    def save_and_fail(*args: Any) -> None:
        save_place(*args)
        raise StorageFailed("the disk is out of order")

    rule.now_s += KEEP_AFTER_S
    with monkeypatch.context() as patched:
        patched.setattr(SinkFile, "save_place", save_and_fail)
        with pytest.raises(StorageFailed):
            await rule.send()
    assert rule.reader.passed_seq < 10
    for _ in range(3):
        rule.now_s += 1.0
        await rule.send()
    waiting = {int(item_id.split("-")[1]) for item_id in rule.window.waiting_ids()}
    assert await rule.on_disk() == (10, sorted(waiting))
    assert (len(waiting) < 6, rule.reader.passed_seq) == (True, 10)
