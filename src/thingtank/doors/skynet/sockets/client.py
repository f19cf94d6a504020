"""One client on a socket, whatever its wire: who it is, what it hears, and what it asks, in order.

What it asks is done at once and without a task; while something has to wait, such as for the disk,
what it asks next waits too, and no more is read from it.
"""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import msgspec
import structlog

from thingtank.doors.skynet.operations.messages import log_not_given
from thingtank.doors.skynet.operations.subscriptions import OWN_KINDS, Subscribed
from thingtank.doors.skynet.records import legacy_record, modern_record, sees_all
from thingtank.net.eager import run_eagerly
from thingtank.net.websocket import WebSocketPeer
from thingtank.net.websocket_errors import CloseCode
from thingtank.tank.errors import Unavailable
from thingtank.tank.messaging.event_codes import EventCode
from thingtank.tank.messaging.hub import GiveKept
from thingtank.tank.messaging.messages import Message
from thingtank.tank.messaging.permissions import Party, still_holds
from thingtank.tank.messaging.presence import Connection
from thingtank.tank.messaging.switchboard import Delivery, Kind
from thingtank.tank.things import Device

if TYPE_CHECKING:
    from thingtank.doors.skynet.sockets.door import SkynetSockets

log = structlog.get_logger()

WAITING_MAX = 2000  # of what one client has asked, while something before it waits

_encode = msgspec.json.encode


class Arrival(NamedTuple):
    """How a client has come.

    Attributes:
        address: of the peer.
        is_secure: whether its connection is encrypted.
        is_let_in: whether it is answered before it has said who it is; see `SkynetDoor.lets_in`.
    """

    address: str
    is_secure: bool
    is_let_in: bool


