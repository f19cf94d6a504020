"""Whether a session may do what it asks for: the question, and what answers look like.

An authorizer answers at once, which is for decisions that it has in memory, or `Later`; meanwhile
the session's further messages wait, so that none overtakes. A session that carries out an
authorizer's own procedure must therefore be answered at once: its YIELD would wait too.

Source: WAMP, Authorization; what a decision holds beside yes and no is of Crossbar.io.
"""

from typing import Literal, Protocol

from msgspec import Struct

from thingtank.protocols.wamp.answers import NOT_AUTHORIZED
from thingtank.protocols.wamp.calls import CallPolicy
from thingtank.protocols.wamp.invocations import BY_REQUEST
from thingtank.protocols.wamp.later import Later
from thingtank.protocols.wamp.options import Match
from thingtank.protocols.wamp.peers import Peer
from thingtank.protocols.wamp.publications import BY_OPTIONS, PublishPolicy

AUTHORIZATION_FAILED = "wamp.error.authorization_failed"

Action = Literal["publish", "subscribe", "call", "register"]


class Decision(Struct, frozen=True, gc=False):
    """An answer.

    Attributes:
        error: the URI of the ERROR, where it is not allowed.
        publish, call: what is done beside what the client asks for, where it is.
    """

    is_allowed: bool
    error: str = NOT_AUTHORIZED
    publish: PublishPolicy = BY_OPTIONS
    call: CallPolicy = BY_REQUEST


ALLOWED = Decision(is_allowed=True)
DENIED = Decision(is_allowed=False)
UNDECIDED = Decision(is_allowed=False, error=AUTHORIZATION_FAILED)


class Authorizer(Protocol):
    """Decides for the sessions of a realm. It remembers decisions itself, and forgets them."""

    def authorize(
        self, peer: Peer, action: Action, uri: str, match: Match
    ) -> Decision | Later[Decision]:
        """Say whether a session may do this.

        Args:
            uri: well-formed, and a pattern if `match` is not `exact`. Who may subscribe to or
                register a pattern gets all that it matches.
        """
