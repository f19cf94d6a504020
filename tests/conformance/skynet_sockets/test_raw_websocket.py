"""Meshblu's own WebSocket: every type of frame, and its answer.

Source: Meshblu 1.18, WebSocket; its client's expectations.
"""

import asyncio
import json
from typing import Any

import pytest
from tests.conformance.skynet_sockets.test_events import ISO, TOKEN, UUID
from tests.conformance.skynet_sockets.world import (
    WAIT_S_MAX,
    WIRES,
    ClientConnection,
    World,
    eventually,
)
from websockets.exceptions import ConnectionClosed

from thingtank.tank.access import OPERATOR
from thingtank.tank.actions.tokens import reset_token

UNAUTHORIZED = {"message": "unauthorized", "status": 401}


class Raw:
    """One client."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.ws: ClientConnection

    async def open(self) -> "Raw":
        self.ws = await self.world.websocket("/ws/v2")
        return self

    async def identify(self, device: dict[str, str]) -> None:
        assert await self.ask("identity", device) == ["ready", {**device, "status": 200}]

    async def send(self, *frame: Any) -> None:
        await self.ws.send(json.dumps(frame))

    async def receive(self) -> Any:
        async with asyncio.timeout(WAIT_S_MAX):
            return json.loads(await self.ws.recv())

    async def ask(self, *frame: Any) -> Any:
        await self.send(*frame)
        return await self.receive()

    async def hears_nothing(self) -> None:
        assert (await self.ask("status"))[0] == "status"


@pytest.fixture
async def raw(world: World) -> Raw:
    return await Raw(world).open()


@pytest.fixture
async def device(world: World) -> dict[str, str]:
    return await world.device(name="own")


def error(message: str, status: int, *frame: Any) -> list[Any]:
    return ["error", {"message": message, "status": status, "frame": list(frame)}]


async def test_first_frame_is_the_answer_to_identity(raw: Raw, device: dict[str, str]) -> None:
    await raw.identify(device)


@pytest.mark.parametrize("wrong", [{"token": "no"}, {"uuid": "no"}, {"uuid": "no", "token": "no"}])
async def test_who_shows_something_wrong_is_not_ready(
    raw: Raw, device: dict[str, str], wrong: dict[str, str]
) -> None:
    assert await raw.ask("identity", {**device, **wrong}) == ["notReady", UNAUTHORIZED]
    await raw.identify(device)


async def test_strangers_may_register_and_ask_for_the_status_alone(raw: Raw) -> None:
    assert await raw.ask("status", None) == ["status", {"meshblu": "online", "skynet": "online"}]
    kind, made = await raw.ask("register", {"name": "made"})
    assert (kind, made["uuid"], made["token"]) == ("registered", UUID, TOKEN)
    for frame in (["whoami", None], ["devices", {}], ["message", {"devices": "*"}], ["update", []]):
        assert await raw.ask(*frame) == error("unauthorized", 401, *frame)
    await raw.identify({"uuid": made["uuid"], "token": made["token"]})


async def test_who_shows_nothing_is_made_a_device(raw: Raw) -> None:
    kind, ready = await raw.ask("identity", {})
    assert (kind, ready) == ("ready", {"uuid": UUID, "token": TOKEN, "status": 200})


async def test_devices_are_shown(raw: Raw, world: World, device: dict[str, str]) -> None:
    await raw.identify(device)
    other = await world.device(name="other", owner=device["uuid"])
    record = {"uuid": other["uuid"], "name": "other", "owner": device["uuid"], "online": False,
              "ipAddress": "127.0.0.1", "timestamp": ISO}  # fmt: skip
    kind, own = await raw.ask("whoami")
    assert (kind, own["uuid"], own["name"]) == ("whoami", device["uuid"], "own")
    assert await raw.ask("device", {"uuid": other["uuid"]}) == ["device", record]
    assert await raw.ask("devices", {"name": "other"}) == ["devices", {"devices": [record]}]
    assert await raw.ask("devices", {"name": "no"}) == ["devices", {"devices": []}]
    assert await raw.ask("mydevices", {"name": "other"}) == ["mydevices", [record]]
    unknown = ["device", {"uuid": "nope"}]
    assert await raw.ask(*unknown) == error("Device not found", 404, *unknown)


async def test_update_document_is_applied_and_told(raw: Raw, device: dict[str, str]) -> None:
    await raw.identify(device)
    await raw.send("update", [{"uuid": device["uuid"]}, {"$set": {"a": 1}, "$inc": {"n": 2}}])
    kind, record = await raw.receive()
    assert (kind, record["a"], record["n"]) == ("config", 1, 2)
    assert await raw.receive() == ["updated", {"uuid": device["uuid"]}]
    bad = ["update", {"a": 1}]
    assert (await raw.ask(*bad))[1]["status"] == 422


async def test_messages_are_sent_and_heard(raw: Raw, world: World, device: dict[str, str]) -> None:
    await raw.identify(device)
    other = await WIRES["0.9 websocket"](world).open()
    known = await world.device()
    await other.identify(known)
    await raw.send("message", {"devices": [known["uuid"]], "payload": "二"})
    (message,) = await other.heard("message")
    assert (message["message"], message["fromUuid"]) == ("二", device["uuid"])
    await other.emit("message", {"devices": device["uuid"], "message": 5})
    expected = {"devices": device["uuid"], "message": 5, "payload": 5, "fromUuid": known["uuid"]}
    assert await raw.receive() == ["message", expected]
    assert (await raw.ask("message", {"payload": 1}))[1]["status"] == 422


async def test_subscriptions_are_quiet_unless_they_go_wrong(
    raw: Raw, world: World, device: dict[str, str]
) -> None:
    await raw.identify(device)
    other = await world.device()
    await raw.send("subscribe", {"uuid": other["uuid"]})
    await raw.hears_nothing()
    sender = await WIRES["4 websocket"](world).open()
    await sender.identify(other)
    assert (await raw.receive())[1]["topic"] == "device-status"
    await sender.emit("message", {"devices": "*", "payload": 1})
    assert (await raw.receive())[1]["payload"] == 1
    await raw.send("unsubscribe", {"uuid": other["uuid"]})
    await raw.hears_nothing()
    await sender.ask("message", {"devices": "*", "payload": 2})
    await raw.hears_nothing()
    frame = ["subscribe", {"uuid": "nope"}]
    assert await raw.ask(*frame) == error("Device not found", 404, *frame)


async def test_device_hears_its_data_without_subscribing(
    raw: Raw, world: World, device: dict[str, str]
) -> None:
    await raw.identify(device)
    sender = await WIRES["4 websocket"](world).open()
    await sender.ask("data", {**device, "temperature": 20})
    assert await raw.receive() == ["data", {"temperature": 20}]


async def test_unregistering_itself_is_told_once(
    raw: Raw, world: World, device: dict[str, str]
) -> None:
    await raw.identify(device)
    mine = await world.device(owner=device["uuid"])
    frame = ["unregister", {"uuid": mine["uuid"]}]
    assert await raw.ask(*frame) == ["unregistered", {"uuid": mine["uuid"]}]
    kind, record = await raw.ask("unregister", {"uuid": device["uuid"]})
    assert (kind, record["uuid"]) == ("unregistered", device["uuid"])
    await raw.hears_nothing()
    assert (await raw.ask("whoami"))[1]["status"] == 401


@pytest.mark.parametrize(
    "frame", ["", "x", "{}", "[]", "5", '"status"', "[5]", '["dance"]', "[[]]", "[" * 500]
)
async def test_nonsense_is_told_and_no_end(raw: Raw, frame: str) -> None:
    await raw.ws.send(frame)
    kind, told = await raw.receive()
    assert (kind, told["status"]) == ("error", 422)
    await raw.ws.send(b"[]")
    assert (await raw.receive())[0] == "error"
    await raw.hears_nothing()


async def test_device_comes_and_goes(raw: Raw, world: World, device: dict[str, str]) -> None:
    found = world.tank.directory.find_device_by_uuid(device["uuid"])
    assert found is not None
    await raw.identify(device)
    assert world.tank.messaging.presence.is_online(found.device_id)
    await raw.ws.close()
    await eventually(lambda: not world.sockets.clients)
    assert not world.tank.messaging.presence.is_online(found.device_id)


async def test_revoked_token_ends_it(raw: Raw, world: World, device: dict[str, str]) -> None:
    await raw.identify(device)
    found = world.tank.directory.find_device_by_uuid(device["uuid"])
    assert found is not None
    await reset_token(world.tank, OPERATOR, found.device_id)
    assert await raw.ask("whoami") == ["notReady", UNAUTHORIZED]
    with pytest.raises(ConnectionClosed):
        await raw.ws.recv()


async def test_who_asks_too_often_is_told_when_to_ask_again(make_world: Any) -> None:
    world = await make_world(rate_queries_s=1, rate_connections_s=2)
    raw = await Raw(world).open()
    await raw.identify(await world.device())
    await raw.ask("whoami")
    kind, told = await raw.ask("whoami")
    assert (kind, told["status"]) == ("error", 429)
    assert 0 < told["retryAfter"] <= 1
    await Raw(world).open()
    third = await Raw(world).open()
    kind, told = await third.receive()
    assert (kind, told["status"]) == ("error", 429)
    with pytest.raises(ConnectionClosed):
        await third.ws.recv()


@pytest.mark.parametrize(
    ("is_open", "headers"), [(False, ()), (True, ("Via: 1.1 example",))], ids=["closed", "proxy"]
)
async def test_no_strangers_are_let_in_that_are_not_of_this_machine(
    make_world: Any, is_open: bool, headers: tuple[str, ...]
) -> None:
    world = await make_world(is_open=is_open)
    world.headers = headers
    raw = await Raw(world).open()
    frame = ["register", {}]
    assert await raw.ask(*frame) == error("unauthorized", 401, *frame)
    assert await raw.ask("identity", {}) == ["notReady", UNAUTHORIZED]
