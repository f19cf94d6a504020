"""Operations on feeds: write values, read history, delete a range."""

from collections.abc import Mapping

import msgspec

from thingtank.documents.feeds import history_terms
from thingtank.protocols.xively.errors import MalformedQuery
from thingtank.protocols.xively.query import parse_history, parse_instant
from thingtank.server.operations.context import Context
from thingtank.server.operations.devices import find_device
from thingtank.tank.access import OPERATOR
from thingtank.tank.actions.datapoints import delete_datapoints, read_history, record_datapoints
from thingtank.tank.changes import DatastreamWrite
from thingtank.tank.errors import ValidationFailed
from thingtank.tank.history import HistoryTerms


class WriteValues(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Values by channel, all at one time; blank for now. Missing channels are made."""

    feed: str
    values: dict[str, str]
    at: str = ""


class Written(msgspec.Struct, frozen=True):
    """What was written, and is on disk."""

    feed_id: int
    at_us: int
    values: dict[str, str]


class AskHistory(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A history question in Xively's query terms."""

    feed: str
    channel: str
    terms: dict[str, str] = {}


class History(msgspec.Struct, frozen=True):
    """Datapoints of one channel, oldest first, as two columns."""

    feed_id: int
    channel: str
    at_us: list[int]
    values: list[str]


class DeleteHistory(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A range of one channel, both ends included; a blank end is open."""

    feed: str
    channel: str
    start: str = ""
    end: str = ""


class Deleted(msgspec.Struct, frozen=True):
    """Where a range was deleted."""

    feed_id: int
    channel: str


async def write(context: Context, asked: WriteValues) -> Written:
    """Write a value to each of some channels; returns when they are on disk."""
    device = find_device(context, asked.feed)
    at_us = _instant(asked.at, "at") or context.tank.clock.now_us()
    writes = [DatastreamWrite(name, (at_us,), (value,)) for name, value in asked.values.items()]
    await record_datapoints(context.tank, OPERATOR, device.device_id, writes, creates_missing=True)
    return Written(device.device_id, at_us, asked.values)


async def history(context: Context, asked: AskHistory) -> History:
    """Read a channel's history."""
    device = find_device(context, asked.feed)
    terms = _history_terms(asked.terms)
    terms = _until_now(terms, context.tank.clock.now_us())
    found = await read_history(context.tank, OPERATOR, device.device_id, [asked.channel], terms)
    points = found.get(asked.channel, [])
    return History(
        device.device_id,
        asked.channel,
        [point.at_us for point in points],
        [point.value for point in points],
    )


async def delete_history(context: Context, asked: DeleteHistory) -> Deleted:
    """Delete a range of a channel's history."""
    device = find_device(context, asked.feed)
    start_us, end_us = _instant(asked.start, "start"), _instant(asked.end, "end")
    await delete_datapoints(
        context.tank, OPERATOR, device.device_id, asked.channel, start_us, end_us
    )
    return Deleted(device.device_id, asked.channel)


def _until_now(terms: HistoryTerms, now_us: int) -> HistoryTerms:
    """Terms whose open end is now, as far as that may be; Xively cuts such a range short."""
    start_us = terms.start_us
    if start_us is None or terms.end_us is not None or terms.duration_s is not None:
        return terms
    return msgspec.structs.replace(terms, end_us=max(start_us, now_us))


def _history_terms(terms: Mapping[str, str]) -> HistoryTerms:
    try:
        return history_terms(parse_history({name: [text] for name, text in terms.items()}), 0)
    except MalformedQuery as error:
        raise _named(error) from None


def _instant(text: str, name: str) -> int | None:
    try:
        return parse_instant(text, name)
    except MalformedQuery as error:
        raise _named(error) from None


def _named(error: MalformedQuery) -> ValidationFailed:
    """The problem of one term; what is wrong with a term begins with its name."""
    name, _, message = str(error).partition(" ")
    return ValidationFailed([(name, message)])
