"""The broker: who has asked for what, and what is sent to whom.

It holds what all connections share. A connection that has octets for its client puts itself on
`dirty`; what must be on disk before it may be said waits on `awaiting`. At the end of a turn its
door calls `settle`, and then writes what is on `dirty`.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Protocol

from thingtank.protocols.mqtt.access import Gate, KeptPrincipals, Witness
from thingtank.protocols.mqtt.bounds import Bounds
from thingtank.protocols.mqtt.connection import Connection
from thingtank.protocols.mqtt.intake import Listener, Recorded, Recorder, TopicOwner
from thingtank.protocols.mqtt.keep_alive import KeepAlive
from thingtank.protocols.mqtt.keeping import Found, SessionKeeper
from thingtank.protocols.mqtt.messages import Message, Subscription
from thingtank.protocols.mqtt.octets import text_of
from thingtank.protocols.mqtt.outgoing import Outgoing
from thingtank.protocols.mqtt.reason_codes import ReasonCode
from thingtank.protocols.mqtt.reception import Reception
from thingtank.protocols.mqtt.replays import COST_MAX as REPLAY_COST_MAX
from thingtank.protocols.mqtt.replays import Replays
from thingtank.protocols.mqtt.retained import Retained
from thingtank.protocols.mqtt.routes import ROUTES_MAX, Route, target_of
from thingtank.protocols.mqtt.session import Session
from thingtank.protocols.mqtt.subscriptions import Group, Subscriptions
from thingtank.protocols.mqtt.timers import Timers
from thingtank.protocols.mqtt.topics import check_topic_name

_EXPIRED_AT_ONCE = 1_000
_DUE_AT_ONCE = 1_000
_SYS = "$SYS/"
SENT_A_TURN_MAX = 50_000  # messages: some 20 ms


class Settling(Protocol):
    """Waits for what was said to be on disk."""

    def settle(self, error: Exception | None) -> None:
        """It is; or it cannot be, for this reason."""


class Broker:
    """All sessions, subscriptions and retained messages.

    Attributes:
        version: rises when a route that was found before may have changed.
        epoch: rises when it has, though those who have subscribed are the same.
        rights_epoch: rises when what clients may do may have changed: they forget their routes.
        dirty: connections that have something in `out`, or have ended.
        awaiting: what is told by the next `settle`.
        wake: has a turn ended soon, so that what is on `dirty` is written; for what does not come
            of octets of a client, such as what waited for the disk.
        kept_principals: who the sessions belong to that the last process has left.
        owner: whose topics are not the users' own.
        listener: hears what is published to the users' own topics.
        recorder: writes down what is published to the users' own topics.
        witness: sees what is refused.
        received_count: messages that clients have published, since the start.
        sent_count: messages that were sent to clients.
        sent_count_max: at which connections wait for the next turn: what is sent is held in memory
            until this one ends.
        resuming: those connections.
        dropped_count: messages that were not, because the client was slow or its queue full.
    """

    def __init__(
        self,
        keeper: SessionKeeper,
        gate: Gate,
        bounds: Bounds,
        retained: Retained,
        now_us: Callable[[], int],
        make_client_id: Callable[[], str],
    ) -> None:
        self.keeper = keeper
        self.gate = gate
        self.bounds = bounds
        self.retained = retained
        self.now_us = now_us
        self.make_client_id = make_client_id
        self.sessions: dict[str, Session] = {}
        self.subscriptions: Subscriptions[Session] = Subscriptions()
        self.timers = Timers()
        self.keep_alive = KeepAlive(now_us())
        self.reception = Reception(self)
        self.kept_principals: KeptPrincipals | None = None
        self.wake: Callable[[], None] = _nobody_listens
        self.owner: TopicOwner | None = None
        self.listener: Listener | None = None
        self.recorder: Recorder | None = None
        self.witness: Witness | None = None
        self.version = 1
        self.epoch = 1
        self.rights_epoch = 1
        self.dirty: list[Connection] = []
        self.awaiting: list[Settling] = []
        self.received_count = 0
        self.sent_count = 0
        self.dropped_count = 0
        self.sent_count_max = SENT_A_TURN_MAX
        self.resuming: list[Connection] = []
        self._held: list[Connection] = []
        self._routes: dict[bytes, Route] = {}
        self.replays = Replays(self)

    # --- routes ---

    def route(self, octets: bytes) -> Route:
        """The route of a topic name, which may have to be brought up to date.

        Raises:
            MalformedPacket: it is no topic name.
            TopicNameInvalid: it has too many levels.
        """
        route = self._routes.get(octets)
        if route is None:
            topic = text_of(octets)
            check_topic_name(topic, self.bounds.topic_levels_max)
            if len(self._routes) >= ROUTES_MAX:
                self._routes.clear()
                self.rights_epoch += 1  # so that clients have none that are not here
            route = self._routes[octets] = Route(topic, octets)
        return route

    def find_receivers(self, route: Route) -> None:
        """Bring a route up to date."""
        if route.is_of_one:
            route.version = self.version
            return
        topic = route.topic
        matched = self.subscriptions.match(topic)
        route.version = self.version
        if matched is route.matched and route.epoch == self.epoch:
            return
        route.matched, route.epoch = matched, self.epoch
        route.direct = [
            target_of(session, subscriptions)
            for session, subscriptions in matched.direct
            if self.may_receive(session, topic)
        ]
        route.groups = matched.shared
        route.intake = self.owner.find_intake(topic) if self.owner is not None else None
        route.is_overheard = (
            self.listener is not None and route.intake is None and self.listener.wants(topic)
        )
        route.is_recorded = (
            self.recorder is not None and route.intake is None and self.recorder.wants(topic)
        )
        route.relays_once = not (
            route.groups or route.intake or route.is_overheard or route.is_recorded
        )
        route.may_keep = bool(route.groups) or any(
            target.session.is_persistent for target in route.direct
        )
        route.relays = route.relays_once and not route.may_keep

    def change_routes(self) -> None:
        """All routes are to be found anew."""
        self.version += 1
        self.epoch += 1

    def change_route(self, topic: str) -> None:
        """That of a topic is to be found anew, and no other."""
        route = self._routes.get(topic.encode())
        if route is not None:
            route.version = route.epoch = 0

    def change_rights(self) -> None:
        """What anybody may do is to be asked anew."""
        self.change_routes()
        self.rights_epoch += 1

    def may_publish(self, session: Session, topic: str) -> bool:
        """Whether a client may."""
        return session.rights.may_publish(topic)

    def may_subscribe(self, session: Session, topic_filter: str) -> bool:
        """Whether a client may."""
        return session.rights.may_subscribe(topic_filter)

    def may_receive(self, session: Session, topic: str) -> bool:
        """Whether a client may."""
        return session.rights.may_receive(topic)

    # --- messages ---

    def publish(
        self,
        message: Message,
        session: Session | None = None,
        recorded: Recorded | None = None,
    ) -> bool:
        """Pass on a message that has not come in a PUBLISH: a will, another door's.

        Args:
            session: whose will it is.
            recorded: see `Recorder.record`; only where the topic's route is recorded.

        Returns:
            Whether some of it is being kept.

        Raises:
            MalformedPacket: its topic is no topic name.
            TopicNameInvalid: it has too many levels.
        """
        route = self.route(message.topic.encode())
        if route.version != self.version:
            self.find_receivers(route)
        intake = route.intake
        if session is not None and self.owner is not None:
            intake = self.owner.find_intake_of(session, route.topic) or intake
        if intake is not None:
            if session is not None:  # other doors have their own ways to whom it belongs
                intake.take(session, message, _not_told)
            return False
        if route.is_recorded and self.recorder is not None:
            self.recorder.record(message, recorded)
        is_kept = message.is_retain and self.retain(message) is ReasonCode.SUCCESS
        return self.distribute(route, message, None) or is_kept

    def distribute(self, route: Route, message: Message, source: Session | None) -> bool:
        """Send a message to all who get it.

        Args:
            source: who has published it, if it is a client.

        Returns:
            Whether it is being kept for somebody.
        """
        outgoing = Outgoing(message, route.octets, self.now_us())
        is_kept = False
        for session, _, _, subscriptions in route.direct:
            is_kept |= self._send(outgoing, session, subscriptions, source)
        for group in route.groups:
            chosen = self._choose(group, route.topic)
            if chosen is not None:
                is_kept |= self._send(outgoing, chosen[0], (chosen[1],), source)
        if route.is_overheard and self.listener is not None:
            self.listener.hear(message)
        return is_kept

    def _choose(self, group: Group[Session], topic: str) -> tuple[Session, Subscription] | None:
        """Who of those who share a subscription gets a message; who is there first."""
        chosen = group.choose(
            lambda session: _is_ready(session) and self.may_receive(session, topic)
        )
        if chosen is None or self.may_receive(chosen[0], topic):
            return chosen
        return next((each for each in group.members if self.may_receive(each[0], topic)), None)

    def deliver_one(
        self,
        session: Session,
        subscriptions: tuple[Subscription, ...],
        route: Route,
        payload: bytes,
        qos: int,
        source: Session | None,
    ) -> None:
        """Send a plain message to one who wants it in a way of its own."""
        client_id = source.client_id if source is not None else ""
        message = Message(route.topic, payload, qos, client_id=client_id)
        self._send(Outgoing(message, route.octets, self.now_us()), session, subscriptions, source)

    def _send(
        self,
        outgoing: Outgoing,
        session: Session,
        subscriptions: tuple[Subscription, ...],
        source: Session | None,
    ) -> bool:
        if len(subscriptions) == 1:
            subscription = subscriptions[0]
            if subscription.no_local and session is source:
                return False
            qos = subscription.qos
            keeps_retain = subscription.retain_as_published
            identifiers: tuple[int, ...] = (
                (subscription.identifier,) if subscription.identifier else ()
            )
        else:
            wanted = [each for each in subscriptions if not (each.no_local and session is source)]
            if not wanted:
                return False
            qos = max(each.qos for each in wanted)
            keeps_retain = any(each.retain_as_published for each in wanted)
            identifiers = tuple(each.identifier for each in wanted if each.identifier)
        message = outgoing.message
        is_retain = message.is_retain and keeps_retain  # MQTT 5, 3.3.1.3
        qos = min(qos, message.qos)
        if session is source and message.qos == 2 and not session.is_persistent:
            connection = session.connection
            if connection is not None and connection.put_behind_acks(
                outgoing, qos, is_retain, identifiers
            ):
                return False
        return session.deliver(outgoing, qos, is_retain, identifiers)

    def retain(self, message: Message) -> ReasonCode:
        """Keep a message as its topic's, or forget that if it is empty (MQTT 5, 3.3.1.3)."""
        topic = message.topic
        is_ours = topic.startswith(_SYS)
        if self.listener is not None and not is_ours:
            self.listener.retained(message)
        if not message.payload:
            if self.retained.drop(topic) and not is_ours:
                self.keeper.drop_retained(topic)
            return ReasonCode.SUCCESS
        if not self.retained.keep(message):
            return ReasonCode.QUOTA_EXCEEDED
        if not is_ours:
            self.keeper.retain(message)
        return ReasonCode.SUCCESS

    # --- subscriptions ---

    def add_subscription(self, session: Session, subscription: Subscription) -> None:
        """Have a client get what a topic filter matches."""
        session.subscriptions[subscription.topic_filter] = subscription
        self.subscriptions.add(session, subscription)
        self.version += 1
        if session.is_persistent:
            self.keeper.keep_subscription(session.client_id, subscription)

    def remove_subscription(self, session: Session, topic_filter: str) -> bool:
        """Have it get that no more; answers whether it did."""
        subscription = session.subscriptions.pop(topic_filter, None)
        if subscription is None:
            return False
        self.subscriptions.remove(session, topic_filter)
        if session.replays:
            session.replays.pop(topic_filter, None)
        self.version += 1
        if session.is_persistent:
            self.keeper.drop_subscription(session.client_id, topic_filter)
        if self.owner is not None:
            self.owner.unsubscribed(session, subscription)
        return True

    # --- turns ---

    def settle(self) -> None:
        """End a turn: have what waits for the disk told when it may go on."""
        self.begin_turn()
        if self.replays.going:
            self.replays.go_on()
        awaiting = self.awaiting
        if awaiting:
            self.awaiting = []

            def settle_all(error: Exception | None) -> None:
                try:
                    _call_all(partial(each.settle, error) for each in awaiting)
                finally:
                    self.wake()

            self.keeper.when_kept(settle_all)

    def begin_turn(self) -> None:
        """Allow as much as a turn may have."""
        self.sent_count_max = self.sent_count + SENT_A_TURN_MAX
        self.replays.left = REPLAY_COST_MAX

    def slow_down(self, connection: Connection) -> None:
        """Take nothing more from a client until the disk has caught up."""
        connection.hold()
        if not self._held:
            self.keeper.when_caught_up(self._catch_up)
        self._held.append(connection)

    def wait_for(self, recorder: Recorder, connection: Connection) -> None:
        """Take nothing more from a client until the recorder has caught up."""
        connection.hold()

        def caught_up() -> None:
            self.resuming.append(connection)
            self.wake()

        recorder.when_caught_up(caught_up)

    def _catch_up(self) -> None:
        held, self._held = self._held, []
        self.resuming += held
        self.wake()

    @property
    def has_more(self) -> bool:
        """Whether another turn should follow soon, though nothing comes in."""
        return bool(self.resuming or self.replays.going)

    def resume(self) -> None:
        """Begin another turn with those who had to wait for it."""
        resuming, self.resuming = self.resuming, []
        _call_all(connection.go_on for connection in resuming)

    def tick(self) -> None:
        """Do what time makes due; about once a second."""
        now_us = self.now_us()
        silent = self.keep_alive.take_silent(now_us)
        _call_all(partial(each.end_with, ReasonCode.KEEP_ALIVE_TIMEOUT) for each in silent)
        self.timers.take_due(now_us, _DUE_AT_ONCE)
        self.reception.end_gone(_DUE_AT_ONCE)
        for topic in self.retained.expire(now_us, _EXPIRED_AT_ONCE):
            self.keeper.drop_retained(topic)

    # --- starts and ends ---

    def restore(self, found: Found) -> None:
        """Take up what the last process left; sessions whose owner is there no more are dropped."""
        kept_principals = self.kept_principals
        assert kept_principals is not None, "it is said who they are first"
        for message in found.retained.values():
            self.retained.keep(message)
        for each in found.sessions:
            if kept_principals.exists(each.session.principal):
                self.reception.restore(each)
            else:
                self.keeper.drop_session(each.session.client_id)
        self.reception.go_on()


def _is_ready(session: Session) -> bool:
    connection = session.connection
    return connection is not None and not connection.is_behind and session.quota > 0


def _call_all(calls: Iterable[Callable[[], None]]) -> None:
    """Call all: a fault of ours in what is done for one client must not cost others theirs."""
    faults = []
    for call in calls:
        try:
            call()
        except Exception as fault:  # noqa: BLE001 - raised when all were called
            faults.append(fault)
    if faults:
        raise faults[0]


def _not_told(reason: ReasonCode) -> None:
    """Nobody hears what becomes of a will."""


def _nobody_listens() -> None:
    """Before there is a door."""
