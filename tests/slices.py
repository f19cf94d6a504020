"""What slices of processor time a thread has asked for."""

import ctypes
import os
import struct
import sys

from thingtank.stores.processor_slices import _SYSCALLS


def slice_ns(thread_id: int = 0) -> int:
    """A thread's, 0 for the calling one, by sched_getattr(2); 0 where the kernel has none."""
    if sys.platform != "linux" or os.uname().machine not in _SYSCALLS:
        return 0
    told = ctypes.create_string_buffer(48)
    number = _SYSCALLS[os.uname().machine] + 1
    assert ctypes.CDLL(None).syscall(number, thread_id, told, len(told), 0) == 0
    runtime_ns: int = struct.unpack("=IIQiIQQQ", told.raw)[5]
    return runtime_ns
