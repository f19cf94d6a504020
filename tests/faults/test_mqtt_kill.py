"""A broker that is killed again and again: QoS 1 at least once, QoS 2 exactly once, all the way.

Four clients with persistent sessions publish to each other, and lose their connections now and
then; each kill is at a random instant.
"""

import asyncio
import contextlib
import os
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.faults.kills import ROOT, START_S_MAX, printed_seed, rounds
from tests.faults.mqtt_ledger import LedgerClient, Looker
from tests.live_server import start_server
from tests.waiting import WAIT_S_MAX

KILLS = rounds(34)


@pytest.fixture
def brokers(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that makes brokers."""
    command = [sys.executable, "-m", "tests.faults.mqtt_child", str(tmp_path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, text=True
    ) as process:
        yield process
        process.kill()


@contextlib.asynccontextmanager
async def broker(brokers: subprocess.Popen[str]) -> AsyncIterator[int]:
    """One of them, at a port, killed in the end."""
    assert brokers.stdin is not None
    assert brokers.stdout is not None
    brokers.stdin.write("\n")
    brokers.stdin.flush()
    line = await asyncio.wait_for(asyncio.to_thread(brokers.stdout.readline), START_S_MAX)
    pid, port = map(int, line.split())
    try:
        yield port
    finally:
        os.kill(pid, signal.SIGKILL)


def make_clients() -> list[LedgerClient]:
    return [
        LedgerClient("one", 5, 1), LedgerClient("two", 5, 2),
        LedgerClient("three", 4, 2), LedgerClient("four", 3, 1),
    ]  # fmt: skip


async def look(port: int, clients: list[LedgerClient]) -> None:
    """What was said to be retained is, or what came after it."""
    looker = Looker()
    await asyncio.get_running_loop().create_connection(lambda: looker, "127.0.0.1", port)
    found = await asyncio.wait_for(looker.found, WAIT_S_MAX)
    for client in clients:
        assert found.get(client.name, 0) >= client.retained_number


async def lose_some(chance: random.Random, port: int, clients: list[LedgerClient]) -> None:
    """Have clients come, and be gone and back, until they are canceled."""
    for client in clients:
        await client.connect(port)
    while True:
        await asyncio.sleep(chance.uniform(0.01, 0.05))
        client = chance.choice(clients)
        client.drop()
        await asyncio.sleep(0.002)
        if client.transport is None:
            await client.connect(port)


async def until_all_are_gone(clients: list[LedgerClient]) -> None:
    await asyncio.wait_for(
        asyncio.gather(*(client.is_gone.wait() for client in clients)), WAIT_S_MAX
    )


async def finish(port: int, clients: list[LedgerClient]) -> None:
    """Let all that is on its way arrive."""
    for client in clients:
        client.is_finishing = True
        await client.connect(port)
    seen = None
    async with asyncio.timeout(WAIT_S_MAX):
        while not all(client.is_quiet() for client in clients) or seen != heard(clients):
            seen = heard(clients)
            await asyncio.sleep(0.1)


def heard(clients: list[LedgerClient]) -> int:
    return sum(len(got) for client in clients for got in client.got.values())


def check(clients: list[LedgerClient]) -> None:
    for client in clients:
        assert client.problems == []
        for publisher in clients:
            client.check_heard(publisher)
    count = sum(len(client.acknowledged) for client in clients)
    print(f"{count} messages were acknowledged, {heard(clients)} heard")
    assert count > 100


async def test_killed_broker_keeps_its_word_about_each_message(
    brokers: subprocess.Popen[str],
) -> None:
    chance = random.Random(printed_seed())
    clients = make_clients()
    for _ in range(KILLS):
        async with broker(brokers) as port:
            await look(port, clients)
            coming = asyncio.create_task(lose_some(chance, port, clients))
            await asyncio.sleep(chance.uniform(0.05, 0.35))
        coming.cancel()
        await asyncio.wait([coming])
        await until_all_are_gone(clients)
    async with broker(brokers) as port:
        await look(port, clients)
        await finish(port, clients)
    check(clients)


async def test_killed_server_keeps_its_word_about_each_message(tmp_path: Path) -> None:
    chance = random.Random(printed_seed())
    clients = make_clients()
    for round_number in range(3):
        server = await asyncio.to_thread(start_server, tmp_path / "data")
        port = int(server.sockets["mqtt"].rpartition(":")[2])
        await look(port, clients)
        if round_number < 2:
            coming = asyncio.create_task(lose_some(chance, port, clients))
            await asyncio.sleep(chance.uniform(0.2, 0.6))
            server.kill()
            coming.cancel()
            await asyncio.wait([coming])
            await until_all_are_gone(clients)
        else:
            await finish(port, clients)
            for client in clients:
                client.drop()
            await asyncio.to_thread(server.stop)
    check(clients)
