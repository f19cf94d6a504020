"""What just happened: the few events that every change is announced with, after it holds."""

import msgspec

from thingtank.tank.access import Caller
from thingtank.tank.datapoints import DatapointRows
from thingtank.tank.messaging.messages import Message
from thingtank.tank.things import Device
from thingtank.tank.trigger_rules import Firing
from thingtank.tank.triggers import Trigger

REFUSED = 400  # and above: statuses of refusals


class DeviceCreated(msgspec.Struct, frozen=True, gc=False):
    """A device was made."""

    device: Device


class DeviceUpdated(msgspec.Struct, frozen=True, gc=False):
    """A device's metadata, datastreams, keys or tokens changed.

    Attributes:
        is_record: whether it is what the device says of itself: its name, tags, properties and
            other metadata.
    """

    device: Device
    is_record: bool = True


class DeviceDeleted(msgspec.Struct, frozen=True, gc=False):
    """A device and everything below it is gone."""

    device: Device


class DatapointsRecorded(msgspec.Struct, frozen=True, gc=False):
    """Datapoints of one device are on disk.

    Attributes:
        device_id: the feed.
        names: stream_id → datastream name, for the datastreams in `rows`.
        rows: as written, any order of time.
    """

    device_id: int
    names: dict[int, str]
    rows: DatapointRows


class TriggerChanged(msgspec.Struct, frozen=True, gc=False):
    """A trigger was made or changed, or is gone."""

    trigger: Trigger
    is_deleted: bool = False


class TriggerFired(msgspec.Struct, frozen=True, gc=False):
    """A trigger's condition has become true; what must be delivered is on disk."""

    trigger: Trigger
    firing: Firing
    is_test: bool = False


class Asked(msgspec.Struct, frozen=True, gc=False):
    """Who asked for what. A device asks the same again and again, so many requests share one.

    Attributes:
        door: one of `thingtank.tank.request_log.DOORS`.
        method, path: as the client put them, or what takes their place in its protocol: a packet
            type and a topic, `CALL` and a procedure, an event. Secrets are blotted out.
        user_agent: its first bytes; whoever shows them decodes them.
        fields: what else it said of itself, (name, value): headers, flags and properties of a
            packet. Secrets are blotted out.
    """

    device_id: int
    door: str
    method: str
    path: str
    address: str = ""
    user_agent: bytes = b""
    fields: tuple[tuple[str, str], ...] = ()


class MessageSent(msgspec.Struct, frozen=True, gc=False):
    """A message to a device was given to its listeners, or kept for it, or found nobody.

    Attributes:
        device: who it is for; of a broadcast, who it is from.
        outcome: what became of it: `delivered`, `kept` or `away`.
    """

    device: Device
    message: Message
    is_broadcast: bool = False
    outcome: str = "delivered"


class PresenceChanged(msgspec.Struct, frozen=True, gc=False):
    """A device has come by its first connection, or left by its last."""

    device: Device
    is_online: bool


class RequestServed(msgspec.Struct, frozen=True, gc=False):
    """A request that touched a device was answered.

    Attributes:
        at_us: when it was answered.
        status: the answer's status as a number of HTTP; 400 and above is a refusal.
        reason: why it was refused, blank when it was not.
        request_body, response_body: the first bytes; whoever shows them decodes them.
        caller: on whose behalf it was; None for nobody who is known.
        outcome: the answer in the protocol's own words; blank where they are the status.
    """

    at_us: int
    asked: Asked
    status: int
    duration_us: int
    reason: str = ""
    request_body: bytes = b""
    response_body: bytes = b""
    caller: Caller | None = None
    outcome: str = ""

    @property
    def is_refused(self) -> bool:
        """Whether it was."""
        return self.status >= REFUSED

    @property
    def device_id(self) -> int:
        """The device that was touched."""
        return self.asked.device_id


Event = (
    DeviceCreated
    | DeviceUpdated
    | DeviceDeleted
    | DatapointsRecorded
    | TriggerChanged
    | TriggerFired
    | MessageSent
    | PresenceChanged
    | RequestServed
)


def device_id_of(event: Event) -> int:
    """The device an event is about."""
    match event:
        case DeviceCreated() | DeviceUpdated() | DeviceDeleted():
            return event.device.device_id
        case MessageSent() | PresenceChanged():
            return event.device.device_id
        case DatapointsRecorded() | RequestServed():
            return event.device_id
        case TriggerChanged() | TriggerFired():
            return event.trigger.device_id
