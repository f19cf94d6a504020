"""One run of a scheduled job: `thingtank batch run` in a process of its own, which is bounded."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from thingtank.batch.piping import ended

NICE = 10  # devices come first
END_S_MAX = 60.0  # to let go of what was begun: on AWS too, which may have to be asked again
PROBLEM_CHARS_MAX = 2000
SAID_BYTES_MAX = 1 << 20


class RunFailed(Exception):
    """A run did not succeed; the message is its own."""


class Ran(msgspec.Struct, frozen=True):
    """What of a run's answer is used; see `tank.batch`."""

    top: list[tuple[str, int]]
    head: list[str] = []
    input_lines: int | None = None
    output_lines: int | None = None

    @property
    def count(self) -> int:
        """The largest count of its output; 0 when that has none."""
        return max((count for _, count in self.top), default=0)


async def run_batch(words: Sequence[str], folder: Path, run_s_max: float) -> Ran:
    """Run `thingtank batch run` with these words.

    Args:
        folder: where it runs.

    Raises:
        RunFailed: it failed, took too long, or could not be started.
    """
    command = [
        sys.executable,
        "-m",
        "thingtank.cli.main",
        "batch",
        "run",
        "--json",
        "--with-parent",
        *words,
    ]
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,  # its end tells that this process is gone
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=folder,
            limit=SAID_BYTES_MAX,
        )
    except OSError as error:
        raise RunFailed(f"it cannot be started in {folder}: {error.strerror}") from None
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, process.pid, NICE)
    try:
        async with asyncio.timeout(run_s_max):
            said, problem = await _heard(process)
    except TimeoutError:
        await _end(process)
        raise RunFailed(f"it took longer than {run_s_max:,.0f} s, and was ended") from None
    except asyncio.CancelledError:
        await _end(process)
        raise
    if process.returncode:
        raise RunFailed(_problem(problem) or f"it {ended(process.returncode)}, and said nothing")
    try:
        return msgspec.json.decode(said, type=Ran)
    except msgspec.DecodeError as error:
        raise RunFailed(f"its answer cannot be read: {error}") from None


def _problem(said: bytes) -> str:
    """Its words: the first line, which says what failed, and the last of what is behind it."""
    first, end, rest = said.decode(errors="replace").strip().partition("\n")
    first = first.removeprefix("Error: ")[: PROBLEM_CHARS_MAX // 2]
    most = PROBLEM_CHARS_MAX // 2
    return f"{first}{end}{rest if len(rest) <= most else '…' + rest[1 - most :]}"


async def _heard(process: asyncio.subprocess.Process) -> tuple[bytes, bytes]:
    """All it writes, once it has ended; its standard input stays open until then."""
    assert process.stdout is not None
    assert process.stderr is not None
    said, problem = await asyncio.gather(process.stdout.read(), process.stderr.read())
    await process.wait()
    return said, problem


async def _end(process: asyncio.subprocess.Process) -> None:
    """End it as Ctrl-C does, so that it lets go of what it has begun; else by force."""
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGINT)
    try:
        async with asyncio.timeout(END_S_MAX):
            await _heard(process)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
            os.killpg(process.pid, signal.SIGKILL)  # what it has started
        await process.wait()
