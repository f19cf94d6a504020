"""The program `thingtank` in processes that have imported beforehand what it needs.

A command spends two thirds of its time on imports, and so does the start of a server. Here one
process imports, and is forked for each program, which does all else as it would otherwise: from
its words to its exit code. `live_server` starts servers so.

run_prepared("device", "list", "--data", str(folder)).stdout
"""

import atexit
import contextlib
import functools
import gc
import importlib
import io
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import IO

RUN_S_MAX = 60.0
REQUEST_BYTES_MAX = 200_000  # with all environment variables
PID_BYTES = 10
# What a server has imported once it is ready, as far as Django allows that without its settings.
IMPORTED = (
    "thingtank.server.serve",
    "django.contrib.admin",
    "django.contrib.auth.hashers",
    "django.contrib.sessions.backends.db",
    "django.db.backends.sqlite3.base",
    "django.db.migrations",
    "axes.handlers",
    "csp.middleware",
    "thingtank.web.api.bulk",
    "thingtank.web.catalog.snapshot",
    "thingtank.web.workbench.exports",
    "thingtank.web.workbench.live",
)


class PreparedProcess:
    """A program that runs; the part of `subprocess.Popen` that tests use.

    Attributes:
        pid: of the program's process.
        returncode: once it has ended: its exit code, or the signal's number with a minus.
    """

    def __init__(self, status: int) -> None:
        """Take a program over.

        Args:
            status: whence its pid is read, and in the end its exit code.
        """
        self._status = status
        self._lock = threading.Lock()
        self.pid = int(os.read(status, PID_BYTES))
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Its exit code; None while it runs."""
        with self._lock:
            if self.returncode is None and self._is_over(0):
                self.returncode = int(os.read(self._status, PID_BYTES))
                os.close(self._status)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, when it ends."""
        if self.returncode is None and not self._is_over(timeout):
            assert timeout is not None
            raise subprocess.TimeoutExpired("thingtank", timeout)
        code = self.poll()
        assert code is not None
        return code

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def _is_over(self, timeout: float | None) -> bool:
        waiting = select.poll()
        waiting.register(self._status, select.POLLIN)
        return bool(waiting.poll(None if timeout is None else timeout * 1000))


def run_prepared(
    *words: str, stdin: str = "", env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """As `subprocess.run` with `capture_output` and `text`.

    Args:
        words: those after `thingtank`.
        env: all environment variables, unless they are this process's.
    """
    done = run_prepared_in_bytes(*words, stdin=stdin.encode(), env=env)
    printed = (io.TextIOWrapper(io.BytesIO(text)).read() for text in (done.stdout, done.stderr))
    return subprocess.CompletedProcess(words, done.returncode, *printed)


def run_prepared_in_bytes(
    *words: str, stdin: bytes = b"", env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """The same without `text`."""
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(tempfile.TemporaryFile()) for _ in range(3)]
        files[0].write(stdin)
        files[0].seek(0)
        process = _prepared().start(words, *files, env=env)
        try:
            code = process.wait(RUN_S_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        for file in files[1:]:
            file.seek(0)
        return subprocess.CompletedProcess(words, code, *(file.read() for file in files[1:]))


def start_prepared(words: list[str], output: IO[bytes]) -> PreparedProcess:
    """Start a program whose output goes to a file."""
    with open(os.devnull, "rb") as nothing:
        return _prepared().start(tuple(words), nothing, output, output)


_turn = threading.Lock()


def _prepared() -> "Prepared":
    with _turn:  # tests run commands in threads
        return _made()


@functools.cache
def _made() -> "Prepared":
    prepared = Prepared()
    atexit.register(prepared.close)
    return prepared


class Prepared:
    """The process that is forked; one a test process."""

    def __init__(self) -> None:
        self._connection, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.prepared_commands", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                cwd=Path(__file__).parents[1],
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},  # threads do not survive a fork
            )

    def start(
        self,
        words: tuple[str, ...],
        stdin: IO[bytes],
        *outputs: IO[bytes],
        env: dict[str, str] | None = None,
    ) -> PreparedProcess:
        """Start one program, in this process's folder, and its environment unless one is given."""
        environment = dict(os.environ) if env is None else env
        request = {"words": words, "cwd": os.getcwd(), "environment": environment}
        status, theirs = os.pipe()
        try:
            files = [stdin.fileno(), *(output.fileno() for output in outputs), theirs]
            socket.send_fds(self._connection, [json.dumps(request).encode()], files)
        finally:
            os.close(theirs)
        return PreparedProcess(status)

    def close(self) -> None:
        """End it; programs go on."""
        self._connection.close()
        self._process.wait(RUN_S_MAX)


def _serve(connection: socket.socket) -> None:
    for name in IMPORTED:
        importlib.import_module(name)
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks for those in between
    while True:
        request, files, _, _ = socket.recv_fds(connection, REQUEST_BYTES_MAX, 4)
        if not request:
            os._exit(0)  # as programs of the product end: without taking modules apart
        if os.fork() == 0:
            connection.close()
            _tell_how_it_ends(json.loads(request), files)
        for file in files:
            os.close(file)


def _tell_how_it_ends(request: dict[str, object], files: list[int]) -> None:
    """Run the program in a process below this one, which tells its pid and its exit code."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    *standard, status = files
    pid = os.fork()
    if pid == 0:
        os.close(status)
        _run(request, standard)
    os.write(status, f"{pid:{PID_BYTES}}".encode())
    for file in standard:
        os.close(file)
    _, code = os.waitpid(pid, 0)
    os.write(status, str(os.waitstatus_to_exitcode(code)).encode())
    os._exit(0)


def _run(request: dict[str, object], standard: list[int]) -> None:
    from thingtank.cli.main import run

    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(str(request["cwd"]))
    for number, file in enumerate(standard):
        os.dup2(file, number)
        os.close(file)
    sys.argv = ["thingtank", *request["words"]]
    run()


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
