"""The tank as a peer in realms: what whoever assembles a server needs of this package."""

from functools import partial

from thingtank.doors.wamp.tank_peer.access import CallerOf, TankAccess
from thingtank.doors.wamp.tank_peer.announcements import Announcements
from thingtank.doors.wamp.tank_peer.calls import Calls
from thingtank.doors.wamp.tank_peer.error_table import answer_of
from thingtank.doors.wamp.tank_peer.help import HELP, answer_help
from thingtank.doors.wamp.tank_peer.procedures import PROCEDURES
from thingtank.doors.wamp.tank_peer.topics import scope_of
from thingtank.protocols.wamp.answers import NO_SUCH_PROCEDURE
from thingtank.protocols.wamp.authorization import Action, Decision
from thingtank.protocols.wamp.meta_calls import Arguments
from thingtank.protocols.wamp.options import Match
from thingtank.protocols.wamp.peers import Peer
from thingtank.protocols.wamp.procedures import RouterCall
from thingtank.protocols.wamp.router import Realm
from thingtank.tank.errors import ValidationFailed
from thingtank.tank.interfaces import LIVE_S
from thingtank.tank.tank import Tank


class TankPeer:
    """The tank's procedures and topics, in all realms that it is attached to."""

    def __init__(
        self, tank: Tank, caller_of: CallerOf, base_url: str = "", live_s: int = LIVE_S
    ) -> None:
        """Be in no realm yet.

        Args:
            caller_of: who is behind a session, with its address; raises TankError if nobody is any
                more. Asked at each call and each event.
            base_url: what links in feeds begin with.
            live_s: how young a live feed's newest value is.
        """
        self._access = TankAccess(tank, caller_of)
        self._calls = Calls(tank, caller_of, base_url, live_s)
        self._realms: list[Realm] = []
        self._announcements = Announcements(tank, self._access, self._realms)

    def attach(self, realm: Realm) -> None:
        """Be in a realm, before its first session: clients can register nothing of the tank's.

        Nor does the realm tell anybody who listens to the tank: a topic names a device.

        Raises:
            ValueError: it was attached to this realm before.
        """
        for procedure in PROCEDURES:
            realm.dealer.provide(procedure.uri, partial(self._calls.carry_out, procedure))
        realm.dealer.provide(HELP, _help)
        # A name that is misspelled must not reach somebody who registered all names there are.
        realm.dealer.provide("tank.", _no_such_procedure, "prefix")
        realm.broker.subscriptions.make_private(_is_of_tank)
        self._realms.append(realm)

    def start(self) -> None:
        """Begin to tell the realms of events."""
        self._announcements.start()

    async def stop(self) -> None:
        """Tell of nothing more, refuse calls, and let those end that are under way."""
        self._announcements.stop()
        await self._calls.stop()

    def decide(self, peer: Peer, action: Action, uri: str, match: Match) -> Decision | None:
        """Say whether a session may do this; None if it is no matter of the tank's.

        Subscriptions to patterns that match topics of the tank among others are one: an authorizer
        asks here first, for all URIs.
        """
        return self._access.decide(peer, action, uri, match)


def _is_of_tank(uri: str, match: Match) -> bool:
    return scope_of(uri, match) is not None


def _help(call: RouterCall) -> None:
    try:
        call.result(answer_help(Arguments(call).text_or_none(0, "procedure")))
    except ValidationFailed as error:
        answer = answer_of(error)
        call.error(answer.uri, answer.text, kwargs=answer.kwargs)


def _no_such_procedure(call: RouterCall) -> None:
    call.error(NO_SUCH_PROCEDURE, f"the tank has no {call.procedure[:200]!r}; tank.help lists all")
