"""The page about WAMP says what is: its tests exist, and its features are what clients are told."""

from collections.abc import Iterator

import pytest
from tests.project.reference_pages import ReferencePage

from thingtank.protocols.wamp.history import EventHistory
from thingtank.protocols.wamp.router import Randomness, Realm

PAGE = ReferencePage("wamp.md", "tests/conformance/wamp")
TEXT = PAGE.text
RULES_COUNT = 33  # where routers usually go wrong


class _NoHistory(EventHistory):
    """Stands for any; nothing is kept here."""


def announced(history: EventHistory | None) -> Iterator[tuple[str, str]]:
    realm = Realm("realm1", Randomness(lambda: 1, lambda below: 0), lambda: 0, history=history)
    for role, details in realm.roles.items():
        for feature, is_there in details.features.items():
            assert is_there is True
            yield role, feature


def rows(heading: str) -> list[list[str]]:
    """The rows of the first table under a heading."""
    table = TEXT.split(f"## {heading}\n")[1].split("\n\n| ")[1].split("\n\n")[0]
    return [
        [cell.strip() for cell in row.strip("|").split(" | ")] for row in table.splitlines()[2:]
    ]


def test_features_of_the_page_are_those_that_are_announced() -> None:
    written = [(role, name.strip("`")) for role, name, _ in rows("Features")]
    assert len(written) == len(set(written))
    with_history = set(announced(_NoHistory.__new__(_NoHistory)))
    assert set(written) == with_history
    assert with_history - set(announced(None)) == {("broker", "event_history")}


@pytest.mark.parametrize(("file", "name"), PAGE.named, ids=str)
def test_tests_of_the_page_exist(file: str, name: str) -> None:
    assert PAGE.has_test(file, name)


def test_every_row_names_a_test() -> None:
    assert PAGE.rows("## Features")
    assert PAGE.rows_without_test("## Features") == []


def test_rules_that_are_often_broken_each_have_a_test() -> None:
    broken = rows("Where routers usually go wrong")
    assert len(broken) == RULES_COUNT
    assert len({rule for rule, _ in broken}) == RULES_COUNT
