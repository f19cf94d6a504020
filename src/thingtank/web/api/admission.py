"""Who is let in, by key or session, and how much they may still ask; without REST framework.

Wrong keys are counted against the address they come from, as at the other doors: keys are too long
to be guessed in so few attempts.
"""

import time
from collections.abc import Mapping
from urllib.parse import urlsplit

import msgspec

from thingtank.tank.access import Caller, caller_of_key
from thingtank.tank.errors import Unauthenticated
from thingtank.tank.request_rates import Allowance
from thingtank.tank.tank import Tank

KEY_CHARS_MAX = 512


class Admitted(msgspec.Struct, frozen=True):
    """Who was let in, and how much they may still ask; None for as much as they like."""

    caller: Caller
    allowance: Allowance | None


class Presented(msgspec.Struct, frozen=True):
    """What a request says of its sender.

    Attributes:
        secret: the key; blank for none.
        referer: host name of the Referer header, blank when there is none.
    """

    secret: str
    referer: str


def presented(headers: Mapping[str, str]) -> Presented:
    """What a request's headers present; names in lower case."""
    return Presented(_secret_of(headers), _host_of(headers.get("referer", "")))


async def admit_key(tank: Tank, said: Presented, address: str) -> Admitted:
    """Who presents a key; in the loop.

    Raises:
        Unauthenticated: it opens nothing.
        RateExceeded: this request is one too many.
    """
    rates, now_ns = tank.request_rates, time.monotonic_ns()
    now_us = tank.clock.now_us()
    try:
        caller = caller_of_key(tank.directory, said.secret, now_us, address, said.referer)
    except Unauthenticated:
        rates.count_stranger(address, now_ns)
        raise
    assert caller.key is not None, "a key has been found"
    rates.count_key(caller.key.key_id, now_ns)
    return Admitted(caller, rates.left_of_key(caller.key.key_id, now_ns))


async def admit_account(tank: Tank, caller: Caller) -> Admitted:
    """Count a request by session; in the loop. Raise RateExceeded."""
    rates, now_ns = tank.request_rates, time.monotonic_ns()
    assert caller.account is not None, "somebody is signed in"
    rates.count_account(caller.account.account_id, now_ns)
    return Admitted(caller, rates.left_of_account(caller.account.account_id, now_ns))


async def count_stranger(tank: Tank, address: str) -> Allowance | None:
    """Count a request of nobody known; in the loop. Raise RateExceeded."""
    now_ns = time.monotonic_ns()
    tank.request_rates.count_stranger(address, now_ns)
    return tank.request_rates.left_of_stranger(address, now_ns)


def allowance_headers(allowance: Allowance) -> dict[str, str]:
    """How answers tell what may still be asked.

    Source: IETF draft-ietf-httpapi-ratelimit-headers.
    """
    return {
        "RateLimit-Policy": f'"requests";q={allowance.burst};w={allowance.burst_s}',
        "RateLimit": f'"requests";r={allowance.left};t={allowance.full_s}',
    }


def _secret_of(headers: Mapping[str, str]) -> str:
    secret = headers.get("x-apikey", "").strip()
    if not secret:
        scheme, _, credentials = headers.get("authorization", "").partition(" ")
        secret = credentials.strip() if scheme.lower() == "bearer" else ""
    return secret[:KEY_CHARS_MAX]


def _host_of(referer: str) -> str:
    try:
        return urlsplit(referer).hostname or ""
    except ValueError:
        return ""
