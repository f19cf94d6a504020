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
LOOK_S, LOOK_S_MAX = 0.02, 0.5
LOOK_OF_LOOP_S = 0.005  # it is cheaper: no other thread is woken
IN_VAIN = "it did not come about in time"


def wait_until(
    is_so: Callable[[], T], what: Callable[[], object] | str = IN_VAIN, *, s_max: float = WAIT_S_MAX
) -> T:
    """Look until something is true, and return it.

    Raises:
        AssertionError: it never was; `what` is said then.
    """
    deadline_s = time.monotonic() + s_max
    while True:
        began_s = time.monotonic()
        if found := is_so():
            return found
        if began_s >= deadline_s:  # not when it ended: a look may itself take long
            raise AssertionError(_said(what))
        # Who looks by a command or a page leaves half of the time to what is waited for.
        time.sleep(min(max(LOOK_S, time.monotonic() - began_s), LOOK_S_MAX))


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
    deadline_s = time.monotonic() + s_max
    while True:
        began_s = time.monotonic()
        found = is_so()
        if inspect.isawaitable(found):
            found = await found
        if found:
            return found
        if began_s >= deadline_s:
            raise AssertionError(_said(what))
        await asyncio.sleep(LOOK_OF_LOOP_S)


def _said(what: Callable[[], object] | str) -> object:
    return what if isinstance(what, str) else what()
