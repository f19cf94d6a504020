"""How pages wait for the tank."""

import asyncio
from typing import Any

import pytest

from thingtank.stores.memory_archive import MemoryArchive
from thingtank.stores.memory_directory import MemoryDirectory
from thingtank.tank.errors import Unavailable
from thingtank.tank.tank import Tank
from thingtank.web import tank_access


async def test_an_action_that_takes_too_long_is_not_broken_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tank_access, "ACTION_S_MAX", 0.01)
    monkeypatch.setattr(tank_access, "_attached", None)
    tank_access.attach(Tank(MemoryDirectory(), MemoryArchive()), lambda: None)
    answered, done = asyncio.Event(), asyncio.Event()

    async def action() -> None:
        await answered.wait()
        done.set()

    def page() -> Any:
        return tank_access.run(action())

    with pytest.raises(Unavailable, match="whether it has happened"):
        await asyncio.to_thread(page)
    answered.set()
    async with asyncio.timeout(10):
        await done.wait()
