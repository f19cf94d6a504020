"""Weather that nobody measured, and that could have been."""

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thingtank.simulator.weather import CHANNELS, Weather
from thingtank.tank.history import DAY_S

NAMES = [channel.name for channel in CHANNELS]
JULY, JANUARY = (
    datetime.datetime(2026, month, 15, tzinfo=datetime.UTC).timestamp() for month in (7, 1)
)


@given(st.integers(0, 2**31), st.floats(0, 4e9))
def test_all_channels_say_a_number_that_a_station_could_measure(seed: int, at_s: float) -> None:
    values = Weather(seed).at(at_s)
    assert list(values) == NAMES
    temperature, humidity, pressure, wind_speed, wind_direction = map(float, values.values())
    assert -15 < temperature < 40
    assert 20 <= humidity <= 100
    assert 980 < pressure < 1050
    assert 0 <= wind_speed <= 40
    assert 0 <= wind_direction <= 360


@given(st.integers(0, 2**31), st.floats(0, 4e9))
def test_the_same_is_said_of_a_time_whenever_it_is_asked(seed: int, at_s: float) -> None:
    assert Weather(seed).at(at_s) == Weather(seed).at(at_s)


@given(st.integers(0, 2**31), st.floats(0, 4e9))
def test_nothing_jumps_from_one_report_to_the_next(seed: int, at_s: float) -> None:
    weather = Weather(seed)
    before, after = weather.at(at_s), weather.at(at_s + 5)
    assert abs(float(before["temperature"]) - float(after["temperature"])) < 1
    assert abs(float(before["pressure"]) - float(after["pressure"])) < 1


def mean_of(name: str, first_s: float, hours: tuple[int, ...]) -> float:
    values = [
        float(Weather(seed).at(first_s + day * DAY_S + hour * 3600)[name])
        for seed in range(5)
        for day in range(20)
        for hour in hours
    ]
    return sum(values) / len(values)


@pytest.mark.parametrize("first_s", [JANUARY, JULY])
def test_afternoons_are_warmer_and_drier_than_nights(first_s: float) -> None:
    assert mean_of("temperature", first_s, (14, 15, 16)) > mean_of("temperature", first_s, (2, 3, 4)) + 4  # fmt: skip
    assert mean_of("humidity", first_s, (14, 15, 16)) < mean_of("humidity", first_s, (2, 3, 4)) - 10


def test_july_is_warmer_than_january() -> None:
    assert mean_of("temperature", JULY, (0, 6, 12, 18)) > mean_of("temperature", JANUARY, (0, 6, 12, 18)) + 8  # fmt: skip


def test_two_stations_have_weather_of_their_own() -> None:
    assert Weather(1).at(JULY) != Weather(2).at(JULY)
