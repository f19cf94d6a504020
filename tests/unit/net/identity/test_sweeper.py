"""Every session is looked at once in a sweep, a few at a time."""

from collections.abc import Callable

import pytest

from thingtank.net.identity.sweeper import SWEEP_S, TICK_SESSIONS, TICKS_MAX, Sweeper


class Loop:
    """A loop that only tests move."""

    def __init__(self) -> None:
        self.calls: list[tuple[float, Callable[[], None]]] = []
        self.seconds = 0.0

    def call_soon(self, call: Callable[[], None], /) -> None:
        raise AssertionError("nothing is done at once")

    def call_later(self, seconds: float, call: Callable[[], None], /) -> "Loop":
        self.calls.append((seconds, call))
        return self

    def cancel(self) -> None:
        self.calls.clear()

    def tick(self) -> None:
        ((seconds, call),) = self.calls
        self.seconds += seconds
        self.calls.clear()
        call()


@pytest.mark.parametrize("count", [0, 1, 50, 1000, 20_010])
def test_a_sweep_shows_each_session_once_in_even_parts(count: int) -> None:
    loop, seen = Loop(), list[int]()
    sweeper = Sweeper(lambda: range(count), seen.append, loop)
    sweeper.start()
    parts = []
    while len(seen) < count:
        before = len(seen)
        loop.tick()
        parts.append(len(seen) - before)
    assert sorted(seen) == list(range(count))
    assert loop.seconds <= 2 * SWEEP_S
    assert max(parts, default=0) <= max(TICK_SESSIONS, -(-count // TICKS_MAX))


def test_who_came_since_is_looked_at_in_the_next_sweep() -> None:
    loop, there, seen = Loop(), [1], list[int]()
    sweeper = Sweeper(lambda: there, seen.append, loop)
    sweeper.start()
    loop.tick()
    there.append(2)
    assert seen == [1]
    loop.tick()
    assert sorted(seen) == [1, 1, 2]


def test_it_stops() -> None:
    loop = Loop()
    sweeper = Sweeper(lambda: [1], lambda _: None, loop)
    sweeper.start()
    sweeper.stop()
    sweeper.stop()
    assert loop.calls == []
