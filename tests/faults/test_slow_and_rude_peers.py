"""Peers that are slow, broken or hostile neither hold up the others nor grow the server."""

import contextlib
import http.client
import os
import random
import re
import resource
import select
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.faults.feed_api import Feed, FeedApi
from tests.live_server import LiveServer, start_server

ANSWER_S_MAX = 10.0
NOW_US = 1_767_225_600_000_000
SHORT_PATIENCE = ("--set=http.request_s_max=2", "--set=http.unread_s_max=3")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with start_server(tmp_path_factory.mktemp("rude") / "data", *SHORT_PATIENCE) as running:
        yield running


@pytest.fixture
def feed(server: LiveServer) -> Feed:
    return Feed(server.feed_id, server.api_key)


@contextlib.contextmanager
def peer(server: LiveServer) -> Iterator[socket.socket]:
    """One bare connection."""
    address = urlsplit(server.url)
    with socket.create_connection((address.hostname, address.port), ANSWER_S_MAX) as connection:
        yield connection


def head(feed: Feed, *more: str) -> bytes:
    """Request line and headers of a write to the feed."""
    lines = [f"PUT /v2/feeds/{feed.feed_id}.json HTTP/1.1", "Host: localhost"]
    lines += [f"X-ApiKey: {feed.api_key}", "Content-Type: application/json", *more]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def status_of(connection: socket.socket) -> int:
    """The status of the next answer."""
    reply = http.client.HTTPResponse(connection)
    reply.begin()
    reply.read()
    return reply.status


def received_until_closed(connection: socket.socket, seconds_max: float = ANSWER_S_MAX) -> bytes:
    """All that comes until the server closes, or resets, the connection."""
    received = b""
    until = time.monotonic() + seconds_max
    while (left := until - time.monotonic()) > 0:
        connection.settimeout(left)
        try:
            part = connection.recv(65536)
        except ConnectionError:
            return received
        except TimeoutError:
            break
        if not part:
            return received
        received += part
    raise AssertionError("the connection was not closed")


def check_serves(server: LiveServer, feed: Feed, seconds_max: float = 1.0) -> None:
    """A well-behaved client is served without delay."""
    started = time.monotonic()
    with FeedApi(server.url, feed) as api:
        assert api.put_feed({"polite": (NOW_US + time.time_ns() % 10**9, "1")}).status == 200
        assert api.request("GET", ".json").status == 200
    assert time.monotonic() - started < seconds_max


