"""The messaging of a tank: all that is shared by the doors that devices talk to each other by.

Lives in the loop's thread.
"""

import asyncio
import contextlib
from asyncio import Future, gather, get_running_loop
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

from thingtank.tank.access import STRANGER
from thingtank.tank.bus import Bus
from thingtank.tank.device_events import DeviceEvents, LoggedEvent, NoDeviceEvents
from thingtank.tank.errors import (
    LimitReached,
    NoSuchDevice,
    Overloaded,
    StorageFailed,
    Unavailable,
)
from thingtank.tank.events import (
    DatapointsRecorded,
    DeviceDeleted,
    DeviceUpdated,
    MessageSent,
    PresenceChanged,
)
from thingtank.tank.interfaces import Clock, Directory
from thingtank.tank.kept_messages import KeptMessages, NoKeptMessages, kept_s
from thingtank.tank.messaging.data import newest_values
from thingtank.tank.messaging.event_codes import EventCode
from thingtank.tank.messaging.messages import DATA_TOPIC, STATUS_TOPIC, Message
from thingtank.tank.messaging.permissions import LIST_NAMES, Party, Policy
from thingtank.tank.messaging.presence import Connection, Presence
from thingtank.tank.messaging.stored_subscriptions import StoredSubscriptions
from thingtank.tank.messaging.switchboard import Delivery, Kind, Listener, Switchboard
from thingtank.tank.things import Device

PublicKey = Callable[[], Awaitable[str]]
# Waits until a client has what it was given; False if it may not have.
HasTaken: TypeAlias = Callable[[], Awaitable[bool]]
# `give_kept` or `give_rest`.
GiveKept: TypeAlias = Callable[..., Awaitable[int]]

KEPT_ROUNDS_MAX = 20  # of kept messages that a device is given before it hears new ones
KEPT_PER_ROUND = 100
LOGGED_BYTES_MAX = 8192  # of one event's body
CONFIG_TOPIC = "config"
UNREGISTERED_TOPIC = "unregistered"

_NOT_TOLD = LIST_NAMES | {"owner", "meshblu", "keepMessages"}


async def _no_public_key() -> str:
    raise Unavailable("this instance signs nothing")


