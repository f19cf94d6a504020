"""A program that leaves quickly leaves nothing undone."""

import gc
import os
import subprocess
import sys

import pytest

from thingtank.cli.process import importing

PROGRAM = """
import atexit, sys, threading, time
from thingtank.cli.process import importing, run_and_leave

class Heavy:
    def __del__(self):
        print("taken apart")

heavy = Heavy()

def late():
    time.sleep(0.05)
    print("thread", flush=True)

def main():
    atexit.register(print, "atexit")
    print("printed")
    if "thread" in sys.argv:
        threading.Thread(target=late).start()
    sys.exit({code})

run_and_leave(main)
"""


def ran(code: str, *words: str) -> tuple[int, list[str], str]:
    command = [sys.executable, "-c", PROGRAM.replace("{code}", code), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout.splitlines(), done.stderr


@pytest.mark.parametrize("code", ["0", "1", "2"])
def test_code_and_output_come_through_and_nothing_is_taken_apart(code: str) -> None:
    assert ran(code) == (int(code), ["printed", "atexit"], "")


def test_another_thread_is_waited_for() -> None:
    code, printed, _ = ran("0", "thread")
    assert (code, printed[:3]) == (0, ["printed", "thread", "atexit"])


def test_words_in_place_of_a_code_are_said() -> None:
    assert ran("'no such thing'")[0::2] == (1, "no such thing\n")


def test_what_cannot_be_written_is_an_error_as_always() -> None:
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-c", PROGRAM.replace("{code}", "0")]
        buffered = {**os.environ, "PYTHONUNBUFFERED": ""}
        done = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, env=buffered, timeout=60, check=False
        )
    assert done.returncode == 120
    assert b"No space left" in done.stderr


def test_garbage_is_collected_again_after_importing() -> None:
    try:
        with importing():
            assert not gc.isenabled()
        assert gc.isenabled()
    finally:
        gc.unfreeze()


def test_ctrl_c_while_modules_load_is_quiet() -> None:
    program = """
import sys
from thingtank.cli import start

class Interrupted:
    def find_spec(self, name, *_):
        if name == "thingtank.cli.main":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupted())
start.run()
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
