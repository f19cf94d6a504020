"""What all topics of the tank share: the tank, whose rights count, and the HTTP API behind it."""

import time
from typing import Protocol
from urllib.parse import quote

from thingtank.doors.mqtt.access.rights import MqttAccess, Rights
from thingtank.doors.mqtt.access.tank_topic import TankTopic
from thingtank.doors.mqtt.request_log.reasons import why_nobody
from thingtank.doors.mqtt.request_log.words import DOOR, flag_fields, shown_topic
from thingtank.doors.mqtt.tank_topics.taken import TakenMessages
from thingtank.net.blotting import shown_body
from thingtank.net.http_request import RequestHead, Respond
from thingtank.protocols.mqtt.messages import Message
from thingtank.protocols.mqtt.reason_codes import ReasonCode, code_words
from thingtank.protocols.mqtt.session import Session
from thingtank.tank.access import Caller
from thingtank.tank.errors import Overloaded, Unauthenticated
from thingtank.tank.events import Asked, RequestServed
from thingtank.tank.tank import Tank

WAITING_BYTES_MAX = 64 * 2**20  # of messages that wait for more than the journal
NAME_BYTES_MAX = 200  # of a client id, in the request log
MESSAGE_BYTES = 4096  # about what one that waits takes beside its payload


class HttpApi(Protocol):
    """The Xively HTTP API, for who has authenticated already."""

    def answer_for(self, caller: Caller, head: RequestHead, body: bytes, respond: Respond) -> None:
        """Answer one request on somebody's behalf."""


class TopicContext:
    """Made once; in the loop's thread.

    Attributes:
        http: answers for all resources that are not written to often.
        taken: QoS 2 messages that must not be forgotten before they are recorded.
        waiting_bytes: of messages that wait for more than the journal.
    """

    def __init__(self, tank: Tank, access: MqttAccess, http: HttpApi, taken: TakenMessages) -> None:
        self.tank = tank
        self.access = access
        self.http = http
        self.taken = taken
        self.waiting_bytes = 0

    def caller(self, session: Session, topic: TankTopic) -> Caller:
        """On whose behalf a client asks something at a topic; that is counted.

        Raises:
            Unauthenticated: on nobody's.
            RateExceeded: this request is one too many.
        """
        rights, rates = session.rights, self.tank.request_rates
        caller = rights.caller_at(topic) if isinstance(rights, Rights) else None
        if caller is None or (caller.key is None and caller.account is None):
            address = rights.principal.address if isinstance(rights, Rights) else ""
            rates.count_stranger(address, time.monotonic_ns())
        elif rates.counts_keys and caller.key is not None:
            rates.count_key(caller.key.key_id, time.monotonic_ns())
        if caller is None:
            now_us = self.tank.clock.now_us()
            known = rights if isinstance(rights, Rights) else None
            raise Unauthenticated(why_nobody(known, topic, self.tank.directory, now_us))
        return caller

    def find_caller(self, session: Session, topic: TankTopic) -> Caller | None:
        """The same, not counted; None for nobody."""
        rights = session.rights
        return rights.caller_at(topic) if isinstance(rights, Rights) else None

    def note_refusal(
        self,
        session: Session,
        topic: TankTopic,
        message: Message,
        status: int,
        code: ReasonCode,
        why: str,
    ) -> None:
        """Tell the request log of a message that was refused before its content was looked at."""
        if not topic.feed_id:
            return
        fields = flag_fields(message.qos, is_retain=message.is_retain)
        name = session.client_id.encode()[:NAME_BYTES_MAX]
        path = shown_topic(message.topic)
        asked = Asked(topic.feed_id, DOOR, "PUBLISH", path, address_of(session), name, fields)
        self.tank.request_log.note(
            RequestServed(
                self.tank.clock.now_us(),
                asked,
                status,
                0,
                why,
                shown_body(message.payload),
                caller=self.find_caller(session, topic),
                outcome=code_words(code),
            )
        )

    def begin_waiting(self, payload: bytes) -> None:
        """A message is going to wait, and `end_waiting` is called then.

        Raises:
            Overloaded: too many do.
        """
        if self.waiting_bytes > WAITING_BYTES_MAX:
            raise Overloaded(f"{self.waiting_bytes} bytes of messages wait; try again later")
        self.waiting_bytes += len(payload) + MESSAGE_BYTES

    def end_waiting(self, payload: bytes) -> None:
        """It waits no more."""
        self.waiting_bytes -= len(payload) + MESSAGE_BYTES


def head_of(method: str, topic: TankTopic, session: Session) -> RequestHead:
    """What a topic asks for, as a request over HTTP; the request log shows the client's name."""
    path, _, query = topic.path.partition("?")
    headers = {b"user-agent": session.client_id.encode()}
    address = address_of(session)
    return RequestHead(method, quoted(path), query.encode(), headers, "http", address)


def quoted(path: str) -> str:
    """A topic's path as it would stand in a request; what is encoded already stays so."""
    return quote(path, safe="/%+.:,-_~")


def address_of(session: Session) -> str:
    """A client's address; blank of one that is away."""
    rights = session.rights
    return rights.principal.address if isinstance(rights, Rights) else ""
