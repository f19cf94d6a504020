"""What the router publishes of itself, as values: those who publish them decide when and to whom.

Source: WAMP, Session Meta API; Subscription Meta API; Registration Meta API.
"""

from datetime import UTC, datetime
from typing import Any

from msgspec import Struct


class MetaEvent(Struct, frozen=True, gc=False):
    """Something that happened to a session, subscription or registration.

    Attributes:
        topic: `wamp.….on_…`.
        args: as the meta API has them; the id of the session whose doing it was comes first.
    """

    topic: str
    args: tuple[Any, ...]


def created_text(at_us: int) -> str:
    """When something was created, as details have it: ISO 8601, in UTC."""
    at = datetime.fromtimestamp(at_us // 1_000_000, UTC).replace(microsecond=at_us % 1_000_000)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
