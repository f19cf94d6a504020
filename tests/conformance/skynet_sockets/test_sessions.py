"""Connecting and saying who one is, over each wire."""

from tests.conformance.skynet_sockets.world import Client, World


async def test_device_identifies_with_its_token(client: Client, world: World) -> None:
    device = await world.device(name="lamp")
    ready = await client.identify(device)
    assert ready == {"api": "connect", "status": 201, "socketid": client.socket_id, **device}


async def test_device_hears_what_is_sent_to_it(client: Client, world: World) -> None:
    device = await world.device(name="lamp")
    await client.identify(device)
    await client.emit("message", {"devices": device["uuid"], "payload": {"a": "二😀"}})
    (message,) = await client.heard("message")
    assert message["payload"] == {"a": "二😀"}
