"""Asks the kernel for short slices of processor time, for threads that devices wait for.

The journal's thread sleeps in each sync and is ready again a millisecond later, and so are the
clients that wait for it. If another thread has the processor then, of a sink or of a batch, Linux
lets that one finish its slice of some 3 ms first, whatever the niceness of the two; but not where
the one that wakes up has asked for shorter slices (EEVDF, from Linux 6.12 on). Before that
niceness alone decides. It costs nothing: nobody gets more of a processor by it.

Source: sched(7) and sched_setattr(2), where `sched_runtime` is the slice of SCHED_OTHER;
`Documentation/scheduler/sched-eevdf.rst` of the kernel.
"""

import ctypes
import os
import platform
import struct
import sys

SLICE_NS = 100_000  # the least that the kernel gives
_SYSCALLS = {"x86_64": 314, "aarch64": 274, "riscv64": 274}  # sched_setattr, which libc may lack
_ATTRIBUTES = struct.Struct("=IIQiIQQQ")  # struct sched_attr in its first version
_RESET_ON_FORK = 1  # what the thread begins has usual slices


def ask_for_short_slices() -> bool:
    """Ask for the calling thread, and not for those that it begins. Returns whether it is heard."""
    number = _SYSCALLS.get(platform.machine())
    if sys.platform != "linux" or number is None:
        return False
    niceness = os.getpriority(os.PRIO_PROCESS, 0)
    asked = _ATTRIBUTES.pack(
        _ATTRIBUTES.size, os.SCHED_OTHER, _RESET_ON_FORK, niceness, 0, SLICE_NS, 0, 0
    )
    result: int = ctypes.CDLL(None).syscall(number, 0, asked, 0)
    return result == 0
