"""Many datapoints by one client: the REST API's bulk write beside Xively's POST, in turn.

One connection, one request after another, 1,000 datapoints each, on disk when answered. The bulk
write names device and datastream with each datapoint; once all are of one datastream, and once they
are of ten datastreams each of ten devices, which Xively's API has no request for.
"""

import json
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import httpx
from tests.bench.load import cpu_s
from tests.bench.report import Result, Spread
from tests.live_server import LiveServer, start_server

BATCH = 1000
START_S = 1_735_689_600  # 2025-01-01


def run(quick: bool) -> list[Result]:
    """Measure the three kinds of request in turn."""
    rounds, requests = (1, 2) if quick else (5, 40)
    flags = ("--set", f"limits.datapoints_per_write_max={BATCH}")
    with (
        tempfile.TemporaryDirectory() as folder,
        start_server(Path(folder) / "data", *flags) as server,
        httpx.Client(headers={"X-ApiKey": server.master_key()}, timeout=30) as client,
    ):
        devices = [server.feed_id, *(_device(client, server, n) for n in range(9))]
        rates: dict[str, list[Rate]] = {"Xively": [], "one": [], "many": []}
        for round_number in range(rounds + 1):
            for kind, kept in rates.items():
                rate = _rate(client, server, kind, devices, requests, round_number)
                if round_number:  # round 0 warms up
                    kept.append(rate)
    return [
        result
        for kind in ("one", "many")
        for result in _results(kind, rates[kind], rates["Xively"])
    ]


class Rate(NamedTuple):
    """Datapoints a second by the clock, and for each second of processor time of the server."""

    per_s: float
    per_cpu_s: float


def _device(client: httpx.Client, server: LiveServer, number: int) -> int:
    made = client.post(f"{server.url}/api/devices", json={"title": f"Bench {number}"})
    return int(made.raise_for_status().json()["id"])


def _rate(
    client: httpx.Client,
    server: LiveServer,
    kind: str,
    devices: list[int],
    requests: int,
    round_number: int,
) -> Rate:
    address, bodies = _requests(server, kind, devices, requests, round_number)
    headers = {"Content-Type": "application/json"}
    if kind == "Xively":
        stream = {"datastreams": [{"id": "bench"}]}
        client.put(f"{server.url}/v2/feeds/{devices[0]}.json", json=stream).raise_for_status()
    started_s, started_cpu_s = time.perf_counter(), cpu_s(server.process.pid)
    for body in bodies:
        client.post(address, content=body, headers=headers).raise_for_status()
    took_s, took_cpu_s = time.perf_counter() - started_s, cpu_s(server.process.pid) - started_cpu_s
    return Rate(requests * BATCH / took_s, requests * BATCH / max(took_cpu_s, 0.01))


def _requests(
    server: LiveServer, kind: str, devices: list[int], requests: int, round_number: int
) -> tuple[str, list[bytes]]:
    bodies = []
    for number in range(requests):
        first_s = START_S + (round_number * requests + number) * BATCH
        points = []
        for n in range(BATCH):
            point: dict[str, object] = {"at": _time(first_s + n), "value": f"{n % 100}.5"}
            if kind == "many":
                point |= {"device": devices[n % 10], "datastream": f"bench{n // 10 % 10}"}
            elif kind == "one":
                point |= {"device": devices[0], "datastream": "bench"}
            points.append(point)
        bodies.append(json.dumps({"datapoints": points} if kind == "Xively" else points).encode())
    if kind == "Xively":
        path = f"/v2/feeds/{devices[0]}/datastreams/bench/datapoints.json"
        return server.url + path, bodies
    return f"{server.url}/api/datapoints?create_missing=true", bodies


def _time(at_s: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at_s))


def _results(kind: str, rates: list[Rate], xively: list[Rate]) -> list[Result]:
    what = "one datastream" if kind == "one" else "100 datastreams of 10 devices"
    case = f"POST /api/datapoints, {BATCH} of {what} a request, one client"
    results = []
    for place, unit in enumerate(("datapoints/s", "datapoints/CPU-second")):
        spread = Spread.of([rate[place] for rate in rates])
        pairs = zip(rates, xively, strict=True)
        ratio = Spread.of([ours[place] / theirs[place] for ours, theirs in pairs])
        results.append(
            Result(
                case,
                "Xively's POST …/datapoints",
                spread.median,
                unit,
                ratio.median,
                None,
                str(spread),
            )
        )
    return results
