"""Messages, over all pairs of wires: who hears what, acknowledgements, answers.

Source: SkyNet and Meshblu, messages, sendMessage, subscribe, messageAck, gatewayConfig.
"""

from typing import Any

import pytest
from tests.conformance.skynet_sockets.world import WIRES, Client, LegacyWebSocket, World

TEXT = "zwei, 二, 😀, \u2028, \ufffd"


async def identified(world: World, wire: str, **properties: Any) -> tuple[Client, str]:
    """A client and its uuid."""
    device = await world.device(**properties)
    client = await WIRES[wire](world).open()
    await client.identify(device)
    return client, device["uuid"]


@pytest.mark.parametrize("hearing", WIRES)
async def test_message_arrives_in_the_shape_of_the_one_who_hears(
    client: Client, world: World, hearing: str
) -> None:
    sender = await world.device()
    await client.identify(sender)
    hearer, uuid = await identified(world, hearing)
    sent = {"devices": uuid, "payload": {"text": TEXT}, "topic": "t", "protocol": "websocket"}
    await client.emit("message", {**sent, "fromUuid": "another", "token": sender["token"]})
    (message,) = await hearer.heard("message")
    expected = {
        "devices": uuid,
        "payload": {"text": TEXT},
        "topic": "t",
        "fromUuid": sender["uuid"],
    }
    if hearer.is_legacy:
        assert message.pop("timestamp") > 1_600_000_000_000
        expected |= {"message": {"text": TEXT}, "api": "message", "eventCode": 300}
    assert message == expected


@pytest.mark.parametrize("name", ["message", "payload"])
async def test_content_is_found_by_the_name_that_each_generation_reads(
    client: Client, world: World, name: str
) -> None:
    device = await world.device()
    await client.identify(device)
    await client.emit("message", {"devices": device["uuid"], name: 5})
    (message,) = await client.heard("message")
    assert message["message" if client.is_legacy else "payload"] == 5


async def test_broadcast_reaches_subscribers_and_nobody_else(client: Client, world: World) -> None:
    device, other = await world.device(), await world.device()
    await client.identify(device)
    subscriber, _ = await identified(world, "4 websocket")
    stranger = await WIRES["0.9 websocket"](world).open()
    bystander, _ = await identified(world, "4 websocket")
    for each in (subscriber, stranger):
        await each.ask("subscribe", {"uuid": device["uuid"]})
    await client.emit("message", {"devices": "*", "payload": 1})
    await client.emit("message", {"devices": ["all", other["uuid"]], "payload": 2})
    for each in (subscriber, stranger):
        assert [(await each.heard("message"))[0]["payload"] for _ in range(2)] == [1, 2]
    await subscriber.ask("unsubscribe", {"uuid": device["uuid"]})
    await client.emit("message", {"devices": "*", "payload": 3})
    assert (await stranger.heard("message"))[0]["payload"] == 3
    for each in (subscriber, bystander, client):
        await each.hears_nothing()


async def test_subscription_with_a_token_hears_what_the_device_hears(
    client: Client, world: World
) -> None:
    device = await world.device()
    await client.ask("subscribe", device)
    sender, _ = await identified(world, "4 websocket")
    await sender.emit("message", {"devices": device["uuid"], "payload": "to it"})
    assert (await client.heard("message"))[0]["payload"] == "to it"


async def test_subscription_without_a_token_hears_broadcasts_alone(
    client: Client, world: World
) -> None:
    device = await world.device()
    await client.ask("subscribe", {"uuid": device["uuid"]})
    sender, _ = await identified(world, "4 websocket")
    await sender.ask("message", {"devices": device["uuid"], "payload": "to it"})
    await client.hears_nothing()


async def test_subscription_may_be_of_some_types_and_topics(client: Client, world: World) -> None:
    device = await world.device()
    sender = await WIRES["4 websocket"](world).open()
    await sender.identify(device)
    wanted = {"uuid": device["uuid"], "types": ["broadcast"], "topics": ["temp*", "-tempo"]}
    await client.ask("subscribe", wanted)
    for topic in ("temp", "tempo", "noise", "temperature"):
        await sender.ask("message", {"devices": "*", "payload": 1, "topic": topic})
    heard = [(await client.heard("message"))[0]["topic"] for _ in range(2)]
    assert heard == ["temp", "temperature"]
    await client.hears_nothing()


