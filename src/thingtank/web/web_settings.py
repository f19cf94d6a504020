"""What the web layer needs to know of an instance."""

import msgspec


class WebSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How pages are reached.

    Attributes:
        public_url: how browsers reach this instance behind a proxy; blank for as asked.
        allowed_hosts: host names besides the loopback ones that browsers may use.
    """

    public_url: str = ""
    allowed_hosts: tuple[str, ...] = ()
