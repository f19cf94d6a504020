"""The short way for small requests: in order, bounded, and out of the way of what it cannot do."""

import asyncio
import contextlib
import re
import socket
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest
import uvicorn
from tests.waiting import until

from thingtank.net.bounded_http import HttpLimits
from thingtank.net.direct_http import (
    BODY_BYTES_MAX,
    REMEMBERED_BYTES_MAX,
    DirectRoute,
    direct_http,
)
from thingtank.net.http_request import Headers, LongRespond, RequestHead, Respond

WAIT_S_MAX = 25.0  # less than what HttpLimits give a peer, which is let go then anyway
MEGABYTE = 1_000_000


class Server:
    """A server whose short way answers `direct PATH BODY`, and whose long way `asgi PATH LENGTH`.

    Attributes:
        seen: heads and bodies of what took the short way.
        waiting: how to answer the requests for `/wait`.
    """

    def __init__(self) -> None:
        self.seen: list[tuple[RequestHead, bytes]] = []
        self.waiting: list[Respond] = []
        self.asgi_count = 0
        listener = socket.create_server(("127.0.0.1", 0))
        self.address = listener.getsockname()
        config = uvicorn.Config(
            self._asgi,
            http=direct_http(HttpLimits(), DirectRoute((b"/d/", b"/wait"), self._direct)),
            interface="asgi3",
            lifespan="off",
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=1,
        )
        self.uvicorn = uvicorn.Server(config)
        self._task = asyncio.create_task(self.uvicorn.serve([listener]))

    def _direct(self, request: RequestHead, sent: bytes, respond: Respond) -> None:
        self.seen.append((request, sent))
        if request.raw_path == "/wait":
            self.waiting.append(respond)
        elif request.raw_path == "/d/bug":
            raise RuntimeError("a bug")
        elif request.raw_path == "/d/late-bug":
            respond(200, length_of(b"done"), b"done")
            raise RuntimeError("a bug after the answer")
        elif request.raw_path == "/d/break":
            respond(200, [(b"location", b"/x\r\nset-cookie: y")], b"")
        elif request.raw_path == "/d/megabyte":
            respond(200, length_of(b"m" * MEGABYTE), b"m" * MEGABYTE)
        else:
            body = b"direct " + request.raw_path.encode() + b" " + sent
            respond(200, length_of(body), body)

    async def _asgi(self, scope: Any, receive: Any, send: Any) -> None:
        length = 0
        self.asgi_count += 1
        while True:
            message = await receive()
            length += len(message.get("body", b""))
            if not message.get("more_body"):
                break
        if scope["path"] == "/endless":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"begun", "more_body": True})
            assert (await receive())["type"] == "http.disconnect"
            return
        body = f"asgi {scope['path']} {length}".encode()
        headers = length_of(body)
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def stop(self) -> None:
        self.uvicorn.should_exit = True
        await asyncio.wait_for(self._task, WAIT_S_MAX)


def length_of(body: bytes) -> Headers:
    return [(b"content-length", str(len(body)).encode())]


eventually = partial(until, s_max=WAIT_S_MAX)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    made = Server()
    await eventually(lambda: made.uvicorn.started)
    yield made
    await made.stop()


async def exchange(server: Server, *pieces: bytes, until: bytes) -> bytes:
    """Send pieces, each on its own; what comes back until some bytes or the end."""
    reader, writer = await asyncio.open_connection(*server.address, limit=2**20)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.001)
        return await asyncio.wait_for(reader.readuntil(until), WAIT_S_MAX)
    except asyncio.IncompleteReadError as error:
        return error.partial
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


