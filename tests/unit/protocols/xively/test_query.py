"""Query parameters: what they mean, and which cannot be read."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thingtank.protocols.xively import query
from thingtank.protocols.xively.errors import XivelyError

DURATIONS = [
    ("6hours", 21_600),
    ("1hour", 3600),
    ("1day", 86_400),
    ("2weeks", 1_209_600),
    ("1month", 2_592_000),
    ("1year", 31_536_000),
    ("30seconds", 30),
    ("5 minutes", 300),
    ("6Hours", 21_600),
    ("90", 90),
    ("", None),
]


@pytest.mark.parametrize(("text", "duration_s"), DURATIONS)
def test_a_duration_is_a_number_and_a_unit(text: str, duration_s: int | None) -> None:
    assert query.parse_duration(text) == duration_s


@pytest.mark.parametrize("text", ["hours", "6moons", "-1hour", "1.5hours", "1hourss", "9" * 20])
def test_another_duration_is_refused(text: str) -> None:
    with pytest.raises(query.MalformedQuery):
        query.parse_duration(text)


@pytest.mark.parametrize(
    ("text", "at_us"),
    [("1970-01-01T00:00:01Z", 10**6), ("1970-01-01T00:00:01.5Z.csv", 1_500_000), ("", None)],
)
def test_a_format_glued_to_a_time_is_taken_off(text: str, at_us: int | None) -> None:
    assert query.parse_instant(text, "end") == at_us


@pytest.mark.parametrize(
    ("text", "is_yes"),
    [("true", True), ("True", True), ("1", True), ("false", False), ("0", False), ("", False)],
)
def test_yes_is_spelled_in_several_ways(text: str, is_yes: bool) -> None:
    assert query.flag(query.parse_parameters(f"show_user={text}".encode()), "show_user") is is_yes


def test_history_terms_are_read_together() -> None:
    asked = query.parse_history(
        query.parse_parameters(
            b"start=1970-01-01T00:00:01Z&end=1970-01-01T00:00:02%2B00:00&limit=5&page=2"
            b"&interval=60&interval_type=discrete&function=average&find_previous=True&_=9"
        )
    )
    assert asked == query.HistoryQuery(
        start_us=1_000_000,
        end_us=2_000_000,
        duration_s=None,
        limit=5,
        page=2,
        interval_s=60,
        is_discrete=True,
        function="average",
        find_previous=True,
    )


def test_a_limit_of_nothing_is_none_given() -> None:
    assert query.parse_history(query.parse_parameters(b"limit=0")).limit is None


PLAIN = query.SearchQuery("full", "", "", "", "", "all", None, None, 0, "created_at")
SEARCHES = [
    ("nothing", b"", {}),
    ("blank terms", b"q=&tag=&lat=&lon=&distance=&status=&order=&content=", {}),
    ("words, best first", b"q=+roof+top+", {"text": "roof top", "order": "relevance"}),
    ("words in another order", b"q=roof&order=retrieved_at", {"text": "roof", "order": "retrieved_at"}),
    ("names", b"tag=wet+room&user=alice&units=%C2%B0C", {"tag": "wet room", "user": "alice", "units": "°C"}),
    ("choices in any case", b"content=Summary&status=Frozen&order=Created_At", {"content": "summary", "status": "frozen"}),
    ("a circle", b"lat=51.5&lon=-0.08&distance=5.0", {"lat": 51.5, "lon": -0.08, "distance_m": 5000}),
    ("kilometres", b"lat=1&lon=2&distance=1&distance_units=kms", {"lat": 1, "lon": 2, "distance_m": 1000}),
    ("miles", b"lat=1&lon=2&distance=2&distance_units=miles", {"lat": 1, "lon": 2, "distance_m": 3218.688}),
    ("X4J's spelling", b"lat=1&lon=2&distance=2&distance_unit=MILES", {"lat": 1, "lon": 2, "distance_m": 3218.688}),
    ("exponents, as some languages print", b"lat=1e1&lon=-1.5E-05&distance=.5", {"lat": 10, "lon": -1.5e-5, "distance_m": 500}),
    ("more than the earth", b"lat=1&lon=2&distance=999999", {"lat": 1, "lon": 2, "distance_m": query.WHOLE_EARTH_M}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "terms"), [row[1:] for row in SEARCHES], ids=[row[0] for row in SEARCHES]
)
def test_search_terms_are_read(text: bytes, terms: dict[str, object]) -> None:
    asked = query.parse_search(query.parse_parameters(text))
    assert asked == msgspec.structs.replace(PLAIN, **terms)


WRONG_SEARCHES = [
    (b"q=" + b"x" * 256, "q has 256 characters; 255 are allowed"),
    (b"status=alive", "status must be one of all, live, frozen"),
    (b"order=title", "order must be one of created_at, retrieved_at, relevance"),
    (b"content=most", "content must be one of full, summary"),
    (b"lat=1&lon=2", "lat, lon and distance must be given together"),
    (b"distance=2", "lat, lon and distance must be given together"),
    (b"lat=91&lon=2&distance=1", "lat must be a number between -90 and 90"),
    (b"lat=1&lon=-180.5&distance=1", "lon must be a number between -180 and 180"),
    (b"lat=nan&lon=2&distance=1", "lat must be a number between -90 and 90"),
    (b"lat=1&lon=2&distance=-1", "distance must be a number between 0 and 1000000"),
    (b"lat=1&lon=2&distance=inf", "distance must be a number between 0 and 1000000"),
    (b"lat=1&lon=2&distance=1_0", "distance must be a number between 0 and 1000000"),
    (b"lat=1&lon=2&distance=1&distance_units=feet", "distance_units must be kms or miles"),
]


@pytest.mark.parametrize(("text", "message"), WRONG_SEARCHES)
def test_search_terms_out_of_bounds_are_refused_with_the_bound(text: bytes, message: str) -> None:
    with pytest.raises(query.MalformedQuery) as caught:
        query.parse_search(query.parse_parameters(text))
    assert str(caught.value) == message


SEARCH_NAMES = ["q", "tag", "user", "units", "status", "order", "content", "lat", "lon", "distance", "distance_units"]  # fmt: skip


@given(st.dictionaries(st.sampled_from(SEARCH_NAMES), st.lists(st.text() | st.floats().map(str), min_size=1)))  # fmt: skip
def test_a_search_is_read_or_refused(parameters: dict[str, list[str]]) -> None:
    try:
        asked = query.parse_search(parameters)
    except query.MalformedQuery:
        return
    assert (asked.lat is None) == (asked.lon is None)
    assert 0 <= asked.distance_m <= query.WHOLE_EARTH_M


def test_the_older_per_page_is_a_limit() -> None:
    assert query.parse_history(query.parse_parameters(b"per_page=7")).limit == 7


@pytest.mark.parametrize(
    "text",
    [
        b"function=median",
        b"interval_type=smooth",
        b"limit=-1",
        b"limit=1e3",
        b"interval=x",
        b"start=soon",
        b"page=99999999999",
    ],
)
def test_terms_that_say_nothing_are_refused(text: bytes) -> None:
    with pytest.raises(query.MalformedQuery):
        query.parse_history(query.parse_parameters(text))


@pytest.mark.parametrize(
    ("text", "page"),
    [(b"", (1, 50)), (b"page=3&per_page=10", (3, 10)), (b"per_page=5000", (1, 1000))],
)
def test_pages_are_clipped(text: bytes, page: tuple[int, int]) -> None:
    assert query.page_of(query.parse_parameters(text)) == page


@pytest.mark.parametrize("text", [b"a=1&" * 101, b"a=" + b"x" * 10_000])
def test_an_endless_query_is_refused(text: bytes) -> None:
    with pytest.raises(query.MalformedQuery):
        query.parse_parameters(text)


@given(
    st.binary(max_size=100),
    st.sampled_from(["start", "end", "duration", "limit", "interval", "timezone", "page"]),
)
def test_any_bytes_are_terms_or_a_refusal(value: bytes, name: str) -> None:
    try:
        parameters = query.parse_parameters(name.encode() + b"=" + value)
        query.parse_history(parameters)
        query.zone_of(parameters)
        query.page_of(parameters)
    except XivelyError as refusal:
        assert refusal.status == 400  # noqa: PT017 - the refusal may or may not come
