"""What a sink is, and what it says of one attempt."""

import enum
from typing import Protocol

import msgspec

from thingtank.tank.deliveries import Delivery


class Verdict(enum.Enum):
    """What is to be done with a delivery after an attempt."""

    DELIVERED = enum.auto()
    RETRY = enum.auto()
    POSTPONED = enum.auto()  # not tried: what its account has for its host waits `retry_after_s`
    REFUSED = enum.auto()  # it cannot become right by itself: a dead letter at once
    GONE = enum.auto()  # the receiver wants no more, of this or of any other


class Outcome(msgspec.Struct, frozen=True):
    """One attempt's result.

    Attributes:
        status: the answer's, None when there was none. answer: the first bytes of its body.
        error: for the account's person; no credentials, no path of the URL.
        retry_after_s: the receiver asks not to be tried before; or it was postponed for so long.
        is_host_failure: the receiver could not be reached at all, so neither can others there.
    """

    verdict: Verdict
    status: int | None = None
    answer: bytes = b""
    error: str = ""
    retry_after_s: float = 0.0
    is_host_failure: bool = False


class Sink(Protocol):
    """One channel."""

    async def deliver(self, delivery: Delivery) -> Outcome:
        """Try once. Ends within the sink's own time limit; raises only by a bug of ours."""
        ...
