"""Looks now and then whether the database still holds this process's lock."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from thingtank.web.database.server_lock import ServerLock

# Far below the time after which any server closes a connection that says nothing.
RENEW_EVERY_S = 15.0


def keep_renewing(lock: "ServerLock") -> Callable[[], Awaitable[None]]:
    """Begin; what is returned ends it."""
    task = asyncio.create_task(_renew(lock), name="database-lock")

    async def stop() -> None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    return stop


async def _renew(lock: "ServerLock") -> None:
    while True:
        await asyncio.sleep(RENEW_EVERY_S)
        await asyncio.to_thread(lock.renew)
