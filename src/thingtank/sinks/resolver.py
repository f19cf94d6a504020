"""Names to addresses, in threads of their own: a dead name server holds up only who needs it."""

import asyncio
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

THREADS_MAX = 32


class ResolveFailed(Exception):
    """A name has no address, or nobody could say in time."""


class Resolver(Protocol):
    """Looks names up."""

    async def resolve(self, host: str) -> Sequence[str]:
        """The addresses of a name, or of an address in any spelling, in order of preference.

        Raises:
            ResolveFailed.
        """
        ...


class SystemResolver:
    """Asks as every program on the machine does, one question a name at a time."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(THREADS_MAX, "webhook-names")
        self._asked: dict[str, asyncio.Future[Sequence[str]]] = {}

    async def resolve(self, host: str) -> Sequence[str]:
        """The addresses of a name. A caller that gives up leaves the question to the others."""
        future = self._asked.get(host)
        if future is None:
            loop = asyncio.get_running_loop()
            future = loop.run_in_executor(self._executor, _look_up, host)
            self._asked[host] = future
            future.add_done_callback(lambda done: self._forget(host, done))
        return await asyncio.shield(future)

    def close(self) -> None:
        """Ask no more; does not wait for what was asked."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _forget(self, host: str, future: asyncio.Future[Sequence[str]]) -> None:
        self._asked.pop(host, None)
        if not future.cancelled():
            future.exception()  # seen, if nobody waits any more


def _look_up(host: str) -> Sequence[str]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ResolveFailed(f"the name {host} has no address: {reason}") from None
    return list(dict.fromkeys(str(address[0]) for *_, address in found))
