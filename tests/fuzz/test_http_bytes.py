"""Any bytes on an HTTP connection: refusals that count are 400, 408 and 431, then the end.

A mutated request may also be a good one: then the app's 200 counts. Whatever the bytes and however
they are cut into pieces, nothing is raised and no more is kept than the limits say.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import uvicorn
from hypothesis import given
from hypothesis import strategies as st
from uvicorn.server import ServerState

from thingtank.net.bounded_http import HttpLimits
from thingtank.net.direct_http import DirectRoute, direct_http
from thingtank.net.http_request import RequestHead, Respond

LIMITS = HttpLimits(header_bytes_max=1000)
ANSWERS = {b"200", b"400", b"408", b"431"}
PUT = (
    b"PUT /v2/feeds/1.json?x=%41 HTTP/1.1\r\nHost: localhost\r\nX-ApiKey: k\r\n"
    b"Content-Type: application/json\r\nContent-Length: 12\r\n\r\n"
    b'{"a":[1, 2]}'
)
CHUNKED = (
    b"POST /v2/feeds HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5\r\nhello\r\n0\r\n\r\n"
)

Message = dict[str, Any]


class MemoryTransport(asyncio.Transport):
    """A connection without a network."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self._is_closing = self._has_said_all = False

    def write(self, data: Any) -> None:
        assert not self._has_said_all, "written after the end"
        self.written += data

    def write_eof(self) -> None:
        self._has_said_all = True

    def close(self) -> None:
        self._is_closing = self._has_said_all = True

    def abort(self) -> None:
        self.close()

    def is_closing(self) -> bool:
        return self._is_closing

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


async def app(
    scope: Message,
    receive: Callable[[], Awaitable[Message]],
    send: Callable[[Message], Awaitable[None]],
) -> None:
    """Read the whole body, answer an empty 200."""
    assert scope["path"].startswith(("/", "*")) or scope["method"] == "CONNECT"
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        if not message["more_body"]:
            break
    headers = [(b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


def answer(head: RequestHead, sent: bytes, respond: Respond) -> None:
    """As `app`, for requests that came whole."""
    assert head.raw_path.startswith("/v2/")
    headers = [(b"content-length", b"0")]
    asyncio.get_running_loop().call_soon(respond, 200, headers, b"")


async def statuses_after(pieces: list[bytes], paths: tuple[bytes, ...]) -> list[bytes]:
    """Feed a fresh connection; the statuses of its answers. Below `paths` the way is short."""
    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", ws="none")
    config.load()
    protocol = direct_http(LIMITS, DirectRoute(paths, answer))(
        config, ServerState(), {}, asyncio.get_running_loop()
    )
    transport = MemoryTransport()
    protocol.connection_made(transport)
    for piece in pieces:
        if transport.is_closing():
            break
        protocol.data_received(piece)
        await asyncio.sleep(0)
    for _ in range(20):
        await asyncio.sleep(0)
    protocol.connection_lost(None)
    await asyncio.wait_for(asyncio.gather(*protocol.tasks), 5)
    return re.findall(rb"HTTP/1\.1 (\d+)", transport.written)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """`data` in pieces."""
    ends = sorted({place % (len(data) + 1) for place in places} | {len(data)})
    starts = [0, *ends[:-1]]
    return [data[a:b] for a, b in zip(starts, ends, strict=True) if b > a]


CUTS = st.lists(st.integers(0, 2000), max_size=8)


BOTH_WAYS = pytest.mark.parametrize("paths", [(), (b"/v2/",)], ids=["asgi", "direct"])


@BOTH_WAYS
@given(data=st.binary(max_size=3000), places=CUTS)
async def test_any_bytes_are_refused_or_waited_for(
    paths: tuple[bytes, ...], data: bytes, places: list[int]
) -> None:
    assert set(await statuses_after(cut(data, places), paths)) <= ANSWERS


@BOTH_WAYS
@given(
    request=st.sampled_from([PUT, CHUNKED]),
    at=st.integers(0, 200),
    junk=st.binary(max_size=20),
    places=CUTS,
)
async def test_requests_with_a_wound_are_served_or_refused(
    paths: tuple[bytes, ...], request: bytes, at: int, junk: bytes, places: list[int]
) -> None:
    at %= len(request)
    wounded = request[:at] + junk + request[at + len(junk) :]
    assert set(await statuses_after(cut(wounded + PUT, places), paths)) <= ANSWERS


@BOTH_WAYS
@given(places=CUTS)
async def test_whole_requests_are_served_however_they_are_cut(
    paths: tuple[bytes, ...], places: list[int]
) -> None:
    assert await statuses_after(cut(PUT + CHUNKED + PUT, places), paths) == [b"200"] * 3


@BOTH_WAYS
async def test_requests_in_single_bytes_are_served(paths: tuple[bytes, ...]) -> None:
    pieces = [bytes([byte]) for byte in PUT + CHUNKED]
    assert await statuses_after(pieces, paths) == [b"200"] * 2
