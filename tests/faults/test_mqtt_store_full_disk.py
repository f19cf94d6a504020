"""A disk that is full or fails: who waits is told, and nothing that was said is forgotten."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from structlog.testing import capture_logs
from tests.faults.disks import fill, small_disk, turn_read_only
from tests.unit.stores.mqtt_samples import comparable, session
from tests.waiting import WAIT_S_MAX, until

from thingtank.protocols.mqtt.keeping import KeptDelivery, SessionKeeper
from thingtank.protocols.mqtt.messages import Message
from thingtank.stores.memory_mqtt_sessions import MemoryMqttSessions
from thingtank.stores.mqtt_session_file import MqttSessionFile
from thingtank.stores.mqtt_sessions import MqttSessions
from thingtank.tank.errors import StorageFailed

MESSAGES_MAX = 3000
RETRY_S = 0.02


class World:
    """Sessions on a disk, and what they should be."""

    def __init__(self, sessions: MqttSessions) -> None:
        self.sessions = sessions
        self.model = MemoryMqttSessions()
        self.number = 0
        self.say(lambda each: each.keep_session(session("a")))

    def say(self, what: Callable[[SessionKeeper], None]) -> None:
        """To both."""
        what(self.sessions)
        what(self.model)

    async def keep(self) -> bool:
        """One more message; whether it is on disk."""
        self.number += 1
        payload = b"%d" % self.number + b"x" * 20_000
        kept = KeptDelivery(self.number, Message("a", payload, 1), 1)
        self.say(lambda each: each.keep_delivery("a", kept))
        return await self.is_kept()

    async def is_kept(self) -> bool:
        told: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
        self.sessions.when_kept(told.set_result)
        error = await asyncio.wait_for(told, WAIT_S_MAX)
        assert error is None or isinstance(error, StorageFailed)
        return error is None

    async def keep_until_refused(self) -> None:
        while await self.keep():
            assert self.number < MESSAGES_MAX, "the disk took everything"

    async def recovered(self) -> None:
        await until(lambda: self.sessions.failure is None, lambda: self.sessions.failure)


async def opened(folder: Path) -> MqttSessions:
    file = await asyncio.to_thread(MqttSessionFile.open, folder)
    return MqttSessions(file, retry_s=RETRY_S)


async def test_full_disk_is_told_forgets_nothing_and_recovers(tmp_path: Path) -> None:
    with small_disk(tmp_path) as disk:
        world = World(await opened(disk / "tank"))
        assert [await world.keep() for _ in range(5)] == [True] * 5
        ballast = fill(disk)
        with capture_logs() as logs:
            await world.keep_until_refused()
            refused = world.number
            assert not await world.keep()
            world.say(lambda each: each.drop_delivery("a", 1))
            world.say(lambda each: each.drop_delivery("a", refused))
            assert not await world.is_kept()
            on_disk = (await world.sessions.found()).sessions[0].deliveries
            assert [each.number for each in on_disk] == list(range(1, refused)), "reads go on"
            ballast.unlink()
            await world.recovered()
            assert await world.keep()
        assert [log["event"] for log in logs] == [
            "mqtt_session_writes_fail",
            "mqtt_session_writes_recovered",
        ]
        await world.sessions.close()
        sessions = await opened(disk / "tank")
        assert comparable(await sessions.found()) == comparable(await world.model.found())
        await sessions.close()


async def test_disk_that_fails_stops_nobody(tmp_path: Path) -> None:
    with small_disk(tmp_path) as disk:
        world = World(await opened(disk / "tank"))
        assert await world.keep()
        turn_read_only(disk)
        for _ in range(3):
            assert not await world.keep()
            await asyncio.sleep(2 * RETRY_S)
        with capture_logs() as logs:
            await asyncio.wait_for(world.sessions.close(), WAIT_S_MAX)
        assert [log["event"] for log in logs] == ["mqtt_sessions_lost"]
