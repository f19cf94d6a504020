"""Messages over MQTT: who gets which, on which topic, in which QoS."""

import json
from typing import Any

import pytest
from tests.conformance.mqtt import octets
from tests.conformance.mqtt.octets import Kind, Version, Will
from tests.unit.doors.skynet.mqtt_topics.world import Client, World

from thingtank.protocols.mqtt.messages import Message as Publication
from thingtank.tank.access import Caller
from thingtank.tank.actions.keys import create_key
from thingtank.tank.keys import ACCESS_METHODS, ApiKey, Permission, Resource


@pytest.fixture
async def world() -> World:
    return World()


def message(content: dict[str, Any]) -> dict[str, Any]:
    return {"topic": "message", "data": content}


@pytest.mark.parametrize("version", [3, 4, 5])
async def test_a_message_is_stamped_and_comes_to_the_devices_topic(
    world: World, version: Version
) -> None:
    sender, receiver = await world.device(), await world.device()
    sending = await world.client(sender, version=version)
    hearing = await world.hearing(receiver, version=version)
    sending.publish(
        "message",
        {
            "devices": [receiver["uuid"]],
            "payload": {"on": True},
            "fromUuid": "somebody else",
            "token": sender["token"],
            "callbackId": "c1",
            "protocol": "mqtt",
        },
    )
    content = {
        "devices": [receiver["uuid"]], "payload": {"on": True}, "fromUuid": sender["uuid"]
    }  # fmt: skip
    assert hearing.heard() == [(receiver["uuid"], message(content))]
    assert sending.heard() == []  # nothing is said to a message


async def test_what_stands_behind_connect_in_one_segment_is_done_in_order(world: World) -> None:
    device = await world.device()
    client = Client(world, version=3)
    content = {"devices": device["uuid"], "message": "to myself"}
    more = octets.subscribe(3, 1, [(device["uuid"], 0)])
    more += octets.publish(3, "message", json.dumps(content).encode())
    await client.come(device, more)
    content |= {"payload": "to myself", "fromUuid": device["uuid"]}
    assert await client.hears() == [(device["uuid"], message(content))]


async def test_a_name_of_level_3_with_level_4_and_a_client_id_of_36_characters(
    world: World,
) -> None:
    device = await world.device()
    lenient = Client(world, name="MQIsdp", level=4)
    await lenient.come(device)
    assert lenient.connack.reason_code == 0
    long = Client(world, version=3, client_id=device["uuid"])
    await long.come(device)
    assert long.connack.reason_code == 0


async def test_a_broadcast_comes_to_those_who_listen_and_to_no_topic_else(world: World) -> None:
    sender, listener = await world.device(), await world.device()
    sending = await world.hearing(sender)
    listening = await world.hearing(listener)
    assert listening.subscribe(f"{sender['uuid']}_bc") == (0,)
    sending.publish("message", {"devices": "*", "payload": 1, "topic": "t"})
    content = {"devices": "*", "payload": 1, "topic": "t", "fromUuid": sender["uuid"]}
    assert listening.heard() == [(f"{sender['uuid']}_bc", message(content))]
    assert sending.heard() == []


async def test_who_may_not_receive_hears_no_broadcast_and_is_not_told_so(world: World) -> None:
    sender = await world.device(receiveWhitelist=[])
    listener = await world.device()
    sending, listening = await world.client(sender), await world.client(listener)
    asked = [f"{sender['uuid']}_bc", f"{'0' * 36}_bc", "nobody_bc", f"{sender['uuid']}_tb"]
    assert listening.subscribe(*asked) == (0, 0, 0, 0)
    sending.publish("message", {"devices": "*", "payload": 1})
    sending.publish("tb", b"text")
    assert listening.heard() == []


async def test_a_right_counts_at_each_delivery(world: World) -> None:
    sender, listener = await world.device(), await world.device()
    sending, listening = await world.client(sender), await world.client(listener)
    listening.subscribe(f"{sender['uuid']}_bc")
    sending.publish("update", {"receiveWhitelist": []})
    sending.publish("message", {"devices": "*", "payload": 1})
    assert listening.heard() == []
    sending.publish("update", {"receiveWhitelist": [listener["uuid"]]})
    sending.publish("message", {"devices": "*", "payload": 2})
    assert [content["data"]["payload"] for _, content in listening.heard()] == [2]


async def test_a_device_that_is_made_later_is_heard_by_who_waits_for_it(world: World) -> None:
    listener = await world.device()
    listening = await world.client(listener)
    listening.subscribe("door-7_bc")
    sender = await world.device(uuid="door-7")
    (await world.client(sender)).publish("message", {"devices": "*", "payload": 1})
    statuses = [content["data"]["payload"] for _, content in listening.heard()]
    assert statuses == [{"online": True}, 1]


async def test_a_uuid_that_a_client_chose_comes_in_by_its_token_and_hears_its_topic(
    world: World,
) -> None:
    device = await world.device(uuid="Door-7", token="secret")
    hearing = await world.hearing(device)
    await world.send("Door-7", "Door-7", payload=1)
    assert [topic for topic, _ in hearing.heard()] == ["Door-7"]


