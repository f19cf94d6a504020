"""Who asks: by API key, as at the other doors, or by the session of a browser.

Both end in the tank's `Caller`, of which alone rights follow. Wrong keys are counted against the
address they come from, as everywhere: keys are too long to be guessed in so few attempts.
"""

import time
from typing import Any
from urllib.parse import urlsplit

import msgspec
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from rest_framework.authentication import BaseAuthentication
from rest_framework.authentication import SessionAuthentication as DjangoSession
from rest_framework.exceptions import PermissionDenied

from thingtank.tank.access import Caller, caller_of_key
from thingtank.tank.errors import Unauthenticated
from thingtank.tank.request_rates import Allowance
from thingtank.tank.tank import Tank
from thingtank.web import tank_access
from thingtank.web.problems import CSRF_FAILED, Problem, ProblemRaised

KEY_CHARS_MAX = 512


class Admitted(msgspec.Struct, frozen=True):
    """Who was let in, and how much they may still ask; None for as much as they like."""

    caller: Caller
    allowance: Allowance | None


class KeyAuthentication(BaseAuthentication):
    """An API key, as `Authorization: Bearer KEY` or `X-ApiKey: KEY`."""

    def authenticate(self, request: Any) -> tuple[Any, Admitted] | None:
        """The key's caller; None where no key is presented."""
        asked: HttpRequest = request._request
        secret = _secret_of(asked)
        if not secret:
            return None
        address = asked.META.get("REMOTE_ADDR") or ""
        referer = _host_of(asked.META.get("HTTP_REFERER", ""))
        tank = tank_access.tank()
        return AnonymousUser(), tank_access.run(admit_key(tank, secret, address, referer))

    def authenticate_header(self, _request: Any) -> str:
        """What a stranger is asked for."""
        return 'Bearer realm="Thing Tank"'


class SessionAuthentication(DjangoSession):
    """A browser's session; what changes something needs its CSRF token."""

    def authenticate(self, request: Any) -> tuple[Any, Admitted] | None:
        """The signed-in account's caller; None for nobody."""
        found = super().authenticate(request)
        if found is None:
            return None
        caller = tank_access.caller(request._request)
        if caller.account is None:
            return None
        return found[0], tank_access.run(admit_account(tank_access.tank(), caller))

    def enforce_csrf(self, request: Any) -> None:
        """Refuse what another site may have sent."""
        try:
            super().enforce_csrf(request)
        except PermissionDenied as error:
            raise ProblemRaised(Problem(CSRF_FAILED, str(error.detail))) from None


async def admit_key(tank: Tank, secret: str, address: str, referer: str) -> Admitted:
    """Who presents a key; in the loop.

    Raises:
        Unauthenticated: it opens nothing.
        RateExceeded: this request is one too many.
    """
    rates, now_ns = tank.request_rates, time.monotonic_ns()
    secret = secret[:KEY_CHARS_MAX]
    try:
        caller = caller_of_key(tank.directory, secret, tank.clock.now_us(), address, referer)
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


def _secret_of(request: HttpRequest) -> str:
    header: str = request.META.get("HTTP_X_APIKEY", "").strip()
    if header:
        return header
    scheme, _, secret = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else ""


def _host_of(referer: str) -> str:
    try:
        return urlsplit(referer).hostname or ""
    except ValueError:
        return ""
