"""Items of values, made once for all rules that want the same of them.

Making an item and putting it into bytes takes far more than all else that a rule does with it.
Rules read the same batches at about the same time, so what one of them has made of a batch that
came straight from its commit the others find here. What was read back from the journal is not kept:
whoever catches up is alone with it.
"""

import threading
from collections.abc import Iterator, Mapping
from weakref import WeakValueDictionary

from msgspec.structs import force_setattr

from thingtank.server.sinks.selection import Stream
from thingtank.server.sinks.sending.calls import BatchContent
from thingtank.sinks.engine import Item
from thingtank.sinks.rules.steps import Entry
from thingtank.sinks.rules.templates import Render, compile_template
from thingtank.stores.changes import decode_changes
from thingtank.tank.datapoints import DatapointColumns, number_of, text_of

KEPT_BYTES_MAX = 4 * 1024 * 1024
_ENTRY_BYTES = 400  # what one takes besides its texts, about


class ItemMaker:
    """Makes items in the threads of its rules.

    An item's id is made of the batch's number and the place of its row in the batch, so it is the
    same whatever a rule wants.

    Attributes:
        render: makes payloads; None leaves them empty.
    """

    def __init__(self, origin: str, render: Render | None) -> None:
        """Make one.

        Args:
            origin: of the data folder.
        """
        self.render = render
        self._origin = origin
        self._lock = threading.Lock()
        self._kept: dict[int, tuple[list[Entry], int]] = {}
        self._kept_bytes = 0

    def entries_of(self, batch: BatchContent, streams: Mapping[int, Stream]) -> list[Entry]:
        """All that is to be sent of a batch, not to be changed: others have it too."""
        seq = batch.seq
        known = self._kept.get(seq)
        if known is None:
            with self._lock:  # whoever comes meanwhile waits, and finds it
                known = self._kept.get(seq)
                if known is None:
                    known = self._keep(seq, self._made(batch, streams))
        return known[0]

    def rows(
        self,
        seq: int,
        first: int,
        columns: DatapointColumns,
        start: int,
        end: int,
        streams: Mapping[int, Stream],
    ) -> list[Entry]:
        """What is to be sent of some rows of a batch, in order.

        Args:
            seq: the batch's number.
            first: the place of the columns' first row in the batch.
            start, end: of the rows.
            streams: what the rules want.
        """
        ids, times, numbers, texts = (
            columns.stream_ids,
            columns.at_us,
            columns.numbers,
            columns.texts,
        )
        beginning, render = f"{self._origin}-{seq}-", self.render
        entries = []
        for row in range(start, end):
            if (stream := streams.get(ids[row])) is None:
                continue
            number: float | None = numbers[row]
            value = texts.get(row)
            if value is None:
                assert number is not None, "else the text is kept"
                value = text_of(number)
            else:
                number = number_of(value)
            device_id, uuid, name = stream
            item_id = f"{beginning}{first + row}"
            item = Item(item_id, "datapoint", device_id, uuid, name, times[row], value, number)
            if render is not None:
                force_setattr(item, "payload", render(item))  # nobody else has it yet
            entries.append((seq, item))
        return entries

    def _made(self, batch: BatchContent, streams: Mapping[int, Stream]) -> list[Entry]:
        entries, first = list[Entry](), 0
        for columns in columns_in(batch):
            count = len(columns)
            entries += self.rows(batch.seq, first, columns, 0, count, streams)
            first += count
        return entries

    def _keep(self, seq: int, entries: list[Entry]) -> tuple[list[Entry], int]:
        """Keep what was made, and let the oldest go where there is no room."""
        kept = self._kept
        size_bytes = sum([_ENTRY_BYTES + item.size_bytes for _, item in entries])
        kept[seq] = made = entries, size_bytes
        self._kept_bytes += size_bytes
        while self._kept_bytes > KEPT_BYTES_MAX:
            self._kept_bytes -= kept.pop(next(iter(kept)))[1]
        return made


class ItemMakers:
    """One for all rules that want the same values in the same bytes, while there are such."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._makers = WeakValueDictionary[tuple[str, str, str | None], ItemMaker]()

    def maker(self, origin: str, wants: str, template: str | None) -> ItemMaker:
        """The one for a rule.

        Args:
            origin: of the data folder.
            wants: the same for rules that want the same of each batch.
            template: for the payloads; None leaves them empty.
        """
        key = (origin, wants, template)
        with self._lock:  # rules begin at the same write, each in a thread
            maker = self._makers.get(key)
            if maker is None:
                render = None if template is None else compile_template(template)
                maker = self._makers[key] = ItemMaker(origin, render)
            return maker


def columns_in(batch: BatchContent) -> Iterator[DatapointColumns]:
    """The values of a batch of the journal."""
    changes = decode_changes(batch.content)
    return (change for change in changes if isinstance(change, DatapointColumns))
