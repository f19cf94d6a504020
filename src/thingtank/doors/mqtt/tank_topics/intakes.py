"""PUBLISH to a feed's topic, or a datastream's: HTTP's PUT, with the payload as its body.

A message is acknowledged when what it says is on disk.

A datastream that is not there is made, also by a message to its own topic: over MQTT there is no
other way to make it.

Source: Xively API v2, MQTT.
"""

import time
from collections.abc import Sequence

import msgspec
import structlog

from thingtank.documents.feeds import (
    datastream_write,
    datastream_writes,
    device_change,
    without_echoed_extremes,
)
from thingtank.doors.mqtt.access.tank_topic import TankTopic
from thingtank.doors.mqtt.request_log.words import (
    DOOR,
    flag_fields,
    property_fields,
    shown_topic,
)
from thingtank.doors.mqtt.tank_topics.context import NAME_BYTES_MAX, TopicContext, address_of
from thingtank.doors.mqtt.tank_topics.error_table import answer_of
from thingtank.net.blotting import shown_body
from thingtank.net.eager import run_eagerly
from thingtank.protocols.mqtt.access import Rights
from thingtank.protocols.mqtt.intake import Done
from thingtank.protocols.mqtt.messages import Message
from thingtank.protocols.mqtt.reason_codes import ReasonCode, code_words
from thingtank.protocols.mqtt.session import Session
from thingtank.protocols.xively.errors import BodyTooLarge, XivelyError
from thingtank.protocols.xively.formats import FEED_CODECS
from thingtank.protocols.xively.paths import DatastreamPath, FeedPath
from thingtank.tank.access import OPERATOR, Caller, check_reach
from thingtank.tank.actions.datapoints import (
    begin_plain_writes,
    check_writes,
    record_datapoints,
)
from thingtank.tank.actions.feeds import delete_other_datastreams, write_feed
from thingtank.tank.changes import DatastreamWrite, DeviceChange
from thingtank.tank.errors import StorageFailed, TankError
from thingtank.tank.events import Asked, DatapointsRecorded, RequestServed
from thingtank.tank.interfaces import Pending
from thingtank.tank.things import Device

log = structlog.get_logger()


_ASKED_MAX = 4  # clients that publish to one topic, and are remembered: nearly always there is one


