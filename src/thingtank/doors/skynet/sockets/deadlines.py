"""When something is due for each of many sockets: one timer for all of them.

A socket is looked at within TICK_S after its time. Many that are due together are looked at in
portions, so that the loop serves others in between.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

TICK_S = 0.5
PORTION = 200
_TICK_US = int(TICK_S * 1_000_000)


class Due(Protocol):
    """What waits for a time.

    Attributes:
        due_tick: when it is to be looked at; used here only. 0 for never.
    """

    due_tick: int

    def next_due_us(self) -> int | None:
        """When it is to be looked at next; None for never."""

    def take_due(self, now_us: int) -> None:
        """Its time has come."""


class Deadlines:
    """Who waits for what time. Lives in the loop's thread."""

    def __init__(self, now_us: Callable[[], int]) -> None:
        """Nobody waits yet.

        Args:
            now_us: of a clock that does not jump.
        """
        self._now_us = now_us
        self._waiting: dict[int, set[Due]] = {}  # by tick
        self._done_tick = now_us() // _TICK_US
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, due: Due) -> None:
        """Ask one when it is to be looked at, and do so then."""
        if not self._waiting:
            self._done_tick = self._now_us() // _TICK_US
        due_us = due.next_due_us()
        tick = 0 if due_us is None else max(due_us // _TICK_US + 1, self._done_tick + 1)
        if tick == due.due_tick:
            return
        self.forget(due)
        due.due_tick = tick
        if tick:
            self._waiting.setdefault(tick, set()).add(due)
            if self._timer is None:
                self._wait()

    def forget(self, due: Due) -> None:
        """Look at one no more."""
        waiting = self._waiting.get(due.due_tick)
        if waiting is not None:
            waiting.discard(due)
        due.due_tick = 0

    def stop(self) -> None:
        """Look at nobody any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._waiting.clear()

    def _wait(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(TICK_S, self._tick)

    def _tick(self) -> None:
        self._timer = None
        now_us = self._now_us()
        found: list[Due] = []
        last_tick = now_us // _TICK_US
        for tick in range(self._done_tick + 1, last_tick + 1):
            found += self._waiting.pop(tick, ())
        self._done_tick = max(self._done_tick, last_tick)
        self._look_at(found)
        if self._waiting:
            self._wait()

    def _look_at(self, found: list[Due]) -> None:
        now_us = self._now_us()
        for due in found[-PORTION:]:
            if 0 < due.due_tick <= self._done_tick:  # it may have been told otherwise meanwhile
                due.due_tick = 0
                due.take_due(now_us)
                self.watch(due)
        del found[-PORTION:]
        if found:
            asyncio.get_running_loop().call_soon(self._look_at, found)
