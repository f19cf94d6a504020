"""Lists in pages, by cursors that say where the last page ended.

A cursor names the item a page goes on from and what it was ordered by, not how many were before it:
so items that come and go meanwhile are neither shown twice nor left out. It is opaque to clients.
"""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import msgspec

from thingtank.web.api.parameters import Parameter, Terms, bad_parameter, text, whole
from thingtank.web.problems import ProblemRaised

PAGE_SIZE = 50
PAGE_SIZE_MAX = 1000
CURSOR_NUMBER_MAX = 2**62
CURSOR_CHARS_MAX = 4096  # a title of 255 characters, each six bytes of JSON, in base 64

Item = TypeVar("Item")
Key = int | float | str


class Cursor(msgspec.Struct, frozen=True, array_like=True):
    """Where a page begins.

    Attributes:
        order: what the list is ordered by; it must be the same.
        key, number: of the item that the page goes on from; numbers up to CURSOR_NUMBER_MAX.
        is_back: the page ends before that item, and does not begin after it.
    """

    order: str
    key: Key
    number: int | str
    is_back: bool = False


class Page(msgspec.Struct, Generic[Item], frozen=True):
    """One page, its items in order, and where its neighbours begin; None where there are none."""

    items: Sequence[Item]
    next: Cursor | None
    previous: Cursor | None


PAGING: tuple[Parameter, ...] = (
    text("cursor", "From a `next` or `previous` link; blank for the first page.", CURSOR_CHARS_MAX),
    whole("page_size", "At most so many a page.", 1, PAGE_SIZE_MAX, PAGE_SIZE),
)


def cursor_of(terms: Terms) -> Cursor | None:
    """The cursor that a request has; None for the first page.

    Raises:
        ProblemRaised: it is none of ours, or belongs to a list in another order.
    """
    encoded: str = terms["cursor"]
    if not encoded:
        return None
    try:
        decoded = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
        cursor = msgspec.json.decode(decoded, type=Cursor)
    except (binascii.Error, ValueError):  # msgspec's own are ValueErrors
        raise foreign_cursor() from None
    numbers = [each for each in (cursor.key, cursor.number) if not isinstance(each, str)]
    if any(abs(each) > CURSOR_NUMBER_MAX for each in numbers):
        raise foreign_cursor()
    if cursor.order != terms["order"]:
        raise bad_parameter("cursor", f"belongs to a list ordered by {cursor.order[:40]}")
    return cursor


def foreign_cursor() -> ProblemRaised:
    """The refusal of a cursor that no link of this list has."""
    return bad_parameter("cursor", "must be from a next or previous link")


def cursor_text(cursor: Cursor) -> str:
    """A cursor as it stands in links."""
    return base64.urlsafe_b64encode(msgspec.json.encode(cursor)).decode().rstrip("=")


def page_of(
    found: Sequence[Item],
    terms: Terms,
    place_of: Callable[[Item], tuple[Key, int | str]],
    *,
    has_more: bool | None = None,
) -> Page[Item]:
    """The page of a list that has been read one item further than it is long.

    Args:
        found: from the cursor on, at most `page_size` + 1; before the cursor, nearest first, where
            it goes back.
        place_of: what an item is ordered by, and its number or name.
        has_more: whether the list goes on; None for as `found` tells.
    """
    size: int = terms["page_size"]
    cursor = cursor_of(terms)
    is_back = cursor is not None and cursor.is_back
    items = found[:size][::-1] if is_back else found[:size]
    has_more = len(found) > size if has_more is None else has_more
    has_before = has_more if is_back else cursor is not None
    has_after = True if is_back else has_more
    order: str = terms["order"]

    def at(item: Item, back: bool) -> Cursor:
        return Cursor(order, *place_of(item), back)

    if not items:  # behind the end, or before the beginning: the only way is back
        turned = None if cursor is None else msgspec.structs.replace(cursor, is_back=not is_back)
        return Page(items, turned if is_back else None, None if is_back else turned)
    return Page(
        items,
        at(items[-1], False) if has_after else None,
        at(items[0], True) if has_before else None,
    )


def page_in_memory(
    items: Sequence[Item],
    terms: Terms,
    place_of: Callable[[Item], tuple[Any, Any]],
) -> Page[Item]:
    """The page of a list that is here as a whole, in any order.

    Args:
        place_of: by what it is ordered (without the `-`), and its number or name.

    Raises:
        ProblemRaised: its cursor is none of this list.
    """
    order: str = terms["order"]
    cursor = cursor_of(terms)
    ordered = sorted(items, key=place_of, reverse=order.startswith("-"))
    if cursor is not None:
        mark = (cursor.key, cursor.number)
        is_up = order.startswith("-") == cursor.is_back
        try:
            ordered = [item for item in ordered if _is_beyond(place_of(item), mark, is_up)]
        except TypeError:  # another list's, whose items are ordered by words and not by numbers
            raise foreign_cursor() from None
        if cursor.is_back:
            ordered.reverse()
    return page_of(ordered[: terms["page_size"] + 1], terms, place_of)


def _is_beyond(place: tuple[Any, Any], mark: tuple[Any, Any], is_up: bool) -> bool:
    return place > mark if is_up else place < mark


class CursorPages:
    """How a list is described in the OpenAPI document; drf-spectacular asks for it."""

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """A page, from the schema of its items' list."""
        link = {"type": ["string", "null"], "format": "uri"}
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {
                "next": {
                    **link,
                    "description": "The next page's address; null on the last.",
                    "example": "https://tank.example/api/devices?cursor=WyJjcm",
                },
                "previous": {
                    **link,
                    "description": "The page before; null on the first.",
                    "example": None,
                },
                "results": schema,
            },
        }

    def get_schema_operation_parameters(self, _view: Any) -> list[dict[str, Any]]:
        """None besides those that a view names."""
        return []
