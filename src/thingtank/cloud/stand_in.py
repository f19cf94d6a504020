"""A stand-in for AWS on this machine, for trying things without an account.

MiniStack keeps what is made in it when it is told to end, and so needs an environment of its own:
it holds botocore to one version. moto's server keeps nothing. Neither is a place for data: queues
in them take 1 to 90 calls a second, and none of them checks a permission.
"""

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
import venv
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

MINISTACK = "ministack==1.5.33"  # what this is tested with
READY_S_MAX = 60.0
STOP_S_MAX = 30.0  # it writes what it holds
HOST = "127.0.0.1"


class StandInFailed(Exception):
    """It could not be started; the message says why and what to do."""


class StandIn(NamedTuple):
    """One that can be started.

    Attributes:
        name: `MiniStack` or `moto`.
        keeps: whether what is made is there at the next start.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    ready_url: str
    url: str
    keeps: bool


def ministack_program(folder: Path) -> Path | None:
    """MiniStack where `install_ministack` has put it, or on the PATH."""
    own = folder / "environment" / "bin" / "ministack"
    if own.exists():
        return own
    found = shutil.which("ministack")
    return Path(found) if found else None


def install_ministack(folder: Path) -> None:
    """Put MiniStack into an environment of its own, from PyPI.

    Raises:
        StandInFailed.
    """
    environment = folder / "environment"
    venv.create(environment, clear=True, with_pip=True)
    command = [str(environment / "bin" / "pip"), "install", "--quiet",
               "--disable-pip-version-check", MINISTACK, "cryptography"]  # fmt: skip
    if subprocess.run(command, check=False).returncode:  # noqa: S603 - words of ours
        shutil.rmtree(environment)
        raise StandInFailed(f"pip could not install {MINISTACK}; its words are above")


def ministack(program: Path, folder: Path, port: int) -> StandIn:
    """MiniStack, which keeps what it has in a folder."""
    state, objects = folder / "state", folder / "objects"
    for each in (state, objects):
        each.mkdir(mode=0o700, parents=True, exist_ok=True)
    environment = {
        "BIND_HOST": HOST, "GATEWAY_PORT": str(port),
        "PERSIST_STATE": "1", "STATE_DIR": str(state),
        "S3_PERSIST": "1", "S3_DATA_DIR": str(objects),
        "SFTP_ENABLED": "0", "IOT_MTLS_ENABLED": "0",
    }  # fmt: skip
    url = f"http://{HOST}:{port}"
    ready_url = f"{url}/_ministack/health"
    return StandIn("MiniStack", (str(program),), environment, ready_url, url, keeps=True)


def moto(port: int) -> StandIn | None:
    """Moto's server, where it is installed beside us."""
    if importlib.util.find_spec("moto") is None:
        return None
    command = (sys.executable, "-m", "moto.server", "-H", HOST, "-p", str(port))
    url = f"http://{HOST}:{port}"
    return StandIn("moto", command, {}, f"{url}/moto-api/", url, keeps=False)


@contextmanager
def started(stand_in: StandIn, log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Start one, wait until it answers, and have it end by itself at the end, so that it keeps.

    Args:
        log: where its own words go.

    Raises:
        StandInFailed: it ends at once or never answers.
    """
    with log.open("wb") as file:
        process = subprocess.Popen(  # noqa: S603 - a program that was looked for
            stand_in.command,
            env={**os.environ, **stand_in.environment},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is ours to pass on
        )
    try:
        _wait_until_ready(process, stand_in, log)
        yield process
    finally:
        _stop(process)


def _wait_until_ready(process: "subprocess.Popen[bytes]", stand_in: StandIn, log: Path) -> None:
    deadline_s = time.monotonic() + READY_S_MAX
    while time.monotonic() < deadline_s:
        if process.poll() is not None:
            words = log.read_text(errors="replace")[-2000:].strip()
            raise StandInFailed(f"{stand_in.name} ended at once:\n{words}")
        try:
            with urllib.request.urlopen(stand_in.ready_url, timeout=2):  # noqa: S310 - loopback
                return
        except OSError:
            time.sleep(0.1)
    raise StandInFailed(f"{stand_in.name} does not answer; its words are in {log}")


def _stop(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_S_MAX)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
