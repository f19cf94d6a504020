"""What is retained, on its way to who has just subscribed: in pieces, as fast as it is taken.

A client that has yet to take or acknowledge what it was sent costs nothing meanwhile: its session
wakes what waits.
"""

from collections import deque
from typing import TYPE_CHECKING

from thingtank.protocols.mqtt.filter_tree import is_wild
from thingtank.protocols.mqtt.messages import Subscription
from thingtank.protocols.mqtt.outgoing import Outgoing
from thingtank.protocols.mqtt.retained import Search

if TYPE_CHECKING:
    from thingtank.protocols.mqtt.broker import Broker
    from thingtank.protocols.mqtt.session import Session

_PIECE_MAX = 100  # messages to one session in a turn
_PLAIN_COST, _WILD_COST = 1, 10  # of a piece: one topic is looked at, or many
COST_MAX = 200  # of all sessions in a turn: some 20 ms
_OUT_MAX = 1_000  # pieces of packets not handed to the door yet


class Replay:
    """The messages of one topic filter."""

    __slots__ = ("_search", "subscription")

    def __init__(self, subscription: Subscription, search: Search) -> None:
        self.subscription = subscription
        self._search = search

    def send_some(self, broker: "Broker", session: "Session", count_max: int) -> bool:
        """Send some; False when that was all."""
        subscription = self.subscription
        if session.subscriptions.get(subscription.topic_filter) != subscription:
            return False
        now_us = broker.now_us()
        identifiers = (subscription.identifier,) if subscription.identifier else ()
        for message in self._search.take(now_us, count_max):
            if broker.may_receive(session, message.topic):
                outgoing = Outgoing(message, message.topic.encode(), now_us)
                session.deliver(outgoing, min(message.qos, subscription.qos), True, identifiers)
        return not self._search.is_done


class Replays:
    """All of them; those of one session one after the other.

    Attributes:
        going: sessions that are sent some in the next turn.
        left: of the cost of this turn.
    """

    def __init__(self, broker: "Broker") -> None:
        self._broker = broker
        self.going: deque[Session] = deque()
        self.left = COST_MAX

    def add(self, session: "Session", subscription: Subscription) -> None:
        """Begin to send what a topic filter finds."""
        retained = self._broker.retained
        if not len(retained):
            return
        if session.replays is None:
            session.replays = {}
        # Who subscribes again gets all of it again, and no more waits than there are subscriptions.
        topic_filter = subscription.topic_filter
        session.replays.pop(topic_filter, None)
        session.replays[topic_filter] = Replay(subscription, retained.search(topic_filter))
        # A first piece at once: most often it is all, and comes before whatever is answered next.
        if not session.is_replaying and (self.left <= 0 or self._go_on_with(session)):
            self.wake(session)

    def wake(self, session: "Session") -> None:
        """Go on with a session's, which may have waited for its client."""
        if session.replays and not session.is_replaying:
            session.is_replaying = True
            self.going.append(session)

    def go_on(self) -> None:
        """Send some of what goes on."""
        for _ in range(len(self.going)):
            if self.left <= 0:
                return
            session = self.going.popleft()
            if self._go_on_with(session):
                self.going.append(session)
            else:
                session.is_replaying = False

    def _go_on_with(self, session: "Session") -> bool:
        """Whether there is more to be sent, and the client can take it."""
        connection, replays = session.connection, session.replays
        if not replays:
            session.replays = None
            return False
        if connection is None or not connection.is_open or connection.is_behind:
            return False
        if len(connection.out) > _OUT_MAX:
            return True
        while self.left > 0:
            topic_filter, replay = next(iter(replays.items()))
            room = _room_of(session, replay.subscription)
            if room <= 0:
                return False
            self.left -= _WILD_COST if is_wild(topic_filter) else _PLAIN_COST
            if replay.send_some(self._broker, session, room):
                return _room_of(session, replay.subscription) > 0
            del replays[topic_filter]
            if not replays:
                return False
        return True


def _room_of(session: "Session", subscription: Subscription) -> int:
    """How many messages may be sent now.

    What would have to queue is left where it is: a queue is shorter than what is retained.
    """
    if not subscription.qos:
        return _PIECE_MAX
    return 0 if session.is_waiting else min(_PIECE_MAX, session.quota)
