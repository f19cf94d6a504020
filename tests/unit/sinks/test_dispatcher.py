"""The dispatcher over a real outbox: order, bounds, the ladder, what a receiver says."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.deliveries import NOW, S, SettableClock, eventually, new, outbox_in

from thingtank.sinks.dispatcher import Dispatcher
from thingtank.sinks.outcome import Outcome, Verdict
from thingtank.sinks.settings import DeliverySettings
from thingtank.stores.outbox_settings import OutboxSettings
from thingtank.stores.sqlite_outbox import SqliteOutbox
from thingtank.tank.deliveries import Busy, Delivery, DeliveryQuery, DeliveryState, Settlement
from thingtank.tank.errors import StorageFailed
from thingtank.tank.outbox import NewDelivery
from thingtank.tank.tank import SystemClock

OK = Outcome(Verdict.DELIVERED, 200, b"ok")
ERROR = Outcome(Verdict.RETRY, 500, b"", "the receiver answered 500")
DEAD_HOST = Outcome(Verdict.RETRY, error="no connection", is_host_failure=True)
QUICK = DeliverySettings(retry_s=(0.01,) * 9)

Answer = Callable[[Delivery], Awaitable[Outcome]]


class FakeSink:
    """Answers as it is told; remembers who was there, and how many at once."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.tried: list[Delivery] = []
        self.running: Counter[str] = Counter()
        self.most: Counter[str] = Counter()

    async def deliver(self, delivery: Delivery) -> Outcome:
        self.tried.append(delivery)
        keys = ("all", delivery.host, f"account {delivery.account_id}", f"{delivery.trigger_id}")
        for key in keys:
            self.running[key] += 1
            self.most[key] = max(self.most[key], self.running[key])
        try:
            return await self._answer(delivery)
        finally:
            for key in keys:
                self.running[key] -= 1

    @property
    def ids(self) -> list[int]:
        return [delivery.delivery_id for delivery in self.tried]


def always(outcome: Outcome, pause_s: float = 0) -> Answer:
    async def answer(delivery: Delivery) -> Outcome:
        await asyncio.sleep(pause_s)
        return outcome

    return answer


@pytest.fixture
async def outbox(tmp_path: Path) -> AsyncIterator[SqliteOutbox]:
    async with outbox_in(tmp_path) as outbox:
        yield outbox


@asynccontextmanager
async def dispatching(
    outbox: SqliteOutbox,
    sink: FakeSink,
    settings: DeliverySettings = QUICK,
    gone: Callable[[Delivery], Awaitable[None]] | None = None,
    clock: SettableClock | SystemClock | None = None,
) -> AsyncIterator[Dispatcher]:
    async def ignore(delivery: Delivery) -> None:
        raise AssertionError("nobody is gone")

    dispatcher = Dispatcher(
        outbox, {"webhook": sink}, settings, clock or SystemClock(), gone or ignore
    )
    dispatcher.start()
    try:
        yield dispatcher
    finally:
        await dispatcher.stop()


async def record(outbox: SqliteOutbox, deliveries: Sequence[NewDelivery]) -> None:
    await outbox.record("triggers", 1, {}, deliveries)


async def settled(outbox: SqliteOutbox, count: int) -> None:
    async def all_are() -> bool:
        counts = await outbox.counts()
        return sum(counts.values()) - counts.get(DeliveryState.WAITING, 0) == count

    await eventually(all_are)


async def states(outbox: SqliteOutbox) -> list[str]:
    return [
        str(x.state) for x in reversed((await outbox.list(DeliveryQuery(limit=200))).deliveries)
    ]


def recent(*args: object, **kwargs: object) -> NewDelivery:
    """One that is due by the system's clock."""
    return new(*args, created_us=SystemClock().now_us(), **kwargs)  # type: ignore[arg-type] # as `new` takes them


async def test_what_is_recorded_while_it_runs_is_delivered_at_once(outbox: SqliteOutbox) -> None:
    sink = FakeSink(always(OK))
    async with dispatching(outbox, sink):
        await asyncio.sleep(0.05)
        await record(outbox, [recent(n) for n in range(20)])
        await settled(outbox, 20)
    assert set(await states(outbox)) == {"delivered"}
    assert await outbox.attempts(1) != []


