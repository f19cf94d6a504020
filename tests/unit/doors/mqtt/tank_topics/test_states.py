"""Many questions at once: a few are asked at a time, by turns, and none that nobody waits for."""

import asyncio
from collections.abc import Callable
from typing import Any

from thingtank.doors.mqtt.access.tank_topic import TankTopic, tank_topic_of
from thingtank.doors.mqtt.tank_topics.states import UNDER_WAY_MAX, States
from thingtank.protocols.mqtt.messages import Subscription


class Asking:
    """A tank that answers when it is told to."""

    def __init__(self) -> None:
        self.http = self
        self.access = None
        self.asked: list[tuple[str, Callable[[], None]]] = []

    def caller(self, session: Any, topic: TankTopic) -> str:
        return session.client_id

    def answer_for(self, caller: str, head: Any, body: bytes, respond: Any) -> None:
        self.asked.append((caller, lambda: respond(200, {}, b"state")))

    def answer_first(self) -> str:
        caller, answer = self.asked.pop(0)
        answer()
        return caller


class Hearing:
    """A session, as far as states need one."""

    rights = None

    def __init__(self, client_id: str) -> None:
        self.client_id = client_id
        self.is_ended = False
        self.subscriptions: dict[str, Subscription] = {}
        self.heard: list[str] = []

    def deliver(self, outgoing: Any, qos: int, is_retain: bool, identifiers: Any) -> None:
        assert is_retain
        self.heard.append(outgoing.message.topic)


class Waking:
    def now_us(self) -> int:
        return 1

    def wake(self) -> None:
        pass


def ask(states: States, session: Hearing, topic: str) -> None:
    found = tank_topic_of(topic)
    assert found is not None
    subscription = session.subscriptions[topic] = Subscription(topic)
    states.ask(session, subscription, found, None)  # type: ignore[arg-type] # a double


async def turns(count: int = 3) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_few_are_under_way_and_clients_take_turns() -> None:
    tank = Asking()
    states = States(tank, Waking())  # type: ignore[arg-type] # doubles
    greedy, modest = Hearing("greedy"), Hearing("modest")
    for number in range(50):
        ask(states, greedy, f"/v2/feeds/7.json?duration={number}hours")
    ask(states, modest, "/v2/feeds/7.json")
    await turns()
    assert len(tank.asked) == UNDER_WAY_MAX
    assert [caller for caller, _ in tank.asked].count("modest") == 1
    for _ in range(51):
        tank.answer_first()
        await turns()
        assert len(tank.asked) <= UNDER_WAY_MAX
    assert modest.heard == ["/v2/feeds/7.json"]
    assert len(greedy.heard) == 50


async def test_nothing_is_asked_for_who_is_gone_and_at_the_end() -> None:
    tank = Asking()
    states = States(tank, Waking())  # type: ignore[arg-type] # doubles
    session = Hearing("c")
    for number in range(50):
        ask(states, session, f"/v2/feeds/7.json?duration={number}hours")
    await turns()
    session.is_ended = True
    while tank.asked:
        tank.answer_first()
        await turns()
    assert session.heard == []
    other = Hearing("other")
    for number in range(50):
        ask(states, other, f"/v2/feeds/7.json?duration={number}hours")
    await turns()
    states.stop()
    count = len(tank.asked)
    while tank.asked:
        tank.answer_first()
        await turns()
    assert count == UNDER_WAY_MAX
