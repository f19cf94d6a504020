"""Triggers in words, and durations as people write them."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thingtank.tank.things import Unit
from thingtank.tank.triggers import KINDS, Trigger
from thingtank.web.workbench.trigger_words import (
    KIND_CHOICES,
    duration_text,
    parse_duration,
    words_of,
)

DURATIONS = [
    ("90", 90),
    ("90 s", 90),
    ("0", 0),
    (" 5min ", 300),
    ("5 M", 300),
    ("2 hours", 7200),
    ("1 d", 86_400),
    ("30 days", 2_592_000),
]
NONE = ["", "s", "-5", "1.5 h", "5 weeks", "5 min 3 s", "٣ s", "9999999999", "1e3", "5\x00"]


@pytest.mark.parametrize(("text", "seconds"), DURATIONS)
def test_durations_are_read_as_people_write_them(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", NONE)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="30 s, 5 min, 2 h or 1 d"):
        parse_duration(text)


@given(st.text(max_size=20))
def test_any_text_is_a_duration_or_refused(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert parse_duration(text) >= 0


@given(st.integers(0, 30 * 86_400))
def test_what_is_written_is_read_the_same(seconds: int) -> None:
    assert parse_duration(duration_text(seconds)) == seconds


def test_every_kind_has_words() -> None:
    assert [kind for kind, _ in KIND_CHOICES] == list(KINDS)


def test_a_trigger_is_a_sentence() -> None:
    hot = Trigger(1, 1, 7, "t", "gt", "30", clear_value="28", hold_s=300)
    words = words_of(hot, Unit("", "°C", "Celsius"))
    assert words.sentence == "t goes above 30 °C"
    assert words.terms == ("for 5 min", "ends at 28")
    assert words_of(Trigger(1, 1, 7, "t", "frozen", "30")).sentence == "t falls silent"
