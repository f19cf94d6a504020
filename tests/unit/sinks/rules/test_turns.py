"""Batches are sent until each item is settled: whole, in part, in halves, in order of each device."""

from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.sinks.rules.fake_engine import FakeEngine, item

from thingtank.aws.clients import AwsMissing
from thingtank.sinks.engine import EngineFailed, Item, SendResult
from thingtank.sinks.rules.turns import Step, Turn
from thingtank.tank.failures import Failure, FailureKind

GONE = EngineFailed.of(FailureKind.UNREACHABLE, "Nobody is there")
WRONG = EngineFailed.of(FailureKind.REFUSED, "That is no value")


def turn(engine: FakeEngine, items: Sequence[Item], last_seq: int | None = None) -> Turn:
    """A turn of items whose batch's number is their time."""
    numbered: Iterator[tuple[int, Item]] = iter([(each.at_us, each) for each in items])
    last = last_seq if last_seq is not None else max((each.at_us for each in items), default=0)
    return Turn(engine, numbered, 0, last)


def run(made: Turn, steps_max: int = 1000) -> list[Step]:
    steps = []
    while not made.is_over:
        steps.append(made.step())
        assert len(steps) < steps_max, "it never ends"
    return steps


def ids(items: Sequence[Item]) -> list[int]:
    return [each.at_us for each in items]


def test_batches_are_as_large_as_the_engine_takes() -> None:
    engine = FakeEngine(items_max=3)
    steps = run(turn(engine, [item(n) for n in range(1, 8)]))
    assert [len(call) for call in engine.calls] == [3, 3, 1]
    assert [step.through_seq for step in steps] == [3, 6, 7]
    assert [step.is_done for step in steps] == [False, False, True]
    assert sum(step.delivered_count for step in steps) == 7


def test_bytes_bound_a_batch_and_one_larger_item_goes_alone() -> None:
    engine = FakeEngine(bytes_max=10)
    sizes = [4, 4, 4, 50, 1]
    run(turn(engine, [item(n, payload=b"x" * size) for n, size in enumerate(sizes, 1)]))
    assert [len(call) for call in engine.calls] == [2, 1, 1, 1]


def test_a_batch_of_the_journal_is_passed_only_when_all_of_it_is_there() -> None:
    engine = FakeEngine(items_max=2)
    items = [(5, item(1)), (5, item(2)), (5, item(3)), (9, item(4))]
    made = Turn(engine, iter(items), 3, 12)
    first, second = made.step(), made.step()
    assert (first.through_seq, first.is_midway) == (4, True)
    assert (second.through_seq, second.is_midway, second.is_done) == (12, False, True)


def test_without_items_a_turn_is_over_at_once() -> None:
    assert turn(FakeEngine(), []).is_over


def test_what_asks_for_another_attempt_is_sent_again_with_what_follows_of_its_device() -> None:
    engine = FakeEngine(lambda _: SendResult(retry={1: "later"}))
    items = [item(1, "a"), item(2, "b"), item(3, "a"), item(4, "b"), item(5, "c")]
    first, second = run(turn(engine, items))
    assert (first.delivered_count, first.retry_count) == (3, 2)
    assert first.retry_failure == Failure(FailureKind.THROTTLED, "in part", "later", "")
    assert (first.through_seq, second.through_seq) == (0, 5)
    assert engine.calls[1] == ["o-2-0", "o-4-0"]


def test_a_refused_item_is_told_and_the_others_are_delivered() -> None:
    engine = FakeEngine(lambda _: SendResult(refused={1: "no"}))
    (step,) = run(turn(engine, [item(1), item(2), item(3)]))
    assert [(refused.item.at_us, refused.reason) for refused in step.refused] == [(2, "no")]
    assert (step.delivered_count, step.through_seq) == (2, 3)


def test_a_device_whose_item_waits_keeps_even_its_refused_ones_behind_it() -> None:
    engine = FakeEngine(lambda _: SendResult(retry={0: "later"}, refused={1: "no"}))
    first, _ = run(turn(engine, [item(1), item(2)]))
    assert (first.retry_count, len(first.refused)) == (2, 0)


