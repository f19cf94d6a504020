"""Answers that do not end: what devices say, as it happens.

To programs that show who they are in headers, an object a line; to those of early 2014, who give a
token in the query, a list that is never closed.

Source: SkyNet, `/subscribe/:uuid`, 2014; Meshblu, `/subscribe…` and `/data/:uuid?stream=true`.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote_to_bytes

import msgspec

from thingtank.doors.skynet.door import SkynetDoor
from thingtank.doors.skynet.operations.devices import visible
from thingtank.doors.skynet.operations.messages import log_not_given
from thingtank.doors.skynet.operations.subscriptions import Subscribed, kinds_of, topics_of
from thingtank.doors.skynet.records import modern_record
from thingtank.doors.skynet.rest.error_table import RestRefusal
from thingtank.doors.skynet.rest.replies import CORS, JSON_TYPE, answer
from thingtank.doors.skynet.rest.requests import Request
from thingtank.net.arrival import has_arrived
from thingtank.net.bounded_http import TRANSPORT
from thingtank.protocols.skynet.parameters import BadParameters, read_query
from thingtank.tank.errors import NoSuchDevice, NotAllowed, Overloaded, Unavailable
from thingtank.tank.messaging.event_codes import EventCode
from thingtank.tank.messaging.hub import GiveKept
from thingtank.tank.messaging.permissions import Party, still_holds
from thingtank.tank.messaging.switchboard import Delivery, Kind
from thingtank.tank.networks import network_of
from thingtank.tank.things import Device

LOOK_S = 15.0  # so long may a stream outlive its token

_OWN_ONLY: dict[str, tuple[Kind, ...]] = {
    "/subscribe/:uuid/broadcast": ("broadcast",),
    "/subscribe/:uuid/received": ("received",),
    "/subscribe/:uuid/sent": ("sent",),
}
_LEGACY_KINDS: tuple[Kind, ...] = ("broadcast", "received", "sent")
_UNTRUE = ("", "false", "0", "no")
_HEADERS = [(b"content-type", JSON_TYPE), (b"cache-control", b"no-store"), CORS]


def is_stream(target: bytes) -> bool:
    """Whether a request's target (path and query) is a stream."""
    path, _, query = target.partition(b"?")
    if b"%" in path:
        path = unquote_to_bytes(path)
    if path.startswith(b"/subscribe"):
        return path[10:11] in (b"", b"/")
    if not path.startswith(b"/data/") or not query:
        return False
    try:
        return read_query(query).get("stream", "") not in _UNTRUE
    except BadParameters:
        return False


class Stream:
    """One of them: takes deliveries, and is bounded.

    Attributes:
        is_over: it can be served no more.
        is_given: it is being given what was kept for its device, which bounds that itself.
    """

    def __init__(self, door: SkynetDoor, party: Party, *, is_legacy: bool) -> None:
        """Hear nothing yet."""
        self.party = party
        self.is_legacy = is_legacy
        self.subscribed = Subscribed(door, self)
        self.is_over = False
        self._door = door
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._wake = asyncio.Event()
        self._is_sent = asyncio.Event()
        self._is_first = True
        self._transport: asyncio.Transport | None = None  # until it is served, or not shown
        self.is_given = False

    def deliver(self, delivery: Delivery) -> None:
        """Take one; a peer that leaves too much unread is dropped."""
        if self.is_over:
            return  # it may be long until the peer takes what it was sent before
        if delivery.message is not None and delivery.message.event != "message":
            return  # what asks for an answer cannot be answered here
        content = self._content(delivery)
        self._waiting.append(content)
        self._waiting_bytes += len(content)
        self._is_sent.clear()
        if self._waiting_bytes > self._door.settings.unread_bytes_max and not self.is_given:
            self._waiting.clear()
            self.end()
        self._wake.set()

    def end(self) -> None:
        """Have it end soon."""
        self.is_over = True
        self._wake.set()
        self._is_sent.set()

    def is_there(self) -> bool:
        """Whether it is served."""
        return not self.is_over

    def sent(self) -> None:
        """What was taken is written."""
        if not self._waiting:
            self._is_sent.set()

    def begin(self, transport: asyncio.Transport | None) -> None:
        """It is written from now on; to no transport where the server does not show its own."""
        self._transport = transport

    async def stays(self) -> bool:
        """Wait until what waits has arrived; False if it may not have."""
        await self._is_sent.wait()
        if self._transport is None:
            return self.is_there()
        return await has_arrived(self._transport, self.is_there)

    async def wait(self, seconds: float) -> None:
        """Wait until there is something to send, or for so long."""
        if self._waiting or self.is_over:
            return
        self._wake.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            pass

    def take(self) -> bytes:
        """All that waits, as it is sent."""
        items, self._waiting = self._waiting, deque()
        self._waiting_bytes = 0
        if not items:
            return b""
        if not self.is_legacy:
            return b"".join([item + b"\n" for item in items])
        first, self._is_first = self._is_first, False
        return (b"" if first else b"\n,\n") + b"\n,\n".join(items)

    def _content(self, delivery: Delivery) -> bytes:
        message = delivery.message
        if message is not None:
            device = delivery.device
            if (
                delivery.kind == "received"
                and device.properties.get("payloadOnly") is True
                and self.party.is_of(device.device_id)
            ):
                return message.encoded_payload()
            return message.encoded("legacy" if self.is_legacy else "modern")
        record = delivery.record
        if record is None:
            presence = self._door.tank.messaging.presence
            record = modern_record(delivery.device, presence, self.party)
        return msgspec.json.encode(record)


