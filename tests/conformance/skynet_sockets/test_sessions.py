"""Connecting and saying who one is, over each wire.

Source: SkyNet and Meshblu, identity, ready, notReady; presence.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest
from tests.conformance.skynet_sockets.world import WIRES, Client, World, eventually

from thingtank.tank.access import OPERATOR
from thingtank.tank.actions.devices import delete_device
from thingtank.tank.actions.tokens import reset_token

MakeWorld = Callable[..., Awaitable[World]]
BOTH = ["0.9 websocket", "4 websocket"]


# A closed tank lets in nobody; an open one nobody whom a proxy has brought.
FOREIGN = [(False, ()), (True, ("X-Forwarded-For: 192.0.2.1",))]


async def device_of(world: World, uuid: str) -> Any:
    return world.tank.directory.find_device_by_uuid(uuid)


async def is_online(world: World, device: dict[str, str]) -> bool:
    found = await device_of(world, device["uuid"])
    return world.tank.messaging.presence.is_online(found.device_id)


async def ended(world: World) -> None:
    """All clients have gone."""
    await eventually(lambda: not world.sockets.clients)


async def test_device_identifies_with_its_token(client: Client, world: World) -> None:
    device = await world.device(name="lamp")
    ready = await client.identify(device)
    assert ready == {"api": "connect", "status": 201, "socketid": client.socket_id, **device}
    assert await is_online(world, device)


async def test_device_that_leaves_is_away(client: Client, world: World) -> None:
    device = await world.device()
    await client.identify(device)
    await client.close()
    await ended(world)
    assert not await is_online(world, device)


async def test_wrong_tokens_and_unknown_devices_are_refused_alike(
    client: Client, world: World
) -> None:
    device = await world.device()
    for wrong in ({**device, "token": "wrong"}, {"uuid": "nobody", "token": "wrong"}):
        await client.emit("identity", wrong)
        (refused,) = await client.heard("notReady")
        told = {"api": "connect", "status": 401, "socketid": client.socket_id}
        assert refused == {**told, "uuid": wrong["uuid"]}


@pytest.mark.parametrize("said", [{}, {"protocol": "websocket"}])
async def test_who_has_no_uuid_and_no_token_gets_both(
    client: Client, world: World, said: dict[str, str]
) -> None:
    ready = await client.identify(said, type="drone")
    device = await device_of(world, ready["uuid"])
    assert world.tank.directory.has_token(device.device_id, ready["token"])
    assert (device.properties["autoRegister"], device.properties["type"]) == (True, "drone")
    assert "protocol" not in device.properties


async def test_what_comes_before_ready_is_answered(client: Client, world: World) -> None:
    device = await world.device(name="lamp")
    status = await client.ask("status")
    assert (status["skynet"], status["meshblu"], status["eventCode"]) == ("online", "online", 200)
    assert "error" not in await client.ask("subscribe", device)
    assert (await client.ask("whoami", {"uuid": device["uuid"]}))["name"] == "lamp"
    sender = await WIRES["4 websocket"](world).open()
    await sender.identify(await world.device())
    await sender.ask("message", {"devices": device["uuid"], "payload": 1})
    (message,) = await client.heard("message")
    assert message["payload"] == 1


async def test_events_of_one_frame_row_are_done_in_order(client: Client, world: World) -> None:
    device = await world.device(keepMessages=True)
    await client.emit("identity", device)
    for number in range(20):
        await client.emit("message", {"devices": device["uuid"], "payload": number})
    await client.heard("ready")
    heard = [(await client.heard("message"))[0]["payload"] for _ in range(20)]
    assert heard == list(range(20))


async def test_second_identity_replaces_the_first(client: Client, world: World) -> None:
    first, second = await world.device(), await world.device()
    await client.identify(first)
    await client.identify(second)
    assert not await is_online(world, first)
    assert await is_online(world, second)
    for device in (first, second):
        await client.emit("message", {"devices": device["uuid"], "payload": device["uuid"]})
    (message,) = await client.heard("message")
    assert message["payload"] == second["uuid"]
    await client.hears_nothing()


async def test_identity_said_twice_hears_once(client: Client, world: World) -> None:
    device = await world.device()
    await client.identify(device)
    await client.identify(device)
    await client.ask("subscribe", device)
    await client.emit("message", {"devices": device["uuid"], "payload": 1})
    await client.heard("message")
    await client.hears_nothing()


@pytest.mark.parametrize("wire", BOTH)
class TestOnBothGenerations:
    async def test_authenticate_makes_ready_without_a_token(self, world: World, wire: str) -> None:
        client, device = await WIRES[wire](world).open(), await world.device()
        answer = await client.ask("authenticate", device)
        assert (answer["uuid"], answer["authentication"]) == (device["uuid"], True)
        (ready,) = await client.heard("ready")
        told = {"api": "connect", "status": 201, "socketid": client.socket_id}
        assert ready == {**told, "uuid": device["uuid"]}
        await client.emit("message", {"devices": device["uuid"], "payload": 1})
        await client.heard("message")

    async def test_who_was_wrong_too_often_is_told_so(self, world: World, wire: str) -> None:
        client, device = await WIRES[wire](world).open(), await world.device()
        wrong = {**device, "token": "wrong"}
        for _ in range(10):
            assert "error" not in await client.ask("authenticate", wrong)
        for shown in (wrong, device):
            error = (await client.ask("authenticate", shown))["error"]
            assert (error["code"], error["retryAfter"]) == (429, 900)
            assert "too many wrong tokens" in error["message"].lower()

    async def test_authenticate_adds_to_who_one_is(self, world: World, wire: str) -> None:
        client = await WIRES[wire](world).open()
        own, other = await world.device(), await world.device()
        await client.identify(own)
        await client.ask("authenticate", other)
        await client.heard("ready")
        for device in (other, own):
            await client.emit("message", {"devices": device["uuid"], "payload": device["uuid"]})
            (message,) = await client.heard("message")
            assert (message["payload"], message["fromUuid"]) == (device["uuid"], own["uuid"])
        assert await is_online(world, other)

    async def test_wrong_authentication_is_told(self, world: World, wire: str) -> None:
        client, device = await WIRES[wire](world).open(), await world.device()
        answer = await client.ask("authenticate", {**device, "token": "wrong"})
        assert (answer["uuid"], answer["authentication"]) == (device["uuid"], False)
        await client.hears_nothing()

    async def test_device_may_stay_unseen(self, world: World, wire: str) -> None:
        client, device = await WIRES[wire](world).open(), await world.device()
        await client.identify(device, auto_set_online=False)
        assert not await is_online(world, device)

    async def test_subscribers_see_it_come_and_go(self, world: World, wire: str) -> None:
        device, watcher = await world.device(), await WIRES["4 websocket"](world).open()
        await watcher.ask("subscribe", {"uuid": device["uuid"]})
        client = await WIRES[wire](world).open()
        await client.identify(device)
        await client.close()
        for is_there in (True, False):
            (status,) = await watcher.heard("message")
            assert status == {
                "devices": "*",
                "topic": "device-status",
                "payload": {"online": is_there},
                "fromUuid": device["uuid"],
            }

    async def test_coming_and_going_is_in_the_event_log(self, world: World, wire: str) -> None:
        client, device = await WIRES[wire](world).open(), await world.device()
        await client.identify(device)
        await client.close()
        await ended(world)
        found = await device_of(world, device["uuid"])
        events = await world.tank.messaging.events.read(found.device_id, 2)
        left, came = (msgspec.json.decode(event.body) for event in events)
        assert [event.code for event in events] == [102, 101]
        assert (left["api"], left["socketid"]) == ("disconnect", client.socket_id)
        assert came == {
            "uuid": device["uuid"],
            "socketid": client.socket_id,
            "ipAddress": "127.0.0.1",
            "protocol": "websocket",
        }

    async def test_kept_messages_come_first(self, world: World, wire: str) -> None:
        device, sender = await world.device(keepMessages=True), await WIRES[wire](world).open()
        await sender.identify(await world.device())
        for number in range(30):
            await sender.emit("message", {"devices": device["uuid"], "payload": number})
        await sender.ask("status")
        client = await WIRES[wire](world).open()
        await client.identify(device)
        await sender.emit("message", {"devices": device["uuid"], "payload": 30})
        heard = [(await client.heard("message"))[0] for _ in range(31)]
        assert [message["payload"] for message in heard] == list(range(31))
        assert ["kept" in message for message in heard] == [True] * 30 + [False]
        await eventually(lambda: not world.tank.messaging.kept.device_ids())

    async def test_kept_messages_of_who_leaves_too_early_stay(
        self, world: World, wire: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        device, sender = await world.device(keepMessages=True), await WIRES[wire](world).open()
        await sender.ask("message", {"devices": device["uuid"], "payload": 1})
        kept, may_go_on = world.tank.messaging.kept, asyncio.Event()
        take = kept.take

        async def take_slowly(*args: Any) -> Any:
            await may_go_on.wait()
            return await take(*args)

        with monkeypatch.context() as patched:
            patched.setattr(kept, "take", take_slowly)
            early = await WIRES[wire](world).open()
            await early.identify(device)
            await early.emit("status")  # waits, and is nobody's in the end
            await early.close()
            await eventually(lambda: len(world.sockets.clients) == 1)
            may_go_on.set()
            await sender.ask("status")
        client = await WIRES[wire](world).open()
        await client.identify(device)
        assert (await client.heard("message"))[0]["payload"] == 1

    async def test_clients_of_a_deleted_device_are_sent_away(self, world: World, wire: str) -> None:
        client, device = await WIRES[wire](world).open(), await world.device()
        await client.identify(device)
        found = await device_of(world, device["uuid"])
        await delete_device(world.tank, OPERATOR, found.device_id)
        (record,) = await client.heard("unregistered")
        assert record["uuid"] == device["uuid"]
        (refused,) = await client.heard("notReady")
        assert (refused["status"], refused["uuid"]) == (401, device["uuid"])
        await ended(world)

    async def test_clients_of_a_revoked_token_are_sent_away_at_their_next_event(
        self, world: World, wire: str
    ) -> None:
        client, device = await WIRES[wire](world).open(), await world.device()
        await client.identify(device)
        found = await device_of(world, device["uuid"])
        await reset_token(world.tank, OPERATOR, found.device_id)
        await client.emit("status")
        (refused,) = await client.heard("notReady")
        assert (refused["status"], refused["uuid"]) == (401, device["uuid"])
        await ended(world)

    async def test_silent_clients_of_a_revoked_token_are_sent_away_soon(
        self, make_world: MakeWorld, wire: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("thingtank.net.identity.sweeper.SWEEP_S", 0.05)
        world = await make_world()
        client, device = await WIRES[wire](world).open(), await world.device()
        await client.identify(device)
        found = await device_of(world, device["uuid"])
        await reset_token(world.tank, OPERATOR, found.device_id)
        (refused,) = await client.heard("notReady")
        assert refused["status"] == 401

    async def test_who_connects_too_often_is_told_when_to_come_again(
        self, make_world: MakeWorld, wire: str
    ) -> None:
        world = await make_world(rate_connections_s=2)
        for _ in range(2):
            await WIRES[wire](world).open()
        third = WIRES[wire](world)
        await third.connect()
        (refused,) = await third.heard("notReady")
        assert (refused["error"]["code"], refused["status"]) == (429, 429)
        assert 0 < refused["error"]["retryAfter"] <= 0.5
        await eventually(lambda: len(world.sockets.clients) == 2)

    async def test_device_that_says_who_it_is_again_and_again_is_there_once(
        self, make_world: MakeWorld, wire: str
    ) -> None:
        world = await make_world(rate_connections_s=5)
        own, other = await world.device(), await world.device()
        client = await WIRES[wire](world).open()
        await client.identify(own)
        for _ in range(5):
            told = await client.ask("authenticate", other)
            assert told["authentication"] is True
            await client.heard("ready")
        device = await device_of(world, other["uuid"])
        visit = world.tank.messaging.presence.visit(device.device_id)
        assert visit is not None
        assert len(visit.connections) == 1
        told = await client.ask("authenticate", other)
        assert (told["authentication"], told["error"]["code"]) == (False, 429)

    @pytest.mark.parametrize(("is_open", "headers"), FOREIGN)
    async def test_no_strangers_are_let_in_that_are_not_of_this_machine(
        self, make_world: MakeWorld, wire: str, is_open: bool, headers: tuple[str, ...]
    ) -> None:
        world = await make_world(is_open=is_open)
        world.headers = headers
        device = await world.device(name="lamp")
        client = await WIRES[wire](world).open()
        await client.emit("identity", {})
        (refused,) = await client.heard("notReady")
        assert refused["status"] == 401
        names = ("whoami", "device", "update", "unregister", "events", "subscribe")
        known = [await client.ask(name, {"uuid": device["uuid"]}) for name in names]
        unknown = [await client.ask(name, {"uuid": "unknown"}) for name in names]
        text = msgspec.json.encode([known, unknown]).decode()
        assert "lamp" not in text
        assert _without_times(known, device["uuid"]) == _without_times(unknown, "unknown")
        assert "error" in await client.ask("devices", {})
        assert "error" in await client.ask("message", {"devices": device["uuid"], "payload": 1})
        assert "error" in await client.ask("register", {})
        await client.identify(device)

    async def test_server_that_stops_lets_clients_go(self, world: World, wire: str) -> None:
        client = await WIRES[wire](world).open()
        await client.identify(await world.device())
        await asyncio.gather(world.sockets.stop(), client.ws.wait_closed())  # type: ignore[attr-defined] # both are WebSockets


def _without_times(answers: Any, uuid: str) -> Any:
    text = msgspec.json.encode(answers).decode().replace(uuid, "UUID")
    answers = msgspec.json.decode(text)
    for answer in answers:
        answer.pop("timestamp", None)
    return answers
