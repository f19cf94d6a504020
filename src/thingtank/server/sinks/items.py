"""Items from batches of the journal; in the rule's thread, but for `take_batches`."""

from collections.abc import Iterator, Mapping, Sequence

from msgspec.structs import replace

from thingtank.server.sinks.message_reader import Batch, Reader, StoredItem
from thingtank.server.sinks.selection import Stream
from thingtank.sinks.engine import Item
from thingtank.sinks.rules.steps import Entry
from thingtank.sinks.rules.templates import Render
from thingtank.stores.changes import bytes_of
from thingtank.stores.journal_readers import BATCH_BYTES, CommittedBatch
from thingtank.tank.datapoints import DatapointColumns, number_of, text_of

ROWS_AT_ONCE = 200  # of which items are made


def take_batches(reader: Reader, rows_max: int, bytes_max: int) -> list[Batch]:
    """What comes next, up to about so much; one commit may have more."""
    batches: list[Batch] = []
    row_count = size_bytes = 0
    while row_count < rows_max and size_bytes < bytes_max and (more := reader.take(1)):
        batches.extend(more)
        row_count += _rows_in(more[0])
        size_bytes += _bytes_in(more[0])
    return batches


class ItemSource:
    """What a rule sends of batches, in order, some at each call.

    Of the journal, that is; an item that was stored is sent as it is. An item's id is made of the
    batch's number and the place of its row in the batch, so it is the same whatever the rule wants.
    """

    def __init__(
        self,
        batches: Sequence[Batch],
        streams: Mapping[int, Stream],
        origin: str,
        render: Render | None,
        begun: tuple[int, int] = (0, 0),
    ) -> None:
        """Make one.

        Args:
            streams: those that the rule wants.
            origin: of the data folder.
            render: makes payloads; None leaves them empty.
            begun: the number of a batch, and how many of its rows were sent or held before.
        """
        self._streams = streams
        self._origin = origin
        self._render = render
        self._parts = _parts_of(batches)
        self._begun = begun
        self._part: StoredItem | _Columns | None = None
        self._row = 0  # of the columns, where it goes on
        self._go_on()

    def __call__(self) -> list[Entry]:
        """The next, as `EntryMaker` says: what raises leaves it where it was."""
        entries: list[Entry] = []
        while not entries and (part := self._part) is not None:
            if isinstance(part, StoredItem):
                item, render = part.item, self._render
                entries.append(
                    (part.seq, item if render is None else replace(item, payload=render(item)))
                )
            else:
                entries = self._of_columns(*part)
            if isinstance(part, StoredItem) or self._row >= len(part[2]):
                self._go_on()
        return entries

    def _go_on(self) -> None:
        self._part = part = next(self._parts, None)
        self._row = 0
        if part is not None and not isinstance(part, StoredItem) and part[0] == self._begun[0]:
            self._row = max(0, self._begun[1] - part[1])

    def _of_columns(self, seq: int, first: int, columns: DatapointColumns) -> list[Entry]:
        streams, stream_ids = self._streams, columns.stream_ids
        if not self._row and streams.keys().isdisjoint(stream_ids):
            self._row = len(columns)
            return []
        end = min(self._row + ROWS_AT_ONCE, len(columns))
        beginning, render = f"{self._origin}-{seq}-", self._render
        entries = [
            (seq, _item(f"{beginning}{first + row}", stream, columns, row, render))
            for row in range(self._row, end)
            # None too where the loop has dropped it meanwhile.
            if (stream := streams.get(stream_ids[row])) is not None
        ]
        self._row = end
        return entries


def row_of(item: Item) -> int:
    """The place of an item's row in its batch; 0 of what is a batch of its own."""
    return int(item.item_id.rpartition("-")[2]) if item.kind == "datapoint" else 0


# Number of the batch, the place of its first row in the batch, and the values.
_Columns = tuple[int, int, DatapointColumns]


def _parts_of(batches: Sequence[Batch]) -> Iterator[StoredItem | _Columns]:
    for batch in batches:
        if isinstance(batch, StoredItem):
            yield batch
            continue
        first = 0
        for columns in _columns_in(batch):
            if len(columns):
                yield batch.seq, first, columns
            first += len(columns)


def _item(
    item_id: str, stream: Stream, columns: DatapointColumns, row: int, render: Render | None
) -> Item:
    number: float | None = columns.numbers[row]
    text = columns.texts.get(row)
    if text is None:
        assert number is not None, "else the text is kept"
        value = text_of(number)
    else:
        value, number = text, number_of(text)
    at_us = columns.at_us[row]
    device_id, uuid, name = stream
    item = Item(item_id, "datapoint", device_id, uuid, name, at_us, value, number)
    if render is None:
        return item
    return Item(item_id, "datapoint", device_id, uuid, name, at_us, value, number, "", render(item))


def _rows_in(batch: Batch) -> int:
    return 1 if isinstance(batch, StoredItem) else sum(map(len, _columns_in(batch)))


def _bytes_in(batch: Batch) -> int:
    if isinstance(batch, StoredItem):
        return batch.item.size_bytes
    return BATCH_BYTES + sum(map(bytes_of, _columns_in(batch)))


def _columns_in(batch: CommittedBatch) -> Iterator[DatapointColumns]:
    return (change for change in batch.changes if isinstance(change, DatapointColumns))
