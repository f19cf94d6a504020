"""The WebSocket port: connections counted by path, and those that read nothing ended."""

import asyncio
import contextlib
import gc
import socket

import pytest
import uvloop
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from thingtank.net import websocket
from thingtank.net.bounded_http import BoundedHttp, HttpLimits
from thingtank.net.direct_http import DirectRoute
from thingtank.net.shared_port import SharedPort
from thingtank.net.websocket import WebSocketPeer, WebSocketRoute, WebSockets, text_frame
from thingtank.server.http_server import HttpServer

WAIT_S_MAX = 25.0  # less than SILENCE_S and UNREAD_S_MAX, unless a test says what these are


class Talk:
    """Sends a megabyte back for each message."""

    def __init__(self, peer: WebSocketPeer, protocol: str) -> None:
        self.peer = peer
        self.ended = asyncio.Event()
        talks.append(self)

    def receive_message(self, message: bytes, is_text: bool) -> None:
        self.peer.send(b"x" * 1_000_000)

    def pause_writing(self) -> None:
        pass

    def resume_writing(self) -> None:
        pass

    def end(self) -> None:
        self.ended.set()


talks: list[Talk] = []


async def listen(routes: dict[str, WebSocketRoute]) -> SharedPort:
    server = SharedPort(WebSockets(routes), {}, 10)
    await server.start("127.0.0.1", 0)
    return server


async def wait_for_end(talk: Talk) -> None:
    async with asyncio.timeout(WAIT_S_MAX):
        await talk.ended.wait()


async def test_each_path_counts_its_own_connections_though_the_route_is_one() -> None:
    talks.clear()
    route = WebSocketRoute(Talk, 1, 1000)
    server = await listen({"/a": route, "/b": route})
    for path in ("/a", "/b", "/a"):
        async with connect(f"ws://127.0.0.1:{server.port}{path}"):
            with pytest.raises(InvalidStatus):
                async with connect(f"ws://127.0.0.1:{server.port}{path}"):
                    pass
        await wait_for_end(talks[-1])
    await server.stop()


async def ask_for_much(raw: socket.socket, port: int) -> None:
    """Be a client that is owed 20 MB, more than the kernel takes."""
    raw.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(raw, ("127.0.0.1", port))
    lines = [
        "GET / HTTP/1.1",
        "Host: x",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ]
    await loop.sock_sendall(raw, ("\r\n".join(lines) + "\r\n\r\n").encode())
    await loop.sock_recv(raw, 1000)
    for _ in range(20):
        await loop.sock_sendall(raw, b"\x81\x80\x00\x00\x00\x00")
    await asyncio.sleep(0)


async def test_a_peer_that_reads_nothing_is_ended_after_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(websocket, "UNREAD_S_MAX", 0.3)
    talks.clear()
    server = await listen({"/": WebSocketRoute(Talk, 1, 1000)})
    with contextlib.closing(socket.socket()) as raw:
        await ask_for_much(raw, server.port)
        await wait_for_end(talks[0])
    await server.stop()


async def test_a_peer_that_reads_slowly_all_the_time_is_not_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(websocket, "UNREAD_S_MAX", 0.4)
    talks.clear()
    server = await listen({"/": WebSocketRoute(Talk, 1, 1000)})
    with contextlib.closing(socket.socket()) as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        await ask_for_much(raw, server.port)
        loop = asyncio.get_running_loop()
        for _ in range(30):  # 1.5 s
            await asyncio.sleep(0.05)
            await loop.sock_recv(raw, 400_000)
        assert not talks[0].ended.is_set()
    await wait_for_end(talks[0])
    await server.stop()


@pytest.mark.parametrize(
    ("connection", "status"),
    [
        ("Upgrade", 101),
        ("upgrade", 101),
        ("keep-alive, Upgrade", 101),  # Firefox
        ("keep-alive\r\nConnection: Upgrade", 101),
        ("keep-alive", 400),
    ],
)
async def test_upgrade_may_stand_among_other_options(connection: str, status: int) -> None:
    """RFC 6455, 4.2.1."""
    server = await listen({"/": WebSocketRoute(Talk, 1, 1000)})
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    lines = [
        "GET / HTTP/1.1",
        "Host: x",
        "Upgrade: websocket",
        f"Connection: {connection}",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ]
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
    assert (await reader.readline()).split()[1] == str(status).encode()
    writer.close()
    await writer.wait_closed()
    await server.stop()


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536, 200_000])
async def test_text_frame_is_read_as_the_text(size: int) -> None:
    class Framed(Talk):
        def receive_message(self, message: bytes, is_text: bool) -> None:
            self.peer.write_frames(text_frame(message) + text_frame(b"behind"))

    server = await listen({"/": WebSocketRoute(Framed, 1, 2**20, compresses=False)})
    async with connect(f"ws://127.0.0.1:{server.port}/") as client:
        assert "Sec-WebSocket-Extensions" not in client.response.headers  # type: ignore[union-attr] # it is open
        await client.send("x" * size)
        assert await client.recv() == "x" * size
        assert await client.recv() == "behind"
    await server.stop()


async def test_route_may_own_what_lies_below_and_see_the_query() -> None:
    talks.clear()
    server = await listen({"/a/*": WebSocketRoute(Talk, 2, 1000)})
    for name in ("one", "two"):
        async with connect(f"ws://127.0.0.1:{server.port}/a/{name}?b={name}"):
            pass
        await wait_for_end(talks[-1])
        head = talks[-1].peer.head
        assert (head.path, head.query, head.route_path) == (f"/a/{name}", f"b={name}", "/a/*")
    with pytest.raises(InvalidStatus):
        await connect(f"ws://127.0.0.1:{server.port}/a/b/c")
    await server.stop()


def test_http_side_of_a_websocket_is_not_kept() -> None:
    """By uvloop, which servers run on, and without the garbage collector."""

    async def count_http_sides() -> int:
        websockets = WebSockets({"/a": WebSocketRoute(Talk, 10, 1000)})
        route = DirectRoute((b"/",), lambda head, body, respond: None)
        server = HttpServer(
            _no_app, route, "127.0.0.1", 0, HttpLimits(), upgrades={b"/a": websockets.adopt}
        )
        await server.start()
        gc.collect()
        gc.disable()
        try:
            older = _http_sides()  # other tests' connections may still be there
            async with connect(f"ws://127.0.0.1:{server.port}/a"):
                return len(_http_sides() - older)
        finally:
            gc.enable()
            await server.stop()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(count_http_sides()) == 0


def _http_sides() -> set[int]:
    # By its type: `isinstance` asks an object for its class, and lazy ones load themselves then.
    return {id(each) for each in gc.get_objects() if issubclass(type(each), BoundedHttp)}


async def _no_app(scope: object, receive: object, send: object) -> None:
    raise AssertionError("nobody asks")
