"""What a PUT waits while rules of all engines send its values on.

Three servers, one of them without rules, loaded in turn, round after round: what the machine does
meanwhile falls on all. What stands for AWS takes all and says so at once, so the rules go at the
pace of the writes; it is elsewhere in life, so all else on the machine comes first. Devices pause
between two writes: where writes are as fast as they can be, whatever else the machine does costs
them time. They pause equally, so that all of them write at about the same instant and most of a p99
is the work on one such burst; or for as long as chance says, so that a PUT waits for little else
than what rules do.
"""

import contextlib
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from tests.bench.bench_sink_engines import service
from tests.bench.load import Load, Request, fixed_request, run_wrk
from tests.bench.report import Result, Spread, number
from tests.live_server import LiveServer, start_server

from thingtank.sinks.engine import GATHER_S

CONNECTIONS = 32
# Milliseconds of a connection between two requests, in Lua: about 500 requests a second.
PAUSES = {"in bursts": "64", "by chance": "math.random(1, 128)"}
RATIO_MAX = 1.3
DELIVERY_S_MAX = 60
BODY = (
    b'{"version":"1.0.0","datastreams":[{"id":"temperature","current_value":"21.4"},'
    b'{"id":"humidity","current_value":"48"}]}'
)
AWS = (
    '{engine = "dynamodb", table = "table", plain = true}',
    '{engine = "kinesis", stream = "s"}',
    '{engine = "sqs", queue = "q"}',
    '{engine = "s3", bucket = "bucket"}',
)
LOCAL = (
    '{engine = "sql", url = "sqlite:///out.sqlite3"}',
    '{engine = "table", table = "t"}',
    '{engine = "queue", queue = "q"}',
    '{engine = "folder", folder = "f"}',
)


def run(quick: bool) -> list[Result]:
    """Measure PUTs without rules, with those of this machine, and with those of AWS too."""
    duration_s, rounds = (1, 1) if quick else (5, 7)
    with contextlib.ExitStack() as stack:
        url = stack.enter_context(service(gives_way=True))
        cases = {
            "no rule": (),
            f"{len(LOCAL)} rules to this machine": LOCAL,
            f"{len(LOCAL + AWS)} rules, a half of them to AWS": LOCAL + AWS,
        }
        servers = [stack.enter_context(_server(rules, url)) for rules in cases.values()]
        for server, rules in zip(servers, cases.values(), strict=True):
            _load(server, 1, PAUSES["in bursts"])
            _await_delivery(server, len(rules))
        results = []
        for pauses, pause_ms in PAUSES.items():
            loads: list[list[Load]] = [[] for _ in servers]
            order = list(range(len(servers)))
            for _ in range(rounds):
                for place in order:
                    loads[place].append(_load(servers[place], duration_s, pause_ms))
                order.reverse()
            told = [_told(server) for server in servers]
            results += [
                _result(f"{pauses}, {name}", mine, loads[0], said)
                for name, mine, said in zip(cases, loads, told, strict=True)
            ]
    return results


@contextlib.contextmanager
def _server(rules: Sequence[str], url: str) -> Iterator[LiveServer]:
    with tempfile.TemporaryDirectory() as folder:
        settings = Path(folder) / "thingtank.toml"
        lines = [f'[aws]\nregion = "us-east-1"\nendpoint_url = "{url}"']
        lines += [
            f'[[sinks.rules]]\nname = "rule-{place}"\ngather_s = {_gather_s(to)}\nto = {to}'
            for place, to in enumerate(rules)
        ]
        settings.write_text("\n".join(lines))
        words = ("--config", str(settings))
        with start_server(Path(folder) / "data", *words) as server:
            yield server


def _gather_s(to: str) -> float:
    """As rules have it where they do not say; objects once a second, as a round is short."""
    return 1.0 if "bucket" in to or "folder" in to else GATHER_S


def _load(server: LiveServer, duration_s: int, pause_ms: str) -> Load:
    port = urlsplit(server.url).port
    assert port is not None
    headers = {"X-ApiKey": server.api_key, "Content-Type": "application/json"}
    request = Request("PUT", f"/v2/feeds/{server.feed_id}.json", BODY)
    paced = f"{fixed_request(request, headers)}\nfunction delay() return {pause_ms} end\n"
    return run_wrk(
        port, paced, connections=CONNECTIONS, duration_s=duration_s, server_pid=server.process.pid
    )


def _figures(server: LiveServer, name: str) -> list[float]:
    """What the metrics say of rules, of each engine."""
    text = httpx.get(f"{server.url}/metrics").raise_for_status().text
    beginning = f"thingtank_sink_{name}{{"
    lines = [line for line in text.splitlines() if line.startswith(beginning)]
    return [
        float(line.rpartition(" ")[2]) for line in lines if 'outcome="d' in line or name[0] != "i"
    ]


def _await_delivery(server: LiveServer, rules_count: int) -> None:
    """Until all rules have sent something: the first call of boto3 reads megabytes of JSON."""
    end_s = time.monotonic() + DELIVERY_S_MAX
    while len([count for count in _figures(server, "items_total") if count]) < rules_count:
        if time.monotonic() > end_s:
            raise RuntimeError(f"rules deliver nothing:\n{server.output()[-2000:]}")
        time.sleep(0.2)


def _told(server: LiveServer) -> str:
    """What rules say of themselves at the end; nothing where there are none."""
    if not (delivered := sum(_figures(server, "items_total"))):
        return ""
    failures = sum(_figures(server, "failures_total"))
    behind_s = max(_figures(server, "behind_seconds"))
    return f"; {number(delivered)} values sent, {failures:.0f} failures, {behind_s:.1f} s behind"


def _result(name: str, loads: Sequence[Load], without: Sequence[Load], told: str) -> Result:
    p99_ms = Spread.of([load.p99_us / 1000 for load in loads])
    p50_ms = Spread.of([load.p50_us / 1000 for load in loads])
    pairs = zip(loads, without, strict=True)
    ratio = Spread.of([mine.p99_us / theirs.p99_us for mine, theirs in pairs])
    speed = Spread.of([load.per_second for load in loads])
    cpu = Spread.of([load.server_cpu_s * 1e6 / load.duration_us for load in loads])
    failures = sum(load.refused + load.broken for load in loads)
    is_base = loads is without
    return Result(
        f"PUT of a feed with 2 datastreams, {CONNECTIONS} connections, {name}: p99",
        "" if is_base else f"<= {RATIO_MAX} times that without a rule",
        p99_ms.median,
        "ms",
        None if is_base else ratio.median,
        None if is_base else ratio.median <= RATIO_MAX and failures == 0,
        f"{p99_ms}; p50 {p50_ms.median:.1f} ms; {number(speed.median)} requests/s, {failures}"
        f" failures; {cpu.median:.2f} of a core{told}",
    )
