"""Subscriptions that a device keeps: who gets what, while there and while away.

Source: Meshblu 1.18, `/v2/devices/:subscriber/subscriptions/:emitter/:type`; meshblu-http 10.2.
"""

from typing import Any

import pytest
from tests.conformance.skynet.conftest import SkyNet

from thingtank.tank.messaging.stored_subscriptions import (
    SUBSCRIPTIONS_MAX,
    TYPES,
    StoredSubscriptions,
)

Auth = tuple[str, str]


@pytest.fixture
def skynet() -> SkyNet:
    return SkyNet()


async def subscribe(skynet: SkyNet, auth: Auth, emitter: str, kind: str) -> int:
    path = f"/v2/devices/{auth[0]}/subscriptions/{emitter}/{kind}"
    return (await skynet.ask("POST", path, auth=auth)).status_code


async def say(skynet: SkyNet, auth: Auth, devices: Any, payload: Any) -> None:
    body = {"devices": devices, "payload": payload}
    assert (await skynet.ask("POST", "/messages", auth=auth, json=body)).status_code == 200


async def test_they_are_made_listed_and_ended(skynet: SkyNet) -> None:
    auth, emitter = await skynet.made(), await skynet.made()
    path = f"/v2/devices/{auth[0]}/subscriptions"
    for kind in ("broadcast", "config", "broadcast"):
        assert await subscribe(skynet, auth, emitter[0], kind) == 204
    both = [
        {"subscriberUuid": auth[0], "emitterUuid": emitter[0], "type": kind}
        for kind in ("broadcast", "config")
    ]
    assert (await skynet.ask("GET", path, auth=auth)).json() == both
    gone = await skynet.ask("DELETE", f"{path}/{emitter[0]}/config", auth=auth)
    assert gone.status_code == 204
    assert (await skynet.ask("GET", path, auth=auth)).json() == both[:1]
    await subscribe(skynet, auth, "another", "received")
    body = {"emitterUuid": emitter[0]}
    assert (await skynet.ask("DELETE", path, auth=auth, json=body)).status_code == 204
    assert [each["type"] for each in (await skynet.ask("GET", path, auth=auth)).json()] == [
        "received"
    ]
    assert (await skynet.ask("DELETE", path, auth=auth)).status_code == 204
    assert (await skynet.ask("GET", path, auth=auth)).json() == []


@pytest.mark.parametrize("kind", TYPES)
async def test_each_type_is_known(skynet: SkyNet, kind: str) -> None:
    assert await subscribe(skynet, await skynet.made(), "x", kind) == 204


async def test_other_types_are_refused(skynet: SkyNet) -> None:
    assert await subscribe(skynet, await skynet.made(), "x", "everything") == 422


async def test_a_device_has_so_many(skynet: SkyNet) -> None:
    kept = [{"emitterUuid": f"u{number}", "type": "sent"} for number in range(SUBSCRIPTIONS_MAX)]
    auth = await skynet.made(meshblu={"subscriptions": kept})
    assert await subscribe(skynet, auth, "u0", "sent") == 204
    assert await subscribe(skynet, auth, "another", "sent") == 422


@pytest.mark.parametrize("kind", ["broadcast", "broadcast.sent"])
async def test_what_is_broadcast_reaches_who_hears_what_it_receives(
    skynet: SkyNet, kind: str
) -> None:
    auth, emitter = await skynet.made(), await skynet.made()
    ear = skynet.hear(auth[0])
    await say(skynet, emitter, "*", 1)
    await subscribe(skynet, auth, emitter[0].upper(), kind)
    await say(skynet, emitter, "*", 2)
    assert ear.messages == [{"devices": "*", "payload": 2, "fromUuid": emitter[0]}]
    await skynet.ask("DELETE", f"/v2/devices/{auth[0]}/subscriptions", auth=auth)
    await say(skynet, emitter, "*", 3)
    assert len(ear.messages) == 1


async def test_what_is_broadcast_is_kept_for_who_is_away(skynet: SkyNet) -> None:
    auth, emitter = await skynet.made(keepMessages=True), await skynet.made()
    await subscribe(skynet, auth, emitter[0], "broadcast")
    await say(skynet, emitter, "*", 1)
    device = skynet.directory.find_device_by_uuid(auth[0])
    assert device is not None
    assert skynet.kept.count(device.device_id) == 1
    skynet.hear(auth[0])
    await say(skynet, emitter, "*", 2)
    assert skynet.kept.count(device.device_id) == 1


async def test_who_is_subscribed_twice_hears_once(skynet: SkyNet) -> None:
    auth, emitter = await skynet.made(keepMessages=True), await skynet.made()
    for kind in ("broadcast", "broadcast.sent", "sent", "message.sent"):
        await subscribe(skynet, auth, emitter[0], kind)
    ear = skynet.hear(auth[0])
    device = skynet.directory.find_device_by_uuid(emitter[0])
    own = skynet.directory.find_device_by_uuid(auth[0])
    assert device is not None
    assert own is not None
    party = skynet.door.parties.device(*auth, "")
    skynet.tank.messaging.switchboard.add(ear, party, device, ("broadcast",))
    await say(skynet, emitter, "*", 1)
    await say(skynet, emitter, [auth[0], "nobody"], 2)
    assert [message["payload"] for message in ear.messages] == [1, 2]
    assert skynet.kept.count(own.device_id) == 0


