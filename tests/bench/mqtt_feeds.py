"""Devices that write datapoints to their feeds over MQTT, and whether all of them are there."""

import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import httpx
from tests.bench.mqtt_brokers import Broker
from tests.bench.mqtt_load import MqttLoad, Work, run_load
from tests.live_server import LiveServer

DATASTREAM = "temperature"
PAGE = 1000
STEP_US = 1000  # between datapoints of one device, as the load generator stamps them


class Device(NamedTuple):
    """A feed and the key that may write to it."""

    feed_id: int
    api_key: str


class FeedLoads(NamedTuple):
    """What the rounds saw.

    Attributes:
        stored: datapoints that the HTTP API gives back, once all is over.
        sent: by the load generator, all of them acknowledged.
    """

    loads: list[MqttLoad]
    sent: int
    stored: int


def load_feeds(
    broker: Broker, device_count: int, folder: Path, *, rounds: int, warm_s: float, run_s: float
) -> FeedLoads:
    """Each device publishes rows of CSV, one datapoint each, to `/v2/feeds/FEED.csv` with QoS 1.

    Raises:
        LoadRefused, CompilerMissing
    """
    assert broker.server is not None
    headers = {"X-ApiKey": broker.server.master_key()}
    with httpx.Client(base_url=broker.server.url, headers=headers, timeout=30) as client:
        devices = [_device(client) for _ in range(device_count)]
        clients = folder / f"devices-{secrets.token_hex(4)}"
        clients.write_text("".join(f"{key} /v2/feeds/{feed}.csv\n" for feed, key in devices))
        started_us = time.time_ns() // 1000
        loads = [
            _load(broker, len(devices), clients, warm_s=warm_s, run_s=run_s) for _ in range(rounds)
        ]
    return FeedLoads(loads, sum(load.total for load in loads), _stored(broker, devices, started_us))


def _device(client: httpx.Client) -> Device:
    feed = {"title": "bench", "version": "1.0.0", "datastreams": [{"id": DATASTREAM}]}
    feed_id = int(_location(client.post("/v2/feeds", json=feed)))
    permission = {"access_methods": ["get", "put"], "resources": [{"feed_id": feed_id}]}
    key = {"key": {"label": "bench", "private_access": True, "permissions": [permission]}}
    return Device(feed_id, _location(client.post("/v2/keys", json=key)))


def _location(answer: httpx.Response) -> str:
    answer.raise_for_status()
    return answer.headers["location"].rpartition("/")[2]


def _load(broker: Broker, count: int, clients: Path, *, warm_s: float, run_s: float) -> MqttLoad:
    # Each datapoint has a time of its own; a round takes longer by the clock than by those times.
    more = {"clients": clients, "datastream": DATASTREAM, "base_us": time.time_ns() // 1000}
    work = Work("pairs", count, 0, qos=1)
    return run_load(broker.line, work, broker.pids, warm_s=warm_s, run_s=run_s, more=more)


def _stored(broker: Broker, devices: list[Device], since_us: int) -> int:
    assert broker.server is not None
    server: LiveServer = broker.server
    with (
        httpx.Client(
            base_url=server.url, headers={"X-ApiKey": server.master_key()}, timeout=30
        ) as client,
        ThreadPoolExecutor(4) as pool,
    ):
        return sum(
            pool.map(lambda device: count_datapoints(client, device.feed_id, since_us), devices)
        )


def count_datapoints(client: httpx.Client, feed_id: int, start_us: int) -> int:
    """All datapoints of DATASTREAM since then, page by page; each once."""
    counted, end = 0, _text(start_us + 6 * 3600 * 1_000_000)
    while True:
        query = {"start": _text(start_us), "end": end, "interval": 0, "limit": PAGE}
        answer = client.get(f"/v2/feeds/{feed_id}/datastreams/{DATASTREAM}.json", params=query)
        if answer.status_code == httpx.codes.NOT_FOUND:
            return 0  # nothing was ever written
        answer.raise_for_status()
        page = answer.json().get("datapoints", [])
        counted += len(page)
        if len(page) < PAGE:
            return counted
        last = datetime.fromisoformat(page[-1]["at"].replace("Z", "+00:00"))
        start_us = round(last.timestamp() * 1_000_000) + 1


def _text(at_us: int) -> str:
    moment = datetime.fromtimestamp(at_us // 1_000_000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{at_us % 1_000_000:06}Z"
