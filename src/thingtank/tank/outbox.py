"""What must be delivered, recorded before it is tried: the side of triggers and hooks."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec


class NewDelivery(msgspec.Struct, frozen=True):
    """What must be delivered, before it is tried.

    Attributes:
        trigger_id: 0 for a device's hook.
        channel: `webhook` or `email` of a trigger; `hook` or `forward` of a device.
        target: URL or address; of a forward the uuid of a device, or `*` for a broadcast.
        body: the JSON document of a trigger's notification, without the form encoding; of a hook,
            a `tank.messaging.hooks.SentOn`.
        created_us: when it fired, microseconds since the epoch, UTC.
        is_test: sent from the page: tried at once and only once, past what waits before it.
    """

    trigger_id: int
    device_id: int
    account_id: int
    channel: str
    target: str
    body: bytes
    created_us: int
    is_test: bool = False


class Outbox(Protocol):
    """Deliveries, triggers' states and readers' places in the journal, kept together."""

    async def record(
        self,
        reader: str,
        seq: int,
        states: Mapping[int, bytes],
        deliveries: Sequence[NewDelivery],
    ) -> None:
        """In one transaction, synced: queue deliveries, save triggers' states and a reader's place.

        Raises:
            StorageFailed: nothing of it was kept.
        """
        ...

    async def place(self, reader: str) -> int:
        """The journal number that a reader recorded last, 0 at first."""
        ...

    async def states(self) -> dict[int, bytes]:
        """Each trigger's state as recorded last, by trigger_id."""
        ...
