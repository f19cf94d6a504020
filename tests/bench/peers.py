"""Programs of others that a bench compares with: installed when first needed, run, stopped.

Each has a folder of its own under `build/peers/`. Those that cannot be had are left out, and the
bench says so.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PEERS = Path(__file__).parents[2] / "build" / "peers"
INSTALL_S_MAX = 900
START_S_MAX = 60
STOP_S_MAX = 15


class PeerMissing(RuntimeError):
    """One that cannot be installed or started; the message says why."""


def process_tree(root: int) -> list[int]:
    """A process and all that come from it, as far as they are there."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue  # it has ended
        children.setdefault(parent, []).append(int(path.parent.name))
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found


def is_installed(folder: Path, what: str) -> bool:
    """Whether exactly that was installed there."""
    mark = folder / "installed"
    return mark.exists() and mark.read_text() == what


def mark_installed(folder: Path, what: str) -> None:
    """Say so when all of it is there."""
    (folder / "installed").write_text(what)


def install(saying: str, command: list[str]) -> None:
    """Run an installer.

    Raises:
        PeerMissing: it failed, or took too long.
    """
    print(saying, file=sys.stderr)
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=INSTALL_S_MAX)
    except subprocess.CalledProcessError as error:
        last_words = " ".join(error.stderr.split("\n")[-3:]).strip()
        raise PeerMissing(f"{command[0]} failed: {last_words}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PeerMissing(str(error)) from error


@contextmanager
def running(command: list[str], log: Path, ports: list[int]) -> Iterator["subprocess.Popen[bytes]"]:
    """A peer in a process of its own, ready when all its ports are open.

    Raises:
        PeerMissing: it did not start.
    """
    environment = {**os.environ, "PYTHONPATH": ""}
    with log.open("wb") as output:
        try:
            process = subprocess.Popen(
                command, stdout=output, stderr=subprocess.STDOUT, env=environment, cwd=log.parent
            )
        except OSError as error:
            raise PeerMissing(str(error)) from error
    try:
        for port in ports:
            _wait_until_open(port, process, log)
        yield process
    finally:
        _stop(process)


def _wait_until_open(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    for _ in range(START_S_MAX * 10):
        if process.poll() is not None:
            break
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise PeerMissing(f"it did not start: {log.read_text(errors='replace')[-300:]}")


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(STOP_S_MAX)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
