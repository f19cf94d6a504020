"""Where a gateway says that it can be reached. Nobody is sent away from their own network by it."""

import ipaddress
from typing import Any

_PORT_MAX = 65_535


def local_url(host: Any, port: Any) -> str:
    """The URL of an address of a private network; blank for any other, and for none."""
    number = _number(port)
    if not isinstance(host, str) or number is None:
        return ""
    if host != "localhost":
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return ""
        if not address.is_private or address.is_unspecified:
            return ""
        host = f"[{address}]" if address.version == 6 else str(address)
    return f"http://{host}:{number}"


def _number(port: Any) -> int | None:
    if isinstance(port, str) and port.isascii() and port.isdigit() and len(port) <= 5:
        port = int(port)
    if isinstance(port, bool) or not isinstance(port, int) or not 1 <= port <= _PORT_MAX:
        return None
    return port
