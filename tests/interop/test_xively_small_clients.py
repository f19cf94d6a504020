"""Requests as the C, Java and .NET clients put them on the wire, byte for byte, over one socket."""

import json
import socket
from collections.abc import Iterator

import pytest
from tests.interop.conftest import OpenDoor

WAIT_S_MAX = 10.0
REPLY_BYTES_MAX = 512  # what libxively reads of a reply, headers and all


class Peer:
    """One connection that speaks bytes."""

    def __init__(self, door: OpenDoor) -> None:
        host, _, port = door.address.partition(":")
        self._socket = socket.create_connection((host, int(port)), WAIT_S_MAX)
        self._buffer = b""

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def reply(self) -> tuple[bytes, bytes]:
        """Headers as they stood on the wire, and the body; by Content-Length only."""
        while b"\r\n\r\n" not in self._buffer:
            self._read()
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        names = [line.partition(b": ") for line in head.split(b"\r\n")[1:]]
        length = next(int(value) for name, _, value in names if name.lower() == b"content-length")
        while len(self._buffer) < length:
            self._read()
        body, self._buffer = self._buffer[:length], self._buffer[length:]
        return head, body

    def _read(self) -> None:
        data = self._socket.recv(65_536)
        assert data, f"the server closed after {self._buffer!r}"
        self._buffer += data

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def peer(xively_door: OpenDoor) -> Iterator[Peer]:
    connection = Peer(xively_door)
    yield connection
    connection.close()


def request(
    method: str, target: str, key: str, document: object = None, host: str = "api.xively.com"
) -> bytes:
    body = b"" if document is None else json.dumps(document).encode()
    head = f"{method} {target} HTTP/1.1\r\nHost: {host}\r\nX-ApiKey: {key}\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def test_a_create_answers_location_in_exactly_that_spelling(
    peer: Peer, xively_door: OpenDoor
) -> None:
    peer.send(request("POST", "/v2/feeds", xively_door.master_key, {"title": "New"}))
    head, body = peer.reply()
    assert head.startswith(b"HTTP/1.1 201 ")
    assert b"\r\nLocation: http://api.xively.com/v2/feeds/" in head
    assert body == b""


def test_an_extra_line_end_after_a_body_does_no_harm(peer: Peer, xively_door: OpenDoor) -> None:
    target = f"/v2/feeds/{xively_door.feed_id}.json"
    document = {"datastreams": [{"id": "temp", "current_value": "21.5"}]}
    for _ in range(2):
        peer.send(request("PUT", target, xively_door.device_key, document) + b"\r\n")
        head, body = peer.reply()
        assert head.startswith(b"HTTP/1.1 200 ")
        assert body == b""


def test_a_whole_reply_fits_into_the_buffer_of_the_c_library(
    peer: Peer, xively_door: OpenDoor
) -> None:
    feed = f"/v2/feeds/{xively_door.feed_id}"
    document = {"datastreams": [{"id": "temp", "current_value": "21.5"}]}
    peer.send(request("POST", f"{feed}/datastreams", xively_door.device_key, document))
    peer.reply()
    for method, target in (
        ("GET", f"{feed}/datastreams/temp.json"),
        ("GET", f"{feed}/datastreams/none.json"),
        ("GET", f"{feed}.csv"),
        ("POST", f"{feed}.csv"),
        ("DELETE", f"{feed}/datastreams/temp.csv"),
    ):
        peer.send(request(method, target, xively_door.device_key))
        head, body = peer.reply()
        assert len(head) + 4 + len(body) <= REPLY_BYTES_MAX
        assert head.count(b"\r\n") < 16
        assert b"chunked" not in head


def test_an_absolute_request_target_is_understood(peer: Peer, xively_door: OpenDoor) -> None:
    target = f"http://app.xively.com/v2/feeds/{xively_door.feed_id}"
    peer.send(request("GET", target, xively_door.device_key, host="app.xively.com"))
    head, body = peer.reply()
    assert head.startswith(b"HTTP/1.1 200 ")
    assert json.loads(body)["id"] == xively_door.feed_id


def test_a_body_that_comes_in_pieces_is_one_body(peer: Peer, xively_door: OpenDoor) -> None:
    whole = request(
        "PUT",
        f"/v2/feeds/{xively_door.feed_id}",
        xively_door.device_key,
        {"title": "In pieces", "tags": ["x"] * 50},
    )
    for start in range(0, len(whole), 40):
        peer.send(whole[start : start + 40])
    head, _ = peer.reply()
    assert head.startswith(b"HTTP/1.1 200 ")
