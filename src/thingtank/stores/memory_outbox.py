"""An outbox in memory: what is recorded is kept in lists, for tests and trials."""

from collections.abc import Mapping, Sequence

from thingtank.tank.errors import StorageFailed
from thingtank.tank.outbox import NewDelivery


class MemoryOutbox:
    """Implements `tank.outbox.Outbox`; delivers nothing.

    Attributes:
        deliveries: all that was ever recorded, in order.
        failure: raised by `record` while it is set.
        record_count: how often something was recorded.
    """

    def __init__(self) -> None:
        self.deliveries: list[NewDelivery] = []
        self.failure: StorageFailed | None = None
        self.record_count = 0
        self._states: dict[int, bytes] = {}
        self._places: dict[str, int] = {}

    async def record(
        self,
        reader: str,
        seq: int,
        states: Mapping[int, bytes],
        deliveries: Sequence[NewDelivery],
    ) -> None:
        """Keep deliveries, states and a reader's place; a place behind the kept one is ignored."""
        if self.failure is not None:
            raise self.failure
        self.deliveries += deliveries
        self._states.update(states)
        self._places[reader] = max(seq, self._places.get(reader, 0))
        self.record_count += 1

    async def place(self, reader: str) -> int:
        """The journal number that a reader recorded last, 0 at first."""
        return self._places.get(reader, 0)

    async def states(self) -> dict[int, bytes]:
        """Each trigger's state as recorded last, by trigger_id."""
        return dict(self._states)