async def test_a_flapping_receiver_gets_everything_in_each_triggers_order(
    outbox: SqliteOutbox,
) -> None:
    calls = 0

    async def flap(delivery: Delivery) -> Outcome:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0.001)
        return ERROR if calls % 2 else OK

    sink = FakeSink(flap)
    await record(outbox, [recent(1 + n % 3) for n in range(30)])
    async with dispatching(outbox, sink, DeliverySettings(retry_s=(0.001,) * 50)):
        await settled(outbox, 30)
    assert set(await states(outbox)) == {"delivered"}
    for trigger_id in (1, 2, 3):
        order = [x.delivery_id for x in sink.tried if x.trigger_id == trigger_id]
        assert order == sorted(order)
        assert sink.most[str(trigger_id)] == 1


async def test_no_more_are_under_way_than_the_settings_say(outbox: SqliteOutbox) -> None:
    settings = DeliverySettings(concurrent_max=7, per_account_max=5, per_host_max=2)
    sink = FakeSink(always(OK, 0.005))
    await record(
        outbox,
        [recent(n, f"http://{n % 6}.example/", account_id=1 + n % 2) for n in range(90)],
    )
    async with dispatching(outbox, sink, settings) as dispatcher:
        await settled(outbox, 90)
        assert dispatcher.running_count <= 7
    assert sink.most["all"] == 7
    assert max(sink.most[f"http://{n}.example:80"] for n in range(6)) == 2
    assert max(sink.most["account 1"], sink.most["account 2"]) <= 5


async def test_a_slow_host_and_an_account_full_of_them_hold_up_nobody_else(
    outbox: SqliteOutbox,
) -> None:
    async def answer(delivery: Delivery) -> Outcome:
        await asyncio.sleep(30 if "slow" in delivery.host else 0)
        return OK

    sink = FakeSink(answer)
    slow = [recent(n, f"http://slow{n % 40}.example/") for n in range(400)]
    await record(outbox, [*slow, *(recent(1000 + n, account_id=2) for n in range(100))])
    async with dispatching(outbox, sink, DeliverySettings(stop_s=0.01)):
        await eventually(lambda: delivered(outbox, 100))
    assert sink.most["account 1"] == 16


async def delivered(outbox: SqliteOutbox, count: int) -> bool:
    return (await outbox.counts()).get(DeliveryState.DELIVERED, 0) == count


async def test_a_dead_host_is_not_tried_for_each_of_many_deliveries(outbox: SqliteOutbox) -> None:
    async def answer(delivery: Delivery) -> Outcome:
        return DEAD_HOST if "dead" in delivery.host else OK

    sink = FakeSink(answer)
    for _ in range(5):
        await record(outbox, [recent(n, "http://dead.example/") for n in range(1900)])
    await record(outbox, [recent(5000 + n) for n in range(50)])
    async with dispatching(outbox, sink):
        await eventually(lambda: delivered(outbox, 50))
        await asyncio.sleep(0.3)
        tried = [x for x in sink.tried if "dead" in x.host]
        assert len(tried) <= 6, "three failures in a row, and those under way beside them"
        await record(outbox, [recent(9000, "http://dead.example/"), recent(9001)])
        await eventually(lambda: delivered(outbox, 51))
        assert len([x for x in sink.tried if "dead" in x.host]) == len(tried)
    assert (await outbox.counts())[DeliveryState.WAITING] == 9501


