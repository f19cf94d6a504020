"""An account's weather simulator, told to its pages every second by server-sent events."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import msgspec

from thingtank.tank.access import Caller
from thingtank.tank.tank import Tank
from thingtank.web.workbench import simulators
from thingtank.web.workbench.router_streams import (
    RouterStreams,
    Terms,
    each_second,
    is_as_before,
)

SIMULATOR_PREFIX = "/live/simulator/"


def simulator_streams(tank: Tank) -> RouterStreams:
    """The ASGI app that serves them."""
    return RouterStreams(
        SIMULATOR_PREFIX,
        lambda caller: simulators.simulators() is not None,
        lambda *asked: _states(tank, *asked),
        {},
    )


def _states(
    tank: Tank, caller: Caller, terms: Terms, stopping: asyncio.Event
) -> AsyncGenerator[bytes, None]:
    """Its state, until `stopping` is set."""
    account = caller.account
    assert account is not None, "streams are for who is signed in"

    def look(is_first: bool) -> dict[str, Any] | None:
        known = simulators.simulators()
        if known is None or not is_as_before(tank, caller):
            return None
        state: dict[str, Any] = msgspec.to_builtins(known.state(account.account_id))
        return state

    return each_second(look, stopping)