def put(path: str, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"PUT {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def test_a_request_arrives_whole_with_all_that_it_said(server: Server) -> None:
    sent = put("/d/a%20b?key=1&x", b"{}", "X-ApiKey: k", "x-double: 1", "X-Double: 2")
    answer = await exchange(server, sent, until=b"{}")
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    ((request, body),) = server.seen
    assert (request.method, request.raw_path, request.query) == ("PUT", "/d/a%20b", b"key=1&x")
    assert (body, request.scheme, request.address) == (b"{}", "http", "127.0.0.1")
    assert request.headers[b"x-apikey"] == b"k"
    assert request.headers[b"x-double"] == b"2"


async def converse(server: Server, *requests: bytes) -> list[bytes]:
    """Send requests on one connection, each after the answer to the one before; the answers."""
    reader, writer = await asyncio.open_connection(*server.address, limit=2**20)
    answers = []
    async with asyncio.timeout(WAIT_S_MAX):
        for request in requests:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            is_head = request.startswith(b"HEAD")
            answers.append(b"" if is_head else await reader.readexactly(length))
    writer.close()
    await writer.wait_closed()
    return answers


async def test_a_repeated_head_is_read_once_and_each_body_is_new(server: Server) -> None:
    answers = await converse(server, put("/d/x", b"one"), put("/d/x", b"two"), put("/d/x", b"six"))
    assert answers == [b"direct /d/x one", b"direct /d/x two", b"direct /d/x six"]
    assert len({id(head) for head, _ in server.seen}) == 1


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(put("/d/x", b"longer"), id="another length"),
        pytest.param(put("/d/y", b"two"), id="another path"),
        pytest.param(put("/d/x", b"two").replace(b"PUT", b"GET"), id="another method"),
        pytest.param(put("/d/x", b"two", "X-ApiKey: k"), id="another header"),
        pytest.param(put("/d/x", b"two").replace(b"Host: x", b"Host: y"), id="another host"),
        pytest.param(b"HEAD /d/x HTTP/1.1\r\nHost: x\r\n\r\n", id="no body"),
    ],
)
async def test_another_head_is_another_request(server: Server, other: bytes) -> None:
    first = put("/d/x", b"one")
    answers = await converse(server, first, first, other, first)
    assert answers[0] == answers[1] == answers[3] == b"direct /d/x one"
    heads = [head for head, _ in server.seen]
    assert heads[0] is heads[1]
    assert heads[1] is not heads[2]
    assert heads[2] is not heads[3]
    assert heads[2].method == other.split(b" ")[0].decode()


async def test_a_head_that_is_remembered_may_come_in_pieces_again(server: Server) -> None:
    sent = put("/d/x", b"one\r\n\r\n")
    for cut in range(1, len(sent)):
        reader, writer = await asyncio.open_connection(*server.address)
        async with asyncio.timeout(WAIT_S_MAX):
            for piece in (sent, sent[:cut], sent[cut:]):
                writer.write(piece)
                await asyncio.sleep(0.001)
            for _ in range(2):
                await reader.readuntil(b"direct /d/x one\r\n\r\n")
        writer.close()
        await writer.wait_closed()


async def test_twins_in_one_piece_are_both_answered(server: Server) -> None:
    sent = put("/d/x", b"one")
    reader, writer = await asyncio.open_connection(*server.address)
    async with asyncio.timeout(WAIT_S_MAX):
        for twins in (sent, sent + sent, b"\r\n" + sent, sent):
            writer.write(twins)
            for _ in range(twins.count(b"PUT")):
                await reader.readuntil(b"direct /d/x one")
    writer.close()
    await writer.wait_closed()
    assert len(server.seen) + server.asgi_count == 5


async def test_a_repeated_head_waits_its_turn(server: Server) -> None:
    sent = put("/wait", b"")
    reader, writer = await asyncio.open_connection(*server.address)
    async with asyncio.timeout(WAIT_S_MAX):
        writer.write(sent)
        await eventually(lambda: len(server.waiting) == 1)
        writer.write(sent)
        await asyncio.sleep(0.05)
        assert len(server.waiting) == 1
        server.waiting[0](200, length_of(b"first"), b"first")
        assert b"first" in await reader.readuntil(b"first")
        assert b"asgi /wait 0" in await reader.readuntil(b"asgi /wait 0")
    writer.close()
    await writer.wait_closed()


async def test_a_large_head_is_not_remembered(server: Server) -> None:
    sent = put("/d/x", b"one", "X-Long: " + "l" * REMEMBERED_BYTES_MAX)
    await converse(server, sent, sent)
    assert server.seen[0][0] is not server.seen[1][0]


async def test_a_request_may_come_byte_by_byte(server: Server) -> None:
    sent = put("/d/slow", b"body")
    pieces = [sent[i : i + 1] for i in range(len(sent))]
    assert b"direct /d/slow body" in await exchange(server, *pieces, until=b"body")


