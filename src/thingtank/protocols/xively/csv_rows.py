"""Rows of CSV: read within bounds, written one by one without a line end after the last."""

import csv
import io
from collections.abc import Iterable, Sequence

from thingtank.protocols.xively.errors import MalformedCsv

ROWS_MAX = 50_000
FIELDS_MAX = 1000  # a row of the API v1 has one for each datastream
FIELD_CHARS_MAX = 4096
_BOM = b"\xef\xbb\xbf"
_NEEDS_READER = frozenset('"\n\r\0')


class _Returned:
    """A file for csv.writer, whose `writerow` returns what its file's `write` does."""

    def write(self, text: str) -> str:
        return text


# Its line end is what it knows to quote, so both characters of it are in there.
_WRITER = csv.writer(_Returned(), lineterminator="\r\n")


def read_rows(body: bytes) -> list[list[str]]:
    """Read rows, each field stripped; blank lines are none.

    Raises:
        MalformedCsv: not UTF-8, quotes that do not pair, or beyond the bounds.
    """
    try:
        text = body.removeprefix(_BOM).decode().strip()
    except UnicodeDecodeError as error:
        raise MalformedCsv(f"CSV is invalid. Not UTF-8 at byte {error.start}") from None
    if 0 < len(text) <= FIELD_CHARS_MAX and _NEEDS_READER.isdisjoint(text):
        # One plain row, as from nearly every device.
        return [_bounded(text.split(","))]
    rows: list[list[str]] = []
    reader = csv.reader(io.StringIO(text, newline=""), skipinitialspace=True, strict=True)
    try:
        for row in reader:
            if row:
                rows.append(_bounded(row))
                if len(rows) > ROWS_MAX:
                    raise MalformedCsv(f"CSV is invalid. More than {ROWS_MAX} rows")
    except csv.Error as error:
        raise MalformedCsv(f"CSV is invalid. {error} on line {reader.line_num}") from None
    return rows


def _bounded(row: list[str]) -> list[str]:
    if len(row) > FIELDS_MAX:
        raise MalformedCsv(f"CSV is invalid. A row has more than {FIELDS_MAX} fields")
    for field in row:
        if len(field) > FIELD_CHARS_MAX:
            raise MalformedCsv(
                f"CSV is invalid. A field has more than {FIELD_CHARS_MAX} characters"
            )
    return [field.strip() for field in row]


def write_row(fields: Sequence[object]) -> str:
    """Write one row without its line end. A last field that is blank is written as `""`."""
    row: str = _WRITER.writerow(fields)[:-2]
    return f'{row}""' if len(fields) > 1 and fields[-1] == "" else row


def join_rows(rows: Iterable[str]) -> bytes:
    """Rows as a body: LF between them, and none after the last, which one client fails on."""
    return "\n".join(rows).encode()
