"""What one client asks, in order: while something has to wait, what it asks next waits too."""

from collections import deque
from typing import TYPE_CHECKING

import structlog

from thingtank.doors.skynet.errors import SkynetError
from thingtank.doors.skynet.mqtt_topics.answers import ANSWERING, Answer
from thingtank.doors.skynet.mqtt_topics.frames import ack_frame, answer_frame, event_frame
from thingtank.doors.skynet.mqtt_topics.refusals import (
    INTERNAL,
    NOT_A_DEVICE,
    Refusal,
    refusal_of,
)
from thingtank.doors.skynet.mqtt_topics.requests import Request, parse_request
from thingtank.doors.skynet.noting import Noting
from thingtank.net.eager import run_eagerly
from thingtank.protocols.mqtt.connection import Connection
from thingtank.protocols.mqtt.intake import Done
from thingtank.protocols.mqtt.messages import Message
from thingtank.protocols.mqtt.reason_codes import ReasonCode, code_words
from thingtank.protocols.mqtt.session import Session
from thingtank.tank.errors import TankError

if TYPE_CHECKING:
    from thingtank.doors.skynet.mqtt_topics.owner import SkynetTopics

log = structlog.get_logger()

DOOR = "skynet_mqtt"  # in the request log
WAITING_MAX = 1000  # requests of one client, while something before them waits
_NAME_CHARS_MAX = 200


class RequestIntake:
    """Takes what devices publish to one topic."""

    keeps_messages = False

    def __init__(self, topics: "SkynetTopics", topic: str) -> None:
        self._topics = topics
        self._topic = topic

    def take(self, session: Session, message: Message, done: Done) -> None:
        """Take one request."""
        self._topics.asking_of(session).take(self._topic, message, done)


class ClosedIntake:
    """Takes nothing."""

    keeps_messages = False

    def take(self, session: Session, message: Message, done: Done) -> None:
        """Refuse one."""
        done(ReasonCode.NOT_AUTHORIZED)


class Asking:
    """What one client asks.

    Attributes:
        is_busy: whether something waits, such as for the disk.
    """

    __slots__ = ("_held", "_session", "_topics", "_waiting", "is_busy")

    def __init__(self, topics: "SkynetTopics", session: Session) -> None:
        self._topics = topics
        self._session = session
        self._waiting: deque[tuple[str, Message, Done]] = deque()
        self._held: Connection | None = None
        self.is_busy = False

    def take(self, topic: str, message: Message, done: Done) -> None:
        """It asks something: do it, or as soon as what it asked before is done."""
        if self.is_busy:
            if len(self._waiting) >= WAITING_MAX:
                done(ReasonCode.QUOTA_EXCEEDED)
                return
            self._waiting.append((topic, message, done))
            return
        self.is_busy = True
        run_eagerly(self._work_off(topic, message, done))
        connection = self._session.connection
        if self.is_busy and connection is not None:
            self._held = connection
            connection.hold()

    async def _work_off(self, topic: str, message: Message, done: Done) -> None:
        while True:
            try:
                reason = await self._answer(topic, message)
            except Exception:
                log.exception("skynet_mqtt_request_failed", topic=topic)
                reason = INTERNAL.reason
            done(reason)
            if not self._waiting:
                break
            topic, message, done = self._waiting.popleft()
        self.is_busy = False
        held, self._held = self._held, None
        if held is not None and held.is_held:
            self._topics.read_on(held)

    async def _answer(self, topic: str, message: Message) -> ReasonCode:
        """Do what is asked and say what there is to say; what becomes of the message."""
        topics, session = self._topics, self._session
        request = None
        fields = ("QoS", str(message.qos)), ("client id", session.client_id[:_NAME_CHARS_MAX])
        noting = Noting(topics.door, DOOR, "PUBLISH", topic, message.payload, fields)
        party = topics.find_party(session)
        if party is None or party.device is None:
            return NOT_A_DEVICE.reason
        try:
            request = parse_request(topic, message.payload, topics.door.settings.message_bytes_max)
            answer = await ANSWERING[topic](topics.door, party, request)
        except (TankError, SkynetError) as error:
            refusal = refusal_of(error)
            if request is not None:
                self._refuse(request, refusal, message.qos)
            named = {} if request is None else request.fields
            code, told = refusal.reason, refusal.told
            told_error = None if request is None else told.error()
            noting.answered(party, named, told_error, told.code, str(error), code_words(code))
            return code
        if answer is not None:
            if answer.own_token:
                topics.renew(session, answer.own_token)
            self._tell(request, answer, message.qos)
        data = None if answer is None else answer.data
        noting.answered(party, request.fields, data, outcome=code_words(ReasonCode.SUCCESS))
        return ReasonCode.SUCCESS

    def _tell(self, request: Request, answer: Answer, qos: int) -> None:
        if request.callback_id:
            payload = answer_frame(answer.topic, answer.data, request.callback_id)
        elif request.ack:
            acked = answer.data if answer.acked is None else answer.acked
            payload = ack_frame(request.ack, acked)
        elif answer.is_told_always:
            payload = event_frame(answer.topic, answer.data)
        else:
            return
        self._topics.answer(self._session, payload, qos)

    def _refuse(self, request: Request, refusal: Refusal, qos: int) -> None:
        """Tell who has asked for an answer; for others an event `error` could end the program."""
        if request.callback_id:
            payload = answer_frame("error", refusal.told.error(), request.callback_id)
        elif request.ack:
            payload = ack_frame(request.ack, {"error": refusal.told.error()})
        else:
            return
        self._topics.answer(self._session, payload, qos)
