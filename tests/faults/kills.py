"""Children that work until they are killed, at an instant that chance chose.

`FAULT_SEED=N` runs a printed seed again, `KILL_ROUNDS=N` runs more rounds.
"""

import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

ROOT = Path(__file__).parents[2]
START_S_MAX = 30


def rounds(usual: int) -> int:
    """How often to kill."""
    return int(os.environ.get("KILL_ROUNDS", str(usual)))


def printed_seed() -> int:
    """A seed for chance, printed so that a failure can be had again."""
    seed = int(os.environ.get("FAULT_SEED") or random.SystemRandom().randrange(10**6))
    print(f"FAULT_SEED={seed}")
    return seed


def run_and_kill(module: str, *words: object, after_s: float) -> list[str]:
    """Let a child write; kill it so long after its first acknowledgement. What it printed."""
    child = subprocess.Popen(
        [sys.executable, "-m", f"tests.faults.{module}", *map(str, words)],
        stdout=subprocess.PIPE,
        cwd=ROOT,
        text=True,
    )
    assert child.stdout is not None
    too_slow = threading.Timer(START_S_MAX, child.kill)
    too_slow.start()
    with child:
        printed = [child.stdout.readline()]
        too_slow.cancel()
        timer = threading.Timer(after_s, child.kill)
        timer.start()
        printed += child.stdout
    timer.join()
    assert child.returncode == -signal.SIGKILL, printed[-1:]
    return [line for line in printed if line.endswith("\n")]
