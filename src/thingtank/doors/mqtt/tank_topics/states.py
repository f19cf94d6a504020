"""SUBSCRIBE to a topic of the tank is answered with its state: what a GET of it answers.

A client may ask for thousands at once, and some take long. So few are asked for at a time, clients
take turns, and what nobody waits for any more is not asked.

Source: Xively API v2, MQTT.
"""

import asyncio
from collections import deque
from functools import partial

import msgspec

from thingtank.doors.mqtt.access.tank_topic import TankTopic
from thingtank.doors.mqtt.tank_topics.context import TopicContext, head_of
from thingtank.doors.mqtt.tank_topics.watches import Watch, identifiers_of, outgoing_of
from thingtank.net.http_request import Headers
from thingtank.protocols.mqtt.broker import Broker
from thingtank.protocols.mqtt.messages import Subscription
from thingtank.protocols.mqtt.session import Session
from thingtank.tank.errors import TankError

UNDER_WAY_MAX = 4  # questions to the archive
TURN_S_MAX = 0.005


class _Question(msgspec.Struct, frozen=True):
    """What one client waits for.

    Attributes:
        watch: of the updates that follow; None where there are none.
    """

    session: Session
    subscription: Subscription
    topic: TankTopic
    watch: Watch | None


class States:
    """All questions of the door; those of one client by topic filter."""

    def __init__(self, context: TopicContext, broker: Broker) -> None:
        self._context = context
        self._broker = broker
        self._asked: dict[Session, dict[str, _Question]] = {}
        self._turns: deque[Session] = deque()
        self._under_way_count = 0
        self._handle: asyncio.Handle | None = None

    def ask(
        self, session: Session, subscription: Subscription, topic: TankTopic, watch: Watch | None
    ) -> None:
        """Send the state soon, as a retained message; nothing if it is refused."""
        questions = self._asked.get(session)
        if questions is None:
            questions = self._asked[session] = {}
            self._turns.append(session)
        question = _Question(session, subscription, topic, watch)
        questions[subscription.topic_filter] = question
        self._go_on_soon()

    def stop(self) -> None:
        """Ask for nothing more."""
        self._asked.clear()
        self._turns.clear()
        if self._handle is not None:
            self._handle.cancel()

    def _go_on_soon(self) -> None:
        if self._handle is None and self._turns and self._under_way_count < UNDER_WAY_MAX:
            self._handle = asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        self._handle = None
        loop = asyncio.get_running_loop()
        until_s = loop.time() + TURN_S_MAX
        while self._turns and self._under_way_count < UNDER_WAY_MAX and loop.time() < until_s:
            self._begin(self._next())
        self._go_on_soon()

    def _next(self) -> _Question:
        session = self._turns.popleft()
        questions = self._asked[session]
        question = questions.pop(next(iter(questions)))
        if questions:
            self._turns.append(session)
        else:
            del self._asked[session]
        return question

    def _begin(self, question: _Question) -> None:
        session = question.session
        if not _is_awaited(question):
            return
        try:
            caller = self._context.caller(session, question.topic)
        except TankError:
            return
        self._under_way_count += 1
        head = head_of("GET", question.topic, session)
        self._context.http.answer_for(caller, head, b"", partial(self._tell, question))

    def _tell(self, question: _Question, status: int, headers: Headers, body: bytes) -> None:
        self._under_way_count -= 1
        self._go_on_soon()
        session, subscription, watch = question.session, question.subscription, question.watch
        if status != 200 or not _is_awaited(question):
            return
        if watch is not None and watch.is_told:  # an update was faster, and is newer
            return
        now_us = self._broker.now_us()
        outgoing = outgoing_of(subscription.topic_filter, body, now_us, is_retain=True)
        session.deliver(outgoing, subscription.qos, True, identifiers_of(subscription))
        self._broker.wake()


def _is_awaited(question: _Question) -> bool:
    session, subscription = question.session, question.subscription
    is_as_asked = session.subscriptions.get(subscription.topic_filter) == subscription
    return is_as_asked and not session.is_ended
