"""A realm: its broker and dealer, and the sessions that are open in it.

What happens when a session ends, in any way:

| in this order | seen as |
| --- | --- |
| its calls and registrations end | INTERRUPT, ERROR canceled; on_unregister, on_delete |
| its subscriptions end | on_unsubscribe, on_delete |
| its testaments are published, on its behalf | events |
| it has left | on_leave |

Source: WAMP, Sessions, Routing; Session Meta API; Testament.
"""

from collections.abc import Callable

from msgspec import UNSET, Struct

from thingtank.protocols.wamp.authorization import ALLOWED, Action, Authorizer, Decision
from thingtank.protocols.wamp.broker import BROKER_FEATURES, Broker
from thingtank.protocols.wamp.calls import DealerBounds
from thingtank.protocols.wamp.cbor_serializer import CBOR
from thingtank.protocols.wamp.dealer import DEALER_FEATURES, Dealer
from thingtank.protocols.wamp.history import EventHistory
from thingtank.protocols.wamp.keeping import Keeping
from thingtank.protocols.wamp.later import Later
from thingtank.protocols.wamp.members import Member
from thingtank.protocols.wamp.meta_events import MetaEvent
from thingtank.protocols.wamp.meta_registrations import provide_registrations
from thingtank.protocols.wamp.meta_sessions import provide_sessions
from thingtank.protocols.wamp.meta_subscriptions import provide_subscriptions
from thingtank.protocols.wamp.meta_testaments import provide_testaments
from thingtank.protocols.wamp.options import Match, Role, WelcomeDetails
from thingtank.protocols.wamp.payloads import payload_of
from thingtank.protocols.wamp.publications import Publication
from thingtank.protocols.wamp.registrations import ChooseBelow
from thingtank.protocols.wamp.retained import RetainedEvents

SYSTEM_SHUTDOWN = "wamp.close.system_shutdown"

BROKER_META_FEATURES = ("session_meta_api", "subscription_meta_api")
DEALER_META_FEATURES = ("session_meta_api", "registration_meta_api", "testament_meta_api")


class Randomness(Struct, frozen=True):
    """What a realm must not be able to foresee.

    Attributes:
        make_id: any of 1 to 2^53, each as likely.
        choose_below: any of 0 to n - 1, each as likely.
    """

    make_id: Callable[[], int]
    choose_below: ChooseBelow


class SessionIds:
    """The ids of all sessions of a router, whatever their realm."""

    def __init__(self, make_id: Callable[[], int]) -> None:
        """Draw them at random: 1 to 2^53, each as likely."""
        self._make_id = make_id
        self._taken: set[int] = set()

    def take(self) -> int:
        """One that no session has."""
        while (session_id := self._make_id()) in self._taken:
            pass
        self._taken.add(session_id)
        return session_id

    def free(self, session_id: int) -> None:
        """Have one back."""
        self._taken.discard(session_id)


class Realm:
    """One realm.

    Attributes:
        broker, dealer: what its sessions share. Procedures of the router's own are added with
            `dealer.provide`, events with `broker.announce`.
        members: the open sessions by id.
        authorizer: None if all is allowed.
        watchers: are given all meta events, whether or not anybody subscribes to them. None of
            them may call back into the realm.
        is_strict: whether URIs must keep the strict rule.
        is_closed: no session comes in any more.
        received_count, sent_count: messages from and to its sessions; those sent are counted by
            the doors.
    """

    def __init__(
        self,
        name: str,
        randomness: Randomness,
        now_us: Callable[[], int],
        *,
        authorizer: Authorizer | None = None,
        history: EventHistory | None = None,
        retained: RetainedEvents | None = None,
        bounds: DealerBounds | None = None,
        is_strict: bool = False,
    ) -> None:
        """Open one.

        Args:
            now_us: since the epoch, UTC; of a clock that does not jump.
            history: keeps the events of standing subscriptions, and answers get_events.
        """
        self.name = name
        self.authorizer = authorizer
        self.is_strict = is_strict
        self.is_closed = False
        self.members: dict[int, Member] = {}
        self.received_count = self.sent_count = 0
        self._now_us = now_us
        self.watchers: list[Callable[[MetaEvent], None]] = []
        self.broker = Broker(
            randomness.make_id,
            now_us,
            self._on_meta,
            history.keep if history is not None else _keep_nothing,
            retained,
            is_strict=is_strict,
        )
        self.dealer = Dealer(
            now_us,
            randomness.choose_below,
            self._on_meta,
            bounds or DealerBounds(),
            is_strict=is_strict,
        )
        provide_sessions(self)
        provide_testaments(self)
        provide_registrations(self)
        provide_subscriptions(self, history)
        event_history = ("event_history",) if history is not None else ()
        self.roles = {
            "broker": _role(*BROKER_FEATURES, *BROKER_META_FEATURES, *event_history),
            "dealer": _role(*DEALER_FEATURES, *DEALER_META_FEATURES),
        }

    def welcome_details(self, member: Member, agent: str) -> WelcomeDetails:
        """What a new session is told. Autobahn takes no roles but these two."""
        accepted = member.accepted
        return WelcomeDetails(
            roles=self.roles,
            agent=agent or UNSET,
            realm=self.name,
            authid=accepted.authid,
            authrole=accepted.authrole,
            authmethod=accepted.authmethod,
            authprovider=accepted.authprovider,
            authextra=accepted.authextra,
        )

    def join(self, member: Member) -> None:
        """Have a session, which has been welcomed."""
        member.joined_us = self._now_us()
        self.members[member.session_id] = member
        if not member.accepted.is_hidden:
            self._on_meta(MetaEvent("wamp.session.on_join", (member.details,)))

    def leave(self, member: Member) -> None:
        """Forget a session, which has ended."""
        if self.members.pop(member.session_id, None) is None:
            return
        try:
            self.dealer.drop(member)
        finally:
            self.broker.drop(member)
        for message, policy in member.testaments.take():
            self.broker.publish(member, message, policy)
        if not member.accepted.is_hidden:
            about = (member.session_id, member.authid, member.authrole)
            self._on_meta(MetaEvent("wamp.session.on_leave", about))

    def close(self, reason: str = SYSTEM_SHUTDOWN, text: str | None = None) -> None:
        """Let no session in any more, and end all that there are."""
        self.is_closed = True
        for member in list(self.members.values()):
            member.close(reason, text)

    def authorize(
        self,
        member: Member,
        action: Action,
        uri: str,
        match: Match,
        then: Callable[[Decision], None],
    ) -> None:
        """Have something decided that a session asks for by way of a procedure, now or later."""
        decision: Decision | Later[Decision] = ALLOWED
        if self.authorizer is not None:
            decision = self.authorizer.authorize(member, action, uri, match)
        if isinstance(decision, Later):
            decision.then(then)
        else:
            then(decision)

    def _on_meta(self, event: MetaEvent) -> None:
        for watch in self.watchers:
            watch(event)
        # Before anybody listens, which is nearly always, nothing is written.
        if self.broker.is_awaited(event.topic):
            self.broker.announce(event.topic, payload_of(CBOR, list(event.args)))


def _keep_nothing(publication: Publication, subscription_ids: list[int]) -> Keeping | None:
    """Where no history is kept."""
    return None


def _role(*features: str) -> Role:
    return Role(features=dict.fromkeys(sorted(features), True))
