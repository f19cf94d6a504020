"""PUBLISH to a topic of the tank: HTTP's PUT of that path, with the payload as its body.

A message is acknowledged when what it says is on disk. Feeds and datastreams are written here, as
a device does little else; for all other resources the HTTP API itself answers.

A datastream that is not there is made, also by a message to its own topic: over MQTT there is no
other way to make it.

Source: Xively API v2, MQTT.
"""

import time

import structlog

from thingtank.documents.feeds import (
    datastream_write,
    datastream_writes,
    device_change,
    without_echoed_extremes,
)
from thingtank.doors.mqtt.access.tank_topics import TankTopic
from thingtank.doors.mqtt.tank_topics.context import (
    DOOR,
    TopicContext,
    address_of,
    head_of,
)
from thingtank.doors.mqtt.tank_topics.error_table import answer_of, reason_of
from thingtank.net.eager import run_eagerly
from thingtank.net.http_request import Headers
from thingtank.protocols.mqtt.intake import Done
from thingtank.protocols.mqtt.messages import Message
from thingtank.protocols.mqtt.reason_codes import ReasonCode
from thingtank.protocols.mqtt.session import Session
from thingtank.protocols.xively.errors import BodyTooLarge, XivelyError
from thingtank.protocols.xively.formats import FEED_CODECS
from thingtank.protocols.xively.paths import DatastreamPath, FeedPath
from thingtank.tank.access import Caller, check_reach
from thingtank.tank.actions.datapoints import record_datapoints
from thingtank.tank.actions.feeds import write_feed
from thingtank.tank.errors import TankError
from thingtank.tank.events import Asked, RequestServed

log = structlog.get_logger()

BODY_BYTES_MAX = 2048  # of a message, in the request log
_PATH_CHARS_MAX = 1024
_NAME_BYTES_MAX = 200


class DocumentIntake:
    """Takes messages of a feed's topic, or of a datastream's."""

    def __init__(
        self,
        context: TopicContext,
        topic: TankTopic,
        path: FeedPath | DatastreamPath,
        version: int,
        format: str,
    ) -> None:
        self._context = context
        self._tank = context.tank
        self._topic = topic
        self._feed_id = path.feed_id
        self._name = path.datastream_id if isinstance(path, DatastreamPath) else None
        self._codec = FEED_CODECS[version, format]
        self._bytes_max = context.tank.limits.request_bytes_max
        self._asked: dict[tuple[str, str], Asked] = {}

    def take(self, session: Session, message: Message, done: Done) -> None:
        """Take one."""
        run_eagerly(self._take(session, message, done))

    async def _take(self, session: Session, message: Message, done: Done) -> None:
        started_ns = time.perf_counter_ns()
        payload = message.payload
        reason, status, why = ReasonCode.SUCCESS, 200, ""
        try:
            if len(payload) > self._bytes_max:
                raise BodyTooLarge(f"{len(payload)} bytes; {self._bytes_max} are allowed")
            caller = self._context.caller(session, self._topic)
            now_us = self._tank.clock.now_us()
            if self._name is None:
                await self._write_feed(caller, payload, now_us)
            else:
                await self._write_datastream(caller, self._name, payload, now_us)
        except (TankError, XivelyError) as error:
            reason, status = answer_of(error)
            why = str(error)
        except Exception:
            log.exception("mqtt_tank_topic_failed", feed_id=self._feed_id)
            reason, status = ReasonCode.UNSPECIFIED_ERROR, 500
            why = "an error of the server's own; see its log"
        done(reason)
        self._context.wake()
        self._record(session, payload, status, (time.perf_counter_ns() - started_ns) // 1000, why)

    async def _write_feed(self, caller: Caller, payload: bytes, now_us: int) -> None:
        tank, feed_id = self._tank, self._feed_id
        tank.directory.get_device(feed_id)  # one that is not there is told first
        document = self._codec.parse_feed(payload)
        change = device_change(document)
        writes = without_echoed_extremes(tank, feed_id, datastream_writes(document, now_us))
        await write_feed(tank, caller, feed_id, change, writes)

    async def _write_datastream(
        self, caller: Caller, name: str, payload: bytes, now_us: int
    ) -> None:
        tank, feed_id = self._tank, self._feed_id
        device = tank.directory.get_device(feed_id)
        check_reach(caller, "put", device, name)
        document = self._codec.parse_datastream(payload)
        write = datastream_write(document, now_us, name)
        writes = without_echoed_extremes(tank, feed_id, [write])
        is_new = name not in tank.directory.datastreams(feed_id)
        await record_datapoints(tank, caller, feed_id, writes, creates_missing=is_new)

    def _record(
        self, session: Session, payload: bytes, status: int, duration_us: int, why: str
    ) -> None:
        """Announce one request, after it was answered."""
        tank = self._tank
        if status >= 400 and not self._exists():
            return
        asked = self._asked.get((session.client_id, session.principal))
        if asked is None:
            asked = self._remember_asked(session)
        tank.bus.publish(
            RequestServed(
                tank.clock.now_us(), asked, status, duration_us, why, payload[:BODY_BYTES_MAX]
            )
        )

    def _exists(self) -> bool:
        try:
            self._tank.directory.get_device(self._feed_id)
        except TankError:
            return False
        return True

    def _remember_asked(self, session: Session) -> Asked:
        path = self._topic.path[:_PATH_CHARS_MAX]
        name = session.client_id.encode()[:_NAME_BYTES_MAX]
        asked = Asked(self._feed_id, DOOR, "PUT", path, address_of(session), name)
        if len(self._asked) >= 4:
            self._asked.clear()
        self._asked[session.client_id, session.principal] = asked
        return asked


class HttpIntake:
    """Takes messages of all other topics: what is there is for the HTTP API to say."""

    def __init__(self, context: TopicContext, topic: TankTopic) -> None:
        self._context = context
        self._topic = topic

    def take(self, session: Session, message: Message, done: Done) -> None:
        """Take one."""
        context, payload = self._context, message.payload

        def respond(status: int, headers: Headers, body: bytes) -> None:
            context.end_waiting(payload)
            done(reason_of(status))
            context.wake()

        try:
            caller = context.caller(session, self._topic)
            context.begin_waiting(payload)
        except TankError as error:
            done(answer_of(error)[0])
            return
        head = head_of("PUT", self._topic, address_of(session))
        context.http.answer_for(caller, head, payload, respond)
