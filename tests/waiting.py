"""Waiting for what comes about by itself, and tells nobody.

A test that waits in vain fails, so the time may be long. It is less where the product would mend by
a timer of its own what is expected at once; what is said to take less is measured by the test.
"""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

WAIT_S_MAX = 60.0  # two busy cores shared by several test runs; alone it is a moment
# Where a part is broken, a hundred tests wait for it: after some in vain, the others wait less.
VAIN_COUNT_MAX, WAIT_AFTER_VAIN_S_MAX = 5, 10.0
LOOK_S, LOOK_S_MAX = 0.02, 0.5
LOOK_OF_LOOP_S = 0.005  # it is cheaper: no other thread is woken
IN_VAIN = "it did not come about in time"

_vain_count = 0


def wait_until(
    is_so: Callable[[], T], what: Callable[[], object] | str = IN_VAIN, *, s_max: float = WAIT_S_MAX
) -> T:
    """Look until something is true, and return it.

    Raises:
        AssertionError: it never was; `what` is said then.
    """
    deadline_s = time.monotonic() + _patience_s(s_max)
    while True:
        began_s = time.monotonic()
        if found := is_so():
            return found
        if began_s >= deadline_s:  # not when it ended: a look may itself take long
            raise _in_vain(what)
        time.sleep(_pause_s(LOOK_S, began_s))


async def until(
    is_so: Callable[[], Awaitable[T]] | Callable[[], T],
    what: Callable[[], object] | str = IN_VAIN,
    *,
    s_max: float = WAIT_S_MAX,
) -> T:
    """Look until something is true, or what it awaits is, and return it.

    Raises:
        AssertionError: it never was; `what` is said then.
    """
    patience_s = _patience_s(s_max)
    deadline_s = time.monotonic() + patience_s
    try:
        async with asyncio.timeout(patience_s + LOOK_S_MAX):  # a look may hang
            while True:
                began_s = time.monotonic()
                found = is_so()
                if inspect.isawaitable(found):
                    found = await found
                if found:
                    return found
                if began_s >= deadline_s:
                    break
                await asyncio.sleep(_pause_s(LOOK_OF_LOOP_S, began_s))
    except TimeoutError:
        if time.monotonic() < deadline_s:  # it is the look's own
            raise
    raise _in_vain(what)


def _pause_s(least_s: float, began_s: float) -> float:
    """Who looks by a command or a page leaves half of the time to what is waited for."""
    return min(max(least_s, time.monotonic() - began_s), LOOK_S_MAX)


def _patience_s(s_max: float) -> float:
    return min(s_max, WAIT_AFTER_VAIN_S_MAX) if _vain_count >= VAIN_COUNT_MAX else s_max


def _in_vain(what: Callable[[], object] | str) -> AssertionError:
    global _vain_count
    _vain_count += 1
    return AssertionError(what if isinstance(what, str) else what())
