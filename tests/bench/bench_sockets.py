"""Pushes: thousands of subscribers of one feed that is written ten times a second.

The subscribers are one process of this bench's own on uvloop, which counts line feeds; of every
fiftieth connection it also reads the time that the writer put into the value, for latencies.
"""

import asyncio
import json
import re
import resource
import tempfile
import time
from pathlib import Path
from statistics import quantiles
from urllib.parse import urlsplit

import httpx
import uvloop
from tests.bench.load import cpu_s, resident_bytes
from tests.bench.report import Result
from tests.live_server import LiveServer, start_server

SUBSCRIBERS = 5000
UPDATES_A_SECOND = 10
P99_MS_MAX = 250
_SAMPLED_EVERY = 50
_SENT_AT = re.compile(rb'"current_value":"(\d+)"')
_AT_ONCE = 200  # connections being opened


class Subscriber(asyncio.Protocol):
    """One connection: counts messages, reads times of some."""

    def __init__(self, request: bytes, latencies_ms: list[float] | None) -> None:
        self._request = request
        self._latencies_ms = latencies_ms
        self.is_subscribed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.message_count = 0
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment] # uvloop's
        transport.write(self._request)  # type: ignore[attr-defined] # as above

    def data_received(self, data: bytes) -> None:
        self.message_count += data.count(b"\n")
        if not self.is_subscribed.done():
            self.is_subscribed.set_result(None)
        elif self._latencies_ms is not None:
            now_us = time.time_ns() // 1000
            self._latencies_ms += [(now_us - int(found)) / 1000 for found in _SENT_AT.findall(data)]


def run(quick: bool) -> list[Result]:
    """Measure on a server of its own."""
    count, seconds = (200, 2) if quick else (SUBSCRIBERS, 15)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory() as folder, start_server(Path(folder) / "data") as server:
        return uvloop.run(_measure(server, count, seconds))


async def _measure(server: LiveServer, count: int, seconds: int) -> list[Result]:
    pid = server.process.pid
    feed = f"/feeds/{server.feed_id}"
    request = {"method": "subscribe", "resource": feed, "headers": {"X-ApiKey": server.api_key}}
    latencies_ms: list[float] = []
    async with httpx.AsyncClient(base_url=server.url) as client:
        await _write(client, server)
        before_bytes = resident_bytes(pid)
        peers = await _subscribe(server, count, json.dumps(request).encode(), latencies_ms)
        bytes_each = (resident_bytes(pid) - before_bytes) / count
        before_s, started_s = cpu_s(pid), time.monotonic()
        updates = seconds * UPDATES_A_SECOND
        for number in range(updates):
            await asyncio.sleep(max(0.0, started_s + number / UPDATES_A_SECOND - time.monotonic()))
            await _write(client, server)
        await _settle(peers, updates + 1)
        took_s, spent_s = time.monotonic() - started_s, cpu_s(pid) - before_s
    delivered = sum(peer.message_count - 1 for peer in peers)
    for peer in peers:
        if peer.transport is not None:
            peer.transport.abort()
    p50_ms, p99_ms = quantiles(latencies_ms, n=100)[49], quantiles(latencies_ms, n=100)[98]
    expected = updates * count
    case = f"pushes to {count:,} subscribers of one feed, {UPDATES_A_SECOND} updates a second"
    return [
        Result(
            f"{case}: p99", f"≤ {P99_MS_MAX} ms, every one delivered", p99_ms, "ms", None,
            p99_ms <= P99_MS_MAX and delivered == expected,
            f"p50 {p50_ms:.0f} ms; {delivered:,} of {expected:,} delivered; "
            f"{delivered / took_s:,.0f}/s, {delivered / spent_s:,.0f} a CPU-second of the server",
        ),
        Result(f"{case}: memory", "printed", bytes_each / 1024, "KB a subscriber"),
    ]  # fmt: skip


async def _subscribe(
    server: LiveServer, count: int, request: bytes, latencies_ms: list[float]
) -> list[Subscriber]:
    loop, address = asyncio.get_running_loop(), urlsplit(server.sockets["socket"])
    peers: list[Subscriber] = []
    for first in range(0, count, _AT_ONCE):
        made = await asyncio.gather(
            *(
                loop.create_connection(
                    lambda number=number: Subscriber(  # type: ignore[misc] # bound at once
                        request, None if number % _SAMPLED_EVERY else latencies_ms
                    ),
                    address.hostname,
                    address.port,
                )
                for number in range(first, min(first + _AT_ONCE, count))
            )
        )
        peers += [peer for _, peer in made]
    async with asyncio.timeout(60):
        await asyncio.gather(*(peer.is_subscribed for peer in peers))
    return peers


async def _write(client: httpx.AsyncClient, server: LiveServer) -> None:
    sent_at = str(time.time_ns() // 1000)
    document = {"datastreams": [{"id": "sent", "current_value": sent_at}]}
    headers = {"X-ApiKey": server.api_key}
    done = await client.put(f"/v2/feeds/{server.feed_id}", json=document, headers=headers)
    done.raise_for_status()


async def _settle(peers: list[Subscriber], message_count: int) -> None:
    """Until all has come, or nothing came for a second."""
    seen = -1
    while (now := sum(peer.message_count for peer in peers)) != seen:
        if all(peer.message_count >= message_count for peer in peers):
            return
        seen = now
        await asyncio.sleep(1)
