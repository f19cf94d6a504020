"""Triggers and what they are doing, as the page and its live stream show them."""

from collections.abc import Mapping

import msgspec

from thingtank.tank.deliveries import OpenCount
from thingtank.tank.tank import Tank
from thingtank.tank.things import Unit
from thingtank.tank.trigger_rules import TriggerState
from thingtank.tank.triggers import Trigger
from thingtank.web.workbench.trigger_words import TriggerWords, words_of

STATE_WORDS = {
    "disabled": "Disabled",
    "armed": "Armed",
    "pending": "About to fire",
    "true": "Condition true",
    "frozen": "Silent",
    "resting": "Not at work",
}


class TriggerLive(msgspec.Struct, frozen=True):
    """What of a trigger changes by itself.

    Attributes:
        state, label: a key of STATE_WORDS, and its words.
        fired_ms: when it fired last; None for never.
        due_ms: when it fires unless something comes between; only while `pending`.
        waiting, dead: deliveries that wait, and that were given up.
    """

    state: str
    label: str
    fired_ms: int | None
    due_ms: int | None
    waiting: int
    dead: int


class TriggerRow(msgspec.Struct, frozen=True):
    """A trigger as the page lists it. `live` is as of now; the stream goes on from there."""

    trigger: Trigger
    words: TriggerWords
    live: TriggerLive

    @property
    def fired_us(self) -> int | None:
        """When it fired last."""
        return None if self.live.fired_ms is None else self.live.fired_ms * 1000

    @property
    def due_us(self) -> int | None:
        """When it is about to fire."""
        return None if self.live.due_ms is None else self.live.due_ms * 1000


async def read_triggers(tank: Tank, device_id: int) -> list[TriggerRow]:
    """A device's triggers, oldest first."""
    counts = await tank.deliveries.open_counts(device_id) if tank.deliveries else {}
    units = {name: stream.unit for name, stream in tank.directory.datastreams(device_id).items()}
    return [
        TriggerRow(trigger, words_of(trigger, units.get(trigger.name)), live)
        for trigger, live in (
            (trigger, live_of(tank, trigger, counts))
            for trigger in tank.triggers.of_device(device_id)
        )
    ]


def live_of(tank: Tank, trigger: Trigger, counts: Mapping[int, OpenCount]) -> TriggerLive:
    """What a trigger is doing now; from the loop's thread."""
    remembered = tank.trigger_service.state_of(trigger.trigger_id)
    state = state_of(trigger, remembered)
    due_us = remembered.due_us if remembered is not None and state == "pending" else None
    count = counts.get(trigger.trigger_id, OpenCount())
    return TriggerLive(
        state,
        STATE_WORDS[state],
        None if trigger.notified_us is None else trigger.notified_us // 1000,
        None if due_us is None else due_us // 1000,
        count.waiting,
        count.dead,
    )


def state_of(trigger: Trigger, remembered: TriggerState | None) -> str:
    """A key of STATE_WORDS."""
    if not trigger.is_enabled:
        return "disabled"
    if remembered is None:
        return "resting"
    if trigger.kind == "frozen":
        return "frozen" if remembered.is_active else "armed"
    if remembered.due_us is not None:
        return "pending"
    return "true" if remembered.is_active else "armed"


def unit_of(tank: Tank, trigger: Trigger) -> Unit | None:
    """The unit of the channel that a trigger watches."""
    datastream = tank.directory.datastreams(trigger.device_id).get(trigger.name)
    return None if datastream is None else datastream.unit
