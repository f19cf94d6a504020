"""Takes what is due from the outbox, has it tried, and records what came of it.

A delivery under way stays due in the outbox until its attempt is recorded, so whatever is under way
when the process dies is tried again. In memory are only the attempts under way and the receivers
that fail.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping

import structlog

from thingtank.sinks.circuits import Circuits
from thingtank.sinks.outcome import Outcome, Sink, Verdict
from thingtank.sinks.settings import DeliverySettings
from thingtank.tank.deliveries import (
    Attempt,
    Busy,
    Delivery,
    DeliveryQueue,
    DeliveryState,
    Settlement,
    receiver_of,
)
from thingtank.tank.errors import StorageFailed, reason_of
from thingtank.tank.interfaces import Clock

log = structlog.get_logger()

POLL_S_MAX = 30.0  # a clock that jumped is noticed by then
STORAGE_PAUSE_S = 1.0
STORAGE_PAUSE_S_MAX = 30.0
POSTPONE_S_MIN = 1.0
JITTER = 0.1

_OUTCOMES = {
    DeliveryState.DELIVERED: "delivered",
    DeliveryState.WAITING: "retried",
    DeliveryState.DEAD: "dead",
}

Gone = Callable[[Delivery], Awaitable[None]]


class Dispatcher:
    """From `start` to `stop`; lives in the loop's thread.

    Attributes:
        outcome_counts: what became of attempts since the start: `delivered`, `retried`, `dead`,
            or `postponed`, which was none.
    """

    def __init__(
        self,
        queue: DeliveryQueue,
        sinks: Mapping[str, Sink],
        settings: DeliverySettings,
        clock: Clock,
        on_gone: Gone,
    ) -> None:
        """Make a dispatcher.

        Args:
            sinks: by channel.
            on_gone: disables a delivery's trigger, whose receiver answered 410. Awaited before the
                delivery is settled, maybe more than once.
        """
        self._queue = queue
        self._sinks = sinks
        self._settings = settings
        self._clock = clock
        self._on_gone = on_gone
        self._circuits = Circuits(settings.host_failures_max, settings.host_pause_s_max)
        self._running: dict[asyncio.Task[None], Delivery] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._wake = asyncio.Event()
        self._is_resumed = False
        self.outcome_counts: Counter[str] = Counter()
        queue.on_record(self._wake.set)

    @property
    def running_count(self) -> int:
        """Attempts under way."""
        return len(self._running)

    def start(self) -> None:
        """Begin."""
        self._tasks = [
            asyncio.create_task(self._run(), name="delivery-dispatcher"),
            asyncio.create_task(self._keep_purging(), name="delivery-purge"),
        ]

    async def stop(self) -> None:
        """Start no more; let attempts end for a while; break the rest off, for the next start."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._running:
            await asyncio.wait(self._running, timeout=self._settings.stop_s)
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            try:
                if not self._is_resumed:  # nobody remembers whom the last run left alone
                    await self._queue.resume_all()
                    self._is_resumed = True
                # One instant for both: what became due between two would wait for the next poll.
                now_us = self._clock.now_us()
                await self._start_due(now_us)
                wait_s = await self._idle_s(now_us)
            except StorageFailed as error:
                log.error("outbox_unreadable", reason=reason_of(error))
                wait_s = STORAGE_PAUSE_S
            except Exception:
                log.exception("dispatcher_failed")
                wait_s = STORAGE_PAUSE_S
            try:
                async with asyncio.timeout(wait_s):
                    await self._wake.wait()
            except TimeoutError:
                pass

    async def _start_due(self, now_us: int) -> None:
        """Start all that may be. Each round starts one at least, or puts one off."""
        while (room := self._settings.concurrent_max - len(self._running)) > 0:
            # Where the clock is set back, what is put off were due again at once.
            now_us = min(now_us, self._clock.now_us())
            batch = await self._queue.due(now_us, room, self._busy())
            if not batch:
                return
            left_alone: dict[str, Delivery] = {}
            for delivery in batch:
                if self._pause_s(delivery) and not delivery.is_asked:
                    left_alone[receiver_of(delivery.account_id, delivery.host)] = delivery
                else:
                    self._start_unless_busy(delivery)
            for delivery in left_alone.values():
                # Asked anew: it may have been reached while others were put off, and resumed.
                if pause_s := self._pause_s(delivery):
                    until_us = self._clock.now_us() + int(pause_s * 1_000_000) + 1
                    await self._queue.leave_alone(delivery.account_id, delivery.host, until_us)

    def _pause_s(self, delivery: Delivery) -> float:
        receiver = receiver_of(delivery.account_id, delivery.host)
        return self._circuits.pause_s(receiver, time.monotonic())

    def _start_unless_busy(self, delivery: Delivery) -> None:
        if not self._is_busy(delivery):
            task = asyncio.create_task(self._try(delivery), name=f"delivery-{delivery.delivery_id}")
            self._running[task] = delivery
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._running[task]
        self._wake.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("delivery_task_failed", exc_info=error)

    def _busy(self) -> Busy:
        """Who has as many attempts under way as may be."""
        running = self._running.values()
        hosts = Counter(delivery.host for delivery in running)
        accounts = Counter(delivery.account_id for delivery in running)
        receivers = {receiver_of(delivery.account_id, delivery.host) for delivery in running}
        return Busy(
            [host for host, count in hosts.items() if count >= self._settings.per_host_max],
            [id_ for id_, count in accounts.items() if count >= self._settings.per_account_max],
            {delivery.lane for delivery in running},
            [receiver for receiver in receivers if self._circuits.is_on_trial(receiver)],
        )

    def _is_busy(self, delivery: Delivery) -> bool:
        busy = self._busy()
        return (
            delivery.host in busy.hosts
            or delivery.account_id in busy.account_ids
            or delivery.lane in busy.lanes
            or receiver_of(delivery.account_id, delivery.host) in busy.receivers
        )

    async def _idle_s(self, after_us: int) -> float:
        """For how long nothing more becomes due; attempts that end wake `_run` themselves."""
        due_us = await self._queue.next_due_us(after_us)
        if due_us is None:
            return POLL_S_MAX
        return min(POLL_S_MAX, max(0.0, (due_us - self._clock.now_us()) / 1_000_000))

    async def _try(self, delivery: Delivery) -> None:
        at_us = self._clock.now_us()
        start_s = time.monotonic()
        outcome = await self._outcome_of(delivery)
        duration_us = int((time.monotonic() - start_s) * 1_000_000)
        # A test ends, and says why.
        if outcome.verdict is Verdict.POSTPONED and not delivery.is_test:
            self.outcome_counts["postponed"] += 1
            await self._postpone(delivery, outcome)
            return
        await self._note_reachability(delivery, outcome)
        if outcome.verdict is Verdict.GONE:
            outcome = await self._told_gone(delivery, outcome)
        attempt = Attempt(at_us, duration_us, outcome.status, outcome.answer, outcome.error)
        settlement = self._settlement_of(delivery, outcome, attempt)
        self.outcome_counts[_OUTCOMES[settlement.state]] += 1
        if settlement.state is DeliveryState.DEAD:
            log.warning(
                "delivery_dead",
                delivery_id=delivery.delivery_id,
                trigger_id=delivery.trigger_id,
                host=delivery.host,
                status=outcome.status,
            )
        await self._settle(settlement)

    async def _outcome_of(self, delivery: Delivery) -> Outcome:
        sink = self._sinks.get(delivery.channel)
        if sink is None:
            return Outcome(Verdict.REFUSED, error=f"there is no channel {delivery.channel}")
        try:
            return await sink.deliver(delivery)
        except Exception:
            log.exception("delivery_attempt_failed", delivery_id=delivery.delivery_id)
            return Outcome(Verdict.RETRY, error="a fault of this server; its log says more")

    async def _note_reachability(self, delivery: Delivery, outcome: Outcome) -> None:
        receiver = receiver_of(delivery.account_id, delivery.host)
        if outcome.status is not None:
            if self._circuits.succeeded(receiver):
                await self._recorded(lambda: self._queue.resume(delivery.account_id, delivery.host))
        elif outcome.is_host_failure and (
            pause_s := self._circuits.failed(receiver, time.monotonic())
        ):
            log.info(
                "delivery_host_left_alone",
                host=delivery.host,
                account_id=delivery.account_id,
                pause_s=pause_s,
            )

    async def _told_gone(self, delivery: Delivery, outcome: Outcome) -> Outcome:
        try:
            await self._on_gone(delivery)
        except Exception:
            log.exception("trigger_not_disabled", trigger_id=delivery.trigger_id)
            return Outcome(Verdict.RETRY, outcome.status, outcome.answer, outcome.error)
        return outcome

    def _settlement_of(self, delivery: Delivery, outcome: Outcome, attempt: Attempt) -> Settlement:
        retry_s = self._settings.retry_s
        match outcome.verdict:
            case Verdict.DELIVERED:
                return Settlement(delivery.delivery_id, attempt, DeliveryState.DELIVERED)
            case Verdict.RETRY if delivery.tries < len(retry_s) and not delivery.is_test:
                pause_s = retry_s[delivery.tries] * (1 + JITTER * random.random())  # noqa: S311 - no secret, only spread
                pause_us = int(max(pause_s, outcome.retry_after_s) * 1_000_000)
                due_us = attempt.at_us + attempt.duration_us + pause_us
                return Settlement(delivery.delivery_id, attempt, DeliveryState.WAITING, due_us)
            case _:
                return Settlement(
                    delivery.delivery_id,
                    attempt,
                    DeliveryState.DEAD,
                    ends_queue=outcome.verdict is Verdict.GONE,
                )

    async def _postpone(self, delivery: Delivery, outcome: Outcome) -> None:
        """Put off what was not tried: that is no step of the ladder."""
        pause_us = int(max(POSTPONE_S_MIN, outcome.retry_after_s) * 1_000_000)
        until_us = self._clock.now_us() + pause_us + 1
        await self._recorded(
            lambda: self._queue.postpone(
                delivery.account_id, delivery.host, until_us, outcome.error
            )
        )

    async def _settle(self, settlement: Settlement) -> None:
        await self._recorded(lambda: self._queue.settle(settlement))

    async def _recorded(self, record: Callable[[], Awaitable[None]]) -> None:
        """Record, however long it takes: until then it counts as under way and is not repeated."""
        pause_s = STORAGE_PAUSE_S
        while True:
            try:
                return await record()
            except StorageFailed as error:
                log.error("delivery_not_recorded", reason=reason_of(error))
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, STORAGE_PAUSE_S_MAX)

    async def _keep_purging(self) -> None:
        while True:
            try:
                await self._queue.purge(self._clock.now_us())
            except Exception:
                log.exception("delivery_purge_failed")
            await asyncio.sleep(self._settings.purge_interval_s)
