"""What is retained, on its way to who has just subscribed: in pieces, as fast as it is taken."""

from typing import TYPE_CHECKING

from thingtank.protocols.mqtt.messages import Subscription
from thingtank.protocols.mqtt.outgoing import Outgoing
from thingtank.protocols.mqtt.retained import Search

if TYPE_CHECKING:
    from thingtank.protocols.mqtt.broker import Broker
    from thingtank.protocols.mqtt.session import Session

_PIECE_MAX = 100  # messages to one session in a turn
_OUT_MAX = 1_000  # pieces of packets not handed to the door yet
REPLAYS_MAX = 100  # that go on for one session; of more filters than that the first are begun


class Replay:
    """One of them.

    Attributes:
        is_stuck: its client must first take or acknowledge what it was sent.
    """

    __slots__ = ("_broker", "_search", "_session", "_subscription", "is_stuck")

    def __init__(self, broker: "Broker", session: "Session", subscription: Subscription) -> None:
        self._broker = broker
        self._session = session
        self._subscription = subscription
        self.is_stuck = False
        self._search: Search = broker.retained.search(subscription.topic_filter)

    def go_on(self) -> bool:
        """Send some; False when that was all, or nobody is there any more."""
        session, subscription = self._session, self._subscription
        connection = session.connection
        if connection is None or not connection.is_open:
            return False
        if session.subscriptions.get(subscription.topic_filter) != subscription:
            return False
        self.is_stuck = connection.is_behind
        if connection.is_behind or len(connection.out) > _OUT_MAX:
            return True
        # What would have to queue is left where it is: a queue is shorter than what is retained.
        room = _PIECE_MAX if not subscription.qos else min(_PIECE_MAX, session.quota)
        if room <= 0 or session.is_waiting:
            self.is_stuck = True
            return True
        now_us = self._broker.now_us()
        identifiers = (subscription.identifier,) if subscription.identifier else ()
        for message in self._search.take(now_us, room):
            if self._broker.may_receive(session, message.topic):
                outgoing = Outgoing(message, message.topic.encode(), now_us)
                session.deliver(outgoing, min(message.qos, subscription.qos), True, identifiers)
        return not self._search.is_done
