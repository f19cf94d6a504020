"""What firing triggers cost those who write: one server, a feed with triggers beside one without.

wrk writes to one datastream after another, and each write crosses the threshold of its two
triggers; one of them tells a receiver that never answers, one nobody at all. Rounds alternate
between the feeds.
"""

import contextlib
import itertools
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from tests.bench.load import Load, Request, cycled_requests, run_wrk
from tests.bench.report import Result, Spread, number
from tests.live_server import LiveServer, start_server
from tests.ports import free_port

STREAMS = 50
CONNECTIONS = 32


def run(quick: bool) -> list[Result]:
    """Measure writes to both feeds in turn."""
    duration_s, rounds = (1, 1) if quick else (4, 5)
    flags = ("--set", "webhooks.allow_private=true")
    with (
        tempfile.TemporaryDirectory() as folder,
        start_server(Path(folder) / "data", *flags) as server,
        _silent_receiver() as silent_url,
    ):
        key = server.master_key()
        plain_id = _feed(server, key, [])
        dead_url = f"http://127.0.0.1:{free_port()}/"
        watched_id = _feed(server, key, [silent_url, dead_url])
        loads: dict[int, list[Load]] = {plain_id: [], watched_id: []}
        for round_number in range(rounds + 1):
            for feed_id, kept in loads.items():
                load = _load(server, key, feed_id, Path(folder), duration_s if round_number else 1)
                if round_number:  # round 0 warms up
                    kept.append(load)
    return [_result(loads[plain_id], loads[watched_id])]


def _result(plain: list[Load], watched: list[Load]) -> Result:
    pairs = list(zip(watched, plain, strict=True))
    ratio = Spread.of([ours.p99_us / theirs.p99_us for ours, theirs in pairs])
    rates = Spread.of([ours.per_second / theirs.per_second for ours, theirs in pairs])
    failures = sum(load.refused + load.broken for load in (*plain, *watched))
    p99_ms = Spread.of([load.p99_us / 1000 for load in watched])
    return Result(
        f"PUT of values that fire {2 * STREAMS} triggers whose receivers are dead or silent: p99",
        "that of a feed without triggers",
        p99_ms.median,
        "ms",
        ratio.median,
        None,
        f"{p99_ms}; without {number(Spread.of([x.p99_us / 1000 for x in plain]).median)} ms; "
        f"rate {rates.median:.2f} of that without; {failures} failures",
    )


def _load(server: LiveServer, key: str, feed_id: int, folder: Path, duration_s: int) -> Load:
    path = f"/v2/feeds/{feed_id}.json"
    requests = [
        Request("PUT", path, b'{"datastreams":[{"id":"t%d","current_value":"%d"}]}' % one)
        for one in itertools.product(range(STREAMS), (10, 20))
    ]
    script = cycled_requests(requests, {"X-ApiKey": key}, folder / f"bodies-{feed_id}")
    port = urlsplit(server.url).port
    assert port is not None
    pid = server.process.pid
    return run_wrk(port, script, connections=CONNECTIONS, duration_s=duration_s, server_pid=pid)


def _feed(server: LiveServer, key: str, urls: list[str]) -> int:
    """A feed with datastreams, and a trigger on each for each URL."""
    names = [f"t{number}" for number in range(STREAMS)]
    streams = [{"id": name, "current_value": "1"} for name in names]
    document = {"title": "bench", "datastreams": streams}
    with httpx.Client(base_url=server.url, headers={"X-ApiKey": key}) as client:
        made = client.post("/v2/feeds", json=document).raise_for_status()
        feed_id = int(made.headers["Location"].rpartition("/")[2])
        for name, url in itertools.product(names, urls):
            client.post(
                "/v2/triggers",
                json={
                    "environment_id": feed_id, "stream_id": name, "url": url,
                    "trigger_type": "gt", "threshold_value": "15",
                },
            ).raise_for_status()  # fmt: skip
    return feed_id


@contextlib.contextmanager
def _silent_receiver() -> Iterator[str]:
    """Takes connections and says nothing."""
    listener = socket.create_server(("127.0.0.1", 0))
    kept: list[socket.socket] = []

    def take() -> None:
        with contextlib.suppress(OSError):
            while True:
                kept.append(listener.accept()[0])

    thread = threading.Thread(target=take, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)
        for peer in kept:
            peer.close()
