"""Try a trigger on stored history: when would it have fired?"""

import asyncio
from collections.abc import Sequence

import msgspec

from thingtank.tank.access import Caller, check_reach, check_resolution
from thingtank.tank.actions.datastreams import existing
from thingtank.tank.actions.triggers import drafted, get_trigger
from thingtank.tank.datapoints import AT_US_MAX, AT_US_MIN, Datapoint
from thingtank.tank.errors import ValidationFailed
from thingtank.tank.tank import Tank
from thingtank.tank.trigger_rules import FROZEN_US, Firing, TriggerState, step
from thingtank.tank.triggers import Trigger, TriggerChange

FIRINGS_MAX = 1000
_PAGE_DATAPOINTS = 10_000


class Backtest(msgspec.Struct, frozen=True):
    """When a trigger would have fired.

    Attributes:
        firings: oldest first, at most FIRINGS_MAX.
        through_us: all up to this instant was looked at, this one included.
        is_complete: whether that is all that was asked for; if not, ask from `through_us` on.
        datapoint_count: how many datapoints were looked at.
    """

    firings: Sequence[Firing]
    through_us: int
    is_complete: bool
    datapoint_count: int


async def backtest_trigger(
    tank: Tank,
    caller: Caller,
    device_id: int,
    name: str,
    draft: TriggerChange,
    start_us: int | None = None,
    end_us: int | None = None,
    frozen_us: int = FROZEN_US,
) -> Backtest:
    """Show when a trigger would have fired over a range, before it is made.

    Every datapoint is taken to have arrived at its own time. What the condition was before the
    range is known, so that only what became true within it counts. Every stored datapoint is looked
    at, a page at a time; `Limits.backtest_datapoints_max` bounds how many.

    Args:
        draft: the trigger's content; a receiver is not needed.
        start_us, end_us: both ends included; None for all there is, until now.

    Raises:
        NoSuchDevice, NoSuchDatastream, ValidationFailed, NotAllowed, Unauthenticated.
    """
    device = tank.directory.get_device(device_id)
    check_reach(caller, "get", device, name)
    check_resolution(caller, 0, device)
    datastream = existing(tank, device_id, name)
    now_us = tank.clock.now_us()
    if not draft.url and not draft.email:
        draft = msgspec.structs.replace(draft, url="http://nobody.invalid/")
    trigger = drafted(tank, device, name, draft, now_us)
    start_us = AT_US_MIN if start_us is None else max(start_us, AT_US_MIN)
    end_us = min(now_us if end_us is None else end_us, AT_US_MAX)
    if end_us < start_us:
        raise ValidationFailed([("end", "must not be before start")])
    run = _Run(trigger, frozen_us)
    async with tank.backtests:
        await _replay(tank, run, datastream.stream_id, start_us, end_us)
    return run.result()


async def backtest_stored_trigger(
    tank: Tank,
    caller: Caller,
    trigger_id: int,
    start_us: int | None = None,
    end_us: int | None = None,
    frozen_us: int = FROZEN_US,
) -> Backtest:
    """Show when a trigger that exists would have fired over a range; as `backtest_trigger`.

    Raises:
        NoSuchTrigger, ValidationFailed, NotAllowed, Unauthenticated.
    """
    trigger = get_trigger(tank, caller, trigger_id)
    draft = TriggerChange(
        trigger.kind,
        trigger.threshold,
        trigger.url,
        trigger.email,
        trigger.clear_value,
        trigger.hold_s,
        trigger.quiet_s,
    )
    return await backtest_trigger(
        tank, caller, trigger.device_id, trigger.name, draft, start_us, end_us, frozen_us
    )


async def _replay(tank: Tank, run: "_Run", stream_id: int, start_us: int, end_us: int) -> None:
    before = (await tank.archive.read_last_before([stream_id], start_us)).get(stream_id)
    run.begin(before, start_us)
    next_us = start_us
    while next_us <= end_us and not run.is_full:
        left_count = tank.limits.backtest_datapoints_max - run.datapoint_count
        limit = min(_PAGE_DATAPOINTS, left_count)
        if limit <= 0:
            return
        found = await tank.archive.read([stream_id], next_us, end_us + 1, limit)
        page = found.get(stream_id, [])
        # In a thread: a page takes some 20 ms, which devices would notice.
        await asyncio.to_thread(run.take, page)
        if len(page) < limit:
            break
        next_us = page[-1].at_us + 1
    if not run.is_full:
        run.finish(end_us)


class _Run:
    """One back-test under way."""

    def __init__(self, trigger: Trigger, frozen_us: int) -> None:
        self._trigger = trigger
        self._frozen_us = frozen_us
        self._state = TriggerState(trigger.armed.number)
        self._firings: list[Firing] = []
        self._through_us = AT_US_MIN
        self._is_finished = False
        self.datapoint_count = 0

    @property
    def is_full(self) -> bool:
        """Whether no further firing is wanted."""
        return len(self._firings) >= FIRINGS_MAX

    def begin(self, before: Datapoint | None, start_us: int) -> None:
        """Start with what was known before the range; what fired there is no matter."""
        if before is not None:
            self._state, _ = self._step(before.at_us, before)
            self._state, _ = self._step(start_us - 1, None)
        self._through_us = start_us - 1

    def take(self, page: Sequence[Datapoint]) -> None:
        """Go through a page of datapoints, oldest first."""
        for datapoint in page:
            self._state, firings = self._step(datapoint.at_us, datapoint)
            self._through_us = datapoint.at_us
            self.datapoint_count += 1
            if firings:
                self._firings += firings
                if self.is_full:
                    return

    def finish(self, end_us: int) -> None:
        """Let time pass until the range's end."""
        self._state, firings = self._step(end_us, None)
        self._firings += firings
        self._through_us = end_us
        self._is_finished = True

    def result(self) -> Backtest:
        """What was found."""
        return Backtest(self._firings, self._through_us, self._is_finished, self.datapoint_count)

    def _step(
        self, now_us: int, datapoint: Datapoint | None
    ) -> tuple[TriggerState, Sequence[Firing]]:
        return step(self._trigger, self._state, now_us, datapoint, self._frozen_us)
