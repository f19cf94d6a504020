"""Export to and import from files, a bounded batch at a time, with a bar for people."""

import contextlib
import csv
import io
import itertools
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import click
from rich.console import Console
from rich.progress import Progress

from thingtank.cli.output import time_of
from thingtank.cli.session import Refusal, Session
from thingtank.files.writers import (
    COLUMNS,
    CsvWriter,
    JsonLinesWriter,
    ParquetFile,
    Row,
    Writer,
)
from thingtank.protocols.xively.errors import Unprocessable
from thingtank.protocols.xively.json_format import value_of
from thingtank.protocols.xively.times import MalformedTime, parse_time

EXPORT_BATCH = 20_000
IMPORT_BATCH = 20_000


@contextlib.contextmanager
def _writer(file: Path, kind: str) -> Iterator[Writer]:
    """A writer whose file is there whole or not at all; standard output takes what comes."""
    if str(file) == "-":
        yield CsvWriter(sys.stdout, COLUMNS) if kind == "csv" else JsonLinesWriter(sys.stdout)
        return
    draft = file.with_name(f".{file.name}.part")
    try:
        if kind == "parquet":
            with contextlib.closing(ParquetFile(draft)) as parquet:
                yield parquet
                parquet.finish()
        else:
            with draft.open("w", encoding="utf-8", newline="") as opened:
                yield CsvWriter(opened, COLUMNS) if kind == "csv" else JsonLinesWriter(opened)
        draft.rename(file)
    finally:
        draft.unlink(missing_ok=True)


def export_file(
    session: Session,
    file: Path,
    kind: str,
    feeds: tuple[str, ...],
    channels: tuple[str, ...],
    start: str,
    end: str,
) -> int:
    """Write all that was asked for; returns the number of datapoints."""
    count = 0
    try:
        with _writer(file, kind) as writer:
            for rows in export_rows(session, feeds, channels, start, end):
                writer.write(rows)
                count += len(rows)
    except OSError as error:
        raise Refusal(f"{file} cannot be written: {error.strerror or error}") from None
    return count


def export_rows(
    session: Session, feeds: tuple[str, ...], channels: tuple[str, ...], start: str, end: str
) -> Iterator[list[Row]]:
    """What was asked for, in batches, with a bar; one channel after another, oldest first."""
    bounds = {name: _instant(text) for name, text in (("start_us", start), ("end_us", end)) if text}
    wanted = list(_channels(session, feeds, channels))
    with progress_bar() as progress:
        for feed_id, channel in progress.track(wanted, description="Exporting"):
            yield from _batches(session, feed_id, channel, bounds)


def _channels(
    session: Session, feeds: tuple[str, ...], channels: tuple[str, ...]
) -> Iterator[tuple[int, str]]:
    for name in feeds or _all_feeds(session):
        found = session.call("device.show", device=name)
        for channel in found["channels"]:
            if not channels or channel["name"] in channels:
                yield found["feed_id"], channel["name"]


def _all_feeds(session: Session) -> Iterator[str]:
    for page in itertools.count(1):
        found = session.call("device.list", page=page, per_page=1000)["devices"]
        if not found:
            return
        yield from (str(row["feed_id"]) for row in found)


def _batches(
    session: Session, feed_id: int, channel: str, bounds: dict[str, int]
) -> Iterator[list[Row]]:
    asked = dict(bounds)
    while True:
        found = session.call(
            "archive.export_batch", feed_id=feed_id, channel=channel, limit=EXPORT_BATCH, **asked
        )
        times = found["at_us"]
        yield [
            (feed_id, channel, time_of(at_us) or "", value)
            for at_us, value in zip(times, found["values"], strict=True)
        ]
        if len(times) < EXPORT_BATCH:
            return
        asked["start_us"] = times[-1] + 1


def import_file(session: Session, file: Path, kind: str, creates_missing: bool) -> int:
    """Write all rows of a file; returns their number.

    Raises:
        Refusal: with the number of the row that is wrong. Batches before it are written.
    """
    count = 0
    with _rows(file, kind) as rows, progress_bar() as progress:
        bar = progress.add_task("Importing", total=None)
        numbered = enumerate(rows, start=1)
        while batch := list(itertools.islice(numbered, IMPORT_BATCH)):
            count += _import_batch(session, batch, creates_missing)
            progress.update(bar, completed=count, description=f"Imported {count:,}")
    return count


