"""Which addresses webhooks may reach: the guard against requests into private networks.

The rule for the open Internet is a list of what it is not, from the IANA special-purpose address
registries. Python's `is_global` is not enough: it holds for multicast, for addresses with an IPv4
address inside (6to4, NAT64, ::127.0.0.1), and for a cloud's own 168.63.129.16.
"""

import ipaddress
from collections.abc import Sequence

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# Kind, networks, and whether `allow_private` opens them. The first row that fits gives the reason.
_ROWS: tuple[tuple[str, bool, tuple[str, ...]], ...] = (
    (
        "a cloud's metadata service",
        False,
        (
            "169.254.169.254/32",
            "169.254.170.0/24",
            "168.63.129.16/32",
            "100.100.100.200/32",
            "192.0.0.192/32",
            "fd00:ec2::/32",
            "fd20:ce::254/128",
        ),
    ),
    ("unspecified", False, ("0.0.0.0/8", "::/128")),
    ("loopback", True, ("127.0.0.0/8", "::1/128")),
    (
        "private",
        True,
        ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"),
    ),
    ("link-local", True, ("169.254.0.0/16", "fe80::/10")),
    ("multicast", False, ("224.0.0.0/4", "ff00::/8")),
    (
        "reserved",
        False,
        (
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.88.99.0/24",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "240.0.0.0/4",
            "2001::/23",  # with Teredo
            "2001:db8::/32",
            "2002::/16",  # 6to4: has an IPv4 address inside
            "3fff::/20",
        ),
    ),
)
_TABLE = tuple(
    (kind, opens, tuple(ipaddress.ip_network(network) for network in networks))
    for kind, opens, networks in _ROWS
)
_GLOBAL_IP6 = ipaddress.IPv6Network("2000::/3")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class AddressPolicy:
    """What the settings allow."""

    def __init__(self, allow_private: bool = False, allowed_networks: Sequence[str] = ()) -> None:
        self._allow_private = allow_private
        self._allowed = tuple(ipaddress.ip_network(network) for network in allowed_networks)

    def refusal(self, address: Address) -> str:
        """Why an address may not be reached; blank when it may.

        Args:
            address: as it would be connected to, after `plain_address`.
        """
        if any(_holds(network, address) for network in self._allowed):
            return ""
        # RFC 6052: what a resolver makes of an IPv4 address where there is only IPv6.
        judged = (
            ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
            if _holds(_NAT64, address)
            else address
        )
        for kind, opens, networks in _TABLE:
            if any(_holds(network, judged) for network in networks):
                return "" if opens and self._allow_private else kind
        if judged.version == 6 and not _holds(_GLOBAL_IP6, judged):
            return "reserved"
        return ""


def plain_address(text: str) -> Address:
    """An address as the resolver wrote it; an IPv4 address in IPv6 clothes is unwrapped.

    Raises:
        ValueError: it is no address.
    """
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _holds(network: Network, address: Address) -> bool:
    return network.version == address.version and address in network
