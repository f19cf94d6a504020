"""A realm's entry: what all methods of authentication share, and how each of them ends."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import structlog
from msgspec import UNSET, Struct

from thingtank.doors.wamp.authentication.candidates import Candidate, Candidates, Known
from thingtank.doors.wamp.authentication.cookies import Cookies
from thingtank.doors.wamp.principals import Identified, Principal
from thingtank.doors.wamp.realm_settings import Method, RealmSettings
from thingtank.doors.wamp.request_log import WampNoter
from thingtank.net.eager import run_eagerly
from thingtank.net.identity.attempts import Attempts
from thingtank.net.identity.client_address import address_of
from thingtank.net.identity.slow_work import SlowWork, TooBusy
from thingtank.protocols.wamp.authentication import (
    AUTHENTICATION_FAILED,
    Answer,
    Attempt,
    Challenged,
    Rejected,
)
from thingtank.protocols.wamp.later import Later, at_once
from thingtank.protocols.wamp.messages import Authenticate
from thingtank.tank.errors import TankError

log = structlog.get_logger()

AUTHENTICATION_DENIED = "wamp.error.authentication_denied"
AUTHID_CHARS_MAX = 255
SIGNATURE_CHARS_MAX = 4096
_METHODS_CHARS_MAX = 100
WRONG = Rejected(AUTHENTICATION_DENIED, "authid and secret do not go together")
_ADDRESS_LOCKED = Rejected(
    AUTHENTICATION_DENIED, "too many wrong secrets came from this address; try again in 15 minutes"
)
_NAME_LOCKED = Rejected(
    AUTHENTICATION_DENIED,
    "too many wrong secrets for this authid came from this address;"
    " for this authid, try again in 15 minutes",
)


class Unfit(Exception):
    """A method does not fit this client, which may have named others."""


class Entry(Struct, frozen=True):
    """What the methods need, for one realm.

    Attributes:
        token_bytes: random ones, that nobody can foresee.
        now_us: since the epoch, UTC; of a clock that does not jump.
        derived: slow derivations of secrets, the last ones used.
        noter: is told who comes as a device; None for nobody.
    """

    settings: RealmSettings
    candidates: Candidates
    cookies: Cookies
    attempts: Attempts
    slow_work: SlowWork
    token_bytes: Callable[[int], bytes]
    now_us: Callable[[], int]
    derived: OrderedDict[tuple[bytes, bytes], bytes]
    noter: WampNoter | None = None


class Round(Struct, frozen=True):
    """One client at an entry."""

    entry: Entry
    attempt: Attempt

    @property
    def address(self) -> str:
        """The client's IP address; blank where it has none."""
        return address_of(self.attempt.transport.peer)

    @property
    def authid(self) -> str:
        """Who it says it is; blank for nothing."""
        authid = self.attempt.details.authid
        return authid if isinstance(authid, str) else ""

    @property
    def authextra(self) -> dict[str, Any]:
        """What its HELLO has for methods."""
        extra = self.attempt.details.authextra
        return extra if isinstance(extra, dict) else {}

    def candidate(self, method: Method) -> Candidate:
        """Who it says it is, if such can come in by this method.

        Raises:
            Unfit.
        """
        if not self.authid:
            raise Unfit(f"{method!r} needs an authid")
        if len(self.authid) > AUTHID_CHARS_MAX:
            raise Unfit(f"an authid has at most {AUTHID_CHARS_MAX} characters")
        candidate = self.entry.candidates.find(self.authid)
        if candidate is None or method not in candidate.methods:
            raise Unfit(f"{method!r} does not fit such an authid")
        return candidate

    def channel_binding(self, method: Method) -> tuple[str, bytes] | None:
        """Kind and id of the channel that it wants bound; None if it asks for nothing.

        Raises:
            Unfit: it is not to be had. What goes on without protects nobody who asked for it.
        """
        kind = self.authextra.get("channel_binding")
        if kind is None:
            return None
        channel_ids = self.attempt.transport.channel_ids
        channel_id = channel_ids.get(kind) if isinstance(kind, str) else None
        if channel_id is None:
            had = ", ".join(channel_ids) or "none on this connection"
            raise Unfit(f"{method!r} cannot have this channel_binding here; to be had: {had}")
        return str(kind), channel_id

    def challenge(
        self,
        method: Method,
        candidate: Candidate,
        extra: dict[str, Any],
        check: Callable[[Authenticate], Awaitable[Answer]],
    ) -> Answer:
        """Send CHALLENGE; who was wrong too often does not get one."""
        locked = self.locked(candidate)
        if locked is not None:
            return locked

        def checked(message: Authenticate) -> Answer | Later[Answer]:
            return answered(self._check(message, candidate, check))

        return Challenged(method, extra, checked)

    async def _check(
        self,
        message: Authenticate,
        candidate: Candidate,
        check: Callable[[Authenticate], Awaitable[Answer]],
    ) -> Answer:
        # Again, for many may have been challenged at once.
        locked = self.locked(candidate)
        if locked is not None:
            return locked
        if len(message.signature) > SIGNATURE_CHARS_MAX:
            return self.refuse(candidate)
        return await check(message)

    def locked(self, candidate: Candidate) -> Rejected | None:
        """ABORT if no secret is looked at any more, for now."""
        attempts = self.entry.attempts
        if not candidate.is_guessable:
            return None
        if attempts.is_address_locked(self.address):
            return _ADDRESS_LOCKED
        return _NAME_LOCKED if attempts.is_name_locked(self.address, candidate.authid) else None

    def refuse(self, candidate: Candidate) -> Answer:
        """ABORT for a secret that is wrong."""
        if candidate.is_guessable:
            self.entry.attempts.fail(self.address, candidate.authid)
        if self.entry.noter is not None and candidate.device is not None:
            shown = ", ".join(self.attempt.authmethods)[:_METHODS_CHARS_MAX]
            self.entry.noter.refused(candidate.device, shown, self.address, WRONG.reason)
        return WRONG

    def accept(
        self,
        method: Method,
        candidate: Candidate,
        known: Known | None,
        authextra: dict[str, Any] | None = None,
    ) -> Answer:
        """WELCOME for one that has proven itself; ABORT for None, or a secret nobody has."""
        if known is None or known.principal is None:
            return self.refuse(candidate)
        if candidate.is_guessable:
            self.entry.attempts.succeed(self.address, candidate.authid)
        who = candidate.authid, candidate.authrole, candidate.authprovider
        if self.entry.noter is not None and candidate.device is not None:
            caller = self.entry.candidates.find_caller(known.principal, self.address)
            self.entry.noter.joined(candidate.device, method, self.address, caller)
        return self.welcome(method, who, known.principal, known.mark, authextra)

    def welcome(
        self,
        method: Method,
        who: tuple[str, str, str],
        principal: Principal,
        mark: bytes = b"",
        authextra: dict[str, Any] | None = None,
    ) -> Answer:
        """WELCOME, and its cookie gets a meaning.

        Args:
            who: authid, authrole, authprovider.
        """
        authid, authrole, authprovider = who
        settings = self.entry.settings
        if method not in ("anonymous", "cookie") and "cookie" in settings.methods:
            facts = self.attempt.transport
            seconds = settings.cookie_s
            self.entry.cookies.remember(facts, settings.name, who, principal, mark, seconds)
        return Identified(
            authid,
            authrole,
            method,
            authprovider,
            UNSET if authextra is None else authextra,
            principal=principal,
            address=self.address,
        )


def answered(work: Coroutine[Any, Any, Answer]) -> Answer | Later[Answer]:
    """Run what may wait; what fails is answered, and logged where it is a bug of ours."""
    later: Later[Answer] = Later()
    run_eagerly(_answer(work, later))
    return at_once(later)


async def _answer(work: Awaitable[Answer], later: Later[Answer]) -> None:
    try:
        answer = await work
    except (TankError, TooBusy) as error:
        answer = Rejected(AUTHENTICATION_FAILED, str(error))
    except Exception:
        # The edge of the door: the peer gets no details, the log all of them.
        log.exception("wamp_authentication_failed")
        answer = Rejected(AUTHENTICATION_FAILED, "an error of the server's own")
    later.answer(answer)
