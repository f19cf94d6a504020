"""Killed at random instants, triggers have fired exactly for what the archive holds.

`FAULT_SEED=N` runs a printed seed again, `KILL_ROUNDS=N` runs more rounds.
"""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from tests.faults.trigger_child import (
    KINDS,
    TRIGGERS,
    WRITERS,
    SqliteOutbox,
    open_tank,
    value_of,
)

from thingtank.server.triggers.engine import TriggerEngine
from thingtank.stores.embedded_archive import EmbeddedArchive
from thingtank.tank.tank import Tank
from thingtank.tank.trigger_rules import decode_state, started, step

ROUNDS = int(os.environ.get("KILL_ROUNDS", "12"))
ROOT = Path(__file__).parents[2]
START_S_MAX = 30
SETTLED_S_MAX = 30


@pytest.mark.timeout(60 + 10 * ROUNDS)
async def test_what_was_acknowledged_has_fired_exactly_once_after_kills(tmp_path: Path) -> None:
    seed = int(os.environ.get("FAULT_SEED") or random.SystemRandom().randrange(10**6))
    print(f"FAULT_SEED={seed}")
    chance = random.Random(seed)
    first = 1
    acknowledged: dict[int, set[int]] = {writer: set() for writer in WRITERS}
    late_count = 0
    for kill in range(ROUNDS):
        for line in run_and_kill(tmp_path, first, seed + kill, chance.uniform(0.02, 0.5)):
            assert line.startswith("acknowledged "), line
            writer, number = map(int, line.split()[1:])
            acknowledged[writer].add(number)
        first = 2 + max(max(numbers, default=first) for numbers in acknowledged.values())
        late_count += await check(tmp_path, acknowledged)
    print(f"{sum(map(len, acknowledged.values()))} values; {late_count} firings only after a kill")
    assert late_count, "no kill fell between an acknowledgement and its firing"


def run_and_kill(folder: Path, first: int, seed: int, after_s: float) -> list[str]:
    """Let the child write; kill it so long after its first acknowledgement. What it printed."""
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.trigger_child", str(folder), str(first), str(seed)],
        stdout=subprocess.PIPE,
        cwd=ROOT,
        text=True,
    )
    assert child.stdout is not None
    too_slow = threading.Timer(START_S_MAX, child.kill)
    too_slow.start()
    with child:
        printed = [child.stdout.readline()]
        too_slow.cancel()
        timer = threading.Timer(after_s, child.kill)
        timer.start()
        printed += child.stdout
    timer.join()
    assert child.returncode == -signal.SIGKILL, printed[-1:]
    return [line for line in printed if line.endswith("\n")]


async def check(folder: Path, acknowledged: dict[int, set[int]]) -> int:
    """Start once more; all that the archive holds has fired then. How much of it only now."""
    tank, archive = await open_tank(folder)
    outbox = SqliteOutbox(folder)
    before_count = len(outbox.deliveries())
    engine = TriggerEngine(tank, archive, outbox, "http://tank.example", TRIGGERS)
    await engine.start()
    try:
        async with asyncio.timeout(SETTLED_S_MAX):
            while await outbox.place("triggers") < archive._head.last_seq:  # noqa: ASYNC110 - no event
                await asyncio.sleep(0.01)
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
