"""Items from batches of the journal; in the rule's thread, but for `take_batches`."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from thingtank.server.sinks.item_maker import ItemMaker
from thingtank.server.sinks.message_reader import Batch, Reader, StoredItem
from thingtank.server.sinks.selection import Stream
from thingtank.sinks.engine import Item
from thingtank.sinks.rules.steps import Entry
from thingtank.stores.journal_readers import CommittedBatch
from thingtank.tank.datapoints import DatapointColumns

ROWS_AT_ONCE = 200  # of which items are made


def take_batches(reader: Reader, rows_max: int, bytes_max: int) -> list[Batch]:
    """What comes next, up to about so much; one commit may have more."""
    batches: list[Batch] = []
    row_count = size_bytes = 0
    while row_count < rows_max and size_bytes < bytes_max and (more := reader.take(1)):
        batches.extend(more)
        row_count += more[0].row_count
        size_bytes += more[0].size_bytes
    return batches


class _Rows(NamedTuple):
    """Values of one batch, and the place of the first in it."""

    seq: int
    first: int
    columns: DatapointColumns


class ItemSource:
    """What a rule sends of batches, in order, some at each call.

    Of the journal, that is; an item that was stored is sent as it is.
    """

    def __init__(
        self,
        batches: Sequence[Batch],
        streams: Mapping[int, Stream],
        maker: ItemMaker,
        begun: tuple[int, int] = (0, 0),
    ) -> None:
        """Make one.

        Args:
            streams: those that the rule wants.
            begun: the number of a batch, and how many of its rows were sent or held before.
        """
        self._streams = streams
        self._maker = maker
        self._begun_seq, self._begun_rows = begun
        self._parts = self._parts_of(batches)
        self._part: CommittedBatch | StoredItem | _Rows | None = None
        self._row = 0  # of _Rows, where it goes on
        self._go_on()

    def __call__(self) -> list[Entry]:
        """The next, as `EntryMaker` says: what raises leaves it where it was."""
        entries: list[Entry] = []
        while len(entries) < ROWS_AT_ONCE and (part := self._part) is not None:
            try:
                if isinstance(part, CommittedBatch):
                    entries += self._maker.entries_of(part, self._streams)
                elif isinstance(part, StoredItem):
                    entries.append(self._stored(part))
                elif self._add_rows(entries, part):
                    continue
            except Exception:
                if entries:  # those first: the next call raises again
                    return entries
                raise
            self._go_on()
        return entries

    def _stored(self, part: StoredItem) -> Entry:
        item, render = part.item, self._maker.render
        return part.seq, item if render is None else replace(item, payload=render(item))

    def _add_rows(self, entries: list[Entry], part: _Rows) -> bool:
        """Make entries of some rows; whether there are more."""
        columns, start, streams = part.columns, self._row, self._streams
        if not start and streams.keys().isdisjoint(columns.stream_ids):
            return False
        end = min(start + ROWS_AT_ONCE, len(columns))
        entries += self._maker.rows(part.seq, part.first, columns, start, end, streams)
        self._row = end
        return end < len(columns)

    def _go_on(self) -> None:
        self._part = part = next(self._parts, None)
        self._row = 0
        if isinstance(part, _Rows) and part.seq == self._begun_seq:
            self._row = max(0, self._begun_rows - part.first)

    def _parts_of(self, batches: Sequence[Batch]) -> Iterator[CommittedBatch | StoredItem | _Rows]:
        """What entries are made of at once, or some at a time."""
        for batch in batches:
            is_newest = isinstance(batch, CommittedBatch) and batch.committed_us is not None
            is_whole = is_newest and batch.seq != self._begun_seq
            if isinstance(batch, StoredItem) or (is_whole and batch.row_count <= ROWS_AT_ONCE):
                yield batch
                continue
            first = 0
            for columns in _columns_in(batch):
                if len(columns):
                    yield _Rows(batch.seq, first, columns)
                first += len(columns)


def row_of(item: Item) -> int:
    """The place of an item's row in its batch; 0 of what is a batch of its own."""
    return int(item.item_id.rpartition("-")[2]) if item.kind == "datapoint" else 0


def _columns_in(batch: CommittedBatch) -> Iterator[DatapointColumns]:
    return (change for change in batch.changes if isinstance(change, DatapointColumns))
