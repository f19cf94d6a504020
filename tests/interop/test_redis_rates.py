"""Rates counted on a real Redis server: together, within a bounded wait, and without it."""

import asyncio
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import structlog
from tests.needed import needed_program
from tests.waiting import until, wait_until

from thingtank.doors.skynet import redis_rates
from thingtank.doors.skynet.errors import RateLimited
from thingtank.doors.skynet.rates import Rates
from thingtank.doors.skynet.redis_rates import WAIT_S_MAX, RedisCounter
from thingtank.doors.skynet.settings import SkynetSettings
from thingtank.server.cannot_start import CannotStart
from thingtank.server.skynet_door import _shared_counter
from thingtank.tank.access import Caller
from thingtank.tank.messaging.permissions import Party


class Server:
    """A Redis server on a Unix socket, with nothing on disk."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "redis.sock"
        self.url = f"unix://{self.path}"
        self._folder = folder
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [needed_program("redis-server"), "--port", "0", "--unixsocket", str(self.path)]
        command += ["--save", "", "--appendonly", "no", "--dir", str(self._folder)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        wait_until(self._is_there, "redis-server does not start")

    def _is_there(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, "redis-server has ended"
        return self.path.exists()

    def signal(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None
        self.path.unlink(missing_ok=True)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(tmp_path)
    made.start()
    yield made
    made.stop()


async def let_through(counter: RedisCounter, count: int, rate: float = 10.0) -> int:
    """How many of so many requests are let through."""
    return [await counter.take("messages:device 7", rate) for _ in range(count)].count(0.0)


async def test_two_servers_share_one_limit(server: Server) -> None:
    one, other = RedisCounter(server.url), RedisCounter(server.url)
    taken = await asyncio.gather(let_through(one, 10, 1.0), let_through(other, 10, 1.0))
    assert sum(taken) == 1
    assert await other.take("messages:device 8", 1.0) == 0.0  # another user's bucket
    missing_s = await one.take("messages:device 7", 1.0)
    assert 0 < missing_s <= 1
    await asyncio.sleep(missing_s + 0.01)
    assert await other.take("messages:device 7", 1.0) == 0.0
    assert await one.take("messages:device 7", 1.0) > 0
    await one.close()
    await other.close()


async def test_who_asks_too_often_is_told_when_to_come_back(server: Server) -> None:
    counter = RedisCounter(server.url)
    rates = Rates(SkynetSettings(rate_messages_s=2.0), counter)
    stranger = Party(Caller(address="192.0.2.7"))
    await rates.count("messages", stranger)
    await rates.count("messages", stranger)
    with pytest.raises(RateLimited) as caught:
        await rates.count("messages", stranger)
    assert 0 < caught.value.retry_after_s <= 0.5
    await counter.close()


async def test_a_bucket_that_is_full_again_is_forgotten(server: Server) -> None:
    counter = RedisCounter(server.url)
    assert await let_through(counter, 1, 1.0) == 1
    assert await counter._client.dbsize() == 1  # for a second

    async def is_forgotten() -> bool:
        return await counter._client.dbsize() == 0

    await until(is_forgotten, "the bucket stays", s_max=10)
    await counter.close()


async def test_a_server_that_hangs_is_waited_for_briefly_and_counted_here_meanwhile(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_rates, "PAUSE_S", 0.3)
    counter = RedisCounter(server.url)
    assert await let_through(counter, 1) == 1
    with structlog.testing.capture_logs() as logs:
        server.signal(signal.SIGSTOP)
        start_s = time.monotonic()
        assert await let_through(counter, 20) == 10
        assert time.monotonic() - start_s < WAIT_S_MAX * 2
        server.signal(signal.SIGCONT)
        await asyncio.sleep(0.35)
        assert await counter.take("messages:device 8", 10.0) == 0.0
    events = [entry["event"] for entry in logs]
    assert events == ["skynet_rates_redis_away", "skynet_rates_redis_back"]
    await counter.close()


async def test_a_server_that_is_away_is_told_once_and_used_again_when_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_rates, "PAUSE_S", 0.05)
    server = Server(tmp_path)
    counter = RedisCounter(server.url)
    with structlog.testing.capture_logs() as logs:
        assert await let_through(counter, 20, 1.0) == 1
        await asyncio.sleep(0.06)
        assert await let_through(counter, 20, 1.0) == 0  # asks, and is counted here as before
        server.start()
        await asyncio.sleep(0.06)
        assert await let_through(counter, 20, 1.0) == 1  # by the server, which knows of nothing
    assert [entry["event"] for entry in logs] == [
        "skynet_rates_redis_away",
        "skynet_rates_redis_back",
    ]
    assert str(tmp_path) not in str(logs)
    server.stop()
    await counter.close()


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="redis:"):
        RedisCounter("redis.example:6379")


async def test_the_settings_name_the_server_or_the_start_is_refused(server: Server) -> None:
    async with AsyncExitStack() as stack:
        assert _shared_counter("", stack) is None
        counter = _shared_counter(server.url, stack)
        assert counter is not None
        assert await counter.take("messages:device 7", 1.0) == 0.0
        with pytest.raises(CannotStart, match=r"skynet\.redis_url"):
            _shared_counter("nonsense", stack)
