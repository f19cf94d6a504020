"""What operations on rules of sinks and of sources ask for alike."""

from collections.abc import Callable, Sequence
from typing import Annotated, TypeVar

import msgspec

PAGE_MAX = 200
CHOSEN_MAX = 1000

Row = TypeVar("Row")
Numbers = Annotated[list[int], msgspec.Meta(max_length=CHOSEN_MAX)]


class OneRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A rule by its name."""

    name: str


class ListOfRule(OneRule, frozen=True):
    """What to list of a rule, newest first; only what has lower numbers than `before`."""

    before: int | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=PAGE_MAX)] = 50


def page_of(
    found: Sequence[Row], limit: int, number_of: Callable[[Row], int]
) -> tuple[Sequence[Row], int | None]:
    """A page, and what `before` asks for the one after it; None when it is the last.

    Args:
        found: n >= 0, newest first; one more than `limit` where there are more.
    """
    page = found[:limit]
    return page, number_of(page[-1]) if len(found) > len(page) else None
