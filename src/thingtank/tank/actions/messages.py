"""Send messages from device to device.

Source: Meshblu, messages, 2013 to 2018.
"""

from asyncio import Future
from collections import Counter
from collections.abc import Iterator
from typing import Any, Literal

import msgspec

from thingtank.tank.errors import NoSuchDevice, Unauthenticated
from thingtank.tank.events import MessageSent
from thingtank.tank.interfaces import SEARCH_CHARS_MAX, DeviceQuery
from thingtank.tank.messaging.event_codes import EventCode
from thingtank.tank.messaging.hub import all_of
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

GROUP_MAX = 10_000  # members that a message reaches of all tags that it names
GROUP_PAGE = 1000

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
    origin: str = "",
) -> Sent:
    """Send a message.

    Returns when it is on disk for those who are away, if they keep messages, and for those who have
    messages sent on.

    Args:
        asked: `devices`, `payload` (or `message`), and what else is to be delivered.
        reply: takes the answer of the one recipient that is there, if it gives one.
        logged: what the event log is to show; the message by default.
        event: what it is. Only messages are kept for who is away, and logged.
        origin: of a copy that is forwarded, that of the message it is a copy of.

    Raises:
        ValidationFailed: it is no message.
        Unauthenticated: the device that sends is gone.
        Overloaded, StorageFailed: it is on disk for some at most; those who are there have it.
    """
    party = _as_now(tank, party)
    device = party.device
    now_us = tank.clock.now_us()
    message = message_of(asked, party.uuid, party.device_id, now_us, event, origin)
    targets = targets_of(message.content["devices"])
    if len(targets) > 1 or is_for_many(targets[0]):
        reply = None
    sending = _Sending(tank, party, message, reply)
    to_store = tank.messaging.to_store = []
    try:
        # Who is named gets it as a message to itself, so those who hear broadcasts come last.
        for target in sorted(targets, key=BROADCAST.__contains__):
            sending.send(target)
        if not tank.messaging.stored.is_empty:
            sending.tell_subscribers()
    finally:
        tank.messaging.to_store = None
    ids = sending.device_ids if device is None else {device.device_id: None, **sending.device_ids}
    if ids and event == "message":
        body = message.encoded("modern") if logged is None else msgspec.json.encode(logged)
        tank.messaging.log(EventCode.MESSAGE, tuple(ids), body, at_us=message.at_us)
    if sending.pending or to_store:
        await all_of([*sending.pending, *to_store])
    return Sent(message, tuple([sending.receipts[target] for target in targets]))


def _as_now(tank: Tank, party: Party) -> Party:
    """A sender with its device as it is now, whose lists say who hears what it broadcasts."""
    device = party.device
    if device is None:
        return party
    try:
        newest = tank.directory.get_device(device.device_id)
    except NoSuchDevice:
        raise Unauthenticated("the device is gone") from None
    if newest is device:
        return party
    return Party(party.caller, newest, party.opens_id, party.token)


class _Sending:
    """One message on its way."""

    def __init__(self, tank: Tank, party: Party, message: Message, reply: Replied | None) -> None:
        self._tank = tank
        self._party = party
        self._message = message
        self._reply = reply
        self._told: dict[Listener, None] = {}
        # What is passed on to several behind one device is a message for each.
        self._told_of_rest: dict[str, dict[Listener, None]] = {}
        self._outcomes: dict[tuple[int, str | None], Outcome] = {}
        self._members_left = GROUP_MAX
        self._reached = set() if party.device is None else {party.device_id}
        self.receipts: dict[str, Receipt] = {}
        self.pending: list[Future[Any]] = []
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
            outcome: Outcome = "undeliverable"
            if device is not None:
                outcome = self._send_once(device, rest if slash else None)
            self.receipts[target] = Receipt(target, outcome)

    def _send_once(self, device: Device, rest: str | None = None) -> Outcome:
        """Send it to a device, if it was not sent there as a member of a group or by name."""
        sent = device.device_id, rest
        outcome = self._outcomes.get(sent)
        if outcome is None:
            if rest is None:
                outcome = self._send_to(device, self._message, self._told)
            else:
                told = self._told_of_rest.setdefault(rest, {})
                outcome = self._send_to(device, self._message.addressed(rest), told)
            self._outcomes[sent] = outcome
        return outcome

    def _broadcast(self, target: str) -> None:
        device, count = self._party.device, 0
        if device is not None:
            messaging = self._tank.messaging
            count = messaging.broadcast(device, self._message, self._told, self._reached)
        self.receipts[target] = Receipt(target, "delivered" if count else "away", count)

    def _send_to_group(self, target: str) -> None:
        """Send it to all devices of a tag that the sender may reach."""
        outcomes: Counter[Outcome] = Counter(
            self._send_once(device)
            for device in self._members(target.removeprefix(TAG))
            if device.device_id != self._party.device_id
        )
        count = outcomes["delivered"] + outcomes["kept"]
        otherwise: Outcome = "away" if outcomes["away"] else "undeliverable"
        self.receipts[target] = Receipt(target, "delivered" if count else otherwise, count)

    def _members(self, tag: str) -> Iterator[Device]:
        if not tag.strip() or len(tag) > SEARCH_CHARS_MAX:
            return
        for page in range(1, -(-GROUP_MAX // GROUP_PAGE) + 1):
            query = DeviceQuery(everybody=True, tag=tag, page=page, per_page=GROUP_PAGE)
            devices = self._tank.directory.list_devices(query).devices
            yield from devices[: self._members_left]
            self._members_left = max(0, self._members_left - len(devices))
            if len(devices) < GROUP_PAGE or not self._members_left:
                return

    def _send_to(self, device: Device, message: Message, told: dict[Listener, None]) -> Outcome:
        messaging = self._tank.messaging
        if not may(self._party, "send", device, messaging.policy):
            return "undeliverable"
        self.device_ids[device.device_id] = None
        self._reached.add(device.device_id)
        delivery = Delivery("received", device, message, reply=self._reply)
        is_there = messaging.switchboard.deliver(delivery, told) > 0
        if delivery.keeping is not None:
            self.pending += delivery.keeping
        if message.event != "message":
            return "delivered" if is_there else "away"
        own = self._party.device
        if own is not None and messaging.switchboard.has_listeners("sent", own.device_id):
            messaging.switchboard.deliver(Delivery("sent", own, message), told)
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
        messaging, own, reached = self._tank.messaging, self._party.device, self._reached
        for device_id in self.device_ids:
            device = self._tank.directory.get_device(device_id)
            self.pending += messaging.tell_subscribers(
                device, "received", self._message, self._told, reached
            )
        if own is not None and self.device_ids:
            self.pending += messaging.tell_subscribers(
                own, "sent", self._message, self._told, reached
            )
