"""Testaments: events that a session leaves, to be published when it is over.

Without session resumption nothing is ever only detached: both scopes are published at the end,
`detached` ones first, each in the order in which they were added.

Source: WAMP, Testament.
"""

from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

from thingtank.protocols.wamp.answers import LIMIT_REACHED, Refused
from thingtank.protocols.wamp.messages import Publish
from thingtank.protocols.wamp.publications import PublishPolicy

TESTAMENTS_PER_SESSION_MAX = 100
TESTAMENT_BYTES_PER_SESSION_MAX = 1024 * 1024

Scope = Literal["detached", "destroyed"]
_ORDER: tuple[Scope, ...] = ("detached", "destroyed")


class Testament(Struct, eq=False):
    """One of them.

    Attributes:
        policy: of whoever authorized it; None until then.
    """

    message: Publish
    policy: PublishPolicy | None = None


class Testaments:
    """Those of one session."""

    __slots__ = ("_of_scope",)

    def __init__(self) -> None:
        """Start without."""
        self._of_scope: dict[Scope, list[Testament]] = {}

    def add(self, scope: Scope, message: Publish) -> Testament:
        """Keep one, which is published if it is authorized by then.

        Raises:
            Refused: it is one too many.
        """
        kept = [each for testaments in self._of_scope.values() for each in testaments]
        if len(kept) >= TESTAMENTS_PER_SESSION_MAX:
            text = f"a session may have {TESTAMENTS_PER_SESSION_MAX} testaments"
            raise Refused(LIMIT_REACHED, text)
        bytes_count = sum(len(each.message.payload.data) for each in kept)
        if bytes_count + len(message.payload.data) > TESTAMENT_BYTES_PER_SESSION_MAX:
            text = f"a session's testaments may have {TESTAMENT_BYTES_PER_SESSION_MAX} bytes"
            raise Refused(LIMIT_REACHED, text)
        testament = Testament(message)
        self._of_scope.setdefault(scope, []).append(testament)
        return testament

    def remove(self, scope: Scope, testament: Testament) -> None:
        """Forget one, if it is still there."""
        kept = self._of_scope.get(scope, [])
        if testament in kept:
            kept.remove(testament)

    def flush(self, scope: Scope) -> int:
        """Forget all of a scope; how many there were."""
        return len(self._of_scope.pop(scope, []))

    def take(self) -> Iterator[tuple[Publish, PublishPolicy]]:
        """All that were authorized, in the order in which they are to be published."""
        for scope in _ORDER:
            for testament in self._of_scope.pop(scope, []):
                if testament.policy is not None:
                    yield testament.message, testament.policy
