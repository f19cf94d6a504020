"""Who is there, and what becomes of messages to who is away."""

import asyncio
from typing import Any

import pytest
from tests.conformance.mqtt import octets
from tests.conformance.mqtt.octets import Kind
from tests.unit.doors.skynet.mqtt_topics.world import Keeper, World
from tests.waiting import until

from thingtank.tank.access import OPERATOR, Caller
from thingtank.tank.actions.devices import delete_device
from thingtank.tank.actions.keys import create_key
from thingtank.tank.actions.tokens import reset_token
from thingtank.tank.errors import StorageFailed
from thingtank.tank.keys import ACCESS_METHODS, ApiKey, Permission
from thingtank.tank.messaging.event_codes import EventCode

PERSISTENT = {"clean": False}


class HeldKeeper(Keeper):
    """Has things on disk when it is told to."""

    is_held = False

    def __init__(self) -> None:
        super().__init__()
        self._calls: list[Any] = []

    def when_kept(self, call: Any) -> None:
        if self.is_held:
            self._calls.append(call)
        else:
            call(None)

    def release(self) -> None:
        self.is_held = False
        for call in self._calls:
            call(None)


@pytest.fixture
async def world() -> World:
    return World()


@pytest.fixture
async def lamp(world: World) -> dict[str, str]:
    return await world.device(name="Lamp")


def is_online(world: World, device: dict[str, str]) -> bool:
    return world.tank.messaging.presence.is_online(world.found(device["uuid"]).device_id)


async def test_a_devices_connection_is_its_presence(world: World, lamp: dict[str, str]) -> None:
    friend = await world.client(await world.device(), client_id="friend")
    friend.subscribe(f"{lamp['uuid']}_bc")
    first, second = await world.client(lamp), await world.client(lamp, client_id="second")
    assert is_online(world, lamp)
    visit = world.tank.messaging.presence.visit(world.found(lamp["uuid"]).device_id)
    assert visit is not None
    connection = visit.connections[0]
    assert (connection.protocol, connection.address) == ("mqtt", "127.0.0.1")
    assert (connection.socket_id, connection.is_secure) == (first.connection.client_id, False)
    first.disconnect()
    assert is_online(world, lamp)
    second.lose()
    assert not is_online(world, lamp)
    statuses = [content["data"]["payload"] for _, content in friend.heard()]
    assert statuses == [{"online": True}, {"online": False}]
    events = await world.tank.messaging.events.read(world.found(lamp["uuid"]).device_id, 10, None)
    codes = [event.code for event in events if event.code != EventCode.REGISTERED]
    assert codes == [102, 102, 101, 101]


async def test_who_takes_a_session_over_is_there(world: World, lamp: dict[str, str]) -> None:
    first = await world.client(lamp)
    await world.client(lamp)
    assert first.is_closed
    assert is_online(world, lamp)
    visit = world.tank.messaging.presence.visit(world.found(lamp["uuid"]).device_id)
    assert visit is not None
    assert len(visit.connections) == 1


async def test_a_client_that_is_no_device_is_nobodys_presence(world: World) -> None:
    client = await world.client(client_id="user")
    client.disconnect()
    assert world.tank.messaging.presence._visits == {}


@pytest.mark.parametrize("keeps", [True, False])
@pytest.mark.parametrize("content", [{}, {"qos": 0}, {"qos": 1}, {"qos": 2}], ids=str)
async def test_a_message_waits_in_a_session_or_is_kept_and_comes_once(
    world: World, keeps: bool, content: dict[str, Any]
) -> None:
    device = await world.device(keepMessages=keeps)
    away = await world.client(device, **PERSISTENT)
    away.subscribe(device["uuid"], qos=1)
    away.lose()
    sent = await world.send(device["uuid"], device["uuid"], payload=1, **content)
    assert sent.receipts[0].outcome == "delivered"
    assert world.kept.count(world.found(device["uuid"]).device_id) == 0
    back = await world.client(device, **PERSISTENT)
    assert [content["data"]["payload"] for _, content in back.heard()] == [1]
    await world.send(device["uuid"], device["uuid"], payload=2)
    assert [content["data"]["payload"] for _, content in back.heard()] == [2]


@pytest.mark.parametrize("connect", [PERSISTENT, {}], ids=["persistent", "clean"])
async def test_what_does_not_wait_in_a_session_is_kept_if_the_device_wants_that(
    world: World, connect: dict[str, Any]
) -> None:
    device = await world.device(keepMessages=True)
    away = await world.hearing(device, **connect)  # of QoS 0
    away.lose()
    for number in range(3):
        sent = await world.send(device["uuid"], device["uuid"], payload=number)
        assert sent.receipts[0].outcome == "kept"
    back = await world.client(device, **connect)
    if not connect:
        back.subscribe(device["uuid"])
    got = await back.hears(3)
    assert [content["data"]["payload"] for _, content in got] == [0, 1, 2]
    assert all("kept" in content["data"] for _, content in got)
    await until(lambda: not world.kept.count(world.found(device["uuid"]).device_id))
    await world.send(device["uuid"], device["uuid"], payload=4)
    assert [content["data"]["payload"] for _, content in back.heard()] == [4]


async def test_who_neither_waits_nor_keeps_misses_what_comes(
    world: World, lamp: dict[str, str]
) -> None:
    away = await world.hearing(lamp, **PERSISTENT)
    away.lose()
    assert (await world.send(lamp["uuid"], lamp["uuid"], payload=1)).receipts[0].outcome == "away"
    back = await world.client(lamp, **PERSISTENT)
    assert back.heard() == []


