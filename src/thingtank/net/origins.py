"""Where a browser's page is from, as its Origin header says.

Source: RFC 6454.
"""

import ipaddress
from urllib.parse import urlsplit


def host_of(url: str) -> str:
    """The host in an origin or URL; blank if there is none, as in `null`."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def is_address(host: str) -> bool:
    """Whether a host is an address, and no name that could be made to point anywhere."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, whatever its resolver says."""
    return host == "localhost" or (is_address(host) and ipaddress.ip_address(host).is_loopback)


def is_own(origin: str, host: str, allowed: tuple[str, ...]) -> bool:
    """Whether a browser's page may connect: this machine's own, the same address's, a listed one.

    A browser lets any page open a WebSocket to any host. Without this, a page from anywhere could
    act as somebody who is let in for their address, or for a cookie. That its name is the one it
    asks for proves nothing: whoever has a name may have it point here.

    Args:
        host: as the request's Host header says.
        allowed: origins; `*` for all.
    """
    if origin in allowed or "*" in allowed:
        return True
    page = host_of(origin)
    return is_loopback(page) or (page == host_of(f"//{host}") and is_address(page))
