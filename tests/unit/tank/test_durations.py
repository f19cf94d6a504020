"""Lengths of time as people say them."""

import pytest

from thingtank.tank.durations import duration_text

TEXTS = {
    1: "1 second",
    90: "90 seconds",
    60: "1 minute",
    3600: "1 hour",
    5400: "90 minutes",
    86_400: "1 day",
    7 * 86_400: "7 days",
    2000 * 86_400: "2,000 days",
    0: "0 days",
}


@pytest.mark.parametrize(("duration_s", "text"), TEXTS.items())
def test_a_duration_is_worded_in_the_largest_unit_that_fits(duration_s: int, text: str) -> None:
    assert duration_text(duration_s) == text
