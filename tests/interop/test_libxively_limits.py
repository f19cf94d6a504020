"""Xively's C library as a strict reader: the bytes it sends, and no more than it can read back.

The library itself is in no registry. Here is what its requests are on the wire, taken from its
eight examples, and a reader with the limits of its own: one `read` of 512 bytes that must hold the
whole reply, and a parser with fixed tables.

Source: libxively, `xi_config.h`, `http_layer_parser.c`, `csv_data.c`.
"""

import re
import socket
from collections.abc import Callable
from typing import NamedTuple

import pytest
from tests.interop.conftest import OpenDoor

WAIT_S_MAX = 10.0
READ_BYTES_MAX = 512  # XI_HTTP_MAX_CONTENT_SIZE; a NUL must fit behind the reply
STATUS_CHARS_MAX = 32  # XI_HTTP_STATUS_STRING_SIZE
HEADERS_MAX = 16  # XI_HTTP_MAX_HEADERS; the 16th is refused
NAME_CHARS_MAX = VALUE_CHARS_MAX = 63
ID_CHARS_MAX = 15  # XI_MAX_DATASTREAM_NAME with its NUL
TEXT_CHARS_MAX = 31  # XI_VALUE_STRING_MAX_SIZE with its NUL
DATASTREAMS_MAX = 15  # XI_MAX_DATASTREAMS; the 16th is refused

TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)\.(\d{6})Z")
STATUS_LINE = re.compile(r"HTTP/1\.1 (\d{3}) ([^\r\n]+)")
AT = "2026-11-26T10:00:00.000123Z"


class Reply(NamedTuple):
    status: int
    content: str


class Library:
    """The library's eight calls: a connection each, one write, one read."""

    def __init__(self, door: OpenDoor, key: str) -> None:
        host, _, port = door.address.partition(":")
        self._where = (host, int(port))
        self._key = key
        self._feed = f"/v2/feeds/{door.feed_id}"

    def feed_get(self, *ids: str) -> Reply:
        return self._ask("GET", f"{self._feed}.csv?datastreams={','.join(ids)}")

    def feed_update(self, rows: str) -> Reply:
        return self._ask("PUT", f"{self._feed}.csv", rows)

    def datastream_get(self, name: str) -> Reply:
        return self._ask("GET", f"{self._feed}/datastreams/{name}.csv")

    def datastream_create(self, rows: str) -> Reply:
        return self._ask("POST", f"{self._feed}/datastreams.csv", rows)

    def datastream_update(self, name: str, rows: str) -> Reply:
        return self._ask("PUT", f"{self._feed}/datastreams/{name}.csv", rows)

    def datastream_delete(self, name: str) -> Reply:
        return self._ask("DELETE", f"{self._feed}/datastreams/{name}.csv")

    def datapoint_delete(self, name: str, at: str) -> Reply:
        return self._ask("DELETE", f"{self._feed}/datastreams/{name}/datapoints/{at}.csv")

    def datapoint_delete_range(self, name: str, start: str, end: str) -> Reply:
        points = f"{self._feed}/datastreams/{name}/datapoints"
        return self._ask("DELETE", f"{points}?start={start}&end={end}.csv")

    def _ask(self, method: str, target: str, rows: str | None = None) -> Reply:
        head = f"{method} {target} HTTP/1.1\r\nHost: api.xively.com\r\n"
        head += "User-Agent: libxively-posix/0.1.x-110bbe6\r\nAccept: */*\r\n"
        head += f"X-ApiKey: {self._key}\r\n"
        if rows is None:
            sent = head + "\r\n\r\n"  # its blank line, and one more
        else:
            length = f"Content-Type: text/plain\r\nContent-Length: {len(rows.encode())}\r\n\r\n"
            sent = head + length + rows + "\r\n"
        with socket.create_connection(self._where, WAIT_S_MAX) as connection:
            connection.sendall(sent.encode())
            return parse_reply(connection.recv(READ_BYTES_MAX))


def parse_reply(data: bytes) -> Reply:
    """As `parse_http` does, with a complaint wherever it would fail or lose something."""
    assert len(data) < READ_BYTES_MAX
    text = data.decode("ascii")
    head, blank, content = text.partition("\r\n\r\n")
    assert blank, "the header does not end within one read"
    first, *lines = head.split("\r\n")
    status = STATUS_LINE.fullmatch(first)
    assert status is not None, first
    assert len(status[2]) <= STATUS_CHARS_MAX
    assert len(lines) < HEADERS_MAX
    headers = {}
    for line in lines:
        name, colon, value = line.partition(": ")  # it skips two characters, whatever they are
        assert colon, line
        assert 0 < len(name) <= NAME_CHARS_MAX
        assert 0 < len(value) <= VALUE_CHARS_MAX
        headers[name.lower()] = value
    assert "transfer-encoding" not in headers
    assert int(headers["content-length"]) == len(content), "not in one read, or more behind it"
    return Reply(int(status[1]), content)


