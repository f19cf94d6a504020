"""A channel goes out as it was written, batch by batch, and what breaks off does not look whole."""

import asyncio
import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from thingtank.stores.memory_archive import MemoryArchive
from thingtank.stores.memory_directory import MemoryDirectory
from thingtank.tank.access import Caller
from thingtank.tank.actions.datapoints import record_datapoints
from thingtank.tank.actions.devices import create_device, update_device
from thingtank.tank.changes import DatastreamWrite, DeviceChange
from thingtank.tank.errors import StorageFailed
from thingtank.tank.tank import Tank
from thingtank.web import tank_access
from thingtank.web.workbench import exports, long_answers

AWKWARD = ["", " ", "\r", "a\rb", "\r\n", "\n", '"', ",", "\x00", "\ufeff", "21.50", "-0.0", "ünïcode ☂", "=1+1", "NULL"]  # fmt: skip


class Reply:
    """What an ASGI app sent; `is_whole` once it has said that this was all."""

    def __init__(self, on_chunk: Callable[[int], Any] = lambda count: None) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.chunks: list[bytes] = []
        self.is_whole = False
        self.on_chunk = on_chunk

    async def send(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            return
        self.chunks.append(message["body"])
        self.is_whole = not message.get("more_body", False)
        await asyncio.sleep(0)
        done = self.on_chunk(len(self.chunks))
        if done is not None:
            await done

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)


@pytest.fixture
def tank() -> Tank:
    return Tank(MemoryDirectory(), MemoryArchive())


@pytest.fixture
def owner(tank: Tank) -> Caller:
    assert isinstance(tank.directory, MemoryDirectory)
    return Caller(tank.directory.add_account("alice"))


@pytest.fixture
async def feed_id(tank: Tank, owner: Caller) -> int:
    made = await create_device(tank, owner, DeviceChange(title="Roof", private=False))
    return made.device.device_id


@pytest.fixture(autouse=True)
def as_stranger(monkeypatch: pytest.MonkeyPatch) -> None:
    become(monkeypatch, tank_access.VISITOR)


def become(monkeypatch: pytest.MonkeyPatch, caller: Caller) -> None:
    async def caller_of_headers(headers: object) -> Caller:
        return caller

    monkeypatch.setattr(tank_access, "caller_of_headers", caller_of_headers)


async def record(tank: Tank, owner: Caller, feed_id: int, values: list[str], name: str = "t") -> None:  # fmt: skip
    """Write values, a second apart, the last one now."""
    now_us = tank.clock.now_us()
    at_us = [now_us - 1_000_000 * (len(values) - k) for k in range(len(values))]
    for start in range(0, max(len(values), 1), 500):
        write = DatastreamWrite(name, at_us[start : start + 500], values[start : start + 500])
        await record_datapoints(tank, owner, feed_id, [write], creates_missing=True)


async def exported(
    app: exports.ChannelExports,
    feed_id: int,
    query: str = "range=all&format=csv",
    *,
    name: str = "t",
    method: str = "GET",
    address: str = "192.0.2.1",
    reply: Reply | None = None,
    gone: asyncio.Event | None = None,
) -> Reply:
    reply = reply or Reply()
    gone = gone or asyncio.Event()

    async def receive() -> dict[str, str]:
        await gone.wait()
        return {"type": "http.disconnect"}

    scope = {"path": f"/export/feeds/{feed_id}/channel-{name}", "method": method, "query_string": query.encode(), "headers": [], "client": (address, 1)}  # fmt: skip
    async with asyncio.timeout(30):
        await app(scope, receive, reply.send)
    return reply


@pytest.mark.parametrize("batch", [1, 7, len(AWKWARD), 5000])
async def test_csv_holds_every_value_once_in_order(
    tank: Tank, owner: Caller, feed_id: int, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "BATCH", batch)
    await record(tank, owner, feed_id, AWKWARD)
    reply = await exported(exports.ChannelExports(tank), feed_id)
    assert (reply.status, reply.is_whole) == (200, True)
    assert reply.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.reader(io.StringIO(reply.body.decode(), newline="")))
    assert rows[0] == ["feed_id", "channel", "at", "value"]
    assert [row[3] for row in rows[1:]] == AWKWARD
    assert {(row[0], row[1]) for row in rows[1:]} == {(str(feed_id), "t")}
    assert [row[2] for row in rows[1:]] == sorted(row[2] for row in rows[1:])


