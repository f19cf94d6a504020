"""Query parameters as values: history terms, list terms, ranges.

Source: Xively API v2, historical queries and feed search.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import tzinfo
from typing import Literal, TypeVar
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
SEARCH_CHARS_MAX = 255
WHOLE_EARTH_M = 20_038_000.0  # half way around: no place is further away
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
_UNITS_M = {
    "": 1000.0,
    "kms": 1000.0,
    "km": 1000.0,
    "miles": 1609.344,
    "mi": 1609.344,
}
_DURATION = re.compile(r"(\d+)\s*(?:([a-z]+?)s?)?\Z", re.ASCII)
_DURATION_DIGITS_MAX = 9
_TRUE = frozenset({"true", "1", "yes", "t"})

_NUMBER = re.compile(r"[+-]?(\d{1,20}(\.\d{0,30})?|\.\d{1,30})(e[+-]?\d{1,2})?\Z", re.ASCII | re.I)

Parameters = Mapping[str, Sequence[str]]
Content = Literal["full", "summary"]
Status = Literal["all", "live", "frozen"]
Order = Literal["created_at", "retrieved_at", "relevance"]

_CONTENTS: tuple[Content, ...] = ("full", "summary")
_STATUSES: tuple[Status, ...] = ("all", "live", "frozen")
_ORDERS: tuple[Order, ...] = ("created_at", "retrieved_at", "relevance")

Choice = TypeVar("Choice", bound=str)


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


class SearchQuery(msgspec.Struct, frozen=True):
    """Which feeds a list asks for; blank texts and None where a term is not given.

    Attributes:
        lat, lon: degrees, both or neither.
        distance_m: metres from there; meaningless without.
    """

    content: Content
    text: str
    tag: str
    user: str
    units: str
    status: Status
    lat: float | None
    lon: float | None
    distance_m: float
    order: Order


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


def parse_search(parameters: Parameters) -> SearchQuery:
    """Read the terms of a feed search.

    Raises:
        MalformedQuery: a term cannot be read or is out of its bounds.

    Source: Xively API v2, "Search feeds"; the defaults of `content` and `order` are a guess.
    """
    text = _search_text(parameters, "q")
    lat, lon, distance_m = _circle(parameters)
    return SearchQuery(
        content=_choice(parameters, "content", _CONTENTS, "full"),
        text=text,
        tag=_search_text(parameters, "tag"),
        user=_search_text(parameters, "user"),
        units=_search_text(parameters, "units"),
        status=_choice(parameters, "status", _STATUSES, "all"),
        lat=lat,
        lon=lon,
        distance_m=distance_m,
        order=_choice(parameters, "order", _ORDERS, "relevance" if text else "created_at"),
    )


def _search_text(parameters: Parameters, name: str) -> str:
    text = first(parameters, name).strip()
    if len(text) > SEARCH_CHARS_MAX:
        raise MalformedQuery(f"{name} has {len(text)} characters; {SEARCH_CHARS_MAX} are allowed")
    return text


def _choice(
    parameters: Parameters, name: str, choices: tuple[Choice, ...], default: Choice
) -> Choice:
    text = first(parameters, name).strip().lower()
    if not text:
        return default
    for choice in choices:
        if text == choice:
            return choice
    raise MalformedQuery(f"{name} must be one of {', '.join(choices)}")


def _circle(parameters: Parameters) -> tuple[float | None, float | None, float]:
    """`lat`, `lon` and `distance` in metres. One client spells the unit's name `distance_unit`."""
    lat = _number(parameters, "lat", -90, 90)
    lon = _number(parameters, "lon", -180, 180)
    distance = _number(parameters, "distance", 0, 1_000_000)
    unit = first(parameters, "distance_units") or first(parameters, "distance_unit")
    unit_m = _UNITS_M.get(unit.strip().lower())
    if unit_m is None:
        raise MalformedQuery("distance_units must be kms or miles")
    if lat is None and lon is None and distance is None:
        return None, None, 0
    if lat is None or lon is None or distance is None:
        raise MalformedQuery("lat, lon and distance must be given together")
    return lat, lon, min(distance * unit_m, WHOLE_EARTH_M)


def _number(parameters: Parameters, name: str, least: float, most: float) -> float | None:
    text = first(parameters, name).strip()
    if not text:
        return None
    if not _NUMBER.match(text) or not least <= float(text) <= most:
        raise MalformedQuery(f"{name} must be a number between {least} and {most}")
    return float(text)


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
    if len(match[1]) > _DURATION_DIGITS_MAX:
        raise MalformedQuery(
            f"duration is too large: its number may have {_DURATION_DIGITS_MAX} digits"
        )
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
