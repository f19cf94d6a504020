"""Values in and out: what is accepted, what is refused, and that garbage is told as such."""

import math
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thingtank.client import models
from thingtank.client.errors import UnreadableAnswer
from thingtank.client.times import Stamps, datetime_of, text_of, us_of

VALUES = [
    (21.5, "21.5"),
    (7, "7"),
    (True, "true"),
    ("0000017", "0000017"),
    ("", ""),
    ("x" * 255, "x" * 255),
    (np.float32(0.5), "0.5"),
    (np.int64(5), "5"),
]


@pytest.mark.parametrize(("value", "text"), VALUES)
def test_a_value_is_sent_as_its_text(value: models.Value, text: str) -> None:
    assert models.text_of_value(value) == text


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, "x" * 256])
def test_what_no_datastream_can_hold_is_refused(value: models.Value) -> None:
    with pytest.raises(ValueError, match=r"number|characters"):
        models.text_of_value(value)


@pytest.mark.parametrize("value", [None, b"5", [1], {}, 1j])
def test_what_is_no_value_is_a_mistake_of_the_program(value: object) -> None:
    with pytest.raises(TypeError):
        models.text_of_value(value)  # type: ignore[arg-type] # wrong on purpose


@pytest.mark.parametrize("name", ["", "a b", "a/b", "a:b", "*", "x" * 256, "a\n", "..%2f"])
def test_what_is_no_id_of_a_datastream_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no id"):
        models.check_name(name)


@pytest.mark.parametrize("name", ["temperature", "my.temp", "a+b-c_d", "größe", "a.json", "0"])
def test_ids_of_any_script_are_fine(name: str) -> None:
    assert models.check_name(name) == name


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("25.0", 25.0),
        (" +5 ", 5.0),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("nan", None),
        ("inf", None),
        ("0x10", None),
        ("1e999", None),
        ("", None),
        ("on", None),
        ("٣", None),
        ("1_0", None),
    ],
)
def test_numbers_are_decimal_numbers(text: str, number: float | None) -> None:
    assert models.number_of(text) == number


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        us_of(datetime(2024, 1, 1))  # noqa: DTZ001 - the mistake


INDIA = timezone(timedelta(hours=5, minutes=30))
EARLIEST = datetime(1, 1, 3)  # noqa: DTZ001 - hypothesis wants it bare


@given(st.datetimes(timezones=st.just(INDIA), min_value=EARLIEST))
def test_a_time_survives_being_sent(at: datetime) -> None:
    assert datetime_of(us_of(at)) == at
    assert datetime.fromisoformat(text_of(us_of(at))) == at


def test_stamps_never_repeat_and_go_on_where_they_were() -> None:
    ahead_us = us_of(datetime.now(UTC)) + 60_000_000
    stamps = Stamps(ahead_us)
    assert [stamps.next_us() for _ in range(3)] == [ahead_us + 1, ahead_us + 2, ahead_us + 3]


def test_a_feed_is_read_with_what_this_library_does_not_know() -> None:
    feed = models.parse_feed(
        b'{"id":7,"title":"Roof","private":"true","new":1,"location":{"lat":1,"waypoints":[]},'
        b'"datastreams":[{"id":"t","current_value":"1.50","max_value":"2.0","at":"2024-01-02T03:04:05.678901Z"},{"id":"u"}]}'
    )
    assert (feed.id, feed.private, feed.location) == (7, True, models.Location(lat=1.0))
    assert feed.datastreams["t"].number == 1.5
    assert feed.datastreams["t"].current_value == "1.50"
    assert feed.datastreams["u"].at is None


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"{}", b'{"id":"x"}', b"\xff", b"[" * 100_000]
)
def test_what_is_no_feed_is_an_unreadable_answer(body: bytes) -> None:
    with pytest.raises(UnreadableAnswer):
        models.parse_feed(body)


@given(st.binary(max_size=200))
def test_garbage_is_an_unreadable_answer(body: bytes) -> None:
    for parse in (models.parse_feed, models.parse_feeds, models.parse_history):
        with pytest.raises(UnreadableAnswer):
            parse(body)
