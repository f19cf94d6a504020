"""The client for programs that wait: every call returns when it is done.

A thread of its own speaks with the server, so messages come in their order and heartbeats are
answered while the program does something else.
"""

import asyncio
import threading
from collections.abc import Collection, Coroutine, Mapping, Sequence
from datetime import datetime
from typing import Any, Self, TypeVar

from thingtank.client.errors import Unreachable
from thingtank.client.skynet.async_client import AsyncSkynetClient
from thingtank.client.skynet.models import DataRecord, Identity, Kind, Message, Receipt

T = TypeVar("T")


class SkynetClient:
    """One device's connection to a SkyNet server. Close it, or use it in a `with`.

    Safe to use from several threads. When the connection breaks it is made again, for as long as it
    takes; the device identifies and subscribes as before. Calls wait for that, up to their time
    limit.

        with SkynetClient("http://127.0.0.1:3000", uuid, token) as me:
            me.send(other, {"color": "red"})
            for message in me:
                print(message.payload)
    """

    def __init__(
        self,
        url: str,
        uuid: str = "",
        token: str = "",
        *,
        hears: Collection[str] = ("message",),
        properties: Mapping[str, Any] | None = None,
        shows_presence: bool = True,
        timeout_s: float = 10.0,
        messages_max: int = 1000,
        verify: bool | str = True,
    ) -> None:
        """Make a client; nothing is sent yet. See `AsyncSkynetClient` for the arguments.

        Raises:
            ValueError: an address that cannot be one, or a name that is not heard.
        """
        self._client = AsyncSkynetClient(
            url,
            uuid,
            token,
            hears=hears,
            properties=properties,
            shows_presence=shows_presence,
            timeout_s=timeout_s,
            messages_max=messages_max,
            verify=verify,
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._turn = threading.Lock()

    def __repr__(self) -> str:
        return repr(self._client).removeprefix("Async")

    def __enter__(self) -> Self:
        self.connect()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Message:
        message = self.next_message()
        if message is None:
            raise StopIteration
        return message

    # --- the connection ---

    @property
    def identity(self) -> Identity:
        """The device and its token. Raise Unreachable before `connect`."""
        return self._client.identity

    @property
    def uuid(self) -> str:
        """The device's."""
        return self._client.uuid

    @property
    def token(self) -> str:
        """The device's secret."""
        return self._client.token

    @property
    def is_connected(self) -> bool:
        """Whether the device is identified now."""
        return self._client.is_connected

    @property
    def dropped_count(self) -> int:
        """Messages that were not read in time, and are lost."""
        return self._client.dropped_count

    def connect(self) -> None:
        """Connect, and wait until the server knows the device.

        Raises:
            Unauthorized: the uuid or the token is wrong, or strangers may not register there.
            Unreachable: the server does not answer in time.
        """
        with self._turn:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=self._loop.run_forever, name="skynet-client", daemon=True
                )
                self._thread.start()
        try:
            self._run(self._client.connect())
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Leave; who waits for a message is told that there are no more. It cannot come back."""
        with self._turn:
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is None or thread is None:
            return
        asyncio.run_coroutine_threadsafe(self._client.close(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.run_until_complete(_ended())
        loop.close()

    def _run(self, asked: Coroutine[Any, Any, T]) -> T:
        loop = self._loop
        if loop is None:
            asked.close()
            raise Unreachable("the client is not connected", was_sent=False)
        future = asyncio.run_coroutine_threadsafe(asked, loop)
        try:
            return future.result()
        except BaseException:  # such as Ctrl-C while it waits
            future.cancel()
            raise

    # --- messages ---

    def send(
        self, devices: str | Sequence[str], payload: Any, *, topic: str = "", **others: Any
    ) -> list[Receipt]:
        """Send a message; what became of it, for each target.

        Args:
            devices: a uuid, several, `*` for who listens to this device, or `tag:NAME` for a group.
            others: members that are delivered with it.

        Raises:
            RateLimited: too many; its `retry_after_s` says when there is room again.
            ClientError.
        """
        return self._run(self._client.send(devices, payload, topic=topic, **others))

    def next_message(self, timeout_s: float | None = None) -> Message | None:
        """The next that was heard; None when there was none in time, or the client was closed.

        Raises:
            Unauthorized: the device's token opens it no more.
        """
        if self._loop is None:
            return None
        return self._run(self._client.next_message(timeout_s))

    def subscribe(
        self,
        uuid: str,
        types: Sequence[Kind] = ("broadcast",),
        *,
        token: str = "",
        topics: Sequence[str] = (),
    ) -> None:
        """Hear of another device, on this connection and on those that follow it.

        Args:
            types: `broadcast`, what it sends to whoever listens; `received` and `sent`, its
                messages; `config`, its record when it changes; `data`, the values that it records.
            token: its own, where its lists do not let this device.
            topics: names with `*` for any letters, and `-` before what is not wanted.

        Raises:
            Unauthorized: it may not be heard.
            ClientError.
        """
        self._run(self._client.subscribe(uuid, types, token=token, topics=topics))

    def unsubscribe(self, uuid: str, types: Sequence[Kind] | None = None) -> None:
        """Hear of a device no more; of some kinds, or of all. Raise ClientError."""
        self._run(self._client.unsubscribe(uuid, types))

    # --- devices ---

    def register(self, properties: Mapping[str, Any]) -> Identity:
        """Make another device. Raise ClientError.

        Args:
            properties: with `uuid` and `token` where they are to be certain ones.
        """
        return self._run(self._client.register(properties))

    def whoami(self) -> dict[str, Any]:
        """The device's own record. Raise ClientError."""
        return self._run(self._client.whoami())

    def update(self, properties: Mapping[str, Any], uuid: str = "") -> dict[str, Any]:
        """Set properties of the device, or of another; None removes one.

        Returns:
            The record as it is then.

        Raises:
            Unauthorized: it may not be changed.
            ClientError.
        """
        return self._run(self._client.update(properties, uuid))

    def device(self, uuid: str) -> dict[str, Any]:
        """Another device's record, as far as it is shown.

        Raises:
            NotFound: there is none, or it does not want to be known.
            ClientError.
        """
        return self._run(self._client.device(uuid))

    def devices(self, **properties: Any) -> list[dict[str, Any]]:
        """Devices that have such properties, newest first; all that may be known without any.

        Raises:
            ClientError.
        """
        return self._run(self._client.devices(**properties))

    def unregister(self, uuid: str = "") -> None:
        """Delete the device, or another, with all that it has recorded. Raise ClientError."""
        self._run(self._client.unregister(uuid))

    # --- values ---

    def data(self, values: Mapping[str, Any], uuid: str = "") -> None:
        """Record values of the device, or of another, now; returns when they are on disk.

        Args:
            values: name to number, text or truth value.

        Raises:
            ClientError.
        """
        self._run(self._client.data(values, uuid))

    def history(
        self,
        uuid: str = "",
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        limit: int = 10,
    ) -> list[DataRecord]:
        """What the device, or another, has recorded, newest first.

        Args:
            start: from then on. end: before then. Both with a time zone.
            limit: 0 for as many as the server gives at once.

        Raises:
            Unauthorized: its values may not be read.
            ClientError.
        """
        return self._run(self._client.history(uuid, start=start, end=end, limit=limit))


async def _ended() -> None:
    """Let what is left on the loop end."""
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
