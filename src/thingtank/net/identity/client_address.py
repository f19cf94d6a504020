"""Where a client is: its address, and whether that is this machine.

A page in a browser on this machine, and a proxy, come from loopback on behalf of others. So does
nobody who is taken for local here: with an Origin that is not loopback's, or headers of a proxy.
"""

import ipaddress
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from thingtank.net.forwarded import UNIX, is_forwarded
from thingtank.net.origins import host_of, is_loopback

_KIND = re.compile(r"(?:tcp|tls|ws|wss)[46]?:(?://)?(?=.)")


def address_of(peer: str) -> str:
    """The IP address in a peer's text, with or without port and kind of transport; else blank."""
    text = _KIND.sub("", peer, count=1)
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return ""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def is_local(peer: str, headers: Mapping[str, str]) -> bool:
    """Whether a client runs on this machine and acts for nobody elsewhere.

    Args:
        headers: of the HTTP request that became a WebSocket, names in lower case.
    """
    if is_forwarded(headers):
        return False
    origin = headers.get("origin")
    if origin is not None and not is_loopback(host_of(origin)):
        return False
    if peer == UNIX:
        return True
    address = address_of(peer)
    return bool(address) and ipaddress.ip_address(address).is_loopback


def is_of_one_site(headers: Mapping[str, str]) -> bool:
    """Whether no page of another site opened this: it has no Origin, or that of its Host."""
    origin = headers.get("origin")
    if origin is None:
        return True
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    return bool(parts.netloc) and parts.netloc.lower() == headers.get("host", "").lower()
