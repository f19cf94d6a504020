"""What every client program in Python shares: commands as JSON lines in, answers as JSON lines out.

A command is `{"id": 1, "do": "publish", "session": "a", …}`; its answer has the same id and either
`result` or `error` (`uri`, `args`, `kwargs`). Octets are `{"$bytes": "00ff"}`. Commands run side by
side, so that a call may wait while another command goes on.
"""

import asyncio
import json
import sys
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

EVENTS_S_MAX = 5.0
FAILURE_URI = "com.example.error.failed"

Join = Callable[[str, str, str | None, dict[str, str]], Awaitable["Session"]]


class Refused(Exception):
    """The router or the other client answered by an error."""

    def __init__(self, uri: str | None, args: Any = (), kwargs: Any = None) -> None:
        super().__init__(uri)
        self.answer = {"uri": uri, "args": list(args), "kwargs": dict(kwargs or {})}


class Session(Protocol):
    """What a client program does in one session; a client need not be able to do all of it."""

    welcome: dict[str, Any]
    inbox: "Inbox"

    async def subscribe(self, topic: str, match: str) -> None: ...

    async def publish(self, topic: str, args: Any, kwargs: Any, options: dict[str, bool]) -> None:
        """Options: acknowledge, exclude_me."""

    async def register(self, procedure: str, endpoint: str, match: str) -> None:
        """Endpoints: echo (its arguments), fail (them as an error), count (up to them), wait."""

    async def call(self, procedure: str, args: Any, kwargs: Any, progress: bool) -> Any:
        """The result as `args`, `kwargs` and `progress`, a list of what came before it."""

    async def cancel(self, procedure: str, mode: str | None) -> Any:
        """Call and cancel at once; ends as the call does."""

    async def leave(self) -> None: ...


class Inbox:
    """Events and interruptions by name, for commands that wait for them."""

    def __init__(self) -> None:
        self._queues: defaultdict[str, asyncio.Queue[Any]] = defaultdict(asyncio.Queue)

    def put(self, name: str, item: Any) -> None:
        self._queues[name].put_nowait(item)

    async def take(self, name: str, count: int) -> list[Any]:
        async with asyncio.timeout(EVENTS_S_MAX):
            return [await self._queues[name].get() for _ in range(count)]


async def converse(join: Join) -> None:
    """Carry out commands until there are no more."""
    lines = asyncio.StreamReader(limit=1 << 24)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    sessions: dict[str, Session] = {}
    running = set()
    while line := await lines.readline():
        command = json.loads(line, object_hook=_octets)
        task = asyncio.create_task(_carry_out(command, sessions, join))
        running.add(task)
        task.add_done_callback(running.discard)


async def _carry_out(command: dict[str, Any], sessions: dict[str, Session], join: Join) -> None:
    number = command.pop("id")
    try:
        answer = {"id": number, "result": await _result(sessions, join, **command)}
    except Refused as error:
        answer = {"id": number, "error": error.answer}
    except Exception as error:  # noqa: BLE001 # whatever a client raises is an answer
        answer = {"id": number, "error": {"uri": None, "args": [repr(error)], "kwargs": {}}}
    print(json.dumps(answer, default=_written), flush=True)


async def _result(
    sessions: dict[str, Session], join: Join, do: str, session: str, **parameters: Any
) -> Any:
    if do == "join":
        joined = sessions[session] = await join(**parameters)
        return joined.welcome
    if do == "events":
        return await sessions[session].inbox.take(**parameters)
    return await getattr(sessions[session], do)(**parameters)


def _octets(value: dict[str, Any]) -> Any:
    return bytes.fromhex(value["$bytes"]) if "$bytes" in value else value


def _written(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"$bytes": value.hex()}
    return list(value)
