"""Owns the topics that are the tank's, for the broker.

Source: Xively API v2, MQTT.
"""

import structlog

from thingtank.documents.feeds import Bodies
from thingtank.doors.mqtt.access.tank_topic import TankTopic, has_wildcard, tank_topic_of
from thingtank.doors.mqtt.tank_topics.context import TopicContext, quoted
from thingtank.doors.mqtt.tank_topics.http_intake import HttpIntake
from thingtank.doors.mqtt.tank_topics.intakes import DocumentIntake
from thingtank.doors.mqtt.tank_topics.states import States
from thingtank.doors.mqtt.tank_topics.taken import TakenMessage
from thingtank.doors.mqtt.tank_topics.updates import Updates
from thingtank.doors.mqtt.tank_topics.watches import Content, wants_state
from thingtank.protocols.mqtt.broker import Broker
from thingtank.protocols.mqtt.intake import Intake
from thingtank.protocols.mqtt.keeping import Found
from thingtank.protocols.mqtt.messages import Subscription
from thingtank.protocols.mqtt.session import Session
from thingtank.protocols.xively.errors import NotAcceptable, XivelyError
from thingtank.protocols.xively.formats import FEED_FORMATS, default_format, select_format
from thingtank.protocols.xively.paths import ActivationPath, DatastreamPath, FeedPath, parse_path
from thingtank.tank.errors import TankError, Unavailable, reason_of

log = structlog.get_logger()

INTAKES_MAX = 100_000  # that are remembered


class TankTopics:
    """The broker's owner of topics: from before its sessions are restored, for their wills.

    `restore`, then the broker's own; `start`, then ports are opened.
    """

    def __init__(self, context: TopicContext, broker: Broker, bodies: Bodies) -> None:
        """Tell nobody of anything yet.

        Args:
            bodies: makes what updates show.
        """
        self._context = context
        self._broker = broker
        self._updates = Updates(context, broker, bodies)
        self._states = States(context, broker)
        self._intakes: dict[str, Intake] = {}

    async def restore(self, found: Found) -> Found:
        """Record what the last process took and may not have recorded.

        Returns:
            What else it left.
        """
        others, taken = self._context.taken.restore(found)
        for each in taken:
            if await self._take_again(each):
                self._context.taken.drop(each.number)
        return others

    async def _take_again(self, message: TakenMessage) -> bool:
        """Record a message; False if it should be tried again at the next start."""
        intake = self.find_intake(message.topic)
        try:
            if isinstance(intake, DocumentIntake):
                await intake.take_again(message.payload, message.at_us)
        except Unavailable as error:
            log.error("mqtt_message_not_recorded", reason=reason_of(error))
            return False
        except (TankError, XivelyError) as error:  # its feed may be gone
            log.warning("mqtt_message_not_recorded", reason=reason_of(error))
        return True

    def start(self) -> None:
        """Tell of updates, also those whose sessions the broker has restored."""
        self._updates.start()
        for session in self._broker.sessions.values():
            for subscription in session.subscriptions.values():
                content = _content_of(tank_topic_of(subscription.topic_filter))
                if content is not None:
                    self._updates.add(session, subscription, content)

    def stop(self) -> None:
        """Tell of nothing more."""
        self._states.stop()
        self._updates.stop()

    # --- as the broker's ---

    def find_intake(self, topic: str) -> Intake | None:
        """Who takes messages of this topic; None if it is not the tank's."""
        intake = self._intakes.get(topic)
        if intake is not None:
            return intake
        tank_topic = tank_topic_of(topic)
        if tank_topic is None:
            return None
        if len(self._intakes) >= INTAKES_MAX:
            self._intakes.clear()
        intake = self._intakes[topic] = self._intake_of(tank_topic)
        return intake

    def _intake_of(self, topic: TankTopic) -> Intake:
        if "?" in topic.path:
            return HttpIntake(self._context, topic)
        target = parse_path(quoted(topic.path))
        path, version = target.path, target.version
        if isinstance(path, DatastreamPath | FeedPath):
            format = _format_of(target.extension, version)
            if format:
                return DocumentIntake(self._context, topic, path, version, format)
        return HttpIntake(self._context, topic)

    def find_intake_of(self, session: Session, topic: str) -> Intake | None:
        """None: these topics are the tank's for everybody."""
        return None

    def connected(self, session: Session) -> None:
        """Nothing: what it has subscribed to is known."""

    def disconnected(self, session: Session) -> None:
        """Nothing: its updates wait, if its session does."""

    def subscribed(self, session: Session, subscription: Subscription) -> None:
        """Send the state, and tell of updates."""
        topic = tank_topic_of(subscription.topic_filter)
        if topic is None or has_wildcard(subscription.topic_filter):
            return
        content = _content_of(topic)
        watch, is_new = None, True
        if content is not None:
            watch = self._updates.add(session, subscription, content)
            is_new = watch is not None
        elif isinstance(parse_path(quoted(topic.path.partition("?")[0])).path, ActivationPath):
            return  # a GET that changes something
        if wants_state(subscription, is_new=is_new):
            self._states.ask(session, subscription, topic, watch)

    def unsubscribed(self, session: Session, subscription: Subscription) -> None:
        """Tell of no more updates."""
        content = _content_of(tank_topic_of(subscription.topic_filter))
        if content is not None:
            self._updates.remove(session, subscription, content)


def _format_of(extension: str, version: int) -> str:
    """The format of a feed's or datastream's topic; blank if it is none of these."""
    try:
        return select_format(extension, None, FEED_FORMATS, default_format(version))
    except NotAcceptable:
        return ""


def _content_of(topic: TankTopic | None) -> Content | None:
    """What a topic shows that changes by itself; None if it is none of the tank's that do."""
    if topic is None or "?" in topic.path:
        return None
    target = parse_path(quoted(topic.path))
    path, format = target.path, _format_of(target.extension, target.version)
    if not format or not isinstance(path, FeedPath | DatastreamPath):
        return None
    name = path.datastream_id if isinstance(path, DatastreamPath) else None
    return Content(path.feed_id, name, target.version, format)
