"""Whose connection it is when proxies stand in between."""

import ipaddress
from collections.abc import Callable, Mapping, Sequence

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network

SIGNS = frozenset(
    {
        "cf-connecting-ip",
        "forwarded",
        "true-client-ip",
        "via",
        "x-client-ip",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-real-ip",
    }
)
"""Headers by which a proxy shows that it is one."""

UNIX = "unix"  # the address of who comes by a Unix socket: this machine, and may open it

ClientOf = Callable[[str, Mapping[str, str]], str]
"""The client's address, by the peer's and the request's headers, names in lower case."""


def is_forwarded(headers: Mapping[str, str]) -> bool:
    """Whether a proxy has brought a request, as far as it says so."""
    return not SIGNS.isdisjoint(headers)


def client_of(trusted_proxies: Sequence[str]) -> ClientOf:
    """Believe these proxies, given as addresses or networks, and no others.

    What another proxy brings is nobody's address: a client from anywhere must not count as one of
    this machine because the proxy runs on it.
    """
    networks: list[_Network] = [ipaddress.ip_network(each) for each in trusted_proxies]

    def is_trusted(address: str) -> bool:
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
            parsed = parsed.ipv4_mapped  # as IPv4 looks on a port of both
        return any(parsed in network for network in networks)

    def find_client(peer: str, headers: Mapping[str, str]) -> str:
        if not is_forwarded(headers):
            return peer
        hops = [hop.strip() for hop in headers.get("x-forwarded-for", "").split(",")]
        if not is_trusted(peer) or not any(hops):
            return f"forwarded by {peer}"
        # Each proxy has added whom it spoke to; from the last one back, the first not trusted.
        return next((hop for hop in reversed(hops) if not is_trusted(hop)), hops[0])

    return find_client
