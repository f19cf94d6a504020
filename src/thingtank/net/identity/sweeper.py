"""Looks at all sessions again and again, some at a time: rights end without anybody saying so."""

from collections.abc import Callable, Iterable
from typing import Generic, Protocol, TypeVar

SWEEP_S = 2.0  # so long may a session outlive its key
TICKS_MAX = 20  # of a sweep: 10,000 sessions take some 30 ms, which nobody is to wait for
TICK_SESSIONS = 50  # while so many do; each tick has a cost of its own, whatever it looks at

Session = TypeVar("Session")


class Timer(Protocol):
    """A call that is to come."""

    def cancel(self) -> None:
        """Have it not come."""


class Scheduler(Protocol):
    """What is needed of an event loop."""

    def call_soon(self, call: Callable[[], None], /) -> object:
        """Call in the loop's next turn."""

    def call_later(self, seconds: float, call: Callable[[], None], /) -> Timer:
        """Call after some seconds."""


class Sweeper(Generic[Session]):
    """Shows each session to somebody once in SWEEP_S."""

    def __init__(
        self,
        sessions: Callable[[], Iterable[Session]],
        look_at: Callable[[Session], None],
        scheduler: Scheduler,
    ) -> None:
        """Begin at `start`.

        Args:
            sessions: all there are when a sweep begins.
            look_at: is shown one, which may have ended since the sweep began.
        """
        self._sessions = sessions
        self._look_at = look_at
        self._scheduler = scheduler
        self._timer: Timer | None = None
        self._left: list[Session] = []  # of this sweep
        self._ticks = 1
        self._tick_sessions = 1

    def start(self) -> None:
        """Begin to look, at some of them at a time."""
        self._timer = self._scheduler.call_later(SWEEP_S / self._ticks, self._tick)

    def stop(self) -> None:
        """Look no more."""
        self._left.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        if not self._left:
            self._left = list(self._sessions())
            count = len(self._left)
            self._ticks = min(max(1, -(-count // TICK_SESSIONS)), TICKS_MAX)
            self._tick_sessions = max(1, -(-count // self._ticks))
        self.start()
        looked_at = self._left[-self._tick_sessions :]
        del self._left[-self._tick_sessions :]
        for session in looked_at:
            self._look_at(session)
