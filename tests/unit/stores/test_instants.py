"""When numbers were given: about, in little memory, however long ago."""

import random

import pytest

from thingtank.stores import instants
from thingtank.stores.instants import Instants


@pytest.mark.parametrize("seed", range(20))
def test_an_instant_is_known_to_a_share_of_its_age(seed: int) -> None:
    chance, known = random.Random(seed), Instants()
    now_us, given = 1_700_000_000_000_000, list[int]()
    for _ in range(20_000):
        now_us += int(10 ** chance.uniform(0, chance.choice((4, 6, 9))))  # busy, slow, silent
        given.append(now_us)
        known.note(len(given), now_us)
    for number in chance.sample(range(1, len(given) + 1), 2000):
        found_us, was_us = known.given_us(number), given[number - 1]
        assert found_us is not None
        assert 0 <= was_us - found_us <= max(100_000, (now_us - was_us) / 20)


def test_little_is_remembered_of_years(monkeypatch: pytest.MonkeyPatch) -> None:
    known = Instants()
    for second in range(400_000):
        known.note(second, second * 100_000)
    known._thin(40 * 365 * 86_400 * 1_000_000)
    assert len(known._notes) < instants._COUNT_MAX / 2


def test_what_was_before_the_start_is_not_known() -> None:
    known = Instants()
    assert known.given_us(5) is None
    known.note(6, 1_000_000)
    assert [known.given_us(number) for number in (5, 6, 7)] == [None, 1_000_000, 1_000_000]


def test_a_clock_that_is_put_back_is_not_followed() -> None:
    known = Instants()
    for number, now_us in enumerate([5_000_000, 1_000_000, 6_000_000]):
        known.note(number, now_us)
    assert [known.given_us(number) for number in range(3)] == [5_000_000, 5_000_000, 6_000_000]
