"""Killed at random instants, MQTT's sessions are as they were said to be on disk, or a step on."""

import random
from pathlib import Path

from tests.faults.kills import printed_seed, rounds, run_and_kill
from tests.faults.mqtt_store_child import CHURNING, GROUP, UNDER_WAY, WRITERS, packet_id_of
from tests.unit.stores.mqtt_samples import WILL, session

from thingtank.protocols.mqtt.keeping import DeliveryState, Found, FoundSession, KeptDelivery
from thingtank.protocols.mqtt.messages import Message, Subscription
from thingtank.stores.mqtt_sessions import MqttSessions

KILLS = rounds(4)


async def test_what_was_kept_survives_kills_at_random_instants(tmp_path: Path) -> None:
    chance = random.Random(printed_seed())
    before: dict[str, list[int]] = {client_id: [] for client_id in WRITERS}
    group_last, count, first = 0, 0, 1
    for _ in range(KILLS):
        words = (tmp_path / "tank", first)
        printed = run_and_kill("mqtt_store_child", *words, after_s=chance.uniform(0.02, 0.4))
        last = dict.fromkeys(WRITERS, first - 1)
        for line in printed:
            word, client_id, number, group_number = line.split()
            assert word == "kept", "something was logged"
            assert int(number) == last[client_id] + 1, "said twice, or out of order"
            last[client_id] = int(number)
            group_last = max(group_last, int(group_number))
        count += len(printed)
        found = await found_in(tmp_path / "tank")
        sessions = {each.session.client_id: each for each in found.sessions}
        assert sorted(sessions) == sorted([*WRITERS, *GROUP, CHURNING])
        for client_id in WRITERS:
            numbers = check_writer(sessions[client_id], before[client_id], first, last[client_id])
            before[client_id] = numbers
            assert found.retained[client_id] == Message(client_id, b"%d" % numbers[-1])
        check_churning(sessions[CHURNING], before[WRITERS[0]][-1])
        group_last = check_group([sessions[client_id] for client_id in GROUP], group_last)
        first = max(last.values()) + 2
    print(f"{count} steps were kept in {KILLS} rounds")
    assert count > KILLS * len(WRITERS)


async def found_in(folder: Path) -> Found:
    sessions = await MqttSessions.open(folder)
    try:
        return await sessions.found()
    finally:
        await sessions.close()


def check_writer(found: FoundSession, before: list[int], first: int, last: int) -> list[int]:
    """All of one step, and of all before it: the last that was kept, or the one under way."""
    assert found.session == session(found.session.client_id, WILL)
    numbers = [each.number for each in found.deliveries]
    kept = before_step(before, first, last)
    assert numbers in (kept, step(kept, last + 1)), "lost, or never said"
    assert [each.message for each in found.deliveries] == [
        Message(found.session.client_id, b"%d" % each) for each in numbers
    ]
    states = [(each.packet_id, each.state, each.qos) for each in found.deliveries]
    assert states == [(packet_id_of(each), DeliveryState.SENT, 2) for each in numbers]
    assert list(found.received) == [packet_id_of(each) for each in numbers[-1:]]
    return numbers


def before_step(numbers: list[int], first: int, last: int) -> list[int]:
    for number in range(first, last + 1):
        numbers = step(numbers, number)
    return numbers


def step(numbers: list[int], number: int) -> list[int]:
    return [*numbers[-UNDER_WAY:], number]


def check_churning(found: FoundSession, number: int) -> None:
    assert list(found.subscriptions) == [Subscription(f"{CHURNING}/{number}")]
    message = Message(WRITERS[0], b"%d" % number)
    assert list(found.deliveries) == [KeptDelivery(number, message, 1)]


def check_group(found: list[FoundSession], last: int) -> int:
    """All have the same, without a gap, up to the last that was kept at least."""
    numbers = [each.number for each in found[0].deliveries]
    assert numbers == list(range(numbers[0], numbers[0] + UNDER_WAY))
    assert numbers[-1] >= last
    for each in found:
        assert list(each.deliveries) == [
            KeptDelivery(number, Message("group", b"%d" % number), 1) for number in numbers
        ]
    return numbers[-1]
