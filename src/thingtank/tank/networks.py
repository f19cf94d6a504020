"""Which peers are counted as one: strangers are known by nothing but their address."""

import ipaddress

_IPV6_BITS = 64  # what one household or rented server is given: one address among so many is nobody


def network_of(address: str) -> str:
    """What counts as one address: of IPv6, all that one subscriber can choose from."""
    if ":" not in address:
        return address
    try:
        parsed = ipaddress.IPv6Address(address)
    except ValueError:
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(parsed), _IPV6_BITS), strict=False))
