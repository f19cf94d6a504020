"""What writes do to the archive, as values: in batches on their way to the journal, and encoded.

A change is some datapoints, a deletion, or new extremes of one datastream. A batch keeps changes in
the order they were asked for, and joins neighbouring datapoints into one set of columns, so that a
thousand small writes cost the journal no more than one large one.
"""

import asyncio
from array import array
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import msgspec

from thingtank.stores.rows import Deletion
from thingtank.tank.datapoints import DatapointColumns

_ROW_BYTES = 4 + 8 + 8
_TEXT_BYTES = 64  # a short str and its place in a dict


class Extremes(msgspec.Struct, frozen=True, array_like=True, tag="e"):
    """New minimum and maximum of a datastream; None until the next number."""

    stream_id: int
    minimum: float | None
    maximum: float | None


Change: TypeAlias = DatapointColumns | Deletion | Extremes


class _EncodedRows(msgspec.Struct, frozen=True, array_like=True, tag="r"):
    """Columns as the bytes of their arrays, little-endian as on every machine that is served."""

    stream_ids: bytes
    at_us: bytes
    numbers: bytes
    texts: Mapping[int, str]


class _EncodedDeletion(msgspec.Struct, frozen=True, array_like=True, tag="d"):
    stream_ids: tuple[int, ...]
    start_us: int
    end_us: int


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[_EncodedRows | _EncodedDeletion | Extremes])


def encode_changes(changes: Sequence[Change]) -> bytes:
    """Changes as one blob, in order."""
    return _encoder.encode([_encoded(change) for change in changes])


def decode_changes(blob: bytes) -> list[Change]:
    """What `encode_changes` was given."""
    return [_decoded(change) for change in _decoder.decode(blob)]


def _encoded(change: Change) -> _EncodedRows | _EncodedDeletion | Extremes:
    match change:
        case DatapointColumns():
            return _EncodedRows(
                change.stream_ids.tobytes(),
                change.at_us.tobytes(),
                change.numbers.tobytes(),
                change.texts,
            )
        case Deletion():
            return _EncodedDeletion(tuple(change.stream_ids), change.start_us, change.end_us)
        case Extremes():
            return change


def _decoded(change: _EncodedRows | _EncodedDeletion | Extremes) -> Change:
    match change:
        case _EncodedRows():
            columns = DatapointColumns()
            columns.stream_ids = array("i", change.stream_ids)
            columns.at_us = array("q", change.at_us)
            columns.numbers = array("d", change.numbers)
            columns.texts = dict(change.texts)
            return columns
        case _EncodedDeletion():
            return Deletion(change.stream_ids, change.start_us, change.end_us)
        case Extremes():
            return change


def bytes_of(columns: DatapointColumns) -> int:
    """About how much memory columns take."""
    size = len(columns.stream_ids) * _ROW_BYTES
    if columns.texts:
        size += sum(map(len, columns.texts.values())) + len(columns.texts) * _TEXT_BYTES
    return size


class Batch:
    """Changes that are committed together, and who waits for them.

    Attributes:
        changes: in the order they were asked for.
        futures: one for each request.
        size_bytes: about how much memory the changes take.
    """

    __slots__ = ("changes", "futures", "size_bytes")

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self.futures: list[asyncio.Future[None]] = []
        self.size_bytes = 0

    def add_rows(self, columns: DatapointColumns, size_bytes: int) -> None:
        """Add datapoints; `columns` stay the caller's."""
        last = self.changes[-1] if self.changes else None
        if not isinstance(last, DatapointColumns):
            last = DatapointColumns()
            self.changes.append(last)
        last.extend(columns)
        self.size_bytes += size_bytes

    def add(self, change: Deletion | Extremes) -> None:
        """Add a change of another kind."""
        self.changes.append(change)
        self.size_bytes += _TEXT_BYTES

    def resolve(self, error: Exception | None = None) -> None:
        """Tell everybody who still waits."""
        for future in self.futures:
            if future.done():
                continue
            if error is None:
                future.set_result(None)
            else:  # each its own, or their tracebacks would grow into one another
                future.set_exception(type(error)(*error.args))
