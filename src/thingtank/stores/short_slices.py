"""Asks the kernel for short slices of processor time, for threads that devices wait for.

The journal's thread sleeps in each sync and is ready again a millisecond later, and so are the
clients that wait for it. If another thread has the processor then, of a sink or of a batch, Linux
lets that one finish its slice of some 3 ms first, whatever the niceness of the two; but not where
the one that wakes up has asked for shorter slices (EEVDF, from Linux 6.12 on). Before that
niceness alone decides. It costs nothing: nobody gets more of a processor by it.

Source: Linux, sched(7); sched_setattr(2), where `sched_runtime` is the slice of SCHED_OTHER; and
`Documentation/scheduler/sched-eevdf.rst`.
"""

import os
import platform
import struct
import sys

SLICE_NS = 100_000  # the least that the kernel gives
_SYSCALLS = {"x86_64": 314, "aarch64": 274, "riscv64": 274}  # sched_setattr, which libc may lack
_ATTRIBUTES = struct.Struct("=IIQiIQQQ")  # struct sched_attr in its first version
_RESET_ON_FORK = 1


def ask_for_short_slices() -> bool:
    """Ask for the calling thread, and where its niceness is 0 or more, not for those it begins.

    Returns:
        Whether the kernel takes it; one before Linux 6.12 does so and changes nothing. A thread
        that somebody has given another scheduling policy is left alone.
    """
    if sys.platform != "linux" or sys.maxsize < 2**32:  # in 32 bits the numbers are others
        return False
    number = _SYSCALLS.get(platform.machine())
    if number is None:
        return False
    try:
        import ctypes  # which a Python may lack

        if os.sched_getscheduler(0) != os.SCHED_OTHER:
            return False
        niceness = os.getpriority(os.PRIO_PROCESS, 0)
        flags = _RESET_ON_FORK if niceness >= 0 else 0  # it would take away what is below 0
        asked = _ATTRIBUTES.pack(
            _ATTRIBUTES.size, os.SCHED_OTHER, flags, niceness, 0, SLICE_NS, 0, 0
        )
        result: int = ctypes.CDLL(None).syscall(number, 0, asked, 0)
    except (ImportError, OSError, AttributeError):  # such as in a container that forbids it
        return False
    return result == 0