def parse_datapoint(row: str) -> tuple[str, str]:
    """As `csv_decode_datapoint` does: time, value."""
    at, comma, value = row.partition(",")
    assert comma
    assert TIME.fullmatch(at), at
    assert len(value) <= TEXT_CHARS_MAX
    return at, value


def parse_feed(content: str) -> dict[str, tuple[str, str]]:
    """As `csv_decode_feed` does; behind a last line feed it would look for a row more."""
    rows = content.split("\n")
    assert len(rows) <= DATASTREAMS_MAX
    found = {}
    for row in rows:
        name, comma, rest = row.partition(",")
        assert comma, row
        assert len(name) <= ID_CHARS_MAX
        found[name] = parse_datapoint(rest)
    return found


@pytest.fixture
def library(xively_door: OpenDoor) -> Library:
    return Library(xively_door, xively_door.device_key)


def test_a_datastream_is_created_read_updated_and_deleted(library: Library) -> None:
    assert library.datastream_create("temp,21\n") == Reply(201, "")
    assert parse_datapoint(library.datastream_get("temp").content)[1] == "21"
    assert library.datastream_update("temp", f"{AT},22.500000\n") == Reply(200, "")
    assert library.datastream_update("temp", "23\n") == Reply(200, "")
    reply = library.datastream_get("temp")
    assert (reply.status, parse_datapoint(reply.content)[1]) == (200, "23")
    assert library.datastream_delete("temp") == Reply(200, "")
    assert library.datastream_get("temp").status == 404


def test_a_feed_is_updated_and_read_in_the_order_asked_for(library: Library) -> None:
    assert library.feed_update(f"temp,{AT},21\nhum,{AT},some text\n") == Reply(200, "")
    reply = library.feed_get("temp", "hum")
    assert reply.status == 200
    assert list(parse_feed(reply.content).items()) == [("temp", (AT, "21")), ("hum", (AT, "some text"))]  # fmt: skip


def test_datapoints_are_deleted_one_and_many(library: Library, xively_door: OpenDoor) -> None:
    for second in range(5):
        at = AT.replace("00.000123", f"0{second}.000123")
        library.feed_update(f"temp,{at},{second}\n")
    assert library.datapoint_delete("temp", AT.replace("00.", "04.")) == Reply(200, "")
    assert parse_datapoint(library.datastream_get("temp").content)[1] == "3"
    start, end = "2026-11-26T10:00:02.000000Z", "2026-11-26T10:00:04.000000Z"
    assert library.datapoint_delete_range("temp", start, end) == Reply(200, "")
    assert parse_datapoint(library.datastream_get("temp").content)[1] == "1"


def test_the_longest_rows_that_it_can_hold_fit(library: Library) -> None:
    rows = {f"datastream_0000{n}"[:15]: (AT, str(n) * TEXT_CHARS_MAX) for n in range(4)}
    sent = "".join(f"{name},{at},{value}\n" for name, (at, value) in rows.items())
    assert library.feed_update(sent) == Reply(200, "")
    assert parse_feed(library.feed_get(*rows).content) == rows


REFUSED: list[tuple[str, Callable[[Library], Reply], int]] = [
    ("a datastream that is not there", lambda library: library.datastream_get("none"), 404),
    ("an update of one that is not there", lambda library: library.datastream_update("none", "1\n"), 404),
    ("a deletion of one that is not there", lambda library: library.datastream_delete("none"), 404),
    ("a datapoint that is not there", lambda library: library.datapoint_delete("none", AT), 404),
    ("an id that is none", lambda library: library.datastream_create("a b,1\n"), 422),
    ("rows of nothing", lambda library: library.feed_update("\n"), 400),
    ("fields too many", lambda library: library.feed_update("a,b,c,d\n"), 400),
    ("a value too long", lambda library: library.feed_update(f"a,{'x' * 256}\n"), 422),
    ("a range that is none", lambda library: library.datapoint_delete_range("a", "x", "y"), 400),
]  # fmt: skip


@pytest.mark.parametrize(("ask", "status"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])  # fmt: skip
def test_refusals_can_be_read_too(
    library: Library, ask: Callable[[Library], Reply], status: int
) -> None:
    assert ask(library).status == status


@pytest.mark.parametrize(("key", "status"), [("wrong", 401), ("", 401)])
def test_refusals_for_a_key_can_be_read_too(xively_door: OpenDoor, key: str, status: int) -> None:
    assert Library(xively_door, key).feed_update("temp,1\n").status == status
