"""Items from what a rule has read; in the rule's thread of the process that sends."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from msgspec.structs import replace

from thingtank.server.sinks.selection import Stream
from thingtank.server.sinks.sending.calls import BatchContent, More
from thingtank.server.sinks.sending.item_maker import ItemMaker, columns_in
from thingtank.sinks.engine import Item, Kind, decode_item
from thingtank.sinks.rules.steps import Entry
from thingtank.tank.datapoints import DatapointColumns

ROWS_AT_ONCE = 200  # of which items are made
WHOLE_BYTES_MAX = 8 * 1024  # of a batch of which they are made at once; about as many rows


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
        self, more: More, kind: Kind, streams: Mapping[int, Stream], maker: ItemMaker
    ) -> None:
        """Make one.

        Args:
            kind: of the rule's items; datapoints stand in blobs of the journal.
            streams: those that the rule wants.
        """
        self._is_stored = kind != "datapoint"
        self._streams = streams
        self._maker = maker
        self._begun_seq, self._begun_rows = more.begun
        self._parts = self._parts_of(more)
        self._part: BatchContent | _Rows | None = None
        self._row = 0  # of _Rows, where it goes on
        self._go_on()

    def __call__(self) -> list[Entry]:
        """The next, as `EntryMaker` says: what raises leaves it where it was."""
        entries: list[Entry] = []
        while len(entries) < ROWS_AT_ONCE and (part := self._part) is not None:
            try:
                if isinstance(part, _Rows):
                    if self._add_rows(entries, part):
                        continue
                elif self._is_stored:
                    entries.append(self._stored(part))
                else:
                    entries += self._maker.entries_of(part, self._streams)
            except Exception:
                if entries:  # those first: the next call raises again
                    return entries
                raise
            self._go_on()
        return entries

    def _stored(self, part: BatchContent) -> Entry:
        item, render = decode_item(part.content), self._maker.render
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

    def _parts_of(self, more: More) -> Iterator[BatchContent | _Rows]:
        """What entries are made of at once, or some at a time."""
        for batch in more.batches:
            is_whole = batch.is_newest and batch.seq != self._begun_seq
            if self._is_stored or (is_whole and len(batch.content) <= WHOLE_BYTES_MAX):
                yield batch
                continue
            first = 0
            for columns in columns_in(batch):
                if len(columns):
                    yield _Rows(batch.seq, first, columns)
                first += len(columns)


def row_of(item: Item) -> int:
    """The place of an item's row in its batch; 0 of what is a batch of its own."""
    return int(item.item_id.rpartition("-")[2]) if item.kind == "datapoint" else 0
