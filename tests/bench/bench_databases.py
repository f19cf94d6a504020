"""The directory on SQLite, PostgreSQL and MariaDB: loaded, and one device written after another.

The servers write to the disk before they answer, as they do outside of tests.
"""

import contextlib
import tempfile
from collections.abc import Iterator

from tests.bench.bench_directory import STREAMS, child
from tests.bench.report import Result
from tests.database_servers import KINDS, own_server

from thingtank.web.database.url import DEFAULT_URL

WRITES = 200


def run(quick: bool) -> list[Result]:
    """Fill each, load it, write to it."""
    devices = 2_000 if quick else 100_000
    results = []
    for kind in ("sqlite", *KINDS):
        with tempfile.TemporaryDirectory() as folder, _url(kind) as url:
            child(folder, "fill", devices, url)
            found = child(folder, "load", devices, url)
            found |= child(folder, "write", WRITES, url)
        name = f"{kind}: {devices:,} devices with {STREAMS} datastreams each"
        p50, p95 = found["write_p50"], found["write_p95"]
        results += [
            Result(f"{name}, loaded", "", found["load_s"], "s"),
            Result(f"{name}, in memory", "", found["added_mb"], "MB", note="growth of the process"),
            Result(f"{name}, one device written", "", p50, "ms p50", note=f"p95 {p95:.1f} ms"),
        ]
    return results


@contextlib.contextmanager
def _url(kind: str) -> Iterator[str]:
    if kind == "sqlite":
        yield DEFAULT_URL
        return
    with own_server(kind, is_durable=True) as own:
        yield own.server.url(own.server.new_database())
