"""What tests of deliveries share: made-up notifications, a clock, an outbox, a raw receiver."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from tests.waiting import until

from thingtank.stores.outbox_settings import OutboxSettings
from thingtank.stores.sqlite_outbox import SqliteOutbox
from thingtank.tank.deliveries import Delivery, DeliveryState
from thingtank.tank.outbox import NewDelivery
from thingtank.tank.targets import host_of

S = 1_000_000
NOW = 1_790_000_000 * S
BODY = b'{"id":1,"type":"gt","environment":{"title":"Roof & more"}}'


class SettableClock:
    def __init__(self, now_us: int = NOW) -> None:
        self.us = now_us

    def now_us(self) -> int:
        return self.us


def derive(purpose: str) -> bytes:
    return hashlib.sha256(purpose.encode()).digest()


def new(
    trigger_id: int = 1,
    target: str = "http://receiver.example/hook",
    *,
    body: bytes = BODY,
    account_id: int = 1,
    device_id: int = 7,
    channel: str = "webhook",
    created_us: int = NOW,
    is_test: bool = False,
) -> NewDelivery:
    return NewDelivery(
        trigger_id, device_id, account_id, channel, target, body, created_us, is_test
    )


def delivery_to(target: str, body: bytes = BODY, channel: str = "webhook") -> Delivery:
    """A delivery as the dispatcher would hand it to a sink."""
    return Delivery(
        1, "msg_abc", 1, 7, 1, channel, target, host_of(channel, target), body, NOW, False,
        DeliveryState.WAITING, NOW, None, 0, 0, None, "",
    )  # fmt: skip


@asynccontextmanager
async def outbox_in(
    folder: Path, settings: OutboxSettings | None = None
) -> AsyncIterator[SqliteOutbox]:
    outbox = await SqliteOutbox.open(folder, derive, settings)
    try:
        yield outbox
    finally:
        await outbox.close()


Behaviour = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]


class Receiver:
    """A TCP server that reads a request and then does as it was told, whatever HTTP says."""

    def __init__(self, behaviour: Behaviour) -> None:
        self._behaviour = behaviour
        self.requests: list[bytes] = []
        self.open_count = 0
        self.open_count_max = 0
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open_count += 1
        self.open_count_max = max(self.open_count, self.open_count_max)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            request = head + await reader.readexactly(length)
            self.requests.append(request)
            await self._behaviour(request, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self.open_count -= 1
            writer.close()


@asynccontextmanager
async def receiver(behaviour: Behaviour, host: str = "127.0.0.1") -> AsyncIterator[Receiver]:
    made = Receiver(behaviour)
    server = await asyncio.start_server(made.serve, host, 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()


def answering(status: int = 200, headers: str = "", body: bytes = b"ok") -> Behaviour:
    async def answer(request: bytes, writer: asyncio.StreamWriter) -> None:
        head = f"HTTP/1.1 {status} X\r\ncontent-length: {len(body)}\r\n{headers}\r\n"
        writer.write(head.encode("latin-1") + body)
        await writer.drain()

    return answer


# Less than POLL_S_MAX, by which the dispatcher finds also what it was not told of.
eventually = partial(until, s_max=25.0)
