"""What was written lately, gathered for pages that follow it."""

import asyncio
from collections.abc import Iterable
from typing import Any

from thingtank.tank.bus import Listener
from thingtank.tank.datapoints import number_of
from thingtank.tank.events import DatapointsRecorded, Event

COALESCE_S = 0.1
POINTS_PER_UPDATE_MAX = 40  # of one channel; a chart has no more pixels for a tenth of a second


async def next_events(listener: Listener, stopping: asyncio.Event, wait_s: float) -> list[Event]:
    """What happened in the next tenth of a second with events; none after `wait_s`."""
    first = asyncio.ensure_future(listener.next())
    stopped = asyncio.ensure_future(stopping.wait())
    try:
        await asyncio.wait({first, stopped}, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
        if not first.done():
            return []
        await asyncio.wait({stopped}, timeout=COALESCE_S)
        return [first.result(), *listener.take_all()]
    finally:
        first.cancel()
        stopped.cancel()


def updates_of(events: Iterable[DatapointsRecorded]) -> dict[str, dict[str, Any]]:
    """What one device's channels were written, each channel once: newest value, points, time."""
    values: dict[str, dict[str, Any]] = {}
    for event in events:
        _add_values(values, event)
    for update in values.values():
        update["points"] = _thinned(update["points"])
    return values


def _add_values(values: dict[str, dict[str, Any]], event: DatapointsRecorded) -> None:
    rows = event.rows
    for stream_id, at_us, value in zip(rows.stream_ids, rows.at_us, rows.values, strict=True):
        at_ms, number = at_us // 1000, number_of(value)
        update = values.setdefault(
            event.names[stream_id], {"value": "", "at_ms": at_ms, "points": []}
        )
        if at_ms >= update["at_ms"]:
            update["at_ms"] = at_ms
            update["value"] = value
        if number is not None:
            update["points"].append((at_ms / 1000, number))


def _thinned(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """At most POINTS_PER_UPDATE_MAX points in order of time, extremes and last among them."""
    points.sort()
    if len(points) <= POINTS_PER_UPDATE_MAX:
        return points
    stride = -(-len(points) // (POINTS_PER_UPDATE_MAX - 3))
    by_number = sorted(points, key=lambda point: point[1])
    return sorted({*points[::stride], by_number[0], by_number[-1], points[-1]})