async def test_pipelined_requests_are_answered_in_order_whatever_way_they_take(
    server: Server,
) -> None:
    sent = put("/d/1") + put("/wait") + put("/d/2") + put("/other") + put("/d/3")
    asking = asyncio.create_task(exchange(server, sent, until=b"/d/3 0"))
    await eventually(lambda: bool(server.waiting))
    server.waiting[0](200, length_of(b"waited"), b"waited")
    answer = await asking
    marks = [b"direct /d/1", b"waited", b"asgi /d/2", b"asgi /other", b"asgi /d/3"]
    places = [answer.find(mark) for mark in marks]
    assert -1 not in places
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("sent", "mark"),
    [
        pytest.param(put("/d/x", b"b" * (BODY_BYTES_MAX + 1)), b"asgi /d/x 65537", id="large"),
        pytest.param(
            b"PUT /d/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"3\r\nabc\r\n0\r\n\r\n",
            b"asgi /d/x 3",
            id="chunked",
        ),
        pytest.param(put("/other", b"b"), b"asgi /other 1", id="other path"),
        pytest.param(put("/d/x", b"b", "Expect: 100-continue"), b"asgi /d/x 1", id="waits for 100"),
        pytest.param(put("/d/x", b"b" * BODY_BYTES_MAX), b"direct /d/x b", id="just small enough"),
    ],
)
async def test_what_cannot_take_the_short_way_takes_the_long_one(
    server: Server, sent: bytes, mark: bytes
) -> None:
    assert mark in await exchange(server, sent, until=mark)


@pytest.mark.parametrize(
    ("sent", "closes"),
    [
        (put("/d/x"), False),
        (put("/d/x", b"", "Connection: close"), True),
        (b"PUT /d/x HTTP/1.0\r\n\r\n", True),
    ],
)
async def test_the_connection_stays_open_as_asked(
    server: Server, sent: bytes, closes: bool
) -> None:
    answer = await exchange(server, sent, put("/d/again"), until=b"direct /d/again ")
    assert (b"connection: close" in answer) is closes
    assert (b"/d/again" in answer) is not closes


async def test_head_gets_the_headers_only(server: Server) -> None:
    sent = b"HEAD /d/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    answer = await exchange(server, sent, until=b"never")
    assert b"content-length: 12\r\n" in answer
    assert answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("path", ["/d/bug", "/d/break"])
async def test_a_bug_is_a_500_and_hurts_nobody_else(server: Server, path: str) -> None:
    answer = await exchange(server, put(path), until=b"never")
    assert answer.startswith(b"HTTP/1.1 500 ")
    assert b"set-cookie" not in answer
    assert b"direct /d/x" in await exchange(server, put("/d/x"), until=b"/d/x ")


async def test_a_bug_after_the_answer_changes_nothing(server: Server) -> None:
    answer = await exchange(server, put("/d/late-bug"), put("/d/x"), until=b"/d/x ")
    assert answer.count(b"HTTP/1.1 200 ") == 2


async def test_who_left_before_the_answer_is_not_missed(server: Server) -> None:
    reader, writer = await asyncio.open_connection(*server.address)
    writer.write(put("/wait"))
    await eventually(lambda: bool(server.waiting))
    writer.close()
    await writer.wait_closed()
    server.waiting[0](200, length_of(b"late"), b"late")
    await eventually(lambda: not server.uvicorn.server_state.connections)
    assert await reader.read() == b""


async def test_a_peer_that_asks_on_and_never_reads_fills_no_memory(server: Server) -> None:
    _, writer = await asyncio.open_connection(*server.address)
    for _ in range(50):
        writer.write(b"GET /d/megabyte HTTP/1.1\r\nHost: x\r\n\r\n")
        await asyncio.sleep(0.01)
    (connection,) = server.uvicorn.server_state.connections
    assert connection.transport.get_write_buffer_size() < 5 * MEGABYTE
    assert len(server.seen) < 20
    writer.close()


@pytest.mark.parametrize(
    ("second", "mark"),
    [
        pytest.param(b"BAD\r\n\r\n", b"HTTP/1.1 400 ", id="what cannot be parsed"),
        pytest.param(
            b"PUT /d/2 HTTP/1.1\r\nX: " + b"x" * 40_000, b"HTTP/1.1 431 ", id="headers without end"
        ),
        pytest.param(put("/d/2", b"", "Connection: close"), b"direct /d/2", id="the last one"),
        pytest.param(put("/other"), b"asgi /other", id="one on the long way"),
        pytest.param(put("/d/megabyte"), b"m" * MEGABYTE, id="one with a large answer"),
        pytest.param(put("/d/break"), b"HTTP/1.1 500 ", id="a bug"),
    ],
)
async def test_nothing_overtakes_a_small_answer(server: Server, second: bytes, mark: bytes) -> None:
    answer = await exchange(server, put("/d/1") + second, until=mark)
    assert 0 <= answer.find(b"direct /d/1") < answer.find(mark)


