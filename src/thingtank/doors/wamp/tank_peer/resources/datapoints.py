"""`tank.datapoints`: record, read history, change and delete single ones, carry out and in."""

import asyncio
from typing import Any

from thingtank.documents.feeds import datastream_writes, history_terms
from thingtank.doors.wamp.tank_peer.resources.shared import (
    Context,
    Document,
    FeedName,
    Number,
    Term,
    instant_of,
    json_of,
    parameters_of,
    plain,
)
from thingtank.protocols.xively import json_format, query
from thingtank.protocols.xively.documents import FeedDocument
from thingtank.protocols.xively.times import MalformedTime, format_time, parse_time
from thingtank.tank.actions import datapoints as actions
from thingtank.tank.actions import transfer
from thingtank.tank.changes import DatastreamWrite
from thingtank.tank.datapoints import AT_US_MAX, AT_US_MIN, Datapoint
from thingtank.tank.errors import LimitReached, NotAllowed, ValidationFailed
from thingtank.tank.history import LIMIT_DEFAULT, in_zone, spanned

HISTORY_DATAPOINTS_MAX = 100_000
"""That one call of `history` may ask for, over all its datastreams."""
PROGRESS_DATAPOINTS = 1000
"""In one result before the last."""


async def record(
    context: Context,
    feed: FeedName,
    values: dict[str, Term] | None = None,
    at: str | None = None,
    *,
    datastreams: list[Document] | None = None,
    creates_missing: bool = False,
) -> None:
    """Record values of a feed's datastreams.

    Calls need not wait for each other: those that are outstanding share a commit.

    Args:
        feed: its number, or its device's uuid.
        values: by datastream, one each: numbers, strings, true or false. Strings are kept letter
            for letter.
        at: when all of them are from, ISO 8601; now if it is left out.
        datastreams: in place of or beside `values`, as Xively has them: `id`, `current_value`,
            `at`, and `datapoints`, a list of `value` and `at`.
        creates_missing: make datastreams that are not there yet.

    Returns:
        Nothing, once the values are on disk. Until then nothing is known of them, and after an
        error none was kept.
    """
    tank, caller, device = context.tank, context.caller, context.find_device(feed)
    at_us = tank.clock.now_us() if at is None else _instant(at)
    writes = [DatastreamWrite(name, (at_us,), (_value(v),)) for name, v in (values or {}).items()]
    if datastreams:
        document = json_format.parse_feed(json_of({"datastreams": datastreams}))
        writes += _values_only(document, at_us)
    if not writes:
        raise ValidationFailed([("values", "can't be blank")])
    try:
        await actions.record_datapoints(
            tank, caller, device.device_id, writes, creates_missing=creates_missing
        )
    except NotAllowed:
        # As over HTTP, where datapoints may be put and posted.
        await actions.record_datapoints(
            tank, caller, device.device_id, writes, method="post", creates_missing=creates_missing
        )


def _values_only(document: FeedDocument, at_us: int) -> list[DatastreamWrite]:
    """Writes that change no metadata: that is for `tank.feeds.write` and its right."""
    writes = datastream_writes(document, at_us)
    return [DatastreamWrite(write.name, write.at_us, write.values) for write in writes]


def _value(value: Term) -> str:
    text = json_format.value_of(value, "value")
    assert text is not None, "null has been refused"
    return text


def _instant(at: str) -> int:
    try:
        return parse_time(at)
    except (MalformedTime, OverflowError):
        raise ValidationFailed([("at", "is not an ISO 8601 time")]) from None


