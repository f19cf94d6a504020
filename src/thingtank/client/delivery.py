"""What to send next of a batch, and what its answer means. Pure: no I/O, no clock.

A write is carried out whole or refused whole. So when a batch is refused for what is in it, it is
taken apart until the culprits stand alone; they are set aside and the rest goes through. What is
not the batch's fault (no network, a full server, a key that is not known) is waited out.
"""

from collections.abc import Sequence

import msgspec

from thingtank.client.errors import (
    BadRequest,
    ClientError,
    Forbidden,
    Invalid,
    NotFound,
    Refused,
)
from thingtank.client.retries import RetryPolicy, backoff_s
from thingtank.client.spool import SpooledRow

SERVER_FAILURES_MAX = 5  # of the same values, then they are taken for the cause
WAIT_S_MAX = 3600.0

Part = Sequence[SpooledRow]


class Sent(msgspec.Struct, frozen=True):
    """On the server's disk."""

    rows: Part


class Reject(msgspec.Struct, frozen=True):
    """The server will never take these."""

    rows: Part
    reason: str


class Again(msgspec.Struct, frozen=True):
    """The next part may go after a wait, which is 0 when the batch was only taken apart."""

    wait_s: float


Outcome = Sent | Reject | Again


class Delivery:
    """The parts of a batch that are still to be sent, in order."""

    def __init__(self, policy: RetryPolicy) -> None:
        self._policy = policy
        self._parts: list[Part] = []  # the next one last
        self._failures = 0  # in a row, for whatever reason
        self._server_failures = 0  # of the part that is next

    def load(self, rows: Part) -> None:
        """Begin with a batch: values of one feed, oldest first."""
        assert not self._parts
        self._parts = [rows]
        self._server_failures = 0

    def next_part(self) -> Part | None:
        """What to send now; None when the batch is done."""
        return self._parts[-1] if self._parts else None

    def after(self, error: ClientError | None, chance: float) -> Outcome:
        """What follows from the answer to the part that was next.

        Args:
            error: None when the server acknowledged it.
            chance: in [0, 1), spreads the waits of many clients.
        """
        part = self._parts[-1]
        if error is None:
            self._failures = 0
            self._done()
            return Sent(part)
        if isinstance(error, Refused) and error.is_from_api:
            if isinstance(error, NotFound | Forbidden):
                return self._apart(by_name(part), part, error)
            if isinstance(error, Invalid | BadRequest) or self._is_its_fault(error):
                return self._apart(halves(part), part, error)
        self._failures += 1
        return Again(self._wait_s(error, chance))

    def _is_its_fault(self, error: Refused) -> bool:
        """Whether the server fails each time it sees these values, and only that explains it."""
        if error.status != 500:
            return False
        self._server_failures += 1
        return self._server_failures >= SERVER_FAILURES_MAX

    def _apart(self, smaller: list[Part], part: Part, error: Refused) -> Outcome:
        self._failures = 0
        self._done()
        if len(smaller) < 2:
            return Reject(part, str(error))
        self._parts += reversed(smaller)
        return Again(0.0)

    def _done(self) -> None:
        self._parts.pop()
        self._server_failures = 0

    def _wait_s(self, error: ClientError, chance: float) -> float:
        delay_s = backoff_s(self._policy, self._failures, chance)
        asked_s = error.retry_after_s if isinstance(error, Refused) else None
        return delay_s if asked_s is None else min(max(delay_s, asked_s), WAIT_S_MAX)


def halves(part: Part) -> list[Part]:
    """The part in two, in order; itself when there is only one value."""
    middle = len(part) // 2
    return [part[:middle], part[middle:]] if middle else [part]


def by_name(part: Part) -> list[Part]:
    """The part by datastreams: a key may open some of them only."""
    found: dict[str, list[SpooledRow]] = {}
    for row in part:
        found.setdefault(row.row.name, []).append(row)
    return list(found.values())
