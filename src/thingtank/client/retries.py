"""When a request is sent again, and after how long: one pure decision for both clients.

Only what cannot do harm twice is repeated: a request that certainly never arrived, one that the
server refused for now, and one whose repetition means the same. Writes carry their time, and a
datastream has one value an instant, so writing the same again changes nothing.
"""

import random
from collections.abc import Iterator

import msgspec

from thingtank.client.errors import (
    ClientError,
    RateLimited,
    Refused,
    ServerFailed,
    Unavailable,
    Unreachable,
)


class RetryPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How patient a client is with one request.

    Attributes:
        attempts_max: how often a request is sent in all; 1 for never again.
        wait_s_first: before the second attempt; doubles from then on.
        wait_s_max: between two attempts, unless the server asks for more.
        retry_after_s_max: a server that asks for more patience than this is given up at once.
    """

    attempts_max: int = 5
    wait_s_first: float = 0.25
    wait_s_max: float = 15.0
    retry_after_s_max: float = 120.0


NEVER_AGAIN = RetryPolicy(attempts_max=1)


def wait_s(
    policy: RetryPolicy,
    error: ClientError,
    attempt: int,
    *,
    is_idempotent: bool,
    chance: float,
) -> float | None:
    """How long to wait before a request is sent again; None to give up.

    Args:
        error: what came of the attempt.
        attempt: how many there have been, from 1.
        is_idempotent: whether carrying it out twice means the same as once.
        chance: in [0, 1), spreads the waits of many clients.
    """
    if attempt >= policy.attempts_max or not _may_repeat(error, is_idempotent):
        return None
    asked_s = error.retry_after_s if isinstance(error, Refused) else None
    if asked_s is not None:
        # Half a second of spread, so that all who were turned away do not come back as one.
        return asked_s + chance / 2 if asked_s <= policy.retry_after_s_max else None
    return backoff_s(policy, attempt, chance)


def _may_repeat(error: ClientError, is_idempotent: bool) -> bool:
    if isinstance(error, RateLimited | Unavailable):
        return True  # turned away at the door: nothing was done
    if isinstance(error, Unreachable):
        return is_idempotent or not error.was_sent
    return is_idempotent and isinstance(error, ServerFailed)


def backoff_s(policy: RetryPolicy, attempt: int, chance: float) -> float:
    """The doubling wait after an attempt, from 1; between half of it and all of it."""
    whole_s = min(policy.wait_s_max, policy.wait_s_first * 2.0 ** min(attempt - 1, 30))
    return whole_s * (0.5 + chance / 2)


def backoffs_s(policy: RetryPolicy) -> Iterator[float]:
    """Waits without end, for what is tried until it works."""
    attempt = 0
    while True:
        attempt += 1
        yield backoff_s(policy, attempt, random.random())  # noqa: S311 - spreads, hides nothing
