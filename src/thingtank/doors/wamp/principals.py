"""Who a session belongs to, and with whose rights it acts under `tank.`.

A session carries its principal from WELCOME to its end, and with it goes; nothing else remembers.
What a principal may do is looked up at each use: a key that is revoked or has expired, an account
that is switched off, opens nothing from that moment. `SessionSweeper` closes such sessions soon
after.
"""

from collections.abc import Callable, Iterable
from typing import Protocol, TypeAlias

from msgspec import Struct

from thingtank.protocols.wamp.authentication import Accepted
from thingtank.protocols.wamp.members import Member
from thingtank.protocols.wamp.peers import Peer
from thingtank.protocols.wamp.router import Realm
from thingtank.tank.access import Caller, caller_of_key, may_reach
from thingtank.tank.errors import NotFound, Unauthenticated
from thingtank.tank.interfaces import Directory
from thingtank.tank.keys import ACCESS_METHODS

SWEEP_S = 2.0  # so long may a session outlive its key
TICKS = 20  # in which a sweep is done: 10,000 sessions take some 30 ms, which nobody is to wait for
TICK_SESSIONS_MIN = 50
CLOSED = "wamp.close.killed"


class AccountPrincipal(Struct, frozen=True):
    """A person, by password."""

    account_id: int


class KeyPrincipal(Struct, frozen=True):
    """Who holds an API key. The secret is what is looked up, so that a renewed key is another.

    Attributes:
        uuid: of the device that it speaks for, lower case; blank for the key itself.
    """

    secret: str
    uuid: str = ""

    def __repr__(self) -> str:
        return f"KeyPrincipal(uuid={self.uuid!r})"


class NamedPrincipal(Struct, frozen=True):
    """A principal of the settings file.

    Attributes:
        account: login of whose rights it has; blank for a stranger's.
    """

    account: str = ""


class Nobody(Struct, frozen=True):
    """An anonymous client."""


Principal: TypeAlias = AccountPrincipal | KeyPrincipal | NamedPrincipal | Nobody


class Identified(Accepted, frozen=True, kw_only=True):
    """WELCOME for a principal.

    Attributes:
        address: its IP address; blank where it has none.
    """

    principal: Principal
    address: str = ""


class Principals:
    """Answers on whose behalf sessions act."""

    def __init__(
        self,
        directory: Directory,
        now_us: Callable[[], int],
        *,
        strangers_read_public: bool = False,
    ) -> None:
        """Look rights up in a directory.

        Args:
            now_us: since the epoch, UTC.
            strangers_read_public: whether who has no rights may read public devices all the same.
        """
        self._directory = directory
        self._now_us = now_us
        self._strangers_read_public = strangers_read_public

    def caller_of(self, peer: Peer) -> Caller:
        """On whose behalf a session acts now.

        Returns:
            A stranger, with its address, for a session that has no rights of its own.

        Raises:
            Unauthenticated: it had rights, and they are gone.
        """
        accepted = getattr(peer, "accepted", None)
        if not isinstance(accepted, Identified):
            return Caller()
        return self.caller(accepted.principal, accepted.address)

    def caller(self, principal: Principal, address: str) -> Caller:
        """On whose behalf a principal acts now.

        Raises:
            Unauthenticated: it had rights, and they are gone.
        """
        if isinstance(principal, KeyPrincipal):
            return self._key_caller(principal, address)
        if isinstance(principal, AccountPrincipal):
            try:
                account = self._directory.get_account(principal.account_id)
            except NotFound:
                raise Unauthenticated("the account is gone") from None
            return self._account_caller(Caller(account, address=address))
        if isinstance(principal, NamedPrincipal) and principal.account:
            found = self._directory.find_account(principal.account)
            if found is None:
                raise Unauthenticated(f"there is no account {principal.account}")
            return self._account_caller(Caller(found, address=address))
        return Caller(address=address, reads_public=self._strangers_read_public)

    def is_alive(self, peer: Peer) -> bool:
        """Whether a session still has what it came in by."""
        try:
            self.caller_of(peer)
        except Unauthenticated:
            return False
        return True

    def _account_caller(self, caller: Caller) -> Caller:
        assert caller.account is not None
        if not caller.account.is_active:
            raise Unauthenticated("the account is inactive")
        return caller

    def _key_caller(self, principal: KeyPrincipal, address: str) -> Caller:
        caller = caller_of_key(self._directory, principal.secret, self._now_us(), address)
        if principal.uuid:
            device = self._directory.find_device_by_uuid(principal.uuid)
            if device is None:
                raise Unauthenticated("the device is gone")
            if not any(may_reach(caller, method, device) for method in ACCESS_METHODS):
                raise Unauthenticated("the key does not reach the device any more")
        return caller


class Timer(Protocol):
    """A call that is to come."""

    def cancel(self) -> None:
        """Have it not come."""


class Scheduler(Protocol):
    """What is needed of an event loop."""

    def call_soon(self, call: Callable[[], None], /) -> object:
        """Call in the loop's next turn."""

    def call_later(self, seconds: float, call: Callable[[], None], /) -> Timer:
        """Call after some seconds."""


class SessionSweeper:
    """Closes sessions whose key or account is gone, within some SWEEP_S."""

    def __init__(
        self, principals: Principals, realms: Iterable[Realm], scheduler: Scheduler
    ) -> None:
        """Look at the sessions of these realms; from `start` on."""
        self._principals = principals
        self._realms = tuple(realms)
        self._scheduler = scheduler
        self._timer: Timer | None = None
        self._left: list[tuple[Realm, Member]] = []  # of this sweep
        self._tick_sessions = TICK_SESSIONS_MIN

    def start(self) -> None:
        """Begin to look, at some of them at a time."""
        self._timer = self._scheduler.call_later(SWEEP_S / TICKS, self._tick)

    def stop(self) -> None:
        """Look no more."""
        self._left.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        self.start()
        if not self._left:
            self._left = [
                (realm, member) for realm in self._realms for member in realm.members.values()
            ]
            self._tick_sessions = max(TICK_SESSIONS_MIN, len(self._left) // TICKS)
        looked_at = self._left[-self._tick_sessions :]
        del self._left[-self._tick_sessions :]
        for realm, member in looked_at:
            # One that has ended may have left its transport to another.
            is_there = realm.members.get(member.session_id) is member
            if is_there and not self._principals.is_alive(member):
                member.close(CLOSED, "what this session came in by is not valid any more")
