"""What threads that devices wait for ask of the kernel, and those that nobody waits for."""

import os
import sys
import threading
from collections.abc import Callable

import pytest
from tests.slices import slice_ns

from thingtank.stores.processor_slices import (
    _SYSCALLS,
    LONG_NS,
    SHORT_NS,
    ask_for_long_slices,
    ask_for_short_slices,
)
from thingtank.stores.worker import Worker

pytestmark = pytest.mark.skipif(
    sys.platform != "linux"
    or os.uname().machine not in _SYSCALLS
    or os.sched_getscheduler(0) != os.SCHED_OTHER,
    reason="only Linux hears that, where the number of its call is known",
)
_RESET = 0x40000000  # of what sched_getscheduler tells


def in_thread(work: Callable[[], None]) -> None:
    """A thread's slices and policy are its own."""
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def look_around(ask: Callable[[], bool]) -> dict[str, tuple[int, int, int]]:
    """Slice, policy and niceness of a thread before and after, and of one that it begins."""
    seen: dict[str, tuple[int, int, int]] = {}

    def look(who: str) -> None:
        niceness = os.getpriority(os.PRIO_PROCESS, 0)
        seen[who] = (slice_ns(), os.sched_getscheduler(0) & ~_RESET, niceness)

    def work() -> None:
        os.nice(1)  # of this thread alone
        look("before")
        assert ask()
        look("after")
        in_thread(lambda: look("child"))

    in_thread(work)
    return seen


def test_a_thread_has_short_slices_and_those_it_begins_have_usual_ones() -> None:
    seen = look_around(ask_for_short_slices)
    usual_ns, policy, niceness = seen["before"]
    assert seen["after"] == (min(usual_ns, SHORT_NS), policy, niceness)
    assert seen["child"] == seen["before"]


def test_a_thread_has_long_slices_and_so_have_those_it_begins() -> None:
    seen = look_around(ask_for_long_slices)
    usual_ns, policy, niceness = seen["before"]
    # One before Linux 6.12 has none.
    assert seen["after"] == (max(usual_ns, LONG_NS) if usual_ns else 0, policy, niceness)
    assert seen["child"] == seen["after"]


def test_a_thread_of_another_policy_is_left_alone() -> None:
    seen: list[object] = []

    def work() -> None:
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
        seen.extend((ask_for_short_slices(), os.sched_getscheduler(0)))

    in_thread(work)
    assert seen == [False, os.SCHED_BATCH]


async def test_where_it_is_forbidden_threads_work_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "getpriority", refuse)
    worker = Worker("w", is_awaited=True)
    assert await worker.run(lambda: 7) == 7
    await worker.stop()
