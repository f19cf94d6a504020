"""What the web layer needs to know of an instance."""

import msgspec
from django.conf import settings

from thingtank.web.weather.settings import WeatherSettings


class WebSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How pages are reached, and what they go by.

    Attributes:
        public_url: how browsers reach this instance behind a proxy, without a slash at the end;
            blank for as asked.
        allowed_hosts: host names besides the loopback ones that browsers may use.
        live_s: a device is called live while its newest value is younger.
        map_tiles_url: a tile server's address with {z}, {x} and {y}; blank for the maps' own world.
        map_tiles_attribution: what has to be said of it on the maps.
        weather: what the weather station's page reads.
    """

    public_url: str = ""
    allowed_hosts: tuple[str, ...] = ()
    live_s: int = 900
    map_tiles_url: str = ""
    map_tiles_attribution: str = ""
    weather: WeatherSettings = WeatherSettings()


def web_settings() -> WebSettings:
    """The settings of this process's instance, once Django has them."""
    return settings.THINGTANK
