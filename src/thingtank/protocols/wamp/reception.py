"""What all transports of a door share: where sessions come in, and how patient it is with them."""

from collections.abc import Callable

from msgspec import Struct

from thingtank.protocols.wamp.authentication import Authenticator
from thingtank.protocols.wamp.requests import RequestIds
from thingtank.protocols.wamp.router import Realm, SessionIds


class SessionBounds(Struct, frozen=True):
    """How long a client is waited for, and how much of it is kept.

    Attributes:
        hello_s_max: from the transport's beginning, or a session's end, to HELLO.
        authentication_s_max: from HELLO to WELCOME.
        decision_s_max: for an authorizer; then it has failed.
        goodbye_s_max: for the echo.
        held_messages_max, held_bytes_max: that wait for a decision; of bytes, payloads only.
    """

    hello_s_max: float = 10.0
    authentication_s_max: float = 10.0
    decision_s_max: float = 10.0
    goodbye_s_max: float = 5.0
    held_messages_max: int = 1000
    held_bytes_max: int = 4 * 1024 * 1024


class Reception(Struct, frozen=True):
    """What all transports of a door share.

    Attributes:
        find_realm: by its name, which is a URI; None if there is none. May raise InvalidUri.
        now_us: of a clock that does not jump.
        agent: what WELCOME says that this is.
    """

    find_realm: Callable[[str], Realm | None]
    authenticator: Authenticator
    session_ids: SessionIds
    now_us: Callable[[], int]
    agent: str = ""
    request_ids: RequestIds = "increasing"
    bounds: SessionBounds = SessionBounds()
