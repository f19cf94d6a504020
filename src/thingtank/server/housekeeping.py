"""What a server does by itself now and then."""

import asyncio

import structlog

from thingtank.tank.access import OPERATOR
from thingtank.tank.actions.retention import apply_retention
from thingtank.tank.tank import Tank

log = structlog.get_logger()

RETENTION_INTERVAL_S = 3600.0
FIRST_AFTER_S = 60.0  # not while devices come back after a restart


class Housekeeping:
    """Applies retention every hour, from `start` to `stop`."""

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
            try:
                count = await apply_retention(self._tank, OPERATOR)
            except Exception:
                log.exception("retention_failed")
            else:
                if count:
                    log.info("retention_applied", datastream_count=count)
            await asyncio.sleep(RETENTION_INTERVAL_S)
