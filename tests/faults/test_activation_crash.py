"""Killed in the middle of an activation, nothing of it is left, and the device can try again."""

import json
import signal
import subprocess
import sys
from pathlib import Path


def activated(folder: Path, how: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "tests.faults.activation_child", str(folder), how]
    return subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)


def test_a_kill_inside_an_activation_leaves_no_feed_no_key_and_no_mark(tmp_path: Path) -> None:
    for _ in range(2):
        killed = activated(tmp_path, "die")
        assert killed.returncode == -signal.SIGKILL, killed.stderr
    lived = activated(tmp_path, "live")
    assert lived.returncode == 0, lived.stderr
    assert json.loads(lived.stdout) == {
        "feeds_and_keys": [0, 0],
        "was_active": False,
        "has_key": True,
    }
