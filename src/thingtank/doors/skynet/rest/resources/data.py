"""Sensor data."""

from datetime import UTC, datetime
from typing import Any

from thingtank.doors.skynet.door import SkynetDoor
from thingtank.doors.skynet.operations import data
from thingtank.doors.skynet.rest.error_table import RestRefusal, legacy_error
from thingtank.doors.skynet.rest.replies import CREATED, Reply, answer
from thingtank.doors.skynet.rest.requests import Request, Words
from thingtank.tank.device_events import make_event_id
from thingtank.tank.errors import ValidationFailed
from thingtank.tank.messaging.event_codes import EventCode

WRITE_WORDS = Words()
READ_WORDS = Words()
_LIMIT_DIGITS_MAX = 6


async def post_data(door: SkynetDoor, request: Request) -> Reply:
    """`POST /data/:uuid`: record values now. Answered when they are on disk."""
    record = await data.write(door, request.party, request.uuid, request.parameters)
    if not request.is_legacy:
        return CREATED
    shown = data.shown_record(request.uuid, record)
    shown["ipAddress"] = request.head.address
    shown["eventCode"] = int(EventCode.DATA_WRITTEN)
    return answer(shown)


async def get_data(door: SkynetDoor, request: Request) -> Reply:
    """`GET /data/:uuid`: what was recorded, newest first."""
    records = await data.read(
        door,
        request.party,
        request.uuid,
        start_us=time_of(request, "start"),
        end_us=time_of(request, "finish"),
        limit=whole_number(request, "limit", data.RECORDS_DEFAULT),
    )
    if not records:
        if request.is_legacy:
            reply = legacy_error(404, "Data not found", READ_WORDS, "", 0)
        else:
            reply = answer({"message": "Data not found", "code": 404}, 404)
        raise RestRefusal(reply, "nothing was recorded then")
    shown = []
    for record in records:
        values = data.shown_record(request.uuid, record)
        # Values of one instant are one record, so the instant is its number.
        values["id"] = make_event_id(record.at_us, record.at_us)
        shown.append(values)
    return answer({"data": shown})


def whole_number(request: Request, name: str, default: int) -> int:
    """A parameter that counts something; `default` where there is none.

    Raises:
        ValidationFailed: it is none.
    """
    text = request.text(name).strip()
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > _LIMIT_DIGITS_MAX:
        raise ValidationFailed([(name, "must be a whole number")])
    return int(text)


def time_of(request: Request, name: str) -> int | None:
    """A parameter that is a time: ISO 8601, or milliseconds since 1970; None where there is none.

    Raises:
        ValidationFailed: it is neither.
    """
    text = request.text(name).strip()
    if not text:
        return None
    try:
        return _time_us(text)
    except (ValueError, OverflowError):
        raise ValidationFailed([(name, "must be a time, as 2014-03-08T12:00:00Z")]) from None


def _time_us(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) > 8:
        if len(text) > 15:
            raise ValueError(text)
        return int(text) * 1000
    # A plus sign in a query that was not encoded is a blank.
    moment: Any = datetime.fromisoformat(text.replace(" ", "T" if "T" not in text else "+"))
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return int((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds)