class Messaging:
    """Switchboard, presence, event log and kept messages of one tank.

    Attributes:
        policy: how open it is.
        events: the event log of devices.
        kept: messages for devices that are away.
        stored: subscriptions that devices keep.
        to_store: what must be on disk before the sender of the message at hand is told that it is
            sent; whoever reacts to `MessageSent` may add to it. None while nobody sends.
        public_key: tells the key, in PEM, that signatures of hooks are verified with; set by who
            signs.
    """

    def __init__(
        self,
        bus: Bus,
        directory: Directory,
        clock: Clock,
        policy: Policy,
        events: DeviceEvents | None = None,
        kept: KeptMessages | None = None,
    ) -> None:
        """Nobody listens yet."""
        self._bus = bus
        self._directory = directory
        self._clock = clock
        self.policy = policy
        self.events: DeviceEvents = events or NoDeviceEvents()
        self.kept: KeptMessages = kept or NoKeptMessages()
        self._removing: set[asyncio.Task[None]] = set()
        self.to_store: list[Future[Any]] | None = None
        self.public_key: PublicKey = _no_public_key
        self.switchboard = Switchboard(policy, directory)
        self.presence = Presence(clock.now_us, self._presence_changed)
        self.stored = StoredSubscriptions(bus, directory)
        bus.react(DatapointsRecorded, self._tell_data)
        bus.react(DeviceUpdated, self._tell_record)
        bus.react(DeviceDeleted, self._tell_end)

    # --- messages ---

    def broadcast(
        self, device: Device, message: Message, told: dict[Listener, None], reached: set[int]
    ) -> int:
        """Give a message to all who listen to what a device broadcasts.

        Args:
            told: who had it already, and is left out; who gets it now is added.
            reached: devices, likewise; the device itself is one.

        Returns:
            How many get it now.
        """
        told_count = len(told)
        self.switchboard.deliver(Delivery("broadcast", device, message), told)
        self.switchboard.deliver(Delivery("sent", device, message), told)
        pending = self.tell_subscribers(device, "broadcast", message, told, reached)
        if self.to_store is not None:
            self.to_store += pending
        count = len(told) - told_count
        outcome = "delivered" if count else "away"
        self._bus.publish(MessageSent(device, message, is_broadcast=True, outcome=outcome))
        return count

    def tell_subscribers(
        self,
        emitter: Device,
        kind: Kind,
        message: Message,
        told: dict[Listener, None],
        reached: set[int],
        *,
        keeps: bool = True,
    ) -> list[Future[int]]:
        """Give a message to the devices that are subscribed to a kind of a device for good.

        Args:
            reached: the devices that have it already; those that get it now are added.
            keeps: whether it is a message like others: kept for those that are away, and sent on.

        Returns:
            What is done when it is kept on disk.
        """
        pending = []
        for subscriber in self.stored.subscribers(emitter, kind):
            if subscriber.device_id in reached:
                continue
            if not self.switchboard.may_hear(Party(STRANGER, subscriber), kind, emitter):
                continue
            reached.add(subscriber.device_id)
            is_there = self.switchboard.deliver(Delivery("received", subscriber, message), told)
            if not keeps:
                continue
            self._bus.publish(MessageSent(subscriber, message))
            future = None if is_there else self.keep(subscriber, message)
            if future is not None:
                pending.append(future)
        return pending

    def keep(self, device: Device, message: Message) -> Future[int] | None:
        """Keep a message for a device that is away, if it has that done and there is room.

        Returns:
            What is done when it is on disk, or raises Overloaded or StorageFailed; None when it is
            not to be kept.
        """
        seconds = kept_s(device)
        if not seconds:
            return None
        expires_us = message.at_us + seconds * 1_000_000
        try:
            pending = self.kept.keep(
                device.device_id, message.encoded("modern"), message.at_us, expires_us
            )
        except LimitReached:
            return None
        except Overloaded as error:
            pending = get_running_loop().create_future()
            pending.set_exception(error)
        # Nobody need wait for it: what is never asked for is not to be complained of.
        pending.add_done_callback(lambda done: done.cancelled() or done.exception())
        return pending

    def make_broadcast(self, device: Device, payload: Any, topic: str) -> Message:
        """A message of a device to whoever listens."""
        content = {"devices": "*", "topic": topic, "payload": payload, "fromUuid": device.uuid}
        return Message(device.uuid, device.device_id, self._clock.now_us(), content)

    async def give_kept(
        self,
        device: Device,
        listener: Listener,
        is_there: Callable[[], bool] = lambda: True,
        has_taken: HasTaken | None = None,
        stays: HasTaken | None = None,
        *,
        after_id: int = 0,
    ) -> int:
        """Give a device the messages that came while it was away, oldest first.

        Before it is made to listen, so that new ones do not overtake them. A message is forgotten
        after it was handed to the connection, and is on disk if the listener keeps it for its
        client: a crash between the two gives it twice, and never loses it. `kept.id` in it is the
        same then.

        Args:
            is_there: whether the listener has not left meanwhile.
            has_taken: waits until it has fetched what it was given; False if it left before, so
                that they stay. None where they are handed over at once.
            stays: waits until what was handed over has arrived; False if it may not have. Nothing
                else waits for it: until then they are on disk, and whoever comes gets them too.
            after_id: those up to this one it has been given already.

        Returns:
            The last that it was given.

        Raises:
            StorageFailed: they cannot be read, or kept by the listener, and stay.
        """
        for _ in range(KEPT_ROUNDS_MAX):
            if not self.kept.count(device.device_id):
                return after_id
            found = await self.kept.take(
                device.device_id, self._clock.now_us(), KEPT_PER_ROUND, after_id=after_id
            )
            if not is_there():
                return after_id
            pending: list[Future[Any]] = []
            for message in found:
                content = msgspec.json.decode(message.body)
                content["kept"] = {"id": str(message.kept_id), "at": message.at_us // 1000}
                from_uuid = content.get("fromUuid", "")
                again = Message(from_uuid, 0, message.at_us, content)
                delivery = Delivery("received", device, again)
                listener.deliver(delivery)
                pending += delivery.keeping or ()
            await all_of(pending)
            if has_taken is not None and not await has_taken():
                return after_id
            kept_ids = [message.kept_id for message in found]
            if stays is None:
                await self._remove(device.device_id, kept_ids)
            elif found:
                removing = asyncio.create_task(self._remove(device.device_id, kept_ids, stays))
                self._removing.add(removing)
                removing.add_done_callback(self._removing.discard)
            if not found:
                return after_id
            after_id = kept_ids[-1]
        return after_id

    async def _remove(
        self, device_id: int, kept_ids: list[int], stays: HasTaken | None = None
    ) -> None:
        if stays is None or await stays():
            with contextlib.suppress(StorageFailed):  # they have it; the store tries again
                await self.kept.remove(device_id, kept_ids)

    async def give_rest(
        self,
        device: Device,
        listener: Listener,
        is_there: Callable[[], bool] = lambda: True,
        has_taken: HasTaken | None = None,
        stays: HasTaken | None = None,
        *,
        after_id: int = 0,
    ) -> int:
        """Give a device what was kept while it was given the rest; see `give_kept`.

        Right after it was made to listen, since when nothing more is kept for it. New messages wait
        until it has those.
        """
        if self.kept.count(device.device_id):
            with self.switchboard.holding(listener, device.device_id):
                return await self.give_kept(
                    device, listener, is_there, has_taken, stays, after_id=after_id
                )
        return after_id

    # --- the event log ---

    def log(
        self,
        code: EventCode,
        device_ids: tuple[int, ...],
        body: Mapping[str, Any] | bytes,
        *,
        event_id: str = "",
        at_us: int | None = None,
    ) -> None:
        """Note what happened with devices.

        Args:
            body: what the log shows, a JSON object; encoded if it is bytes. No secrets. Of one that
                is longer than LOGGED_BYTES_MAX the log shows how long it was.
            event_id: of an event that replaces the one with the same id.
        """
        encoded = body if isinstance(body, bytes) else msgspec.json.encode(body)
        if len(encoded) > LOGGED_BYTES_MAX:
            encoded = msgspec.json.encode({"omitted": f"{len(encoded)} bytes"})
        at_us = self._clock.now_us() if at_us is None else at_us
        self.events.append(
            LoggedEvent(at_us, code, device_ids, encoded, event_id, replaces=bool(event_id))
        )

    # --- what the tank tells ---

    def _presence_changed(
        self, device: Device, is_online: bool, connection: Connection | None
    ) -> None:
        try:
            # Its lists may be others than when it came.
            device = self._directory.get_device(device.device_id)
        except NoSuchDevice:
            return
        status = self.make_broadcast(device, {"online": is_online}, STATUS_TOPIC)
        told: dict[Listener, None] = {}
        if self.switchboard.has_listeners("broadcast", device.device_id):
            self.switchboard.deliver(Delivery("broadcast", device, status), told)
        self.tell_subscribers(device, "broadcast", status, told, set(), keeps=False)
        self._bus.publish(PresenceChanged(device, is_online))

    def _tell_data(self, event: DatapointsRecorded) -> None:
        device_id, board = event.device_id, self.switchboard
        is_broadcast = board.has_listeners("broadcast", device_id)
        is_stored = not self.stored.is_empty
        if not is_broadcast and not is_stored and not board.has_listeners("data", device_id):
            return
        try:
            device = self._directory.get_device(device_id)
        except NoSuchDevice:  # deleted while they were written
            return
        is_broadcast = is_broadcast or bool(self.stored.subscribers(device, "broadcast"))
        values = newest_values(event)
        told: dict[Listener, None] = {}
        board.deliver(Delivery("data", device, None, values), told)
        if is_broadcast:
            message = self.make_broadcast(device, values, DATA_TOPIC)
            board.deliver(Delivery("broadcast", device, message), told)
            self.tell_subscribers(device, "broadcast", message, told, set(), keeps=False)

    def _tell_record(self, event: DeviceUpdated) -> None:
        if not event.is_record:
            return
        device = event.device
        if self.switchboard.has_listeners("config", device.device_id):
            self.switchboard.deliver(Delivery("config", device, None))
        self._tell_of_record(device, "config", CONFIG_TOPIC)

    def _tell_of_record(self, device: Device, kind: Kind, topic: str) -> None:
        """Tell who is subscribed for good what a device is now, or was."""
        if self.stored.is_empty:
            return
        properties = device.properties
        record = {name: properties[name] for name in properties if name not in _NOT_TOLD}
        record |= {"uuid": device.uuid, "name": device.title, "tags": list(device.tags)}
        message = self.make_broadcast(device, record, topic)
        self.tell_subscribers(device, kind, message, {}, set())

    def _tell_end(self, event: DeviceDeleted) -> None:
        device = event.device
        self.switchboard.deliver(Delivery("unregistered", device, None))
        self._tell_of_record(device, "unregistered", UNREGISTERED_TOPIC)
        self.presence.forget(device.device_id)
        self.events.forget(device.device_id)
        self.kept.forget(device.device_id)


async def all_of(pending: Sequence[Future[Any]]) -> None:
    """Wait for all; then raise what the first raised that was refused."""
    for outcome in await gather(*pending, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome
