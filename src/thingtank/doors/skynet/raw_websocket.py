"""Meshblu's own WebSocket, without socket.io: frames of `[type, data]` at `/ws/v2`.

```
> ["identity",{"uuid":"…","token":"…"}]      < ["ready",{"uuid":"…","token":"…","status":200}]
> ["update",[{"uuid":"…"},{"$set":{…}}]]     < ["updated",{"uuid":"…"}]
> ["subscribe",{"uuid":"…"}]                 nothing, unless it goes wrong:
                                             < ["error",{"message":"…","frame":[…],"status":401}]
```

Nothing is said before the client has: Meshblu's takes the first frame for the answer to its own.

Source: Meshblu 1.18, `lib/websocketLogic`; its client, meshblu-websocket 2.3.
"""

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import msgspec
import structlog

from thingtank.doors.skynet.errors import NotReady, RateLimited, SkynetError
from thingtank.doors.skynet.noting import Noting
from thingtank.doors.skynet.operations import devices, messages
from thingtank.doors.skynet.operations.subscriptions import OWN_KINDS, kinds_of, topics_of
from thingtank.doors.skynet.origins import refuse_page
from thingtank.doors.skynet.records import modern_record
from thingtank.doors.skynet.refusals import INTERNAL, Refusal, refusal_of
from thingtank.doors.skynet.sockets.client import Client
from thingtank.doors.skynet.sockets.door import SkynetSockets, new_id
from thingtank.doors.skynet.sockets.events.asking import acting_by, body_of, check_is_known, text_of
from thingtank.doors.skynet.sockets.events.identities import identified, log_identity, stays_unseen
from thingtank.doors.skynet.sockets.websockets import arrival_of
from thingtank.net.websocket import (
    Refused,
    WebSocketHead,
    WebSocketPeer,
    WebSocketRoute,
    text_frame,
)
from thingtank.net.websocket_errors import CloseCode
from thingtank.protocols.socketio.json_values import NotJson, decode
from thingtank.tank.errors import TankError, ValidationFailed
from thingtank.tank.messaging.event_codes import EventCode
from thingtank.tank.messaging.messages import Message
from thingtank.tank.messaging.permissions import Party
from thingtank.tank.messaging.switchboard import Delivery
from thingtank.tank.request_log import SERVERS_OWN
from thingtank.tank.things import Device

log = structlog.get_logger()

PATH = "/ws/v2"
_FRAME = "Meshblu's WebSocket in a frame"
_FRAME_CHARS_MAX = 1000  # of a frame that an error shows again

_encode = msgspec.json.encode

Answer = tuple[str, Any] | None
"""Type and data of a frame; None for none."""


