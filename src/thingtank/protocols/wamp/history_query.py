"""What `wamp.subscription.get_events` is asked for: its keyword arguments, checked.

| argument | of the events | |
| --- | --- | --- |
| `from_time`, `after_time` | not before, after | RFC 3339, read to the microsecond |
| `until_time`, `before_time` | not after, before | |
| `from_publication`, `after_publication` | that one and later, only later | in order of arrival |
| `until_publication`, `before_publication` | that one and earlier, only earlier | |
| `topic` | of this topic only | |
| `reverse` | newest first; else oldest first | |
| `limit` | so many, the first in that order | 1 to EVENTS_MAX; more is taken for that |

All of them must hold. Without `limit` it is EVENTS_MAX: who asks for all since a time should not
have to guess that there was more, as with Crossbar.io's 10. A publication that is not kept (any
more) is an error, for nobody could say what came after it.

Source: WAMP, Event History.
"""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from msgspec import Meta, Struct, ValidationError, convert

from thingtank.protocols.wamp.meta_calls import Arguments, invalid
from thingtank.protocols.wamp.options import ID_MAX
from thingtank.protocols.wamp.procedures import RouterCall

EVENTS_MAX = 1000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_Instant = Annotated[datetime, Meta(tz=True)]


class EventsQuery(Struct, frozen=True, kw_only=True):
    """One question.

    Attributes:
        from_us, until_us: both included.
        limit: 1 to EVENTS_MAX.
    """

    reverse: bool = False
    limit: int = EVENTS_MAX
    topic: str | None = None
    from_us: int | None = None
    until_us: int | None = None
    from_publication: int | None = None
    after_publication: int | None = None
    before_publication: int | None = None
    until_publication: int | None = None


def events_query(call: RouterCall) -> EventsQuery:
    """Read one.

    Raises:
        Refused: with `invalid_argument`.
        UnconvertiblePayload.
    """
    arguments = Arguments(call)
    from_us, after_us = _time(arguments, "from_time"), _time(arguments, "after_time")
    until_us, before_us = _time(arguments, "until_time"), _time(arguments, "before_time")
    return EventsQuery(
        reverse=_truth(arguments, "reverse"),
        limit=_limit(arguments),
        topic=arguments.text_or_none(None, "topic"),
        from_us=max(_set(from_us, after_us, 1), default=None),
        until_us=min(_set(until_us, before_us, -1), default=None),
        from_publication=arguments.id_or_none(None, "from_publication"),
        after_publication=arguments.id_or_none(None, "after_publication"),
        before_publication=arguments.id_or_none(None, "before_publication"),
        until_publication=arguments.id_or_none(None, "until_publication"),
    )


def time_text(at_us: int) -> str:
    """RFC 3339 with all microseconds, so that it may be asked for again exactly."""
    at = _EPOCH + timedelta(microseconds=at_us)
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _set(included_us: int | None, excluded_us: int | None, step_us: int) -> list[int]:
    """Bounds that are there, as ones that are included."""
    bounds = [] if included_us is None else [included_us]
    return bounds if excluded_us is None else [*bounds, excluded_us + step_us]


def _time(arguments: Arguments, name: str) -> int | None:
    text = arguments.text_or_none(None, name)
    if text is None:
        return None
    try:
        return (convert(text, _Instant) - _EPOCH) // timedelta(microseconds=1)
    except ValidationError:
        raise invalid(f"{name} must be a time of RFC 3339") from None


def _truth(arguments: Arguments, name: str) -> bool:
    value = arguments.find(None, name)
    if not isinstance(value, bool | None):
        raise invalid(f"{name} must be true or false")
    return bool(value)


def _limit(arguments: Arguments) -> int:
    value = arguments.find(None, "limit")
    if value is None:
        return EVENTS_MAX
    if type(value) is not int or not 1 <= value <= ID_MAX:  # a bool is an int, too
        raise invalid("limit must be a whole number, 1 or more")
    return min(value, EVENTS_MAX)
