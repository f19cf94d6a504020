"""A datastream's graph: reads what it shows, and has it drawn unless it was drawn lately.

Source: Xively API v2, reading a single datastream, "PNG".
"""

import asyncio
import time

import msgspec

from thingtank.documents.feeds import history_terms
from thingtank.doors.xively.graphs.cache import PictureCache
from thingtank.doors.xively.graphs.drawer import Drawer
from thingtank.doors.xively.graphs.question import GraphQuestion
from thingtank.protocols.xively.graph_options import GraphOptions, parse_graph_options
from thingtank.protocols.xively.query import HistoryQuery, Parameters, parse_history, zone_of
from thingtank.tank.access import Caller
from thingtank.tank.actions.datapoints import read_history
from thingtank.tank.actions.datastreams import get_datastream
from thingtank.tank.datapoints import Datapoint
from thingtank.tank.errors import Overloaded
from thingtank.tank.history import HistoryTerms, in_zone, resolve_range
from thingtank.tank.tank import Tank

WINDOW_S = 86_400  # when no range is asked for
POINTS_MAX = 10_000
GRAPHS_MAX = 64  # being read or drawn at once, different ones
# The finest interval after 0; a range of raw values that has more than POINTS_MAX is read so.
_THINNED_S = 30
_CACHE_BYTES_MAX = 8 * 1024 * 1024
_CACHE_AGE_S_MAX = 60.0


class _Wanted(msgspec.Struct, frozen=True):
    """One graph that somebody asks for, with everything it depends on but the values.

    Attributes:
        key_id, account_id: whose rights it is read with; they bound how fine it may be.
        newest: time and text of the newest datapoint.
        start_us, end_us: what it spans, both ends included.
        read_until_us: the last instant to read.
    """

    key_id: int
    account_id: int
    feed_id: int
    datastream_id: str
    stream_id: int
    options: GraphOptions
    terms: HistoryTerms
    newest: tuple[int | None, str | None]
    start_us: int
    end_us: int
    read_until_us: int
    interval_s: int


class Graphs:
    """Answers for `.png` of datastreams."""

    def __init__(self, tank: Tank, drawer: Drawer) -> None:
        self._tank = tank
        self._drawer = drawer
        self._cache = PictureCache(_CACHE_BYTES_MAX, _CACHE_AGE_S_MAX)
        self._drawing: dict[_Wanted, asyncio.Task[bytes]] = {}

    async def png(
        self, caller: Caller, feed_id: int, datastream_id: str, parameters: Parameters
    ) -> bytes:
        """The picture.

        Args:
            parameters: looks and range, as in the query.

        Raises:
            MalformedQuery, and what `read_history` raises: unknown things, no rights, ranges too
            large. Overloaded, DrawingFailed: it cannot be drawn now.
        """
        options = parse_graph_options(parameters)
        wanted = self._wanted(caller, feed_id, datastream_id, options, parse_history(parameters))
        picture = self._cache.find(wanted, time.monotonic())
        if picture is not None:
            return picture
        task = self._drawing.get(wanted)
        if task is None:  # who asks for the same meanwhile gets the same
            if len(self._drawing) >= GRAPHS_MAX:
                raise Overloaded("too many graphs are being drawn", retry_after_s=5)
            task = asyncio.get_running_loop().create_task(self._draw(caller, wanted))
            self._drawing[wanted] = task
            task.add_done_callback(lambda done: self._drawn(wanted, done))
        return await asyncio.shield(task)

    def _drawn(self, wanted: _Wanted, task: "asyncio.Task[bytes]") -> None:
        del self._drawing[wanted]
        if not task.cancelled() and task.exception() is None:
            self._cache.keep(wanted, task.result(), time.monotonic())

    def _wanted(
        self,
        caller: Caller,
        feed_id: int,
        datastream_id: str,
        options: GraphOptions,
        query: HistoryQuery,
    ) -> _Wanted:
        datastream = get_datastream(self._tank, caller, feed_id, datastream_id)
        current = self._tank.archive.current(datastream.stream_id)
        limits, now_us = self._tank.limits, self._tank.clock.now_us()
        zone = zone_of({"timezone": [options.timezone]})
        terms = in_zone(graph_terms(history_terms(query, 0)), zone, now_us)
        asked = resolve_range(
            terms, now_us, limits.datapoints_per_read_max, limits.raw_range_is_bounded
        )
        start_us, last_us = asked.start_us, asked.end_us - 1
        if last_us == now_us:  # an end that is now moves by whole pixels, not with every request
            ahead_us = -now_us % max(1, (last_us - start_us) // options.width_px)
            last_us += ahead_us
            start_us += 0 if terms.start_us is not None else ahead_us
        return _Wanted(
            caller.key.key_id if caller.key else 0,
            caller.account.account_id if caller.account else 0,
            feed_id,
            datastream_id,
            datastream.stream_id,
            options,
            msgspec.structs.replace(terms, start_us=None, end_us=None, duration_s=None),
            (None, None) if current is None else (current.at_us, current.value),
            start_us,
            last_us,
            # From a start that was given, a pixel more could be more than the interval allows.
            last_us if terms.start_us is None else asked.end_us - 1,
            asked.interval_s,
        )

    async def _draw(self, caller: Caller, wanted: _Wanted) -> bytes:
        points, interval_s = await self._points(caller, wanted)
        datastream = get_datastream(self._tank, caller, wanted.feed_id, wanted.datastream_id)
        current = self._tank.archive.current(datastream.stream_id)
        unit = datastream.unit
        question = GraphQuestion(
            options=wanted.options,
            times_us=[point.at_us for point in points],
            values=[point.value for point in points],
            start_us=wanted.start_us,
            end_us=wanted.end_us,
            now_us=self._tank.clock.now_us(),
            interval_s=interval_s,
            minimum=None if current is None else current.minimum,
            maximum=None if current is None else current.maximum,
            unit="" if unit is None else unit.symbol or unit.label,
        )
        return await self._drawer.draw(question)

    async def _points(self, caller: Caller, wanted: _Wanted) -> tuple[list[Datapoint], int]:
        """All datapoints of the range and their interval; thinned where there are too many."""
        points = await self._read(caller, wanted, wanted.interval_s)
        if len(points) > POINTS_MAX and wanted.interval_s == 0:
            return await self._read(caller, wanted, _THINNED_S), _THINNED_S
        return points, wanted.interval_s

    async def _read(self, caller: Caller, wanted: _Wanted, interval_s: int) -> list[Datapoint]:
        """Page by page, as a client would; a page more than POINTS_MAX at most."""
        page_size = self._tank.limits.datapoints_per_read_max
        points: list[Datapoint] = []
        page = 0
        while len(points) <= POINTS_MAX:
            page += 1
            terms = msgspec.structs.replace(
                wanted.terms,
                start_us=wanted.start_us,
                end_us=wanted.read_until_us,
                interval_s=interval_s,
                limit=page_size,
                page=page,
            )
            names = [wanted.datastream_id]
            read = await read_history(self._tank, caller, wanted.feed_id, names, terms)
            found = read.get(wanted.datastream_id, [])
            points += found
            if len(found) < page_size:
                break
        return points


def graph_terms(terms: HistoryTerms) -> HistoryTerms:
    """A history question as a graph means it: a day when no range is given, and all of it."""
    duration_s = terms.duration_s
    if terms.start_us is None and duration_s is None:
        duration_s = WINDOW_S
    return msgspec.structs.replace(terms, duration_s=duration_s, limit=None, page=1)
