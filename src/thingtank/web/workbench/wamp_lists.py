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
from thingtank.web.workbench.router_lists import query_of
from thingtank.web.workbench.wamp_router import WampRealmView

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
    return Asked(realm if realm in realms else realms[0], show, query_of(terms, SORTS[show]))


def shown_of(view: WampRealmView, asked: Asked) -> Shown:
    """Look; in the loop's thread."""
    lists: dict[Listing, Any] = {
        "sessions": view.sessions,
        "topics": view.topics,
        "procedures": view.procedures,
    }
    return Shown(view.facts(), lists[asked.show](asked.query))
