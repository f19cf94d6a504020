"""Send messages from device to device.

Source: Meshblu, messages, 2013 to 2018.
"""

from asyncio import Future, gather
from collections.abc import Iterator
from typing import Any, Literal

import msgspec

from thingtank.tank.events import MessageSent
from thingtank.tank.interfaces import DeviceQuery
from thingtank.tank.messaging.event_codes import EventCode
from thingtank.tank.messaging.messages import (
    BROADCAST,
    TAG,
    EventName,
    Message,
    is_for_many,
    message_of,
    targets_of,
)
from thingtank.tank.messaging.permissions import Party, may
from thingtank.tank.messaging.switchboard import Delivery, Listener, Replied
from thingtank.tank.tank import Tank
from thingtank.tank.things import Device

GROUP_MAX = 10_000  # members that a message to a tag reaches

Outcome = Literal["delivered", "kept", "away", "undeliverable"]


class Receipt(msgspec.Struct, frozen=True):
    """What became of a message to one target.

    Attributes:
        devices: the target as it was named.
        outcome: `delivered` to a connection of it; `kept` for when it comes back; `away`, and not
            kept; `undeliverable`, because there is no such device or the sender may not reach it,
            which look the same.
        count: how many a broadcast or a group's message was delivered to.
    """

    devices: str
    outcome: Outcome
    count: int = 1


class Sent(msgspec.Struct, frozen=True):
    """A message that was sent, and what became of it."""

    message: Message
    receipts: tuple[Receipt, ...]


async def send_message(
    tank: Tank,
    party: Party,
    asked: Any,
    *,
    reply: Replied | None = None,
    logged: dict[str, Any] | None = None,
    event: EventName = "message",
) -> Sent:
    """Send a message; returns when those who are away have it on disk, if they keep messages.

    Args:
        asked: `devices`, `payload` (or `message`), and what else is to be delivered.
        reply: takes the answer of the one recipient that is there, if it gives one.
        logged: what the event log is to show; the message by default.
        event: what it is. Only messages are kept for who is away, and logged.

    Raises:
        ValidationFailed: it is no message.
        Overloaded, StorageFailed: some who are away would not have it; those who are there do.
    """
    device = party.device
    message = message_of(asked, party.uuid, party.device_id, tank.clock.now_us(), event)
    targets = targets_of(message.content["devices"])
    if len(targets) > 1 or is_for_many(targets[0]):
        reply = None
    sending = _Sending(tank, party, message, reply)
    for target in targets:
        sending.send(target)
    if not tank.messaging.stored.is_empty:
        sending.tell_subscribers()
    ids = sending.device_ids if device is None else {device.device_id: None, **sending.device_ids}
    if ids and event == "message":
        body = message.encoded("modern") if logged is None else msgspec.json.encode(logged)
        tank.messaging.log(EventCode.MESSAGE, tuple(ids), body, at_us=message.at_us)
    if sending.pending:
        await _all(sending.pending)
    return Sent(message, tuple(sending.receipts))


async def _all(pending: list[Future[int]]) -> None:
    """Wait for all; then raise what the first raised that was refused."""
    for outcome in await gather(*pending, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome


class _Sending:
    """One message on its way."""

    def __init__(self, tank: Tank, party: Party, message: Message, reply: Replied | None) -> None:
        self._tank = tank
        self._party = party
        self._message = message
        self._reply = reply
        self._told: dict[Listener, None] = {}
        self.receipts: list[Receipt] = []
        self.pending: list[Future[int]] = []
        self.device_ids: dict[int, None] = {}

    def send(self, target: str) -> None:
        """Send it to one target."""
        if target in BROADCAST:
            self._broadcast(target)
        elif target.startswith(TAG):
            self._send_to_group(target)
        else:
            # `uuid/rest`: the device passes it on to what `rest` names.
            name, slash, rest = target.partition("/")
            device = self._tank.directory.find_device_by_uuid(name)
            message = self._message.addressed(rest) if slash else self._message
            outcome = "undeliverable" if device is None else self._send_to(device, message)
            self.receipts.append(Receipt(target, outcome))

    def _broadcast(self, target: str) -> None:
        device = self._party.device
        count = 0 if device is None else self._tank.messaging.broadcast(device, self._message)
        self.receipts.append(Receipt(target, "delivered" if count else "away", count))

    def _send_to_group(self, target: str) -> None:
        """Send it to all devices of a tag that the sender may reach."""
        count = 0
        for device in self._members(target.removeprefix(TAG)):
            if device.device_id != self._party.device_id:
                outcome = self._send_to(device, self._message)
                count += outcome in ("delivered", "kept")
        self.receipts.append(Receipt(target, "delivered" if count else "undeliverable", count))

    def _members(self, tag: str) -> Iterator[Device]:
        for page in range(1, GROUP_MAX // 1000 + 1):
            query = DeviceQuery(everybody=True, tag=tag[:255], page=page, per_page=1000)
            devices = self._tank.directory.list_devices(query).devices
            yield from devices
            if len(devices) < 1000:
                return

    def _send_to(self, device: Device, message: Message) -> Outcome:
        messaging = self._tank.messaging
        if not may(self._party, "send", device, messaging.policy):
            return "undeliverable"
        self.device_ids[device.device_id] = None
        delivery = Delivery("received", device, message, reply=self._reply)
        is_there = messaging.switchboard.deliver(delivery, self._told) > 0
        if message.event != "message":
            return "delivered" if is_there else "away"
        own = self._party.device
        if own is not None and messaging.switchboard.has_listeners("sent", own.device_id):
            messaging.switchboard.deliver(Delivery("sent", own, message), self._told)
        outcome: Outcome = "delivered" if is_there else self._keep(device, message)
        self._tank.bus.publish(MessageSent(device, message, outcome=outcome))
        return outcome

    def _keep(self, device: Device, message: Message) -> Outcome:
        pending = self._tank.messaging.keep(device, message)
        if pending is None:
            return "away"
        self.pending.append(pending)
        return "kept"

    def tell_subscribers(self) -> None:
        """Give it to those that are subscribed for good to who received it, or who sent it."""
        messaging, own = self._tank.messaging, self._party.device
        reached = set(self.device_ids)
        if own is not None:
            reached.add(own.device_id)
        for device_id in self.device_ids:
            device = self._tank.directory.get_device(device_id)
            self.pending += messaging.tell_subscribers(
                device, "received", self._message, self._told, reached
            )
        if own is not None and self.device_ids:
            self.pending += messaging.tell_subscribers(
                own, "sent", self._message, self._told, reached
            )
