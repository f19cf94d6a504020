"""What is taken is sent until each item is settled: whole, in part, in halves, device by device."""

import random
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.sinks.rules.fake_engine import FakeEngine, item

from thingtank.aws.clients import AwsMissing
from thingtank.sinks.engine import EngineFailed, Item, SendResult
from thingtank.sinks.rules import window as window_module
from thingtank.sinks.rules.steps import Entry, EntryMaker, Kept, Step
from thingtank.sinks.rules.window import Window
from thingtank.tank.failures import Failure, FailureKind

GONE = EngineFailed.of(FailureKind.UNREACHABLE, "Nobody is there")
WRONG = EngineFailed.of(FailureKind.REFUSED, "That is no value")
SLOWLY = EngineFailed.of(FailureKind.THROTTLED, "Not so fast")


class Clock:
    """Time that goes on when a test says so."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def source(entries: Sequence[Entry], at_once: int = 3) -> EntryMaker:
    parts = [entries[first : first + at_once] for first in range(0, len(entries), at_once)]
    return lambda: parts.pop(0) if parts else []


def numbered(items: Sequence[Item]) -> list[Entry]:
    """The number of an item's batch is its time."""
    return [(each.at_us, each) for each in items]


def window(
    engine: FakeEngine, items: Sequence[Item], clock: Callable[[], float] | None = None
) -> Window:
    """With pauses of half of their longest."""
    made = Window(engine, 60.0, now_s=clock or Clock(), chance=lambda: 0.5)
    made.add(source(numbered(items)), max((each.at_us for each in items), default=0))
    return made


def run(made: Window, steps_max: int = 1000) -> list[Step]:
    """Step until all is settled, without waiting."""
    steps = []
    while not made.is_empty:
        made.forgive()
        step = made.step()
        if step.is_sent:
            steps.append(step)
        steps_max -= 1
        assert steps_max, "it never ends"
    return steps


def ids(items: Sequence[Item]) -> list[int]:
    return [each.at_us for each in items]


def test_calls_are_as_large_as_the_engine_takes() -> None:
    engine = FakeEngine(items_max=3)
    made = window(engine, [item(n) for n in range(1, 8)])
    passed = []
    while made.can_send:
        assert made.step().delivered_count
        passed.append(made.through_seq)
    assert [len(call) for call in engine.calls] == [3, 3, 1]
    assert passed == [3, 6, 7]
    assert made.is_empty


def test_bytes_bound_a_call_and_one_larger_item_goes_alone() -> None:
    engine = FakeEngine(bytes_max=10)
    sizes = [4, 4, 4, 50, 1]
    run(window(engine, [item(n, payload=b"x" * size) for n, size in enumerate(sizes, 1)]))
    assert [len(call) for call in engine.calls] == [2, 1, 1, 1]


def test_a_batch_of_the_journal_is_passed_only_when_all_of_it_is_there() -> None:
    made = Window(FakeEngine(items_max=2), 60.0, 3)
    made.add(source([(5, item(1)), (5, item(2)), (5, item(3)), (9, item(4))]), 12)
    made.step()
    assert made.through_seq == 4
    made.step()
    assert made.through_seq == 12


def test_without_items_all_is_passed_and_nothing_sent() -> None:
    made = Window(FakeEngine(), 60.0)
    made.add(source([]), 7)
    assert not made.step().is_sent
    assert (made.through_seq, made.is_empty, made.can_send) == (7, True, False)


def test_what_asks_for_another_attempt_is_sent_again_with_what_follows_of_its_device() -> None:
    engine = FakeEngine(lambda _: SendResult(retry={1: "later"}))
    items = [item(1, "a"), item(2, "b"), item(3, "a"), item(4, "b"), item(5, "c")]
    made = window(engine, items)
    first = made.step()
    assert (first.delivered_count, first.retry_count, first.held_count) == (3, 2, 2)
    assert first.retry_failure == Failure(FailureKind.THROTTLED, "in part", "later", "")
    assert (first.is_stuck, made.through_seq) == (False, 1)
    run(made)
    assert (engine.calls[1], made.through_seq) == (["o-2-0", "o-4-0"], 5)