async def history(
    context: Context,
    feed: FeedName,
    datastreams: str | list[str] | None = None,
    *,
    start: str | None = None,
    end: str | None = None,
    duration: Term | None = None,
    limit: Term | None = None,
    page: Term | None = None,
    interval: Term | None = None,
    interval_type: str | None = None,
    function: str | None = None,
    find_previous: Term | None = None,
    timezone: str | None = None,
) -> Any:
    """Read history of a datastream, of some, or of all of a feed.

    A caller that takes progressive results gets those of each datastream by themselves.

    Args:
        feed: its number, or its device's uuid.
        datastreams: a name, a list of names, or nothing for all.
        start, end: ISO 8601, both included.
        duration: such as 6hours, or a number of seconds.
        limit, page: at most 1000 datapoints of each datastream, 100 if it is left out; from 1.
        interval, interval_type, function: steps in seconds, such as 3600; discrete; average, sum,
            min or max.
        find_previous: the datapoint in front of the range as well.
        timezone: in which times are told, such as +2.

    Returns:
        A list of datapoints, each `value` and `at`, oldest first, if one name was given; else a
        dict of such lists by name. With progressive results each of those is a dict of one name,
        and the last result says how many datapoints there were.
    """
    terms = {
        "start": start,
        "end": end,
        "duration": duration,
        "limit": limit,
        "page": page,
        "interval": interval,
        "interval_type": interval_type,
        "function": function,
        "find_previous": find_previous,
    }
    tank, device = context.tank, context.find_device(feed)
    zone = query.zone_of(parameters_of({"timezone": timezone}))
    unzoned = history_terms(query.parse_history(parameters_of(terms)), 0)
    asked = in_zone(unzoned, zone, tank.clock.now_us())
    names = _names(datastreams)
    _check_size(context, device.device_id, names, asked.limit)
    found = await actions.read_history(tank, context.caller, device.device_id, names, asked)
    bodies = context.bodies(zone)
    if not context.receives_progress:
        by_name = {name: plain(bodies.datapoints(points)) for name, points in found.items()}
        return by_name.get(datastreams, []) if isinstance(datastreams, str) else by_name
    for name, points in found.items():
        context.progress({name: bodies.datapoints(points)})
        await asyncio.sleep(0)
    return sum(map(len, found.values()))


def _names(datastreams: str | list[str] | None) -> list[str] | None:
    if datastreams is None:
        return None
    return [datastreams] if isinstance(datastreams, str) else list(dict.fromkeys(datastreams))


def _check_size(
    context: Context, device_id: int, names: list[str] | None, limit: int | None
) -> None:
    tank = context.tank
    count = len(tank.directory.datastreams(device_id)) if names is None else len(names)
    limit = min(limit or LIMIT_DEFAULT, tank.limits.datapoints_per_read_max)
    if count * limit > HISTORY_DATAPOINTS_MAX:
        raise LimitReached(
            f"up to {count * limit} datapoints at once; {HISTORY_DATAPOINTS_MAX} are allowed: ask"
            " for fewer datastreams or a lower limit"
        )


async def read(context: Context, feed: FeedName, datastream: str, at: str) -> Any:
    """Read the datapoint at one instant.

    Args:
        feed: its number, or its device's uuid.
        datastream: its name.
        at: ISO 8601.

    Returns:
        `value` and `at`.
    """
    device = context.find_device(feed)
    point = await actions.get_datapoint(
        context.tank, context.caller, device.device_id, datastream, _instant(at)
    )
    return context.bodies().datapoints([point])[0]


async def update(context: Context, feed: FeedName, datastream: str, at: str, value: Term) -> None:
    """Change the value of a datapoint that there is.

    Args:
        feed: its number, or its device's uuid.
        datastream: its name.
        at: when the datapoint is from, ISO 8601.
        value: the new one.

    Returns:
        Nothing, once it is on disk.
    """
    device = context.find_device(feed)
    point = Datapoint(_instant(at), _value(value))
    await actions.update_datapoint(
        context.tank, context.caller, device.device_id, datastream, point
    )


async def delete(context: Context, feed: FeedName, datastream: str, at: str) -> None:
    """Delete the datapoint at one instant.

    Args:
        feed: its number, or its device's uuid.
        datastream: its name.
        at: ISO 8601.

    Returns:
        Nothing, once it is on disk.
    """
    device = context.find_device(feed)
    await actions.delete_datapoint(
        context.tank, context.caller, device.device_id, datastream, _instant(at)
    )


