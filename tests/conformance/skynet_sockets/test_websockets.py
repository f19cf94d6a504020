"""The WebSockets themselves: how they are asked for, their frames, their ends, their bounds.

Source: socket.io 0.9 and Engine.IO, WebSocket transports; handshakes as clients of the time send
them.
"""

import asyncio
import json
from typing import Any

import pytest
from tests.conformance.skynet_sockets.world import (
    WAIT_S_MAX,
    WIRES,
    Http,
    LegacyPolling,
    LegacyWebSocket,
    ModernPolling,
    ModernWebSocket,
    World,
    eventually,
)
from websockets.exceptions import ConnectionClosed, InvalidStatus

UPGRADE = [
    "Host: 127.0.0.1",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: MTMtMTM5NTc2MjYwMjE5NA==",
]
BOTH = ["0.9 websocket", "4 websocket"]


async def upgraded(world: World, path: str, *headers: str) -> bytes:
    """The answer to a handshake, and what follows at once."""
    reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
    world.writers.append(writer)
    writer.write("\r\n".join([f"GET {path} HTTP/1.1", *UPGRADE, *headers, "", ""]).encode())
    async with asyncio.timeout(WAIT_S_MAX):
        head = await reader.readuntil(b"\r\n\r\n")
        if b" 101 " in head:
            head += await reader.readuntil(b"identify")
        return head


class TestHandshakes:
    @pytest.mark.parametrize(
        "headers",
        [
            ["Connection: Upgrade"],
            ["Connection: Upgrade", "Accept: */*", "Connection: keep-alive"],  # Python's
            ["Connection: keep-alive", "Connection: Upgrade"],
            ["Connection: keep-alive, Upgrade"],  # Firefox's
            ["Connection: Upgrade", "Origin: 127.0.0.1:7419"],  # npm's skynet
            ["Connection: Upgrade", "Origin: http://127.0.0.1:3000"],
            ["Connection: Upgrade", "Sec-WebSocket-Extensions: permessage-deflate"],
        ],
    )
    async def test_websocket_opens_however_it_is_asked_for(
        self, world: World, headers: list[str]
    ) -> None:
        sid = await LegacyPolling(world).handshake()
        for path in (f"/socket.io/1/websocket/{sid}", "/socket.io/?EIO=3&transport=websocket"):
            answer = await upgraded(world, path, *headers)
            assert answer.startswith(b"HTTP/1.1 101 ")
            assert b"extensions" not in answer.lower()

    async def test_unknown_early_session_is_told_to_shake_hands(self, world: World) -> None:
        ws = await world.websocket("/socket.io/1/websocket/none")
        assert await ws.recv() == "7:::1+0"
        with pytest.raises(ConnectionClosed):
            await ws.recv()

    async def test_early_session_takes_one_websocket(self, world: World) -> None:
        sid = await LegacyPolling(world).handshake()
        await world.websocket(f"/socket.io/1/websocket/{sid}")
        second = await world.websocket(f"/socket.io/1/websocket/{sid}")
        assert await second.recv() == "7:::1+0"

    @pytest.mark.parametrize(
        ("query", "code"),
        [
            ("EIO=4&transport=websocket&sid=none", 1),
            ("EIO=4&transport=polling", 3),
            ("EIO=9&transport=websocket", 5),
            ("transport=telepathy", 0),
        ],
    )
    async def test_other_requests_are_refused(self, world: World, query: str, code: int) -> None:
        with pytest.raises(InvalidStatus) as refused:
            await world.websocket(f"/socket.io/?{query}")
        response = refused.value.response
        assert response.status_code == 400
        assert json.loads(response.body or b"")["code"] == code

    async def test_websockets_are_bounded(self, make_world: Any) -> None:
        world = await make_world(connections_max=1)
        await WIRES["4 websocket"](world).open()
        for path in ("/socket.io/?EIO=4&transport=websocket", "/ws/v2"):
            with pytest.raises(InvalidStatus) as refused:
                await world.websocket(path)
            assert refused.value.response.status_code == 503

    async def test_pages_may_be_kept_out(self, make_world: Any) -> None:
        world = await make_world(allowed_origins=("https://ours.example",))
        sid = await LegacyPolling(world).handshake()
        paths = (
            f"/socket.io/1/websocket/{sid}",
            "/socket.io/?EIO=4&transport=websocket",
            "/ws/v2",
        )
        for path in paths:
            with pytest.raises(InvalidStatus) as refused:
                await world.websocket(path, origin="http://else.example")
            assert refused.value.response.status_code == 403
            await world.websocket(path, origin="https://ours.example")


@pytest.mark.parametrize("wire", BOTH)
class TestEnds:
    async def test_client_that_hangs_up_is_gone(self, world: World, wire: str) -> None:
        client = await WIRES[wire](world).open()
        await client.identify(await world.device())
        client.ws.transport.abort()  # type: ignore[attr-defined] # both are WebSockets
        await eventually(lambda: not world.sockets.clients)

    async def test_client_that_says_goodbye_is_gone_though_it_does_not_close(
        self, world: World, wire: str
    ) -> None:
        client = await WIRES[wire](world).open()
        assert isinstance(client, LegacyWebSocket | ModernWebSocket)
        await client.ws.send("0::" if client.is_legacy else "1")
        farewell = [message async for message in client.ws]
        assert farewell == (["0::"] if client.is_legacy else [])
        assert not world.sockets.clients

    async def test_client_whose_message_is_too_long_is_let_go(
        self, make_world: Any, wire: str
    ) -> None:
        world = await make_world(message_bytes_max=1000)
        client, device = await WIRES[wire](world).open(), await world.device()
        await client.identify(device)
        await client.emit("message", {"devices": device["uuid"], "payload": "x" * 800})
        await client.heard("message")
        await client.emit("message", {"devices": device["uuid"], "payload": "x" * 2000})
        await eventually(lambda: not world.sockets.clients)

    async def test_client_that_reads_nothing_is_cut_off(self, make_world: Any, wire: str) -> None:
        world = await make_world(unread_bytes_max=100_000)
        client, device = await WIRES[wire](world).open(), await world.device()
        await client.identify(device)
        assert isinstance(client, LegacyWebSocket | ModernWebSocket)
        client.ws.transport.pause_reading()
        sender = await WIRES["4 websocket"](world).open()
        message = {"devices": device["uuid"], "payload": "x" * 100_000}
        for _ in range(200):
            await sender.ask("message", message)
            if len(world.sockets.clients) == 1:
                break
        assert len(world.sockets.clients) == 1
        client.ws.transport.abort()  # it would wait for the rest

    async def test_client_that_answers_no_heartbeat_is_let_go(
        self, make_world: Any, wire: str
    ) -> None:
        least_s = 1 if wire.startswith("0.9") else 0.2
        world = await make_world(heartbeat_s=least_s, heartbeat_timeout_s=least_s)
        client = await WIRES[wire](world).open()
        await client.identify(await world.device())
        assert isinstance(client, LegacyWebSocket | ModernWebSocket)
        heartbeat = "2::" if client.is_legacy else "2"
        assert await client.ws.recv() == heartbeat
        await client.ws.send("2:::" if client.is_legacy else "3")
        assert await client.ws.recv() == heartbeat
        await eventually(lambda: not world.sockets.clients)

    @pytest.mark.parametrize("data", [b"\x00\x01", b""])
    async def test_binary_frames_are_no_events(self, world: World, wire: str, data: bytes) -> None:
        client = await WIRES[wire](world).open()
        assert isinstance(client, LegacyWebSocket | ModernWebSocket)
        await client.ws.send(data)
        if client.is_legacy:
            await client.ask("status")
        else:
            await eventually(lambda: not world.sockets.clients)


async def test_client_that_pings_by_itself_stays(make_world: Any) -> None:
    world = await make_world(heartbeat_s=0.5, heartbeat_timeout_s=1.5)
    client = await WIRES["3 websocket"](world).open()
    assert isinstance(client, ModernWebSocket)
    for _ in range(5):
        await asyncio.sleep(0.5)
        await client.ws.send("2probe")
        assert await client.ws.recv() == "3probe"
    await eventually(lambda: not world.sockets.clients)


async def test_client_of_today_must_connect_in_time(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = ModernPolling(world)
    client.http, client.sid = Http(world), ""
    await client.receive_packets()
    (left,) = world.sockets.clients
    due_us = left.next_due_us()
    assert due_us is not None
    left.take_due(due_us + 45_000_000)
    assert not world.sockets.clients