def test_what_waits_holds_up_its_own_device_alone_and_the_journal() -> None:
    clock, engine = Clock(), FakeEngine(lambda _: SendResult(retry={0: "later"}), items_max=2)
    made = window(engine, [item(n, "ab"[n % 2]) for n in range(2, 12)], clock)
    while made.can_send:
        made.step()
    assert [each.uuid for each in engine.delivered] == ["b"] * 5
    assert (made.has_fresh, made.through_seq, made.wait_s()) == (False, 1, 0.25)
    made.add(source(numbered([item(20, "a"), item(21, "c")])), 21)
    made.step()
    assert [each.at_us for each in engine.delivered if each.uuid == "c"] == [21]
    clock.now_s = 0.25
    while made.can_send:
        made.step()
    assert [each.at_us for each in engine.delivered if each.uuid == "a"] == [2, 4, 6, 8, 10, 20]
    assert (made.through_seq, made.is_empty) == (21, True)


def test_pauses_of_a_device_grow_and_begin_anew_after_a_success() -> None:
    clock = Clock()
    again = [lambda _: SendResult(retry={0: "later"})]
    engine = FakeEngine(*again * 8, lambda _: SendResult(), *again, items_max=1)
    made = window(engine, [item(1), item(2)], clock)
    pauses = []
    while not made.is_empty:
        made.step()
        pauses.append(made.wait_s())
        clock.now_s += min(made.wait_s(), 100)
    growing = [0.25, 0.5, 1, 2, 4, 8, 16, 30]
    assert [each for each in pauses if each][:-1] == [*growing, 0.25]


def test_what_needs_a_person_is_tried_as_rarely_as_may_be() -> None:
    refuse = EngineFailed.of(FailureKind.NOT_ALLOWED, "You may not").failure
    made = window(FakeEngine(lambda _: SendResult({0: "x"}, failure=refuse)), [item(1)])
    made.step()
    assert made.wait_s() == 30


def test_a_call_that_fails_for_what_is_held_does_not_stop_the_others() -> None:
    engine = FakeEngine(lambda _: SendResult(retry={0: "later"}), SLOWLY)
    made = window(engine, [item(1, "a"), item(2, "b")])
    made.step()
    made.forgive()
    failed = made.step()
    assert (failed.failure, failed.is_stuck) == (SLOWLY.failure, False)
    made.add(source(numbered([item(3, "c")])), 3)
    assert made.step().delivered_count == 1


def test_where_nothing_gets_through_all_waits() -> None:
    made = window(FakeEngine(GONE, lambda _: SendResult(retry={0: "x"})), [item(1), item(2)])
    assert made.step().is_stuck
    assert made.step().is_stuck


def test_many_that_are_held_leave_room_for_what_is_fresh() -> None:
    again = [
        lambda items: SendResult(retry={n: "x" for n in range(len(items)) if n or len(items) == 1})
    ]
    engine = FakeEngine(*again * 20, items_max=2)
    made = Window(engine, 60.0, now_s=Clock(), chance=lambda: 0.0)  # held ones are always due
    made.add(source(numbered([item(n, str(n)) for n in range(20)])), 20)
    for _ in range(10):
        made.step()
    assert len(engine.delivered) >= 5