async def delete_range(
    context: Context,
    feed: FeedName,
    datastream: str,
    *,
    start: str | None = None,
    end: str | None = None,
    duration: Term | None = None,
) -> None:
    """Delete the datapoints of a range, both ends included.

    Args:
        feed: its number, or its device's uuid.
        datastream: its name.
        start, end, duration: ISO 8601, and such as 6hours; one at least. An end that is left out
            reaches all there are.

    Returns:
        Nothing, once it is on disk.
    """
    tank, device = context.tank, context.find_device(feed)
    start_us, end_us = spanned(
        instant_of(start, "start"),
        instant_of(end, "end"),
        None if duration is None else query.parse_duration(str(duration)),
        tank.clock.now_us(),
    )
    await actions.delete_datapoints(
        tank, context.caller, device.device_id, datastream, start_us, end_us
    )


async def export(
    context: Context,
    feed: FeedName,
    datastream: str,
    *,
    start: str | None = None,
    end: str | None = None,
    limit: Number = 10_000,
) -> Any:
    """Carry datapoints out as they were written, oldest first, in columns.

    Args:
        feed: its number, or its device's uuid.
        datastream: its name.
        start, end: ISO 8601; the end is excluded.
        limit: up to 50000.

    Returns:
        `at_us`, microseconds since the epoch, and `values`, two lists of one length; `next_start`,
        from where to ask on, null if this was all. A caller that takes progressive results gets the
        columns by a thousand in those, and the last result has `next_start` and `count`.
    """
    tank, device = context.tank, context.find_device(feed)
    limit = min(max(limit, 1), transfer.BATCH_MAX)
    start_us, end_us = instant_of(start, "start"), instant_of(end, "end")
    points = await transfer.export_datapoints(
        tank,
        context.caller,
        device.device_id,
        datastream,
        AT_US_MIN if start_us is None else start_us,
        AT_US_MAX + 1 if end_us is None else end_us,
        limit,
    )
    is_all = len(points) < limit or points[-1].at_us >= AT_US_MAX
    next_start = None if is_all else format_time(points[-1].at_us + 1)
    if not context.receives_progress:
        return {**_columns(points), "next_start": next_start}
    for first in range(0, len(points), PROGRESS_DATAPOINTS):
        if context.is_over:
            break
        context.progress(_columns(points[first : first + PROGRESS_DATAPOINTS]))
        await asyncio.sleep(0)
    return {"count": len(points), "next_start": next_start}


def _columns(points: list[Datapoint]) -> dict[str, Any]:
    return {"at_us": [point.at_us for point in points], "values": [point.value for point in points]}


async def import_in(
    context: Context,
    feed: FeedName,
    datastreams: dict[str, Document],
    *,
    creates_missing: bool = False,
) -> Any:
    """Carry datapoints in, in any order of time: what `export` gave.

    Args:
        feed: its number, or its device's uuid.
        datastreams: by name, each with `at_us` and `values`, two lists of one length; up to 50000
            datapoints in all.
        creates_missing: make datastreams that are not there yet.

    Returns:
        How many datapoints were written, once they are on disk.
    """
    device = context.find_device(feed)
    writes = [_import_write(name, columns) for name, columns in datastreams.items()]
    return await transfer.import_datapoints(
        context.tank, context.caller, device.device_id, writes, creates_missing=creates_missing
    )


def _import_write(name: str, columns: Document) -> DatastreamWrite:
    at_us, values = columns.get("at_us"), columns.get("values")
    if not isinstance(at_us, list) or not all(type(each) is int for each in at_us):
        raise ValidationFailed([("at_us", "must be a list of whole numbers")])
    if not isinstance(values, list) or len(values) != len(at_us):
        raise ValidationFailed([("values", "must be a list, as many as times")])
    try:
        texts = json_format.values_of(values)
    except ValueError:  # an integer of thousands of digits, which only CBOR has
        raise ValidationFailed([("values", "has a number that is too long")]) from None
    if None in texts:
        raise ValidationFailed([("values", "can't be blank")])
    return DatastreamWrite(name, at_us, [text for text in texts if text is not None])
