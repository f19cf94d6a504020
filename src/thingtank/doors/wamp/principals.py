"""Who a session belongs to, and with whose rights it acts under `tank.`.

A session carries its principal from WELCOME to its end, and with it goes; nothing else remembers.
`SessionSweeper` closes those whose key or account is gone, soon after.
"""

from collections.abc import Iterable, Iterator
from typing import TypeAlias

from thingtank.net.identity.principals import Callers, TankPrincipal
from thingtank.net.identity.sweeper import Scheduler, Sweeper
from thingtank.protocols.wamp.authentication import Accepted
from thingtank.protocols.wamp.members import Member
from thingtank.protocols.wamp.peers import Peer
from thingtank.protocols.wamp.router import Realm
from thingtank.tank.access import Caller
from thingtank.tank.errors import Unauthenticated

CLOSED = "wamp.close.killed"

Principal: TypeAlias = TankPrincipal


class Identified(Accepted, frozen=True, kw_only=True):
    """WELCOME for a principal.

    Attributes:
        address: its IP address; blank where it has none.
    """

    principal: Principal
    address: str = ""


class Principals(Callers):
    """Answers on whose behalf sessions act."""

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

    def is_alive(self, peer: Peer) -> bool:
        """Whether a session still has what it came in by."""
        try:
            self.caller_of(peer)
        except Unauthenticated:
            return False
        return True


class SessionSweeper:
    """Closes sessions whose key or account is gone, within some SWEEP_S."""

    def __init__(
        self, principals: Principals, realms: Iterable[Realm], scheduler: Scheduler
    ) -> None:
        """Look at the sessions of these realms; from `start` on."""
        self._principals = principals
        self._realms = tuple(realms)
        self._sweeper = Sweeper(self._sessions, self._look_at, scheduler)
        self.start, self.stop = self._sweeper.start, self._sweeper.stop

    def _sessions(self) -> Iterator[tuple[Realm, Member]]:
        return ((realm, member) for realm in self._realms for member in realm.members.values())

    def _look_at(self, session: tuple[Realm, Member]) -> None:
        realm, member = session
        # One that has ended may have left its transport to another.
        is_there = realm.members.get(member.session_id) is member
        if is_there and not self._principals.is_alive(member):
            member.close(CLOSED, "what this session came in by is not valid any more")
