"""Which HTTP server carries the tank: uvicorn or granian, in our process shape (ADR 5).

Each candidate is a process of its own, loaded by wrk in turn, round after round, so that what the
machine does meanwhile falls on all alike. Not part of the product's targets; it informs.
"""

import contextlib
import importlib.util
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import NamedTuple

from tests.bench.load import Load, Request, fixed_request, run_wrk
from tests.bench.report import Result, Spread, number
from tests.ports import free_port

CONNECTIONS = 32
BODY = b'{"datastreams":[{"id":"a","current_value":"1"},{"id":"b","current_value":"2"}]}'


class Candidate(NamedTuple):
    """One server on one loop with one app."""

    server: str
    loop: str
    app: str

    def __str__(self) -> str:
        return f"{self.server} on {self.loop}, {self.app} app"


CANDIDATES = (
    Candidate("uvicorn-httptools", "uvloop", "bare"),
    Candidate("granian", "uvloop", "bare"),
    Candidate("uvicorn-httptools", "uvloop", "journal"),
    Candidate("granian", "uvloop", "journal"),
    Candidate("uvicorn-h11", "uvloop", "journal"),
    Candidate("uvicorn-httptools", "asyncio", "journal"),
)


def run(quick: bool) -> list[Result]:
    """Measure all candidates that are installed."""
    duration_s, rounds = (1, 1) if quick else (4, 5)
    granian = importlib.util.find_spec("granian") is not None
    candidates = [one for one in CANDIDATES if granian or one.server != "granian"]
    script = fixed_request(Request("PUT", "/v2/feeds/1", BODY), {"X-ApiKey": "k" * 48})
    loads: dict[Candidate, list[Load]] = {one: [] for one in candidates}
    with contextlib.ExitStack() as stack:
        started = {one: stack.enter_context(candidate_process(one)) for one in candidates}
        for _ in range(rounds):
            for one, (port, pid) in started.items():
                loads[one].append(
                    run_wrk(
                        port,
                        script,
                        connections=CONNECTIONS,
                        duration_s=duration_s,
                        server_pid=pid,
                    )
                )
    return [_result(one, found, loads) for one, found in loads.items()]


def _result(one: Candidate, found: list[Load], loads: dict[Candidate, list[Load]]) -> Result:
    # Rounds are compared one by one: a round that the machine disturbed disturbs both sides of it.
    compared = loads[Candidate("uvicorn-httptools", "uvloop", one.app)]
    ratio = Spread.of([a.per_second / b.per_second for a, b in zip(found, compared, strict=True)])
    speed = Spread.of([load.per_second for load in found])
    per_cpu_second = Spread.of([load.per_cpu_second for load in found]).median
    p99_ms = Spread.of([load.p99_us / 1000 for load in found]).median
    failures = sum(load.refused + load.broken for load in found)
    return Result(
        f"HTTP server: {one}",
        "",
        speed.median,
        "requests/s",
        ratio.median,
        None,
        f"{number(per_cpu_second)} requests/CPU-s, p99 {number(p99_ms)} ms, {failures} failures; "
        f"{CONNECTIONS} connections, {speed}",
    )


@contextlib.contextmanager
def candidate_process(one: Candidate) -> Iterator[tuple[int, int]]:
    """Run a candidate; its port and process id."""
    port = free_port()  # granian cannot tell which one it took for 0
    command = [sys.executable, "-m", "tests.bench.http_apps", "--port", str(port)]
    command += ["--server", one.server, "--loop", one.loop, "--app", one.app]
    with subprocess.Popen(command) as process:
        try:
            wait_for_port(port, process)
            yield port, process.pid
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def wait_for_port(port: int, process: subprocess.Popen[bytes], seconds_max: float = 10) -> None:
    """Wait until a process listens."""
    until = time.monotonic() + seconds_max
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise RuntimeError(f"nothing listens on port {port}; the process ended: {process.poll()}")