async def test_subscriptions_of_a_connection_are_bounded(make_world: Any) -> None:
    world = await make_world(subscriptions_max=2)
    client, _ = await identified(world, "4 websocket")  # which hears itself
    assert "result" in await client.ask("subscribe", {"uuid": (await world.device())["uuid"]})
    answer = await client.ask("subscribe", {"uuid": (await world.device())["uuid"]})
    assert answer["error"]["message"] == "a connection may subscribe to 2 devices"


async def test_device_is_told_of_changes_of_its_record(client: Client, world: World) -> None:
    device = await world.device()
    await client.identify(device)
    watcher, _ = await identified(world, "4 websocket")
    await watcher.ask("subscribe", {"uuid": device["uuid"], "types": ["config"]})
    await client.emit("update", {"uuid": device["uuid"], "colour": "red", "sendWhitelist": ["x"]})
    (record,) = await client.heard("config")
    assert (record["colour"], record["sendWhitelist"]) == ("red", ["x"])
    assert "token" not in record
    (shown,) = await watcher.heard("config")
    assert shown["colour"] == "red"
    assert "sendWhitelist" not in shown


async def test_data_is_told_to_who_subscribed_to_it(client: Client, world: World) -> None:
    device = await world.device()
    sender = await WIRES["4 websocket"](world).open()
    await sender.identify(device)
    await client.ask("subscribe", {"uuid": device["uuid"], "types": ["data"]})
    await sender.emit("data", {"temperature": 21.5})
    assert (await client.heard("data"))[0] == {"temperature": 21.5}


async def test_device_may_want_the_payload_alone(client: Client, world: World) -> None:
    device = await world.device(payloadOnly=True)
    await client.identify(device)
    await client.emit("message", {"devices": device["uuid"], "payload": {"only": TEXT}})
    assert (await client.heard("message"))[0] == {"only": TEXT}


async def test_json_in_a_text_is_a_message(client: Client, world: World) -> None:
    device = await world.device()
    await client.identify(device)
    await client.emit("message", f'{{"devices":"{device["uuid"]}","payload":1}}')
    await client.emit("message", "no JSON")
    assert (await client.heard("message"))[0]["payload"] == 1
    await client.hears_nothing()


@pytest.mark.parametrize("kind", ["3", "4"])
async def test_plain_send_of_early_clients_is_a_message(world: World, kind: str) -> None:
    client, uuid = await identified(world, "0.9 websocket")
    await client.send_packet(f'{kind}:::{{"devices":"{uuid}","message":1}}')
    assert (await client.heard("message"))[0]["message"] == 1


