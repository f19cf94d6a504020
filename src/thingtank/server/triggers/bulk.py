"""Which datapoints of a bulk write a trigger must look at: seldom more than a few of hundreds.

All of a batch arrive at one instant. So a datapoint that leaves the condition as the one before it
left it changes only what the newest value is, and that the last one changes anyway. What is left
are the first, the last, and those where the condition turns. Looking at these alone has exactly the
result of looking at all, one by one.
"""

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from thingtank.stores.rows import Float64s, Int64s
from thingtank.tank.datapoints import number_of
from thingtank.tank.trigger_rules import TriggerState
from thingtank.tank.triggers import THRESHOLD_KINDS, Trigger

Bools = npt.NDArray[np.bool_]

_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
    "eq": operator.eq,
}


def telling_rows(
    trigger: Trigger, state: TriggerState, at_us: Int64s, numbers: Float64s
) -> list[int] | None:
    """The rows to look at, in order; None for all.

    Args:
        state: with time passed already until the batch came.
        at_us, numbers: of one datastream, n >= 1, in the order written; NaN where a value is text.
    """
    rows = _newest_at_their_turn(state, at_us)
    if not len(rows):
        return []
    if at_us[rows[0]] == state.at_us:
        return None  # written again, with another value or with the same, which does not count
    if trigger.kind in THRESHOLD_KINDS:
        turning = _turning(trigger, numbers[rows])
    elif trigger.kind == "change":
        turning = _changing(trigger, state, numbers[rows])
    else:  # `frozen` and `live` ask only whether something came
        turning = np.empty(0, np.int64)
    if turning is None:
        return None
    chosen = np.unique(np.concatenate(([0], turning, [len(rows) - 1])))
    found: list[int] = rows[chosen].tolist()
    return found


def _newest_at_their_turn(state: TriggerState, at_us: Int64s) -> Int64s:
    is_newest = at_us >= np.maximum.accumulate(at_us)
    if state.at_us is not None:
        is_newest &= at_us >= state.at_us
    return np.flatnonzero(is_newest)


def _turning(trigger: Trigger, numbers: Float64s) -> Int64s | None:
    """Where the condition may begin or end: what the threshold or the clear value says differs."""
    threshold = number_of(trigger.threshold)
    if threshold is None:  # `eq` with a text
        return None
    compare = _COMPARE[trigger.kind]
    begins: Bools = compare(numbers, threshold)
    turns = begins[1:] != begins[:-1]
    clear = number_of(trigger.clear_value) if trigger.clear_value else None
    if clear is not None:
        lasts: Bools = compare(numbers, clear)
        turns |= lasts[1:] != lasts[:-1]
    return np.flatnonzero(turns) + 1


def _changing(trigger: Trigger, state: TriggerState, numbers: Float64s) -> Int64s | None:
    """Where the value first differs from the one told; after that it is in quiet time."""
    if trigger.quiet_s < 1 or np.isnan(numbers).any():
        return None
    told = numbers[0] if state.told is None else number_of(state.told)
    if told is None:
        return np.empty(0, np.int64)  # any number differs from a text
    return np.flatnonzero(numbers != told)[:1]
