"""Who asks: by API key, as at the other doors, or by the session of a browser.

Both end in the tank's `Caller`, of which alone rights follow.
"""

from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from rest_framework.authentication import BaseAuthentication
from rest_framework.authentication import SessionAuthentication as DjangoSession
from rest_framework.exceptions import PermissionDenied

from thingtank.web import tank_access
from thingtank.web.api.admission import Admitted, admit_account, admit_key, presented
from thingtank.web.problems import CSRF_FAILED, Problem, ProblemRaised


class KeyAuthentication(BaseAuthentication):
    """An API key, as `Authorization: Bearer KEY` or `X-ApiKey: KEY`."""

    def authenticate(self, request: Any) -> tuple[Any, Admitted] | None:
        """The key's caller; None where no key is presented."""
        asked: HttpRequest = request._request
        said = presented({name.lower(): text for name, text in asked.headers.items()})
        if not said.secret:
            return None
        address = asked.META.get("REMOTE_ADDR") or ""
        admitted = tank_access.run(admit_key(tank_access.tank(), said, address))
        return AnonymousUser(), admitted

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
