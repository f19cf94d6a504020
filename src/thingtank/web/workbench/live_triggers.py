"""A device's triggers in its page's stream: what fired at once, and what they are doing soon after.

The engine looks at a value after it was acknowledged, so states are read a moment after something
happened, not with it; and again while something waits to fire or to be delivered.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from thingtank.tank.errors import Unavailable
from thingtank.tank.events import DatapointsRecorded, Event, TriggerChanged, TriggerFired
from thingtank.tank.tank import Tank
from thingtank.web.workbench.trigger_panels import TriggerLive, live_of

LOOK_AFTER_S = 0.4  # after something happened; more than a write takes to reach the triggers
LOOK_AGAIN_S = 2.0  # while something waits
FIRED_MAX = 20  # firings in one message, the newest


class TriggerWatch:
    """What one tab was told of a device's triggers, and when to look again."""

    def __init__(self, tank: Tank, device_id: int) -> None:
        self._tank = tank
        self._device_id = device_id
        self._told: dict[int, TriggerLive] = {}
        self._look_s: float | None = None
        self._now_s = asyncio.get_running_loop().time

    def wait_s(self, longest_s: float) -> float:
        """How long to wait for events at most before the next `take`."""
        if self._look_s is None:
            return longest_s
        return min(longest_s, max(0.0, self._look_s - self._now_s()))

    def note(self, events: Sequence[Event]) -> None:
        """Look soon, if events may have moved a trigger."""
        kinds = (DatapointsRecorded, TriggerFired, TriggerChanged)
        if any(isinstance(event, kinds) for event in events) and self._has_any():
            soon_s = self._now_s() + LOOK_AFTER_S
            self._look_s = soon_s if self._look_s is None else min(self._look_s, soon_s)

    async def take(self) -> dict[int, TriggerLive]:
        """What changed of each trigger since the last time; nothing before it is time to look."""
        if self._look_s is None or self._now_s() < self._look_s:
            return {}
        return await self.look()

    async def look(self) -> dict[int, TriggerLive]:
        """What changed of each trigger since the last time; all at first.

        Nothing while deliveries cannot be counted: values go on, and it is looked again soon.
        """
        self._look_s = None
        if not self._has_any():
            self._told = {}
            return {}
        log = self._tank.deliveries
        try:
            counts = await log.open_counts(self._device_id) if log is not None else {}
        except Unavailable:
            self._look_s = self._now_s() + LOOK_AGAIN_S
            return {}
        found = {
            trigger.trigger_id: live_of(self._tank, trigger, counts)
            for trigger in self._tank.triggers.of_device(self._device_id)
        }
        changed = {i: live for i, live in found.items() if self._told.get(i) != live}
        self._told = found
        if any(live.waiting or live.state == "pending" for live in found.values()):
            self._look_s = self._now_s() + LOOK_AGAIN_S
        return changed

    def _has_any(self) -> bool:
        return bool(self._tank.triggers.of_device(self._device_id))


def fired_rows(events: Sequence[Event]) -> list[dict[str, Any]]:
    """What fired among events, oldest first, the last FIRED_MAX of them."""
    fired = [event for event in events if isinstance(event, TriggerFired)]
    return [
        {
            "id": event.trigger.trigger_id,
            "name": event.trigger.name,
            "at_ms": event.firing.at_us // 1000,
            "value": event.firing.value,
            "is_test": event.is_test,
        }
        for event in fired[-FIRED_MAX:]
    ]