async def test_messages_that_cannot_be_given_stay_and_the_client_hears_new_ones(
    world: World,
) -> None:
    device = await world.device(keepMessages=True)
    await world.send(device["uuid"], device["uuid"], payload=1)

    async def fail(*_: Any) -> Any:
        raise StorageFailed("the disk")

    world.kept.take = fail  # type: ignore[method-assign] # a fault
    hearing = await world.hearing(device)
    assert world.kept.count(world.found(device["uuid"]).device_id) == 1
    await world.send(device["uuid"], device["uuid"], payload=2)
    assert [content["data"]["payload"] for _, content in hearing.heard()] == [2]


async def test_a_session_goes_on_with_another_token_of_the_device(
    world: World, lamp: dict[str, str]
) -> None:
    away = await world.client(lamp, **PERSISTENT)
    away.subscribe(lamp["uuid"], qos=1)
    away.publish("resetToken", {})
    [(_, answer)] = await away.hears()
    await world.send(lamp["uuid"], lamp["uuid"], payload=0)
    assert [content["data"]["payload"] for _, content in away.heard()] == [0]
    away.acknowledge()
    away.lose()
    await world.send(lamp["uuid"], lamp["uuid"], payload=1)
    back = await world.client({**lamp, "token": answer["data"]["token"]}, **PERSISTENT)
    assert [content["data"]["payload"] for _, content in back.heard()] == [1]
    await world.send(lamp["uuid"], lamp["uuid"], payload=2)
    assert [content["data"]["payload"] for _, content in back.heard()] == [2]


async def test_a_session_whose_token_was_revoked_is_still_the_devices(
    world: World, lamp: dict[str, str]
) -> None:
    away = await world.client(lamp, **PERSISTENT)
    away.subscribe(lamp["uuid"], qos=1)
    device_id = world.found(lamp["uuid"]).device_id
    new = await reset_token(world.tank, OPERATOR, device_id)
    await world.send(lamp["uuid"], lamp["uuid"], payload="to nobody")
    away.lose()
    sent = await world.send(lamp["uuid"], lamp["uuid"], payload=1)
    assert sent.receipts[0].outcome == "delivered"
    assert [each[1]["topic"] for each in away.heard()] == []
    back = await world.client({**lamp, "token": new}, **PERSISTENT)
    assert [content["data"]["payload"] for _, content in back.heard()] == [1]


async def test_a_key_that_is_gone_hears_nothing_more(world: World, lamp: dict[str, str]) -> None:
    draft = ApiKey(0, world.account.account_id, "all", (Permission(ACCESS_METHODS),))
    key, secret = await create_key(world.tank, Caller(world.account), draft)
    hearing = await world.hearing({**lamp, "token": secret})
    await world.send(lamp["uuid"], lamp["uuid"], payload=1)
    assert len(hearing.heard()) == 1
    await world.directory.delete_key(key.key_id)
    await world.send(lamp["uuid"], lamp["uuid"], payload=2)
    assert hearing.heard() == []


async def test_what_a_session_keeps_is_on_disk_before_its_sender_is_told() -> None:
    keeper = HeldKeeper()
    world = World(keeper=keeper)
    device, sender = await world.device(), await world.device()
    away = await world.client(device, **PERSISTENT)
    away.subscribe(device["uuid"], qos=1)
    away.lose()
    client = await world.client(sender)
    keeper.is_held = True
    client.publish("message", {"devices": device["uuid"], "payload": 1}, qos=1)
    sending = asyncio.ensure_future(world.send(sender["uuid"], device["uuid"], payload=2))
    await asyncio.sleep(0.01)
    assert client.packets == []
    assert not sending.done()
    keeper.release()
    await until(lambda: client.packets and sending.done())
    assert [each.kind for each in client.packets] == [Kind.PUBACK]


async def test_a_revoked_token_hears_nothing_more(world: World, lamp: dict[str, str]) -> None:
    hearing = await world.hearing(lamp)
    admin = await world.client(lamp, client_id="admin")
    admin.publish("resetToken", {})
    await until(
        lambda: not world.directory.has_token(world.found(lamp["uuid"]).device_id, lamp["token"])
    )
    await world.send(lamp["uuid"], lamp["uuid"], payload=1)
    assert [each for each in hearing.heard() if each[1]["topic"] == "message"] == []
    hearing.publish("update", {"color": "red"})
    assert "color" not in world.found(lamp["uuid"]).properties


async def test_a_session_that_the_last_process_left_hears_again(world: World) -> None:
    device = await world.device()
    away = await world.client(device, **PERSISTENT)
    away.subscribe(device["uuid"], f"{device['uuid']}_bc", qos=1)
    found = await world.keeper.found()
    world.start(found)
    await world.send(device["uuid"], device["uuid"], payload=1)
    await world.send(device["uuid"], "*", payload=2)
    back = await world.client(device, **PERSISTENT)
    got = [content["data"]["payload"] for _, content in back.heard()]
    assert got[:2] == [1, 2]


async def test_nothing_is_left_of_a_client_that_is_gone(world: World, lamp: dict[str, str]) -> None:
    client = await world.hearing(lamp)
    client.subscribe(f"{lamp['uuid']}_bc", "unknown_bc", f"{lamp['uuid']}_tb")
    client.publish("whoami", {})
    client.send(octets.disconnect(4))
    topics = world.topics
    assert (topics._hearings, topics._by_uuid, topics._asking) == ({}, {}, {})
    assert topics._visits._open == {}
    board = world.tank.messaging.switchboard
    assert all(not of_kind for of_kind in board._by_kind.values())


async def test_a_deleted_device_is_told_and_its_client_sent_away(world: World) -> None:
    device = await world.device()
    hearing = await world.hearing(device)
    await delete_device(world.tank, OPERATOR, world.found(device["uuid"]).device_id)
    assert [event for event, _ in hearing.events()] == ["unregistered"]
    hearing.publish("whoami", {})
    assert hearing.heard() == []
