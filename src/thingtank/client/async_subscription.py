"""Updates of a feed or a datastream as they happen, for asyncio programs.

The connection is made when the first update is waited for. When it breaks it is made again, for as
long as it takes; the state is asked for then, so that the newest values are always told. Values in
between that were written while there was no connection are in the history.
"""

import asyncio
import contextlib
import math
import time
from collections.abc import Callable
from typing import Generic, Self, TypeVar

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from thingtank.client.calls import datastream_path, feed_path
from thingtank.client.errors import ClientError, Unreachable
from thingtank.client.http import ClientSettings
from thingtank.client.models import Datastream, Feed, parse_datastream, parse_feed
from thingtank.client.retries import backoffs_s
from thingtank.client.socket_session import SocketSession
from thingtank.client.subscription import MESSAGE_BYTES_MAX, TEMPORARY, log, resource_of

T = TypeVar("T")


class AsyncSubscription(Generic[T]):
    """An endless run of updates. `close` ends it, from another task; so does leaving the `with`."""

    def __init__(self, settings: ClientSettings, path: str, parse: Callable[[bytes], T]) -> None:
        self._settings = settings
        self._session = SocketSession(resource_of(path), settings.api_key, parse)
        self._connection: ClientConnection | None = None
        self._backoffs = backoffs_s(settings.retries)
        self._closed = asyncio.Event()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """End it; who waits for an update is told that there are no more."""
        self._closed.set()
        connection = self._connection
        if connection is not None:
            with contextlib.suppress(WebSocketException, OSError):
                await connection.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        update = await self.next_update()
        if update is None:
            raise StopAsyncIteration
        return update

    async def connect(self, timeout_s: float = 30.0) -> None:
        """Wait until the server has agreed; every write from then on is told.

        Raises:
            Refused: the key does not open it, or there is no such thing.
            Unreachable: it took longer than `timeout_s`.
        """
        deadline_s = time.monotonic() + timeout_s
        while not self._session.is_subscribed and not self._closed.is_set():
            left_s = deadline_s - time.monotonic()
            if left_s <= 0:
                raise Unreachable("the server did not agree in time", was_sent=True)
            await self._step(left_s)

    async def next_update(self, timeout_s: float | None = None) -> T | None:
        """The next update; None when there was none in time, or the subscription was closed.

        Raises:
            Refused: the key does not open it (any more), or it is gone.
            UnreadableAnswer: what answers does not speak this protocol.
        """
        deadline_s = None if timeout_s is None else time.monotonic() + timeout_s
        while not self._closed.is_set():
            left_s = math.inf if deadline_s is None else deadline_s - time.monotonic()
            if left_s <= 0:
                return None
            update = await self._step(left_s)
            if update is not None:
                return update
        return None

    async def _step(self, left_s: float) -> T | None:
        """Connect, or take one message, or notice silence."""
        try:
            if self._connection is None:
                self._connection = await self._connected()
                return None
            return await self._receive(self._connection, left_s)
        except TEMPORARY as error:
            await self._drop()
            if not self._closed.is_set():
                delay_s = next(self._backoffs)
                log.warning("subscription is not connected: %s; trying again", error)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._closed.wait(), min(delay_s, left_s))
            return None
        except ClientError:
            await self._drop()
            raise

    async def _connected(self) -> ClientConnection:
        settings = self._settings
        connection = await connect(
            settings.socket_url,
            open_timeout=settings.timeout_s,
            max_size=MESSAGE_BYTES_MAX,
            ssl=settings.socket_tls(),
        )
        for text in self._session.begin(time.monotonic()):
            await connection.send(text)
        return connection

    async def _receive(self, connection: ClientConnection, left_s: float) -> T | None:
        question = self._session.ask(time.monotonic())
        if question is not None:
            await connection.send(question)
        silence_s = self._session.silence_s_left(time.monotonic())
        try:
            async with asyncio.timeout(min(left_s, silence_s)):
                message = await connection.recv()
        except TimeoutError:
            return None
        self._backoffs = backoffs_s(self._settings.retries)
        return self._session.receive_message(message, time.monotonic())

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(WebSocketException, OSError):
                await connection.close()


class AsyncFeedSubscription(AsyncSubscription[Feed]):
    """Yields the whole feed after each write to any of its datastreams."""

    def __init__(self, settings: ClientSettings, feed_id: int) -> None:
        super().__init__(settings, feed_path(feed_id), parse_feed)


class AsyncDatastreamSubscription(AsyncSubscription[Datastream]):
    """Yields the datastream after each write to it."""

    def __init__(self, settings: ClientSettings, feed_id: int, name: str) -> None:
        super().__init__(settings, datastream_path(feed_id, name), parse_datastream)
