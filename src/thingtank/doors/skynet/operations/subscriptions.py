"""Listen to devices."""

from collections.abc import Iterable, Sequence
from typing import Any

from thingtank.doors.skynet.door import SkynetDoor
from thingtank.doors.skynet.operations.devices import visible
from thingtank.tank.errors import LimitReached, NoSuchDevice, NotAllowed, ValidationFailed
from thingtank.tank.messaging.event_codes import EventCode
from thingtank.tank.messaging.permissions import Party
from thingtank.tank.messaging.switchboard import KINDS as ALL_KINDS
from thingtank.tank.messaging.switchboard import Kind, Listener
from thingtank.tank.messaging.topic_filter import TopicFilter
from thingtank.tank.things import Device

# By the names that clients use.
KINDS: dict[str, Kind] = {
    "broadcast": "broadcast",
    "received": "received",
    "sent": "sent",
    "config": "config",
    "data": "data",
}
DEFAULT_KINDS: tuple[Kind, ...] = ("broadcast", "received", "sent")
# What a device hears of itself without asking.
OWN_KINDS: tuple[Kind, ...] = ("received", "config", "unregistered")


class Subscribed:
    """What one connection listens to."""

    def __init__(self, door: SkynetDoor, listener: Listener) -> None:
        """To nothing yet."""
        self._door = door
        self._listener = listener
        self._device_ids: set[int] = set()

    async def add(
        self, party: Party, uuid: str, kinds: Sequence[Kind], topics: TopicFilter | None = None
    ) -> Device:
        """Listen to some kinds of a device, as far as the party may.

        Kinds that it may not hear are left out; a device none of whose kinds it may hear is
        refused.

        Raises:
            NoSuchDevice, NotAllowed, LimitReached, RateLimited.
        """
        await self._door.rates.count("queries", party)
        device = visible(self._door, party, uuid)
        board = self._door.tank.messaging.switchboard
        heard = [kind for kind in kinds if board.may_hear(party, kind, device)]
        if not heard:
            raise NotAllowed("unauthorized access")
        self.listen(party, device, heard, topics)
        messaging = self._door.tank.messaging
        ids = tuple({device.device_id, party.device_id} - {0})
        body = {"uuid": party.uuid, "subscribed": device.uuid}
        messaging.log(EventCode.SUBSCRIBED, ids, body)
        return device

    def listen(
        self,
        party: Party,
        device: Device,
        kinds: Iterable[Kind],
        topics: TopicFilter | None = None,
    ) -> None:
        """Listen without a look at rights, which are looked at with each delivery.

        Raises:
            LimitReached: this connection listens to too many devices.
        """
        maximum = self._door.settings.subscriptions_max
        if device.device_id not in self._device_ids and self._count() >= maximum:
            raise LimitReached(f"a connection may subscribe to {maximum} devices")
        self._device_ids.add(device.device_id)
        board = self._door.tank.messaging.switchboard
        board.add(self._listener, party, device, kinds, topics)

    def _count(self) -> int:
        """How many devices it listens to; those that are gone are dropped where it matters."""
        if len(self._device_ids) >= self._door.settings.subscriptions_max:
            for device_id in [each for each in self._device_ids if self._is_gone(each)]:
                self._door.tank.messaging.switchboard.remove(self._listener, device_id)
                self._device_ids.discard(device_id)
        return len(self._device_ids)

    def _is_gone(self, device_id: int) -> bool:
        try:
            self._door.tank.directory.get_device(device_id)
        except NoSuchDevice:
            return True
        return False

    async def remove(self, party: Party, uuid: str, kinds: Sequence[Kind]) -> None:
        """Listen to some kinds of a device no more; but for what a device hears of itself.

        Raises:
            RateLimited.
        """
        await self._door.rates.count("queries", party)
        device = self._door.tank.directory.find_device_by_uuid(uuid)
        if device is None or device.device_id not in self._device_ids:
            return
        if device.device_id == party.device_id:
            kinds = [kind for kind in kinds if kind not in OWN_KINDS]
        board = self._door.tank.messaging.switchboard
        board.remove(self._listener, device.device_id, kinds)
        if not any(board.listens(self._listener, kind, device.device_id) for kind in ALL_KINDS):
            self._device_ids.discard(device.device_id)
        body = {"uuid": party.uuid, "unsubscribed": device.uuid}
        self._door.tank.messaging.log(EventCode.UNSUBSCRIBED, (device.device_id,), body)

    def renew(self, old: Party, new: Party) -> None:
        """Listen as another from now on: the same device with another token."""
        board = self._door.tank.messaging.switchboard
        board.renew(self._listener, self._device_ids, old, new)

    def clear(self) -> None:
        """Listen to nothing more."""
        for device_id in self._device_ids:
            self._door.tank.messaging.switchboard.remove(self._listener, device_id)
        self._device_ids.clear()


def kinds_of(types: Any) -> tuple[Kind, ...]:
    """The kinds that a client names as `types`; the usual ones when it names none.

    Raises:
        ValidationFailed: one is not known.
    """
    if types is None:
        return DEFAULT_KINDS
    if isinstance(types, str):
        types = types.split(",")
    if not isinstance(types, list):
        raise ValidationFailed([("types", "must be a list")])
    unknown = [name for name in types if not isinstance(name, str) or name not in KINDS]
    if unknown:
        raise ValidationFailed([("types", f"are some of {', '.join(KINDS)}")])
    return tuple(dict.fromkeys(KINDS[name] for name in types))


def topics_of(topics: Any) -> TopicFilter | None:
    """The topics that a client names; None for all.

    Raises:
        ValidationFailed.
    """
    if topics is None or topics == []:
        return None
    if isinstance(topics, str):
        topics = topics.split(",")
    if not isinstance(topics, list) or not all(isinstance(topic, str) for topic in topics):
        raise ValidationFailed([("topics", "must be a list of texts")])
    return TopicFilter(topics)
