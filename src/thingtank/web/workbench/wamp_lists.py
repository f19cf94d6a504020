"""The lists of the WAMP page: what its address asks for, and the rows that answer it."""

from collections.abc import Mapping, Sequence
from typing import Any, get_args

import msgspec

from thingtank.protocols.overviews import ListPage, ListQuery
from thingtank.protocols.wamp.router_facts import (
    SORTS,
    Listing,
    ProcedureFacts,
    RealmFacts,
    SessionFacts,
    TopicFacts,
)
from thingtank.web.workbench.wamp_router import WampRealmView

ROWS_PER_PAGE = 50  # as the router pages them
WORDS_CHARS_MAX = 200
PAGE_MAX = 1_000_000
LISTINGS: tuple[Listing, ...] = get_args(Listing)


class Asked(msgspec.Struct, frozen=True):
    """What an address asks for; nonsense is taken for the usual."""

    realm: str
    show: Listing
    query: ListQuery


class Shown(msgspec.Struct, frozen=True):
    """What answers it."""

    facts: RealmFacts
    page: ListPage[SessionFacts] | ListPage[TopicFacts] | ListPage[ProcedureFacts]


def asked_of(terms: Mapping[str, str], realms: Sequence[str]) -> Asked:
    """Read an address's query.

    Args:
        realms: n >= 1 that may be seen; the first one is the usual.
    """
    realm = terms.get("realm", "")
    show = next((each for each in LISTINGS if each == terms.get("show")), LISTINGS[0])
    sort = terms.get("sort", "")
    page = terms.get("page", "")
    is_number = page.isascii() and page.isdigit() and len(page) < 8
    return Asked(
        realm if realm in realms else realms[0],
        show,
        ListQuery(
            terms.get("q", "").strip()[:WORDS_CHARS_MAX],
            sort if sort in SORTS[show] else SORTS[show][0],
            min(max(int(page), 1), PAGE_MAX) if is_number else 1,
        ),
    )


def shown_of(view: WampRealmView, asked: Asked) -> Shown:
    """Look; in the loop's thread."""
    lists: dict[Listing, Any] = {
        "sessions": view.sessions,
        "topics": view.topics,
        "procedures": view.procedures,
    }
    return Shown(view.facts(), lists[asked.show](asked.query))


def live_rows(page: ListPage[Any]) -> list[dict[str, Any]]:
    """Rows for the page's script: ids as texts, times in milliseconds."""
    return [_live_row(row) for row in page.rows]


def key_of(row: Any) -> int:
    """The id that a row goes by."""
    return int(getattr(row, type(row).__struct_fields__[0]))


def _live_row(row: Any) -> dict[str, Any]:
    values: dict[str, Any] = {"key": str(key_of(row))}
    for name, value in msgspec.structs.asdict(row).items():
        if name.endswith("_us"):
            values[f"{name[:-3]}_ms"] = None if value is None else value // 1000
        elif name.endswith("_id"):
            values[name] = str(value)
        else:
            values[name] = value
    return values
