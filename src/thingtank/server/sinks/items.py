"""Items from batches of the journal; in the rule's thread."""

from collections.abc import Iterator, Mapping, Sequence

from msgspec.structs import replace

from thingtank.server.sinks.message_reader import Batch, StoredItem
from thingtank.server.sinks.selection import Stream
from thingtank.sinks.engine import Item
from thingtank.sinks.rules.templates import Render
from thingtank.tank.datapoints import DatapointColumns, number_of, text_of


def items_of(
    batches: Sequence[Batch],
    streams: Mapping[int, Stream],
    origin: str,
    render: Render | None,
) -> Iterator[tuple[int, Item]]:
    """What a rule sends of batches, each item with the number of its batch, in order.

    Of the journal, that is; an item that was stored is sent as it is.

    An item's id is made of the batch's number and the place of its row in the batch, so it is the
    same whatever the rule wants.

    Args:
        streams: those that the rule wants.
        origin: of the data folder.
        render: makes payloads; None leaves them empty.
    """
    for batch in batches:
        if isinstance(batch, StoredItem):
            item = batch.item
            yield batch.seq, item if render is None else replace(item, payload=render(item))
            continue
        start = 0
        for change in batch.changes:
            if not isinstance(change, DatapointColumns):
                continue
            beginning = f"{origin}-{batch.seq}-"
            for row in _rows_of(change, streams):
                stream = streams.get(change.stream_ids[row])
                if stream is not None:  # the loop may have dropped it meanwhile
                    yield batch.seq, _item(f"{beginning}{start + row}", stream, change, row, render)
            start += len(change)


def _rows_of(columns: DatapointColumns, streams: Mapping[int, Stream]) -> Sequence[int]:
    if streams.keys().isdisjoint(columns.stream_ids):
        return ()
    return [row for row, stream_id in enumerate(columns.stream_ids) if stream_id in streams]


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
