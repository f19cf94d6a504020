"""Our own client library against a real server, and against one that is killed and comes back."""

import asyncio
import itertools
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import polars
import pytest
from tests.interop.conftest import Served, made
from tests.live_server import LiveServer, start_server

from thingtank.client import (
    AsyncBufferedWriter,
    AsyncClient,
    BufferedWriter,
    Client,
    Datapoint,
    Forbidden,
    Invalid,
    Location,
    NotFound,
    RejectedValue,
    RetryPolicy,
    Unauthorized,
    Unit,
)
from thingtank.client.client import DatastreamClient, FeedClient

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "howto" / "write-from-python.md"
NOW = datetime.now(UTC).replace(microsecond=0)
IMPATIENT = RetryPolicy(wait_s_first=0.02, wait_s_max=0.2)
SECOND = timedelta(seconds=1)


@pytest.fixture
def client(served: Served) -> Iterator[Client]:
    server = served.server
    with Client(server.url, server.master_key(), socket_url=server.sockets["websocket"]) as client:
        yield client


@pytest.fixture
def feed(client: Client) -> FeedClient:
    return client.feeds.create("For a test")


def test_feeds_are_made_read_listed_changed_and_deleted(client: Client) -> None:
    place = Location(name="roof", lat=51.5, lon=-0.08, exposure="outdoor")
    feed = client.feeds.create("Roof", tags=["b", "a"], private=True, location=place)
    found = feed.get()
    assert (found.id, found.title, found.tags, found.private) == (feed.id, "Roof", ("a", "b"), True)
    assert found.location is not None
    assert (found.location.lat, found.location.exposure) == (51.5, "outdoor")
    client.feeds.update(feed.id, title="Attic", description="Above the stairs", tags=[])
    changed = client.feeds.get(feed.id)
    assert (changed.title, changed.description, changed.tags) == ("Attic", "Above the stairs", ())
    assert changed.location == found.location
    assert feed.id in [listed.id for listed in client.feeds.list()]
    assert [listed.id for listed in client.feeds.list(q="Attic")] == [feed.id]
    feed.delete()
    with pytest.raises(NotFound):
        feed.get()


def test_more_feeds_than_a_page_are_listed_all(client: Client) -> None:
    made_ids = {client.feeds.create("One of many", tags=["many"]).id for _ in range(105)}
    listed = [found.id for found in client.feeds.list(tag="many")]
    assert (len(listed), set(listed)) == (105, made_ids)


def test_datastreams_are_made_read_listed_changed_and_deleted(feed: FeedClient) -> None:
    wind = feed.datastreams["wind"]
    wind.create(tags=["outside"], unit=Unit("Metres per second", "m/s", "derivedSI"))
    with pytest.raises(Invalid):
        wind.create()
    feed.write({"wind": 3.5, "my.json": "on"}, at=NOW)
    found = wind.get()
    assert (found.current_value, found.number, found.at) == ("3.5", 3.5, NOW)
    assert (found.unit, found.tags, found.max_value) == (
        Unit("Metres per second", "m/s", "derivedSI"), ("outside",), 3.5,
    )  # fmt: skip
    wind.update(tags=["inside"])
    assert [(d.id, d.tags) for d in feed.datastreams.list()] == [
        ("my.json", ()),
        ("wind", ("inside",)),
    ]
    assert feed.datastreams["my.json"].get().current_value == "on"
    wind.delete()
    with pytest.raises(NotFound):
        wind.get()


def test_a_write_makes_its_datastream_and_keeps_its_instant(feed: FeedClient) -> None:
    at = feed.datastreams["t"].write(21.5)
    assert feed.datastreams["t"].get_datapoint(at) == Datapoint(at, "21.5")
    feed.datastreams["t"].delete_datapoint(at)
    with pytest.raises(NotFound):
        feed.datastreams["t"].get_datapoint(at)


@pytest.fixture(scope="module")
def long_stream(served: Served) -> Iterator[DatastreamClient]:
    """Eight hours with a value every ten seconds: three pages of raw values, in two windows."""
    with Client(served.server.url, served.server.master_key()) as client:
        datastream = client.feeds.create("Long").datastreams["t"]
        start = NOW - timedelta(hours=8)
        datastream.write_many((start + number * 10 * SECOND, number) for number in range(2880))
        yield datastream


def test_history_is_one_run_however_long(long_stream: DatastreamClient) -> None:
    found = long_stream.history(NOW - timedelta(hours=8), NOW, interval=0).to_list()
    assert [point.number for point in found] == list(range(2880))
    assert found[1].at - found[0].at == 10 * SECOND


