"""Which of many datapoints a trigger must look at: seldom more than a few of hundreds.

A trigger that looks at a datapoint takes over what is newest, and maybe its condition turns. So of
neighbours that leave the condition alike only the last one counts, unless an instant that the state
waits for passes between them: then it must hold what was newest at that instant. A `Walk` goes from
each datapoint that counts to the next one. Behind each it stepped, the state is exactly what it
would be had all before been stepped as well, and so are the firings.

A datapoint that repeats time and text of the newest one does not count (`trigger_rules`: it is not
new). Two cares follow, since many devices count in whole seconds and some write twice: `Arrivals`
leaves out what repeats the one before, and a `Walk` does not go from one datapoint straight to its
like. Of x, y, x at one time it steps all three, or the second x would be lost.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping

import numpy as np

from thingtank.tank.arrays import Bools, Float64s, Int64s
from thingtank.tank.datapoints import number_of
from thingtank.tank.trigger_rules import TriggerState, alike_until_us, settled_until_us
from thingtank.tank.triggers import THRESHOLD_KINDS, Trigger

_COMPARE = {
    "gt": np.greater,
    "gte": np.greater_equal,
    "lt": np.less,
    "lte": np.less_equal,
    "eq": np.equal,
}


class Arrivals:
    """Datapoints of one datastream, as they came, without those that cannot count.

    These are back-dated ones, and those that repeat the one before. So each that is kept is newer
    than the one before, or has its time and another text.

    Attributes:
        rows: what the caller knows them by.
        at_us, numbers: of each; NaN where a value is text.
        now_us: when it came.
        end_us: when the last one came, which may be left out here.
    """

    __slots__ = ("_texts", "at_us", "end_us", "now_us", "numbers", "rows")

    def __init__(
        self,
        rows: Int64s,
        at_us: Int64s,
        numbers: Float64s,
        now_us: Int64s,
        texts: Mapping[int, str],
    ) -> None:
        """Take n >= 1 of each, in the order they came.

        Args:
            now_us: never less than before. Where a clock was set back, other arrivals begin.
            texts: row → text, where the number's usual spelling does not give the value back.
        """
        self.rows, self.at_us, self.numbers, self.now_us = rows, at_us, numbers, now_us
        self._texts = texts
        self.end_us = int(now_us[-1])
        is_newest = at_us >= np.maximum.accumulate(at_us)
        if not is_newest.all():
            self._keep(is_newest)
        has_time_of_last = self.at_us[1:] == self.at_us[:-1]
        if has_time_of_last.any():
            self._keep(np.concatenate(([True], ~self._repeats(has_time_of_last))))

    def __len__(self) -> int:
        return len(self.rows)

    def is_like(self, one: int, other: int) -> bool:
        """Whether two have the same time and the same text."""
        if self.at_us[one] != self.at_us[other]:
            return False
        number, other_number = self.numbers[one], self.numbers[other]
        are_texts = np.isnan(number) and np.isnan(other_number)
        return bool(number == other_number or are_texts) and self._is_spelled_like(one, other)

    def _is_spelled_like(self, one: int, other: int) -> bool:
        """Whether two of one number, or two texts, are the same letter for letter."""
        return self._texts.get(int(self.rows[one])) == self._texts.get(int(self.rows[other]))

    def _repeats(self, has_time_of_last: Bools) -> Bools:
        """Of all but the first, which are like the one before."""
        numbers = self.numbers
        are_texts = np.isnan(numbers)
        repeats: Bools = (numbers[1:] == numbers[:-1]) | (are_texts[1:] & are_texts[:-1])
        repeats &= has_time_of_last
        if self._texts:
            for place in np.flatnonzero(repeats).tolist():
                repeats[place] = self._is_spelled_like(place, place + 1)
        return repeats

    def _keep(self, which: Bools) -> None:
        self.rows, self.at_us = self.rows[which], self.at_us[which]
        self.numbers, self.now_us = self.numbers[which], self.now_us[which]


class Walk:
    """The way of one trigger through arrivals: step at `first`, then at each `next_row`.

    Time goes on until `end_us` behind the last.
    """

    __slots__ = ("_arrivals", "_frozen_us", "_is_first_new", "_telling", "first", "trigger")

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
        self._is_first_new = True
        self._telling: Int64s | None = None  # None for all
        if state.at_us is not None:
            self.first = max(start, bisect_left(arrivals.at_us, state.at_us))
        if self.first + 1 < len(arrivals):  # else there is nothing to pass over
            # At the time of the newest one it may be that one written again; what follows counts.
            self._is_first_new = bool(arrivals.at_us[self.first] != state.at_us)
            self._telling = _telling(trigger, arrivals.numbers)

    def next_row(self, row: int, state: TriggerState) -> int:
        """The one to step behind `row`; the length of the arrivals for none.

        Args:
            state: what stepping `row` left.
        """
        if self._telling is None or row + 1 >= len(self._arrivals):
            return row + 1
        if row == self.first and not self._is_first_new:
            return row + 1
        found = self._next_telling(self._telling, row, state)
        if found > row + 1 and self._arrivals.is_like(row, found):
            return found - 1  # which differs from both
        return found

    def _next_telling(self, telling: Int64s, row: int, state: TriggerState) -> int:
        now_us = self._arrivals.now_us
        came_us = int(now_us[row])
        quiet_end_us = settled_until_us(self.trigger, state, came_us)
        if quiet_end_us is not None:
            last = bisect_left(now_us, quiet_end_us, row + 1) - 1
            if last > row:
                return last
        place = bisect_right(telling, row)
        found = int(telling[place]) if place < len(telling) else len(now_us) - 1
        until_us = alike_until_us(self.trigger, state, came_us, self._frozen_us)
        if until_us is not None:
            last = bisect_left(now_us, until_us, row + 1) - 1
            found = min(found, max(last, row + 1))
        return found


def _telling(trigger: Trigger, numbers: Float64s) -> Int64s | None:
    """Where something may begin or end; None for everywhere."""
    if trigger.kind == "change":
        return np.flatnonzero(numbers[1:] != numbers[:-1]) + 1  # NaN differs from all
    if trigger.kind not in THRESHOLD_KINDS:  # `frozen` and `live` ask only when something came
        return np.empty(0, np.int64)
    threshold = number_of(trigger.threshold)
    if threshold is None:  # `eq` with a text
        return None
    begins = _COMPARE[trigger.kind](numbers, threshold)
    turns = begins[1:] != begins[:-1]
    clear = number_of(trigger.clear_value) if trigger.clear_value else None
    if clear is not None:
        lasts = _COMPARE[trigger.kind](numbers, clear)
        turns |= lasts[1:] != lasts[:-1]
        is_text = np.isnan(numbers)  # which ends nothing that a number would
        turns |= is_text[1:] != is_text[:-1]
    return np.flatnonzero(turns) + 1
