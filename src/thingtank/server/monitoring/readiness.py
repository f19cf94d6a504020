"""Whether a server is ready to serve: each thing that it needs, by name.

Alive is less: a server that starts, stops or has lost its database is alive, and starting it anew
would help nobody.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from enum import Enum

import structlog

log = structlog.get_logger()

CHECK_S_MAX = 2.0
KEPT_S = 1.0  # an answer stands for so long, so that asking often costs nothing more

Check = Callable[[], Awaitable[bool]]


class Phase(Enum):
    """Where in its life a server is."""

    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"


class Readiness:
    """Lives in the loop's thread.

    Attributes:
        phase: set by who starts and stops the server.
    """

    def __init__(self) -> None:
        """Begin without checks."""
        self.phase = Phase.STARTING
        self._checks: dict[str, Check] = {}
        self._asking: asyncio.Task[Mapping[str, bool]] | None = None
        self._asked_s = 0.0

    def add(self, name: str, check: Check) -> None:
        """Have a server ready only while a check holds."""
        self._checks[name] = check

    async def results(self) -> Mapping[str, bool]:
        """Each check by name, as it is or was a moment ago."""
        now_s = time.monotonic()
        if self._asking is None or (self._asking.done() and now_s - self._asked_s > KEPT_S):
            self._asked_s = now_s
            self._asking = asyncio.create_task(self._ask(), name="readiness")
        # Who asks may go away; the others still wait for the same answer.
        return await asyncio.shield(self._asking)

    async def _ask(self) -> Mapping[str, bool]:
        results = await asyncio.gather(*(_hold(*each) for each in self._checks.items()))
        return dict(zip(self._checks, results, strict=True))


async def _hold(name: str, check: Check) -> bool:
    try:
        async with asyncio.timeout(CHECK_S_MAX):
            return await check()
    except TimeoutError:
        return False
    except Exception as error:  # noqa: BLE001 - whatever it is, the server is not ready
        log.warning("readiness_check_failed", check=name, reason=str(error))
        return False
