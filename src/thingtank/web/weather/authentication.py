"""Names and passwords by HTTP's Basic authentication, with the lock-out of the sign-in page."""

from typing import Any

from axes.handlers.proxy import AxesProxyHandler
from rest_framework.authentication import BasicAuthentication
from rest_framework.exceptions import AuthenticationFailed

from thingtank.web.accounts.known_passwords import KnownPasswords

_known = KnownPasswords()


class PasswordAuthentication(BasicAuthentication):
    """REST framework's, which hides a request from the counting of wrong passwords."""

    www_authenticate_realm = "Thing Tank"

    def authenticate_credentials(self, userid: str, password: str, request: Any = None) -> Any:
        """The account; the request itself is what a lock-out is noted at."""
        if "\0" in userid:  # which PostgreSQL cannot even be asked for
            raise AuthenticationFailed("Invalid username/password.")
        asked = request._request
        account = _known.find_account(userid, password)
        if account is not None and AxesProxyHandler.is_allowed(asked, {"username": userid}):
            return account, None
        account, _ = super().authenticate_credentials(userid, password, asked)
        _known.remember(account, password)
        return account, None
