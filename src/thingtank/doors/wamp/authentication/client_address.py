"""Where a client is: its address, and whether that is this machine.

A page in a browser on this machine, and a proxy, come from loopback on behalf of others. So does
nobody who is taken for local here: with an Origin that is not loopback's, or headers of a proxy.
"""

import ipaddress
import re
from urllib.parse import urlsplit

from thingtank.net.forwarded import UNIX, is_forwarded
from thingtank.net.origins import host_of, is_loopback
from thingtank.protocols.wamp.authentication import TransportFacts

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


def is_local(facts: TransportFacts) -> bool:
    """Whether a client runs on this machine and acts for nobody elsewhere."""
    if is_forwarded(facts.headers):
        return False
    origin = facts.headers.get("origin")
    if origin is not None and not is_loopback(host_of(origin)):
        return False
    if facts.peer == UNIX:
        return True
    address = address_of(facts.peer)
    return bool(address) and ipaddress.ip_address(address).is_loopback


def is_of_one_site(facts: TransportFacts) -> bool:
    """Whether no page of another site opened this: it has no Origin, or that of its Host."""
    origin = facts.headers.get("origin")
    if origin is None:
        return True
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    return bool(parts.netloc) and parts.netloc.lower() == facts.headers.get("host", "").lower()
