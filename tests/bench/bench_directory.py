"""The directory: 100,000 devices with 5 datastreams and a key each, loaded in a process of its own.

Then it is searched, by one who sees all of it, as the Xively door does: by way of the tank, in a loop
that serves others meanwhile. Words, places and datastreams of the devices are made up by a seed.
"""

import asyncio
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import quantiles
from typing import Any

from tests.bench.report import Result

from thingtank.web.database.url import DEFAULT_URL, DatabaseSource, database_of

SECRET = bytes(32)
STREAMS = 5
BATCH = 2000
SEED = 7
SEARCHES = 300
NOW_US = 10**15
PLACES = [
    "roof",
    "attic",
    "cellar",
    "garden",
    "greenhouse",
    "kitchen",
    "workshop",
    "river",
    "harbour",
    "airport",
]
THINGS = [
    "temperature",
    "humidity",
    "pressure",
    "wind",
    "rain",
    "noise",
    "traffic",
    "radiation",
    "voltage",
    "water",
]


def run(quick: bool) -> list[Result]:
    """Fill a database, then load it."""
    devices = 2_000 if quick else 100_000
    with tempfile.TemporaryDirectory() as folder:
        child(folder, "fill", devices)
        found = child(folder, "load", devices)
    name = f"directory: {devices:,} devices with {STREAMS} datastreams each"
    return [
        Result(f"{name}, loaded", "<= 10", found["load_s"], "s", ok=found["load_s"] <= 10),
        Result(f"{name}, in memory", "<= 400", found["added_mb"], "MB", ok=found["added_mb"] <= 400, note="growth of the process"),
        Result(f"{name}, one found by its key", "", found["key_us"], "µs"),
        *search_results(name, found),
    ]  # fmt: skip


def search_results(name: str, found: dict[str, float]) -> list[Result]:
    results = []
    for kind in KINDS:
        p50, p95, pause = (found[f"{kind}_{what}"] for what in ("p50", "p95", "pause"))
        target, ok = ("p95 <= 50", p95 <= 50) if kind in ("text", "geo") else ("", None)
        note = f"p50 {p50:.2f} ms; the loop's longest pause {pause:.1f} ms"
        results.append(Result(f"{name}, search by {kind}", target, p95, "ms p95", ok=ok, note=note))
    return results


def child(folder: str, work: str, devices: int, url: str = DEFAULT_URL) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.bench.bench_directory", work, folder, str(devices), url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def fill(devices: int, first_us: int = 0) -> dict[str, float]:
    """Devices of the owner, made a microsecond apart from `first_us` on."""
    from thingtank.web.accounts.models import Account
    from thingtank.web.catalog import models
    from thingtank.web.catalog.sealing import Sealer

    sealer = Sealer(SECRET)
    dice = random.Random(SEED)
    owner = Account.objects.first() or Account.objects.create_superuser("owner")
    permission = {
        "access_methods": ["get", "put", "post", "delete"],
        "source_ip": "",
        "referer": "",
    }
    for first in range(0, devices, BATCH):
        numbers = range(first, min(first + BATCH, devices))
        rows = models.Device.objects.bulk_create(
            models.Device(
                uuid=f"{number:08d}-0000-4000-8000-000000000000", account=owner, title=f"Node {number}",
                description=f"On the {dice.choice(PLACES)}, in sight of the {dice.choice(PLACES)}",
                tags=[dice.choice(PLACES), f"row {number % 50}"], created_us=first_us + number,
                updated_us=first_us + number, token_digest=number.to_bytes(32, "big"),
                location={"name": "Roof", "lat": dice.uniform(-90, 90), "lon": dice.uniform(-180, 180), "ele": "920"},
            )
            for number in numbers
        )  # fmt: skip
        models.Datastream.objects.bulk_create(
            models.Datastream(device=row, name=f"{name}_{k}", tags=[], unit={"type": "", "symbol": "°C", "label": "Celsius"})
            for row in rows
            for k, name in enumerate(dice.sample(THINGS, STREAMS))
        )  # fmt: skip
        models.ApiKey.objects.bulk_create(
            models.ApiKey(
                account=owner, label=f"Auto-generated key {row.pk}", created_us=0,
                permissions=[permission | {"resources": [{"feed_id": row.pk, "datastream_id": None}], "minimum_interval_s": 0, "label": ""}],
                digest=sealer.digest(f"key {row.pk}"), sealed=b"x" * 76,
            )
            for row in rows
        )  # fmt: skip
    return {}


