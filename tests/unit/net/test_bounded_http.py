"""The bounds of one HTTP connection, over loopback with limits a test can wait for.

Each test runs for requests that go through ASGI and for those that take the short way.
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import uvicorn
from tests.waiting import WAIT_S_MAX, until

from thingtank.net.bounded_http import HttpLimits
from thingtank.net.direct_http import DirectRoute, direct_http
from thingtank.net.http_request import RequestHead, Respond

LIMITS = HttpLimits(header_bytes_max=2000, request_s_max=0.3, silence_s_max=1, unread_s_max=0.3)
LARGE = 32 * 1024 * 1024  # more than a loopback connection buffers

Message = dict[str, Any]


async def app(
    scope: Message,
    receive: Callable[[], Awaitable[Message]],
    send: Callable[[Message], Awaitable[None]],
) -> None:
    """Answer with the number of bytes received; `/large` answers with a lot, `/deaf` unheard."""
    count = 0
    if scope["path"] == "/deaf":
        await asyncio.sleep(0.1)
    while scope["path"] != "/deaf":
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        count += len(message["body"])
        if not message["more_body"]:
            break
    if scope["path"] == "/slow-app":
        await asyncio.sleep(1)
    body = b"x" * LARGE if scope["path"] == "/large" else str(count).encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for start in range(0, len(body), 65536):
        part = body[start : start + 65536]
        more = start + 65536 < len(body)
        await send({"type": "http.response.body", "body": part, "more_body": more})


def answer(head: RequestHead, sent: bytes, respond: Respond) -> None:
    """As `app`, for requests that came whole."""
    body = b"x" * LARGE if head.raw_path == "/large" else str(len(sent)).encode()
    headers = [(b"content-length", str(len(body)).encode())]
    delay_s = 1 if head.raw_path == "/slow-app" else 0
    asyncio.get_running_loop().call_later(delay_s, respond, 200, headers, body)


@pytest.fixture(params=["asgi", "direct"])
async def server(request: pytest.FixtureRequest) -> AsyncIterator[uvicorn.Server]:
    prefixes = (b"/",) if request.param == "direct" else ()
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        app,
        http=direct_http(LIMITS, DirectRoute(prefixes, answer)),
        lifespan="off",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=1,
    )
    running = uvicorn.Server(config)
    task = asyncio.create_task(running.serve([listener]))
    await until(lambda: running.started)
    yield running
    running.should_exit = True
    await asyncio.wait_for(task, WAIT_S_MAX)


@contextlib.asynccontextmanager
async def peer(
    server: uvicorn.Server,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """One connection."""
    host, port = server.servers[0].sockets[0].getsockname()
    reader, writer = await asyncio.open_connection(host, port, limit=1000)
    try:
        yield reader, writer
    finally:
        writer.close()


async def all_of(reader: asyncio.StreamReader) -> bytes:
    """What is sent until the connection closes."""
    return await asyncio.wait_for(reader.read(), WAIT_S_MAX)


async def test_headers_in_pieces_beyond_the_limit_get_431(server: uvicorn.Server) -> None:
    async with peer(server) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n")
        for number in range(5):
            writer.write(b"X-%d: " % number + b"a" * 500 + b"\r\n")
            await writer.drain()
            await asyncio.sleep(0.02)
        assert (await all_of(reader)).startswith(b"HTTP/1.1 431 ")


async def test_headers_that_never_end_get_408(server: uvicorn.Server) -> None:
    async with peer(server) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n")
        assert (await all_of(reader)).startswith(b"HTTP/1.1 408 ")


async def test_body_one_byte_at_a_time_is_cut_by_one_deadline(server: uvicorn.Server) -> None:
    async with peer(server) as (reader, writer):
        writer.write(b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
        trickle = asyncio.create_task(bytes_now_and_then(writer))
        status = await asyncio.wait_for(reader.readline(), WAIT_S_MAX)
        trickle.cancel()
        assert status.startswith(b"HTTP/1.1 408 ")


async def bytes_now_and_then(writer: asyncio.StreamWriter) -> None:
    for _ in range(100):
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.05)


async def test_an_app_may_still_answer_what_was_refused_within_its_body(
    server: uvicorn.Server, caplog: pytest.LogCaptureFixture
) -> None:
    async with peer(server) as (reader, writer):
        writer.write(b"PUT /deaf HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        await until(lambda: bool(server.server_state.tasks))
        writer.write(b"zz\r\n" + b"more" * 100_000)
        answer = await all_of(reader)
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert answer.count(b"HTTP/1.1") == 1
        await until(lambda: not server.server_state.tasks)
    assert not caplog.records


async def test_connection_that_says_nothing_is_closed(server: uvicorn.Server) -> None:
    async with peer(server) as (reader, _):
        assert await all_of(reader) == b""


async def test_request_in_pieces_within_the_limits_is_served(server: uvicorn.Server) -> None:
    async with peer(server) as (reader, writer):
        writer.write(b"PUT / HTTP/1.1\r\nHost: x\r\n")
        await asyncio.sleep(0.02)
        writer.write(b"Content-Length: 5\r\n\r\nab")
        await asyncio.sleep(0.02)
        writer.write(b"cde")
        reply = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n5"), WAIT_S_MAX)
        assert reply.startswith(b"HTTP/1.1 200 ")
        # The deadline was the request's, not the connection's.
        await asyncio.sleep(0.4)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await asyncio.wait_for(reader.readuntil(b"\r\n\r\n0"), WAIT_S_MAX)


async def test_large_body_that_a_slow_app_lets_wait_is_not_cut(server: uvicorn.Server) -> None:
    async with peer(server) as (reader, writer):
        first = b"PUT /slow-app HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
        body = b"y" * 300_000
        second = b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\n" + body
        writer.write(first + second)
        await asyncio.wait_for(reader.readuntil(b"300000"), WAIT_S_MAX)


async def test_peer_that_never_reads_is_cut(server: uvicorn.Server) -> None:
    async with peer(server) as (reader, writer):
        writer.write(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        # The reader's own buffer of 1,000 bytes holds the stream back until it is read. That it is
        # not before the server has cut it, however late that begins to answer.
        await until(lambda: bool(server.server_state.connections))
        await until(lambda: not server.server_state.connections)
        with contextlib.suppress(ConnectionError):
            assert len(await all_of(reader)) < LARGE
    assert not server.server_state.tasks
