"""SUBSCRIBE to a feed's or datastream's topic: every update that follows.

An update holds what a GET would have answered after this write and before the next, in the format
of the topic. It is made once for all who asked for the same, then handed to their sessions in
turns, whose queues are bounded. Nothing is made of a feed that nobody has subscribed to.

Source: Xively API v2, MQTT.
"""

import asyncio
from collections import deque

import msgspec
import structlog

from thingtank.documents.feeds import Bodies
from thingtank.doors.mqtt.tank_topics.context import TopicContext
from thingtank.doors.mqtt.tank_topics.watches import Content, Watch, identifiers_of, outgoing_of
from thingtank.protocols.mqtt.broker import Broker
from thingtank.protocols.mqtt.messages import Subscription
from thingtank.protocols.mqtt.outgoing import Outgoing
from thingtank.protocols.mqtt.session import Session
from thingtank.protocols.xively.formats import FEED_CODECS
from thingtank.tank.errors import NoSuchDatastream, TankError
from thingtank.tank.events import DatapointsRecorded, DeviceDeleted
from thingtank.tank.told_values import Current, ToldValues

log = structlog.get_logger()

DELIVERIES_PER_TURN = 200
UPDATES_MAX = 10_000  # not delivered yet; beyond either the oldest are dropped, and counted
UPDATES_BYTES_MAX = 64 * 2**20
_DELIVERY_BYTES = 16


class _Update(msgspec.Struct):
    """One update on its way to those who get it."""

    deliveries: list[tuple[Watch, Outgoing]]
    size_bytes: int


class Updates:
    """All watches of the door."""

    def __init__(self, context: TopicContext, broker: Broker, bodies: Bodies) -> None:
        """Listen to nothing yet."""
        self._context = context
        self._tank = context.tank
        self._broker = broker
        self._bodies = bodies
        self._of_feed: dict[int, dict[tuple[Session, str], Watch]] = {}
        self._told = ToldValues(context.tank.directory, context.tank.archive)
        self._waiting: deque[_Update] = deque()
        self._waiting_bytes = 0
        self._turn: asyncio.Handle | None = None

    def start(self) -> None:
        """Listen to the tank's bus."""
        self._tank.bus.react(DatapointsRecorded, self._recorded)
        self._tank.bus.react(DeviceDeleted, self._deleted)

    def stop(self) -> None:
        """Deliver nothing more."""
        self._of_feed.clear()
        self._waiting.clear()
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None

    # --- who asks ---

    def add(self, session: Session, subscription: Subscription, content: Content) -> Watch | None:
        """Begin to tell of updates.

        Returns:
            The watch; None if there was one of that client already, which goes on as it is asked
            now.
        """
        watches = self._of_feed.get(content.feed_id)
        if watches is None:
            watches = self._of_feed[content.feed_id] = {}
            self._told.follow(content.feed_id)
        key = (session, subscription.topic_filter)
        known = watches.get(key)
        if known is not None:
            known.subscription = subscription
            return None
        watch = watches[key] = Watch(session, subscription, content)
        return watch

    def remove(self, session: Session, subscription: Subscription, content: Content) -> None:
        """Tell no more."""
        watches = self._of_feed.get(content.feed_id)
        if watches is not None:
            watches.pop((session, subscription.topic_filter), None)
            if not watches:
                del self._of_feed[content.feed_id]
                self._told.leave(content.feed_id)

    # --- what happens ---

    def _deleted(self, event: DeviceDeleted) -> None:
        self._of_feed.pop(event.device.device_id, None)
        self._told.leave(event.device.device_id)

    def _recorded(self, event: DatapointsRecorded) -> None:
        watches = self._of_feed.get(event.device_id)
        if watches is None:
            return
        current = self._told.after(event)
        names = event.names.values()
        bodies: dict[Content, bytes] = {}
        by_topic: dict[str, Outgoing] = {}
        deliveries = []
        try:
            for watch in watches.values():
                content, topic = watch.content, watch.subscription.topic_filter
                if content.datastream is not None and content.datastream not in names:
                    continue
                outgoing = by_topic.get(topic)
                if outgoing is None:
                    body = bodies.get(content)
                    if body is None:
                        body = bodies[content] = self._body(content, current)
                    outgoing = by_topic[topic] = outgoing_of(topic, body, self._broker.now_us())
                deliveries.append((watch, outgoing))
        except TankError:  # deleted in the same turn
            return
        if deliveries:
            size_bytes = sum(map(len, bodies.values())) + len(deliveries) * _DELIVERY_BYTES
            self._queue(_Update(deliveries, size_bytes))

    def _body(self, content: Content, current: Current) -> bytes:
        """What a GET would answer with these current values; raises TankError."""
        codec = FEED_CODECS[content.version, content.format]
        directory = self._tank.directory
        device = directory.get_device(content.feed_id)
        if content.datastream is None:
            return codec.serialize_feed(self._bodies.feed(device, current=current))
        datastream = directory.datastreams(content.feed_id).get(content.datastream)
        if datastream is None:
            raise NoSuchDatastream(f"there is no datastream {content.datastream}")
        body = self._bodies.datastream(datastream, current=current)
        # XML alone tells of the feed.
        reference = self._bodies.reference(device, current if content.format == "xml" else None)
        return codec.serialize_datastream(body, reference)

    def _queue(self, update: _Update) -> None:
        waiting = self._waiting
        waiting.append(update)
        self._waiting_bytes += update.size_bytes
        while len(waiting) > 1 and (
            len(waiting) > UPDATES_MAX or self._waiting_bytes > UPDATES_BYTES_MAX
        ):
            dropped = waiting.popleft()
            self._waiting_bytes -= dropped.size_bytes
            if not self._broker.dropped_count:
                log.warning("mqtt_updates_dropped", waiting_count=len(waiting))
            self._broker.dropped_count += len(dropped.deliveries)
        if self._turn is None:
            self._turn = asyncio.get_running_loop().call_soon(self._deliver_some)

    def _deliver_some(self) -> None:
        """Deliver some, then let others have a turn."""
        self._turn = None
        left_count = DELIVERIES_PER_TURN
        waiting = self._waiting
        while waiting and left_count > 0:
            update = waiting[0]
            turn = update.deliveries[:left_count]
            del update.deliveries[:left_count]
            left_count -= len(turn)
            if not update.deliveries:
                waiting.popleft()
                self._waiting_bytes -= update.size_bytes
            for watch, outgoing in turn:
                self._deliver(watch, outgoing)
        self._broker.wake()
        if waiting:
            self._turn = asyncio.get_running_loop().call_soon(self._deliver_some)

    def _deliver(self, watch: Watch, outgoing: Outgoing) -> None:
        session, subscription = watch.session, watch.subscription
        watches = self._of_feed.get(watch.content.feed_id)
        if watches is None or watches.get((session, subscription.topic_filter)) is not watch:
            return  # unsubscribed, or gone, meanwhile
        if self._broker.may_receive(session, subscription.topic_filter):
            watch.is_told = True
            session.deliver(outgoing, subscription.qos, False, identifiers_of(subscription))
