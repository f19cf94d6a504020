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
