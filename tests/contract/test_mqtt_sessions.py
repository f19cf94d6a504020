"""MQTT's sessions are kept alike in memory and on disk."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.unit.stores.mqtt_samples import (
    MESSAGE,
    PLAIN,
    WILL,
    comparable,
    delivery,
    say_something_of_everything,
    session,
)
from tests.waiting import WAIT_S_MAX

from thingtank.protocols.mqtt.keeping import DeliveryState, KeptDelivery, SessionKeeper
from thingtank.protocols.mqtt.messages import Message, RetainHandling, Subscription, Will
from thingtank.stores.memory_mqtt_sessions import MemoryMqttSessions, NullMqttSessions
from thingtank.stores.mqtt_sessions import MqttSessions

Keeper = MqttSessions | MemoryMqttSessions


async def kept(keeper: SessionKeeper) -> Exception | None:
    """Wait for what was said so far: why it is not kept."""
    told: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
    keeper.when_kept(told.set_result)
    return await asyncio.wait_for(told, WAIT_S_MAX)


@pytest.fixture(params=["memory", "disk"])
async def keeper(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Keeper]:
    keeper = (
        MemoryMqttSessions() if request.param == "memory" else await MqttSessions.open(tmp_path)
    )
    yield keeper
    await keeper.close()


async def test_new_one_has_nothing(keeper: Keeper) -> None:
    assert comparable(await keeper.found()) == ({}, {})


async def test_all_that_was_said_is_found(keeper: Keeper) -> None:
    say_something_of_everything(keeper)
    assert await kept(keeper) is None
    sent = DeliveryState.SENT
    assert comparable(await keeper.found()) == (
        {
            "a": (
                session("a", WILL),
                {
                    "a/#": Subscription("a/#", 1),
                    "$share/g/é": Subscription(
                        "$share/g/é", 2, True, True, RetainHandling.DO_NOT_SEND, 268_435_455
                    ),
                },
                [
                    KeptDelivery(1, MESSAGE, 2, True, (1, 300), 65_535, DeliveryState.RELEASED),
                    KeptDelivery(2, PLAIN, 1, packet_id=7, state=sent),
                    delivery(4),
                ],
                [1, 5],
            ),
            "b": (
                session("b", Will(PLAIN)),
                {},
                [KeptDelivery(1, MESSAGE, 2, True, (1, 300))],
                [],
            ),
            "c": (session("c", is_connected=False), {}, [], []),
        },
        {"t": Message("t", b"new"), "a/é": MESSAGE},
    )


async def test_what_is_said_later_counts(keeper: Keeper) -> None:
    say_something_of_everything(keeper)
    await kept(keeper)
    keeper.keep_session(session("a"))
    keeper.drop_subscription("a", "a/#")
    keeper.keep_subscription("a", Subscription("$share/g/é"))
    keeper.drop_delivery("a", 1)
    keeper.set_delivery("a", 4, 3, DeliveryState.SENT)
    keeper.keep_delivery("a", delivery(5))
    keeper.drop_received("a", 1)
    keeper.keep_received("a", 5)
    keeper.drop_session("b")
    keeper.drop_retained("t")
    keeper.retain(Message("a/é", b"new"))
    await kept(keeper)
    assert comparable(await keeper.found()) == (
        {
            "a": (
                session("a"),
                {"$share/g/é": Subscription("$share/g/é")},
                [
                    KeptDelivery(2, PLAIN, 1, packet_id=7, state=DeliveryState.SENT),
                    KeptDelivery(4, PLAIN, 1, packet_id=3, state=DeliveryState.SENT),
                    delivery(5),
                ],
                [5],
            ),
            "c": (session("c", is_connected=False), {}, [], []),
        },
        {"a/é": Message("a/é", b"new")},
    )


async def test_session_begun_anew_has_nothing_of_the_old(keeper: Keeper) -> None:
    say_something_of_everything(keeper)
    await kept(keeper)
    keeper.keep_delivery("a", delivery(5))
    keeper.drop_session("a")
    keeper.keep_session(session("a"))
    keeper.keep_delivery("a", delivery(1))
    await kept(keeper)
    sessions, _ = comparable(await keeper.found())  # type: ignore[misc] # a pair
    assert sessions["a"] == (session("a"), {}, [delivery(1)], [])


async def test_nothing_belongs_to_no_session(keeper: Keeper) -> None:
    keeper.drop_session("a")
    keeper.keep_subscription("a", Subscription("a"))
    keeper.keep_delivery("a", delivery(1))
    keeper.set_delivery("a", 2, 1, DeliveryState.SENT)
    keeper.drop_delivery("a", 3)
    keeper.keep_received("a", 1)
    keeper.drop_received("a", 2)
    keeper.drop_retained("t")
    assert await kept(keeper) is None
    assert comparable(await keeper.found()) == ({}, {})


async def test_calls_come_in_order_and_never_at_once(keeper: Keeper) -> None:
    called: list[int] = []
    keeper.when_kept(lambda error: called.append(0))
    keeper.keep_session(session("a"))
    keeper.when_kept(lambda error: called.append(1))
    keeper.when_kept(lambda error: called.append(2))
    assert called == []
    await kept(keeper)
    assert called == [0, 1, 2]


async def test_nothing_is_behind(keeper: Keeper) -> None:
    assert not keeper.is_behind
    caught_up = asyncio.Event()
    keeper.when_caught_up(caught_up.set)
    assert not caught_up.is_set()
    await asyncio.wait_for(caught_up.wait(), WAIT_S_MAX)


async def test_null_keeps_nothing_and_says_so_to_nobody() -> None:
    keeper = NullMqttSessions()
    say_something_of_everything(keeper)
    assert await kept(keeper) is None
    assert comparable(await keeper.found()) == ({}, {})
    keeper.failure = OSError("full")
    assert await kept(keeper) is keeper.failure
