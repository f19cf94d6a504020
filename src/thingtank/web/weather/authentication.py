"""Names and passwords by HTTP's Basic authentication, with the lock-out of the sign-in page."""

from typing import Any

from rest_framework.authentication import BasicAuthentication


class PasswordAuthentication(BasicAuthentication):
    """REST framework's, which hides a request from the counting of wrong passwords."""

    www_authenticate_realm = "Thing Tank"

    def authenticate_credentials(self, userid: str, password: str, request: Any = None) -> Any:
        """The account; the request itself is what a lock-out is noted at."""
        return super().authenticate_credentials(userid, password, request._request)
