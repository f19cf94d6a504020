"""The directory: 100,000 devices with 5 datastreams and a key each, loaded in a process of its own."""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.report import Result

SECRET = bytes(32)
STREAMS = 5
BATCH = 2000


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
    ]  # fmt: skip


def child(folder: str, work: str, devices: int) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.bench.bench_directory", work, folder, str(devices)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def fill(devices: int) -> dict[str, float]:
    from thingtank.web.accounts.models import Account
    from thingtank.web.catalog import models
    from thingtank.web.catalog.sealing import Sealer

    sealer = Sealer(SECRET)
    owner = Account.objects.create_superuser("owner")
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
                description="On the roof", tags=["roof", f"row {number % 50}"], created_us=number,
                updated_us=number, token_digest=number.to_bytes(32, "big"),
                location={"name": "Roof", "lat": 12.9, "lon": 77.5, "ele": "920"},
            )
            for number in numbers
        )  # fmt: skip
        models.Datastream.objects.bulk_create(
            models.Datastream(device=row, name=f"channel_{k}", tags=[], unit={"type": "", "symbol": "°C", "label": "Celsius"})
            for row in rows
            for k in range(STREAMS)
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
    directory.close()
    return {"load_s": load_s, "added_mb": added_mb, "key_us": key_us}


def resident_mb() -> float:
    status = Path("/proc/self/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    from thingtank.web.setup import configure, migrate
    from thingtank.web.web_settings import WebSettings

    configure(WebSettings(), Path(sys.argv[2]), SECRET)
    migrate()
    print(json.dumps({"fill": fill, "load": load}[sys.argv[1]](int(sys.argv[3]))))
