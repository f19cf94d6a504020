"""`thingtank` commands, each in a process of its own that has imported what it needs beforehand.

A command without a server spends two thirds of its time on imports. Here one process imports, and
is forked for each command, which opens the data folder and leaves as the program does.

run_prepared("device", "list", "--data", str(folder)).stdout
"""

import atexit
import functools
import json
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

RUN_S_MAX = 60.0


def run_prepared(*words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """As `subprocess.run` with `capture_output`."""
    return _prepared().run(words, stdin)


@functools.cache
def _prepared() -> "Prepared":
    prepared = Prepared()
    atexit.register(prepared.close)
    return prepared


class Prepared:
    """The process that is forked; one a test process, which asks it for one command at a time."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="thingtank-prepared-")
        self._connection, theirs = socket.socketpair()
        self._connection.settimeout(RUN_S_MAX)
        self._answers = self._connection.makefile("rb")
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.prepared_commands", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                cwd=Path(__file__).parents[1],
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},  # threads do not survive a fork
            )

    def run(self, words: tuple[str, ...], stdin: str) -> subprocess.CompletedProcess[str]:
        """Run one command."""
        files = [Path(self._folder.name, name) for name in ("stdin", "stdout", "stderr")]
        files[0].write_text(stdin)
        request = {"words": words, "files": [str(file) for file in files], "cwd": os.getcwd()}
        self._connection.sendall(json.dumps(request).encode() + b"\n")
        code = json.loads(self._answers.readline())
        return subprocess.CompletedProcess(words, code, *(file.read_text() for file in files[1:]))

    def close(self) -> None:
        """End it."""
        self._answers.close()
        self._connection.close()
        self._process.wait(RUN_S_MAX)
        self._folder.cleanup()


def _serve(connection: socket.socket) -> None:
    # What `thingtank.cli.session` imports once it has a folder to open.
    import thingtank.server.config
    import thingtank.server.data_folder
    import thingtank.server.logs  # noqa: F401 - for the processes that are forked
    from thingtank.cli.main import run

    for line in connection.makefile("rb"):
        request = json.loads(line)
        pid = os.fork()
        if pid == 0:
            connection.close()
            os.chdir(request["cwd"])
            for number, file in enumerate(request["files"]):
                how = os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC
                os.dup2(os.open(file, how), number)
            sys.argv = ["thingtank", *request["words"]]
            run()
        _, status = os.waitpid(pid, 0)
        connection.sendall(json.dumps(os.waitstatus_to_exitcode(status)).encode() + b"\n")


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
