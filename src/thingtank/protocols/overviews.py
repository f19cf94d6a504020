"""What a router or broker tells people of itself: pages of lists, and its traffic.

Doors fill them in, and pages show them, which know nothing of doors.
"""

from collections.abc import Sequence
from typing import Generic, TypeVar

from msgspec import Struct


class ListQuery(Struct, frozen=True):
    """Which rows of a list.

    Attributes:
        words: that stand in a row's names; blank for all.
        sort: in which order; blank for the usual one.
        page: from 1 on.
        after: of a list that has no numbered pages, the last row of the page before.
    """

    words: str = ""
    sort: str = ""
    page: int = 1
    after: str = ""


Row = TypeVar("Row")


class ListPage(Struct, Generic[Row], frozen=True):
    """Rows of a list.

    Attributes:
        found_count: how many there are on all pages.
        is_cut: there are more than are looked at.
        next_after: of a list that has no numbered pages, where the next one begins; blank for none.
    """

    rows: Sequence[Row]
    found_count: int
    is_cut: bool = False
    next_after: str = ""


class Traffic(Struct, frozen=True):
    """Messages from and to clients.

    Attributes:
        received_per_s, sent_per_s, dropped_per_s: in each of the last seconds, oldest first; empty
            where they are not counted.
    """

    at_s: Sequence[float]
    received_per_s: Sequence[float]
    sent_per_s: Sequence[float]
    dropped_per_s: Sequence[float] = ()
