"""A server for each test, and clients of each wire."""

from collections.abc import AsyncIterator

import pytest
from tests.conformance.skynet_sockets.world import WIRES, Client, World


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    await made.start()
    yield made
    await made.stop()


@pytest.fixture(params=WIRES)
async def client(request: pytest.FixtureRequest, world: World) -> Client:
    """A client of each wire, connected."""
    return await WIRES[request.param](world).open()
