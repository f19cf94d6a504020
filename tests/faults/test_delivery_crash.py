"""Killed between record and delivery, at random instants: everything recorded is delivered."""

import asyncio
import random
import signal
import sys
from pathlib import Path
from urllib.parse import unquote_to_bytes

import pytest
from tests.deliveries import Receiver, answering, eventually, outbox_in, receiver
from tests.faults.delivery_child import READER, TRIGGERS
from tests.faults.kills import ROOT, START_S_MAX, printed_seed, rounds
from tests.faults.test_webhook_receivers import delivering

from thingtank.sinks.settings import DeliverySettings
from thingtank.stores.sqlite_outbox import SqliteOutbox
from thingtank.tank.deliveries import DeliveryState

KILLS = rounds(12)


@pytest.mark.timeout(120 + 10 * KILLS)
async def test_what_was_recorded_is_delivered_after_kills_at_random_instants(
    tmp_path: Path,
) -> None:
    seed = printed_seed()
    chance = random.Random(seed)

    async def moody(request: bytes, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(chance.random() * 0.02)
        await answering(500 if chance.random() < 0.3 else 200)(request, writer)

    recorded: set[int] = set()
    first = 1
    async with receiver(moody) as there:
        for _ in range(KILLS):
            lines = await run_and_kill(tmp_path, there.url, first, chance.uniform(0.01, 0.4))
            _, place, state = lines[0].split()
            assert place == state, "the place and the states are of one transaction"
            assert int(place) >= max(recorded, default=0), "a place that was recorded is kept"
            numbers = [int(line.split()[1]) for line in lines[1:]]
            recorded |= set(numbers)
            first = max([first, int(place), *numbers]) + 2
        assert len(recorded) > KILLS
        async with outbox_in(tmp_path) as outbox:
            left_count = (await outbox.counts()).get(DeliveryState.WAITING, 0)
            assert await outbox.place(READER) >= max(recorded)
        print(f"{len(recorded)} recorded, {left_count} deliveries waited after the last kill")
        await deliver_the_rest(tmp_path)
        check(there, recorded)


async def run_and_kill(folder: Path, url: str, first: int, after_s: float) -> list[str]:
    """Let the child work; kill it so long after its first line. The whole lines it printed."""
    child = await start(folder, url, first)
    assert child.stdout is not None
    async with asyncio.timeout(START_S_MAX):
        printed = await child.stdout.readline()
    await asyncio.sleep(after_s)
    child.kill()
    printed += await child.stdout.read()
    assert await child.wait() == -signal.SIGKILL
    return [line.decode() for line in printed.splitlines(keepends=True) if line.endswith(b"\n")]


async def start(folder: Path, url: str, first: int) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.faults.delivery_child", str(folder), url, str(first)),
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )


async def deliver_the_rest(folder: Path) -> None:
    """Deliver what is left, in this process."""
    async with delivering(folder, DeliverySettings(retry_s=(0.02,) * 500)) as (outbox, _):
        await eventually(lambda: is_empty(outbox), s_max=60.0)


async def is_empty(outbox: SqliteOutbox) -> bool:
    counts = await outbox.counts()
    assert set(counts) <= {DeliveryState.WAITING, DeliveryState.DELIVERED}
    return DeliveryState.WAITING not in counts


def check(there: Receiver, recorded: set[int]) -> None:
    """Each recorded firing came, in its trigger's order, with one id however often."""
    ids: dict[bytes, set[str]] = {}
    came: dict[int, list[int]] = {trigger_id: [] for trigger_id in TRIGGERS}
    for request in there.requests:
        head, _, body = request.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
        document = unquote_to_bytes(body.removeprefix(b"body="))
        ids.setdefault(document, set()).add(headers["webhook-id"])
        trigger_id, number = map(int, document.split(b"-"))
        came[trigger_id].append(number)
    assert all(len(found) == 1 for found in ids.values()), "a repetition can be told"
    for numbers in came.values():
        assert recorded - set(numbers) == set(), "recorded and lost"
        assert numbers == sorted(numbers), "out of order"