async def test_nobody_else_can_publish_to_the_topic_of_a_device(world: World) -> None:
    device = await world.device(uuid="door-7")
    stranger = await world.client(client_id="stranger", version=5)
    hearing = await world.hearing(device)
    hearing.subscribe("door-7_bc")
    for topic in ("door-7", "door-7_bc", "door-7_tb", f"{'0' * 36}_bc"):
        stranger.publish(topic, message({"payload": "forged"}), qos=1)
        assert stranger.packets.pop().reason_code == 0x87
        # As the bridge from WAMP does.
        world.broker.publish(Publication(topic, b'{"topic":"message","data":"forged"}'))
    assert hearing.heard() == []


async def test_who_may_update_a_device_can_publish_to_its_topic_as_it_is(world: World) -> None:
    device = await world.device()
    hearing, other = await world.hearing(device), await world.client(device, client_id="other")
    other.publish(device["uuid"], b"as it is")
    assert hearing.heard() == [(device["uuid"], b"as it is")]


async def test_rules_of_the_settings_come_first() -> None:
    acl = [
        {"principals": ["device:*"], "topic": "message", "deny": "publish"},
        {"principals": ["device:*"], "topic": "secret_bc", "deny": "subscribe"},
        {"principals": ["*"], "topic": "#", "allow": "both"},
    ]
    world = World(acl=acl)
    device = await world.device()
    client = await world.hearing(device, version=5)
    client.publish("message", {"devices": device["uuid"], "payload": 1}, qos=1)
    assert client.packets.pop().reason_code == 0x87
    assert client.subscribe("secret_bc", "other_bc") == (0x87, 0)
    assert client.heard() == []
    other = await world.device(uuid="lamp")
    assert client.subscribe("lamp", "lamp_bc", other["uuid"]) == (0x87, 0, 0x87)


@pytest.mark.parametrize(
    ("asked", "granted", "got"),
    [
        (0, 2, 0),
        (1, 2, 1),
        (2, 2, 2),
        (2, 1, 1),
        (None, 1, 1),
        (None, 0, 0),
        ("1", 1, 1),
        (7, 1, 1),
    ],
)
async def test_a_message_comes_in_the_qos_that_it_asks_for_up_to_the_subscriptions(
    world: World, asked: Any, granted: int, got: int
) -> None:
    device = await world.device()
    hearing = await world.client(device)
    hearing.subscribe(device["uuid"], qos=granted)
    content = {} if asked is None else {"qos": asked}
    await world.send(device["uuid"], device["uuid"], payload=1, **content)
    world.door._flush()
    assert [each.qos for each in hearing.packets if each.kind == Kind.PUBLISH] == [got]


async def test_a_device_that_wants_payloads_only_gets_no_more(world: World) -> None:
    device = await world.device(payloadOnly=True)
    hearing = await world.hearing(device)
    await world.send(device["uuid"], device["uuid"], payload={"a": 1})
    assert hearing.events() == [("message", {"a": 1})]


async def test_texts_are_broadcast_as_they_are_and_sent_to_one_as_an_event(world: World) -> None:
    sender, receiver = await world.device(), await world.device()
    sending, hearing = await world.client(sender), await world.hearing(receiver)
    hearing.subscribe(f"{sender['uuid']}_tb", f"{sender['uuid']}_bc")
    sending.publish("tb", b"good morning")
    assert hearing.heard() == [(f"{sender['uuid']}_tb", b"good morning")]
    sending.publish("directText", {"devices": receiver["uuid"], "payload": "psst"})
    assert hearing.events() == [("tb", "psst")]


async def test_an_acknowledgement_goes_back_to_who_asked_for_it(world: World) -> None:
    asker, answerer = await world.device(), await world.device()
    asking, answering = await world.hearing(asker), await world.hearing(answerer)
    asking.publish("message", {"devices": answerer["uuid"], "payload": "?", "ack": 7})
    [(_, asked)] = answering.events()
    assert (asked["ack"], asked["fromUuid"]) == (7, asker["uuid"])
    answering.publish("messageAck", {"devices": asker["uuid"], "ack": 7, "payload": "!"})
    answer = {
        "devices": asker["uuid"], "ack": 7, "payload": "!", "fromUuid": answerer["uuid"]
    }  # fmt: skip
    assert asking.events() == [("messageAck", answer)]


async def test_a_gateway_is_asked_to_configure_and_answers_itself(world: World) -> None:
    asker, gateway = await world.device(), await world.device(type="gateway")
    asking, serving = await world.hearing(asker), await world.hearing(gateway)
    request = {"uuid": gateway["uuid"], "method": "configure", "ack": 3}
    asking.publish("gatewayConfig", request)
    [(event, asked)] = serving.events()
    assert (event, asked["method"], asked["ack"]) == ("config", "configure", 3)
    serving.disconnect()
    asking.publish("gatewayConfig", request)
    error = {"message": "Device not found", "code": 404}
    assert asking.events() == [("messageAck", {"ack": 3, "payload": {"error": error}})]


