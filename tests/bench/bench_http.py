"""The Xively HTTP door under load, durable, beside a bare ASGI app on the same HTTP server.

wrk loads both in turn, round after round, and ratios are taken round by round: what the machine does
meanwhile falls on both. Every write that is counted was on disk before its answer.
"""

import contextlib
import datetime
import resource
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from tests.bench.bench_http_server import Candidate, candidate_process
from tests.bench.load import Load, Request, cycled_requests, fixed_request, resident_bytes, run_wrk
from tests.bench.report import Result, Spread, number
from tests.live_server import LiveServer, start_server

PUT_CONNECTIONS = 32
POST_CONNECTIONS = 8
POST_DATAPOINTS = 500
POST_STREAMS = 8
IDLE_CONNECTIONS = 1000
OTHERS_SHARE_MAX = 0.15  # of a processor, that others may use in a round of ratios that counts
BARE = Candidate("uvicorn-bounded", "uvloop", "bare-alone")
FEED_BODY = (
    b'{"version":"1.0.0","datastreams":[{"id":"temperature","current_value":"21.4"},'
    b'{"id":"humidity","current_value":"48"}]}'
)


def run(quick: bool) -> list[Result]:
    """Measure writes, memory and start of a server on a fresh folder."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        with start_server(data) as server:
            results = _memory(server)
            results += _feed_writes(server, quick)
            results.append(_bulk_writes(server, quick, Path(folder)))
        results.append(_restarts(data, quick))
    return results


def _port(server: LiveServer) -> int:
    port = urlsplit(server.url).port
    assert port is not None
    return port


def _memory(server: LiveServer) -> list[Result]:
    pid = server.process.pid
    time.sleep(3)  # the first maintenance is over
    idle_mb = resident_bytes(pid) / 1e6
    with _idle_connections(_port(server), IDLE_CONNECTIONS):
        time.sleep(1)
        added_mb = resident_bytes(pid) / 1e6 - idle_mb
    return [
        Result("idle server", "≤ 180 MB", idle_mb, "MB resident", None, idle_mb <= 180),
        Result(
            f"{IDLE_CONNECTIONS:,} idle connections",
            "≤ 20 MB more",
            added_mb,
            "MB more",
            None,
            added_mb <= 20,
            "keep-alive, one request each before",
        ),
    ]


@contextlib.contextmanager
def _idle_connections(port: int, count: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            peer = stack.enter_context(socket.create_connection(("127.0.0.1", port), 10))
            peer.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            if not peer.recv(4096).startswith(b"HTTP/1.1 200"):
                raise RuntimeError("an idle connection was not served")
        yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _feed_writes(server: LiveServer, quick: bool) -> list[Result]:
    duration_s, rounds = (1, 1) if quick else (3, 11)
    headers = {"X-ApiKey": server.api_key, "Content-Type": "application/json"}
    script = fixed_request(Request("PUT", f"/v2/feeds/{server.feed_id}.json", FEED_BODY), headers)
    pairs: list[tuple[Load, Load]] = []  # ours and the bare app's
    with candidate_process(BARE) as (bare_port, bare_pid):
        both = ((_port(server), server.process.pid), (bare_port, bare_pid))
        for round_number in range(2 * rounds + 1):
            ours, bare = (
                run_wrk(
                    port,
                    script,
                    connections=PUT_CONNECTIONS,
                    duration_s=duration_s if round_number else 1,
                    server_pid=pid,
                )
                for port, pid in both
            )
            if round_number:  # round 0 warms up
                pairs.append((ours, bare))
            if len(_undisturbed(pairs)) == rounds:
                break
    return _feed_results(pairs)


def _undisturbed(pairs: list[tuple[Load, Load]]) -> list[tuple[Load, Load]]:
    """The rounds in which nobody else was at work: wrk and our syncs need the second core."""
    return [pair for pair in pairs if max(i.others_share for i in pair) < OTHERS_SHARE_MAX]


def _feed_results(pairs: list[tuple[Load, Load]]) -> list[Result]:
    case = f"PUT of a feed with 2 datastreams, {PUT_CONNECTIONS} connections, durable"
    undisturbed = _undisturbed(pairs)
    counted = undisturbed if len(undisturbed) > 2 else pairs
    loads, bare_loads = [ours for ours, _ in counted], [bare for _, bare in counted]
    bare = Spread.of([load.per_second for load in bare_loads])
    bare_cpu = Spread.of([load.per_cpu_second for load in bare_loads])
    speed = Spread.of([load.per_second for load in loads])
    cpu = Spread.of([load.per_cpu_second for load in loads])
    ratio = Spread.of([ours.per_second / theirs.per_second for ours, theirs in counted])
    p99_ms = Spread.of([load.p99_us / 1000 for load in loads])
    failures = sum(load.refused + load.broken for pair in pairs for load in pair)
    chosen = "only those count" if counted is undisturbed else "all count"
    compared = (
        f"bare app {number(bare.median)} requests/s;"
        f" {len(undisturbed)} of {len(pairs)} rounds undisturbed, {chosen}"
    )
    return [
        Result(
            case,
            "≥ 60 % of a bare ASGI app",
            speed.median,
            "requests/s",
            ratio.median,
            ratio.median >= 0.6 and failures == 0,
            f"{compared}; {failures} failures; {speed}; "
            f"ratio {ratio.lowest:.2f} to {ratio.highest:.2f}",
        ),
        Result(
            f"{case}: requests per CPU-second",
            "",
            cpu.median,
            "requests/CPU-s",
            cpu.median / bare_cpu.median,
            None,
            f"bare app {number(bare_cpu.median)}",
        ),
        Result(
            f"{case}: p99",
            "≤ 50 ms",
            p99_ms.median,
            "ms",
            None,
            p99_ms.median <= 50,
            str(p99_ms),
        ),
    ]


def _bulk_writes(server: LiveServer, quick: bool, folder: Path) -> Result:
    duration_s, rounds, bodies_count = (1, 1, 200) if quick else (4, 5, 2000)
    headers = {"X-ApiKey": server.api_key, "Content-Type": "application/json"}
    datastreams = [{"id": f"bulk{number}"} for number in range(POST_STREAMS)]
    feed = f"{server.url}/v2/feeds/{server.feed_id}.json"
    httpx.put(feed, json={"datastreams": datastreams}, headers=headers).raise_for_status()
    loads = []
    for round_number in range(rounds):
        bodies = folder / f"bodies-{round_number}"
        requests = _bulk_requests(server.feed_id, bodies_count, round_number)
        script = cycled_requests(requests, headers, bodies)
        loads.append(
            run_wrk(
                _port(server),
                script,
                connections=POST_CONNECTIONS,
                duration_s=duration_s,
                server_pid=server.process.pid,
            )
        )
    speed = Spread.of([load.per_second * POST_DATAPOINTS for load in loads])
    cpu = Spread.of([load.per_cpu_second * POST_DATAPOINTS for load in loads])
    p99_ms = Spread.of([load.p99_us / 1000 for load in loads])
    failures = sum(load.refused + load.broken for load in loads)
    return Result(
        f"POST of {POST_DATAPOINTS} datapoints a request, {POST_CONNECTIONS} connections, durable",
        "≥ 300,000 datapoints/s",
        speed.median,
        "datapoints/s",
        None,
        speed.median >= 300_000 and failures == 0,
        f"{number(cpu.median)} datapoints/CPU-s; p99 {number(p99_ms.median)} ms; "
        f"{failures} failures; {speed}",
    )


def _bulk_requests(feed_id: int, count: int, round_number: int) -> Iterator[Request]:
    """Uploads of what devices kept while they were offline: one datapoint a second, ever later."""
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC) + datetime.timedelta(
        days=10 * round_number
    )
    for turn in range(count):
        path = f"/v2/feeds/{feed_id}/datastreams/bulk{turn % POST_STREAMS}/datapoints.json"
        first = start + datetime.timedelta(seconds=POST_DATAPOINTS * (turn // POST_STREAMS))
        yield Request("POST", path, _bulk_body(first, turn))


def _bulk_body(first: datetime.datetime, turn: int) -> bytes:
    instants = (first + datetime.timedelta(seconds=row) for row in range(POST_DATAPOINTS))
    rows = (
        f'{{"at":"{instant.isoformat(timespec="microseconds")[:-6]}Z",'
        f'"value":"{(turn + row) % 997 / 10}"}}'
        for row, instant in enumerate(instants)
    )
    return ('{"datapoints":[' + ",".join(rows) + "]}").encode()


def _restarts(data: Path, quick: bool) -> Result:
    seconds = []
    for _ in range(1 if quick else 5):
        with start_server(data) as server:
            seconds.append(server.start_s)
    spread = Spread.of(seconds)
    return Result(
        "start on the folder that the writes above filled",
        "ready in under 3 s",
        spread.median,
        "s",
        None,
        spread.median < 3,
        str(spread),
    )
