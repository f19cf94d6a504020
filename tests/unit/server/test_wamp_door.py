"""What the WAMP door is put together of."""

from contextlib import AsyncExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests.conformance.wamp.identities import (
    ELSEWHERE,
    PASSWORD,
    MemoryPasswords,
    authenticate,
    hello,
    reason_of,
)
from tests.conformance.wamp.realms import Client

from thingtank.net.identity.attempts import FAILURES_MAX
from thingtank.server.config import Config
from thingtank.server.wamp_door import make_wamp_door
from thingtank.stores.memory_archive import MemoryArchive
from thingtank.stores.memory_directory import MemoryDirectory
from thingtank.tank.tank import Tank

DAY_US = 86_400 * 1_000_000


class WallClock:
    now = 1_700_000_000_000_000  # 2023-11-14T22:13:20Z

    def now_us(self) -> int:
        return self.now


async def test_setting_the_clock_lets_nobody_guess_on(tmp_path: Path) -> None:
    directory, clock, passwords = MemoryDirectory(), WallClock(), MemoryPasswords()
    directory.add_account("alice")
    passwords.passwords["alice"] = PASSWORD
    tank = Tank(directory, MemoryArchive(), clock=clock)
    opened = SimpleNamespace(tank=tank, passwords=passwords, secret=b"s" * 32, files=[])
    async with AsyncExitStack() as stack:
        door: Any = await make_wamp_door(Config(), tmp_path, opened, "http://tank.example", stack)
        stack.push_async_callback(door.stop)

        async def attempt(password: str) -> str:
            client = Client(SimpleNamespace(reception=door.reception), "json", 2**24)  # type: ignore[arg-type] # a double in its place
            client.facts = ELSEWHERE
            answer = await hello(client, "ticket", authid="alice")
            if answer[0] == 4:
                answer = await authenticate(client, password)
            found = reason_of(answer)
            client.session.lose()
            return found

        for _ in range(FAILURES_MAX):
            assert await attempt("wrong") == "authentication_denied"
        assert await attempt(PASSWORD) == "authentication_denied"
        clock.now += DAY_US
        assert await attempt(PASSWORD) == "authentication_denied"
