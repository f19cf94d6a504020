"""Receivers that cannot be reached are left alone for a while, then asked by one attempt.

One receiver is a host as one account uses it: nobody can have it left alone for others.

    reached ── failures ──► left alone ── time is up ──► one attempt ── fails ──► left alone longer
       ▲                                                      │
       └────────────────────── succeeds ──────────────────────┘

What a person asks for is tried while it is left alone as well, by one attempt at a time: a failure
changes nothing then, a success ends it.
"""

from collections import OrderedDict

import msgspec

FIRST_PAUSE_S = 5.0
RECEIVERS_MAX = 20_000  # failing ones remembered; of more, those that failed longest ago are not


class _Failing(msgspec.Struct):
    failures: int = 0
    pause_s: float = 0.0
    until_s: float = 0.0


class Circuits:
    """Who fails. `now_s` is any clock that only goes forward."""

    def __init__(self, failures_max: int, pause_s_max: float) -> None:
        self._failures_max = failures_max
        self._pause_s_max = pause_s_max
        self._failing: OrderedDict[str, _Failing] = OrderedDict()

    def pause_s(self, receiver: str, now_s: float) -> float:
        """For how long it is still to be left alone; 0 when it may be tried."""
        failing = self._failing.get(receiver)
        return 0.0 if failing is None else max(0.0, failing.until_s - now_s)

    def is_on_trial(self, receiver: str) -> bool:
        """Whether only one attempt at a time may be made."""
        failing = self._failing.get(receiver)
        return failing is not None and failing.failures >= self._failures_max

    def succeeded(self, receiver: str) -> bool:
        """It was reached; whether it was left alone before."""
        failing = self._failing.pop(receiver, None)
        return failing is not None and failing.pause_s > 0

    def failed(self, receiver: str, now_s: float) -> float:
        """It could not be reached; for how long it is left alone now, 0 for not yet."""
        failing = self._failing.setdefault(receiver, _Failing())
        self._failing.move_to_end(receiver)
        if len(self._failing) > RECEIVERS_MAX:
            self._failing.popitem(last=False)
        failing.failures += 1
        # Attempts that began before it was left alone may fail after, and so may those that a
        # person asked for; they change nothing.
        if failing.failures < self._failures_max or now_s < failing.until_s:
            return 0.0
        failing.pause_s = min(failing.pause_s * 2 or FIRST_PAUSE_S, self._pause_s_max)
        failing.until_s = now_s + failing.pause_s
        return failing.pause_s
