"""A channel's datapoints as a file: CSV as it is read, Parquet once it is whole.

An ASGI app and no Django view, because those hold a thread each. Memory is bounded by the batch; a
slow reader holds the reading up; what breaks off does so before the last chunk, so that no half of
a file passes for the whole.
"""

import asyncio
import io
import re
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote

import msgspec
import structlog

from thingtank.files.writers import COLUMNS, CsvWriter, ParquetFile, Row
from thingtank.protocols.xively.times import format_times
from thingtank.tank.access import Caller
from thingtank.tank.actions.datastreams import get_datastream
from thingtank.tank.actions.transfer import export_datapoints
from thingtank.tank.datapoints import AT_US_MAX, AT_US_MIN, Datapoint
from thingtank.tank.errors import NotFound, TankError, Unavailable, ValidationFailed, reason_of
from thingtank.tank.tank import Tank
from thingtank.web import tank_access
from thingtank.web.workbench.bounds import TooManyVisits, VisitLimits, Visits
from thingtank.web.workbench.charts import RANGES_S, range_us
from thingtank.web.workbench.long_answers import (
    address_of,
    may_see,
    refuse,
    too_many,
    unseen,
    watch_client,
)

log = structlog.get_logger()

PREFIX = "/export/"
ALL = "all"
FORMATS = {
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
}
# Each reads the archive as fast as its client takes it.
LIMITS = VisitLimits(total_max=12, strangers_max=4, per_account_max=4, per_address_max=2)
EXPORT_S_MAX = 1800.0
BATCH = 5000
PARQUET_ROWS_MAX = 5_000_000  # they wait on the disk until the file is whole
PARQUET_MEMORY_BYTES_MAX = 128 * 1024 * 1024
TERMS_MAX = 20
CHUNK_BYTES = 256 * 1024

_PATH = re.compile(rf"{PREFIX}feeds/([0-9]{{1,18}})/channel-([^/]+)")


def export_url(feed_id: int, name: str) -> str:
    """Where a channel's file is; the query says `range` and `format`."""
    return f"{PREFIX}feeds/{feed_id}/channel-{quote(name)}"


class _Asked(msgspec.Struct, frozen=True):
    caller: Caller
    feed_id: int
    name: str
    range_name: str
    kind: str
    start_us: int
    end_us: int

    @property
    def file_name(self) -> str:
        return f"feed-{self.feed_id}-{self.name}-{self.range_name}.{self.kind}"


class _TooMuch(Exception):
    """More rows than a Parquet file is made of here."""


class ChannelExports:
    """The ASGI app that serves all exports."""

    def __init__(self, tank: Tank) -> None:
        self._tank = tank
        self._visits = Visits(LIMITS)
        self._open: set[asyncio.Event] = set()

    def stop(self) -> None:
        """Break every export off soon, so that a server can stop; from the loop's thread."""
        for stopping in self._open:
            stopping.set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request with a file, or with why there is none."""
        matched = _PATH.fullmatch(scope["path"])
        if matched is None:
            await refuse(send, HTTPStatus.NOT_FOUND, "No such export.")
            return
        if scope["method"] != "GET":
            await refuse(send, HTTPStatus.METHOD_NOT_ALLOWED, "An export can only be read.")
            return
        feed_id, name = int(matched[1]), matched[2]
        caller = await tank_access.caller_of_headers(scope["headers"])
        if not may_see(self._tank, caller, feed_id):
            await refuse(send, *unseen(caller))
            return
        try:
            get_datastream(self._tank, caller, feed_id, name)
            asked = self._asked(caller, feed_id, name, scope["query_string"])
            with self._visits.one(caller, address_of(scope)):
                await self._serve(asked, scope, receive, send)
        except NotFound:
            await refuse(send, HTTPStatus.NOT_FOUND, "No such channel.")
        except ValidationFailed as error:
            await refuse(send, HTTPStatus.BAD_REQUEST, f"{error}.")
        except TooManyVisits as error:
            await refuse(send, *too_many(error))

    def _asked(self, caller: Caller, feed_id: int, name: str, query: bytes) -> _Asked:
        try:
            terms = parse_qs(query.decode("latin-1"), max_num_fields=TERMS_MAX)
        except ValueError:
            raise ValidationFailed([("query", f"must have at most {TERMS_MAX} terms")]) from None
        range_name = terms.get("range", ["1h"])[-1]
        kind = terms.get("format", ["csv"])[-1]
        if kind not in FORMATS:
            raise ValidationFailed([("format", f"must be one of {', '.join(FORMATS)}")])
        if range_name != ALL and range_name not in RANGES_S:
            choices = ", ".join([*RANGES_S, ALL])
            raise ValidationFailed([("range", f"must be one of {choices}")])
        if range_name == ALL:
            bounds_us = AT_US_MIN, AT_US_MAX + 1
        else:
            bounds_us = range_us(range_name, self._tank.clock.now_us())
        return _Asked(caller, feed_id, name, range_name, kind, *bounds_us)

    async def _serve(self, asked: _Asked, scope: Any, receive: Any, send: Any) -> None:
        stopping = asyncio.Event()
        self._open.add(stopping)
        watching = asyncio.create_task(watch_client(asked.caller, scope, receive, stopping))
        chunks = csv_chunks if asked.kind == "csv" else parquet_chunks
        try:
            async with asyncio.timeout(EXPORT_S_MAX), aclosing(chunks(self._tank, asked)) as found:
                await _send(found, asked, stopping, send)
        except TimeoutError:
            log.warning("export_broken_off", feed_id=asked.feed_id, reason="it took too long")
        finally:
            watching.cancel()
            self._open.discard(stopping)


async def _send(
    chunks: AsyncIterator[bytes], asked: _Asked, stopping: asyncio.Event, send: Any
) -> None:
    """Send a file's chunks. What fails before the first one still gets an answer that says so."""
    try:
        first = await anext(chunks)
    except _TooMuch:
        most = f"{PARQUET_ROWS_MAX:,} values make a Parquet file here"
        reason = f"At most {most}. Choose a shorter range, or CSV."
        await refuse(send, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, reason)
        return
    except (OSError, Unavailable) as error:
        log.warning("export_failed", feed_id=asked.feed_id, reason=reason_of(error))
        await refuse(send, HTTPStatus.SERVICE_UNAVAILABLE, "Not just now. Try again later.")
        return
    await send({"type": "http.response.start", "status": 200, "headers": _headers(asked)})
    await send({"type": "http.response.body", "body": first, "more_body": True})
    try:
        async for chunk in chunks:
            if stopping.is_set():
                return
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
    except (OSError, TankError) as error:
        # As after `stopping`: without the last, empty chunk the client knows that this is a half.
        log.warning("export_broken_off", feed_id=asked.feed_id, reason=reason_of(error))
        return
    await send({"type": "http.response.body", "body": b""})


