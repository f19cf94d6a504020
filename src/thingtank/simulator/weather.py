"""Weather that nobody measured: what the station says is a function of time alone.

So history and what follows it fit together, also after a pause, and what is written twice is the
same. Days have their warm afternoons, fronts pass in days, gusts in minutes.
"""

import datetime
import math
import random

import msgspec

from thingtank.tank.history import DAY_S, HOUR_S

YEAR_S = 365.2425 * DAY_S
WARMEST_HOUR = 15  # of the sun's time
LATITUDE, LONGITUDE = 51.4779, -0.0015  # the old observatory of Greenwich, where UTC is local time
PLACE = "Greenwich, simulated"

# Periods in seconds and how much each counts. None divides another: no two days are alike.
_FRONTS = ((6.7 * DAY_S, 0.5), (2.9 * DAY_S, 0.35), (19.0 * HOUR_S, 0.15))
_GUSTS = ((47 * 60.0, 0.45), (13 * 60.0, 0.3), (211.0, 0.25))


class Channel(msgspec.Struct, frozen=True):
    """What the station measures, and in what."""

    name: str
    symbol: str
    label: str


CHANNELS = (
    Channel("temperature", "°C", "Celsius"),
    Channel("humidity", "%", "percent"),
    Channel("pressure", "hPa", "hectopascal"),
    Channel("wind_speed", "m/s", "metres per second"),
    Channel("wind_direction", "°", "degrees from north"),
)


class Weather:
    """The weather at one station."""

    def __init__(self, seed: int) -> None:
        """`seed` chooses the station's fronts and gusts."""
        self._seed = seed
        choice = random.Random(seed)  # noqa: S311 - weather, no secret
        self._fronts = [(*wave, choice.random()) for wave in _FRONTS]
        self._highs = [(*wave, choice.random()) for wave in _FRONTS]
        self._gusts = [(*wave, choice.random()) for wave in _GUSTS]

    def at(self, at_s: float) -> dict[str, str]:
        """What the station says at a time, by the names of CHANNELS.

        Args:
            at_s: seconds since the epoch, UTC.
        """
        jitter = random.Random(f"{self._seed} {at_s}")  # noqa: S311 - weather, no secret
        front, high = _sum_of(self._fronts, at_s), _sum_of(self._highs, at_s)
        gust = _sum_of(self._gusts, at_s)
        sun, summer = _sun(at_s), _summer(at_s)
        temperature = 10.5 + 7 * summer + 4 * sun + 4 * front + 0.4 * gust
        humidity = 71 - 5 * summer - 14 * sun - 9 * high + 2 * gust
        pressure = 1013.5 + 14 * high + 0.3 * gust
        wind_speed = 4.2 + 1.4 * sun - 2.4 * high + 2.2 * gust
        wind_direction = 225 + 80 * front + 18 * gust
        return {
            "temperature": f"{temperature + jitter.gauss(0, 0.05):.1f}",
            "humidity": f"{_within(22, humidity + jitter.gauss(0, 0.3), 100):.0f}",
            "pressure": f"{pressure + jitter.gauss(0, 0.05):.1f}",
            "wind_speed": f"{_within(0, wind_speed + jitter.gauss(0, 0.3), 40):.1f}",
            "wind_direction": f"{(wind_direction + jitter.gauss(0, 3)) % 360:.0f}",
        }


def _sum_of(waves: list[tuple[float, float, float]], at_s: float) -> float:
    """Between -1 and 1."""
    return sum(
        weight * math.sin(2 * math.pi * (at_s / period_s + phase))
        for period_s, weight, phase in waves
    )


def _sun(at_s: float) -> float:
    """From -1 before dawn to 1 in the afternoon."""
    hour = (at_s / HOUR_S + LONGITUDE / 15) % 24
    return math.cos(2 * math.pi * (hour - WARMEST_HOUR) / 24)


def _summer(at_s: float) -> float:
    """From -1 in January to 1 in July."""
    warmest = datetime.datetime(2020, 7, 20, tzinfo=datetime.UTC).timestamp()
    return math.cos(2 * math.pi * (at_s - warmest) / YEAR_S)


def _within(least: float, value: float, most: float) -> float:
    return max(least, min(value, most))
