"""Pages of a list: every item once and in order, there and back, whatever comes and goes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thingtank.web.api.paging import Cursor, Page, cursor_text, page_in_memory, page_of
from thingtank.web.problems import ProblemRaised

Item = tuple[int, str]
ITEMS = st.lists(st.tuples(st.integers(0, 3), st.text(max_size=2)), unique=True, max_size=12)


def page(items: list[Item], order: str, size: int, cursor: Cursor | None) -> Page[Item]:
    text = "" if cursor is None else cursor_text(cursor)
    terms = {"order": order, "page_size": size, "cursor": text}
    return page_in_memory(items, terms, lambda item: item)


@given(ITEMS, st.sampled_from(["n", "-n"]), st.integers(1, 5))
def test_a_walk_there_and_back_meets_every_item_once(
    items: list[Item], order: str, size: int
) -> None:
    expected = sorted(items, reverse=order == "-n")
    now = page(items, order, size, None)
    assert now.previous is None
    pages = [now]
    while now.next is not None:
        assert len(pages) < 20
        now = page(items, order, size, now.next)
        pages.append(now)
    assert [item for each in pages for item in each.items] == expected
    assert all(len(each.items) == size for each in pages[:-1])
    for each in reversed(pages[:-1]):
        assert now.previous is not None
        now = page(items, order, size, now.previous)
        assert now.items == each.items
    assert now.previous is None


@given(ITEMS, ITEMS, st.integers(1, 5))
def test_items_that_come_and_go_shift_nothing(
    items: list[Item], others: list[Item], size: int
) -> None:
    first = page(items, "n", size, None)
    if first.next is None:
        return
    last = first.items[-1]
    second = page(others, "n", size, first.next)
    assert second.items == sorted(item for item in others if item > last)[:size]


def test_behind_the_last_item_the_way_leads_back() -> None:
    cursor = Cursor("n", 9, "z")
    beyond = page([(1, "a"), (2, "b")], "n", 2, cursor)
    assert (beyond.items, beyond.next) == ([], None)
    assert beyond.previous is not None
    assert page([(1, "a"), (2, "b")], "n", 2, beyond.previous).items == [(1, "a"), (2, "b")]


@pytest.mark.parametrize(
    "text",
    ["x", "%%%", "bnVsbA", "W10", cursor_text(Cursor("other", 1, "a")), cursor_text(Cursor("n", "text", 5))],
)  # fmt: skip
def test_a_cursor_of_somewhere_else_is_refused(text: str) -> None:
    terms: dict[str, Any] = {"order": "n", "page_size": 2, "cursor": text}
    with pytest.raises(ProblemRaised, match="cursor"):
        page_in_memory([(1, "a")], terms, lambda item: item)


def test_a_page_that_has_lost_an_item_leads_on() -> None:
    terms = {"order": "n", "page_size": 2, "cursor": ""}
    found = page_of([(1, "a"), (2, "b")], terms, lambda item: item, has_more=True)
    assert found.next == Cursor("n", 2, "b")