def _headers(asked: _Asked) -> list[tuple[bytes, bytes]]:
    plain = asked.file_name.encode("ascii", "replace").decode().replace("?", "_")
    names = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(asked.file_name)}"
    return [
        (b"content-type", FORMATS[asked.kind].encode()),
        (b"content-disposition", names.encode()),
        (b"cache-control", b"private, no-store"),
        (b"x-content-type-options", b"nosniff"),
    ]


async def _batches(tank: Tank, asked: _Asked) -> AsyncIterator[list[Datapoint]]:
    """The channel's datapoints of the range, oldest first; access is checked for each batch."""
    start_us = asked.start_us
    while True:
        points = await export_datapoints(
            tank, asked.caller, asked.feed_id, asked.name, start_us, asked.end_us, BATCH
        )
        yield points
        if len(points) < BATCH:
            return
        start_us = points[-1].at_us + 1


def _rows(asked: _Asked, points: list[Datapoint]) -> list[Row]:
    times = format_times([point.at_us for point in points])
    return [
        (asked.feed_id, asked.name, at, point.value)
        for at, point in zip(times, points, strict=True)
    ]


async def csv_chunks(tank: Tank, asked: _Asked) -> AsyncGenerator[bytes, None]:
    """A CSV file's chunks, the first with its header line; at least one."""
    text = io.StringIO(newline="")
    writer = CsvWriter(text, COLUMNS)

    def chunk_of(points: list[Datapoint]) -> bytes:
        writer.write(_rows(asked, points))
        chunk = text.getvalue().encode()
        text.seek(0)
        text.truncate()
        return chunk

    async for points in _batches(tank, asked):
        yield await asyncio.to_thread(chunk_of, points)


async def parquet_chunks(tank: Tank, asked: _Asked) -> AsyncGenerator[bytes, None]:
    """A Parquet file's chunks.

    Raises:
        _TooMuch, OSError: before the first chunk.
    """
    folder = await asyncio.to_thread(tempfile.TemporaryDirectory, prefix="thingtank-export-")
    try:
        file = Path(folder.name) / "export.parquet"
        await _write_parquet(tank, asked, file)
        opened = await asyncio.to_thread(file.open, "rb")
        try:
            while chunk := await asyncio.to_thread(opened.read, CHUNK_BYTES):
                yield chunk
        finally:
            opened.close()
    finally:
        await asyncio.to_thread(folder.cleanup)


async def _write_parquet(tank: Tank, asked: _Asked, file: Path) -> None:
    parquet = await asyncio.to_thread(ParquetFile, file, PARQUET_MEMORY_BYTES_MAX)
    count = 0
    try:
        async for points in _batches(tank, asked):
            count += len(points)
            if count > PARQUET_ROWS_MAX:
                raise _TooMuch
            await asyncio.to_thread(parquet.write, _rows(asked, points))
        await asyncio.to_thread(parquet.finish)
    finally:
        await asyncio.to_thread(parquet.close)
