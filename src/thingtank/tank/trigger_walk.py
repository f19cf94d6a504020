"""Which of many datapoints a trigger must look at: seldom more than a few of hundreds.

A trigger that looks at a datapoint takes over what is newest, and maybe its condition turns. So of
neighbours that leave the condition alike only the last one counts, unless an instant that the state
waits for passes between them: then it must hold what was newest at that instant. A `Walk` goes from
each datapoint that counts to the next one. Behind each it stepped, the state is exactly what it
would be had all before been stepped as well, and so are the firings.
"""

from bisect import bisect_left, bisect_right
from typing import Any

import numpy as np
import numpy.typing as npt

from thingtank.tank.datapoints import number_of
from thingtank.tank.trigger_rules import COMPARE, SECOND_US, TriggerState
from thingtank.tank.triggers import THRESHOLD_KINDS, Trigger

Int64s = npt.NDArray[np.int64]
Float64s = npt.NDArray[np.float64]


class Arrivals:
    """Datapoints of one datastream, as they came.

    Attributes:
        rows: what the caller knows them by.
        at_us, numbers: of each; NaN where a value is text.
        now_us: when it came.
        end_us: when the last one came, which may be left out here.
        is_plain: clocks ran forward only. Back-dated datapoints, which never count, are left out.
            If False, each one must be looked at.
    """

    __slots__ = ("at_us", "end_us", "is_plain", "now_us", "numbers", "rows")

    def __init__(self, rows: Int64s, at_us: Int64s, numbers: Float64s, now_us: Int64s) -> None:
        """Take n >= 1 of each, in the order they came."""
        self.rows, self.at_us, self.numbers, self.now_us = rows, at_us, numbers, now_us
        self.end_us = int(now_us[-1])
        is_newest = at_us >= np.maximum.accumulate(at_us)
        newest = slice(None) if is_newest.all() else np.flatnonzero(is_newest)
        newest_us = at_us[newest]
        self.is_plain = bool((newest_us[1:] > newest_us[:-1]).all() and _is_ordered(now_us))
        if self.is_plain:
            self.rows, self.at_us = rows[newest], newest_us
            self.numbers, self.now_us = numbers[newest], now_us[newest]

    def __len__(self) -> int:
        return len(self.rows)


def _is_ordered(now_us: Int64s) -> bool:
    return bool((now_us[1:] >= now_us[:-1]).all())


class Walk:
    """The way of one trigger through arrivals: step at `first`, then at each `next_row`.

    Time goes on until `end_us` behind the last.
    """

    __slots__ = ("_arrivals", "_frozen_us", "_telling", "first", "trigger")

    def __init__(
        self,
        trigger: Trigger,
        state: TriggerState,
        arrivals: Arrivals,
        frozen_us: int,
        start: int = 0,
    ) -> None:
        """Begin behind what was stepped already: the first `start` of the arrivals."""
        self.trigger = trigger
        self.first = start
        self._arrivals = arrivals
        self._frozen_us = frozen_us
        self._telling: Int64s | None = None  # None for all
        if not arrivals.is_plain:
            return
        if state.at_us is not None:
            self.first = max(start, bisect_left(arrivals.at_us, state.at_us))
        if self.first < len(arrivals) and arrivals.at_us[self.first] != state.at_us:
            # Else it is written again: with another value, or with the same, which does not count.
            self._telling = _telling(trigger, arrivals.numbers)

    def next_row(self, row: int, state: TriggerState) -> int:
        """The one to step behind `row`; the length of the arrivals for none.

        Args:
            state: what stepping `row` left.
        """
        now_us = self._arrivals.now_us
        if self._telling is None or row + 1 >= len(now_us):
            return row + 1
        quiet_end_us = _settled_until_us(self.trigger, state, now_us[row])
        if quiet_end_us is not None:
            last = bisect_left(now_us, quiet_end_us, row + 1) - 1
            if last > row:
                return last
        place = bisect_right(self._telling, row)
        found = int(self._telling[place]) if place < len(self._telling) else len(now_us) - 1
        until_us = self._alike_until_us(state, now_us[row])
        if until_us is not None:
            last = bisect_left(now_us, until_us, row + 1) - 1
            found = min(found, max(last, row + 1))
        return found

    def _alike_until_us(self, state: TriggerState, now_us: Any) -> int | None:
        """Before that instant, datapoints that tell nothing differ in nothing but being newest."""
        if self.trigger.kind != "live":  # of `frozen`, each sets `due_us` to a later instant
            return state.due_us
        silent_us = int(now_us) + self._frozen_us
        return silent_us if state.due_us is None else min(state.due_us, silent_us)


def _telling(trigger: Trigger, numbers: Float64s) -> Int64s | None:
    """Where something may begin or end; None for everywhere."""
    if trigger.kind == "change":
        return np.flatnonzero(numbers[1:] != numbers[:-1]) + 1  # NaN differs from all
    if trigger.kind not in THRESHOLD_KINDS:  # `frozen` and `live` ask only when something came
        return np.empty(0, np.int64)
    threshold = number_of(trigger.threshold)
    if threshold is None:  # `eq` with a text
        return None
    begins = COMPARE[trigger.kind](numbers, threshold)
    turns = begins[1:] != begins[:-1]
    clear = number_of(trigger.clear_value) if trigger.clear_value else None
    if clear is not None:
        lasts = COMPARE[trigger.kind](numbers, clear)
        turns |= lasts[1:] != lasts[:-1]
    return np.flatnonzero(turns) + 1


def _settled_until_us(trigger: Trigger, state: TriggerState, now_us: Any) -> int | None:
    """Until when only the last datapoint counts, whatever the others before it say.

    Within the quiet time nothing fires, and whatever begins is due at its end. So where nothing is
    due at another instant and no condition lasts that was told already, each datapoint leaves
    `due_us` at the quiet time's end or at None by its own value alone, and the last one decides. A
    duration to hold, and a clear value, ask for the ones before as well.
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