class DocumentIntake:
    """Takes messages of a feed's topic, or of a datastream's."""

    keeps_messages = True

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
        # API v1: the datastreams of a feed's PUT replace those there were.
        self._replaces = version == 1 and isinstance(path, FeedPath)
        self._bytes_max = context.tank.limits.request_bytes_max
        self._asked: dict[tuple[str, Rights | None, int, bool, bytes], Asked] = {}

    def take(self, session: Session, message: Message, done: Done) -> None:
        """Take one."""
        taking = _Taking(self, session, message, done)
        try:
            caller = taking.caller = self._context.caller(session, self._topic)
            now_us = self._tank.clock.now_us()
            writing = self._read(caller, message.payload, now_us)
            if message.qos == 2 and session.is_persistent:
                self._keep(caller, message, now_us, taking)
            else:
                self._write(caller, writing, taking)
        except (TankError, XivelyError) as error:
            taking.refused(error)
        except Exception:
            log.exception("mqtt_tank_topic_failed", feed_id=self._feed_id)
            taking.failed()

    def _keep(self, caller: Caller, message: Message, now_us: int, taking: "_Taking") -> None:
        """Have a message outlive the process before it is written; see `taken`."""

        def kept(error: Exception | None) -> None:
            try:
                if error is not None:
                    raise StorageFailed("the message could not be kept", details=error)
                self._write(caller, self._read(caller, message.payload, now_us), taking)
            except (TankError, XivelyError) as refusal:
                taking.refused(refusal)
            except Exception:
                log.exception("mqtt_tank_topic_failed", feed_id=self._feed_id)
                taking.failed()

        self._context.begin_waiting(message.payload)
        # Without the key that may stand in front: whether it may has been decided.
        path = self._topic.path
        taking.kept_number = self._context.taken.keep(path, message.payload, now_us, kept)

    async def take_again(self, payload: bytes, at_us: int) -> None:
        """Write what the last process took; it was allowed to then.

        Raises:
            TankError, XivelyError: it cannot be written any more.
        """
        writing = self._read(OPERATOR, payload, at_us)
        await self._carry_out(OPERATOR, writing)

    def _read(self, caller: Caller, payload: bytes, now_us: int) -> "_Writing":
        """What a message says; it is allowed and valid.

        Raises:
            TankError, XivelyError: it is not.
        """
        if len(payload) > self._bytes_max:
            raise BodyTooLarge(f"{len(payload)} bytes; {self._bytes_max} are allowed")
        tank, feed_id, name = self._tank, self._feed_id, self._name
        device = tank.directory.get_device(feed_id)
        check_reach(caller, "put", device, name)
        change = None
        if name is None:
            document = self._codec.parse_feed(payload)
            change = device_change(document)
            writes = datastream_writes(document, now_us)
        else:
            writes = [datastream_write(self._codec.parse_datastream(payload), now_us, name)]
            if name not in tank.directory.datastreams(feed_id):
                check_reach(caller, "put", device)  # to make one is to change the feed
        is_plain = check_writes(tank, feed_id, writes, creates_missing=True)
        return _Writing(device, change, writes, is_plain and change is None and not self._replaces)

    def _write(self, caller: Caller, writing: "_Writing", taking: "_Taking") -> None:
        """Write what a message says; `taking` is told how that ends.

        Raises:
            TankError: it is not written.
        """
        if not writing.is_plain:
            self._context.begin_waiting(taking.payload)
            run_eagerly(self._write_with_care(caller, writing, taking))
            return
        begun = begin_plain_writes(self._tank, writing.device, writing.writes)
        if begun is None:
            taking.finish(ReasonCode.SUCCESS, 200)
        else:
            pending, taking.recorded = begun
            pending.add_done_callback(taking.written)

    async def _write_with_care(
        self, caller: Caller, writing: "_Writing", taking: "_Taking"
    ) -> None:
        """What few messages do: change more than values, or make datastreams."""
        try:
            await self._carry_out(caller, writing)
        except (TankError, XivelyError) as error:
            taking.refused(error)
        except Exception:
            log.exception("mqtt_tank_topic_failed", feed_id=self._feed_id)
            taking.failed()
        else:
            taking.finish(ReasonCode.SUCCESS, 200)
        finally:
            self._context.end_waiting(taking.payload)

    async def _carry_out(self, caller: Caller, writing: "_Writing") -> None:
        tank, feed_id, name = self._tank, self._feed_id, self._name
        writes = without_echoed_extremes(tank, feed_id, writing.writes)
        if name is None:
            await write_feed(tank, caller, feed_id, writing.change, writes)
            if self._replaces and writes:
                await delete_other_datastreams(tank, caller, feed_id, writes)
        else:
            is_new = name not in tank.directory.datastreams(feed_id)
            await record_datapoints(tank, caller, feed_id, writes, creates_missing=is_new)

    def let_go(self, kept_number: int, payload: bytes) -> None:
        """Keep a message no more: it is written, or refused."""
        self._context.end_waiting(payload)
        self._context.taken.drop(kept_number)

    def announce(self, recorded: DatapointsRecorded) -> None:
        """Tell everybody what is on disk."""
        self._tank.bus.publish(recorded)

    def record(
        self, taking: "_Taking", status: int, reason: ReasonCode, duration_us: int, why: str
    ) -> None:
        """Tell the request log of one message, after it was answered."""
        tank, session, message = self._tank, taking.session, taking.message
        who = session.client_id, session.rights
        asked = self._asked.get((*who, message.qos, message.is_retain, message.properties))
        if asked is None:
            asked = self._remember_asked(session, message)
        caller = taking.caller or self._context.find_caller(session, self._topic)
        tank.request_log.note(
            RequestServed(
                tank.clock.now_us(),
                asked,
                status,
                duration_us,
                why,
                shown_body(message.payload),
                caller=caller,
                outcome=code_words(reason),
            )
        )

    def _remember_asked(self, session: Session, message: Message) -> Asked:
        path = shown_topic(message.topic)
        name = session.client_id.encode()[:NAME_BYTES_MAX]
        flags = flag_fields(message.qos, is_retain=message.is_retain)
        fields = flags + property_fields(message.properties)
        asked = Asked(self._feed_id, DOOR, "PUBLISH", path, address_of(session), name, fields)
        if len(self._asked) >= _ASKED_MAX:
            self._asked.clear()
        who = session.client_id, session.rights
        self._asked[(*who, message.qos, message.is_retain, message.properties)] = asked
        return asked


class _Writing(msgspec.Struct, frozen=True, gc=False):
    """What a message says.

    Attributes:
        is_plain: whether it is nothing but values of datastreams that are there.
    """

    device: Device
    change: DeviceChange | None
    writes: Sequence[DatastreamWrite]
    is_plain: bool


class _Taking:
    """One message, until it is known what becomes of it.

    Attributes:
        session: whose it is.
        caller: on whose behalf; None until that is known.
        recorded: what is announced once it is on disk.
        kept_number: by which it is kept until then; 0 if it is not.
    """

    __slots__ = (
        "_done",
        "_intake",
        "_started_ns",
        "caller",
        "kept_number",
        "message",
        "payload",
        "recorded",
        "session",
    )

    def __init__(
        self, intake: DocumentIntake, session: Session, message: Message, done: Done
    ) -> None:
        self._intake = intake
        self._done = done
        self._started_ns = time.perf_counter_ns()
        self.session = session
        self.message = message
        self.payload = message.payload
        self.caller: Caller | None = None
        self.recorded: DatapointsRecorded | None = None
        self.kept_number = 0

    def written(self, pending: Pending) -> None:
        """It is on disk, or was refused."""
        error = pending.exception()
        if error is None:
            assert self.recorded is not None
            self._intake.announce(self.recorded)
            self.finish(ReasonCode.SUCCESS, 200)
        elif isinstance(error, TankError):
            self.refused(error)
        else:
            log.error("mqtt_tank_topic_failed", exc_info=error)
            self.failed()

    def refused(self, error: TankError | XivelyError) -> None:
        """It is not taken."""
        self.finish(*answer_of(error), str(error))

    def failed(self) -> None:
        """It is not taken, and that is our fault."""
        self.finish(ReasonCode.UNSPECIFIED_ERROR, 500, "an error of the server's own; see its log")

    def finish(self, reason: ReasonCode, status: int, why: str = "") -> None:
        """Say what became of it."""
        if self.kept_number:
            self._intake.let_go(self.kept_number, self.payload)
        self._done(reason)
        duration_us = (time.perf_counter_ns() - self._started_ns) // 1000
        self._intake.record(self, status, reason, duration_us, why)
