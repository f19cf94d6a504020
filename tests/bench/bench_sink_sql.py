"""The SQL engine of sinks beside a bare loop: the same driver, table, batch size and connection.

The bare loop has its rows ready made, as its statement takes them, and asks nothing of repeats.
Rounds alternate between the two, each into a new table. Servers write to the disk before they
answer, as they do outside of tests.
"""

import contextlib
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tests.bench.report import Result, Spread, number
from tests.bench.sink_items import DEVICES, items
from tests.database_servers import PASSWORD, USER, DatabaseServer, own_server

from thingtank.aws.clients import AwsClients
from thingtank.aws.settings import AwsSettings
from thingtank.protocols.xively.times import format_time
from thingtank.sinks.engine import EngineParts, Item
from thingtank.sinks.engines import make_engine

RATIO_MIN = 0.8
COLUMNS = "item_id, device_id, datastream, at, value, number"
BATCH = 1000  # as the engine's

Rows = Sequence[tuple[Any, ...]]


class Bare(NamedTuple):
    """A driver as a loop uses it.

    Attributes:
        write: a batch that is ready, and commit.
        ready: what `write` takes of a batch of rows.
    """

    connect: Callable[[], Any]
    write: Callable[[Any, str, Any], None]
    ready: Callable[[Rows], Any]
    url: str


def run(quick: bool) -> list[Result]:
    """Measure each database."""
    count, rounds = (4_000, 1) if quick else (40_000, 7)
    return [_measured(kind, count, rounds) for kind in ("postgresql", "mariadb", "sqlite")]


def _measured(kind: str, count: int, rounds: int) -> Result:
    made = items(count)
    batches = [made[first : first + BATCH] for first in range(0, count, BATCH)]
    rates: list[float] = []
    ratios: list[float] = []
    with tempfile.TemporaryDirectory() as folder, _bare(kind, Path(folder)) as bare:
        aws = AwsClients(AwsSettings())
        ready = [bare.ready([_row(item, kind) for item in batch]) for batch in batches]
        for turn in range(rounds + 1):
            pair = [
                _seconds(bare, f"{whose}_{turn}", batches, ready if whose == "bare" else None,
                         EngineParts(lambda: aws, Path(folder)))
                for whose in (("bare", "ours") if turn % 2 else ("ours", "bare"))
            ]  # fmt: skip
            bare_s, ours_s = pair if turn % 2 else pair[::-1]
            if turn:  # the first one warms up
                rates.append(count / ours_s)
                ratios.append(bare_s / ours_s)
    rate, ratio = Spread.of(rates), Spread.of(ratios)
    return Result(
        f"values to a table of {kind}",
        f">= {RATIO_MIN} of a bare loop of its driver",
        rate.median,
        "values/s",
        ratio.median,
        ratio.median >= RATIO_MIN,
        f"{DEVICES} devices, 1 connection, {BATCH} a transaction; {rate}; ratio"
        f" {number(ratio.lowest)} to {number(ratio.highest)}",
    )


def _seconds(
    bare: Bare, table: str, batches: list[list[Item]], ready: list[Any] | None, parts: EngineParts
) -> float:
    """Write all of it to a new table: what is ready by the driver, else by the engine."""
    engine = make_engine({"engine": "sql", "url": bare.url, "table": table}, parts)
    engine.open()  # makes the table
    try:
        if ready is None:
            start_s = time.perf_counter()
            for batch in batches:
                engine.send(batch)
            return time.perf_counter() - start_s
        with contextlib.closing(bare.connect()) as connection:
            start_s = time.perf_counter()
            for each in ready:
                bare.write(connection, table, each)
            return time.perf_counter() - start_s
    finally:
        engine.close()


def _row(item: Item, kind: str) -> tuple[Any, ...]:
    """Its time as text, which all drivers pass on quicker than a `datetime`."""
    at = format_time(item.at_us)
    if kind == "mariadb":
        at = at.removesuffix("Z")
    return item.item_id, item.device_id, item.datastream, at, item.value, item.number


@contextlib.contextmanager
def _bare(kind: str, folder: Path) -> Iterator[Bare]:
    if kind == "sqlite":
        yield Bare(lambda: _sqlite(folder), _write_sqlite, list, "sqlite:///out.sqlite3")
        return
    with own_server(kind, is_durable=True) as own:
        name = own.server.new_database()
        url = own.server.url(name)
        if kind == "mariadb":
            yield Bare(lambda: _mariadb(own.server, name), _write_mariadb, list, url)
        else:
            yield Bare(lambda: _postgresql(own.server, name), _write_postgresql, _columns, url)


def _sqlite(folder: Path) -> Any:
    connection = sqlite3.connect(folder / "sinks" / "out.sqlite3")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def _write_sqlite(connection: Any, table: str, rows: Any) -> None:
    with connection:
        connection.executemany(
            f"INSERT INTO {table} ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)",  # noqa: S608 - ours
            rows,
        )


def _mariadb(server: DatabaseServer, name: str) -> Any:
    import pymysql

    return pymysql.connect(
        host="127.0.0.1", port=server.port, user=USER, password=PASSWORD, database=name
    )


def _write_mariadb(connection: Any, table: str, rows: Any) -> None:
    with connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO {table} ({COLUMNS}) VALUES (%s, %s, %s, %s, %s, %s)",  # noqa: S608 - ours
            rows,
        )
    connection.commit()


def _postgresql(server: DatabaseServer, name: str) -> Any:
    import psycopg

    return psycopg.connect(
        host="127.0.0.1", port=server.port, user=USER, password=PASSWORD, dbname=name
    )


def _columns(rows: Rows) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _write_postgresql(connection: Any, table: str, columns: Any) -> None:
    """By columns, which is quicker than psycopg's `executemany`."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} ({COLUMNS}) SELECT * FROM unnest(%s::text[], %s::bigint[],"  # noqa: S608 - ours
            " %s::text[], %s::timestamptz[], %s::text[], %s::float8[])",
            columns,
        )
    connection.commit()