class Client(ABC):
    """One client.

    Attributes:
        is_legacy: it is of early 2014 and wants answers as they were then.
        log_door: by which name the request log knows its wire.
        own_kinds: what it hears of itself without asking.
        socket_id: what `identify` calls it.
        arrival: how it has come.
        party: who it is; a stranger at first.
        is_over: it is gone, or has been sent away.
        due_tick: see `deadlines.Due`.
    """

    __slots__ = (
        "_is_busy",
        "_out",
        "_peer",
        "_rights_version",
        "_subscribed",
        "_visits",
        "_waiting",
        "arrival",
        "door",
        "due_tick",
        "is_over",
        "party",
        "socket_id",
        "sockets",
    )

    is_legacy: ClassVar[bool] = False
    log_door: ClassVar[str] = "skynet_socketio"
    own_kinds: ClassVar[tuple[Kind, ...]] = OWN_KINDS

    def __init__(self, sockets: "SkynetSockets", socket_id: str, arrival: Arrival) -> None:
        self.sockets = sockets
        self.door = sockets.door
        self.socket_id = socket_id
        self.arrival = arrival
        self.party = sockets.door.parties.stranger(arrival.address)
        self.is_over = False
        self.due_tick = 0
        self._peer: WebSocketPeer | None = None
        self._out: list[bytes] = []
        self._rights_version = -1
        self._visits: tuple[tuple[Device, Connection], ...] = ()
        self._subscribed: Subscribed | None = None
        self._waiting: deque[Any] | None = None
        self._is_busy = False

    # --- what each wire does ---

    @abstractmethod
    async def _answer(self, asked: Any) -> None:
        """Do what was asked, and say what became of it; raises nothing that is not a bug."""

    @abstractmethod
    def emit_json(self, name: bytes, args_json: bytes) -> None:
        """Send one event.

        Args:
            args_json: n >= 0 values in JSON, with commas between them.
        """

    @abstractmethod
    def deliver(self, delivery: Delivery) -> None:
        """Take what the switchboard has for it; at once, and without raising."""

    @abstractmethod
    def finish(self) -> None:
        """End the connection, what was sent first."""

    @abstractmethod
    def let_go(self) -> None:
        """End the connection, what was sent first; the server stops."""

    @abstractmethod
    def next_due_us(self) -> int | None:
        """When `take_due` is to be called; None for never."""

    @abstractmethod
    def take_due(self, now_us: int) -> None:
        """Send heartbeats, end what has been waited for long enough."""

    # --- its WebSocket, if it has one ---

    def write(self, frame: bytes) -> None:
        """Write a frame, at the end of the loop's turn."""
        if not self._out:
            self.sockets.flush_soon(self)
        self._out.append(frame)

    def flush(self) -> None:
        """Write what there is."""
        out, peer = self._out, self._peer
        if peer is None or not out:
            return
        if peer.unread_bytes() > self.door.settings.unread_bytes_max:
            self._cut_off(peer)
            return
        peer.write_frames(out[0] if len(out) == 1 else b"".join(out))
        out.clear()

    def _cut_off(self, peer: WebSocketPeer) -> None:
        log.warning("skynet_client_cut_off", address=self.address, unread_bytes=peer.unread_bytes())
        self._out.clear()
        peer.abort()

    def _close_peer(self, code: CloseCode = CloseCode.NORMAL, text: str = "") -> None:
        """Close it, what there is first."""
        self.flush()
        peer, self._peer = self._peer, None
        if peer is not None:
            peer.close(code, text)

    def _pause(self) -> None:
        """Read no more for now; of who polls, what came is bounded."""
        if self._peer is not None:
            self._peer.pause()

    def _read_on(self) -> None:
        if self._peer is not None:
            self._peer.resume()

    # --- what it asks ---

    def take(self, asked: Any) -> None:
        """It asks something: do it, or as soon as what it asked before is done."""
        if not self._is_busy:
            self._is_busy = True
            run_eagerly(self._work_off(asked))
        elif self._waiting is None:
            self._waiting = deque((asked,))
            self._pause()
        elif len(self._waiting) < WAITING_MAX:
            self._waiting.append(asked)
        else:
            log.warning("skynet_client_asks_too_much", waiting_count=WAITING_MAX)
            self.finish()

    async def _work_off(self, asked: Any) -> None:
        while not self.is_over:
            try:
                await self._answer(asked)
            except Exception:
                log.exception("skynet_event_failed")
            if not self._waiting:
                break
            asked = self._waiting.popleft()
        self._is_busy = False
        if self._waiting is not None:
            self._waiting = None
            self._read_on()

    # --- who it is ---

    @property
    def address(self) -> str:
        """Of the peer."""
        return self.arrival.address

    @property
    def subscribed(self) -> Subscribed:
        """What it listens to."""
        if self._subscribed is None:
            self._subscribed = Subscribed(self.door, self)
        return self._subscribed

    @property
    def has_identified(self) -> bool:
        """Whether it has said who it is."""
        return self.party.device is not None

    async def become(
        self, party: Party, ready: Callable[[], None], *, shows_presence: bool = True
    ) -> None:
        """Be a device from now on, in place of what it was before.

        Args:
            ready: tells the client; messages follow.
            shows_presence: whether it counts as being there.
        """
        self.withdraw()
        self.party = party
        self._rights_version = -1
        await self.hear_as(party, ready, shows_presence=shows_presence)

    async def hear_as(
        self, party: Party, ready: Callable[[], None], *, shows_presence: bool = True
    ) -> None:
        """Hear what a device hears by itself; see `become`."""
        device = party.device
        assert device is not None, "it was found by its token"
        ready()
        messaging = self.door.tank.messaging
        given_id = await self._take_kept(device, messaging.give_kept, 0)
        if self.is_over:
            return
        self.subscribed.listen(party, device, self.own_kinds)
        if shows_presence and all(device.device_id != each.device_id for each, _ in self._visits):
            connection = Connection("websocket", self.socket_id, *self.arrival[:2])
            self._visits = (*self._visits, (device, connection))
            messaging.presence.connect(device, connection)
        await self._take_kept(device, messaging.give_rest, given_id)

    async def _take_kept(self, device: Device, give: GiveKept, after_id: int) -> int:
        try:
            return await give(device, self, self._is_there, self.has_taken, after_id=after_id)
        except Unavailable as error:
            log_not_given(device, error)
            return after_id

    def _is_there(self) -> bool:
        return not self.is_over

    async def has_taken(self) -> bool:
        """Wait until what it was sent is on its way to it; False if it left before."""
        return not self.is_over

    def renew(self, token: str) -> None:
        """Its own token is another one now."""
        old = self.party
        new = self.party = Party(old.caller, old.device, token=token)
        self.subscribed.renew(old, new)

    def become_stranger(self) -> None:
        """Be nobody from now on; its device is gone."""
        self.withdraw()
        self.party = self.door.parties.stranger(self.address)

    def withdraw(self) -> None:
        """Listen to nothing, and be there as nobody."""
        if self._subscribed is not None:
            self._subscribed.clear()
        visits, self._visits = self._visits, ()
        messaging = self.door.tank.messaging
        for device, connection in visits:
            messaging.presence.disconnect(device, connection)
            body = {"api": "disconnect", "socketid": self.socket_id, "uuid": device.uuid}
            messaging.log(EventCode.AUTHENTICATED, (device.device_id,), body)

    def holds(self) -> bool:
        """Whether what it has shown still opens what it did; it is sent away if not."""
        directory = self.door.tank.directory
        version = directory.rights_version
        if version == self._rights_version:
            return True
        if still_holds(self.party, directory):
            self._rights_version = version
            return True
        self._expel()
        return False

    def look_at_rights(self) -> None:
        """Send it away if its rights are gone; what it is asking may be what takes them."""
        if not (self._is_busy or self.is_over):
            self.holds()

    def _expel(self) -> None:
        uuid = self.party.uuid
        self.withdraw()
        self.emit("notReady", self.not_ready(uuid))
        self.finish()

    def not_ready(self, uuid: str) -> dict[str, Any]:
        """What it is told when its uuid and token open nothing."""
        return {"api": "connect", "status": 401, "uuid": uuid, "socketid": self.socket_id}

    def leave(self) -> None:
        """Its connection is gone."""
        if not self.is_over:
            self.is_over = True
            self._waiting = None
            self.withdraw()
            self.sockets.forget(self)

    # --- what it hears ---

    def emit(self, name: str, *args: Any) -> None:
        """Send one event."""
        self.emit_json(name.encode(), b",".join([_encode(arg) for arg in args]))

    def wants_payload_only(self, delivery: Delivery) -> bool:
        """Whether a message is for a device that wants to hear nothing else of it."""
        device = delivery.device
        return (
            delivery.kind == "received"
            and bool(device.properties)
            and bool(device.properties.get("payloadOnly"))
            and self.party.is_of(device.device_id)
        )

    def emit_message(self, message: Message) -> None:
        """Send a message that is no ordinary one."""
        self.emit_json(message.event.encode(), self.message_json(message))

    def message_json(self, message: Message) -> bytes:
        """A message as its generation reads it."""
        if message.event == "tb":
            return message.encoded_payload()
        return message.encoded("legacy" if self.is_legacy else "modern")

    def emit_record(self, delivery: Delivery) -> None:
        """Send what is no message: a record, data, an end."""
        if delivery.kind == "data":
            if delivery.encoded_record is None:
                delivery.encoded_record = _encode(delivery.record)
            self.emit_json(b"data", delivery.encoded_record)
            return
        self.emit_json(delivery.kind.encode(), self._record_json(delivery))
        if delivery.kind == "unregistered":
            self.sockets.call_soon(self.look_at_rights)

    def _record_json(self, delivery: Delivery) -> bytes:
        device, presence = delivery.device, self.door.tank.messaging.presence
        if self.is_legacy:
            return _encode(legacy_record(device, presence, self.party))
        if sees_all(self.party, device):
            return _encode(modern_record(device, presence, self.party))
        if delivery.encoded_record is None:
            nobody = self.door.parties.stranger("")
            delivery.encoded_record = _encode(modern_record(device, presence, nobody))
        return delivery.encoded_record
