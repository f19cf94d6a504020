"""Lists of the pages of WAMP's router and MQTT's broker: what an address asks for, and rows."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from thingtank.protocols.overviews import ListPage, ListQuery

ROWS_PER_PAGE = 50  # as the doors page them
WORDS_CHARS_MAX = 200
AFTER_CHARS_MAX = 65_535
PAGE_MAX = 1_000_000


def query_of(terms: Mapping[str, str], sorts: Sequence[str]) -> ListQuery:
    """Read which rows an address asks for; nonsense is taken for the usual.

    Args:
        sorts: orders that there are, the usual one first.
    """
    sort, page = terms.get("sort", ""), terms.get("page", "")
    is_number = page.isascii() and page.isdigit() and len(page) < 8
    return ListQuery(
        terms.get("q", "").strip()[:WORDS_CHARS_MAX],
        sort if sort in sorts else next(iter(sorts), ""),
        min(max(int(page), 1), PAGE_MAX) if is_number else 1,
        terms.get("after", "")[:AFTER_CHARS_MAX],
    )


def live_rows(page: ListPage[Any]) -> list[dict[str, Any]]:
    """Rows for the page's script: numbers of ids as texts, times in milliseconds."""
    return [_live_row(row) for row in page.rows]


def key_of(row: Any) -> str:
    """What a row goes by: its first field."""
    return str(getattr(row, type(row).__struct_fields__[0]))


def _live_row(row: Any) -> dict[str, Any]:
    values: dict[str, Any] = {"key": key_of(row)}
    for name, value in msgspec.structs.asdict(row).items():
        if name.endswith("_us"):
            values[f"{name[:-3]}_ms"] = None if value is None else value // 1000
        elif name.endswith("_id"):
            values[name] = str(value)
        else:
            values[name] = value
    return values
