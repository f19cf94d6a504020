"""Query parameters: what they mean, and which cannot be read."""

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