def _import_batch(
    session: Session, batch: list[tuple[int, dict[Any, Any]]], creates_missing: bool
) -> int:
    by_feed: dict[int, dict[str, tuple[list[int], list[str]]]] = {}
    for number, row in batch:
        try:
            feed_id, channel, at_us, value = _datapoint(row)
        except (KeyError, ValueError, Unprocessable):
            raise Refusal(
                f"row {number} is not a datapoint: it needs {', '.join(COLUMNS)}, with `at` in"
                f" ISO 8601. Rows before {batch[0][0]} are written."
            ) from None
        columns = by_feed.setdefault(feed_id, {}).setdefault(channel, ([], []))
        columns[0].append(at_us)
        columns[1].append(value)
    try:
        return sum(
            session.call(
                "archive.import_batch",
                feed_id=feed_id,
                channels=channels,
                creates_missing=creates_missing,
            )["count"]
            for feed_id, channels in by_feed.items()
        )
    except Refusal as error:
        first, last = batch[0][0], batch[-1][0]
        hint = "; --create-channels makes missing channels" if "no datastream" in str(error) else ""
        raise Refusal(f"rows {first} to {last}: {error.message}{hint}") from None


def _datapoint(row: dict[Any, Any]) -> tuple[int, str, int, str]:
    """A row's feed, channel, time and value; nothing is made up for what is missing."""
    if None in row:  # where csv puts what stands beyond the last column
        raise ValueError("more cells than columns")
    feed_id, channel, at, value = (_text(row[name]) for name in COLUMNS)
    return int(feed_id), channel, parse_time(at), value


def _text(cell: Any) -> str:
    """A cell as the doors take a value: a number's or a truth value's text as it was written."""
    text = value_of(cell)
    if text is None:
        raise ValueError("no value")
    return text


@contextlib.contextmanager
def _rows(file: Path, kind: str) -> Iterator[Iterator[dict[Any, Any]]]:
    if kind == "parquet":
        yield _parquet_rows(file)
        return
    opened = _standard_input() if str(file) == "-" else file.open(encoding="utf-8", newline="")
    try:
        yield _csv_rows(opened) if kind == "csv" else _json_rows(opened)
    except UnicodeDecodeError:
        raise Refusal(f"{file} is not UTF-8") from None
    finally:
        if opened is not sys.stdin:
            opened.close()


def _standard_input() -> IO[str]:
    """Standard input as a file of ours is opened: its line ends may be part of a value."""
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(encoding="utf-8", newline="")
    return sys.stdin


def _csv_rows(file: IO[str]) -> Iterator[dict[Any, Any]]:
    try:
        yield from csv.DictReader(file, strict=True)
    except csv.Error:
        yield {}  # refused with its number, as every row that is none


def _json_rows(file: IO[str]) -> Iterator[dict[Any, Any]]:
    for line in file:
        if not line.strip():
            continue
        try:
            row = json.loads(line, parse_float=str)
        except (ValueError, RecursionError):
            row = None
        yield row if isinstance(row, dict) else {}


def _parquet_rows(file: Path) -> Iterator[dict[Any, Any]]:
    import duckdb

    with duckdb.connect() as database:
        try:
            database.execute("SET TimeZone = 'UTC'").fetchall()
            reading = database.execute(
                "SELECT feed_id, channel, strftime(\"at\", '%Y-%m-%dT%H:%M:%S.%fZ'),"
                " value::VARCHAR FROM read_parquet(?)",
                [str(file)],
            )
            while found := reading.fetchmany(IMPORT_BATCH):
                yield from (dict(zip(COLUMNS, row, strict=True)) for row in found)
        except duckdb.Error as error:
            raise Refusal(f"{file} cannot be read: {error}") from None


def _instant(text: str) -> int:
    try:
        return parse_time(text)
    except MalformedTime:
        raise click.UsageError(f"{text!r} is not an ISO 8601 time") from None


def progress_bar() -> Progress:
    """A bar on standard error, where that is a terminal."""
    console = Console(stderr=True)
    return Progress(console=console, transient=True, disable=not console.is_terminal)
