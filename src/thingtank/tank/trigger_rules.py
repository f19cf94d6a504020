"""When a trigger fires: a state and a step, as pure calculation.

A trigger fires once when its condition **becomes** true, is silent while it stays so, and is armed
again when it ends. Only the datastream's newest value counts: each datapoint is looked at when it
becomes the current value, and back-dated ones never are. All waiting is one instant, `due_us`:

```
            condition true                 due_us reached
  clear ───────────────────▶ due at … ───────────────────▶ fired, silent
    ▲                           │                              │
    └───────────────────────────┴──────────────────────────────┘
                          condition ends
```

`due_us` is now where nothing is to be waited for; later while the condition must hold (`hold_s`),
or until the quiet time after the last firing has passed (`quiet_s`). So a crossing within the quiet
time is not lost: it is told at its end if it still holds then. `change` remembers the value that
was told last and fires for any other; `frozen` is due 15 minutes after each update; `live` fires at
the first update after that long a silence.

Where many datapoints come at once, `trigger_walk` steps only those that count. It knows these rules
too: whoever changes when a condition turns, what becomes due, or which datapoint is new, changes
`settled_until_us` and `alike_until_us` here and the walk with it. One test holds both together:
`tests/unit/tank/test_trigger_walk.py`, a run against its rows one by one.

Source: Xively API v2, metadata/triggers, "when it fires".
"""

import operator
from collections.abc import Callable, Sequence
from functools import lru_cache

import msgspec

from thingtank.tank.datapoints import Datapoint, number_of
from thingtank.tank.triggers import THRESHOLD_KINDS, Trigger

SECOND_US = 1_000_000
FROZEN_US = 15 * 60 * SECOND_US  # Xively's; the settings may change it

_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
    "eq": operator.eq,
}
_number_of_bound = lru_cache(4096)(number_of)  # thresholds: few, and asked again and again