class Streams:
    """All that are open."""

    def __init__(self, door: SkynetDoor) -> None:
        self._door = door
        self._open: dict[Stream, str] = {}  # with the network of its peer
        self._is_stopping = False

    def stop(self) -> None:
        """End them all soon, and begin no more."""
        self._is_stopping = True
        for stream in self._open:
            stream.end()

    async def open(self, request: Request) -> Stream:
        """Begin to listen for a request.

        Raises:
            NoSuchDevice, NotAllowed, ValidationFailed, RateLimited, Overloaded.
            RestRefusal: in another's name, which is only looked at now and then.
        """
        if request.head.headers.get(b"x-meshblu-as"):
            raise RestRefusal(
                answer({"error": "a stream is its own device's"}, 422), "x-meshblu-as"
            )
        self._check_room(request)
        stream = Stream(self._door, request.party, is_legacy=request.is_legacy)
        try:
            await self._listen(stream, request)
        except BaseException:
            stream.end()
            stream.subscribed.clear()
            raise
        self._open[stream] = network_of(request.head.address)
        return stream

    async def _listen(self, stream: Stream, request: Request) -> None:
        party, tank = request.party, self._door.tank
        uuid = request.uuid or party.uuid
        if not uuid:
            raise NoSuchDevice("Device not found")
        kinds, topics = _kinds_of(request), topics_of(request.parameters.get("topics"))
        await self._door.rates.count("queries", party)
        device = visible(self._door, party, uuid)
        heard = [k for k in kinds if tank.messaging.switchboard.may_hear(party, k, device)]
        if not heard:
            raise NotAllowed("unauthorized access")
        given_id = 0
        # Nothing may fail from here on.
        if is_own := party.is_of(device.device_id) and "received" in heard:
            given_id = await self._give(tank.messaging.give_kept, stream, device, 0)
        stream.subscribed.listen(party, device, heard, topics)
        if is_own:
            await self._give(tank.messaging.give_rest, stream, device, given_id)
        body = {"uuid": party.uuid, "subscribed": device.uuid}
        tank.messaging.log(EventCode.SUBSCRIBED, (device.device_id,), body)

    async def _give(self, give: GiveKept, stream: Stream, device: Device, after_id: int) -> int:
        """Give it what was kept; returns the last that it was given."""
        stream.is_given = True
        try:
            return await give(
                device, stream, stream.is_there, None, stream.stays, after_id=after_id
            )
        except Unavailable as error:
            log_not_given(device, error)
            return after_id
        finally:
            stream.is_given = False

    def _check_room(self, request: Request) -> None:
        if self._is_stopping:
            raise Overloaded("the server stops", retry_after_s=10)
        settings = self._door.settings
        network = network_of(request.head.address)
        same_count = sum(open_network == network for open_network in self._open.values())
        if (
            len(self._open) >= settings.connections_max
            or same_count >= settings.connections_per_address_max
        ):
            raise Overloaded("there are too many streams already", retry_after_s=10)

    async def serve(self, stream: Stream, scope: Any, receive: Any, send: Any) -> None:
        """Send what comes until the peer goes, its token does, or the server stops."""
        watching = asyncio.create_task(_watch(stream, receive))
        stream.begin(scope.get("extensions", {}).get(TRANSPORT, {}).get("transport"))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
            await _send_part(send, b"[\n" if stream.is_legacy else b"")
            while not stream.is_over:
                await _send_part(send, stream.take())
                stream.sent()
                await stream.wait(LOOK_S)
                if not still_holds(stream.party, self._door.tank.directory):
                    stream.end()
            await send({"type": "http.response.body", "body": b""})
        finally:
            watching.cancel()
            stream.end()
            self._open.pop(stream, None)
            stream.subscribed.clear()


async def _send_part(send: Any, part: bytes) -> None:
    await send({"type": "http.response.body", "body": part, "more_body": True})


async def _watch(stream: Stream, receive: Any) -> None:
    """End a stream whose peer has gone."""
    while not stream.is_over:
        message = await receive()
        if message["type"] == "http.disconnect":
            stream.end()


def _kinds_of(request: Request) -> Sequence[Kind]:
    pattern = request.path.pattern
    if pattern == "/data/:uuid":
        return ("data",)
    if pattern in _OWN_ONLY:
        return _OWN_ONLY[pattern]
    return _LEGACY_KINDS if request.is_legacy else kinds_of(request.parameters.get("types"))