@pytest.mark.parametrize("kind", [kind for kind in FailureKind if kind is not FailureKind.REFUSED])
def test_a_call_that_fails_is_made_again(kind: FailureKind) -> None:
    engine = FakeEngine(EngineFailed.of(kind, "It failed"))
    first, second = run(turn(engine, [item(1), item(2)]))
    assert first.failure is not None
    assert (first.failure.kind, first.retry_count, first.through_seq) == (kind, 2, 0)
    assert (second.failure, second.delivered_count) == (None, 2)


def test_a_refused_call_is_made_in_halves_down_to_the_one_item() -> None:
    def refuse_five(items: Sequence[Item]) -> SendResult:
        if any(each.at_us == 5 for each in items):
            raise WRONG
        return SendResult()

    engine = FakeEngine(*[refuse_five] * 20)
    steps = run(turn(engine, [item(n) for n in range(1, 9)]))
    refused = [each for step in steps for each in step.refused]
    assert [each.item.at_us for each in refused] == [5]
    assert "That is no value" in refused[0].reason
    assert ids(engine.delivered) == [1, 2, 3, 4, 6, 7, 8]
    assert len(engine.calls) <= 7
    assert [step.through_seq for step in steps][:-1] == [0] * (len(steps) - 1)


def test_what_boto3_raises_is_understood() -> None:
    from botocore.exceptions import EndpointConnectionError

    engine = FakeEngine(EndpointConnectionError(endpoint_url="http://127.0.0.1:1"))
    first, _ = run(turn(engine, [item(1)]))
    assert first.failure is not None
    assert first.failure.kind is FailureKind.UNREACHABLE


def test_a_missing_boto3_is_told_in_words() -> None:
    first, _ = run(turn(FakeEngine(AwsMissing()), [item(1)]))
    assert first.failure is not None
    assert first.failure.kind is FailureKind.MISSING
    assert "pip install" in str(first.failure)


def test_a_fault_of_ours_is_raised_and_loses_nothing() -> None:
    engine = FakeEngine(ZeroDivisionError())
    made = turn(engine, [item(1), item(2)])
    with pytest.raises(ZeroDivisionError):
        made.step()
    run(made)
    assert ids(engine.delivered) == [1, 2]


class Moody(FakeEngine):
    """Answers as chance says, for a while."""

    def __init__(self, moods: list[int], items_max: int) -> None:
        super().__init__(items_max=items_max)
        self._moods = moods

    def send(self, items: Sequence[Item]) -> SendResult:
        mood = self._moods.pop() if self._moods else 0
        place = mood % len(items)
        behind = [n for n, each in enumerate(items) if each.uuid == items[place].uuid]
        answers = {
            1: lambda _: SendResult(retry={n: "later" for n in behind if n >= place}),
            2: lambda _: SendResult(refused={place: "no"}),
            3: GONE,
            4: WRONG,
        }
        if answer := answers.get(mood % 5):
            self.answers.append(answer)
        return super().send(items)


@given(
    devices=st.lists(st.sampled_from("abc"), max_size=30),
    moods=st.lists(st.integers(0, 99), max_size=20),
    items_max=st.integers(1, 8),
    per_batch=st.integers(1, 4),
)
def test_whatever_fails_each_item_is_settled_once_and_in_its_devices_order(
    devices: list[str], moods: list[int], items_max: int, per_batch: int
) -> None:
    engine = Moody(moods, items_max)
    items = [(1 + n // per_batch, item(n, device)) for n, device in enumerate(devices)]
    last_seq = 100
    made = Turn(engine, iter(items), 0, last_seq)
    settled: set[str] = set()
    steps = []
    while not made.is_over:
        step = made.step()
        steps.append(step)
        settled |= {each.item.item_id for each in step.refused}
        settled |= {each.item_id for each in engine.delivered}
        # What the journal may let go of is settled; and what is midway is so by half.
        assert all(each.item_id in settled for seq, each in items if seq <= step.through_seq)
        waiting = {seq for seq, each in items if each.item_id not in settled}
        begun = {seq for seq, each in items if each.item_id in settled}
        assert step.is_midway or not waiting & begun
    refused = [each.item for step in steps for each in step.refused]
    assert sorted(each.at_us for each in engine.delivered + refused) == list(range(len(devices)))
    for device in "abc":
        of_device = [each.at_us for each in engine.delivered if each.uuid == device]
        assert of_device == sorted(of_device)
    if steps:
        assert steps[-1].is_done
        assert steps[-1].through_seq == last_seq
