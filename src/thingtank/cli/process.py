"""What a Python program need not spend on its start and its end."""

import atexit
import contextlib
import gc
import os
import sys
import threading
from collections.abc import Callable, Iterator
from typing import NoReturn


@contextlib.contextmanager
def importing() -> Iterator[None]:
    """A time without garbage collection: modules make little garbage, and stay.

    Looking for some takes a tenth of the time of importing. No later collection looks at what is
    there by the end.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        atexit.register(gc.unfreeze)  # DuckDB tells of a leak where modules are not taken apart
        gc.enable()


def run_and_leave(program: Callable[[], object]) -> NoReturn:
    """Run a program that ends with SystemExit, and leave without taking each object apart.

    Which takes as long as a small command. While another thread is at work, or what was printed
    cannot be written, Python ends it as always.
    """
    try:
        program()
    except SystemExit as end:
        if threading.active_count() == 1 and isinstance(end.code, int):
            with contextlib.suppress(OSError):  # Python says it, and chooses the exit code
                sys.stdout.flush()
                sys.stderr.flush()
                atexit._run_exitfuncs()
                os._exit(end.code)
        raise
    raise AssertionError("it ends with SystemExit")
