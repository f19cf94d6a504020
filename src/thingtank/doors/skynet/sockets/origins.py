"""Which browsers' pages may use the sockets."""

from thingtank.net.origins import is_own


def may_come_from(origin: str, host: str, allowed: tuple[str, ...]) -> bool:
    """Whether who says to come from an origin may come in.

    Args:
        origin: blank for none. npm's skynet, which is no page, sends a bare host and port.
        host: as the request's Host header says.
    """
    is_page = "://" in origin or origin == "null"
    return not is_page or is_own(origin, host, allowed)