class TestAnswersOfRecipients:
    async def test_early_callback_gets_what_the_recipient_answers(self, world: World) -> None:
        sender, _ = await identified(world, "0.9 websocket")
        hearer, uuid = await identified(world, "0.9 xhr-polling")
        await sender.send_packet(sender.event("message", ({"devices": uuid, "message": 1},), 7))
        ack, name, (message,) = await hearer.heard_to_acknowledge()
        assert (name, message["message"]) == ("message", 1)
        for answer in ({"is": "done"}, "too late"):
            await hearer.send_packet(hearer.acknowledgement(ack, [answer]))
        assert await sender.acknowledged(7) == [{"is": "done"}]
        await sender.hears_nothing()
        assert sender.acks_left() == []

    async def test_early_callback_is_called_when_nobody_will_answer(self, world: World) -> None:
        sender, _ = await identified(world, "0.9 websocket")
        _, later = await identified(world, "4 websocket")
        away = (await world.device())["uuid"]
        for uuid, result in ((later, True), (away, False), ("nope", False)):
            answer = await sender.ask("message", {"devices": uuid, "message": 1})
            assert answer == {"api": "message", "result": result}

    async def test_recipient_that_never_answers_is_not_waited_for(
        self, make_world: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("thingtank.doors.skynet.sockets.relays.ANSWER_US_MAX", 1)
        world = await make_world()
        sender, _ = await identified(world, "0.9 websocket")
        _, uuid = await identified(world, "0.9 websocket")
        assert await sender.ask("message", {"devices": uuid, "message": 1}) == {
            "error": "timeout 10000"
        }

    async def test_the_wish_for_receipts_is_not_delivered(self, world: World) -> None:
        client, device = await WIRES["4 websocket"](world).open(), await world.device()
        await client.identify(device)
        asked = {"devices": device["uuid"], "payload": 1, "receipts": True, "receipt": True}
        assert (await client.ask("message", asked))["receipts"][0]["outcome"] == "delivered"
        (message,) = await client.heard("message")
        assert message == {"devices": device["uuid"], "payload": 1, "fromUuid": device["uuid"]}

    async def test_number_in_a_message_asks_for_an_answer(
        self, client: Client, world: World
    ) -> None:
        device = await world.device()
        await client.identify(device)
        for wire in ("0.9 websocket", "4 websocket"):
            hearer, uuid = await identified(world, wire)
            await client.emit("message", {"devices": uuid, "payload": 1, "ack": 12})
            (message,) = await hearer.heard("message")
            assert message["ack"] == 12
            answer = {"devices": message["fromUuid"], "ack": 12, "payload": {"is": TEXT}}
            await hearer.emit("messageAck", {**answer, "other": "member"})
            assert await client.heard("messageAck") == [{**answer, "fromUuid": uuid}]

    async def test_number_is_left_out_for_many(self, world: World) -> None:
        sender, own = await identified(world, "4 websocket")
        hearer, uuid = await identified(world, "4 websocket")
        await hearer.ask("subscribe", {"uuid": own})
        for devices in ("*", [uuid, own]):
            await sender.ask("message", {"devices": devices, "payload": 1, "ack": 12})
            assert "ack" not in (await hearer.heard("message"))[0]

    async def test_answers_are_neither_kept_nor_logged(self, world: World) -> None:
        sender, _ = await identified(world, "4 websocket")
        device = await world.device(keepMessages=True)
        await sender.ask("messageAck", {"devices": device["uuid"], "ack": 1, "payload": 2})
        found = world.tank.directory.find_device_by_uuid(device["uuid"])
        assert found is not None
        assert world.tank.messaging.kept.count(found.device_id) == 0
        events = await world.tank.messaging.events.read(found.device_id, 10)
        assert [event.code for event in events] == [400]

    async def test_early_gateway_answers_by_its_callback(self, world: World) -> None:
        gateway, uuid = await identified(world, "0.9 websocket", type="gateway")
        asker, own = await identified(world, "0.9 websocket")
        asked = {"uuid": uuid, "method": "configurationDetails", "name": "lamp"}
        await asker.send_packet(asker.event("gatewayConfig", (asked,), 1))
        ack, name, (request,) = await gateway.heard_to_acknowledge()
        expected = {"devices": uuid, "method": "configurationDetails", "name": "lamp"}
        assert (name, request) == ("config", {**expected, "fromUuid": own})
        await gateway.send_packet(gateway.acknowledgement(ack, [{"options": []}]))
        assert await asker.acknowledged(1) == [{"options": []}]

    async def test_later_gateway_answers_by_an_event(self, world: World) -> None:
        gateway, uuid = await identified(world, "4 websocket", type="gateway")
        asker, own = await identified(world, "4 websocket")
        assert await asker.ask("gatewayConfig", {"uuid": uuid, "method": "m", "ack": 3}) is None
        (request,) = await gateway.heard("config")
        assert request == {"devices": uuid, "method": "m", "ack": 3, "fromUuid": own}
        await gateway.emit("gatewayConfigAck", {"devices": own, "ack": 3, "payload": 4})
        expected = {"devices": own, "ack": 3, "payload": 4, "fromUuid": uuid}
        assert await asker.heard("messageAck") == [expected]


async def test_text_is_broadcast_as_it_is(client: Client, world: World) -> None:
    device = await world.device()
    await client.ask("subscribe", {"uuid": device["uuid"]})
    sender = await WIRES["4 websocket"](world).open()
    await sender.identify(device)
    assert (await client.heard("message"))[0]["topic"] == "device-status"
    await sender.emit("tb", TEXT)
    assert await client.heard("tb") == [TEXT]


async def test_early_acknowledgements_have_no_line_ends_of_javascript(world: World) -> None:
    client = await LegacyWebSocket(world).open()
    assert isinstance(client, LegacyWebSocket)
    await client.identify(await world.device(name="a\u2028b\u2029c"))
    await client.ws.send('5:1+::{"name":"whoami"}')
    packet = await client.ws.recv()
    assert isinstance(packet, str)
    assert r'"name":"a\u2028b\u2029c"' in packet
    assert not {"\u2028", "\u2029"} & set(packet)
