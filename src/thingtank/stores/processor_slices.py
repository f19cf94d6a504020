"""Asks the kernel for short or long slices of processor time.

The journal's thread sleeps in each sync and is ready again a millisecond later, and so are the
clients that wait for it. If another thread has the processor then, of a sink or of a batch, Linux
lets that one finish its slice of some 3 ms first, whatever the niceness of the two; but not where
the one that wakes up has shorter slices (EEVDF, from Linux 6.12 on). So threads that devices wait
for ask for short ones; and what nobody waits for asks for long ones, as not only those threads are
on a device's way: a proxy before the server has the usual slices. Before Linux 6.12 niceness alone
decides. It costs nothing: nobody gets more of a processor by it, or less.

Source: Linux, sched(7); sched_setattr(2), where `sched_runtime` is the slice of SCHED_OTHER; and
`Documentation/scheduler/sched-eevdf.rst`.
"""

import os
import platform
import struct
import sys

SHORT_NS = 100_000  # the least that the kernel gives
LONG_NS = 100_000_000  # the most
_SYSCALLS = {"x86_64": 314, "aarch64": 274, "riscv64": 274}  # sched_setattr, which libc may lack
_ATTRIBUTES = struct.Struct("=IIQiIQQQ")  # struct sched_attr in its first version
_RESET_ON_FORK = 1


def ask_for_short_slices() -> bool:
    """Ask for the calling thread, and where its niceness is 0 or more, not for those it begins.

    Returns:
        Whether the kernel takes it; one before Linux 6.12 does so and changes nothing. A thread
        that somebody has given another scheduling policy is left alone.
    """
    return _ask(SHORT_NS, is_passed_on=False)


def ask_for_long_slices() -> bool:
    """Ask for the calling thread, and all that it begins. Returns as `ask_for_short_slices`."""
    return _ask(LONG_NS, is_passed_on=True)


def _ask(slice_ns: int, *, is_passed_on: bool) -> bool:
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
        # Resetting would take away what is below 0.
        flags = 0 if is_passed_on or niceness < 0 else _RESET_ON_FORK
        asked = _ATTRIBUTES.pack(
            _ATTRIBUTES.size, os.SCHED_OTHER, flags, niceness, 0, slice_ns, 0, 0
        )
        result: int = ctypes.CDLL(None).syscall(number, 0, asked, 0)
    except (ImportError, OSError, AttributeError):  # such as in a container that forbids it
        return False
    return result == 0
