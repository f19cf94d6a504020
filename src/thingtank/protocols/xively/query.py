"""Query parameters as values: history terms, list terms, ranges.

Source: Xively API v2, historical queries and feed search.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import tzinfo
from urllib.parse import parse_qs

import msgspec

from thingtank.protocols.xively.errors import MalformedQuery
from thingtank.protocols.xively.paths import EXTENSIONS
from thingtank.protocols.xively.time_zones import parse_zone
from thingtank.protocols.xively.times import MalformedTime, parse_time

QUERY_CHARS_MAX = 8192
PARAMETERS_MAX = 100
PER_PAGE_MAX = 1000
PAGE_MAX = 1_000_000
FUNCTIONS = ("average", "sum", "min", "max")
_HISTORY_NAMES = frozenset(
    {"start", "end", "duration", "find_previous", "limit", "interval", "interval_type", "function"}
)
_UNITS_S = {
    "second": 1,
    "minute": 60,
    "hour": 3600,
    "day": 86_400,
    "week": 7 * 86_400,
    "month": 30 * 86_400,
    "year": 365 * 86_400,
}
_DURATION = re.compile(r"(\d{1,9})\s*(?:([a-z]+?)s?)?\Z", re.ASCII)
_TRUE = frozenset({"true", "1", "yes", "t"})

Parameters = Mapping[str, Sequence[str]]


class HistoryQuery(msgspec.Struct, frozen=True):
    """A history question as it stands in a query; None where a term is not given."""

    start_us: int | None
    end_us: int | None
    duration_s: int | None
    limit: int | None
    page: int
    interval_s: int | None
    is_discrete: bool
    function: str | None
    find_previous: bool


def parse_parameters(query: bytes) -> Parameters:
    """Read a query string; a parameter may stand several times.

    Raises:
        MalformedQuery: it is too long or holds too many parameters.
    """
    if not query:
        return {}
    if len(query) > QUERY_CHARS_MAX:
        raise MalformedQuery(
            f"the query has {len(query)} characters; {QUERY_CHARS_MAX} are allowed"
        )
    try:
        return parse_qs(
            query.decode("utf-8", "replace"),
            keep_blank_values=True,
            max_num_fields=PARAMETERS_MAX,
            errors="replace",
        )
    except ValueError:
        raise MalformedQuery(f"more than {PARAMETERS_MAX} parameters") from None


def first(parameters: Parameters, name: str) -> str:
    """The first value of a parameter; blank when it is absent."""
    values = parameters.get(name)
    return values[0] if values else ""


def flag(parameters: Parameters, name: str) -> bool:
    """A yes-or-no parameter; `True`, as Python clients send it, is yes."""
    return first(parameters, name).lower() in _TRUE


def zone_of(parameters: Parameters) -> tzinfo | None:
    """The zone to show times in; None for UTC. Raises MalformedQuery."""
    return parse_zone(first(parameters, "timezone"))


def asks_history(parameters: Parameters) -> bool:
    """Whether any of the parameters turns a plain read into a history read."""
    return not _HISTORY_NAMES.isdisjoint(parameters)


def parse_history(parameters: Parameters) -> HistoryQuery:
    """Read history terms.

    Raises:
        MalformedQuery: a term cannot be read.
    """
    function = first(parameters, "function") or None
    if function is not None and function not in FUNCTIONS:
        raise MalformedQuery(f"function must be one of {', '.join(FUNCTIONS)}")
    interval_type = first(parameters, "interval_type")
    if interval_type not in ("", "discrete"):
        raise MalformedQuery("interval_type must be discrete")
    return HistoryQuery(
        start_us=parse_instant(first(parameters, "start"), "start"),
        end_us=parse_instant(first(parameters, "end"), "end"),
        duration_s=parse_duration(first(parameters, "duration")),
        limit=_count(parameters, "limit", PAGE_MAX) or _count(parameters, "per_page", PAGE_MAX),
        page=_count(parameters, "page", PAGE_MAX) or 1,
        interval_s=_count(parameters, "interval", 10**9),
        is_discrete=interval_type == "discrete",
        function=function,
        find_previous=flag(parameters, "find_previous"),
    )


def parse_instant(text: str, name: str) -> int | None:
    """Read a time of a query; None when blank. One client glues the format on: `…Z.csv`.

    Raises:
        MalformedQuery.
    """
    stem, _, extension = text.rpartition(".")
    if extension in EXTENSIONS:
        text = stem
    if not text:
        return None
    try:
        return parse_time(text)
    except MalformedTime:
        raise MalformedQuery(f"{name} is not an ISO 8601 time") from None


def parse_duration(text: str) -> int | None:
    """Read `6hours`, `1day` or bare seconds; None when blank.

    Raises:
        MalformedQuery.
    """
    if not text:
        return None
    match = _DURATION.match(text.strip().lower())
    unit_s = _UNITS_S.get(match[2] or "second") if match else None
    if match is None or unit_s is None:
        raise MalformedQuery("duration must be a number and a unit, such as 6hours")
    return int(match[1]) * unit_s


def page_of(parameters: Parameters, per_page: int = 50) -> tuple[int, int]:
    """`page` from 1 and `per_page` of a list, clipped to what is allowed. Raises MalformedQuery."""
    asked = _count(parameters, "per_page", PAGE_MAX) or per_page
    return _count(parameters, "page", PAGE_MAX) or 1, min(asked, PER_PAGE_MAX)


def _count(parameters: Parameters, name: str, maximum: int) -> int | None:
    text = first(parameters, name)
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 12 and int(text) <= maximum):
        raise MalformedQuery(f"{name} must be a whole number of at most {maximum}")
    return int(text)
