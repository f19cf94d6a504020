"""Killed at random instants, triggers have fired exactly for what the archive holds."""

import json
import random
from pathlib import Path

import pytest
from tests.faults.kills import printed_seed, rounds, run_and_kill
from tests.faults.trigger_child import (
    KINDS,
    TRIGGERS,
    WRITERS,
    SqliteOutbox,
    open_tank,
    value_of,
)
from tests.waiting import until

from thingtank.server.triggers.engine import TriggerEngine
from thingtank.stores.embedded_archive import EmbeddedArchive
from thingtank.tank.tank import Tank
from thingtank.tank.trigger_rules import decode_state, started, step

ROUNDS = rounds(12)
SETTLED_S_MAX = 30  # less than the engine's _TIMER_S_MAX


@pytest.mark.timeout(60 + 10 * ROUNDS)
async def test_what_was_acknowledged_has_fired_exactly_once_after_kills(tmp_path: Path) -> None:
    seed = printed_seed()
    chance = random.Random(seed)
    first = 1
    acknowledged: dict[int, set[int]] = {writer: set() for writer in WRITERS}
    late_count = 0
    for kill in range(ROUNDS):
        words = (tmp_path, first, seed + kill)
        for line in run_and_kill("trigger_child", *words, after_s=chance.uniform(0.02, 0.5)):
            assert line.startswith("acknowledged "), line
            writer, number = map(int, line.split()[1:])
            acknowledged[writer].add(number)
        first = 2 + max(max(numbers, default=first) for numbers in acknowledged.values())
        late_count += await check(tmp_path, acknowledged)
    print(f"{sum(map(len, acknowledged.values()))} values; {late_count} firings only after a kill")
    assert late_count, "no kill fell between an acknowledgement and its firing"


async def check(folder: Path, acknowledged: dict[int, set[int]]) -> int:
    """Start once more; all that the archive holds has fired then. How much of it only now."""
    tank, archive = await open_tank(folder)
    outbox = SqliteOutbox(folder)
    before_count = len(outbox.deliveries())
    engine = TriggerEngine(tank, archive, outbox, "http://tank.example", TRIGGERS)
    await engine.start()
    try:

        async def is_settled() -> bool:
            return await outbox.place("triggers") >= archive._head.last_seq

        await until(is_settled, s_max=SETTLED_S_MAX)
        assert engine.status().missed_batch_count == 0
        await check_firings(tank, archive, outbox, acknowledged)
    finally:
        await engine.stop()
        await archive.close()
    deliveries = outbox.deliveries()
    outbox.close()
    return len(deliveries) - before_count


async def check_firings(
    tank: Tank,
    archive: EmbeddedArchive,
    outbox: SqliteOutbox,
    acknowledged: dict[int, set[int]],
) -> None:
    fired: dict[int, list[tuple[int, str]]] = {}
    for delivery in outbox.deliveries():
        said = json.loads(delivery.body)["triggering_datastream"]
        at_us = int(said["at"][-7:-1]) + 1_000_000 * int(said["at"][17:19])
        fired.setdefault(delivery.trigger_id, []).append((at_us, said["value"]["value"]))
    states = await outbox.states()
    for writer in WRITERS:
        stored = (await archive.read([writer], 0, 10**12, 10**6)).get(writer, [])
        assert acknowledged[writer] <= {datapoint.at_us for datapoint in stored}
        assert all(point.value == value_of(writer, point.at_us) for point in stored)
        for trigger in tank.triggers.of_device(1001):
            if trigger.name != f"writer{writer}":
                continue
            expected = []
            state = started(trigger)
            for point in stored:
                state, firings = step(trigger, state, point.at_us, point)
                expected += [(firing.value_at_us, firing.value) for firing in firings]
            assert fired.get(trigger.trigger_id, []) == expected, trigger
            saved = decode_state(states.get(trigger.trigger_id, b""))
            if stored:
                assert saved is not None
                assert (saved.at_us, saved.value) == (state.at_us, state.value)
                assert (saved.is_active, saved.told) == (state.is_active, state.told)
    assert len(KINDS) * len(WRITERS) == len(tank.triggers.all())
