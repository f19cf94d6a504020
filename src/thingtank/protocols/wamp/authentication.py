"""Who a client is: the question that HELLO asks, and what answers look like.

```
HELLO --> hello() --> Accepted ------------------------------> WELCOME
              |                                        ^
              +-> Challenged --> CHALLENGE, AUTHENTICATE, check() --> Challenged, ...
              |                                        |
              +-> Rejected ---------------------------> ABORT
```

Each of them may come `Later`. Source: WAMP, Authentication.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from msgspec import UNSET, Struct, UnsetType

from thingtank.protocols.wamp.later import Later
from thingtank.protocols.wamp.messages import Authenticate
from thingtank.protocols.wamp.options import HelloDetails

NO_MATCHING_METHOD = "wamp.error.no_matching_auth_method"
AUTHENTICATION_FAILED = "wamp.error.authentication_failed"


class TransportFacts(Struct, frozen=True):
    """What is known of a transport before its client says who it is.

    Attributes:
        kind: `websocket` or `rawsocket`.
        peer: where it comes from, as text.
        headers: of the HTTP request that became a WebSocket, names in lower case.
        certificate: the client's, verified, in DER.
        channel_ids: by kind of channel binding, `tls-unique` or `tls-exporter`.
    """

    kind: str
    peer: str
    is_secure: bool = False
    headers: Mapping[str, str] = {}
    certificate: bytes | None = None
    channel_ids: Mapping[str, bytes] = {}


class Attempt(Struct, frozen=True):
    """A client that wants in.

    Attributes:
        session_id: that WELCOME will say; challenges may contain it.
        details: of its HELLO.
    """

    realm: str
    session_id: int
    details: HelloDetails
    transport: TransportFacts

    @property
    def authmethods(self) -> list[str]:
        """What it can do, in its order; `anonymous` if it says nothing."""
        methods = self.details.authmethods
        return ["anonymous"] if isinstance(methods, UnsetType) else methods


class Accepted(Struct, frozen=True):
    """WELCOME.

    Attributes:
        authextra: for WELCOME and for those who ask about the session.
        realm: another one than the client asked for.
        is_hidden: the session is the router's own; the Session Meta API does not know it.
    """

    authid: str
    authrole: str
    authmethod: str
    authprovider: str
    authextra: dict[str, Any] | UnsetType = UNSET
    realm: str | None = None
    is_hidden: bool = False


class Challenged(Struct, frozen=True):
    """CHALLENGE.

    Attributes:
        check: is asked with the AUTHENTICATE that follows.
    """

    authmethod: str
    extra: dict[str, Any]
    check: Callable[[Authenticate], "Answer | Later[Answer]"]


class Rejected(Struct, frozen=True):
    """ABORT, with a reason and words for people."""

    reason: str
    text: str


Answer = Accepted | Challenged | Rejected


class Authenticator(Protocol):
    """Answers for all realms that its door serves."""

    def hello(self, attempt: Attempt) -> Answer | Later[Answer]:
        """Say how it goes on after HELLO."""


class AnonymousAuthenticator:
    """Lets everybody in who does not insist on saying who they are."""

    def __init__(self, make_authid: Callable[[], str], authrole: str = "anonymous") -> None:
        """Choose what they are.

        Args:
            make_authid: of each; what HELLO claims is not believed.
        """
        self._make_authid = make_authid
        self._authrole = authrole

    def hello(self, attempt: Attempt) -> Answer:
        """Accept `anonymous`, at whichever place of the client's list."""
        if "anonymous" not in attempt.authmethods:
            return Rejected(NO_MATCHING_METHOD, "only 'anonymous' is offered here")
        return Accepted(self._make_authid(), self._authrole, "anonymous", "static")
