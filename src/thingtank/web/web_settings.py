"""What the web layer needs to know of an instance."""

import msgspec
from django.conf import settings


class WebSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How pages are reached, and what they go by.

    Attributes:
        public_url: how browsers reach this instance behind a proxy, without a slash at the end;
            blank for as asked.
        allowed_hosts: host names besides the loopback ones that browsers may use.
        live_s: a device is called live while its newest value is younger.
    """

    public_url: str = ""
    allowed_hosts: tuple[str, ...] = ()
    live_s: int = 900


def web_settings() -> WebSettings:
    """The settings of this process's instance, once Django has them."""
    return settings.THINGTANK
