"""Which browsers' pages may use the door."""

from http import HTTPStatus

from thingtank.net.origins import is_own
from thingtank.net.websocket import Refused, WebSocketHead


def may_come_from(origin: str, host: str, allowed: tuple[str, ...], fetch_site: str = "") -> bool:
    """Whether who says to come from an origin may come in.

    Args:
        origin: blank for none. npm's skynet, which is no page, sends a bare host and port.
        host: as the request's Host header says.
        fetch_site: its header Sec-Fetch-Site, by which browsers tell what they load for a page's
            images and scripts, without an origin.

    Source: Fetch Metadata Request Headers, 2.3.
    """
    if not origin:
        return fetch_site != "cross-site" or "*" in allowed
    is_page = "://" in origin or origin == "null"
    return not is_page or is_own(origin, host, allowed)


def refuse_page(head: WebSocketHead, allowed: tuple[str, ...]) -> Refused | None:
    """What a page that may not come in is told; None for all others."""
    origin = head.headers.get("origin", "")
    if may_come_from(origin, head.headers.get("host", ""), allowed):
        return None
    return Refused(
        HTTPStatus.FORBIDDEN,
        f"Pages of {origin[:200]} may not connect; skynet.allowed_origins lists those that may.",
    )
