"""A real `thingtank serve` in its own process, for tests that need the whole thing.

with start_server(tmp_path) as server:
    requests.get(f"{server.url}/healthz", timeout=5)
"""

import atexit
import functools
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import IO

from tests.prepared_commands import PreparedProcess, run_prepared, start_prepared

START_S_MAX = 60.0  # two busy cores shared by several test runs; alone it takes under 3 s
STOP_S_MAX = 15.0
IS_TEST = "PYTEST_VERSION" in os.environ


class LiveServer:
    """One running server and what a test wants to know of it.

    Attributes:
        folder: its data folder.
        url: where the web door is, without a slash at the end.
        welcome_url: the one-time link that signs the owner in.
        feed_id, api_key: the first device and a key that may do everything on its feed.
        sockets: addresses of the socket doors by name.
        process: the child process.
        ready: all that the server said of itself when it was ready.
        start_s: seconds from the start of the process until it was ready.
    """

    def __init__(
        self,
        folder: Path,
        process: "subprocess.Popen[bytes] | PreparedProcess",
        ready: dict[str, object],
        log: Path,
        start_s: float,
    ) -> None:
        self.folder = folder
        self.process = process
        self.ready = ready
        self.start_s = start_s
        self.url = str(ready["url"])
        self.welcome_url = str(ready["welcome_url"])
        self.feed_id = int(str(ready["feed_id"] or 0))
        self.api_key = str(ready["api_key"] or "")
        self.sockets: dict[str, str] = dict(ready["sockets"])  # type: ignore[call-overload] # JSON
        self._master_key = ""
        self._log = log
        self._whole_output: str | None = None  # once it has ended

    def output(self) -> str:
        """What it has printed and logged so far."""
        if self._whole_output is not None:
            return self._whole_output
        return self._log.read_text(errors="replace")

    def command(self, *words: str) -> dict[str, object]:
        """What a `thingtank` command on its folder prints as JSON; the command must succeed."""
        done = run_prepared(*words, "--json", "--data", str(self.folder))
        assert done.returncode == 0, done.stderr
        printed: dict[str, object] = json.loads(done.stdout)
        return printed

    def master_key(self) -> str:
        """A key that may do everything its owner may, made at the first call."""
        if not self._master_key:
            self._master_key = str(self.command("key", "create", "tests")["api_key"])
        return self._master_key

    def stop(self) -> None:
        """Ask it to stop as Ctrl-C does, and check that it did so cleanly."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        code = self._wait()
        assert code == 0, f"the server ended with {code}:\n{self.output()}"

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        self.process.kill()
        self._wait()

    def _wait(self) -> int:
        try:
            return self.process.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(STOP_S_MAX)
            raise AssertionError(f"the server did not stop:\n{self.output()}") from None
        finally:
            self._whole_output = self.output()
            shutil.rmtree(self._log.parent, ignore_errors=True)

    def __enter__(self) -> "LiveServer":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is not None or self.process.poll() is not None:
            self.kill()
        else:
            self.stop()


def start_server(
    folder: Path,
    *flags: str,
    env: dict[str, str] | None = None,
    is_furnished: bool = True,
    is_prepared: bool = IS_TEST,
) -> LiveServer:
    """Start a server on a data folder and wait until it serves.

    Args:
        folder: the data folder; made if it is not there.
        flags: more flags of `thingtank serve`; ports of 0 come before them.
        env: environment variables on top of this process's own.
        is_furnished: spare a first start the making of tables; not where it is looked at itself.
        is_prepared: spare it the imports as well, where no environment is given; by default in
            tests, and not where somebody measures.

    Raises:
        AssertionError: it did not get ready, or ended; with all it printed.
    """
    if is_furnished:
        furnish(folder)
    run_folder = Path(tempfile.mkdtemp(prefix="thingtank-live-"))
    ready_file, log = run_folder / "ready.json", run_folder / "output.log"
    words = ["serve", "--data", str(folder)]
    words += ["--web", "0", "--wamp", "0", "--socket", "0", "--mqtt", "0", "--skynet", "0"]
    words += ["--ready-file", str(ready_file), *flags]
    started_s = time.monotonic()
    with log.open("wb") as output:
        process = (
            start_prepared(words, output)
            if is_prepared and env is None
            else _start_program(words, output, env or {})
        )
    try:
        ready = _wait_until_ready(process, ready_file, log)
    except BaseException:
        process.kill()
        process.wait(STOP_S_MAX)
        shutil.rmtree(run_folder)
        raise
    return LiveServer(folder, process, ready, log, time.monotonic() - started_s)


def _start_program(
    words: list[str], output: IO[bytes], env: dict[str, str]
) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "thingtank.cli.main", *words],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        env={**os.environ, **env},
    )


def furnish(folder: Path) -> None:
    """Give a new data folder a secret and empty tables, as its first start would; else nothing.

    Django takes a quarter of a second of processor time to make them.
    """
    if (folder / "secret.key").exists() or (folder / "directory.sqlite3").exists():
        return
    folder.mkdir(0o700, parents=True, exist_ok=True)
    with open(
        folder / "secret.key", "wb", opener=lambda path, how: os.open(path, how, 0o600)
    ) as to:
        to.write(secrets.token_bytes(32))
    shutil.copyfile(_empty_tables(), folder / "directory.sqlite3")


@functools.cache
def _empty_tables() -> Path:
    """A database whose tables are as the product makes them, and empty; once a test process."""
    made = Path(tempfile.mkdtemp(prefix="thingtank-tables-"))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    code = (
        "import sys; from pathlib import Path;"
        "from thingtank.web.setup import configure, migrate;"
        "from thingtank.web.web_settings import WebSettings;"
        "configure(WebSettings(), Path(sys.argv[1]), bytes(32)); migrate()"
    )
    subprocess.run([sys.executable, "-c", code, made], timeout=START_S_MAX, check=True)
    assert [file.name for file in made.iterdir()] == ["directory.sqlite3"]  # no journal beside it
    return made / "directory.sqlite3"


def _wait_until_ready(
    process: "subprocess.Popen[bytes] | PreparedProcess", ready_file: Path, log: Path
) -> dict[str, object]:
    deadline_s = time.monotonic() + START_S_MAX
    while time.monotonic() < deadline_s:
        if ready_file.exists():  # renamed into place when complete
            ready: dict[str, object] = json.loads(ready_file.read_bytes())
            return ready
        if process.poll() is not None:
            break
        time.sleep(0.01)
    code = process.poll()
    fate = "was not ready in time" if code is None else f"ended with exit code {code}"
    raise AssertionError(f"the server {fate}:\n{log.read_text(errors='replace')}")