@pytest.mark.parametrize("kind", ["sent", "received"])
async def test_what_is_sent_and_received_needs_leave(skynet: SkyNet, kind: str) -> None:
    auth, third = await skynet.made(), await skynet.made()
    emitter = await skynet.made()
    await subscribe(skynet, auth, emitter[0], kind)
    ear = skynet.hear(auth[0])
    sender, target = (emitter, third) if kind == "sent" else (third, emitter)
    await say(skynet, sender, [target[0], "nobody"], 1)
    assert ear.messages == []
    await skynet.ask(
        "PATCH", f"/v2/devices/{emitter[0]}", auth=emitter, json={"receiveAsWhitelist": [auth[0]]}
    )
    await say(skynet, sender, [target[0], "nobody"], 2)
    assert [message["payload"] for message in ear.messages] == [2]
    await skynet.ask(
        "PATCH", f"/v2/devices/{emitter[0]}", auth=emitter, json={"receiveAsWhitelist": []}
    )
    await say(skynet, sender, target[0], 3)
    assert len(ear.messages) == 1


async def test_changes_of_the_record_and_its_end(skynet: SkyNet) -> None:
    auth, emitter = await skynet.made(), await skynet.made(owner="somebody", sendWhitelist=["*"])
    await subscribe(skynet, auth, emitter[0], "config")
    await subscribe(skynet, auth, emitter[0], "unregister.sent")
    ear = skynet.hear(auth[0])
    await skynet.ask("PATCH", f"/v2/devices/{emitter[0]}", auth=emitter, json={"color": "red"})
    await skynet.ask("DELETE", f"/devices/{emitter[0]}", auth=emitter)
    changed, ended = ear.messages
    assert (changed["topic"], changed["payload"]["color"]) == ("config", "red")
    assert changed["fromUuid"] == emitter[0]
    assert not {"owner", "sendWhitelist", "meshblu"} & set(changed["payload"])
    assert ended["topic"] == "unregistered"
    await say(skynet, auth, auth[0], "still")


async def test_data_and_presence_are_broadcast(skynet: SkyNet) -> None:
    auth, emitter = await skynet.made(keepMessages=True), await skynet.made()
    await subscribe(skynet, auth, emitter[0], "broadcast")
    ear = skynet.hear(auth[0])
    await skynet.ask("POST", f"/data/{emitter[0]}", auth=emitter, json={"t": 1})
    await skynet.ask("PUT", f"/devices/{emitter[0]}", auth=emitter, json={"online": True})
    assert [message["payload"] for message in ear.messages] == [{"t": 1}, {"online": True}]


async def test_a_hidden_emitter_is_not_heard_and_not_told_of(closed: SkyNet) -> None:
    auth, emitter = await closed.made(), await closed.made()
    assert await subscribe(closed, auth, emitter[0], "broadcast") == 204
    assert await subscribe(closed, auth, "nobody", "broadcast") == 204
    ear = closed.hear(auth[0])
    await say(closed, emitter, "*", 1)
    assert ear.messages == []


async def test_those_of_devices_that_were_there_before_are_known(skynet: SkyNet) -> None:
    emitter = await skynet.made()
    kept = [
        {"emitterUuid": emitter[0], "type": "broadcast"},
        {"type": "sent"},
        7,
        {"emitterUuid": 1},
    ]
    auth = await skynet.made(meshblu={"subscriptions": kept})
    await skynet.made(meshblu={"subscriptions": "x"})
    later = StoredSubscriptions(skynet.tank.bus, skynet.directory)
    device = skynet.directory.find_device_by_uuid(emitter[0])
    assert device is not None
    assert [each.uuid for each in later.subscribers(device, "broadcast")] == [auth[0]]
    await skynet.ask("DELETE", f"/devices/{auth[0]}", auth=auth)
    assert later.subscribers(device, "broadcast") == []
    assert later.is_empty


@pytest.mark.parametrize("kind", [[], {}, 5, None, "", "everything"])
@pytest.mark.parametrize("emitter", ["x", [], None])
async def test_what_is_none_is_left_out_now_and_at_the_next_start(
    skynet: SkyNet, emitter: Any, kind: Any
) -> None:
    auth = await skynet.made()
    given = {"meshblu": {"subscriptions": [{"emitterUuid": emitter, "type": kind}, 1]}}
    changed = await skynet.ask("PATCH", f"/v2/devices/{auth[0]}", auth=auth, json=given)
    assert changed.status_code == 204
    assert StoredSubscriptions(skynet.tank.bus, skynet.directory).is_empty


@pytest.mark.parametrize("narrowed", [{"emitterUuid": {}}, {"type": []}, {"type": ""}])
async def test_what_cannot_be_read_does_not_end_them_all(
    skynet: SkyNet, narrowed: dict[str, Any]
) -> None:
    auth = await skynet.made()
    await subscribe(skynet, auth, "x", "sent")
    path = f"/v2/devices/{auth[0]}/subscriptions"
    assert (await skynet.ask("DELETE", path, auth=auth, json=narrowed)).status_code == 422
    assert len((await skynet.ask("GET", path, auth=auth)).json()) == 1