class RawClient(Client):
    """One client."""

    __slots__ = ()

    own_kinds = (*OWN_KINDS, "data")
    log_door = "skynet_websocket"

    def __init__(self, sockets: SkynetSockets, peer: WebSocketPeer) -> None:
        super().__init__(sockets, new_id(), arrival_of(peer.head, sockets.door))
        self._peer = peer
        sockets.remember(self)
        self.take(_OPENED)

    # --- as a conversation ---

    def receive_message(self, message: bytes, is_text: bool) -> None:
        """Take a frame."""
        try:
            frame = decode(message) if is_text else None
        except NotJson:
            frame = None
        self.take(frame)

    def pause_writing(self) -> None:
        """It is behind; what it leaves unread is looked at with each write."""

    def resume_writing(self) -> None:
        """It has caught up."""

    def end(self) -> None:
        """The connection is gone."""
        self._peer = None
        self._out.clear()
        self.leave()

    # --- as a client ---

    def emit_json(self, name: bytes, args_json: bytes) -> None:
        """Send one frame."""
        self.write(text_frame(b'["%b",%b]' % (name, args_json or b"null")))

    def deliver(self, delivery: Delivery) -> None:
        """Take what the switchboard has for it."""
        message = delivery.message
        if self.is_over:
            return
        if message is None:
            self.emit_record(delivery)
        elif message.event != "message":
            self.emit_message(message)
        elif self.wants_payload_only(delivery):
            self.emit_json(b"message", message.encoded_payload())
        else:
            self.write(message.framed(_FRAME, _frame_of))

    def finish(self) -> None:
        """End the connection, what was sent first."""
        self._close_peer(CloseCode.POLICY_VIOLATION)
        self.leave()

    def let_go(self) -> None:
        """End the connection, what was sent first; the server stops."""
        self._close_peer(CloseCode.GOING_AWAY)
        self.leave()

    def next_due_us(self) -> int | None:
        """Nothing is ever due: WebSockets have heartbeats of their own."""
        return None

    def take_due(self, now_us: int) -> None:
        """Nothing is."""

    def not_ready(self, uuid: str) -> dict[str, Any]:
        """What it is told when its uuid and token open nothing."""
        return {"message": "unauthorized", "status": 401}

    # --- what it asks ---

    async def _answer(self, asked: Any) -> None:
        if asked is _OPENED:
            await self._count()
            return
        if not self.holds():
            return
        refuse = _refuse
        noting = Noting(self.door, self.log_door, "frame", _kind_of(asked), asked)
        before, status, reason = self.party, 200, ""
        try:
            kind, data = _parts(asked)
            refuse = _refuse_identity if kind == "identity" else _refuse
            answer = await _handler(self, kind)(_Asking(self, data))
        except (TankError, SkynetError) as error:
            refusal = refusal_of(error)
            status, reason = refusal.code, str(error)
            answer = refuse(asked, refusal)
        except Exception:
            # The edge of the door: the client gets no details, the log all of them.
            log.exception("skynet_frame_failed")
            status, reason = INTERNAL.code, SERVERS_OWN
            answer = refuse(asked, INTERNAL)
        if answer is not None:
            self.emit(*answer)
        who = self.party if before.device is None else before
        noting.answered(who, _named_in(asked), answer, status, reason)

    async def _count(self) -> None:
        try:
            await self.door.rates.count("connections", self.party)
        except RateLimited as error:
            self.emit(*_refuse(None, refusal_of(error)))
            self.finish()


_OPENED = object()


def _frame_of(message: Message) -> bytes:
    return text_frame(b'["message",%b]' % message.encoded("modern"))


def _parts(frame: Any) -> tuple[str, Any]:
    match frame:
        case [str(kind)]:
            return kind, None
        case [str(kind), data, *_]:
            return kind, data
        case _:
            raise ValidationFailed([("frame", "must be an array in JSON: a type, and data")])


def _kind_of(frame: Any) -> str:
    return frame[0] if isinstance(frame, list) and frame and isinstance(frame[0], str) else "?"


def _named_in(frame: Any) -> dict[str, Any]:
    """The part of a frame that may name a device."""
    match frame:
        case [_, [query, *_], *_] | [_, query, *_]:
            return body_of(query)
        case _:
            return {}


def _refuse(frame: Any, refusal: Refusal) -> tuple[str, Any]:
    told: dict[str, Any] = {"message": refusal.message, "status": refusal.code}
    if refusal.retry_after_s is not None:
        told["retryAfter"] = round(refusal.retry_after_s, 3)
    if frame is not None and len(_encode(frame)) <= _FRAME_CHARS_MAX:
        told["frame"] = frame
    return "error", told


def _refuse_identity(frame: Any, refusal: Refusal) -> tuple[str, Any]:
    _, told = _refuse(None, refusal)
    return "notReady", told


class _Asking(NamedTuple):
    client: RawClient
    data: Any

    @property
    def body(self) -> dict[str, Any]:
        return body_of(self.data)

    @property
    def party(self) -> Party:
        return acting_by(self.client, self.body)

    @property
    def uuid(self) -> str:
        return text_of(self.body, "uuid") or self.client.party.uuid

    def record(self, device: Device, party: Party) -> dict[str, Any]:
        return modern_record(device, self.client.door.tank.messaging.presence, party)


_Handle = Callable[[_Asking], Awaitable[Answer]]


def _handler(client: RawClient, kind: str) -> _Handle:
    handle = _STRANGERS.get(kind)
    if handle is not None:
        return handle
    handle = _HANDLERS.get(kind)
    if handle is None:
        raise ValidationFailed([("frame", f"has no type that there is: {kind[:40]}")])
    if not client.has_identified:
        raise NotReady
    return handle


