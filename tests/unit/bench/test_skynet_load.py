"""The load generator of the SkyNet bench: what a server does wrong shows, and does not count as speed.

The server here is a few lines, right or wrong in one way.
"""

import asyncio
import json
import os
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from itertools import count
from typing import Any

import pytest
from aiohttp import WSMsgType, web
from msgspec.structs import replace
from tests.bench.c_program import LoadRefused
from tests.bench.skynet_load import (
    WIRE_0_9,
    WIRE_4,
    Device,
    SkynetLoad,
    Work,
    hold_sockets,
    run_load,
)
from tests.needed import needed_program

Object = dict[str, Any]
Spoil = Callable[[int, Object], list[Object]]
"""The messages that are delivered for one, the nth."""

DEVICES = [Device(f"device-{number}", f"secret-{number}") for number in range(12)]
BOTH = pytest.mark.parametrize("wire", [WIRE_0_9, WIRE_4])


def right(number: int, message: Object) -> list[Object]:
    return [message]


class SmallServer:
    """Takes what devices send to whom it is for, over both wires and HTTP."""

    def __init__(self, spoil: Spoil, status: int = 200, rooms_refuse: bool = False) -> None:
        self._spoil = spoil
        self._status = status
        self._rooms_refuse = rooms_refuse
        self._numbers = count()
        self._rooms: dict[str, list[Callable[[str, object], object]]] = {}
        self.readings: Counter[str] = Counter()
        self.values: set[tuple[str, float]] = set()
        self.heartbeats = 0

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/socket.io/1/", self._shake_hands)
        app.router.add_get("/socket.io/1/websocket/{sid}", partial(self._socket, WIRE_0_9))
        app.router.add_get("/socket.io/", partial(self._socket, WIRE_4))
        app.router.add_post("/messages", self._post_message)
        app.router.add_post("/data/{uuid}", self._post_data)
        return app

    async def _shake_hands(self, request: web.Request) -> web.Response:
        return web.Response(text="0123456789:60:60:websocket,xhr-polling")

    async def _socket(self, wire: str, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        device = Device("", "")

        async def emit(name: str, argument: object) -> None:
            event = {"name": name, "args": [argument]}
            old = f"5:::{json.dumps(event)}"
            await socket.send_str(old if wire == WIRE_0_9 else f"42{json.dumps([name, argument])}")

        await socket.send_str("1::" if wire == WIRE_0_9 else '0{"sid":"1"}')
        if wire == WIRE_0_9:
            await emit("identify", {"socketid": "1"})
        await socket.send_str("2::" if wire == WIRE_0_9 else "2")
        async for frame in socket:
            if frame.type != WSMsgType.TEXT:
                continue
            text = frame.data
            if text == "40":
                await socket.send_str('40{"sid":"1"}')
            elif text in ("2::", "3"):
                self.heartbeats += 1
            else:
                name, argument, ack = parsed(wire, text)
                if name == "identity":
                    device = Device(**argument)
                    is_known = device in DEVICES
                    self._rooms.setdefault(device.uuid, []).append(emit)
                    await emit("ready" if is_known else "notReady", {"uuid": device.uuid})
                elif name == "subscribe":
                    self._rooms.setdefault(f"{argument['uuid']}_bc", []).append(emit)
                    result = json.dumps([{"result": not self._rooms_refuse}])
                    await socket.send_str(
                        f"6:::{ack}{result}" if wire == WIRE_0_9 else f"43{ack}{result}"
                    )
                elif name == "message":
                    await self._deliver(device.uuid, argument)
        return socket

    async def _deliver(self, from_uuid: str, message: Object) -> None:
        room = message["devices"] if message["devices"] != "*" else f"{from_uuid}_bc"
        for one in self._spoil(next(self._numbers), {**message, "fromUuid": from_uuid}):
            for emit in self._rooms.get(room, ()):
                await emit("message", one)  # type: ignore[misc] # is a coroutine

    async def _post_message(self, request: web.Request) -> web.Response:
        message = await request.json()
        await self._deliver(request.headers["meshblu_auth_uuid"], message)
        return web.json_response(message, status=self._status)

    async def _post_data(self, request: web.Request) -> web.Response:
        uuid = request.match_info["uuid"]
        assert Device(uuid, request.headers["meshblu_auth_token"]) in DEVICES
        self.readings[uuid] += 1
        self.values.add((uuid, (await request.json())["temperature"]))
        answer = web.StreamResponse(status=self._status)  # in chunks
        answer.enable_chunked_encoding()
        await answer.prepare(request)
        await answer.write(b"{}")
        await answer.write_eof()
        return answer  # type: ignore[return-value] # aiohttp takes both


def parsed(wire: str, text: str) -> tuple[str, Any, str]:
    """Name, argument, and what an acknowledgement begins with."""
    if wire == WIRE_0_9:
        kind, ack, _, data = text.split(":", 3)
        assert kind == "5"
        event = json.loads(data)
        return event["name"], event["args"][0], ack
    assert text.startswith("42")
    digits = text[2 : text.index("[")]
    name, argument = json.loads(text[2 + len(digits) :])
    return name, argument, digits


@asynccontextmanager
async def served(server: SmallServer) -> AsyncIterator[int]:
    needed_program("cc")
    runner = web.AppRunner(server.app(), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@asynccontextmanager
async def small_server(spoil: Spoil = right) -> AsyncIterator[int]:
    async with served(SmallServer(spoil)) as port:
        yield port


async def load(port: int, work: Work) -> SkynetLoad:
    run = partial(run_load, port, work, DEVICES, lambda: [os.getpid()])
    return await asyncio.to_thread(run, warm_s=0.05, run_s=0.2, settle_s=0.4)


def pairs(wire: str = WIRE_4) -> Work:
    return Work("sockets", 2, 2, "pairs", wire)


@BOTH
@pytest.mark.parametrize(("topology", "senders"), [("pairs", 3), ("self", 3), ("out", 1)])
async def test_right_server_has_nothing_lost_and_nothing_bad(
    topology: str, senders: int, wire: str
) -> None:
    async with small_server() as port:
        seen = await load(port, Work("sockets", senders, 3, topology, wire))
    assert seen.failures == 0
    assert seen.delivered > 50
    assert abs(seen.delivered - seen.sent * 3 // senders) <= 4 * 3
    assert 0 < seen.p50_us <= seen.p99_us <= seen.max_us
    assert seen.server_cpu_s > 0
    assert seen.generator_share < 1


@BOTH
async def test_heartbeats_are_answered(wire: str) -> None:
    server = SmallServer(right)
    async with served(server) as port:
        held = await asyncio.to_thread(
            hold_sockets, port, wire, DEVICES[:5], lambda: [os.getpid()], hold_s=0.1
        )
    assert held.heartbeats == server.heartbeats == 5
    assert held.opened_a_second > 0


async def test_messages_over_http_arrive_at_the_socket_of_one_device() -> None:
    async with small_server() as port:
        seen = await load(port, Work("http", 4, 1))
    assert seen.failures == 0
    assert seen.done == seen.answered > 50
    assert abs(seen.delivered - seen.answered) <= 4
    assert 0 < seen.p50_us <= seen.p99_us


async def test_each_device_writes_its_own_data_with_its_token() -> None:
    server = SmallServer(right)
    async with served(server) as port:
        seen = await load(port, Work("http", 4, 0, target="data"))
    assert seen.failures == 0
    assert seen.answered > 50
    assert sorted(server.readings) == [device.uuid for device in DEVICES[:4]]
    assert server.readings.total() == len(server.values) == seen.total


async def test_broadcasts_at_a_fixed_rate_keep_it_and_are_timed() -> None:
    async with small_server() as port:
        seen = await load(port, Work("sockets", 1, 5, "out", rate=100))
    assert 0.5 < seen.per_second / 500 < 1.2  # a busy machine is late
    assert 0 < seen.p50_us <= seen.p99_us <= seen.max_us


def every_tenth(change: Callable[[Object], list[Object]]) -> Spoil:
    return lambda number, message: change(message) if number % 10 == 9 else [message]


def reordered() -> Spoil:
    """Each tenth comes after the one behind it."""
    held: list[Object] = []

    def spoil(number: int, message: Object) -> list[Object]:
        if number % 10 == 9:
            held.append(message)
            return []
        behind, held[:] = held[:], []
        return [message, *behind]

    return spoil


def spoiled() -> Iterator[tuple[str, Spoil]]:
    yield "loses", every_tenth(lambda message: [])
    yield "repeats", every_tenth(lambda message: [message, message])
    yield "reorders", reordered()
    yield (
        "changes the payload",
        every_tenth(lambda message: [{**message, "payload": {"text": "nothing"}}]),
    )
    yield "changes the sender", every_tenth(lambda message: [{**message, "fromUuid": "device-7"}])
    yield (
        "forgets the sender",
        every_tenth(lambda message: [{k: message[k] for k in ("devices", "payload")}]),
    )


@BOTH
@pytest.mark.parametrize("how", [how for how, _ in spoiled()])
async def test_what_a_server_does_to_messages_shows(how: str, wire: str) -> None:
    async with small_server(dict(spoiled())[how]) as port:
        seen = await load(port, pairs(wire))
    assert seen.failures > 0
    assert seen.bad > 0
    if how == "loses":
        assert seen.lost > 0
    if how == "repeats":
        assert seen.lost < 0


async def test_message_that_is_answered_and_not_delivered_is_lost() -> None:
    async with small_server(lambda number, message: []) as port:
        seen = await load(port, Work("http", 2, 1))
    assert seen.delivered == 0
    assert seen.lost == 2 * 64  # nobody runs further ahead


async def test_run_in_which_nothing_was_done_fails_though_all_came_after_it() -> None:
    async with small_server() as port:
        seen = await load(port, pairs())
    assert replace(seen, delivered=0).failures == 1


async def test_refusals_are_told() -> None:
    async with served(SmallServer(right, status=429)) as port:
        with pytest.raises(LoadRefused, match="the server answered 429"):
            await load(port, Work("http", 1, 0))
    async with served(SmallServer(right, rooms_refuse=True)) as port:
        with pytest.raises(LoadRefused, match="refused"):
            await load(port, Work("sockets", 1, 2, "out"))
    async with small_server() as port:
        run = partial(run_load, port, pairs(), [Device("nobody", "-")] * 4, list)
        with pytest.raises(LoadRefused, match="the server refused a device"):
            await asyncio.to_thread(run, warm_s=0.05, run_s=0.2)
