"""Server-sent events to many tabs at once: what all such streams have in common."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Any

import msgspec

from thingtank.tank.access import Caller
from thingtank.web.workbench.bounds import TooManyVisits, VisitLimits, Visits
from thingtank.web.workbench.long_answers import address_of, refuse, too_many, watch_client

HEARTBEAT_S = 15.0
RETRY_MS = 2000
RETRY = f"retry: {RETRY_MS}\n".encode()  # before the first message
HEARTBEAT = b": still here\n\n"

_HEADERS = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-accel-buffering", b"no"),  # nginx would hold events back
]

Make = Callable[[asyncio.Event], AsyncGenerator[bytes, None]]
"""Makes the messages of one stream, until the event is set."""


class Streams:
    """The streams of one kind. Not Django views: those hold a thread each."""

    def __init__(self, limits: VisitLimits) -> None:
        self._open: set[asyncio.Event] = set()
        self._visits = Visits(limits)

    def stop(self) -> None:
        """End every stream soon, so that a server can stop; from the loop's thread."""
        for stopping in self._open:
            stopping.set()

    async def serve(self, caller: Caller, make: Make, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request with a stream, or with why there is no place for it."""
        try:
            with self._visits.one(caller, address_of(scope)):
                await self._serve(caller, make, scope, receive, send)
        except TooManyVisits as error:
            await refuse(send, *too_many(error))

    async def _serve(self, caller: Caller, make: Make, scope: Any, receive: Any, send: Any) -> None:
        stopping = asyncio.Event()
        self._open.add(stopping)
        watching = asyncio.create_task(watch_client(caller, scope, receive, stopping))
        chunks = make(stopping)
        try:
            await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
            async for chunk in chunks:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            watching.cancel()
            self._open.discard(stopping)
            await chunks.aclose()


async def pause(stopping: asyncio.Event, seconds: float) -> None:
    """Wait, but not beyond the stream's end."""
    try:
        async with asyncio.timeout(seconds):
            await stopping.wait()
    except TimeoutError:
        pass


def message(event: str, body: Any) -> bytes:
    """One server-sent event; JSON has no line breaks, so one `data` line holds it."""
    return b"event: " + event.encode() + b"\ndata: " + msgspec.json.encode(body) + b"\n\n"
