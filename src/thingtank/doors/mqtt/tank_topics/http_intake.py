"""PUBLISH to all other topics of the tank: what is there is for the HTTP API to say.

Source: Xively API v2, MQTT.
"""

from thingtank.doors.mqtt.access.tank_topic import TankTopic
from thingtank.doors.mqtt.tank_topics.context import TopicContext, head_of
from thingtank.doors.mqtt.tank_topics.error_table import answer_of, reason_of
from thingtank.net.http_request import Headers
from thingtank.protocols.mqtt.intake import Done
from thingtank.protocols.mqtt.messages import Message
from thingtank.protocols.mqtt.session import Session
from thingtank.tank.errors import TankError


class HttpIntake:
    """Takes messages of one topic, as PUT."""

    keeps_messages = False  # a PUT to these, made twice, is as one

    def __init__(self, context: TopicContext, topic: TankTopic) -> None:
        self._context = context
        self._topic = topic

    def take(self, session: Session, message: Message, done: Done) -> None:
        """Take one."""
        context, payload = self._context, message.payload

        def respond(status: int, headers: Headers, body: bytes) -> None:
            context.end_waiting(payload)
            done(reason_of(status))

        try:
            caller = context.caller(session, self._topic)
            context.begin_waiting(payload)
        except TankError as error:
            reason, status = answer_of(error)
            done(reason)
            context.note_refusal(session, self._topic, message, status, reason, str(error))
            return
        head = head_of("PUT", self._topic, session)
        context.http.answer_for(caller, head, payload, respond)
