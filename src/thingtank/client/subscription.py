"""Updates of a feed or a datastream as they happen, for programs that wait.

The connection is made when the first update is waited for. When it breaks it is made again, for as
long as it takes; the state is asked for then, so that the newest values are always told. Values in
between that were written while there was no connection are in the history.
"""

import contextlib
import logging
import math
import threading
import time
from collections.abc import Callable
from typing import Generic, Self, TypeVar

from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from thingtank.client.calls import datastream_path, feed_path
from thingtank.client.errors import ClientError, RateLimited, ServerFailed, Unreachable
from thingtank.client.http import ClientSettings
from thingtank.client.models import Datastream, Feed, parse_datastream, parse_feed
from thingtank.client.retries import backoffs_s
from thingtank.client.socket_session import SocketSession

T = TypeVar("T")

MESSAGE_BYTES_MAX = 16 * 1024 * 1024
# Worth connecting again; other refusals do not go away by waiting.
TEMPORARY = (OSError, WebSocketException, ServerFailed, RateLimited)
log = logging.getLogger("thingtank.client")


def resource_of(path: str) -> str:
    """A path of the HTTP API as the socket names it."""
    return path.removeprefix("/v2") + ".json"


class Subscription(Generic[T]):
    """An endless run of updates. `close` ends it, from any thread; so does leaving the `with`."""

    def __init__(self, settings: ClientSettings, path: str, parse: Callable[[bytes], T]) -> None:
        self._settings = settings
        self._session = SocketSession(resource_of(path), settings.api_key, parse)
        self._connection: ClientConnection | None = None
        self._closing = contextlib.ExitStack()  # of the connection
        self._backoffs = backoffs_s(settings.retries)
        self._closed = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End it; who waits for an update is told that there are no more."""
        self._closed.set()
        connection = self._connection
        if connection is not None:
            with contextlib.suppress(WebSocketException, OSError):
                connection.close()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T:
        update = self.next_update()
        if update is None:
            raise StopIteration
        return update

    def connect(self, timeout_s: float = 30.0) -> None:
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
            self._step(left_s)

    def next_update(self, timeout_s: float | None = None) -> T | None:
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
            update = self._step(left_s)
            if update is not None:
                return update
        return None

    def _step(self, left_s: float) -> T | None:
        """Connect, or take one message, or notice silence."""
        try:
            if self._connection is None:
                self._connection = self._connected()
                return None
            return self._receive(self._connection, left_s)
        except TEMPORARY as error:
            self._drop()
            if not self._closed.is_set():
                delay_s = next(self._backoffs)
                log.warning("subscription is not connected: %s; trying again", error)
                self._closed.wait(min(delay_s, left_s))
            return None
        except ClientError:
            self._drop()
            raise

    def _connected(self) -> ClientConnection:
        settings = self._settings
        connection = self._closing.enter_context(
            connect(
                settings.socket_url,
                open_timeout=settings.timeout_s,
                max_size=MESSAGE_BYTES_MAX,
                ssl=settings.socket_tls(),
            )
        )
        for text in self._session.begin(time.monotonic()):
            connection.send(text)
        return connection

    def _receive(self, connection: ClientConnection, left_s: float) -> T | None:
        question = self._session.ask(time.monotonic())
        if question is not None:
            connection.send(question)
        silence_s = self._session.silence_s_left(time.monotonic())
        try:
            message = connection.recv(timeout=min(left_s, silence_s))
        except TimeoutError:
            return None
        self._backoffs = backoffs_s(self._settings.retries)
        return self._session.receive_message(message, time.monotonic())

    def _drop(self) -> None:
        self._connection = None
        with contextlib.suppress(WebSocketException, OSError):
            self._closing.close()


class FeedSubscription(Subscription[Feed]):
    """Yields the whole feed after each write to any of its datastreams."""

    def __init__(self, settings: ClientSettings, feed_id: int) -> None:
        super().__init__(settings, feed_path(feed_id), parse_feed)


class DatastreamSubscription(Subscription[Datastream]):
    """Yields the datastream after each write to it."""

    def __init__(self, settings: ClientSettings, feed_id: int, name: str) -> None:
        super().__init__(settings, datastream_path(feed_id, name), parse_datastream)