async def test_a_changed_record_and_an_end_come_to_the_device(world: World) -> None:
    device = await world.device(name="Lamp")
    hearing = await world.hearing(device)
    hearing.publish("update", {"color": "red"})
    [(event, record)] = hearing.events()
    assert (event, record["name"], record["color"]) == ("config", "Lamp", "red")
    assert "token" not in record


async def test_a_will_is_a_message_of_the_device(world: World) -> None:
    dying, friend = await world.device(), await world.device()
    hearing = await world.hearing(friend)
    content = {"devices": friend["uuid"], "payload": "gone", "fromUuid": "forged"}
    will = Will("message", json.dumps(content).encode())
    (await world.client(dying, will=will)).lose()
    [(_, got)] = hearing.events()
    assert (got["payload"], got["fromUuid"]) == ("gone", dying["uuid"])


async def test_these_topics_are_like_others_for_who_is_no_device(world: World) -> None:
    device = await world.device()
    hearing = await world.hearing(device)
    user = await world.client(client_id="user")
    user.subscribe("message", "whoami")
    for _ in range(2):  # by all rules, and in the plainest form
        user.publish("message", {"devices": device["uuid"], "payload": "none of its"})
        user.publish("whoami", b"text", retain=True)
    assert [topic for topic, _ in user.heard()] == ["message", "whoami"] * 2
    assert hearing.heard() == []
    (await world.client(device, client_id="another")).publish("whoami", {}, retain=True)
    assert user.heard() == []


async def test_an_account_that_may_update_a_device_hears_along_and_others_do_not(
    world: World,
) -> None:
    device = await world.device()
    stranger = world.directory.add_account("bob")
    heard = []
    for account in (world.account, stranger):
        draft = ApiKey(0, account.account_id, "all", (Permission(ACCESS_METHODS),))
        _, secret = await create_key(world.tank, Caller(account), draft)
        client = await world.client({"uuid": "", "token": secret}, client_id=account.login)
        client.subscribe(device["uuid"])
        heard.append(client)
    sent = await world.send(device["uuid"], device["uuid"], payload=1)
    assert sent.receipts[0].outcome == "away"  # it is not the device that listens
    assert [event for event, _ in heard[0].events()] == ["message"]
    assert heard[1].heard() == []


async def test_a_key_that_only_updates_a_device_is_not_the_device(world: World) -> None:
    device = await world.device()
    device_id = world.found(device["uuid"]).device_id
    permission = Permission(("get", "put"), (Resource(device_id),))
    draft = ApiKey(0, world.account.account_id, "some", (permission,))
    _, secret = await create_key(world.tank, Caller(world.account), draft)
    client = await world.client({**device, "token": secret}, version=5)
    assert not world.tank.messaging.presence.is_online(device_id)
    user = await world.client(client_id="user")
    user.subscribe("message", device["uuid"])
    client.publish("message", {"devices": device["uuid"], "payload": 1}, qos=1)
    assert client.packets.pop().reason_code == 0x87
    assert user.heard() == []
    assert client.subscribe(device["uuid"], "other_bc") == (0, 0x87)
    await world.send(device["uuid"], device["uuid"], payload=2)
    assert [data["payload"] for _, data in client.events()] == [2]  # it may hear along


@pytest.mark.parametrize("is_open", [True, False])
async def test_a_stranger_hears_what_anybody_may(is_open: bool) -> None:
    world = World(is_open=is_open)
    device = await world.device()
    stranger = await world.client(client_id="stranger")
    stranger.subscribe(device["uuid"], f"{device['uuid']}_bc")
    await world.send(device["uuid"], device["uuid"], payload="to itself")
    await world.send(device["uuid"], "*", payload="to all")
    assert [topic for topic, _ in stranger.heard()] == [f"{device['uuid']}_bc"] * is_open


async def test_nothing_is_retained(world: World) -> None:
    device = await world.device()
    sending = await world.client(device, client_id="sending")
    sending.publish("message", {"devices": device["uuid"], "payload": 1}, retain=True)
    hearing = await world.hearing(device)
    hearing.subscribe("message", f"{device['uuid']}_bc")
    assert hearing.heard() == []


async def test_unsubscribed_is_not_heard_and_subscribed_again_is_heard_once(world: World) -> None:
    device = await world.device()
    hearing = await world.hearing(device)
    hearing.subscribe(device["uuid"])
    await world.send(device["uuid"], device["uuid"], payload=1)
    assert len(hearing.heard()) == 1
    hearing.send(octets.unsubscribe(4, 9, [device["uuid"]]))
    await world.send(device["uuid"], device["uuid"], payload=2)
    assert hearing.heard() == []
    assert not world.tank.messaging.switchboard.has_listeners(
        "received", world.found(device["uuid"]).device_id
    )
