"""A server for each test, and clients of each wire."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from tests.conformance.skynet_sockets.world import WIRES, Client, World


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def make_world() -> AsyncIterator[Callable[..., Awaitable[World]]]:
    """Makes further servers, with settings."""
    made: list[World] = []

    async def make(**settings: Any) -> World:
        made.append(World(**settings))
        await made[-1].start()
        return made[-1]

    yield make
    for world in made:
        await world.stop()


@pytest.fixture(params=WIRES)
async def client(request: pytest.FixtureRequest, world: World) -> Client:
    """A client of each wire, connected."""
    return await WIRES[request.param](world).open()
