"""What the weather station's page reads is a setting."""

import pytest

from thingtank.server.config import BadSettings, load_config
from thingtank.web.weather.settings import WeatherSettings


def test_the_table_is_read_unless_a_feed_is_named() -> None:
    assert load_config(None, {}).config.weather == WeatherSettings("table", 0)
    sets = ("weather.source=feed", "weather.feed_id=7")
    assert load_config(None, {}, sets).config.weather == WeatherSettings("feed", 7)


@pytest.mark.parametrize(
    ("sets", "message"),
    [
        (("weather.source=feed",), "weather.feed_id must name the feed"),
        (("weather.source=xively",), "`weather.source` must be .*, not 'xively'"),
        (("weather.feed_id=-1",), "weather.feed_id must not be negative"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(sets: tuple[str, ...], message: str) -> None:
    with pytest.raises(BadSettings, match=message):
        load_config(None, {}, sets)
