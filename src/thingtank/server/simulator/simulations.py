"""Runs the accounts' simulators, one for each, until they are stopped or the server is.

None starts by itself: after a restart of the server they stand still until somebody starts them.
"""

import asyncio
from functools import partial

import msgspec
import structlog

from thingtank.server.simulator.device import StationDevice, ensure_station_device
from thingtank.simulator.feed_writer import FeedWriter, WriteFailed
from thingtank.simulator.station import Progress, Station
from thingtank.simulator.weather import Weather
from thingtank.tank.access import Caller
from thingtank.tank.errors import LimitReached, Unauthenticated
from thingtank.tank.tank import Tank
from thingtank.web.workbench.simulators import SimulatorState

SIMULATIONS_MAX = 20  # at a time, over all accounts

log = structlog.get_logger()


class Simulations:
    """All of one server."""

    def __init__(self, tank: Tank, url: str) -> None:
        """Run none yet.

        Args:
            url: of the server's own web port, as this machine reaches it.
        """
        self._tank = tank
        self._url = url
        self._tasks: dict[int, asyncio.Task[str]] = {}
        self._states: dict[int, SimulatorState] = {}
        self._turn = asyncio.Lock()  # of who starts or stops, as to start takes several steps

    def state(self, account_id: int) -> SimulatorState:
        """How an account's simulator is doing."""
        return self._states.get(account_id, SimulatorState())

    async def start(self, caller: Caller) -> None:
        """Start the caller's own, with a device for it if it has none; nothing when it runs.

        Raises:
            LimitReached, Unauthenticated.
        """
        account = caller.account
        if account is None or caller.key is not None:
            raise Unauthenticated("a sign-in is needed")
        async with self._turn:
            if account.account_id in self._tasks:
                return
            if len(self._tasks) >= SIMULATIONS_MAX:
                raise LimitReached(f"{SIMULATIONS_MAX} simulators run already; stop one first")
            device = await ensure_station_device(self._tank, account)
            self._begin(account.account_id, device)

    def _begin(self, account_id: int, device: StationDevice) -> None:
        self._states[account_id] = SimulatorState(is_running=True, feed_id=device.feed_id)
        task = asyncio.create_task(self._run(account_id, device), name="simulator")
        self._tasks[account_id] = task
        # Also of one that is cancelled before it has taken its first step.
        task.add_done_callback(partial(self._ended, account_id, device.feed_id))
        log.info("simulator_started", feed_id=device.feed_id)

    async def _run(self, account_id: int, device: StationDevice) -> str:
        """Report until cancelled; returns what else has ended it."""
        try:
            async with FeedWriter(self._url, device.feed_id, device.api_key) as writer:
                station = Station(
                    writer,
                    Weather(device.feed_id),
                    lambda: self._tank.clock.now_us() / 1e6,
                    partial(self._note, account_id),
                )
                await station.run(device.history_s)
        except WriteFailed as error:
            return str(error)
        except Exception:
            log.exception("simulator_failed", feed_id=device.feed_id)
            return "an error of the server's own; see its log"
        return ""

    def _ended(self, account_id: int, feed_id: int, task: asyncio.Task[str]) -> None:
        problem = "" if task.cancelled() else task.result()
        del self._tasks[account_id]
        self._change(account_id, is_running=False, problem=problem)
        log.info("simulator_stopped", feed_id=feed_id, reason=problem)

    def _note(self, account_id: int, progress: Progress) -> None:
        self._change(
            account_id,
            report_count=progress.report_count,
            at_ms=int(progress.at_s * 1000),
            values=progress.values,
            problem=progress.problem,
        )

    def _change(self, account_id: int, **changes: object) -> None:
        self._states[account_id] = msgspec.structs.replace(self._states[account_id], **changes)

    async def stop(self, account_id: int) -> None:
        """Stop an account's; nothing when it does not run."""
        async with self._turn:
            await self._end([task for who, task in self._tasks.items() if who == account_id])

    async def close(self) -> None:
        """Stop all."""
        async with self._turn:
            await self._end(list(self._tasks.values()))

    async def _end(self, tasks: list[asyncio.Task[str]]) -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
