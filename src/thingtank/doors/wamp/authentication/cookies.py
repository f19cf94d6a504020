"""The tracking cookie: a browser that has said who it is need not say it again.

It is set at the upgrade to WebSocket and means nothing until another method has succeeded on that
connection. One that a client brings is never given a meaning: somebody else may have planted it
there, who would then come in with it. What is kept is a digest of it. Pages of other sites cannot
use it: browsers send it to its own site only, and a request that says it is of another site is not
believed either.

Source: WAMP, Authentication, cookie.
"""

import hashlib
import re
from collections import OrderedDict
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from thingtank.doors.wamp.principals import Principal
from thingtank.net.identity.client_address import is_of_one_site
from thingtank.protocols.wamp.authentication import TransportFacts

COOKIE_NAME = "thingtank_wamp"
_SECURE_NAME = f"__Host-{COOKIE_NAME}"  # by TLS; browsers let no other host set it
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
        self._issued: OrderedDict[bytes, None] = OrderedDict()  # to whom nobody has come in with

    def __len__(self) -> int:
        """How many are remembered."""
        return len(self._kept)

    def headers_for(self, head: UpgradeHead) -> Sequence[tuple[str, str]]:
        """Give a client a cookie, unless it has one that is remembered: by headers of the answer.

        The request's own headers have this one alone from now on, for the session that follows is
        to be remembered by it already.
        """
        name = _SECURE_NAME if head.is_secure else COOKIE_NAME
        brought = _tokens_in(head.headers, name)
        remembered = [each for each in brought if self._living(_digest_of(each)) is not None]
        token = remembered[0] if remembered else self._issue()
        others = _others_in(head.headers)
        head.headers["cookie"] = "; ".join((f"{COOKIE_NAME}={token}", *others))
        if remembered:
            return ()
        secure = "; Secure" if head.is_secure else ""
        return (("Set-Cookie", f"{name}={token}; HttpOnly; SameSite=Strict; Path=/{secure}"),)

    def _living(self, digest: bytes) -> Remembered | None:
        found = self._kept.get(digest)
        if found is not None and found.until_us <= self._now_us():
            del self._kept[digest]
            return None
        return found

    def _issue(self) -> str:
        token = self._token_bytes(_TOKEN_BYTES).hex()
        self._issued[_digest_of(token)] = None
        if len(self._issued) > self._kept_max:
            self._issued.popitem(last=False)
        return token

    def find(self, facts: TransportFacts, realm: str) -> Remembered | None:
        """Who came into this realm with the cookie of a transport."""
        digest = _digest_in(facts)
        found = self._living(digest)
        if found is None or found.realm != realm:
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
        """Remember who has just come in by another method, if the cookie was issued for that.

        Whoever else is remembered by it in this realm is forgotten: the next connection is given
        a new one.

        Args:
            who: authid, authrole, authprovider.
        """
        digest = _digest_in(facts)
        if not digest or seconds <= 0:
            return
        until_us = self._now_us() + round(seconds * _US_PER_S)
        now = Remembered(realm, *who, principal, mark, until_us)
        if digest not in self._issued:
            self._forget_another(digest, now)
            return
        del self._issued[digest]
        self._kept[digest] = now
        if len(self._kept) > self._kept_max:
            self._kept.popitem(last=False)

    def _forget_another(self, digest: bytes, now: Remembered) -> None:
        before = self._kept.get(digest)
        if before is None or before.realm != now.realm:
            return
        if replace(before, until_us=now.until_us) != now:
            del self._kept[digest]

    def forget(self, facts: TransportFacts) -> None:
        """Forget who had the cookie of a transport."""
        self._kept.pop(_digest_in(facts), None)


def _digest_in(facts: TransportFacts) -> bytes:
    tokens = _tokens_in(facts.headers, COOKIE_NAME)
    if not tokens or not is_of_one_site(facts.headers):
        return b""
    return _digest_of(tokens[0])


def _digest_of(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _tokens_in(headers: Mapping[str, str], wanted: str) -> list[str]:
    pairs = headers.get("cookie", "")[:_HEADER_CHARS_MAX].split(";")
    named = [pair.strip().partition("=") for pair in pairs]
    return [value for name, _, value in named if name == wanted and _TOKEN.fullmatch(value)]


def _others_in(headers: Mapping[str, str]) -> list[str]:
    pairs = [pair.strip() for pair in headers.get("cookie", "").split(";")]
    ours = COOKIE_NAME, _SECURE_NAME
    return [pair for pair in pairs if pair and pair.partition("=")[0] not in ours]
