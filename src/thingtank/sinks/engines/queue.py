"""Messages in a queue of this machine; what `sqs` is at AWS."""

from collections.abc import Sequence

import msgspec

from thingtank.local.places import QUEUES
from thingtank.local.queue_file import (
    BODY_BYTES_MAX,
    MESSAGES_MAX,
    NewMessage,
    QueueFile,
)
from thingtank.sinks.engine import GATHER_S, BatchBounds, EngineParts, Item, SendResult
from thingtank.sinks.engines.local_failures import told

ITEMS_MAX = 1000


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A queue, made by its first message.

    Attributes:
        queue: its name. What a device sends comes out in order: while some of it is with a reader,
            the rest waits; one that is sent again within five minutes is taken but once.
        messages_max: when it has so many the rule waits until somebody reads.
    """

    queue: str
    messages_max: int = MESSAGES_MAX

    def __post_init__(self) -> None:
        """Check what is here to be checked."""
        if not self.queue:
            raise ValueError("`queue` is blank")
        if self.messages_max < 1:
            raise ValueError(f"`messages_max` must be 1 or more, not {self.messages_max}")


class QueueEngine:
    """Implements `SinkEngine`: a batch is one transaction, so order holds by itself."""

    wants_payload = True
    gather_s = GATHER_S

    def __init__(self, settings: Settings, parts: EngineParts) -> None:
        """Make one that is not open."""
        self._settings = settings
        self._path = parts.folder / QUEUES
        self._file: QueueFile | None = None
        # A larger batch than the queue holds would never be in it.
        self.bounds = BatchBounds(min(ITEMS_MAX, settings.messages_max), 4 * 1024 * 1024)

    def open(self) -> None:
        """See SinkEngine."""
        self.close()
        with told(self._path):
            self._file = QueueFile(self._path, self._settings.messages_max)

    def send(self, items: Sequence[Item]) -> SendResult:
        """See SinkEngine."""
        assert self._file is not None, "open"
        refused = {
            place: f"a message has 1 to {BODY_BYTES_MAX:,} bytes, this has {len(item.payload):,}"
            for place, item in enumerate(items)
            if not 0 < len(item.payload) <= BODY_BYTES_MAX
        }
        with told(self._path):
            self._file.send(
                self._settings.queue,
                [
                    NewMessage(item.payload, item.order_key, item.item_id)
                    for place, item in enumerate(items)
                    if place not in refused
                ],
            )
        return SendResult(refused=refused)

    def close(self) -> None:
        """See SinkEngine."""
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def describe(self) -> str:
        """See SinkEngine."""
        return f"queue {self._settings.queue} of this machine"


def make_engine(settings: Settings, parts: EngineParts) -> QueueEngine:
    """An engine that is not open yet."""
    return QueueEngine(settings, parts)
