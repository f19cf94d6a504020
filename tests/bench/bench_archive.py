"""The archive's tiers: how fast they take datapoints, what these cost on disk, how fast reads are."""

import sqlite3
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
from tests.bench.report import Result

from thingtank.stores.archive_settings import ArchiveSettings
from thingtank.stores.history.store import HistoryStore
from thingtank.stores.rows import Rows
from thingtank.tank.tank import SystemClock

STREAMS = 10_000
BATCH = 10_000
MINUTE_US = 60_000_000
DAY_US = 1440 * MINUTE_US
DAYS = 7  # of one value a minute from 10,000 streams: 100.8 M


def run(quick: bool) -> list[Result]:
    """Measure both tiers."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        return [
            *appends(path / "append", 20 if quick else 200),
            *sizes(path / "sizes", 200_000 if quick else 4_000_000),
            *last_hundred(path / "last", 60 if quick else DAYS * 1440),
            *year(path / "year"),
        ]


def open_store(folder: Path) -> HistoryStore:
    return HistoryStore.open(folder, ArchiveSettings(), SystemClock())


def batch(number: int) -> Rows:
    """One value from each of 10,000 streams, as every minute brings."""
    streams = np.arange(STREAMS, dtype=np.int32)
    at_us = np.full(STREAMS, number * MINUTE_US, dtype=np.int64) + streams
    return Rows(streams, at_us, np.random.default_rng(number).random(STREAMS), {})


def appends(folder: Path, batches: int) -> list[Result]:
    """Batches of 10,000 into the hot tier, and into a SQLite table keyed by stream and time."""
    store, ready = open_store(folder), [batch(number) for number in range(batches)]
    started_s = time.process_time()
    for number, rows in enumerate(ready):
        store.apply([rows], number + 1)
    ours = batches * BATCH / (time.process_time() - started_s)
    stats = store.stats()
    store.close()
    theirs = sqlite_append(folder / "peer.sqlite3", ready)
    hot = (folder / "hot.duckdb").stat().st_size / stats.hot_rows
    return [
        Result("archive: append batches of 10,000 over 10,000 streams", ">= 1,000,000", ours, "datapoints per CPU-second", ok=ours >= 1e6),
        Result("archive: the same, against a SQLite table (stream, time)", ">= 10 x", ours, "datapoints per CPU-second", ours / theirs, ours / theirs >= 10),
        Result("archive: hot, random doubles", "<= 12", hot, "bytes a datapoint", ok=hot <= 12),
    ]  # fmt: skip


def sqlite_append(path: Path, ready: list[Rows]) -> float:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE d (s INT, a INT, n REAL, PRIMARY KEY (s, a)) WITHOUT ROWID")
    started_s = time.process_time()
    for rows in ready:
        columns = (rows.stream_ids.tolist(), rows.at_us.tolist(), rows.numbers.tolist())
        connection.executemany("INSERT INTO d VALUES (?, ?, ?)", zip(*columns, strict=True))
        connection.commit()
    figure = len(ready) * BATCH / (time.process_time() - started_s)
    connection.close()
    return figure


def fill(store: HistoryStore, sql: str) -> None:
    """Rows made by the database itself: making 100 M of them in Python would take the morning."""
    with store._database.writing() as connection:
        connection.execute(f"INSERT INTO hot {sql}").fetchall()
        connection.execute("UPDATE state SET seq = seq + 1000000").fetchall()


def sizes(folder: Path, rows: int) -> list[Result]:
    """Bytes a datapoint in the cold tier."""
    kinds = {
        "random doubles": ("random()", 8.0),
        "a sensor: one decimal, once a minute": (
            "round(20 + 5 * sin(m / 230.0 + s) + 2 * sin(m / 37.0) + random() * 0.4, 1)", 1.5,
        ),
    }  # fmt: skip
    results = []
    for name, (number, target) in kinds.items():
        store = open_store(folder / name[:6])
        streams = max(1, rows // 10_000)
        fill(
            store,
            f"SELECT s, m * {MINUTE_US} + (s * 7919) % {MINUTE_US}, {number}, NULL, m"
            f" FROM range(10000) g(m), range({streams}) h(s)",
        )
        store.compact(SystemClock().now_us())
        stats = store.stats()
        figure = stats.cold_bytes / stats.cold_rows
        store.close()
        results.append(
            Result(f"archive: cold, {name}", f"<= {target:g}", figure, "bytes a datapoint", ok=figure <= target, note="roll-ups included")
        )  # fmt: skip
    return results


def last_hundred(folder: Path, minutes: int) -> list[Result]:
    """The last 100 of one of 10,000 streams, most of them cold, the last two days hot."""
    store = open_store(folder)
    end_us = SystemClock().now_us() // DAY_US * DAY_US
    start_us = end_us - minutes * MINUTE_US
    for first in range(0, minutes, 1440):
        count = min(1440, minutes - first)
        fill(
            store,
            f"SELECT s, {start_us} + (m + {first}) * {MINUTE_US} + s,"
            f" round(20 + 5 * sin((m + s) / 230.0), 1), NULL, m"
            f" FROM range({count}) g(m), range({STREAMS}) h(s)",
        )
        store.compact(min(end_us - 2 * DAY_US, start_us + (first + 1440) * MINUTE_US))
    stats = store.stats()
    chance = np.random.default_rng(1)
    streams = iter(chance.permutation(STREAMS).tolist())

    def hot() -> None:
        store.read([next(streams)], 0, end_us, 100, True, None)

    def cold() -> None:
        store.read([next(streams)], 0, end_us - 3 * DAY_US, 100, True, None)

    total = f"{stats.hot_rows / 1e6:.0f} M hot and {stats.cold_rows / 1e6:.0f} M cold"
    results = [timed(f"archive: last 100 of one of 10,000 streams, {total}", 15, hot)]
    if stats.cold_rows:
        results.append(timed("archive: 100 of three days ago, the same store", 15, cold))
    store.close()
    return results


def year(folder: Path) -> list[Result]:
    """A year at one value a minute, by the hour."""
    store = open_store(folder)
    end_us = SystemClock().now_us() // DAY_US * DAY_US
    start_us = end_us - 365 * DAY_US
    fill(
        store,
        f"SELECT s, {start_us} + m * {MINUTE_US}, round(20 + 5 * sin(m / 230.0), 1), NULL, m"
        f" FROM range({365 * 1440}) g(m), range(10) h(s)",
    )
    store.compact(end_us)

    def hourly() -> None:
        store.read_buckets([3], start_us, end_us, 60 * MINUTE_US, 0, 10_000, None)

    results = [timed("archive: a year at one a minute, by the hour", 20, hourly)]
    store.close()
    return results


def timed(case: str, target_ms: float, work: Callable[[], None], rounds: int = 31) -> Result:
    figures = []
    for _ in range(rounds):
        started_s = time.perf_counter()
        work()
        figures.append((time.perf_counter() - started_s) * 1000)
    figure = median(figures)
    note = f"p50 of {rounds}, {min(figures):.1f} to {max(figures):.1f}"
    return Result(case, f"<= {target_ms:g}", figure, "ms", ok=figure <= target_ms, note=note)