def test_averages_of_every_interval_come_once(long_stream: DatastreamClient) -> None:
    history = long_stream.history(NOW - timedelta(hours=8), NOW, interval=30, function="average")
    times = [point.at for point in history]
    assert times == sorted(set(times))
    assert len(times) in (960, 961)
    assert {(after - before) for before, after in itertools.pairwise(times)} == {30 * SECOND}


def test_steps_come_once(long_stream: DatastreamClient) -> None:
    start = NOW - timedelta(hours=8)
    history = long_stream.history(start, NOW, interval=30, discrete=True, find_previous=True)
    times = [point.at for point in history]
    assert {(after - before) for before, after in itertools.pairwise(times)} == {30 * SECOND}


def test_history_as_a_table(long_stream: DatastreamClient) -> None:
    history = long_stream.history(NOW - timedelta(hours=8), NOW, interval=0)
    table, frame = history.to_polars(), history.to_pandas()
    assert table.schema == {"at": polars.Datetime("us", "UTC"), "value": polars.Float64}
    assert (table["value"].sum(), frame["value"].sum()) == (2880 * 2879 / 2, 2880 * 2879 / 2)
    assert str(frame.index.dtype) == "datetime64[us, UTC]"
    assert list(frame.index) == table["at"].to_list()


def test_a_table_of_texts_and_an_empty_one(feed: FeedClient) -> None:
    feed.datastreams["state"].write("on", at=NOW - SECOND)
    feed.datastreams["state"].write("7", at=NOW)
    history = feed.datastreams["state"].history(interval=0)
    assert history.to_polars()["value"].to_list() == ["on", "7"]
    assert list(history.to_pandas()["value"]) == ["on", "7"]
    empty = feed.datastreams["state"].history(NOW - timedelta(days=9), duration=SECOND)
    assert (len(empty.to_polars()), len(empty.to_pandas())) == (0, 0)


def test_a_range_is_deleted_with_both_ends(feed: FeedClient) -> None:
    datastream = feed.datastreams["t"]
    datastream.write_many((NOW - number * SECOND, number) for number in range(5))
    datastream.delete_datapoints(NOW - 3 * SECOND, NOW - 2 * SECOND)
    assert [point.value for point in datastream.history(interval=0)] == ["4", "1", "0"]
    with pytest.raises(ValueError, match="start or an end"):
        datastream.delete_datapoints()


def test_wrong_keys_are_told_apart_from_too_weak_ones(served: Served, feed: FeedClient) -> None:
    url = served.server.url
    with Client(url, "wrong") as stranger, pytest.raises(Unauthorized):
        stranger.feeds.get(feed.id)
    with Client(url, served.server.api_key) as other, pytest.raises(Forbidden) as caught:
        other.feeds[feed.id].datastreams["t"].write(1)
    assert caught.value.title == "Forbidden"


# --- subscriptions ---


def test_a_subscription_tells_every_write(feed: FeedClient) -> None:
    datastream = feed.datastreams["t"]
    datastream.write(0)
    with feed.subscribe() as of_feed, datastream.subscribe() as of_datastream:
        of_feed.connect()
        of_datastream.connect()
        for number in range(1, 6):
            datastream.write(number)
        numbers = [next(of_datastream).number for _ in range(5)]
        feeds = [next(of_feed) for _ in range(5)]
        assert numbers == [1, 2, 3, 4, 5]
        assert [found.datastreams["t"].number for found in feeds] == numbers
        assert of_feed.next_update(0.05) is None
    assert list(of_feed) == []


def test_a_subscription_to_what_is_not_there_is_refused(client: Client, feed: FeedClient) -> None:
    with client.subscribe(10**9) as missing, pytest.raises(NotFound):
        missing.next_update(10)
    with feed.datastreams["none"].subscribe() as missing_datastream, pytest.raises(NotFound):
        missing_datastream.connect(10)


def test_close_wakes_who_waits_for_an_update(feed: FeedClient) -> None:
    import threading

    updates = feed.subscribe()
    updates.connect()
    timer = threading.Timer(0.1, updates.close)
    timer.start()
    started_s = time.monotonic()
    assert updates.next_update(30) is None
    assert time.monotonic() - started_s < 10
    timer.join()


# --- a server that goes and comes back ---


def restarted(server: LiveServer, folder: Path) -> LiveServer:
    """The same server again, at the same ports."""
    ports = [str(urlsplit(url).port) for url in (server.url, server.sockets["websocket"])]
    return start_server(folder, "--web", ports[0], "--wamp", ports[1])


def numbers(datastream: DatastreamClient, since: datetime) -> list[int]:
    try:
        return [int(point.value) for point in datastream.history(since, interval=0)]
    except NotFound:  # not written yet
        return []


