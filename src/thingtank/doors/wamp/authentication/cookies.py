"""The tracking cookie: a browser that has said who it is need not say it again.

It is set at the upgrade to WebSocket and means nothing until another method has succeeded on that
connection. What is kept is a digest of it. Pages of other sites cannot use it: browsers send it to
its own site only, and a request that says it is of another site is not believed either.

Source: WAMP, Authentication, cookie.
"""

import hashlib
import re
from collections import OrderedDict
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from typing import Protocol

from msgspec import Struct

from thingtank.doors.wamp.authentication.client_address import is_of_one_site
from thingtank.doors.wamp.principals import Principal
from thingtank.protocols.wamp.authentication import TransportFacts

COOKIE_NAME = "thingtank_wamp"
_TOKEN_BYTES = 32
_TOKEN = re.compile(r"[0-9a-f]{64}")
_KEPT_MAX = 10_000
_HEADER_CHARS_MAX = 8192
_US_PER_S = 1_000_000


class Remembered(Struct, frozen=True):
    """Who came in with a cookie.

    Attributes:
        mark: what must still be the same of its password; blank where there is none.
    """

    realm: str
    authid: str
    authrole: str
    authprovider: str
    principal: Principal
    mark: bytes
    until_us: int


class UpgradeHead(Protocol):
    """A request that is to become a WebSocket."""

    @property
    def headers(self) -> MutableMapping[str, str]:
        """Names in lower case."""

    @property
    def is_secure(self) -> bool:
        """Whether it came by TLS."""


class Cookies:
    """Those of all realms, in memory: a new start forgets them."""

    def __init__(
        self,
        token_bytes: Callable[[int], bytes],
        now_us: Callable[[], int],
        kept_max: int = _KEPT_MAX,
    ) -> None:
        """Remember nobody yet.

        Args:
            token_bytes: random ones, that nobody can foresee.
            now_us: of a clock that does not jump.
        """
        self._token_bytes = token_bytes
        self._now_us = now_us
        self._kept_max = kept_max
        self._kept: OrderedDict[bytes, Remembered] = OrderedDict()

    def __len__(self) -> int:
        """How many are remembered."""
        return len(self._kept)

    def headers_for(self, head: UpgradeHead) -> Sequence[tuple[str, str]]:
        """Give a client its cookie, if it has none: with these headers of the answer.

        The request's own headers have it from now on, for the session that follows is to be
        remembered by it already.
        """
        if _token_in(head.headers):
            return ()
        pair = f"{COOKIE_NAME}={self._token_bytes(_TOKEN_BYTES).hex()}"
        others = head.headers.get("cookie")
        head.headers["cookie"] = f"{pair}; {others}" if others else pair
        secure = "; Secure" if head.is_secure else ""
        return (("Set-Cookie", f"{pair}; HttpOnly; SameSite=Strict; Path=/{secure}"),)

    def find(self, facts: TransportFacts, realm: str) -> Remembered | None:
        """Who came into this realm with the cookie of a transport."""
        digest = _digest_in(facts)
        found = self._kept.get(digest) if digest else None
        if found is None or found.realm != realm:
            return None
        if found.until_us <= self._now_us():
            del self._kept[digest]
            return None
        self._kept.move_to_end(digest)
        return found

    def remember(
        self,
        facts: TransportFacts,
        realm: str,
        who: tuple[str, str, str],
        principal: Principal,
        mark: bytes,
        seconds: float,
    ) -> None:
        """Remember who has just come in by another method.

        Args:
            who: authid, authrole, authprovider.
        """
        digest = _digest_in(facts)
        if not digest or seconds <= 0:
            return
        until_us = self._now_us() + round(seconds * _US_PER_S)
        self._kept[digest] = Remembered(realm, *who, principal, mark, until_us)
        self._kept.move_to_end(digest)
        if len(self._kept) > self._kept_max:
            self._kept.popitem(last=False)

    def forget(self, facts: TransportFacts) -> None:
        """Forget who had the cookie of a transport."""
        self._kept.pop(_digest_in(facts), None)


def _digest_in(facts: TransportFacts) -> bytes:
    token = _token_in(facts.headers)
    if not token or not is_of_one_site(facts):
        return b""
    return hashlib.sha256(token.encode()).digest()


def _token_in(headers: Mapping[str, str]) -> str:
    for pair in headers.get("cookie", "")[:_HEADER_CHARS_MAX].split(";"):
        name, _, value = pair.strip().partition("=")
        if name == COOKIE_NAME and _TOKEN.fullmatch(value):
            return value
    return ""
