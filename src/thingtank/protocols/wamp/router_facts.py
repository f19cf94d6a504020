"""What a router tells people of itself: values of its realms, as they were when it was asked.

Doors fill them in, and pages show them, which know nothing of doors.
"""

from collections.abc import Sequence
from typing import Any, Literal

from msgspec import Struct

from thingtank.protocols.overviews import Traffic
from thingtank.protocols.wamp.options import Invoke, Match

Listing = Literal["sessions", "topics", "procedures"]
SORTS: dict[Listing, tuple[str, ...]] = {
    "sessions": ("newest", "authid", "behind"),
    "topics": ("rate", "uri", "subscribers", "newest"),
    "procedures": ("rate", "uri", "callees", "newest"),
}
"""In which orders they are listed, the usual one first. `behind` are those who read too slowly."""


class SessionFacts(Struct, frozen=True):
    """An open session.

    Attributes:
        protocol: serializer, and `batched` where it is.
        is_workbench: it is somebody's who tries things out on the page.
        unread_bytes, dropped_count: what it has not taken yet, and events that it went without.
    """

    session_id: int
    authid: str
    authrole: str
    authmethod: str
    transport: str
    protocol: str
    peer: str
    joined_us: int
    unread_bytes: int
    dropped_count: int
    topic_count: int
    is_workbench: bool


class TopicFacts(Struct, frozen=True):
    """A subscription: a topic or pattern that somebody hears, or whose events are kept.

    Attributes:
        last_us: of its newest event, as far as that is known; it may be late by the time between
            two looks.
    """

    subscription_id: int
    uri: str
    match: Match
    is_kept: bool
    subscriber_count: int
    event_count: int
    events_per_s: float
    last_us: int | None
    created_us: int


class ProcedureFacts(Struct, frozen=True):
    """A registration: a procedure or pattern that clients carry out."""

    registration_id: int
    uri: str
    match: Match
    invoke: Invoke
    callee_count: int
    call_count: int
    calls_per_s: float
    last_us: int | None
    created_us: int


class RealmFacts(Struct, frozen=True):
    """A realm in numbers, of what may be seen of it.

    Attributes:
        traffic: the last minutes; None for who sees no more than their own.
    """

    name: str
    session_count: int
    topic_count: int
    procedure_count: int
    dropped_count: int
    traffic: Traffic | None


class Payloaded(Struct, frozen=True):
    """What somebody sent: values, as Python has them."""

    args: list[Any]
    kwargs: dict[str, Any]


NO_VALUES = Payloaded([], {})


class Outcome(Struct, frozen=True):
    """What became of a request.

    Attributes:
        name: the answer's name in the protocol: PUBLISHED, RESULT, ERROR, ABORT, GOODBYE; blank
            where there is none.
        uri: of the error or reason.
        ids: those in the answer, by name.
        progress: results before the last, oldest first.
        is_late: an answer was wanted, and none came in time.
    """

    name: str
    duration_us: int
    uri: str = ""
    ids: dict[str, int] = {}
    payload: Payloaded = NO_VALUES
    progress: Sequence[Payloaded] = ()
    is_late: bool = False


class HeardEvent(Struct, frozen=True):
    """An EVENT, as it came.

    Attributes:
        left_out_bytes: of a payload that is too long to be shown; else 0.
    """

    topic: str
    publication_id: int
    at_us: int
    details: dict[str, Any]
    payload: Payloaded
    left_out_bytes: int = 0
