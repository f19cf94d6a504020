"""The WebSocket port: connections counted by path, and those that read nothing ended."""

import asyncio
import contextlib
import gc
import socket
import weakref

import pytest
import uvloop
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from thingtank.net import websocket
from thingtank.net.shared_port import SharedPort
from thingtank.net.websocket import WebSocketPeer, WebSocketRoute, WebSockets

WAIT_S_MAX = 10.0


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


class ReadsHead(asyncio.Protocol):
    """Gives its connection away at once, as the HTTP server does with an upgrade."""

    def __init__(self, websockets: WebSockets) -> None:
        self.websockets = websockets

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # of TCP
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.websockets.adopt(self.transport, data)


def test_a_websocket_keeps_nothing_of_the_protocol_that_read_its_head() -> None:
    readers: list[weakref.ref[ReadsHead]] = []
    left: list[bool] = []
    received: list[int] = []
    websockets = WebSockets({"/": WebSocketRoute(Talk, 1, 1000)})

    def make_reader() -> ReadsHead:
        reader = ReadsHead(websockets)
        readers.append(weakref.ref(reader))
        return reader

    async def check() -> None:
        server = await asyncio.get_running_loop().create_server(make_reader, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with connect(f"ws://127.0.0.1:{port}/") as client:
            gc.collect()
            left.extend(reader() is not None for reader in readers)
            await client.send("x")
            received.append(len(await client.recv()))
        await wait_for_end(talks[-1])
        server.close()
        await server.wait_closed()

    uvloop.run(asyncio.wait_for(check(), WAIT_S_MAX))
    assert (left, received) == ([False], [1_000_000])
