"""Messages between devices, presence and properties, as WAMP has them."""

from typing import Any

import pytest
from tests.unit.doors.wamp.tank_peer.worlds import NOW, TankWorld

from thingtank.stores.memory_kept_messages import MemoryKeptMessages
from thingtank.tank.access import STRANGER
from thingtank.tank.actions.messages import send_message
from thingtank.tank.messaging.messages import MESSAGE_BYTES_MAX
from thingtank.tank.messaging.permissions import Party, Policy
from thingtank.tank.messaging.presence import Connection
from thingtank.tank.messaging.switchboard import Delivery
from thingtank.tank.things import Device

DENIED = "wamp.error.not_authorized"
UNKNOWN = "wamp.error.authentication_required"


class Ear:
    """Hears what a device is given."""

    def __init__(self) -> None:
        self.heard: list[Any] = []

    def deliver(self, delivery: Delivery) -> None:
        assert delivery.message is not None
        self.heard.append(delivery.message.content)


@pytest.fixture
async def world() -> TankWorld:
    """Closed, as servers are that others reach; messages are kept."""
    return TankWorld(kept_messages=MemoryKeptMessages())


@pytest.fixture
async def lamp(world: TankWorld) -> Device:
    return await world.make_device("Lamp", private=False)


@pytest.fixture
async def button(world: TankWorld) -> Device:
    return await world.make_device("Button")


def listen(world: TankWorld, device: Device) -> Ear:
    ear = Ear()
    party = Party(STRANGER, device)
    world.tank.messaging.switchboard.add(ear, party, device, ["received"])
    return ear


async def let_in(world: TankWorld, device: Device, sender: Device) -> Device:
    """Have a device take what another sends; as a device it has no more rights than others."""
    allowed = {"sendWhitelist": [sender.uuid]}
    await world.join("alice").value_of("tank.devices.change", device.uuid, allowed)
    return world.directory.get_device(device.device_id)


async def outcomes(world: TankWorld, authid: str, *args: Any, **kwargs: Any) -> list[Any]:
    answer = await world.join(authid).value_of("tank.messages.send", *args, **kwargs)
    return [(one["devices"], one["outcome"], one["count"]) for one in answer["receipts"]]


# --- tank.messages.send --------------------------------------------------------------------------


async def test_a_message_reaches_a_device_with_who_sends_and_what_about(
    world: TankWorld, lamp: Device, button: Device
) -> None:
    ear = listen(world, await let_in(world, lamp, button))
    payload = {"color": "red", "text": "二\u2028😀"}
    sent = await outcomes(world, "alice", lamp.uuid, payload, topic="light", sender=button.uuid)
    assert sent == [(lamp.uuid, "delivered", 1)]
    assert ear.heard == [
        {"devices": lamp.uuid, "payload": payload, "topic": "light", "fromUuid": button.uuid}
    ]


async def test_without_a_sender_a_message_is_from_nobody(world: TankWorld, lamp: Device) -> None:
    ear = listen(world, lamp)
    await outcomes(world, "alice", [lamp.uuid], 1)
    assert ear.heard == [{"devices": [lamp.uuid], "payload": 1}]


async def test_each_target_has_a_receipt(world: TankWorld, lamp: Device, button: Device) -> None:
    listen(world, lamp)
    keeper = await world.make_device("Keeper")
    alice = world.join("alice")
    await alice.value_of("tank.devices.change", keeper.uuid, {"keepMessages": True})
    targets = [lamp.uuid, button.uuid, keeper.uuid, "nobody"]
    assert await outcomes(world, "alice", targets, 1) == [
        (lamp.uuid, "delivered", 1),
        (button.uuid, "away", 1),
        (keeper.uuid, "kept", 1),
        ("nobody", "undeliverable", 1),
    ]
    kept = await world.tank.messaging.kept.take(keeper.device_id, NOW, 10)
    assert [b'"payload":1' in message.body for message in kept] == [True]


@pytest.mark.parametrize("targets", ["", [], [""], [5], ["a"] * 1001])
async def test_what_names_nobody_or_too_many_is_refused(world: TankWorld, targets: Any) -> None:
    error = await world.join("alice").error_of("tank.messages.send", targets, 1)
    assert error == "wamp.error.invalid_argument"


async def test_a_message_that_other_wires_could_not_carry_is_refused(
    world: TankWorld, lamp: Device
) -> None:
    ear = listen(world, lamp)
    client = world.join("alice")
    await client.value_of("tank.messages.send", lamp.uuid, "x" * (MESSAGE_BYTES_MAX - 200))
    error = await client.error_of("tank.messages.send", lamp.uuid, "x" * MESSAGE_BYTES_MAX)
    assert error == "wamp.error.invalid_argument"
    assert [len(each["payload"]) for each in ear.heard] == [MESSAGE_BYTES_MAX - 200]


@pytest.mark.parametrize(
    ("authid", "outcome"),
    [
        ("alice", "away"),
        ("root", "away"),
        ("operator", "away"),
        ("key:all", "away"),
        ("key:read", "undeliverable"),
        ("bob", "undeliverable"),
    ],
)
async def test_who_may_not_send_to_a_device_is_told_the_same_as_if_it_were_not_there(
    world: TankWorld, lamp: Device, authid: str, outcome: str
) -> None:
    await world.make_key("all", "get", "put")
    await world.make_key("read", "get")
    assert await outcomes(world, authid, [lamp.uuid, "nobody"], 1) == [
        (lamp.uuid, outcome, 1),
        ("nobody", "undeliverable", 1),
    ]