async def waiting_connections(
    server: Server, count: int
) -> list[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Connections whose requests wait for their answers, in the order of `server.waiting`."""
    made = []
    for number in range(count):
        reader, writer = await asyncio.open_connection(*server.address)
        writer.write(put("/wait"))
        made.append((reader, writer))
        await eventually(lambda count=number + 1: len(server.waiting) == count)  # type: ignore[misc] # bound here
    return made


async def test_who_leaves_while_answers_are_gathered_costs_nobody_theirs(server: Server) -> None:
    connections = await waiting_connections(server, 3)
    for respond in server.waiting:
        respond(200, length_of(b"ok"), b"ok")
    peer = connections[1][1].get_extra_info("sockname")
    for connection in server.uvicorn.server_state.connections:
        if connection.client == peer:
            connection.transport.abort()
    for number in (0, 2):
        async with asyncio.timeout(WAIT_S_MAX):
            assert (await connections[number][0].readuntil(b"ok")).startswith(b"HTTP/1.1 200 ")
    for _, writer in connections:
        writer.close()


async def test_a_server_that_stops_sends_the_answers_that_it_has(server: Server) -> None:
    ((reader, writer),) = await waiting_connections(server, 1)
    server.waiting[0](200, length_of(b"ok"), b"ok")
    (connection,) = server.uvicorn.server_state.connections
    connection.shutdown()
    async with asyncio.timeout(WAIT_S_MAX):
        assert (await reader.read()).endswith(b"ok")
    writer.close()


OFFER = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__")


@pytest.mark.parametrize("path", ["/d/x", "/other"])
@pytest.mark.parametrize("is_in_pieces", [False, True])
async def test_an_offer_of_another_protocol_is_ignored_and_the_body_is_one(
    server: Server, path: str, is_in_pieces: bool
) -> None:
    body = b"GET /d/smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
    sent = put(path, body, *OFFER) * 2 + put("/d/last")
    pieces = [sent[i : i + 1] for i in range(len(sent))] if is_in_pieces else [sent]
    answer = await exchange(server, *pieces, until=b"/d/last ")
    assert answer.count(b"HTTP/1.1 200 ") == 3
    assert b"HTTP/1.1 400" not in answer
    assert all(head.raw_path != "/d/smuggled" for head, _ in server.seen)
    for head, taken in server.seen:
        assert (head.raw_path, taken) in {(path, body), ("/d/last", b"")}
        assert b"upgrade" not in head.headers


@pytest.mark.parametrize("options", ["Upgrade", "close, Upgrade", "upgrade , keep-alive"])
async def test_what_else_the_connection_is_told_stays(server: Server, options: str) -> None:
    sent = put("/d/x", b"one", f"Connection: {options}", "Upgrade: TLS/1.0")
    answer = await exchange(server, sent, put("/d/again"), until=b"direct /d/again ")
    assert b"direct /d/x one" in answer
    assert (b"/d/again" in answer) is ("close" not in options)


async def test_there_is_nothing_to_connect_to(server: Server) -> None:
    sent = b"CONNECT other:443 HTTP/1.1\r\nHost: other\r\n\r\n"
    assert (await exchange(server, sent, until=b"never")).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("path", ["/d/x", "/other", "/d/megabyte", "/wait"])
async def test_who_has_said_all_is_still_answered(server: Server, path: str) -> None:
    reader, writer = await asyncio.open_connection(*server.address, limit=2**21)
    writer.write(put("/d/first") + put(path))
    writer.write_eof()
    if path == "/wait":
        await eventually(lambda: len(server.waiting) == 1)
        await asyncio.sleep(0.05)
        server.waiting[0](200, length_of(b"waited"), b"waited")
    async with asyncio.timeout(WAIT_S_MAX):
        answer = await reader.read()
    assert answer.count(b"HTTP/1.1 200 ") == 2
    writer.close()


async def test_who_leaves_amid_an_answer_without_end_is_let_go(server: Server) -> None:
    reader, writer = await asyncio.open_connection(*server.address)
    writer.write(put("/endless"))
    await asyncio.wait_for(reader.readuntil(b"begun"), WAIT_S_MAX)
    writer.close()
    await writer.wait_closed()
    await eventually(lambda: not server.uvicorn.server_state.connections)


BAD_CHUNK = b"PUT /other HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        (b"GARBAGE\r\n\r\n", b"400"),
        (b"PUT /d/x HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", b"400"),
        (b"PUT /d/x HTTP/1.1\r\nContent-Length: -5\r\n\r\n", b"400"),
        (b"PUT /d/x HTTP/1.1\r\nX: " + b"x" * 40_000, b"431"),
        (BAD_CHUNK, b"400"),
    ],
)
@pytest.mark.parametrize("paths", [["/wait"], ["/wait", "/other", "/d/x"]])
async def test_what_cannot_be_read_is_refused_behind_the_answers_to_what_came_before(
    server: Server, wrong: bytes, status: bytes, paths: list[str]
) -> None:
    sent = b"".join(put(path) for path in paths) + wrong
    asking = asyncio.create_task(exchange(server, sent, until=b"never"))
    await eventually(lambda: bool(server.waiting))
    await asyncio.sleep(0.05)
    server.waiting[0](200, length_of(b"waited"), b"waited")
    answer = await asking
    assert re.findall(rb"HTTP/1.1 (\d+) ", answer) == [b"200"] * len(paths) + [status]
    assert answer.find(b"waited") < answer.find(b"HTTP/1.1 " + status)


async def test_what_is_wrong_with_one_connection_costs_nobody_elses_answer(server: Server) -> None:
    connections = await waiting_connections(server, 4)
    reader, writer = connections[0]
    writer.write(BAD_CHUNK + b"and more")
    await asyncio.sleep(0.05)
    writer.write_eof()
    await asyncio.sleep(0.05)
    for respond in server.waiting:
        respond(200, length_of(b"ok"), b"ok")
    async with asyncio.timeout(WAIT_S_MAX):
        for other, _ in connections[1:]:
            assert (await other.readuntil(b"ok")).startswith(b"HTTP/1.1 200 ")
        assert re.findall(rb"HTTP/1.1 (\d+) ", await reader.read()) == [b"200", b"400"]
    for _, each in connections:
        each.close()


async def test_who_holds_an_answer_is_told_that_nobody_waits(server: Server) -> None:
    """Once, and at once; even by a peer that has ended but its own side."""
    for hang_up in ("close", "write_eof"):
        gone: list[str] = []
        _, writer = await asyncio.open_connection(*server.address)
        writer.write(put("/wait"))
        await eventually(lambda: bool(server.waiting))
        respond = server.waiting.pop()
        assert isinstance(respond, LongRespond)
        respond.hold(lambda gone=gone: gone.append("gone"))
        assert not respond.is_gone()
        getattr(writer, hang_up)()
        await eventually(lambda gone=gone: gone == ["gone"])
        assert respond.is_gone()
        respond(200, length_of(b""), b"")
        writer.close()
        await asyncio.sleep(0.02)
        assert gone == ["gone"]


async def test_answer_that_is_held_may_come(server: Server) -> None:
    gone: list[str] = []
    reader, writer = await asyncio.open_connection(*server.address)
    for _ in range(2):
        writer.write(put("/wait"))
        await eventually(lambda: bool(server.waiting))
        respond = server.waiting.pop()
        assert isinstance(respond, LongRespond)
        respond.hold(lambda: gone.append("gone"))
        respond(200, length_of(b"late"), b"late")
        assert (await reader.readuntil(b"late")).startswith(b"HTTP/1.1 200")
    writer.close()
    await asyncio.sleep(0.02)
    assert gone == []


async def test_hanging_up_is_seen_before_the_loop_is_told(server: Server) -> None:
    raw = socket.create_connection(server.address)
    raw.sendall(put("/wait"))
    await eventually(lambda: bool(server.waiting))
    respond = server.waiting.pop()
    assert isinstance(respond, LongRespond)
    respond.hold(lambda: None)
    assert not respond.is_gone()
    raw.close()
    assert respond.is_gone()  # nothing has been awaited since
