"""Every datastream's current value, in columns: 40 bytes each instead of a dict of objects.

Datastreams are numbered densely by the directory, so a number leads to its place by a table of
pages, without a dict. Small batches are applied row by row, large ones with numpy: each way is the
faster one where it is used (they meet at some 100 rows), and both do the same.
"""

import math
from array import array
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from thingtank.stores.changes import Extremes
from thingtank.stores.journal import SavedValue
from thingtank.tank.arrays import Int32s, Int64s
from thingtank.tank.datapoints import CurrentValue, Datapoint, DatapointColumns, number_of, text_of

_PAGE_BITS = 10
_PAGE_SLOTS = 1 << _PAGE_BITS
_NO_TIME = -(2**63)  # before all times
_ROWS_VECTORISED_MIN = 100


class CurrentValues:
    """Newest datapoint and extremes by datastream, and which of them changed since saved.

    Attributes:
        through_seq: the journal's batch up to which all is contained; what comes after must stay in
            the journal.
    """

    def __init__(self) -> None:
        self.through_seq = 0
        # Page → first slot, for one and for many. Zero is no page, so the first slots stay unused.
        # Zeros that were never touched take no memory.
        self._first_slot_of: dict[int, int] = {}
        self._first_slots = np.zeros(1 << (32 - _PAGE_BITS), np.int32)
        self._slot_count = _PAGE_SLOTS
        self._texts: dict[int, str] = {}
        self._stream_id_at = array("i")
        self._time_at = array("q")
        self._number_at = array("d")
        self._minimum_at = array("d")
        self._maximum_at = array("d")
        self._text_at = array("b")
        self._touched_at = array("b")
        self._grow(_PAGE_SLOTS)

    def get(self, stream_id: int) -> CurrentValue | None:
        """One datastream's current value; None when it has none and no extremes either."""
        slot = self._find_slot(stream_id)
        if slot is None:
            return None
        at_us, value = self._datapoint(slot)
        minimum, maximum = self._minimum_at[slot], self._maximum_at[slot]
        if at_us is None and minimum != minimum and maximum != maximum:
            return None
        return CurrentValue(
            at_us,
            value,
            None if minimum != minimum else minimum,
            None if maximum != maximum else maximum,
        )

    def at_us(self, stream_id: int) -> int | None:
        """Only the time of the current value."""
        first = self._first_slot_of.get(stream_id >> _PAGE_BITS)
        if first is None:
            return None
        at_us = self._time_at[first + (stream_id & (_PAGE_SLOTS - 1))]
        return None if at_us == _NO_TIME else at_us

    def stream_ids(self) -> Iterator[list[int]]:
        """Datastreams that have a current value or extremes, a page at a time."""
        for first in list(self._first_slot_of.values()):
            page = slice(first, first + _PAGE_SLOTS)
            is_blank = np.isnan(self._minima[page]) & np.isnan(self._maxima[page])
            found = self._stream_ids[page][(self._times[page] != _NO_TIME) | ~is_blank]
            if len(found):
                yield found.tolist()

    def apply_rows(self, columns: DatapointColumns) -> None:
        """Take over written datapoints, in their order."""
        if len(columns) < _ROWS_VECTORISED_MIN:
            self._apply_one_by_one(columns)
        else:
            self._apply_vectorised(columns)

    def apply_extremes(self, extremes: Extremes) -> None:
        """Replace a datastream's minimum and maximum, or one of them."""
        slot = self._slot(extremes.stream_id)
        if not extremes.leaves_minimum:
            self._minimum_at[slot] = math.nan if extremes.minimum is None else extremes.minimum
        if not extremes.leaves_maximum:
            self._maximum_at[slot] = math.nan if extremes.maximum is None else extremes.maximum
        self._touched_at[slot] = True

    def replace(self, stream_id: int, datapoint: Datapoint | None) -> None:
        """Set what is newest after a deletion; extremes stay."""
        slot = self._slot(stream_id)
        self._time_at[slot] = _NO_TIME if datapoint is None else datapoint.at_us
        self._set_value(slot, None if datapoint is None else datapoint.value)
        self._touched_at[slot] = True

    def forget(self, stream_id: int) -> None:
        """Drop a datastream that was deleted from end to end, its extremes too."""
        self.apply_extremes(Extremes(stream_id, None, None))
        self.replace(stream_id, None)

    def load(self, values: Iterable[SavedValue]) -> None:
        """Take over saved values, as not touched."""
        for stream_id, at_us, value, minimum, maximum in values:
            slot = self._slot(stream_id)
            self._time_at[slot] = _NO_TIME if at_us is None else at_us
            self._set_value(slot, value)
            self._minimum_at[slot] = math.nan if minimum is None else minimum
            self._maximum_at[slot] = math.nan if maximum is None else maximum

    def take_touched(self) -> list[SavedValue]:
        """What changed since the last time, to be saved."""
        slots = np.flatnonzero(self._are_touched)
        self._are_touched[slots] = False
        stream_ids = self._stream_ids[slots].tolist()
        return [self._saved(*item) for item in zip(slots.tolist(), stream_ids, strict=True)]

    def touch(self, values: Sequence[SavedValue]) -> None:
        """Mark values that could not be saved as changed again."""
        for value in values:
            self._touched_at[self._slot(value.stream_id)] = True

    def _saved(self, slot: int, stream_id: int) -> SavedValue:
        minimum, maximum = self._minimum_at[slot], self._maximum_at[slot]
        return SavedValue(
            stream_id,
            *self._datapoint(slot),
            None if minimum != minimum else minimum,
            None if maximum != maximum else maximum,
        )

    def _datapoint(self, slot: int) -> tuple[int | None, str | None]:
        at_us = self._time_at[slot]
        if at_us == _NO_TIME:
            return None, None
        text = self._texts.get(slot)
        return at_us, text_of(self._number_at[slot]) if text is None else text

    def _set_value(self, slot: int, value: str | None) -> None:
        number = None if value is None else number_of(value)
        self._number_at[slot] = math.nan if number is None else number
        if value is not None and (number is None or text_of(number) != value):
            self._set_text(slot, value)
        else:
            self._set_text(slot, None)

    def _set_text(self, slot: int, text: str | None) -> None:
        if text is not None:
            self._texts[slot] = text
            self._text_at[slot] = True
        elif self._text_at[slot]:
            del self._texts[slot]
            self._text_at[slot] = False

    def _apply_one_by_one(self, columns: DatapointColumns) -> None:
        texts, first_slot_of, times = columns.texts, self._first_slot_of, self._time_at
        rows = zip(columns.stream_ids, columns.at_us, columns.numbers, strict=True)
        for row, (stream_id, at_us, number) in enumerate(rows):
            first = first_slot_of.get(stream_id >> _PAGE_BITS)
            if first is None:
                first = self._add_page(stream_id >> _PAGE_BITS)
                times = self._time_at
            slot = first + (stream_id & (_PAGE_SLOTS - 1))
            if number == number:
                # "not <=" rather than ">": what there is may be NaN.
                if not self._minimum_at[slot] <= number:
                    self._minimum_at[slot] = number
                if not self._maximum_at[slot] >= number:
                    self._maximum_at[slot] = number
            if at_us >= times[slot]:
                times[slot] = at_us
                self._number_at[slot] = number
                if texts or self._text_at[slot]:
                    self._set_text(slot, texts.get(row))
            self._touched_at[slot] = True

    def _apply_vectorised(self, columns: DatapointColumns) -> None:
        stream_ids = np.frombuffer(columns.stream_ids, np.int32)
        times = np.frombuffer(columns.at_us, np.int64)
        numbers = np.frombuffer(columns.numbers, np.float64)
        # The sort is stable: of equal times the later write comes last, and the last row wins.
        order = np.lexsort((times, stream_ids))
        ordered_ids = stream_ids[order]
        starts = np.flatnonzero(np.concatenate(([True], ordered_ids[1:] != ordered_ids[:-1])))
        newest = order[np.append(starts[1:], len(order)) - 1]
        slots = self._slots_of(ordered_ids[starts])
        ordered_numbers = numbers[order]
        lowest = np.fmin.reduceat(ordered_numbers, starts)
        highest = np.fmax.reduceat(ordered_numbers, starts)
        self._minima[slots] = np.fmin(self._minima[slots], lowest)
        self._maxima[slots] = np.fmax(self._maxima[slots], highest)
        wins = times[newest] >= self._times[slots]
        slots_won, newest = slots[wins], newest[wins]
        self._times[slots_won] = times[newest]
        self._numbers[slots_won] = numbers[newest]
        self._are_touched[slots] = True
        if columns.texts or self._texts:
            self._take_texts(slots_won, newest, columns.texts)

    def _take_texts(self, slots: Int32s, rows: Int64s, texts: dict[int, str]) -> None:
        if not texts:
            for slot in slots[self._have_text[slots]].tolist():
                self._set_text(slot, None)
            return
        for slot, row in zip(slots.tolist(), rows.tolist(), strict=True):
            self._set_text(slot, texts.get(row))

    def _find_slot(self, stream_id: int) -> int | None:
        first = self._first_slot_of.get(stream_id >> _PAGE_BITS)
        return None if first is None else first + (stream_id & (_PAGE_SLOTS - 1))

    def _slot(self, stream_id: int) -> int:
        page = stream_id >> _PAGE_BITS
        first = self._first_slot_of.get(page) or self._add_page(page)
        return first + (stream_id & (_PAGE_SLOTS - 1))

    def _slots_of(self, stream_ids: Int32s) -> Int32s:
        pages = stream_ids >> _PAGE_BITS
        firsts = self._first_slots[pages]
        if not firsts.all():
            for page in np.unique(pages[firsts == 0]).tolist():
                self._add_page(page)
            firsts = self._first_slots[pages]
        slots: Int32s = firsts + (stream_ids & (_PAGE_SLOTS - 1))
        return slots

    def _add_page(self, page: int) -> int:
        first = self._slot_count
        self._slot_count += _PAGE_SLOTS
        if self._slot_count > len(self._time_at):
            self._grow(len(self._time_at))
        self._first_slot_of[page] = first
        self._first_slots[page] = first  # a negative page counts from the table's end
        stream_ids = np.arange(_PAGE_SLOTS, dtype=np.int32) + np.int32(page << _PAGE_BITS)
        self._stream_ids[first : self._slot_count] = stream_ids
        return first

    def _grow(self, added: int) -> None:
        # New arrays, as those that numpy looks into cannot change their size.
        self._stream_id_at = self._stream_id_at + array("i", (0,)) * added
        self._time_at = self._time_at + array("q", (_NO_TIME,)) * added
        self._number_at = self._number_at + array("d", (math.nan,)) * added
        self._minimum_at = self._minimum_at + array("d", (math.nan,)) * added
        self._maximum_at = self._maximum_at + array("d", (math.nan,)) * added
        self._text_at = self._text_at + array("b", (0,)) * added
        self._touched_at = self._touched_at + array("b", (0,)) * added
        self._stream_ids = np.frombuffer(self._stream_id_at, np.int32)
        self._times = np.frombuffer(self._time_at, np.int64)
        self._numbers = np.frombuffer(self._number_at, np.float64)
        self._minima = np.frombuffer(self._minimum_at, np.float64)
        self._maxima = np.frombuffer(self._maximum_at, np.float64)
        self._have_text = np.frombuffer(self._text_at, np.bool_)
        self._are_touched = np.frombuffer(self._touched_at, np.bool_)