@pytest.mark.parametrize("batch", [4, 5000])
async def test_parquet_holds_the_same(
    tank: Tank, owner: Caller, feed_id: int, batch: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:  # fmt: skip
    import duckdb

    monkeypatch.setattr(exports, "BATCH", batch)
    monkeypatch.setattr(exports, "CHUNK_BYTES", 100)
    await record(tank, owner, feed_id, AWKWARD)
    reply = await exported(exports.ChannelExports(tank), feed_id, "range=all&format=parquet")
    assert (reply.status, reply.is_whole) == (200, True)
    assert len(reply.chunks) > 3
    file = tmp_path / "x.parquet"
    file.write_bytes(reply.body)
    found = duckdb.execute("SELECT feed_id, channel, value FROM read_parquet(?) ORDER BY \"at\"", [str(file)]).fetchall()  # fmt: skip
    assert found == [(feed_id, "t", value) for value in AWKWARD]


@pytest.mark.parametrize("kind", exports.FORMATS)
async def test_a_channel_without_values_is_a_file_without_rows(
    tank: Tank, owner: Caller, feed_id: int, kind: str
) -> None:
    await record(tank, owner, feed_id, [])
    reply = await exported(exports.ChannelExports(tank), feed_id, f"range=1h&format={kind}")
    assert (reply.status, reply.is_whole) == (200, True)
    assert reply.body.startswith(b"PAR1" if kind == "parquet" else b"feed_id,")


async def test_a_range_leaves_out_what_is_older(tank: Tank, owner: Caller, feed_id: int) -> None:
    now_us = tank.clock.now_us()
    ages_s = {"new": 60, "hours": 7200, "days": 3 * 86400}
    write = DatastreamWrite("t", [now_us - age * 1_000_000 for age in ages_s.values()], list(ages_s))  # fmt: skip
    await record_datapoints(tank, owner, feed_id, [write], creates_missing=True)
    app = exports.ChannelExports(tank)
    for range_name, expected in {"1h": ["new"], "6h": ["hours", "new"], "1w": ["days", "hours", "new"]}.items():  # fmt: skip
        reply = await exported(app, feed_id, f"range={range_name}")
        assert [line.split(",")[3] for line in reply.body.decode().splitlines()[1:]] == expected


async def test_the_file_is_named_after_the_channel(tank: Tank, owner: Caller, feed_id: int) -> None:
    await record(tank, owner, feed_id, ["1"], "höhe.m")
    reply = await exported(exports.ChannelExports(tank), feed_id, "range=1w", name="höhe.m")
    assert reply.headers["content-disposition"] == (
        f'attachment; filename="feed-{feed_id}-h_he.m-1w.csv"; '
        f"filename*=UTF-8''feed-{feed_id}-h%C3%B6he.m-1w.csv"
    )


@pytest.mark.parametrize(
    ("query", "method", "name", "status"),
    [
        ("range=2y", "GET", "t", 400),
        ("range=", "GET", "t", 200),  # as if it were not there
        ("format=xls", "GET", "t", 400),
        ("format=CSV", "GET", "t", 400),
        ("&".join(f"a{k}=1" for k in range(30)), "GET", "t", 400),
        ("%ff=%ff", "GET", "t", 200),
        ("range=1h", "POST", "t", 405),
        ("range=1h", "GET", "none", 404),
        ("range=1h", "GET", "../t", 404),
        ("range=1h", "GET", "t\r\nSet-Cookie: x", 404),
    ],
)
async def test_what_makes_no_sense_is_refused_with_its_name(
    tank: Tank, owner: Caller, feed_id: int, query: str, method: str, name: str, status: int
) -> None:
    await record(tank, owner, feed_id, ["1"])
    reply = await exported(exports.ChannelExports(tank), feed_id, query, method=method, name=name)
    assert (reply.status, reply.is_whole) == (status, True)


async def test_a_file_breaks_off_when_the_feed_becomes_private(
    tank: Tank, owner: Caller, feed_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "BATCH", 10)
    await record(tank, owner, feed_id, [str(k) for k in range(100)])

    def hide(count: int) -> Any:
        return update_device(tank, owner, feed_id, DeviceChange(private=True)) if count == 2 else None  # fmt: skip

    reply = await exported(exports.ChannelExports(tank), feed_id, reply=Reply(hide))
    assert reply.status == 200
    assert not reply.is_whole
    assert len(reply.body.splitlines()) < 40


async def test_reading_ends_when_the_client_has_gone_or_the_server_stops(
    tank: Tank, owner: Caller, feed_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "BATCH", 1)
    await record(tank, owner, feed_id, [str(k) for k in range(300)])
    app, gone = exports.ChannelExports(tank), asyncio.Event()
    ways: list[Callable[[], None]] = [gone.set, app.stop]
    for end in ways:

        def on_chunk(count: int, end: Callable[[], None] = end) -> None:
            if count == 5:
                end()

        reply = await exported(app, feed_id, reply=Reply(on_chunk), gone=gone)
        assert not reply.is_whole
        assert 5 <= len(reply.chunks) < 60
        gone = asyncio.Event()


async def test_more_than_a_parquet_file_takes_is_refused_and_leaves_nothing(
    tank: Tank, owner: Caller, feed_id: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(exports, "PARQUET_ROWS_MAX", 3)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    await record(tank, owner, feed_id, ["1", "2", "3", "4"])
    app = exports.ChannelExports(tank)
    reply = await exported(app, feed_id, "range=all&format=parquet")
    assert (reply.status, reply.is_whole) == (413, True)
    assert b"At most 3 values" in reply.body
    assert (await exported(app, feed_id, "range=all&format=csv")).status == 200
    assert await asyncio.to_thread(lambda: list(tmp_path.iterdir())) == []


async def test_a_disk_that_refuses_is_answered_before_the_file_begins(
    tank: Tank, owner: Caller, feed_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    await record(tank, owner, feed_id, ["1"])

    def refuse(*_: object) -> None:
        raise OSError("no space left in /secret/path")

    monkeypatch.setattr(exports, "ParquetFile", refuse)
    reply = await exported(exports.ChannelExports(tank), feed_id, "format=parquet")
    assert (reply.status, reply.is_whole) == (503, True)
    assert b"secret" not in reply.body

    async def fail(*_: object, **__: object) -> None:
        raise StorageFailed("no")

    monkeypatch.setattr(tank.archive, "read", fail)
    assert (await exported(exports.ChannelExports(tank), feed_id)).status == 503


async def test_who_takes_no_bytes_holds_a_place_and_no_more_than_its_share(
    tank: Tank, owner: Caller, feed_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    await record(tank, owner, feed_id, ["1"])
    app = exports.ChannelExports(tank)
    may_go_on = asyncio.Event()

    def slow(count: int) -> Any:
        return may_go_on.wait()

    waiting = [asyncio.create_task(exported(app, feed_id, reply=Reply(slow))) for _ in range(2)]
    await asyncio.sleep(0.2)
    refused = await exported(app, feed_id)
    assert (refused.status, refused.headers["retry-after"]) == (429, "10")
    assert (await exported(app, feed_id, address="192.0.2.2")).status == 200
    become(monkeypatch, owner)
    assert (await exported(app, feed_id)).status == 200
    may_go_on.set()
    assert [reply.is_whole for reply in await asyncio.gather(*waiting)] == [True, True]
    become(monkeypatch, tank_access.VISITOR)
    assert (await exported(app, feed_id)).status == 200


async def test_an_export_that_takes_too_long_breaks_off(
    tank: Tank, owner: Caller, feed_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "EXPORT_S_MAX", 0.2)
    await record(tank, owner, feed_id, ["1"])
    reply = await exported(exports.ChannelExports(tank), feed_id, reply=Reply(lambda _: asyncio.sleep(5)))  # fmt: skip
    assert not reply.is_whole


async def test_a_session_that_ended_ends_its_export(
    tank: Tank, owner: Caller, feed_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "BATCH", 1)
    monkeypatch.setattr(long_answers, "SESSION_CHECK_S", 0.01)
    await record(tank, owner, feed_id, [str(k) for k in range(300)])
    await update_device(tank, owner, feed_id, DeviceChange(private=True))
    become(monkeypatch, Caller(msgspec.structs.replace(owner.account)) if owner.account else owner)

    def sign_out(count: int) -> Any:
        if count == 3:
            become(monkeypatch, tank_access.VISITOR)
        return asyncio.sleep(0.02)

    reply = await exported(exports.ChannelExports(tank), feed_id, reply=Reply(sign_out))
    assert not reply.is_whole
    assert len(reply.chunks) < 30
