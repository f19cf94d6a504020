"""Times as Xively's clients write and read them; inside they are microseconds since the epoch, UTC.

In: any ISO 8601 form, with or without fraction and offset; no offset means UTC.
Out: exactly six fractional digits and `Z`, which two clients parse by position.
"""

import re
from calendar import isleap
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta, tzinfo

import numpy as np

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_BARE = EPOCH.replace(tzinfo=None)
MICROSECOND = timedelta(microseconds=1)
_SECOND = timedelta(seconds=1)

# Lengths of `2013-04-22T00:35:43Z`, with milliseconds and with microseconds: what devices send.
_COMMON_LENGTHS = frozenset({20, 24, 27})
# A `+` that a client left unescaped in a query arrives as a blank.
_LOST_PLUS = re.compile(r" (\d\d:?\d\d)\Z", re.ASCII)
# What `fromisoformat` does not read of ISO 8601: the end of a day, a day by its number in the year;
# and the 61st second of the minutes that have one (ITU-R TF.460), which is the next minute's first.
_END_OF_DAY = re.compile(r"(?<=[T ])24(?=(:?00){0,2}([.,]0+)?(Z|[+-]|\Z))")
_LEAP_SECOND = re.compile(r"([T ]\d\d(:?)\d\d\2)60(?=[.,Z+-]|\Z)", re.ASCII)
_DAY_OF_YEAR = re.compile(r"\A(\d{4})-?(\d{3})(?=[T ]|\Z)", re.ASCII)
_DAY = timedelta(days=1)
_TIME_CHARS_MAX = 64


class MalformedTime(ValueError):
    """The text is not an ISO 8601 time."""


def parse_time(text: str) -> int:
    """Read one ISO 8601 time.

    Raises:
        MalformedTime.

    Source: Xively API v2, time zones.
    """
    if not 8 <= len(text) <= _TIME_CHARS_MAX:
        raise MalformedTime(text[:_TIME_CHARS_MAX])
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = _parse_leniently(text)
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return (at - EPOCH) // MICROSECOND


def _parse_leniently(text: str) -> datetime:
    stripped = text.strip()
    if "T" in stripped.upper():
        stripped = _LOST_PLUS.sub(r"+\1", stripped)
    plain, is_next_day = _END_OF_DAY.subn("00", _DAY_OF_YEAR.sub(_date_of, stripped.upper()))
    plain, is_leap_second = _LEAP_SECOND.subn(r"\g<1>59", plain)
    try:
        at = datetime.fromisoformat(plain) + is_next_day * _DAY + is_leap_second * _SECOND
    except (ValueError, OverflowError):
        raise MalformedTime(text) from None
    if is_leap_second and not _is_midnight(at):
        raise MalformedTime(text)
    return at


def _date_of(day_of_year: "re.Match[str]") -> str:
    year, number = int(day_of_year[1]), int(day_of_year[2])
    if not (year >= 1 and 1 <= number <= 365 + isleap(year)):
        raise MalformedTime(day_of_year[0])
    return str(date(year, 1, 1) + (number - 1) * _DAY)


def _is_midnight(at: datetime) -> bool:
    """Whether the minute is the first of a day in UTC, where leap seconds are in front of."""
    minutes = at.hour * 60 + at.minute
    return (minutes * 60 - int((at.utcoffset() or timedelta()).total_seconds())) % 86_400 == 0


def parse_times(texts: Sequence[str]) -> Sequence[int]:
    """Read many times; quick when all are in one of the common UTC forms.

    Raises:
        MalformedTime: any of them is not a time.
    """
    if len(texts) > 8:
        found = _parse_common(texts)
        if found is not None:
            return found
    return [parse_time(text) for text in texts]


def _parse_common(texts: Sequence[str]) -> list[int] | None:
    """All times at once when each is `…T…Z` of one common length; None when they are not.

    One conversion of a joined text costs 60 ns a time, where `fromisoformat` costs 500.
    """
    count = len(texts)
    length = len(texts[0])
    joined = "".join(texts).encode("utf-8", "replace")
    if (
        length not in _COMMON_LENGTHS
        or len(joined) != count * length
        # Exactly these marks: otherwise numpy might read offsets and words such as `NaT`.
        or joined.count(b"-") != 2 * count
        or joined.count(b"T") != count
        or joined.count(b"Z") != count
        or b"+" in joined
        or set(map(len, texts)) != {length}
    ):
        return None
    column = np.frombuffer(joined, dtype=f"S{length}").astype(f"S{length - 1}")
    try:
        found: list[int] = column.astype("datetime64[us]").astype(np.int64).tolist()
    except ValueError:
        return None
    return found


def format_time(at_us: int, zone: tzinfo | None = None) -> str:
    """Write one time with six fractional digits: in UTC with `Z`, in another zone with its offset.

    Args:
        at_us: within the years 1 to 9999.
    """
    if zone is not None:
        # An offset that leaves the calendar: such a time is shown in UTC.
        with suppress(OverflowError):
            at = EPOCH + timedelta(0, 0, at_us)
            return at.astimezone(zone).isoformat(timespec="microseconds")
    # A third of what `strftime` costs, which does not pad years below 1000 everywhere either.
    return f"{(_EPOCH_BARE + timedelta(0, 0, at_us)).isoformat('T', 'microseconds')}Z"


def format_times(at_us: Sequence[int], zone: tzinfo | None = None) -> list[str]:
    """Write many times as `format_time` does."""
    if zone is not None:
        return [format_time(at, zone) for at in at_us]
    column = np.array(at_us, dtype=np.int64).astype("datetime64[us]")
    found: list[str] = np.datetime_as_string(column, unit="us", timezone="UTC").tolist()
    return found