@pytest.mark.parametrize("bound", ["HELD_ITEMS_MAX", "HELD_BYTES_MAX"])
def test_a_full_window_waits_from_the_first_item_of_a_held_device_on(
    bound: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(window_module, bound, 3 if bound == "HELD_ITEMS_MAX" else 3 * 101)
    clock, engine = Clock(), FakeEngine(lambda _: SendResult(retry={0: "later"}), items_max=1)
    devices = "abababaXY"
    made = window(engine, [item(n, device) for n, device in enumerate(devices, 1)], clock)
    while made.can_send:
        made.step()
    assert [each.uuid for each in engine.delivered] == ["b"] * 3
    assert made.has_fresh
    clock.now_s = 1.0
    run(made)
    assert sorted(ids(engine.delivered)) == list(range(1, 10))
    assert [each.at_us for each in engine.delivered if each.uuid == "a"] == [1, 3, 5, 7]


def test_a_full_window_holds_no_more_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window_module, "HELD_ITEMS_MAX", 6)
    again = [lambda items: SendResult(retry=dict.fromkeys(range(1, len(items)), "later"))]
    engine = FakeEngine(*again * 40, items_max=4)
    made = window(engine, [item(n, str(n)) for n in range(1, 41)])
    steps = []
    while made.can_send and len(steps) < 30:
        steps.append(made.step())
    assert max(step.held_count for step in steps) <= 6 + engine.bounds.items_max
    assert any(step.is_stuck for step in steps)  # then all waits
    engine.answers.clear()
    run(made)
    assert sorted(ids(engine.delivered)) == list(range(1, 41))


def test_a_refused_item_is_told_and_the_others_are_delivered() -> None:
    engine = FakeEngine(lambda _: SendResult(refused={1: "no"}))
    made = window(engine, [item(1), item(2), item(3)])
    (step,) = run(made)
    assert [(refused.item.at_us, refused.reason) for refused in made.unrecorded] == [(2, "no")]
    assert (step.delivered_count, step.refused_count, made.through_seq) == (2, 1, 3)
    made.recorded(1)
    assert made.unrecorded == []


def test_a_device_whose_item_waits_keeps_even_its_refused_ones_behind_it() -> None:
    engine = FakeEngine(lambda _: SendResult(retry={0: "later"}, refused={1: "no"}))
    first, _ = run(window(engine, [item(1), item(2)]))
    assert (first.retry_count, first.refused_count) == (2, 0)


@pytest.mark.parametrize("kind", [kind for kind in FailureKind if kind is not FailureKind.REFUSED])
def test_a_call_that_fails_is_made_again(kind: FailureKind) -> None:
    engine = FakeEngine(EngineFailed.of(kind, "It failed"))
    made = window(engine, [item(1), item(2)])
    first = made.step()
    assert first.failure is not None
    assert (first.failure.kind, first.retry_count, made.through_seq) == (kind, 2, 0)
    second = made.step()
    assert (second.failure, second.delivered_count, made.through_seq) == (None, 2, 2)


def test_a_refused_call_is_made_in_halves_down_to_the_one_item() -> None:
    def refuse_five(items: Sequence[Item]) -> SendResult:
        if any(each.at_us == 5 for each in items):
            raise WRONG
        return SendResult()

    engine = FakeEngine(*[refuse_five] * 20)
    made = window(engine, [item(n) for n in range(1, 9)])
    steps = run(made)
    refused = made.unrecorded
    assert sum(step.refused_count for step in steps) == 1
    assert [each.item.at_us for each in refused] == [5]
    assert "That is no value" in refused[0].reason
    assert ids(engine.delivered) == [1, 2, 3, 4, 6, 7, 8]
    assert len(engine.calls) <= 7


def test_what_boto3_raises_is_understood() -> None:
    from botocore.exceptions import EndpointConnectionError

    engine = FakeEngine(EndpointConnectionError(endpoint_url="http://127.0.0.1:1"))
    first, _ = run(window(engine, [item(1)]))
    assert first.failure is not None
    assert first.failure.kind is FailureKind.UNREACHABLE


def test_a_missing_boto3_is_told_in_words() -> None:
    first, _ = run(window(FakeEngine(AwsMissing()), [item(1)]))
    assert first.failure is not None
    assert first.failure.kind is FailureKind.MISSING
    assert "pip install" in str(first.failure)


def test_a_fault_of_ours_is_raised_and_loses_nothing() -> None:
    engine = FakeEngine(ZeroDivisionError())
    made = window(engine, [item(1), item(2)])
    with pytest.raises(ZeroDivisionError):
        made.step()
    run(made)
    assert ids(engine.delivered) == [1, 2]


