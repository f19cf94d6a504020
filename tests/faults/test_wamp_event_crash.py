"""Killed at random instants, the router has every event whose publisher was answered, once."""

import random
from pathlib import Path
from typing import Any

from tests.conformance.wamp.kept import KeptWorld
from tests.faults.kills import printed_seed, rounds, run_and_kill
from tests.faults.wamp_event_child import PUBLISHERS, open_world

KILLS = rounds(4)


async def test_acknowledged_events_survive_kills_at_random_instants(tmp_path: Path) -> None:
    chance = random.Random(printed_seed())
    acknowledged: dict[int, list[int]] = {publisher: [] for publisher in PUBLISHERS}
    allowed: dict[int, set[int]] = {publisher: set() for publisher in PUBLISHERS}
    first = 1
    for _ in range(KILLS):
        words = (tmp_path / "tank", first)
        printed = run_and_kill("wamp_event_child", *words, after_s=chance.uniform(0.02, 0.4))
        last = dict.fromkeys(PUBLISHERS, first - 1)
        for line in printed:
            assert line.startswith("acknowledged "), "something was logged"
            publisher, number = map(int, line.split()[1:])
            acknowledged[publisher].append(number)
            last[publisher] = number
        for publisher in PUBLISHERS:  # what was under way may be there as well
            allowed[publisher].add(last[publisher] + 1)
        first = max(last.values()) + 2
        async with await open_world(tmp_path / "tank") as world:
            for publisher in PUBLISHERS:
                await check(world, publisher, acknowledged[publisher], allowed[publisher])
    count = sum(map(len, acknowledged.values()))
    print(f"{count} events were acknowledged in {KILLS} rounds")
    assert count > KILLS * len(PUBLISHERS)


async def check(
    world: KeptWorld, publisher: int, acknowledged: list[int], allowed: set[int]
) -> None:
    found = await all_values(world, "numbers.", f"numbers.{publisher}")
    assert found == sorted(set(found)), "out of order, or twice"
    assert set(acknowledged) - set(found) == set(), "acknowledged and lost"
    assert set(found) - set(acknowledged) - allowed == set(), "never published"
    if publisher == 1:
        assert await all_values(world, "numbers.1") == found
    if publisher == 2:
        assert (await all_values(world, "numbers.2"))[-5:] == found[-5:]
    client = world.join("msgpack")
    client.ask(32, f"numbers.{publisher}", get_retained=True)
    _, *retained = client.take()
    assert [event[4] for event in retained] == [[each] for each in found[-1:]]


async def all_values(world: KeptWorld, uri: str, topic: str | None = None) -> list[int]:
    """Numbers of events, page by page."""
    client = world.join("msgpack")
    values: list[int] = []
    after: dict[str, Any] = {}
    while found := await world.ask(client, uri, topic=topic, **after):
        values += [event["args"][0] for event in found]
        after = {"after_publication": found[-1]["publication"]}
    return values
