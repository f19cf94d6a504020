"""What may be set of the weather station; without Django, so that a configuration can be read."""

from typing import Literal

import msgspec


class WeatherSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Section `weather`: the weather station's page.

    Attributes:
        source: what the page at `/weather/` reads: `table`, the weather station's own, which people
            and bound feeds fill; or `feed`, a feed's current value and place.
        feed_id: the feed that is read with `feed`; who may not see it does not see it there either.
    """

    source: Literal["table", "feed"] = "table"
    feed_id: int = 0


def weather_problem(settings: WeatherSettings) -> str:
    """What is wrong with the settings together; blank for nothing."""
    if settings.source == "feed" and settings.feed_id == 0:
        return 'weather.feed_id must name the feed that weather.source = "feed" reads'
    return ""