class TriggerState(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a trigger remembers.

    Attributes:
        armed_number: of the arming it belongs to.
        at_us, value: the newest datapoint; None before there is one.
        updated_us: when that came; None likewise.
        is_active: the condition holds; of `frozen`, has been told.
        due_us: when it fires unless something comes between; None for not at all.
        fired_us: when it fired last.
        told: of `change`, the value told last, or the one it was armed with.
    """

    armed_number: int
    at_us: int | None = None
    value: str | None = None
    updated_us: int | None = None
    is_active: bool = False
    due_us: int | None = None
    fired_us: int | None = None
    told: str | None = None


class Firing(msgspec.Struct, frozen=True, gc=False):
    """A trigger has fired.

    Attributes:
        at_us: when.
        value_at_us, value: the datapoint that was newest then; None when there was none.
    """

    at_us: int
    value_at_us: int | None
    value: str | None


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(TriggerState)


def encode_state(state: TriggerState) -> bytes:
    """A state as bytes."""
    return _encoder.encode(state)


def decode_state(blob: bytes) -> TriggerState | None:
    """What `encode_state` was given; None when it cannot be read."""
    try:
        return _decoder.decode(blob)
    except msgspec.DecodeError:
        return None


def started(trigger: Trigger, frozen_us: int = FROZEN_US) -> TriggerState:
    """The state of a trigger that was just armed.

    What was true before does not count as true yet: the first value that meets the condition fires.
    A silence is counted from the arming on by `frozen`, from the last value by `live`.
    """
    armed = trigger.armed
    updated_us = None if armed.value_at_us is None else min(armed.value_at_us, armed.at_us)
    is_frozen_kind = trigger.kind == "frozen"
    return TriggerState(
        armed_number=armed.number,
        at_us=armed.value_at_us,
        value=armed.value,
        updated_us=updated_us,
        due_us=_frozen_due_us(trigger, armed.at_us, frozen_us) if is_frozen_kind else None,
        fired_us=trigger.notified_us,
        told=armed.value,
    )


def step(
    trigger: Trigger,
    state: TriggerState,
    now_us: int,
    datapoint: Datapoint | None = None,
    frozen_us: int = FROZEN_US,
) -> tuple[TriggerState, Sequence[Firing]]:
    """Let time pass until `now_us`, then maybe a datapoint arrive.

    Returns:
        The new state and what fired, in order: at most what was due before, and what the datapoint
        caused at once.
    """
    state, firings = _fired(trigger, state, now_us)
    if datapoint is None or not _is_new(state, datapoint):
        return state, firings
    state = _SEEN.get(trigger.kind, _seen_value)(trigger, state, now_us, datapoint, frozen_us)
    if state.due_us is not None and state.due_us <= now_us:
        state, more = _fired(trigger, state, now_us)
        return state, (*firings, *more)
    return state, firings


def forgotten(state: TriggerState, start_us: int, end_us: int) -> TriggerState:
    """The state after the datapoints of [start_us, end_us) were deleted.

    If the newest was among them, what is newer than the deleted range's start is new again.
    """
    if state.at_us is None or not start_us <= state.at_us < end_us:
        return state
    return msgspec.structs.replace(state, at_us=start_us - 1)


def alike_until_us(
    trigger: Trigger, state: TriggerState, now_us: int, frozen_us: int = FROZEN_US
) -> int | None:
    """Before that instant, datapoints that turn no condition differ only in which is newest.

    Args:
        now_us: when the newest one came.

    Returns:
        None for without end.
    """
    if trigger.kind != "live":  # of `frozen`, each moves `due_us` to a later instant
        return state.due_us
    silent_us = now_us + frozen_us
    return silent_us if state.due_us is None else min(state.due_us, silent_us)


def settled_until_us(trigger: Trigger, state: TriggerState, now_us: int) -> int | None:
    """Before that instant only the last datapoint counts, whatever those before it say.

    Within the quiet time nothing fires, and whatever begins is due at its end. So where nothing is
    due at another instant and no condition lasts that was told already, each datapoint leaves
    `due_us` at the quiet time's end or at None by its own value alone, and the last one decides. A
    duration to hold, and a clear value, ask for the ones before as well.

    Args:
        now_us: when the newest one came.

    Returns:
        The quiet time's end, which may have passed; None where others count, too.
    """
    fired_us = state.fired_us
    if fired_us is None or fired_us > now_us or trigger.hold_s or trigger.clear_value:
        return None
    end_us = fired_us + trigger.quiet_s * SECOND_US
    if trigger.kind == "change":
        is_settled = state.due_us is None or state.due_us == end_us
    elif trigger.kind in THRESHOLD_KINDS:
        is_settled = state.due_us == end_us or not state.is_active
    else:
        is_settled = False
    return end_us if is_settled else None


def _fired(
    trigger: Trigger, state: TriggerState, now_us: int
) -> tuple[TriggerState, tuple[Firing, ...]]:
    due_us = state.due_us
    if due_us is None or due_us > now_us:
        return state, ()
    fired = TriggerState(
        state.armed_number,
        state.at_us,
        state.value,
        state.updated_us,
        is_active=trigger.kind not in ("change", "live"),
        due_us=None,
        fired_us=due_us,
        told=state.value,
    )
    return fired, (Firing(due_us, state.at_us, state.value),)


def _is_new(state: TriggerState, datapoint: Datapoint) -> bool:
    """Whether it becomes the current value; one written a second time does not."""
    at_us = state.at_us
    if at_us is None or datapoint.at_us > at_us:
        return True
    return datapoint.at_us == at_us and datapoint.value != state.value


def _seen_value(
    trigger: Trigger, state: TriggerState, now_us: int, datapoint: Datapoint, frozen_us: int
) -> TriggerState:
    """`gt`, `gte`, `lt`, `lte`, `eq`."""
    holds = _holds(trigger, datapoint.value, state.is_active)
    due_us = state.due_us if holds else None
    if holds and not state.is_active:
        due_us = _not_in_quiet(trigger, state, now_us + trigger.hold_s * SECOND_US, now_us)
    return _with(state, now_us, datapoint, holds, due_us)


def _seen_change(
    trigger: Trigger, state: TriggerState, now_us: int, datapoint: Datapoint, frozen_us: int
) -> TriggerState:
    if state.told is None:  # nothing to differ from
        return _with(state, now_us, datapoint, False, None, told=datapoint.value)
    due_us = None
    if not _is_equal(datapoint.value, state.told):
        due_us = state.due_us or _not_in_quiet(trigger, state, now_us, now_us)
    return _with(state, now_us, datapoint, False, due_us)


def _seen_frozen(
    trigger: Trigger, state: TriggerState, now_us: int, datapoint: Datapoint, frozen_us: int
) -> TriggerState:
    due_us = _frozen_due_us(trigger, now_us, frozen_us)
    due_us = _not_in_quiet(trigger, state, due_us, now_us)
    return _with(state, now_us, datapoint, False, due_us)


def _seen_live(
    trigger: Trigger, state: TriggerState, now_us: int, datapoint: Datapoint, frozen_us: int
) -> TriggerState:
    due_us = state.due_us
    if due_us is None and (state.updated_us is None or now_us - state.updated_us >= frozen_us):
        due_us = _not_in_quiet(trigger, state, now_us, now_us)
    return _with(state, now_us, datapoint, False, due_us)


_SEEN = {"change": _seen_change, "frozen": _seen_frozen, "live": _seen_live}


def _with(
    state: TriggerState,
    now_us: int,
    datapoint: Datapoint,
    is_active: bool,
    due_us: int | None,
    told: str | None = None,
) -> TriggerState:
    return TriggerState(
        state.armed_number,
        datapoint.at_us,
        datapoint.value,
        now_us,
        is_active,
        due_us,
        state.fired_us,
        state.told if told is None else told,
    )


def _frozen_due_us(trigger: Trigger, updated_us: int, frozen_us: int) -> int:
    return updated_us + frozen_us + trigger.hold_s * SECOND_US


def _not_in_quiet(trigger: Trigger, state: TriggerState, due_us: int, now_us: int) -> int:
    if state.fired_us is None:
        return due_us
    # A clock that was set back must not make the quiet time longer.
    return max(due_us, min(state.fired_us, now_us) + trigger.quiet_s * SECOND_US)


def _holds(trigger: Trigger, value: str, is_active: bool) -> bool:
    number = number_of(value)
    bound = trigger.clear_value if is_active and trigger.clear_value else trigger.threshold
    bound_number = _number_of_bound(bound)
    if number is None and is_active and trigger.clear_value and bound_number is not None:
        return True  # a sensor's "error" is not beyond the clear value, either
    if number is None or bound_number is None:
        # Text is never above or below anything.
        return trigger.kind == "eq" and value == bound
    return _COMPARE[trigger.kind](number, bound_number)


def _is_equal(one: str, other: str) -> bool:
    if one == other:
        return True
    number = number_of(one)
    return number is not None and number == number_of(other)
