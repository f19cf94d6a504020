"""Values in time, one by one and in columns.

A value is what the device wrote, letter for letter (`"0000017"`, `"+5"`, `"on"`). Where the text
reads as a decimal
number, the number is kept besides, so that charts and history can calculate; the text itself is
kept only when the
number's usual spelling would not give it back.
"""

import math
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import compress
from operator import itemgetter, ne

import msgspec

AT_US_MIN = -62_135_596_800_000_000  # 0001-01-01T00:00:00Z, what ISO 8601 and `datetime` can say
AT_US_MAX = 253_402_300_799_999_999  # 9999-12-31T23:59:59.999999Z

_INTEGER_EXACT_MAX = 1e15  # below this each whole float has one exact short spelling
_UNUSUAL_STEP = 32  # rows; so one text slows down only its neighbours in a batch
_json_numbers = msgspec.json.Decoder(list[int | float])
_json_spelling = msgspec.json.Encoder()


class Datapoint(msgspec.Struct, frozen=True, gc=False):
    """One value of one datastream at one instant.

    Attributes:
        at_us: microseconds since the epoch, UTC.
        value: the text as written.
    """

    at_us: int
    value: str


class CurrentValue(msgspec.Struct, frozen=True, gc=False):
    """What a datastream says now: its newest datapoint, and the extremes since reset.

    Attributes:
        at_us: time of the newest datapoint; None when only extremes were set.
        value: its text; None likewise.
        minimum, maximum: None until a number was written.
    """

    at_us: int | None
    value: str | None
    minimum: float | None = None
    maximum: float | None = None


def number_of(value: str) -> float | None:
    """Read a value as a decimal number; None when it is text, or too large for a float."""
    # `float` also reads "1_000" and the digits of every script; no device means a number by those.
    if "_" in value or not value.isascii():
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def text_of(number: float) -> str:
    """Spell a finite number the usual way: whole numbers without a point, others shortest."""
    if number == int(number) and abs(number) < _INTEGER_EXACT_MAX:
        return str(int(number))
    return repr(number)


def value_text(value: str | float | bool) -> str:
    """The text that a value of JSON is kept as."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return text_of(value) if isinstance(value, float) else str(value)


def kept_of(value: str) -> float | str:
    """A value as it is kept: the number where its usual spelling gives the value back."""
    number = number_of(value)
    return value if number is None or text_of(number) != value else number


def spelled(kept: float | str) -> str:
    """The value that `kept_of` was given."""
    return kept if isinstance(kept, str) else text_of(kept)


class DatapointRows(msgspec.Struct, frozen=True, gc=False):
    """Datapoints of any datastreams as a door hands them over: three lists of one length.

    Attributes:
        stream_ids: whose datapoint each row is.
        at_us: microseconds since the epoch, UTC.
        values: as written.
    """

    stream_ids: list[int]
    at_us: list[int]
    values: list[str]

    def __len__(self) -> int:
        return len(self.values)

    @classmethod
    def of(cls, rows: Iterable[tuple[int, Datapoint]]) -> "DatapointRows":
        """Rows from (stream_id, datapoint) pairs."""
        made = cls([], [], [])
        for stream_id, datapoint in rows:
            made.stream_ids.append(stream_id)
            made.at_us.append(datapoint.at_us)
            made.values.append(datapoint.value)
        return made

    def extend(self, other: "DatapointRows") -> None:
        """Append all rows of `other`."""
        self.stream_ids.extend(other.stream_ids)
        self.at_us.extend(other.at_us)
        self.values.extend(other.values)


class DatapointColumns:
    """Datapoints of any datastreams, in the order they were written, as columns.

    The shape of a batch from the journal to the history store, so that 500 datapoints cost one
    object.

    Attributes:
        stream_ids: int32, whose datapoint each row is.
        at_us: int64, microseconds since the epoch, UTC.
        numbers: float64, NaN where the value is not a number.
        texts: row → text, only for rows whose number does not spell the value back.
    """

    __slots__ = ("at_us", "numbers", "stream_ids", "texts")

    def __init__(self) -> None:
        self.stream_ids = array("i")
        self.at_us = array("q")
        self.numbers = array("d")
        self.texts: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self.stream_ids)

    def add(self, stream_id: int, at_us: int, value: str) -> None:
        """Append one datapoint."""
        number = number_of(value)
        if number is None:
            self.texts[len(self.stream_ids)] = value
            number = math.nan
        elif text_of(number) != value:
            self.texts[len(self.stream_ids)] = value
        self.stream_ids.append(stream_id)
        self.at_us.append(at_us)
        self.numbers.append(number)

    def add_many(self, stream_id: int, at_us: Sequence[int], values: Sequence[str]) -> None:
        """Append datapoints of one datastream, given as two columns of one length."""
        self.add_rows([stream_id] * len(values), list(at_us), list(values))

    def add_rows(self, stream_ids: list[int], at_us: list[int], values: list[str]) -> None:
        """Append datapoints given as three columns of one length."""
        if not len(stream_ids) == len(at_us) == len(values):
            raise ValueError(f"{len(at_us)} times for {len(values)} values")
        joined = ",".join(values)
        numbers = _plain_numbers(joined, len(values)) if values else []
        if numbers is None:
            self._add_unusual(stream_ids, at_us, values)
            return
        offset = len(self.stream_ids)
        for row_number in _unusual_rows(joined, values, numbers):
            self.texts[offset + row_number] = values[row_number]
        # `fromlist` takes a third of the time of `extend`.
        self.stream_ids.fromlist(stream_ids)
        self.at_us.fromlist(at_us)
        self.numbers.fromlist(numbers)

    def _add_unusual(self, stream_ids: list[int], at_us: list[int], values: list[str]) -> None:
        """Append rows some of which are no plain numbers, the others as quickly as they allow."""
        step = _UNUSUAL_STEP
        if len(values) > step:
            for start in range(0, len(values), step):
                rows = slice(start, start + step)
                self.add_rows(stream_ids[rows], at_us[rows], values[rows])
            return
        for row in zip(stream_ids, at_us, values, strict=True):
            self.add(*row)

    def extend(self, other: "DatapointColumns") -> None:
        """Append all rows of `other`."""
        if other.texts:
            offset = len(self.stream_ids)
            for row, text in other.texts.items():
                self.texts[offset + row] = text
        self.stream_ids.extend(other.stream_ids)
        self.at_us.extend(other.at_us)
        self.numbers.extend(other.numbers)

    def value(self, row: int) -> str:
        """The text of one row, as written."""
        text = self.texts.get(row)
        return text if text is not None else text_of(self.numbers[row])

    def rows(self) -> Iterator[tuple[int, Datapoint]]:
        """Each row as (stream_id, datapoint), in order."""
        for row, stream_id in enumerate(self.stream_ids):
            yield stream_id, Datapoint(self.at_us[row], self.value(row))

    @classmethod
    def of(cls, rows: Iterable[tuple[int, Datapoint]]) -> "DatapointColumns":
        """Columns from (stream_id, datapoint) pairs."""
        columns = cls()
        for stream_id, datapoint in rows:
            columns.add(stream_id, datapoint.at_us, datapoint.value)
        return columns


def _plain_numbers(joined: str, count: int) -> list[int | float] | None:
    """Read values as JSON numbers, all at once; None when any needs a closer look.

    One pass in C over the text joined with commas costs a tenth of reading them one by one.
    """
    # "1e5", and fractions so small that spellings of them differ, have one slow and sure way.
    if "e" in joined or "E" in joined or ".0000" in joined:
        return None
    try:
        numbers = _json_numbers.decode(f"[{joined}]")
    except (msgspec.DecodeError, UnicodeEncodeError):
        return None
    # A value such as "1,2" makes more numbers than values; each value makes at least one.
    if len(numbers) != count:
        return None
    if max(numbers) >= _INTEGER_EXACT_MAX or min(numbers) <= -_INTEGER_EXACT_MAX:
        return None
    return numbers


def _unusual_rows(joined: str, values: list[str], numbers: list[int | float]) -> list[int]:
    """Rows whose value is not its number's usual spelling: "21.50", "21.0", "-0"."""
    spelled = _json_spelling.encode(numbers).decode()[1:-1]
    if ".0" in spelled:  # JSON keeps the point of whole floats
        spelled = f"{spelled},".replace(".0,", ",")[:-1]
    if spelled == joined:
        return []
    return list(compress(range(len(values)), map(ne, values, spelled.split(","))))