def test_a_source_that_fails_is_asked_again_and_loses_nothing() -> None:
    answers: list[list[Entry] | Exception] = [
        numbered([item(1), item(2)]),
        ZeroDivisionError(),
        numbered([item(3)]),
        [],
    ]

    def more() -> list[Entry]:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    engine = FakeEngine()
    made = Window(engine, 60.0)
    made.add(more, 3)
    with pytest.raises(ZeroDivisionError):
        made.step()
    run(made)
    assert ids(engine.delivered) == [1, 2, 3]


def test_what_is_under_way_at_the_end_counts_as_not_sent() -> None:
    kept: list[Kept] = []
    engine = FakeEngine(lambda _: SendResult(retry={0: "later"}), items_max=2)
    made = window(engine, [item(1, "a"), item(2, "b"), item(3, "c"), item(3, "d"), item(3, "c")])
    made.step()

    def stop(_: Sequence[Item]) -> SendResult:
        kept.append(made.keep(is_last=True))
        return SendResult()

    engine.answers.append(stop)
    assert not made.step().is_sent
    assert not made.step().is_sent
    held = [(3, item(3, "c")), (3, item(3, "d")), (1, item(1, "a"))]
    assert kept == [Kept(2, held, item(3, "c"))]  # the journal has the rest of 3


def test_what_is_kept_lets_the_journal_go_on() -> None:
    engine = FakeEngine(lambda _: SendResult(retry={0: "later"}))
    made = window(engine, [item(1, "a"), item(2, "b")])
    made.step()
    assert made.keep() == Kept(2, [(1, item(1, "a"))], None)
    made.add(source(numbered([item(3, "a"), item(4, "b"), item(5, "a")])), 5)
    made.step()
    assert made.through_seq == 2
    made.forgive()
    made.step()
    assert (made.through_seq, made.kept(), made.is_empty) == (5, [], True)


def test_what_is_refused_among_held_items_is_found_while_others_go_on() -> None:
    def refuse_five(items: Sequence[Item]) -> SendResult:
        if any(each.at_us == 5 for each in items):
            raise WRONG
        return SendResult()

    hold = [
        lambda items: SendResult(retry={n: "x" for n, each in enumerate(items) if each.uuid == "a"})
    ]
    engine = FakeEngine(*hold, *[refuse_five] * 100, items_max=8)
    made = window(engine, [item(n, "a" if n < 9 else "b") for n in range(1, 40)])
    made.step()
    made.forgive()
    steps = 0
    while made.unrecorded == []:
        made.step()
        steps += 1
        made.has_fresh or made.add(source(numbered([item(100 + steps, "b")])), 100 + steps)
        assert steps < 20
    assert [each.item.at_us for each in made.unrecorded] == [5]


class Moody(FakeEngine):
    """Answers each call, and each device in it, as chance says, until it is calm."""

    def __init__(self, seed: int, items_max: int) -> None:
        super().__init__(items_max=items_max)
        self._chance = random.Random(seed)
        self.is_calm = False

    def send(self, items: Sequence[Item]) -> SendResult:
        if not self.is_calm:
            self.answers.append(self._answer(items))
        return super().send(items)

    def _answer(self, items: Sequence[Item]) -> Exception | Callable[..., SendResult]:
        mood = self._chance.random()
        if mood < 0.25:
            return self._chance.choice([GONE, WRONG, SLOWLY, ZeroDivisionError()])
        places = range(len(items))
        throttled = {each.uuid for each in items if self._chance.random() < 0.3}
        # From a place of its own on nothing of a throttled device is taken.
        firsts = {uuid: self._chance.choice(places) for uuid in throttled}
        retry = {n: "later" for n in places if n >= firsts.get(items[n].uuid, len(items))}
        refused = {n: "no" for n in places if n not in retry and self._chance.random() < 0.05}
        return lambda _: SendResult(retry, refused)