def test_a_subscription_goes_on_after_the_server_was_killed(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    server = start_server(folder)
    with Client(
        server.url, server.api_key, socket_url=server.sockets["websocket"], retries=IMPATIENT
    ) as client:
        datastream = client.feeds[server.feed_id].datastreams["t"]
        datastream.write(0)
        with datastream.subscribe() as updates:
            updates.connect()
            datastream.write(1)
            assert next(updates).number == 1
            server.kill()
            assert updates.next_update(0.5) is None
            with restarted(server, folder) as server:
                datastream.write(2)  # maybe before it is connected again: told as the state then
                update = updates.next_update(20)
                assert update is not None
                assert update.number == 2
                datastream.write(3)
                update = updates.next_update(20)
                assert update is not None
                assert update.number == 3


@pytest.mark.timeout(180)
def test_every_buffered_value_arrives_once_in_order_though_the_server_is_killed(
    tmp_path: Path,
) -> None:
    folder, since, count = tmp_path / "data", datetime.now(UTC) - SECOND, 0
    server = start_server(folder)
    with (
        Client(server.url, server.api_key, timeout_s=5.0) as client,
        BufferedWriter(client, tmp_path / "values.buffer", retries=IMPATIENT) as writer,
    ):
        datastream = client.feeds[server.feed_id].datastreams["n"]
        for _ in range(4):
            until_s = time.monotonic() + 0.6
            while time.monotonic() < until_s:
                writer.write(server.feed_id, "n", count)
                count += 1
            found = numbers(datastream, since)  # at any moment: a beginning of what was written
            assert found == list(range(len(found)))
            server.kill()
            for _ in range(50):  # nobody is there, and nothing is lost
                writer.write(server.feed_id, "n", count)
                count += 1
            server = restarted(server, folder)
        assert writer.flush(60), writer.state()
        assert numbers(datastream, since) == list(range(count))
        state = writer.state()
        assert (state.waiting_count, state.rejected_count, state.problem) == (0, 0, "")
        assert (state.sent_count, state.dropped_count) == (count, 0)
        assert count > 300
        server.stop()


WRITER = """
import sys
from thingtank.client import BufferedWriter, Client, RetryPolicy
url, key, feed_id, path, number = sys.argv[1:]
with Client(url, key) as client, BufferedWriter(client, path, retries=RetryPolicy(wait_s_first=0.02, wait_s_max=0.1)) as writer:
    for number in range(int(number), 10**9):
        writer.write(int(feed_id), "n", number)
        print(number, flush=True)
"""


@pytest.mark.timeout(180)
def test_every_buffered_value_arrives_once_though_the_writer_is_killed(
    served: Served, tmp_path: Path
) -> None:
    server, path, since = served.server, tmp_path / "values.buffer", datetime.now(UTC) - SECOND
    device = made(served.folder, "device", "create", "Killed writer")
    words = [server.url, device["api_key"], str(device["feed_id"]), str(path)]
    with Client(server.url, device["api_key"]) as client:
        datastream = client.feeds[device["feed_id"]].datastreams["n"]
        number = 0
        for turn in range(5):
            process = subprocess.Popen(
                [sys.executable, "-c", WRITER, *words, str(number)], stdout=subprocess.PIPE
            )
            assert process.stdout is not None
            assert process.stdout.readline().strip() == str(number).encode()
            time.sleep(0.1 + 0.05 * turn)
            process.kill()
            printed = process.stdout.read().split()
            process.stdout.close()
            process.wait(10)
            acknowledged = int(printed[-1]) if printed else number
            with BufferedWriter(client, path, retries=IMPATIENT) as writer:
                assert writer.flush(30), writer.state()
            found = numbers(datastream, since)
            # The one that was being written when it was killed may be there or not.
            assert found in (list(range(acknowledged + 1)), list(range(acknowledged + 2)))
            number = len(found)
    assert number > 50


def test_values_the_server_refuses_are_set_aside_and_block_nothing(
    client: Client, feed: FeedClient, tmp_path: Path
) -> None:
    told: list[RejectedValue] = []
    far = datetime.now(UTC) + timedelta(days=800)
    deleted = client.feeds.create("Soon gone")
    deleted.delete()
    with BufferedWriter(
        client, tmp_path / "values.buffer", on_rejected=told.extend, retries=IMPATIENT
    ) as writer:
        for number in range(20):
            writer.write(feed.id, "t", number)
            if number == 7:
                writer.write(feed.id, "t", "poison", at=far)
                writer.write(deleted.id, "t", "nowhere")
        assert writer.flush(30), writer.state()
        assert numbers(feed.datastreams["t"], NOW - SECOND) == list(range(20))
        rejected = writer.rejected()
        assert {(found.feed_id, found.value) for found in rejected} == {
            (feed.id, "poison"),
            (deleted.id, "nowhere"),
        }
        assert sorted(told, key=repr) == sorted(rejected, key=repr)
        reasons = {found.value: found.reason for found in rejected}
        assert reasons["poison"].startswith("422 Unprocessable Entity: At is out of range: ")
        assert reasons["nowhere"].startswith("404 Not found")
        assert writer.retry_rejected() == 2
        assert writer.flush(30)
        assert writer.discard_rejected() == 2
        assert writer.state().rejected_count == 0


def test_a_key_of_one_datastream_writes_that_one_and_sets_the_others_aside(
    served: Served, feed: FeedClient, tmp_path: Path
) -> None:
    feed.write({"mine": 0, "other": 0})
    narrow = made(
        served.folder, "key", "create", "narrow", "--feed", str(feed.id), "--channel", "mine"
    )["api_key"]
    with Client(served.server.url, narrow) as client:
        client.feeds[feed.id].datastreams["mine"].write(1)
        with BufferedWriter(client, tmp_path / "values.buffer", retries=IMPATIENT) as writer:
            for number in range(2, 6):
                writer.write_values(feed.id, {"mine": number, "other": number})
            assert writer.flush(30), writer.state()
            assert numbers(feed.datastreams["mine"], NOW - SECOND) == [0, 1, 2, 3, 4, 5]
            assert numbers(feed.datastreams["other"], NOW - SECOND) == [0]
            assert [found.value for found in writer.rejected()] == ["2", "3", "4", "5"]


def test_a_key_that_is_not_known_is_waited_for(
    served: Served, feed: FeedClient, tmp_path: Path
) -> None:
    path = tmp_path / "values.buffer"
    with (
        Client(served.server.url, "wrong") as stranger,
        BufferedWriter(stranger, path, retries=IMPATIENT) as writer,
    ):
        writer.write(feed.id, "t", 1)
        assert not writer.flush(0.5)
        assert writer.state().problem.startswith("401 Unauthorized")
    with (
        Client(served.server.url, served.server.master_key()) as owner,
        BufferedWriter(owner, path) as writer,
    ):
        assert writer.flush(30)
    assert feed.datastreams["t"].get().current_value == "1"


# --- asyncio ---


async def test_the_asynchronous_client_does_the_same(served: Served, tmp_path: Path) -> None:
    server = served.server
    key = await asyncio.to_thread(server.master_key)
    async with AsyncClient(server.url, key, socket_url=server.sockets["websocket"]) as client:
        feed = await client.feeds.create("From asyncio", tags=["async"])
        datastream = feed.datastreams["t"]
        await datastream.write_many([(NOW - number * SECOND, number) for number in range(1500)])
        history = datastream.history(NOW - timedelta(hours=1), NOW, interval=0)
        assert [point.number async for point in history] == list(range(1499, -1, -1))
        assert (await history.to_polars())["value"].sum() == 1500 * 1499 / 2
        assert [found.id async for found in client.feeds.list(tag="async")] == [feed.id]
        async with datastream.subscribe() as updates:
            await updates.connect()
            await datastream.write(-1)
            async for update in updates:
                assert update.number == -1
                break
            assert await updates.next_update(0.05) is None
            waiting = asyncio.create_task(updates.next_update(30))
            await asyncio.sleep(0.05)
            await updates.close()
            assert await waiting is None
        async with AsyncBufferedWriter(client, tmp_path / "values.buffer") as writer:
            for number in range(10):
                await writer.write(feed.id, "buffered", number)
            assert await writer.flush(30)
        assert (await feed.get()).datastreams["buffered"].number == 9
        await feed.delete()
        with pytest.raises(NotFound):
            await feed.get()


# --- the page ---

EXAMPLES = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.M | re.S)


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_the_pages_examples_run(served: Served, tmp_path: Path, number: int) -> None:
    server = served.server
    program = EXAMPLES[number]
    for written, real in (
        ("http://127.0.0.1:8000", server.url),
        ("ws://127.0.0.1:8080/", server.sockets["websocket"]),
        ("YOUR-KEY", server.master_key()),
        ("feeds[1]", f"feeds[{server.feed_id}]"),
        ("write(1, ", f"write({server.feed_id}, "),
    ):
        program = program.replace(written, real)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=tmp_path,
        env=os.environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr


def test_the_page_has_examples() -> None:
    assert len(EXAMPLES) == 7