class Bucket(msgspec.Struct, frozen=True, gc=False):
    """What one datastream said within [start_us, start_us + interval_us).

    Attributes:
        start_us: the bucket's start.
        count: number of datapoints, at least 1.
        number_count: how many of them are numbers.
        minimum, maximum, total: over the numbers; None when there are none.
        first_us, last_us: when the oldest and the newest datapoint were.
        minimum_us, maximum_us: when the numbers were first so low and so high; None when there are
            none.
        first_kept, last_kept: their values as `kept_of` keeps them; a year's averages by the hour
            would otherwise spell 17,000 texts that nobody asks for.
    """

    start_us: int
    count: int
    number_count: int
    minimum: float | None
    maximum: float | None
    total: float | None
    first_us: int
    first_kept: float | str
    last_us: int
    last_kept: float | str
    minimum_us: int | None
    maximum_us: int | None

    @property
    def first(self) -> Datapoint:
        """The oldest datapoint."""
        return Datapoint(self.first_us, spelled(self.first_kept))

    @property
    def last(self) -> Datapoint:
        """The newest datapoint."""
        return Datapoint(self.last_us, spelled(self.last_kept))

    @classmethod
    def of(cls, start_us: int, datapoints: Sequence[Datapoint]) -> "Bucket":
        """Summarize the datapoints of one bucket, n >= 1, oldest first."""
        found = ((number_of(datapoint.value), datapoint.at_us) for datapoint in datapoints)
        numbered = [(number, at_us) for number, at_us in found if number is not None]
        numbers = [number for number, _ in numbered]
        lowest = min(numbered, default=None, key=itemgetter(0))  # the first of equal ones
        highest = max(numbered, default=None, key=itemgetter(0))
        first, last = datapoints[0], datapoints[-1]
        return cls(
            start_us,
            len(datapoints),
            len(numbers),
            min(numbers, default=None),
            max(numbers, default=None),
            sum(numbers) if numbers else None,
            first.at_us,
            kept_of(first.value),
            last.at_us,
            kept_of(last.value),
            lowest[1] if lowest else None,
            highest[1] if highest else None,
        )
