"""How late the event loop is: what a request waits for before anybody looks at it."""

import asyncio

from thingtank.stores.histogram import Histogram

TICK_S = 0.5
BOUNDS_S = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class LoopLag:
    """Looks twice a second from `start` to `stop`.

    Attributes:
        seen: by how much each look was late, in seconds.
    """

    def __init__(self) -> None:
        """Look not yet."""
        self.seen = Histogram(BOUNDS_S)
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin, in the running loop."""
        loop = asyncio.get_running_loop()
        due_s = loop.time() + TICK_S
        self._timer = loop.call_at(due_s, self._look, due_s)

    def stop(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()

    def _look(self, due_s: float) -> None:
        self.seen.add(max(0.0, asyncio.get_running_loop().time() - due_s))
        self.start()
