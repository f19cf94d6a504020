"""From HELLO to the authenticator's last word, over as many CHALLENGEs as it wants.

Source: WAMP, Session Lifecycle; Authentication.
"""

from collections.abc import Callable

from thingtank.protocols.wamp.authentication import (
    Answer,
    Attempt,
    Authenticator,
    Challenged,
)
from thingtank.protocols.wamp.later import Later
from thingtank.protocols.wamp.messages import Authenticate


class Handshake:
    """One client's, until it is accepted or rejected.

    Attributes:
        attempt: what is known of the client.
    """

    def __init__(self, attempt: Attempt, told: Callable[[Answer], None]) -> None:
        """Begin it.

        Args:
            told: is given each answer, at once or later.
        """
        self.attempt = attempt
        self._told = told
        self._check: Callable[[Authenticate], Answer | Later[Answer]] | None = None
        self._awaited: Later[Answer] | None = None

    def hello(self, authenticator: Authenticator) -> None:
        """Ask how it goes on after HELLO."""
        self._await(authenticator.hello(self.attempt))

    def authenticate(self, message: Authenticate) -> None:
        """Have the answer to a CHALLENGE checked."""
        assert self._check is not None
        check, self._check = self._check, None
        self._await(check(message))

    def cancel(self) -> None:
        """Forget it: the client has gone."""
        if self._awaited is not None:
            self._awaited.cancel()

    def _await(self, answer: Answer | Later[Answer]) -> None:
        if isinstance(answer, Later):
            self._awaited = answer
            answer.then(self._take)
        else:
            self._take(answer)

    def _take(self, answer: Answer) -> None:
        self._awaited = None
        if isinstance(answer, Challenged):
            self._check = answer.check
        self._told(answer)
