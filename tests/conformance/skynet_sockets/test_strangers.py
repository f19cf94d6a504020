"""An open server is open to its own machine: who comes from elsewhere says who it is, or is out."""

from typing import Any

import pytest
from tests.conformance.skynet_sockets.test_raw_websocket import UNAUTHORIZED, Raw, error
from tests.conformance.skynet_sockets.world import WIRES, World

ELSEWHERE = [
    ("127.0.0.1", {"X-Forwarded-For": "192.0.2.1"}),
    ("127.0.0.1", {"Via": "1.1 proxy"}),
    ("tank.example", {}),
]


@pytest.fixture(params=ELSEWHERE, ids=str)
def asked_from(request: pytest.FixtureRequest, world: World) -> World:
    """An open server that is asked through a proxy, or by a name that may be anybody's."""
    world.host, world.sent = request.param
    return world


@pytest.mark.parametrize("wire", WIRES)
async def test_who_comes_from_elsewhere_must_say_who_it_is(asked_from: World, wire: str) -> None:
    device = await asked_from.device(name="lamp")
    client = await WIRES[wire](asked_from).open()
    await client.emit("identity", {})
    (refused,) = await client.heard("notReady")
    assert refused["status"] == 401
    for name, asked in QUESTIONS.items():
        answer = await client.ask(name, {**asked, "uuid": device["uuid"]})
        assert "lamp" not in str(answer), name
        assert "error" in answer or answer["result"] is False, name
    await client.identify(device)


QUESTIONS: dict[str, Any] = {
    "register": {},
    "whoami": {},
    "devices": {},
    "subscribe": {},
    "message": {"devices": "*", "payload": 1},
}


async def test_so_it_is_on_meshblus_websocket(asked_from: World) -> None:
    raw = await Raw(asked_from).open()
    assert await raw.ask("register", {}) == error("unauthorized", 401, "register", {})
    assert await raw.ask("identity", {}) == ["notReady", UNAUTHORIZED]
    await raw.identify(await asked_from.device())
    (name, made) = await raw.ask("register", {})
    assert (name, "token" in made) == ("registered", True)


async def test_an_open_server_that_says_so_lets_everybody_in(make_world: Any) -> None:
    world = await make_world(open_access="always")
    world.host, world.sent = "tank.example", {"X-Forwarded-For": "192.0.2.1"}
    client = await WIRES["4 websocket"](world).open()
    await client.emit("identity", {})
    (ready,) = await client.heard("ready")
    assert ready["token"]
