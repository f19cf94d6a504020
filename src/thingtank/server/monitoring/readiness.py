"""Whether a server is ready to serve: each thing that it needs, by name.

Alive is less: a server that starts, stops or has lost its database is alive, and starting it anew
would help nobody.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping
from enum import Enum
from typing import Any

import structlog

from thingtank.tank.errors import reason_of

log = structlog.get_logger()

CHECK_S_MAX = 2.0
KEPT_S = 1.0  # an answer stands for so long, so that asking often costs nothing more

Check = Callable[[], Coroutine[Any, Any, bool]]


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
        self._failing: set[str] = set()
        self._under_way: dict[str, asyncio.Future[bool]] = {}
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
        reasons = await asyncio.gather(*map(self._why_not, self._checks))
        for name, reason in zip(self._checks, reasons, strict=True):
            self._log_change(name, reason)
        return {name: name not in self._failing for name in self._checks}

    async def _why_not(self, name: str) -> str:
        """Why a check does not hold; blank if it does."""
        # One that hangs may hold a thread that nobody can stop, so it is not begun a second time.
        under_way = self._under_way.get(name) or self._begun(name)
        try:
            async with asyncio.timeout(CHECK_S_MAX):
                return "" if await asyncio.shield(under_way) else "its own log says why"
        except TimeoutError:
            return f"no answer within {CHECK_S_MAX:g} s"
        except Exception as error:  # noqa: BLE001 - whatever it is, the server is not ready
            return reason_of(error) or type(error).__name__

    def _begun(self, name: str) -> asyncio.Future[bool]:
        check = asyncio.ensure_future(self._checks[name]())
        self._under_way[name] = check

        def end(ended: asyncio.Future[bool]) -> None:
            del self._under_way[name]
            if not ended.cancelled():
                ended.exception()  # who has waited long enough does not ask any more

        check.add_done_callback(end)
        return check

    def _log_change(self, name: str, reason: str) -> None:
        """Tell when a check begins to fail and when it holds again, and not each time between."""
        if reason and name not in self._failing:
            self._failing.add(name)
            log.warning("readiness_lost", check=name, reason=reason)
        elif not reason and name in self._failing:
            self._failing.discard(name)
            log.warning("readiness_recovered", check=name)