@given(
    seed=st.integers(0, 2**32),
    count=st.integers(0, 60),
    items_max=st.integers(1, 8),
    per_batch=st.integers(1, 8),
    ends=st.lists(st.tuples(st.integers(1, 20), st.sampled_from(["keep", "stop", "crash"]))),
)
def test_whatever_fails_each_item_is_settled_in_order_and_twice_only_after_a_crash(
    seed: int,
    count: int,
    items_max: int,
    per_batch: int,
    ends: list[tuple[int, str]],
) -> None:
    """Beside a plain reference: what each device wrote, in order, and where the journal may be."""
    chance = random.Random(seed)
    engine = Moody(seed, items_max)
    entries = [(1 + n // per_batch, item(n, chance.choice("abcd"))) for n in range(count)]
    refused: list[Item] = []
    disk = (0, 0, list[Entry]())  # the place, what is passed of the batch behind it, and held
    lives: list[list[Item]] = []
    has_crashed = False
    for steps, end in [*ends, (10_000, "")]:
        has_crashed |= end == "crash"
        engine.delivered = []
        place, passed, held = disk
        clock = Clock()
        made = Window(engine, 60.0, place, held, now_s=clock, chance=chance.random)
        rest = unsent(entries, place, passed)
        while rest or made.has_fresh or not made.is_empty:
            if not made.has_fresh:
                cut = chance.randrange(1, 1 + len(rest)) if rest else 0
                while 0 < cut < len(rest) and rest[cut][0] == rest[cut - 1][0]:
                    cut += 1  # whole batches
                if cut:
                    made.add(source(rest[:cut], chance.randrange(1, 4)), rest[cut - 1][0])
                    rest = rest[cut:]
            engine.is_calm = steps < 9_900 and not end
            if not made.can_send:
                assert made.wait_s() > 0
                clock.now_s += made.wait_s()
            try:
                made.step()
            except ZeroDivisionError:
                continue
            finally:
                steps -= 1
            refused += [each.item for each in made.unrecorded]
            made.recorded(len(made.unrecorded))
            check_passed(made, entries, refused, [*lives, engine.delivered])
            disk = (made.through_seq, passed * (made.through_seq == place), made.kept())
            if not steps:
                break
            if end == "keep" and not steps % 3:
                disk = on_disk(made.keep(), disk)
                place, passed, _ = disk
        lives.append(engine.delivered)
        if end != "crash":
            disk = on_disk(made.keep(is_last=True), disk)
        if not has_crashed:
            settled = [each.at_us for life in lives for each in life]
            settled += [each.at_us for each in refused]
            left = [each.at_us for _, each in (*disk[2], *unsent(entries, *disk[:2]))]
            assert len(left) == len(set(left))
            assert not set(left) & set(settled)
    arrived = {each.at_us for life in lives for each in life} | {each.at_us for each in refused}
    assert arrived == set(range(count))
    if not has_crashed:
        assert sum(map(len, lives)) + len(refused) == count
    if not has_crashed:  # a stop changes nothing
        lives = [[each for life in lives for each in life]]
    for life in lives:
        for device in "abcd":
            of_device = [each.at_us for each in life if each.uuid == device]
            assert of_device == sorted(set(of_device))


def on_disk(kept: Kept, before: tuple[int, int, list[Entry]]) -> tuple[int, int, list[Entry]]:
    """What is written down; of the batch behind the place, what is before an item's time."""
    passed = 0 if kept.rest is None else kept.rest.at_us
    if kept.seq == before[0]:
        passed = max(passed, before[1])
    return kept.seq, passed, [*kept.entries]


def unsent(entries: Sequence[Entry], place: int, passed: int) -> list[Entry]:
    """What the journal is read for."""
    return [each for each in entries if each[0] > place and each[1].at_us >= passed]


def check_passed(
    made: Window,
    entries: Sequence[Entry],
    refused: Sequence[Item],
    lives: Sequence[Sequence[Item]],
) -> None:
    """What the journal may let go of is settled, or kept."""
    settled = {each.item_id for life in lives for each in life}
    settled |= {each.item_id for each in refused} | {each.item_id for _, each in made.kept()}
    assert all(each.item_id in settled for seq, each in entries if seq <= made.through_seq)
