"""When numbers were given, of all that were given since the start; see `Instants`."""

import bisect
from operator import itemgetter

_STEP_US = 100_000
_AGE_SHARE = 50  # what is older is known less exactly, to some fiftieths of its age
_COUNT_MAX = 2000  # less than half of them stay, whatever the age


class Instants:
    """Knows about when each of ever higher numbers was given, in little memory."""

    def __init__(self) -> None:
        self._notes: list[tuple[int, int]] = []  # number → when, both rising
        self._next_us = 0

    def note(self, number: int, now_us: int) -> None:
        """A number is given. The clock may have been put back since: that is not noted."""
        if now_us < self._next_us:
            return
        self._next_us = now_us + _STEP_US
        self._notes.append((number, now_us))
        if len(self._notes) > _COUNT_MAX:
            self._thin(now_us)

    def _thin(self, now_us: int) -> None:
        kept = self._notes[:1]
        for note in self._notes[1:]:
            if note[1] - kept[-1][1] >= max(_STEP_US, (now_us - note[1]) // _AGE_SHARE):
                kept.append(note)
        self._notes = kept

    def given_us(self, number: int) -> int | None:
        """When a number was given, or a little before; None if that was before the start."""
        place = bisect.bisect_right(self._notes, number, key=itemgetter(0))
        return self._notes[place - 1][1] if place else None
