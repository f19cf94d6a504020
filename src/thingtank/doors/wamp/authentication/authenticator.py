"""Answers HELLO for all realms: by the first of the client's methods that fits."""

import hmac
import os
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence

from msgspec import Struct

from thingtank.doors.wamp.authentication import scram, ticket, unchallenged, wampcra
from thingtank.doors.wamp.authentication.candidates import Candidates
from thingtank.doors.wamp.authentication.cookies import Cookies
from thingtank.doors.wamp.authentication.cryptosign import KeyHolders
from thingtank.doors.wamp.authentication.entry import Entry, Round, Unfit, answered
from thingtank.doors.wamp.principals import Principals
from thingtank.doors.wamp.realm_settings import Method, RealmSettings
from thingtank.doors.wamp.request_log import WampNoter
from thingtank.net.identity.attempts import Attempts
from thingtank.net.identity.password_store import PasswordStore
from thingtank.net.identity.slow_work import SlowWork
from thingtank.protocols.wamp.authentication import (
    NO_MATCHING_METHOD,
    Answer,
    Attempt,
    Rejected,
)
from thingtank.protocols.wamp.later import Later
from thingtank.tank.interfaces import Directory

METHODS_MAX = 16  # of a client; the rest is not looked at
_SHOWN_CHARS = 40

Hello = Callable[[Round], Awaitable[Answer]]


class _RealmMethods(Struct, frozen=True):
    """A realm's entry, and its methods by name."""

    entry: Entry
    by_name: Mapping[str, Hello]


class WampAuthenticator:
    """Who clients of the WAMP door are. Implements `Authenticator`.

    Attributes:
        cookies: for the upgrade to WebSocket, which sets them.
    """

    def __init__(
        self,
        realms: Sequence[RealmSettings],
        directory: Directory,
        principals: Principals,
        passwords: PasswordStore | None,
        secret: bytes,
        now_us: Callable[[], int],
        token_bytes: Callable[[int], bytes] = os.urandom,
        environment: Mapping[str, str] = os.environ,
        noter: WampNoter | None = None,
    ) -> None:
        """Read the settings' secrets.

        Args:
            realms: that `problems_of` finds nothing wrong with.
            passwords: of accounts; None where they have none.
            secret: of the instance, 32 bytes; what is derived of it tells nothing of it.
            now_us: since the epoch, UTC; of a clock that does not jump.
            token_bytes: random ones, that nobody can foresee.
            noter: is told who comes as a device.

        Raises:
            UnreadableSecret: a secret became so after the settings were checked.
        """
        own_secret = hmac.digest(secret, b"thingtank wamp authentication", "sha256")
        router_seed = hmac.digest(secret, b"thingtank wamp router key", "sha256")
        self.cookies = Cookies(token_bytes, now_us)
        attempts, slow_work = Attempts(now_us), SlowWork()
        self._realms: dict[str, _RealmMethods] = {}
        for settings in realms:
            candidates = Candidates(
                settings, directory, principals, passwords, own_secret, environment
            )
            entry = Entry(
                settings,
                candidates,
                self.cookies,
                attempts,
                slow_work,
                token_bytes,
                now_us,
                OrderedDict(),
                noter,
            )
            self._realms[settings.name] = _RealmMethods(entry, _methods(settings, router_seed))

    def hello(self, attempt: Attempt) -> Answer | Later[Answer]:
        """Say how it goes on after HELLO."""
        return answered(self._hello(attempt))

    async def _hello(self, attempt: Attempt) -> Answer:
        realm = self._realms.get(attempt.realm)
        if realm is None:
            return Rejected(NO_MATCHING_METHOD, "this realm lets nobody in")
        round = Round(realm.entry, attempt)
        reasons = []
        for name in attempt.authmethods[:METHODS_MAX]:
            method = realm.by_name.get(name)
            if method is None:
                reasons.append(f"{name[:_SHOWN_CHARS]!r} is not offered")
                continue
            try:
                return await method(round)
            except Unfit as unfit:
                reasons.append(str(unfit))
        offered = ", ".join(realm.by_name)
        return Rejected(
            NO_MATCHING_METHOD, "; ".join([*reasons, f"offered are: {offered or 'none'}"])
        )


def _methods(settings: RealmSettings, router_seed: bytes) -> dict[str, Hello]:
    everything: dict[Method, Hello] = {
        "anonymous": unchallenged.anonymous,
        "cookie": unchallenged.cookie,
        "tls": unchallenged.CertificateHolders(settings.principals).hello,
        "cryptosign": KeyHolders(settings.principals, router_seed).hello,
        "wamp-scram": scram.hello_of_the_text,
        "scram": scram.hello_of_autobahn,
        "wampcra": wampcra.hello,
        "ticket": ticket.hello,
    }
    return {name: hello for name, hello in everything.items() if name in settings.methods}
