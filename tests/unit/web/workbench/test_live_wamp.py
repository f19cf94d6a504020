"""A topic that a page listens to: how its stream ends when the router lets nobody in, or fails."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest

from thingtank.protocols.wamp.errors import NoSuchRealm
from thingtank.protocols.wamp.router_facts import Outcome
from thingtank.stores.memory_archive import MemoryArchive
from thingtank.stores.memory_directory import MemoryDirectory
from thingtank.tank.access import Caller
from thingtank.tank.tank import Tank
from thingtank.web.workbench.live_wamp import listening


class Heard:
    """A topic whose events cannot be shown, for a bug of ours."""

    subscribed = Outcome("SUBSCRIBED", 1)
    session_id = 7
    heard_count = 0
    farewell = None

    def take(self, count_max: int) -> list[Any]:
        raise KeyError("a bug")


class Router:
    """Has one realm."""

    def listen(self, realm: str, *asked: Any) -> AbstractAsyncContextManager[Heard]:
        @asynccontextmanager
        async def listen() -> AsyncIterator[Heard]:
            if realm != "realm1":
                raise NoSuchRealm.of(realm)
            yield Heard()

        return listen()


def listen(realm: str) -> AsyncIterator[bytes]:
    directory = MemoryDirectory()
    caller = Caller(directory.add_account("ann"))
    terms = {"realm": realm, "topic": "a"}
    tank = Tank(directory, MemoryArchive())
    return listening(tank, Router(), caller, terms, asyncio.Event())  # type: ignore[arg-type] # a double in its place


async def test_who_asks_for_a_realm_that_is_not_there_is_told_so() -> None:
    (told,) = [chunk async for chunk in listen("nowhere")]
    assert told.startswith(b"event: gone\n")
    assert b"There is no such realm for you." in told


async def test_a_bug_while_events_are_shown_is_not_told_as_a_realm_that_is_not_there() -> None:
    chunks = listen("realm1")
    assert b"event: hello\n" in await anext(chunks)
    with pytest.raises(KeyError, match="a bug"):
        await anext(chunks)
