"""Compile and drive a load generator in C, and read what a server costs meanwhile.

Such a program takes options as name=value, writes lines that say where it is (`begin`, `end`) and one
line of JSON, and explains itself on the error output when the server misbehaves.
"""

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from tests.bench.load import cpu_s

BUILD = Path(__file__).parents[2] / "build" / "bench"
SHARED = Path(__file__).with_name("load_common.h")
_SETTLE_S_MAX = 120.0


class CompilerMissing(RuntimeError):
    """There is no C compiler for the load generator."""


class LoadRefused(RuntimeError):
    """A server closed, refused or misbehaved; the message says how."""


def compiled(source: Path) -> Path:
    """A program, compiled again when its source or what it shares has changed.

    Raises:
        CompilerMissing: install a C compiler.
    """
    digest = hashlib.sha256(source.read_bytes() + SHARED.read_bytes()).hexdigest()[:16]
    program = BUILD / f"{source.stem}-{digest}"
    if program.exists():
        return program
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise CompilerMissing("no C compiler; on Debian: apt-get install gcc libc6-dev")
    BUILD.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=BUILD) as folder:
        made = Path(folder) / "made"
        subprocess.run([compiler, "-O2", "-o", str(made), str(source)], check=True, timeout=120)
        made.replace(program)
    return program


@contextmanager
def running(
    source: Path, options: Mapping[str, object]
) -> Iterator[tuple[subprocess.Popen[str], IO[str]]]:
    """The program at work, and its output; what it has left to say is not waited for by the caller."""
    words = [f"{name}={value}" for name, value in options.items()]
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        [str(compiled(source)), *words], stdin=pipe, stdout=pipe, stderr=pipe, text=True
    )
    assert process.stdout is not None
    try:
        with process:
            try:
                yield process, process.stdout
                process.communicate(timeout=_SETTLE_S_MAX)
            finally:
                process.kill()
    finally:
        process.wait()


def wait_for(output: IO[str], beginning: str, process: subprocess.Popen[str]) -> str:
    """The next line that begins so.

    Raises:
        LoadRefused: the program has ended without.
    """
    # The program ends by itself: each of its waits has a limit.
    for line in output:
        if line.startswith(beginning):
            return line
    assert process.stderr is not None
    raise LoadRefused(process.stderr.read().strip())


def spent(server_pids: list[int], generator_pid: int) -> tuple[float, float]:
    """Processor time of the server, and of all but the generator and this process."""
    ticks = [int(text) for text in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    busy_s = (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")
    own_s = cpu_s(os.getpid()) + cpu_s(generator_pid)
    return sum(cpu_s(pid) for pid in server_pids), busy_s - own_s
