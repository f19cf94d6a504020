"""What a page may ask a back-test for, and how its pages join."""

import pytest

from thingtank.tank.actions.backtest import Backtest
from thingtank.tank.errors import ValidationFailed
from thingtank.tank.trigger_rules import Firing
from thingtank.web.workbench.backtests import Answer, Range, answer_of, range_of

S = 1_000_000
NOW = 1_790_000_000 * S
DAY = 86_400 * S


def test_a_range_is_named_at_first() -> None:
    assert range_of({"range": "1w"}, NOW) == Range(NOW - 7 * DAY, NOW, NOW - 7 * DAY)
    assert range_of({}, NOW).start_us == NOW - DAY


def test_the_next_page_is_asked_for_as_the_last_one_answered() -> None:
    asked = Range(10 * S, 90 * S, 10 * S)
    answer = answer_of(asked, Backtest([Firing(20 * S, 20 * S, "5")], 40 * S, False, 7))
    assert answer == Answer(10 * S, 90 * S, 40 * S + 1, False, 7, [(20.0, "5")])
    texts = {name: str(getattr(answer, name)) for name in ("start_us", "end_us", "next_us")}
    assert range_of(texts, NOW) == Range(10 * S, 90 * S, 40 * S + 1)


def test_the_last_page_is_complete() -> None:
    asked = Range(10, 90, 50)
    assert answer_of(asked, Backtest([], 90, True, 0)).is_complete
    assert answer_of(asked, Backtest([], 90, False, 0)).is_complete  # a full page, but the end


BAD = [
    {"range": "1h"},
    {"range": "all"},
    {"next_us": "5"},
    {"next_us": "x", "start_us": "1", "end_us": "2"},
    {"next_us": "-1", "start_us": "1", "end_us": "2"},
    {"next_us": "5", "start_us": "1", "end_us": "2"},
    {"next_us": "5", "start_us": "6", "end_us": "9"},
    {"next_us": "9" * 18, "start_us": "1", "end_us": "9" * 18},
    {"next_us": "٣", "start_us": "1", "end_us": "9"},
]


@pytest.mark.parametrize("asked", BAD)
def test_nonsense_is_refused(asked: dict[str, str]) -> None:
    with pytest.raises(ValidationFailed):
        range_of(asked, NOW)