async def test_a_host_that_comes_back_is_asked_by_one_attempt_and_gets_everything(
    outbox: SqliteOutbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("thingtank.sinks.circuits.FIRST_PAUSE_S", 0.1)
    is_dead = True

    async def answer(delivery: Delivery) -> Outcome:
        await asyncio.sleep(0.001)
        return DEAD_HOST if is_dead else OK

    sink = FakeSink(answer)
    await record(outbox, [recent(n) for n in range(60)])
    async with dispatching(outbox, sink, DeliverySettings(retry_s=(0.01,) * 50)):
        await asyncio.sleep(0.4)
        assert len(sink.tried) <= 8
        is_dead = False
        await settled(outbox, 60)
    assert set(await states(outbox)) == {"delivered"}


class Switchable(FakeSink):
    """A receiver that is down until somebody brings it back."""

    def __init__(self) -> None:
        self.is_dead = True
        super().__init__(self._answer_now)

    async def _answer_now(self, delivery: Delivery) -> Outcome:
        await asyncio.sleep(0.002)
        return DEAD_HOST if self.is_dead else OK


@asynccontextmanager
async def left_alone(outbox: SqliteOutbox, count: int) -> AsyncIterator[Switchable]:
    """A dispatcher that leaves the receiver alone, of so many deliveries of account 1."""
    sink = Switchable()
    await record(outbox, [recent(n) for n in range(count)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("thingtank.sinks.circuits.FIRST_PAUSE_S", 60.0)
        async with dispatching(outbox, sink, DeliverySettings(retry_s=(0.01,) * 50)):
            await eventually(lambda: is_quiet(sink, 3))
            yield sink


async def is_quiet(sink: FakeSink, count_min: int) -> bool:
    before = len(sink.tried)
    await asyncio.sleep(0.1)
    return len(sink.tried) == before >= count_min


@pytest.mark.parametrize("way", ["retry", "test"])
async def test_what_a_person_asks_for_is_tried_though_the_receiver_is_left_alone(
    outbox: SqliteOutbox, way: str
) -> None:
    async with left_alone(outbox, 40) as sink:
        sink.is_dead = False
        await asyncio.sleep(0.1)
        assert await delivered(outbox, 0), "it is still left alone"
        if way == "test":
            await record(outbox, [recent(500, is_test=True)])
        else:
            await outbox.retry(20, SystemClock().now_us())
        asked_id = 41 if way == "test" else 20
        await eventually(lambda: delivered_one(outbox, asked_id))
        await eventually(lambda: all_delivered(outbox, {*range(1, 41)}))


async def all_delivered(outbox: SqliteOutbox, ids: set[int]) -> bool:
    found = (await outbox.list(DeliveryQuery(state=DeliveryState.DELIVERED, limit=200))).deliveries
    return ids <= {delivery.delivery_id for delivery in found}


async def test_many_that_are_asked_for_try_a_dead_receiver_one_by_one_and_each_once(
    outbox: SqliteOutbox,
) -> None:
    async with left_alone(outbox, 40) as sink:
        sink.most.clear()
        before = len(sink.tried)
        for number in range(1, 41):
            await outbox.retry(number, SystemClock().now_us())
        await record(outbox, [recent(500, is_test=True), recent(501)])
        await eventually(lambda: is_dead(outbox, 41))
        await eventually(lambda: is_quiet(sink, before + 41))
        assert sorted(sink.ids[before:]) == [*range(1, 42)]
        assert sink.most["http://receiver.example:80"] == 1


async def is_dead(outbox: SqliteOutbox, delivery_id: int) -> bool:
    return (await outbox.get(delivery_id)).state is DeliveryState.DEAD


async def test_what_one_account_asks_for_opens_a_receiver_for_no_other(
    outbox: SqliteOutbox,
) -> None:
    async with left_alone(outbox, 10) as sink:
        await record(outbox, [recent(100 + n, account_id=2) for n in range(10)])
        await eventually(lambda: is_quiet(sink, 6))
        sink.is_dead = False
        await record(outbox, [recent(500, is_test=True)])
        await eventually(lambda: delivered_one(outbox, 21))
        await eventually(lambda: is_quiet(sink, 7))
        found = (await outbox.list(DeliveryQuery(account_id=2, limit=200))).deliveries
        assert {str(delivery.state) for delivery in found} == {"waiting"}


async def test_a_start_leaves_no_receiver_alone_for_what_was_before(outbox: SqliteOutbox) -> None:
    async with left_alone(outbox, 40):
        pass
    async with dispatching(outbox, FakeSink(always(OK))):
        await eventually(lambda: all_delivered(outbox, {*range(1, 41)}))


async def test_a_receiver_that_asks_for_a_pause_has_it_also_after_it_was_left_alone(
    outbox: SqliteOutbox,
) -> None:
    busy = Outcome(Verdict.RETRY, 429, b"", "busy", retry_after_s=60)
    async with left_alone(outbox, 10) as sink:
        sink.is_dead = False
        first, answer = True, sink._answer

        async def busy_once(delivery: Delivery) -> Outcome:
            nonlocal first
            was_first, first = first, False
            return busy if was_first else await answer(delivery)

        sink._answer = busy_once
        await outbox.retry(10, SystemClock().now_us())
        await eventually(lambda: is_quiet(sink, 5))
        assert sink.ids.count(10) == 1
        assert not await delivered_one(outbox, 10)


async def test_one_account_cannot_have_a_host_left_alone_for_another(outbox: SqliteOutbox) -> None:
    async def answer(delivery: Delivery) -> Outcome:
        return DEAD_HOST if delivery.account_id == 1 else OK

    sink = FakeSink(answer)
    await record(outbox, [recent(n, account_id=1) for n in range(30)])
    async with dispatching(outbox, sink):
        await asyncio.sleep(0.2)
        await record(outbox, [recent(100 + n, account_id=2) for n in range(30)])
        await eventually(lambda: delivered(outbox, 30))


async def test_the_ladder_ends_in_a_dead_letter_and_the_next_begins(outbox: SqliteOutbox) -> None:
    clock = SettableClock()
    ladder = DeliverySettings().retry_s
    sink = FakeSink(always(ERROR))
    await record(outbox, [new(1), new(1)])
    pauses = []
    async with dispatching(outbox, sink, DeliverySettings(), clock=clock) as dispatcher:
        for number in range(1, len(ladder) + 2):
            await eventually(lambda number=number: tried_and_recorded(outbox, 1, number))
            due_us = (await outbox.get(1)).due_us
            if due_us is None:
                break
            pauses.append((due_us - clock.us) / S)
            clock.us = due_us - 1
            dispatcher._wake.set()
            await asyncio.sleep(0.02)
            assert len(sink.tried) == number, "not before its time"
            clock.us = due_us
            dispatcher._wake.set()
        clock.us += S
        dispatcher._wake.set()
        await eventually(lambda: tried_and_recorded(outbox, 2, 1))
    assert ladder == (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
    assert all(a <= b <= a * 1.11 for a, b in zip(ladder, pauses, strict=True))
    assert await states(outbox) == ["dead", "waiting"]
    assert sink.ids == [1] * 10 + [2]


async def tried_and_recorded(outbox: SqliteOutbox, delivery_id: int, count: int) -> bool:
    return (await outbox.get(delivery_id)).attempt_count == count


async def test_a_longer_pause_that_is_asked_for_is_kept(outbox: SqliteOutbox) -> None:
    clock = SettableClock()
    busy = Outcome(Verdict.RETRY, 429, b"", "busy", retry_after_s=600)
    await record(outbox, [new(1)])
    async with dispatching(outbox, FakeSink(always(busy)), DeliverySettings(), clock=clock):
        await eventually(lambda: tried_and_recorded(outbox, 1, 1))
    due_us = (await outbox.get(1)).due_us
    assert due_us is not None
    assert 600 * S <= due_us - NOW < 601 * S


TOO_MANY = Outcome(Verdict.POSTPONED, error="100 within an hour", retry_after_s=600)


async def test_what_is_put_off_without_a_try_waits_with_its_reason_and_costs_no_try(
    outbox: SqliteOutbox,
) -> None:
    clock = SettableClock()

    async def answer(delivery: Delivery) -> Outcome:
        return TOO_MANY if len(sink.tried) <= 12 else OK  # the ladder has 9 steps

    sink = FakeSink(answer)
    await record(outbox, [new(1)])
    for _ in range(12):
        async with dispatching(outbox, sink, clock=clock):
            await eventually(lambda: is_due_at(outbox, clock.us + 600 * S))
        clock.us += 601 * S
        waiting = await outbox.get(1)
        assert (waiting.tries, waiting.attempt_count, waiting.error) == (0, 0, "100 within an hour")
    async with dispatching(outbox, sink, clock=clock):
        await settled(outbox, 1)
    assert await states(outbox) == ["delivered"]
    assert sink.ids == [1] * 13
    assert (await outbox.get(1)).error == ""


async def is_due_at(outbox: SqliteOutbox, at_us: int) -> bool:
    due_us = (await outbox.get(1)).due_us
    return due_us is not None and at_us <= due_us < at_us + S


async def test_one_that_is_put_off_does_not_come_again_at_once(outbox: SqliteOutbox) -> None:
    clock = SettableClock()
    sink = FakeSink(always(Outcome(Verdict.POSTPONED)))
    await record(outbox, [new(1)])
    async with dispatching(outbox, sink, clock=clock):
        await eventually(lambda: is_due_at(outbox, NOW + S))
        await asyncio.sleep(0.05)
    assert sink.ids == [1]


class SlowToRead:
    """An outbox that takes a second to say what is due."""

    def __init__(self, outbox: SqliteOutbox, clock: SettableClock) -> None:
        self._outbox = outbox
        self._clock = clock

    def __getattr__(self, name: str) -> object:
        return getattr(self._outbox, name)

    async def due(self, now_us: int, limit: int, busy: Busy) -> Sequence[Delivery]:
        found = await self._outbox.due(now_us, limit, busy)
        self._clock.us += S
        return found


async def test_what_becomes_due_while_the_outbox_is_read_does_not_wait_for_the_next_poll(
    outbox: SqliteOutbox,
) -> None:
    clock = SettableClock()
    sink = FakeSink(always(OK))
    await record(outbox, [new(1, created_us=NOW + S // 2)])
    async with dispatching(SlowToRead(outbox, clock), sink, clock=clock):  # type: ignore[arg-type] # a stand-in
        await settled(outbox, 1)
    assert sink.ids == [1]


class SetBack:
    """An outbox during whose second read the clock is set back by an hour; counts the reads."""

    def __init__(self, outbox: SqliteOutbox, clock: SettableClock) -> None:
        self._outbox = outbox
        self._clock = clock
        self.due_count = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._outbox, name)

    async def due(self, now_us: int, limit: int, busy: Busy) -> Sequence[Delivery]:
        found = await self._outbox.due(now_us, limit, busy)
        self.due_count += 1
        if self.due_count == 2:
            self._clock.us -= 3600 * S
        return found


async def test_what_is_put_off_while_the_clock_is_set_back_is_not_read_again_and_again(
    outbox: SqliteOutbox,
) -> None:
    clock = SettableClock()
    set_back = SetBack(outbox, clock)
    settings = DeliverySettings(host_failures_max=1, concurrent_max=1)
    await record(outbox, [new(1), new(2)])
    async with dispatching(set_back, FakeSink(always(DEAD_HOST)), settings, clock=clock):  # type: ignore[arg-type] # a stand-in
        await asyncio.sleep(0.3)
    assert 2 <= set_back.due_count < 6


async def test_a_test_is_not_put_off_but_says_why(outbox: SqliteOutbox) -> None:
    await record(outbox, [recent(1, is_test=True)])
    async with dispatching(outbox, FakeSink(always(TOO_MANY))):
        await settled(outbox, 1)
    assert await states(outbox) == ["dead"]
    assert (await outbox.get(1)).error == "100 within an hour"


async def test_a_test_is_tried_once(outbox: SqliteOutbox) -> None:
    sink = FakeSink(always(ERROR))
    await record(outbox, [recent(1, is_test=True)])
    async with dispatching(outbox, sink):
        await settled(outbox, 1)
    assert await states(outbox) == ["dead"]
    assert sink.ids == [1]


async def test_what_cannot_become_right_is_a_dead_letter_at_once(outbox: SqliteOutbox) -> None:
    sink = FakeSink(always(Outcome(Verdict.REFUSED, error="a private address")))
    await record(outbox, [recent(1), recent(2, channel="pigeon")])
    async with dispatching(outbox, sink):
        await settled(outbox, 2)
    found = [await outbox.get(number) for number in (1, 2)]
    assert [x.error for x in found] == ["a private address", "there is no channel pigeon"]


async def test_a_receiver_that_is_gone_disables_its_trigger_before_that_is_recorded(
    outbox: SqliteOutbox,
) -> None:
    told: list[tuple[int, str]] = []

    async def gone(delivery: Delivery) -> None:
        told.append((delivery.trigger_id, str((await outbox.get(delivery.delivery_id)).state)))

    sink = FakeSink(always(Outcome(Verdict.GONE, 410, b"", "the receiver answered 410 Gone")))
    await record(outbox, [recent(1), recent(1), recent(1)])
    async with dispatching(outbox, sink, gone=gone):
        await settled(outbox, 3)
    assert told == [(1, "waiting")]
    assert await states(outbox) == ["dead"] * 3
    assert sink.ids == [1]


async def test_a_trigger_that_could_not_be_disabled_is_told_again(outbox: SqliteOutbox) -> None:
    told = 0

    async def gone(delivery: Delivery) -> None:
        nonlocal told
        told += 1
        if told < 3:
            raise StorageFailed("not now")

    sink = FakeSink(always(Outcome(Verdict.GONE, 410, b"", "the receiver answered 410 Gone")))
    await record(outbox, [recent(1)])
    async with dispatching(outbox, sink, gone=gone):
        await settled(outbox, 1)
    assert (told, sink.ids) == (3, [1, 1, 1])


async def test_a_bug_in_a_sink_costs_an_attempt_and_nothing_else(outbox: SqliteOutbox) -> None:
    async def answer(delivery: Delivery) -> Outcome:
        if len(sink.tried) == 1:
            raise RuntimeError("a bug")
        return OK

    sink = FakeSink(answer)
    await record(outbox, [recent(1), recent(1)])
    async with dispatching(outbox, sink):
        await settled(outbox, 2)
    assert sink.ids == [1, 1, 2]
    assert "fault of this server" in (await outbox.attempts(1))[0].error


class Failing:
    """An outbox whose disk refuses for a while."""

    def __init__(self, outbox: SqliteOutbox) -> None:
        self._outbox = outbox
        self.settle_failures = self.due_failures = self.postpone_failures = 2

    def __getattr__(self, name: str) -> object:
        return getattr(self._outbox, name)

    async def settle(self, settlement: Settlement) -> None:
        if self.settle_failures:
            self.settle_failures -= 1
            raise StorageFailed("full")
        await self._outbox.settle(settlement)

    async def postpone(self, account_id: int, host: str, until_us: int, reason: str = "") -> None:
        if self.postpone_failures:
            self.postpone_failures -= 1
            raise StorageFailed("full")
        await self._outbox.postpone(account_id, host, until_us, reason)

    async def resume_all(self) -> None:
        if self.due_failures:
            self.due_failures -= 1
            raise StorageFailed("full")
        await self._outbox.resume_all()

    async def due(self, now_us: int, limit: int, busy: Busy) -> Sequence[Delivery]:
        if self.due_failures:
            self.due_failures -= 1
            raise StorageFailed("full")
        return await self._outbox.due(now_us, limit, busy)


async def test_a_disk_that_refuses_for_a_while_delays_and_repeats_nothing(
    outbox: SqliteOutbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("thingtank.sinks.dispatcher.STORAGE_PAUSE_S", 0.01)
    sink = FakeSink(always(OK))
    await record(outbox, [recent(1), recent(1)])
    async with dispatching(Failing(outbox), sink):  # type: ignore[arg-type] # a stand-in
        await settled(outbox, 2)
    assert sink.ids == [1, 2]


async def test_what_cannot_be_put_off_for_a_disk_that_refuses_is_not_asked_for_again(
    outbox: SqliteOutbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("thingtank.sinks.dispatcher.STORAGE_PAUSE_S", 0.01)
    sink = FakeSink(always(TOO_MANY))
    await record(outbox, [new(1)])
    async with dispatching(Failing(outbox), sink, clock=SettableClock()):  # type: ignore[arg-type] # a stand-in
        await eventually(lambda: is_due_at(outbox, NOW + 600 * S))
    assert sink.ids == [1]


async def test_stopping_waits_a_little_and_leaves_the_rest_for_the_next_start(
    outbox: SqliteOutbox,
) -> None:
    async def answer(delivery: Delivery) -> Outcome:
        await asyncio.sleep(0.1 if delivery.trigger_id == 1 else 60)
        return OK

    sink = FakeSink(answer)
    await record(outbox, [recent(1), recent(1), recent(2)])
    async with dispatching(outbox, sink, DeliverySettings(stop_s=0.5)):
        await eventually(lambda: is_running(sink, 2))
    assert await states(outbox) == ["delivered", "waiting", "waiting"]
    assert sink.running["all"] == 0
    again = FakeSink(always(OK))
    async with dispatching(outbox, again):
        await settled(outbox, 3)
    assert sorted(again.ids) == [2, 3]


async def is_running(sink: FakeSink, count: int) -> bool:
    return sink.running["all"] == count


async def test_many_dead_letters_tried_again_hold_up_nobody(outbox: SqliteOutbox) -> None:
    await record(outbox, [recent(1) for _ in range(100)])
    now_us = SystemClock().now_us()
    for number in range(1, 101):
        await outbox.cancel(number, now_us)
        await outbox.retry(number, now_us)

    async def answer(delivery: Delivery) -> Outcome:
        await asyncio.sleep(0.1 if delivery.trigger_id == 1 else 0)
        return OK

    sink = FakeSink(answer)
    await record(outbox, [recent(2)])
    async with dispatching(outbox, sink):
        await eventually(lambda: delivered_one(outbox, 101), s_max=2.0)
    assert sink.most["1"] == 1


async def delivered_one(outbox: SqliteOutbox, delivery_id: int) -> bool:
    return (await outbox.get(delivery_id)).state is DeliveryState.DELIVERED


async def test_old_deliveries_are_purged_by_and_by(tmp_path: Path) -> None:
    async with outbox_in(tmp_path, OutboxSettings(log_per_account_max=5)) as outbox:
        await record(outbox, [recent(n) for n in range(30)])

        async def few() -> bool:
            return (await outbox.counts()).get(DeliveryState.DELIVERED) == 5

        async with dispatching(
            outbox, FakeSink(always(OK)), DeliverySettings(purge_interval_s=0.05)
        ):
            await eventually(few)
