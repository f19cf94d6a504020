"""What a server does by itself now and then."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from thingtank.tank.access import OPERATOR, Caller
from thingtank.tank.actions.leftovers import delete_leftovers, forget_gone_accounts
from thingtank.tank.actions.retention import apply_retention
from thingtank.tank.tank import Tank

log = structlog.get_logger()

INTERVAL_S = 3600.0
FIRST_AFTER_S = 60.0  # not while devices come back after a restart


class Housekeeping:
    """Applies retention and clears leftovers away, every hour, from `start` to `stop`."""

    def __init__(self, tank: Tank) -> None:
        self._tank = tank
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._run(), name="housekeeping")

    async def stop(self) -> None:
        """End; what is under way is broken off, and done the next time."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        await asyncio.sleep(FIRST_AFTER_S)
        while True:
            await self._do("retention_applied", "retention_failed", apply_retention)
            await self._do("leftovers_deleted", "leftovers_failed", delete_leftovers)
            await self._do("gone_accounts_forgotten", "forgetting_failed", forget_gone_accounts)
            await asyncio.sleep(INTERVAL_S)

    async def _do(
        self, done: str, failed: str, duty: Callable[[Tank, Caller], Awaitable[int]]
    ) -> None:
        """Carry out a duty that answers of how many things it has deleted something."""
        try:
            count = await duty(self._tank, OPERATOR)
        except Exception:
            log.exception(failed)
        else:
            if count:
                log.info(done, count=count)
