"""What threads that devices wait for ask of the kernel."""

import ctypes
import os
import struct
import sys
import threading

import pytest

from thingtank.stores.short_slices import _SYSCALLS, SLICE_NS, ask_for_short_slices

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or os.uname().machine not in _SYSCALLS,
    reason="only Linux hears that, where the number of its call is known",
)


def slice_ns() -> int:
    """The calling thread's, by sched_getattr(2); 0 before Linux 6.12, which has none."""
    told = ctypes.create_string_buffer(48)
    number = _SYSCALLS[os.uname().machine] + 1
    assert ctypes.CDLL(None).syscall(number, 0, told, len(told), 0) == 0
    runtime_ns: int = struct.unpack("=IIQiIQQQ", told.raw)[5]
    return runtime_ns


def test_a_thread_has_short_slices_and_those_it_begins_have_usual_ones() -> None:
    seen: dict[str, tuple[int, int, int]] = {}

    def look(who: str) -> None:
        niceness = os.getpriority(os.PRIO_PROCESS, 0)
        seen[who] = (slice_ns(), os.sched_getscheduler(0) & ~0x40000000, niceness)

    def work() -> None:
        look("before")
        os.nice(1)  # of this thread alone
        assert ask_for_short_slices()
        look("after")
        child = threading.Thread(target=look, args=("child",))
        child.start()
        child.join()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    usual_ns, policy, niceness = seen["before"]
    assert seen["after"] == (min(usual_ns, SLICE_NS), policy, niceness + 1)
    assert seen["child"] == (usual_ns, policy, niceness + 1)
    assert policy == os.SCHED_OTHER