async def _identity(asking: _Asking) -> Answer:
    client, body = asking.client, asking.body
    party, token = await identified(client, body)
    log_identity(client, party, EventCode.IDENTIFIED)

    def ready() -> None:
        client.emit("ready", {"uuid": party.uuid, "token": token, "status": 200})

    await client.become(party, ready, shows_presence=not stays_unseen(body))
    return None


async def _register(asking: _Asking) -> Answer:
    client = asking.client
    check_is_known(client)
    made = await devices.register(client.door, client.party, asking.body, is_legacy=False)
    record = asking.record(made.device, Party(client.party.caller, made.device))
    return "registered", {**record, "token": made.token}


async def _status(asking: _Asking) -> Answer:
    return "status", {"meshblu": "online", "skynet": "online"}


async def _whoami(asking: _Asking) -> Answer:
    client = asking.client
    device = await devices.read(client.door, client.party, client.party.uuid, is_legacy=False)
    return "whoami", asking.record(device, client.party)


async def _device(asking: _Asking) -> Answer:
    party = asking.party
    device = await devices.read(asking.client.door, party, asking.uuid, is_legacy=False)
    return "device", asking.record(device, party)


async def _devices(asking: _Asking) -> Answer:
    party = asking.party
    filters = {name: value for name, value in asking.body.items() if name != "token"}
    found = await devices.query(asking.client.door, party, filters)
    return "devices", {"devices": [asking.record(device, party) for device in found]}


async def _mydevices(asking: _Asking) -> Answer:
    party = asking.client.party
    filters = {k: value for k, value in asking.body.items() if k not in ("uuid", "token")}
    found = await devices.query(asking.client.door, party, filters, owner=party.uuid)
    return "mydevices", [asking.record(device, party) for device in found]


async def _message(asking: _Asking) -> Answer:
    await messages.send(asking.client.door, asking.client.party, asking.body)
    return None


async def _subscribe(asking: _Asking) -> Answer:
    body = asking.body
    kinds, topics = kinds_of(body.get("types")), topics_of(body.get("topics"))
    await asking.client.subscribed.add(asking.party, asking.uuid, kinds, topics)
    return None


async def _unsubscribe(asking: _Asking) -> Answer:
    client = asking.client
    await client.subscribed.remove(client.party, asking.uuid, kinds_of(asking.body.get("types")))
    return None


async def _update(asking: _Asking) -> Answer:
    """The data is a query, which names the device, and an update document."""
    match asking.data:
        case [dict(query), dict(document)]:
            client = asking.client
            uuid = text_of(query, "uuid") or client.party.uuid
            party = acting_by(client, query)
            device = await devices.update_by_document(client.door, party, uuid, document)
            return "updated", {"uuid": device.uuid}
        case _:
            raise ValidationFailed([("data", "must be a query and an update document")])


async def _unregister(asking: _Asking) -> Answer:
    client = asking.client
    device = await devices.unregister(client.door, asking.party, asking.uuid)
    if device.device_id == client.party.device_id:
        client.become_stranger()
        return None  # it has heard of its own end
    return "unregistered", {"uuid": device.uuid}


_STRANGERS: dict[str, _Handle] = {
    "identity": _identity,
    "register": _register,
    "status": _status,
}
_HANDLERS: dict[str, _Handle] = {
    "whoami": _whoami,
    "device": _device,
    "devices": _devices,
    "mydevices": _mydevices,
    "message": _message,
    "subscribe": _subscribe,
    "unsubscribe": _unsubscribe,
    "update": _update,
    "unregister": _unregister,
}


def raw_websocket_route(sockets: SkynetSockets) -> dict[str, WebSocketRoute]:
    """By path."""
    settings = sockets.door.settings

    def check(head: WebSocketHead) -> Refused | None:
        return refuse_page(head, settings.allowed_origins) or sockets.refusal_of(head.address)

    def begin(peer: WebSocketPeer, protocol: str) -> RawClient:
        return RawClient(sockets, peer)

    bounds = settings.connections_max, settings.message_bytes_max
    return {PATH: WebSocketRoute(begin, *bounds, check=check, compresses=False)}
