"""A tank in memory whose devices talk to each other, and ears that hear them."""

from typing import Any

from thingtank.stores.memory_archive import MemoryArchive
from thingtank.stores.memory_device_events import MemoryDeviceEvents
from thingtank.stores.memory_directory import MemoryDirectory
from thingtank.stores.memory_kept_messages import MemoryKeptMessages
from thingtank.tank.access import OPERATOR, STRANGER, Caller
from thingtank.tank.actions.devices import create_device, update_device
from thingtank.tank.changes import DeviceChange
from thingtank.tank.messaging.permissions import Party, Policy
from thingtank.tank.messaging.switchboard import Delivery, Kind
from thingtank.tank.tank import Tank
from thingtank.tank.things import Device

NOW_US = 1_394_193_600_123_456  # 2014-03-07T12:00:00.123456Z


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.at_us = NOW_US

    def now_us(self) -> int:
        return self.at_us


class Ear:
    """Hears, and remembers."""

    def __init__(self) -> None:
        self.deliveries: list[Delivery] = []

    def deliver(self, delivery: Delivery) -> None:
        self.deliveries.append(delivery)

    def heard(self) -> list[Any]:
        """The payloads of what it has heard since it was last asked."""
        taken, self.deliveries = self.deliveries, []
        return [None if each.message is None else each.message.payload for each in taken]

    def kinds(self) -> list[Kind]:
        """As what it has heard something since it was last asked."""
        taken, self.deliveries = self.deliveries, []
        return [each.kind for each in taken]


class Bench:
    """A tank, and devices of it by name.

    Attributes:
        account: owns every device.
    """

    def __init__(self, *, is_open: bool = False) -> None:
        self.clock = Clock()
        self.directory = MemoryDirectory()
        self.account = self.directory.add_account("alice")
        self.kept = MemoryKeptMessages()
        self.events = MemoryDeviceEvents(clock=self.clock)
        self.tank = Tank(
            self.directory,
            MemoryArchive(),
            clock=self.clock,
            policy=Policy(is_open=is_open),
            device_events=self.events,
            kept_messages=self.kept,
        )
        self.board = self.tank.messaging.switchboard
        self.tokens: dict[str, str] = {}

    async def make(
        self, uuid: str, *, private: bool = False, tags: tuple[str, ...] = (), **properties: Any
    ) -> Device:
        """Make a device."""
        draft = DeviceChange(title=uuid, private=private, tags=tags, properties=properties)
        made = await create_device(
            self.tank, OPERATOR, draft, account_id=self.account.account_id, uuid=uuid
        )
        self.tokens[uuid] = made.token
        return made.device

    async def change(self, uuid: str, /, **properties: Any) -> Device:
        """Change a device's properties."""
        change = DeviceChange(properties={**self.device(uuid).properties, **properties})
        return await update_device(self.tank, OPERATOR, self.device(uuid).device_id, change)

    def device(self, uuid: str) -> Device:
        """A device as it is now."""
        found = self.directory.find_device_by_uuid(uuid)
        assert found is not None
        return found

    def party(self, uuid: str) -> Party:
        """A device by its token; for a blank uuid, a stranger."""
        if not uuid:
            return Party(STRANGER)
        return Party(Caller(address="10.0.0.1"), self.device(uuid), token=self.tokens[uuid])

    def ear(self, uuid: str, *kinds: Kind, by: str | None = None) -> Ear:
        """An ear for kinds of a device, `received` if none is named; its own unless it is `by`."""
        ear = Ear()
        party = self.party(uuid if by is None else by)
        self.board.add(ear, party, self.device(uuid), kinds or ("received",))
        return ear
