"""The client for asyncio programs: the names of `client.py`, to be awaited."""

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Self, cast
from urllib.parse import urlsplit

import aiohttp
import socketio
from socketio import exceptions

from thingtank.client.errors import (
    ClientError,
    NotFound,
    Unreachable,
    UnreadableAnswer,
)
from thingtank.client.skynet.models import (
    DataRecord,
    Identity,
    Kind,
    Message,
    Receipt,
    message_of,
    receipts_of,
    records_of,
)
from thingtank.client.skynet.session import (
    Session,
    checked,
    identity_of,
    is_final,
    refusal_of_not_ready,
)

log = logging.getLogger("thingtank.client")

RECONNECT_S_FIRST = 0.5
RECONNECT_S_MAX = 15.0
_EVENTS = ("message", "config", "data", "unregistered")


class AsyncSkynetClient:
    """One device's connection to a SkyNet server. Close it, or use it in an `async with`.

    When the connection breaks it is made again, for as long as it takes; the device identifies and
    subscribes as before. Calls wait for that, up to their time limit.

        async with AsyncSkynetClient("http://127.0.0.1:3000", uuid, token) as me:
            await me.send(other, {"color": "red"})
            async for message in me:
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
        """Make a client; nothing is sent yet.

        Args:
            url: of the server's SkyNet port, such as `http://127.0.0.1:3000`.
            uuid: of the device; without it the server registers a new one, whose `uuid` and `token`
                the client then has.
            hears: what is queued to be read: `message`, and `config` (a record that has changed),
                `data` (values of devices subscribed to with that kind), `unregistered`.
            properties: set on the device when it identifies.
            shows_presence: whether the device counts as online.
            timeout_s: for connecting, and for each answer.
            messages_max: that wait to be read; of more, the oldest are dropped and counted.
            verify: whether to check TLS certificates, or a file of trusted ones.

        Raises:
            ValueError: an address that cannot be one, or a name that is not heard.
        """
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
            raise ValueError(f"the address must be like https://tank.example, not {url[:200]!r}")
        unknown = set(hears) - set(_EVENTS)
        if unknown:
            raise ValueError(f"hears may have {', '.join(_EVENTS)}, not {', '.join(unknown)}")
        if bool(uuid) != bool(token):
            raise ValueError("a uuid needs its token")
        self._url = url
        self._hears = tuple(hears)
        self._properties = dict(properties or {})
        self._shows_presence = shows_presence
        self._timeout_s = timeout_s
        self._verify = verify
        self._session = Session(Identity(uuid, token) if uuid else None, messages_max)
        self._http: aiohttp.ClientSession | None = None
        self._socket: Any = None  # socketio.AsyncClient, which has no types
        self._ready = asyncio.Event()
        self._heard = asyncio.Event()
        self._failure: ClientError | None = None
        self._is_closed = False

    def __repr__(self) -> str:
        return f"AsyncSkynetClient({self._url!r}, {self._session.identity!r})"

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Message:
        message = await self.next_message()
        if message is None:
            raise StopAsyncIteration
        return message

    # --- the connection ---

    @property
    def identity(self) -> Identity:
        """The device and its token. Raise Unreachable before `connect`."""
        if self._session.identity is None:
            raise Unreachable("the client has not connected yet", was_sent=False)
        return self._session.identity

    @property
    def uuid(self) -> str:
        """The device's."""
        return self.identity.uuid

    @property
    def token(self) -> str:
        """The device's secret."""
        return self.identity.token

    @property
    def is_connected(self) -> bool:
        """Whether the device is identified now."""
        return self._ready.is_set() and self._failure is None

    @property
    def dropped_count(self) -> int:
        """Messages that were not read in time, and are lost."""
        return self._session.dropped_count

    async def connect(self) -> None:
        """Connect, and wait until the server knows the device.

        Raises:
            Unauthorized: the uuid or the token is wrong, or strangers may not register there.
            Unreachable: the server does not answer in time.
        """
        if self._socket is None:
            await self._open()
        await self._until_ready()

    async def close(self) -> None:
        """Leave; who waits for a message is told that there are no more."""
        self._is_closed = True
        self._ready.clear()
        self._heard.set()
        if self._socket is not None:
            await self._leave()
        if self._http is not None:
            await self._http.close()

    async def _open(self) -> None:
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self._tls()), cookie_jar=aiohttp.DummyCookieJar()
        )
        self._socket = socketio.AsyncClient(
            reconnection_delay=RECONNECT_S_FIRST,
            reconnection_delay_max=RECONNECT_S_MAX,
            request_timeout=self._timeout_s,
            handle_sigint=False,
            http_session=self._http,
        )
        on = self._socket.on
        on("identify", self._identify)
        on("ready", self._take_ready)
        on("notReady", self._take_not_ready)
        on("disconnect", self._take_disconnect)
        for event in self._hears:
            on(event, self._taker_of(event))
        try:
            await self._socket.connect(
                self._url, transports=["websocket"], wait_timeout=self._timeout_s
            )
        except exceptions.ConnectionError as error:
            await self._http.close()
            self._socket = self._http = None
            raise Unreachable(f"no connection to {self._url}: {error}", was_sent=False) from None

    async def _leave(self) -> None:
        """End the connection, and whatever is at making another."""
        self._socket.reconnection = False
        with contextlib.suppress(Exception):  # it is over in any case
            async with asyncio.timeout(self._timeout_s):
                await asyncio.sleep(0)  # who makes another can be told of it once it has begun
                # Each call ends one of the two: a refusal may come while the new connection is not
                # yet known to be made, and would count as a failed attempt that wants the next.
                await self._socket.shutdown()
                await self._socket.shutdown()
                await self._socket.disconnect()  # of a first connection that is not made yet

    def _tls(self) -> ssl.SSLContext | bool:
        if isinstance(self._verify, str):
            return ssl.create_default_context(cafile=self._verify)
        return self._verify

    async def _identify(self, *_: Any) -> None:
        identity = self._session.identity
        body: dict[str, Any] = {**self._properties, "protocol": "websocket"}
        if identity is not None:
            body |= {"uuid": identity.uuid, "token": identity.token}
        if not self._shows_presence:
            body["auto_set_online"] = False
        await self._emit("identity", body)

    async def _take_ready(self, body: Any = None) -> None:
        try:
            told = identity_of(body)
        except UnreadableAnswer as error:
            self._fail(error)
            return
        if self._session.identity is None or told.token:
            self._session.identity = told
        for subscription in self._session.subscriptions():
            await self._emit("subscribe", subscription)
        self._failure = None
        self._ready.set()

    async def _take_not_ready(self, body: Any = None) -> None:
        refused = refusal_of_not_ready(body)
        if is_final(refused):
            self._fail(refused)
            await self._leave()  # or it would come back again and again
            return
        log.warning("the server is not ready for the device: %s; trying again", refused)
        await asyncio.sleep(refused.retry_after_s or RECONNECT_S_FIRST)
        await self._identify()

    def _fail(self, error: ClientError) -> None:
        """Whoever waits is told, and who asks later."""
        self._failure = error
        self._ready.set()
        self._heard.set()

    def _take_disconnect(self, *_: Any) -> None:
        if self._failure is None:
            self._ready.clear()
            if not self._is_closed:
                log.warning("the connection is lost; connecting again")

    def _taker_of(self, event: str) -> Any:
        def take(body: Any = None, *_: Any) -> None:
            if self._session.take(message_of(event, body)):
                self._heard.set()

        return take

    async def _emit(self, event: str, body: Any) -> None:
        with contextlib.suppress(exceptions.SocketIOError):  # the next connection does it again
            await self._socket.emit(event, body)

    async def _until_ready(self) -> None:
        try:
            await asyncio.wait_for(self._ready.wait(), self._timeout_s)
        except TimeoutError:
            raise Unreachable("the server is not ready in time", was_sent=False) from None
        if self._failure is not None:
            raise self._failure

    async def _call(self, event: str, body: Mapping[str, Any]) -> Any:
        """Ask, and return the acknowledgement.

        Raises:
            ClientError.
        """
        if self._socket is None or self._is_closed:
            raise Unreachable("the client is not connected", was_sent=False)
        await self._until_ready()
        try:
            answer = await self._socket.call(event, dict(body), timeout=self._timeout_s)
        except exceptions.TimeoutError:
            raise Unreachable(f"no answer to {event} in time", was_sent=True) from None
        except exceptions.SocketIOError as error:
            raise Unreachable(f"{event} was not sent: {error}", was_sent=False) from None
        return checked(answer)

    # --- messages ---

    async def send(
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
        body = {
            **others,
            "devices": devices if isinstance(devices, str) else list(devices),
            "payload": payload,
            "receipt": True,
        }
        if topic:
            body["topic"] = topic
        return receipts_of(await self._call("message", body))

    async def next_message(self, timeout_s: float | None = None) -> Message | None:
        """The next that was heard; None when there was none in time, or the client was closed.

        Raises:
            Unauthorized: the device's token opens it no more.
        """
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    message = self._session.next_message()
                    if message is not None or self._is_closed:
                        return message
                    if self._failure is not None:
                        raise self._failure
                    self._heard.clear()
                    await self._heard.wait()
        except TimeoutError:
            return None

    async def subscribe(
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
        body: dict[str, Any] = {"uuid": uuid, "types": list(types)}
        if token:
            body["token"] = token
        if topics:
            body["topics"] = list(topics)
        await self._call("subscribe", body)
        self._session.subscribe(body)

    async def unsubscribe(self, uuid: str, types: Sequence[Kind] | None = None) -> None:
        """Hear of a device no more; of some kinds, or of all. Raise ClientError."""
        kinds = None if types is None else list(types)
        self._session.unsubscribe(uuid, kinds)
        asked = ["broadcast", "received", "sent", "config", "data"] if kinds is None else kinds
        await self._call("unsubscribe", {"uuid": uuid, "types": asked})

    # --- devices ---

    async def register(self, properties: Mapping[str, Any]) -> Identity:
        """Make another device. Raise ClientError.

        Args:
            properties: with `uuid` and `token` where they are to be certain ones.
        """
        return identity_of(await self._call("register", properties))

    async def whoami(self) -> dict[str, Any]:
        """The device's own record. Raise ClientError."""
        return _record(await self._call("whoami", {}))

    async def update(self, properties: Mapping[str, Any], uuid: str = "") -> dict[str, Any]:
        """Set properties of the device, or of another; None removes one.

        Returns:
            The record as it is then.

        Raises:
            Unauthorized: it may not be changed.
            ClientError.
        """
        return _record(await self._call("update", {**properties, "uuid": uuid or self.uuid}))

    async def device(self, uuid: str) -> dict[str, Any]:
        """Another device's record, as far as it is shown.

        Raises:
            NotFound: there is none, or it does not want to be known.
            ClientError.
        """
        answer = await self._call("device", {"uuid": uuid})
        return _record(answer.get("device") if isinstance(answer, dict) else None)

    async def devices(self, **properties: Any) -> list[dict[str, Any]]:
        """Devices that have such properties, newest first; all that may be known without any.

        Raises:
            ClientError.
        """
        try:
            answer = await self._call("devices", properties)
        except NotFound:
            return []
        if not isinstance(answer, dict) or not isinstance(answer.get("devices"), list):
            raise UnreadableAnswer("no list of devices")
        return [_record(found) for found in answer["devices"]]

    async def unregister(self, uuid: str = "") -> None:
        """Delete the device, or another, with all that it has recorded. Raise ClientError."""
        await self._call("unregister", {"uuid": uuid or self.uuid})

    # --- values ---

    async def data(self, values: Mapping[str, Any], uuid: str = "") -> None:
        """Record values of the device, or of another, now; returns when they are on disk.

        Args:
            values: name to number, text or truth value.

        Raises:
            ClientError.
        """
        await self._call("data", {**values, "uuid": uuid or self.uuid})

    async def history(
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
        body: dict[str, Any] = {"uuid": uuid or self.uuid, "limit": limit}
        for name, at in (("start", start), ("finish", end)):
            if at is not None:
                body[name] = at.isoformat()
        return records_of(await self._call("getdata", body))


def _record(answer: Any) -> dict[str, Any]:
    if not isinstance(answer, dict):
        raise UnreadableAnswer("no record of a device")
    return cast(dict[str, Any], answer)