def resident_mb(server: LiveServer) -> float:
    """Resident memory of the server."""
    pages = int(Path(f"/proc/{server.process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def test_body_of_one_byte_a_second_is_cut_and_holds_nobody_up(
    server: LiveServer, feed: Feed
) -> None:
    with peer(server) as slow:
        slow.sendall(head(feed, "Content-Length: 1000"))
        started = time.monotonic()
        while not select.select([slow], [], [], 1)[0]:
            slow.sendall(b" ")
            check_serves(server, feed)
            assert time.monotonic() - started < ANSWER_S_MAX
        received = received_until_closed(slow)
        assert received == b"" or received.startswith(b"HTTP/1.1 408 ")


def test_half_a_request_line_is_cut(server: LiveServer, feed: Feed) -> None:
    with peer(server) as slow:
        slow.sendall(b"PUT /v2/fee")
        check_serves(server, feed)
        assert received_until_closed(slow).startswith(b"HTTP/1.1 408 ")


def test_body_shorter_than_its_length_is_cut_and_nothing_is_written(
    server: LiveServer, feed: Feed
) -> None:
    document = b'{"datastreams":[{"id":"never","current_value":"1"}]}'
    with peer(server) as short:
        short.sendall(head(feed, f"Content-Length: {len(document) + 1}") + document)
        received_until_closed(short)
    with FeedApi(server.url, feed) as api:
        assert "never" not in api.current_values()


def test_half_open_peer_that_closes_within_a_body_writes_nothing(
    server: LiveServer, feed: Feed
) -> None:
    document = b'{"datastreams":[{"id":"never","current_value":"1"}]}'
    with peer(server) as gone:
        gone.sendall(head(feed, f"Content-Length: {len(document) + 1}") + document)
        gone.shutdown(socket.SHUT_WR)
        received_until_closed(gone)
    check_serves(server, feed)
    with FeedApi(server.url, feed) as api:
        assert "never" not in api.current_values()


def test_what_follows_a_body_is_a_request_of_its_own(server: LiveServer, feed: Feed) -> None:
    document = b'{"datastreams":[{"id":"exact","current_value":"1"}]}'
    with peer(server) as long:
        long.sendall(head(feed, f"Content-Length: {len(document)}") + document + b"surplus\r\n\r\n")
        received = received_until_closed(long)
    assert received.startswith((b"HTTP/1.1 200 ", b"HTTP/1.1 400 "))
    assert received.count(b"HTTP/1.1 400 ") == 1
    check_serves(server, feed)


@pytest.mark.parametrize(
    "headers",
    [b"X-Long: " + b"a" * 300_000, b"\r\n".join(b"X-%d: a" % number for number in range(50_000))],
    ids=["one header of 300 kB", "50,000 headers"],
)
def test_huge_header_is_refused(server: LiveServer, feed: Feed, headers: bytes) -> None:
    with peer(server) as huge:
        huge.sendall(b"GET /v2/feeds HTTP/1.1\r\nHost: localhost\r\n")
        for start in range(0, len(headers), 4096):
            huge.sendall(headers[start : start + 4096])
            time.sleep(0.001)
        assert received_until_closed(huge).startswith(b"HTTP/1.1 431 ")
    check_serves(server, feed)


@pytest.mark.parametrize("connection", ["keep-alive", "close"])
def test_body_of_10_mb_is_refused_before_it_is_kept(
    server: LiveServer, feed: Feed, connection: str
) -> None:
    before_mb = resident_mb(server)
    for _ in range(5):
        with peer(server) as huge:
            fields = ("Content-Length: 10000000", f"Connection: {connection}")
            huge.sendall(head(feed, *fields) + b"x" * 10_000_000)
            assert status_of(huge) == 413
    check_serves(server, feed)
    assert resident_mb(server) - before_mb < 20


def test_body_without_a_length_has_the_same_limit(server: LiveServer, feed: Feed) -> None:
    before_mb = resident_mb(server)
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    with peer(server) as endless:
        with contextlib.suppress(ConnectionError):
            endless.sendall(head(feed, "Transfer-Encoding: chunked"))
            for _ in range(1000):
                endless.sendall(chunk)
        received_until_closed(endless)
    check_serves(server, feed)
    assert resident_mb(server) - before_mb < 20


@pytest.mark.parametrize("seed", range(20))
def test_garbage_is_refused(server: LiveServer, feed: Feed, seed: int) -> None:
    chance = random.Random(seed)
    garbage = chance.randbytes(chance.randrange(1, 5000)) + b"\r\n\r\n"
    before = head(feed, "Content-Length: 2") + b"{}" if seed % 2 else b""
    with peer(server) as rude:
        rude.sendall(before + garbage)
        rude.shutdown(socket.SHUT_WR)
        received = received_until_closed(rude)
    statuses = [int(found) for found in re.findall(rb"HTTP/1\.1 (\d{3}) ", received)]
    # One answer: what follows garbage on a connection is garbage too.
    assert statuses == ([200, 400] if before else [400])
    check_serves(server, feed)


def test_pipelined_requests_are_answered_in_order(server: LiveServer, feed: Feed) -> None:
    good = b'{"datastreams":[{"id":"piped","current_value":"%d"}]}'
    with peer(server) as quick:
        sent = b""
        for number in range(50):
            body = good % number if number % 2 else b"{"
            sent += head(feed, f"Content-Length: {len(body)}") + body
        quick.sendall(sent)
        with quick.makefile("rb") as replies:
            found = [_next_status(replies) for _ in range(50)]
    assert found == [400, 200] * 25


def _next_status(replies: object) -> int:
    """One answer of several on a connection, which `HTTPResponse` would read ahead of."""
    readline, read = replies.readline, replies.read  # type: ignore[attr-defined] # a binary file
    status = int(readline().split()[1])
    length = 0
    while (line := readline()) != b"\r\n":
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    read(length)
    return status


def test_1000_idle_connections_leave_room_for_others(server: LiveServer, feed: Feed) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    before_mb = resident_mb(server)
    try:
        with contextlib.ExitStack() as stack:
            idle = [stack.enter_context(peer(server)) for _ in range(1000)]
            for connection in idle:
                connection.sendall(head(feed, "Content-Length: 2") + b"{}")
            assert {status_of(connection) for connection in idle} == {200}
            check_serves(server, feed)
            assert resident_mb(server) - before_mb < 20
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
