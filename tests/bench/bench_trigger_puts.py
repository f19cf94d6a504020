"""What a PUT waits while triggers watch it, and while what they fire goes to nobody.

One server for each case, loaded in turn, round after round: what the machine does meanwhile falls on
all. Values cross the threshold all the time; each trigger fires once a second at most.
"""

import contextlib
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from tests.bench.load import Load, Request, cycled_requests, run_wrk
from tests.bench.report import Result, Spread, number
from tests.live_server import LiveServer, start_server

CONNECTIONS = 32
TRIGGERS = 10
RATIO_MAX = 1.5  # of p99s, whose rounds differ by a third by themselves
NEVER, ALWAYS = "1000", "30"
BODIES = [
    b'{"version":"1.0.0","datastreams":[{"id":"temperature","current_value":"%s"},'
    b'{"id":"humidity","current_value":"48"}]}' % value
    for value in (b"21.4", b"31.4")
]


def run(quick: bool) -> list[Result]:
    """Measure PUTs without triggers, watched, and with receivers that refuse and that say nothing."""
    duration_s, rounds = (1, 1) if quick else (5, 5)
    with contextlib.ExitStack() as stack:
        refusing, silent = stack.enter_context(_refusing()), stack.enter_context(_silent())
        cases: list[tuple[str, str, str | None]] = [
            ("no trigger", "", None),
            (f"{TRIGGERS} triggers that never fire", NEVER, refusing),
            (f"{TRIGGERS} triggers that fire at a receiver that refuses", ALWAYS, refusing),
            (f"{TRIGGERS} triggers that fire at a receiver that says nothing", ALWAYS, silent),
        ]
        servers = [stack.enter_context(_server(*case[1:])) for case in cases]
        loads: list[list[Load]] = [[] for _ in cases]
        for round_number in range(rounds + 1):
            for server, kept in zip(servers, loads, strict=True):
                load = _load(server, duration_s if round_number else 1)
                if round_number:  # round 0 warms up
                    kept.append(load)
        fired = [_delivery_count(server) for server in servers]
    return [
        _result(name, mine, loads[0], count)
        for (name, _, _), mine, count in zip(cases, loads, fired, strict=True)
    ]


@contextlib.contextmanager
def _server(threshold: str, url: str | None) -> Iterator[LiveServer]:
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        with start_server(data, "--set", "webhooks.allow_private=true") as server:
            feed = f"{server.url}/v2/feeds/{server.feed_id}.json"
            key = {"X-ApiKey": server.api_key}
            httpx.put(feed, content=BODIES[0], headers=key).raise_for_status()
            for _ in range(TRIGGERS if url else 0):
                words = ["trigger", "create", str(server.feed_id), "temperature", "gt", threshold]
                server.command(*words, "--url", str(url), "--quiet", "1s")
            yield server


@contextlib.contextmanager
def _refusing() -> Iterator[str]:
    """A port that is bound and not listened on: nobody else gets it, and it refuses."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}/"


@contextlib.contextmanager
def _silent() -> Iterator[str]:
    """A port that takes connections, into its backlog, and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=1000) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"


def _load(server: LiveServer, duration_s: int) -> Load:
    port = urlsplit(server.url).port
    assert port is not None
    headers = {"X-ApiKey": server.api_key, "Content-Type": "application/json"}
    path = f"/v2/feeds/{server.feed_id}.json"
    requests = [Request("PUT", path, body) for body in BODIES]
    with tempfile.TemporaryDirectory() as folder:
        return run_wrk(
            port,
            cycled_requests(requests, headers, Path(folder)),
            connections=CONNECTIONS,
            duration_s=duration_s,
            server_pid=server.process.pid,
        )


def _delivery_count(server: LiveServer) -> int:
    listed = server.command("delivery", "list", "--limit", "200")["deliveries"]
    assert isinstance(listed, list)
    return len(listed)


def _result(name: str, loads: list[Load], without: list[Load], fired_count: int) -> Result:
    p99_ms = Spread.of([load.p99_us / 1000 for load in loads])
    pairs = zip(loads, without, strict=True)
    ratio = Spread.of([mine.p99_us / theirs.p99_us for mine, theirs in pairs])
    speed = Spread.of([load.per_second for load in loads])
    failures = sum(load.refused + load.broken for load in loads)
    is_base = loads is without
    return Result(
        f"PUT of a feed with 2 datastreams, {CONNECTIONS} connections, {name}: p99",
        "" if is_base else f"≤ {RATIO_MAX} times that without a trigger",
        p99_ms.median,
        "ms",
        None if is_base else ratio.median,
        None if is_base else ratio.median <= RATIO_MAX and failures == 0,
        f"{p99_ms}; {number(speed.median)} requests/s; {failures} failures;"
        f" {fired_count}{'+' if fired_count >= 200 else ''} deliveries",
    )
