"""What a reading is made of, in the forms that people and programs write it.

The book keeps all four parts as text: the timestamp as Unix seconds ("1393926310"), the others as
numbers ("28", "30.733315"). Here they are a time and numbers, and that text is still understood.
"""

import datetime
import math
import re

LAT_MAX = 90.0
LON_MAX = 180.0
CHARS_MAX = 40  # of a number or a time as text

_UNIX = re.compile(r"-?\d{1,12}(\.\d{1,9})?", re.ASCII)
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


def parse_timestamp(text: str) -> datetime.datetime:
    """Read Unix seconds ("1393926310") or ISO 8601 ("2014-03-04T09:45:10Z", UTC if it is silent).

    Raises:
        ValueError: it is neither, or out of any calendar.
    """
    text = text.strip()[:CHARS_MAX]
    try:
        if _UNIX.fullmatch(text):
            whole, _, parts = text.partition(".")
            us = int(parts.ljust(6, "0")[:6] or "0")
            sign = -1 if whole.startswith("-") else 1
            return _EPOCH + datetime.timedelta(seconds=int(whole), microseconds=sign * us)
        at = datetime.datetime.fromisoformat(text)
        return at.replace(tzinfo=at.tzinfo or datetime.UTC).astimezone(datetime.UTC)
    except (ValueError, OverflowError):
        raise ValueError("must be Unix seconds or a time such as 2014-03-04T09:45:10Z") from None


def timestamp_text(at: datetime.datetime) -> str:
    """Unix seconds, with decimals only where there are any."""
    since = at - _EPOCH
    seconds, us = divmod(since // datetime.timedelta(microseconds=1), 1_000_000)
    if us and seconds < 0:  # -0.5 s is -1 s and 500,000 µs
        seconds, us = seconds + 1, 1_000_000 - us
        return f"{'-' if seconds == 0 else ''}{seconds}.{us:06}".rstrip("0")
    return f"{seconds}.{us:06}".rstrip("0") if us else str(seconds)


def parse_number(text: str, most: float = math.inf) -> float:
    """Read a decimal number.

    Args:
        most: it must not be further from 0.

    Raises:
        ValueError: it is none, or out of bounds.
    """
    text = text.strip()
    number = float(text) if _NUMBER.fullmatch(text) and len(text) <= CHARS_MAX else math.nan
    if not math.isfinite(number):
        raise ValueError("must be a number")
    if abs(number) > most:
        raise ValueError(f"must be within {-most:g} and {most:g}")
    return number


def at_us_of(at: datetime.datetime) -> int:
    """A time as the core has it: microseconds since the epoch, UTC."""
    return (at - _EPOCH) // datetime.timedelta(microseconds=1)


def at_of(at_us: int) -> datetime.datetime:
    """A time as models have it.

    Raises:
        OverflowError: no calendar has it.
    """
    return _EPOCH + datetime.timedelta(microseconds=at_us)
