"""What writes do to the archive, as values: in batches on their way to the journal, and encoded.

A change is some datapoints, a deletion, or new extremes of one datastream. A batch keeps changes in
the order they were asked for, and joins neighbouring datapoints into one set of columns, so that a
thousand small writes cost the journal no more than one large one.
"""

from array import array
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import msgspec

from thingtank.stores.acknowledgement import Acknowledgement
from thingtank.stores.rows import Deletion
from thingtank.tank.datapoints import DatapointColumns, DatapointRows

ROW_BYTES = 4 + 8 + 8
_TEXT_BYTES = 64  # a short str and its place in a dict


class Extremes(msgspec.Struct, frozen=True, array_like=True, tag="e"):
    """New minimum and maximum of a datastream; None until the next number.

    Attributes:
        leaves_minimum, leaves_maximum: it stays as it is when this is applied, whatever stands
            here. Changes in front of this one may still be on their way when it is asked for, so
            what is to stay cannot be told by its value. Older journals have neither.
    """

    stream_id: int
    minimum: float | None
    maximum: float | None
    leaves_minimum: bool = False
    leaves_maximum: bool = False


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
    size = len(columns.stream_ids) * ROW_BYTES
    if columns.texts:
        size += sum(map(len, columns.texts.values())) + len(columns.texts) * _TEXT_BYTES
    return size


class Batch:
    """Changes that are committed together, and who waits for them.

    Attributes:
        waiting: one for each request.
        size_bytes: about how much memory the changes take.
    """

    __slots__ = ("_changes", "_rows", "size_bytes", "waiting")

    def __init__(self) -> None:
        self._changes: list[Change] = []
        self._rows = DatapointRows([], [], [])  # behind the changes
        self.waiting: list[Acknowledgement] = []
        self.size_bytes = 0

    def add_rows(self, rows: DatapointRows, size_bytes: int) -> None:
        """Add datapoints; `rows` stay the caller's."""
        self._rows.extend(rows)
        self.size_bytes += size_bytes

    def add(self, change: Deletion | Extremes) -> None:
        """Add a change of another kind."""
        self._close_rows()
        self._changes.append(change)
        self.size_bytes += _TEXT_BYTES

    def taken(self) -> list[Change]:
        """The changes in the order they were asked for; nothing may be added any more."""
        self._close_rows()
        return self._changes

    def _close_rows(self) -> None:
        """Make columns of neighbouring datapoints, all at once: that costs little more than one."""
        rows = self._rows
        if rows.values:
            columns = DatapointColumns()
            columns.add_rows(rows.stream_ids, rows.at_us, rows.values)
            self._changes.append(columns)
            self._rows = DatapointRows([], [], [])

    def resolve(self, error: Exception | None = None) -> None:
        """Tell everybody who still waits."""
        for acknowledgement in self.waiting:
            if error is None:
                acknowledgement.resolve()
            else:  # each its own, or their tracebacks would grow into one another
                acknowledgement.resolve(type(error)(*error.args))