def load(devices: int) -> dict[str, float]:
    from thingtank.web.catalog.directory import DjangoDirectory

    directory = DjangoDirectory(SECRET)
    before_mb = resident_mb()
    started_s = time.perf_counter()
    directory.load()
    load_s = time.perf_counter() - started_s
    added_mb = resident_mb() - before_mb
    started_s = time.perf_counter()
    for device_id in range(1, 1001):
        assert directory.find_key(f"key {device_id}") is not None
    key_us = (time.perf_counter() - started_s) * 1000
    found = {"load_s": load_s, "added_mb": added_mb, "key_us": key_us}
    for kind, terms_of in KINDS.items():
        found |= asyncio.run(search(directory, kind, terms_of))
    directory.close()
    return found


def text_terms(dice: random.Random) -> dict[str, Any]:
    text = dice.choice(
        [
            f"{dice.choice(PLACES)} {dice.choice(THINGS)}",
            f"node {dice.randrange(100_000)}",
            f"{dice.choice(THINGS)[:4]} {dice.randrange(100)}",
            f"{dice.choice(PLACES)} temprature",
            "node",
            "no such thing",
        ]
    )
    return {"text": text, "order": "relevance"}


def geo_terms(dice: random.Random) -> dict[str, Any]:
    place = {"lat": dice.uniform(-90, 90), "lon": dice.uniform(-180, 180)}
    return {**place, "distance_m": dice.choice([1e4, 1e5, 1e6, 2e7])}


def list_terms(dice: random.Random) -> dict[str, Any]:
    return {"page": dice.randrange(1, 500), "order": dice.choice(["created_at", "title"])}


def live_terms(dice: random.Random) -> dict[str, Any]:
    return {"status": dice.choice(["live", "frozen"])}


def retrieved_terms(_: random.Random) -> dict[str, Any]:
    return {"order": "retrieved_at"}


KINDS: dict[str, Callable[[random.Random], dict[str, Any]]] = {
    "text": text_terms,
    "geo": geo_terms,
    "nothing, any page": list_terms,
    "status alone": live_terms,
    "newest values first": retrieved_terms,
}


async def search(
    directory: Any, kind: str, terms_of: Callable[[random.Random], dict[str, Any]]
) -> dict[str, float]:
    from thingtank.stores.memory_archive import MemoryArchive
    from thingtank.tank.interfaces import DeviceQuery
    from thingtank.tank.tank import Tank

    tank = Tank(directory, MemoryArchive())
    directory.follow(lambda stream_id: NOW_US - stream_id * 10_000, lambda: NOW_US)
    dice = random.Random(SEED)
    count = SEARCHES if kind in ("text", "geo") else SEARCHES // 10
    pauses = asyncio.ensure_future(longest_pause_ms())
    times_ms = []
    for _ in range(count):
        query = DeviceQuery(everybody=True, **terms_of(dice))
        started_s = time.perf_counter()
        await tank.search_devices(query)
        times_ms.append((time.perf_counter() - started_s) * 1000)
        await asyncio.sleep(0.001)
    pauses.cancel()
    cuts = quantiles(times_ms, n=20)
    pause = await pauses
    return {f"{kind}_p50": cuts[9], f"{kind}_p95": cuts[18], f"{kind}_pause": pause}


async def longest_pause_ms() -> float:
    """For how long the loop served nobody, until cancelled; a busy machine adds to it."""
    longest_s = 0.0
    last_s = time.perf_counter()
    try:
        while True:
            await asyncio.sleep(0.001)
            now_s = time.perf_counter()
            longest_s = max(longest_s, now_s - last_s - 0.001)
            last_s = now_s
    except asyncio.CancelledError:
        return longest_s * 1000


def write(devices: int) -> dict[str, float]:
    """Make devices one after another, each as a client does, which waits until it is stored."""
    from thingtank.tank.things import Device
    from thingtank.web.accounts.models import Account
    from thingtank.web.catalog.directory import DjangoDirectory

    account_id = Account.objects.values_list("id", flat=True)[0]

    async def run() -> list[float]:
        directory = DjangoDirectory(SECRET)
        times_ms = []
        for number in range(devices):
            device = Device(0, f"w-{number}", account_id, "Written", created_us=1, updated_us=1)
            started_s = time.perf_counter()
            await directory.insert_device(device, [], f"token {number}", None)
            times_ms.append((time.perf_counter() - started_s) * 1000)
        directory.close()
        return times_ms

    cuts = quantiles(asyncio.run(run()), n=20)
    return {"write_p50": cuts[9], "write_p95": cuts[18]}


def resident_mb() -> float:
    status = Path("/proc/self/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    from thingtank.web.setup import configure, migrate
    from thingtank.web.web_settings import WebSettings

    database = database_of(DatabaseSource(sys.argv[4]), Path(sys.argv[2]))
    configure(WebSettings(), Path(sys.argv[2]), SECRET, database)
    migrate()
    print(json.dumps({"fill": fill, "load": load, "write": write}[sys.argv[1]](int(sys.argv[3]))))