async def test_strangers_send_nothing_not_even_to_an_open_tank(lamp: Device) -> None:
    world = TankWorld(policy=Policy(is_open=True))
    assert await world.join("stranger").error_of("tank.messages.send", lamp.uuid, 1) == UNKNOWN


async def test_only_who_may_change_a_device_sends_in_its_name(
    world: TankWorld, lamp: Device, button: Device
) -> None:
    await world.make_key("read", "get")
    for authid in ("bob", "key:read"):
        answer = await world.join(authid).call("tank.messages.send", "*", 1, sender=button.uuid)
        assert answer.error == DENIED
    error = await world.join("alice").error_of("tank.messages.send", "*", 1, sender="nobody")
    assert error == "tank.error.no_such_feed"


# --- topics --------------------------------------------------------------------------------------


async def test_messages_to_a_device_are_heard_by_who_may_change_it(
    world: TankWorld, lamp: Device, button: Device
) -> None:
    topic = f"tank.devices.{lamp.uuid}.message"
    alice, bob = world.join("alice"), world.join("bob")
    assert alice.subscribe(topic)
    assert not bob.subscribe(topic)
    await let_in(world, lamp, button)
    await outcomes(world, "alice", lamp.uuid, {"on": True}, sender=button.uuid)
    content = {"devices": lamp.uuid, "payload": {"on": True}, "fromUuid": button.uuid}
    assert await alice.heard() == [([content], {})]
    # What does not reach the device is not told either.
    other = Party(STRANGER, await world.make_device("Other"))
    await send_message(world.tank, other, {"devices": lamp.uuid, "payload": "closed"})
    assert await alice.heard() == []


async def test_what_a_device_broadcasts_is_heard_by_who_may_read_it(
    world: TankWorld, lamp: Device, button: Device
) -> None:
    alice, bob = world.join("alice"), world.join("bob")
    for device in (lamp, button):
        assert alice.subscribe(f"tank.devices.{device.uuid}.broadcast")
    assert bob.subscribe(f"tank.devices.{lamp.uuid}.broadcast")  # public
    assert not bob.subscribe(f"tank.devices.{button.uuid}.broadcast")
    await outcomes(world, "alice", "*", "from lamp", sender=lamp.uuid)
    await outcomes(world, "alice", "*", "from button", sender=button.uuid)
    heard = [args[0]["payload"] for args, _ in await alice.heard()]
    assert heard == ["from lamp", "from button"]
    assert [args[0]["payload"] for args, _ in await bob.heard()] == ["from lamp"]


async def test_presence_is_told_when_the_first_connection_comes_and_the_last_goes(
    world: TankWorld, lamp: Device
) -> None:
    bob = world.join("bob")
    assert bob.subscribe(f"tank.devices.{lamp.uuid}.presence")
    presence = world.tank.messaging.presence
    connections = [Connection("websocket"), Connection("mqtt")]
    for connection in connections:
        presence.connect(lamp, connection)
    assert await bob.heard() == [([True], {})]
    for connection in connections:
        presence.disconnect(lamp, connection)
    assert await bob.heard() == [([False], {})]


# --- properties ----------------------------------------------------------------------------------


async def test_properties_are_set_and_removed_and_the_change_is_told(
    world: TankWorld, lamp: Device
) -> None:
    alice = world.join("alice")
    changed = await alice.value_of(
        "tank.devices.change", lamp.uuid, {"color": "red", "at": [1, {"x": None}]}
    )
    assert changed == {"color": "red", "at": [1, {"x": None}]}
    assert alice.subscribe(f"tank.devices.{lamp.uuid}.updated")
    await world.join("alice").value_of(
        "tank.devices.change", lamp.device_id, {"color": None, "n": 5}
    )
    (event,) = await alice.heard()
    assert event[0][0]["uuid"] == lamp.uuid
    found = await alice.value_of("tank.devices.properties", lamp.uuid)
    assert found == {"at": [1, {"x": None}], "n": 5, "name": "Lamp", "tags": []}


async def test_only_who_may_change_a_device_reads_or_sets_its_properties(
    world: TankWorld, lamp: Device
) -> None:
    await world.make_key("read", "get")
    for authid in ("bob", "key:read"):
        client = world.join(authid)
        assert await client.error_of("tank.devices.properties", lamp.uuid) == DENIED
        assert await client.error_of("tank.devices.change", lamp.uuid, {"a": 1}) == DENIED
    assert await world.join("root").value_of("tank.devices.change", lamp.uuid, {"a": 1}) == {"a": 1}


async def test_properties_that_are_none_are_refused(world: TankWorld, lamp: Device) -> None:
    alice = world.join("alice")
    for wrong in ([], "x", {"a" * 1000: 1}):
        error = await alice.error_of("tank.devices.change", lamp.uuid, wrong)
        assert error in ("wamp.error.invalid_argument", "tank.error.validation_failed")
