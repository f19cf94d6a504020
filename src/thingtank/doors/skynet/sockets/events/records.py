"""Sensor data and event logs."""

from datetime import UTC, datetime
from typing import Any

from thingtank.doors.skynet.operations import data, events
from thingtank.doors.skynet.refusals import Refusal
from thingtank.doors.skynet.sockets.events.asking import (
    Answer,
    Asking,
    EventSpec,
    acting,
    refuse_as,
    refuse_plainly,
)
from thingtank.tank.datapoints import AT_US_MAX, AT_US_MIN
from thingtank.tank.errors import ValidationFailed
from thingtank.tank.messaging.event_codes import EventCode

_NOT_VALID = "Device not found or token not valid"


async def _data(asking: Asking) -> Answer:
    uuid = asking.uuid
    record = await data.write(asking.client.door, acting(asking), uuid, asking.body)
    shown = data.shown_record(uuid, record)
    return ({**shown, "eventCode": int(EventCode.DATA_WRITTEN)},)


async def _getdata(asking: Asking) -> Answer:
    uuid, body = asking.uuid, asking.body
    records = await data.read(
        asking.client.door,
        acting(asking),
        uuid,
        start_us=_instant_us(body, "start"),
        end_us=_instant_us(body, "finish"),
        limit=_count(body, "limit", data.RECORDS_DEFAULT),
    )
    shown = [data.shown_record(uuid, record) for record in records]
    return ({"data": shown, "fromUuid": asking.client.party.uuid},)


def _refuse_getdata(asking: Asking, refusal: Refusal) -> Answer:
    told: dict[str, Any] = {"api": "getdata", "result": False}
    return (told if refusal.code in (401, 404) else {**told, "error": refusal.error()},)


def _count(body: dict[str, Any], name: str, default: int) -> int:
    value = body.get(name)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:
        return int(value)
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 10**9:
        return int(value)
    return default


def _instant_us(body: dict[str, Any], name: str) -> int | None:
    """A time that a client gives: ISO 8601, or milliseconds since 1970; UTC unless it says."""
    value = body.get(name)
    if value is None or value == "":
        return None
    try:
        at_us = _milliseconds_us(value)
    except (ValueError, OverflowError, TypeError):
        raise ValidationFailed([(name, "is no time")]) from None
    if not AT_US_MIN <= at_us <= AT_US_MAX:
        raise ValidationFailed([(name, "is no time that there can be")])
    return at_us


def _milliseconds_us(value: Any) -> int:
    if isinstance(value, bool):
        raise TypeError(value)
    if isinstance(value, int | float):
        return int(value * 1000)
    try:
        return int(float(value) * 1000)
    except ValueError:
        at = datetime.fromisoformat(value)
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
        return int(at.timestamp() * 1_000_000)


async def _events(asking: Asking) -> Answer:
    uuid, body = asking.uuid, asking.body
    before = body.get("before")
    found = await events.read(
        asking.client.door,
        acting(asking),
        uuid,
        limit=_count(body, "limit", events.EVENTS_DEFAULT),
        before=before if isinstance(before, str) else "",
        is_legacy=asking.client.is_legacy,
    )
    return ({"events": found},)


def _refuse_events(asking: Asking, refusal: Refusal) -> Answer:
    if refusal.code == 401:
        return ({"api": "events", "result": False},)
    return _refuse_events_log(asking, refusal)


_refuse_events_log = refuse_as(EventCode.EVENTS_READ, _NOT_VALID)

SPECS = {
    "data": EventSpec(_data, refuse_plainly),
    "getdata": EventSpec(_getdata, _refuse_getdata),
    "events": EventSpec(_events, _refuse_events),
}
