"""The station at work: a day of history at first, then a report every few seconds."""

import asyncio
import datetime
from collections.abc import Callable, Coroutine, Iterator, Mapping
from functools import partial
from typing import Any

import msgspec

from thingtank.simulator.feed_writer import FeedWriter, WriteFailed
from thingtank.simulator.weather import CHANNELS, Channel, Weather
from thingtank.tank.history import DAY_S, HOUR_S

INTERVAL_S = 5.0
INTERVAL_S_MIN = 1.0
HISTORY_S_MAX = DAY_S
# A day, and its last hour more finely: 396 datapoints of a channel, which one request holds.
STEP_S = 300
FINE_STEP_S = 30
FINE_S = HOUR_S
FAILURES_MAX = 20  # in a row; after some minutes nobody waits for the next one any more
PAUSE_S_MAX = 60.0


class Progress(msgspec.Struct, frozen=True):
    """How far the station has come.

    Attributes:
        report_count: reports that the server has taken; history is none.
        at_s: of the last one, seconds since the epoch, UTC; 0 before the first.
        values: of the last one, by channel.
        problem: why the last attempt failed; blank when it did not.
    """

    report_count: int = 0
    at_s: float = 0.0
    values: Mapping[str, str] = {}
    problem: str = ""


class Station:
    """Reports the weather to one feed, until it is cancelled."""

    def __init__(
        self,
        writer: FeedWriter,
        weather: Weather,
        now_s: Callable[[], float],
        told: Callable[[Progress], None],
        interval_s: float = INTERVAL_S,
    ) -> None:
        """Report nothing yet.

        Args:
            told: is called after each attempt.
            interval_s: from one report to the next; INTERVAL_S_MIN at least.
        """
        self._writer = writer
        self._weather = weather
        self._now_s = now_s
        self._told = told
        self._interval_s = max(interval_s, INTERVAL_S_MIN)
        self._progress = Progress()

    async def run(self, history_s: float) -> None:
        """Report for ever.

        Args:
            history_s: for how long before now the weather is reported as well; HISTORY_S_MAX at
                most.

        Raises:
            WriteFailed: the server refuses it, or has not been there for FAILURES_MAX attempts.
        """
        now_s = self._now_s()
        for channel in CHANNELS:
            datastream = _history(self._weather, channel, now_s, min(history_s, HISTORY_S_MAX))
            await self._until_taken(partial(self._writer.write, [datastream]))
        while True:
            await self._until_taken(self._report)
            await asyncio.sleep(self._interval_s)

    async def _report(self) -> None:
        at_s = round(self._now_s(), 3)
        values = self._weather.at(at_s)
        at = _iso(at_s)
        rows = [{"id": name, "at": at, "current_value": value} for name, value in values.items()]
        await self._writer.write(rows)
        self._tell(Progress(self._progress.report_count + 1, at_s, values))

    async def _until_taken(self, write: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Write once, and again after ever longer pauses while the server cannot take it."""
        for attempt in range(FAILURES_MAX):
            try:
                await write()
            except WriteFailed as error:
                if error.is_final or attempt == FAILURES_MAX - 1:
                    raise
                self._tell(msgspec.structs.replace(self._progress, problem=str(error)))
                await asyncio.sleep(min(self._interval_s * 2**attempt, PAUSE_S_MAX))
            else:
                return

    def _tell(self, progress: Progress) -> None:
        self._progress = progress
        self._told(progress)


def _history(weather: Weather, channel: Channel, now_s: float, history_s: float) -> dict[str, Any]:
    """One channel with its unit and what it said before now, oldest first."""
    points = [
        {"at": _iso(at_s), "value": weather.at(at_s)[channel.name]}
        for at_s in _steps(now_s, history_s)
    ]
    unit = {"symbol": channel.symbol, "label": channel.label}
    return {"id": channel.name, "unit": unit, "datapoints": points}


def _steps(now_s: float, history_s: float) -> Iterator[int]:
    """Times in the past at whole steps, so that the same ones are written when it is begun anew."""
    fine_from_s = now_s - min(history_s, FINE_S)
    for begin_s, end_s, step_s in (
        (now_s - history_s, fine_from_s, STEP_S),
        (fine_from_s, now_s, FINE_STEP_S),
    ):
        for step in range(int(begin_s) // step_s + 1, int(end_s) // step_s + 1):
            yield step * step_s


def _iso(at_s: float) -> str:
    at = datetime.datetime.fromtimestamp(at_s, datetime.UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
