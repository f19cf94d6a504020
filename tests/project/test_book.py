"""docs/start/the-book.md: a row for each box and figure, a twin that is there, a test that runs it."""

import re
from pathlib import Path

import pytest

from thingtank.server.config import load_config

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/start/the-book.md"
BOXES, FIGURES = 42, 11  # of the chapter
EXAMPLES = sorted(
    path
    for path in (ROOT / "examples").rglob("*.*")
    if path.is_file() and path.suffix not in (".pyc", ".sqlite3")
)


def linked(text: str) -> list[Path]:
    """What links of the page lead to."""
    return [(PAGE.parent / url).resolve() for url in re.findall(r"\]\(([^)#]+)\)", text)]


def rows(head: str) -> dict[str, list[str]]:
    """The cells behind each number of the tables that begin with `head`."""
    found: dict[str, list[str]] = {}
    kind = ""
    for line in PAGE.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("| "):
            kind = ""
        elif not kind:
            kind = cells[0]
        elif kind == head and not cells[0].startswith("-"):
            for number in cells[0].split(", "):
                assert number not in found, f"{number} has two rows"
                found[number] = cells[1:]
    return found


@pytest.mark.parametrize(("head", "count"), [("box", BOXES), ("figure", FIGURES)])
def test_each_of_the_chapter_has_a_row(head: str, count: int) -> None:
    assert list(rows(head)) == [f"8.{number}" for number in range(1, count + 1)]


@pytest.mark.parametrize(("box", "cells"), rows("box").items())
def test_a_twin_is_run_by_the_test_that_the_row_names_or_says_not_yet(
    box: str, cells: list[str]
) -> None:
    _, here, run_by, *_ = cells
    twins = [path for path in linked(here) if ROOT / "examples" in path.parents]
    tests = [path for path in linked(run_by) if ROOT / "tests" in path.parents]
    assert [path for path in twins + tests if not path.exists()] == []
    if here == "not yet":
        assert not tests
        return
    assert tests or run_by.startswith("not yet")
    text = "".join(test.read_text() for test in tests)
    for twin in twins:
        part = "weather_project" if "weather_project" in twin.parts else twin.stem
        assert part.removesuffix("_asyncio") in text, f"box {box}: {twin.name} is in no test of its"


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_every_example_is_on_a_page_and_those_of_the_book_on_this_one(example: Path) -> None:
    project = ROOT / "examples/weather_project"
    shown = project / "manage.py" if project in example.parents else example
    pages = [PAGE] if example.name.startswith("box_") else sorted(ROOT.glob("docs/**/*.md"))
    assert any(shown.name in page.read_text() for page in pages)


def test_box_8_40_is_a_file_of_settings() -> None:
    loaded = load_config(ROOT / "examples/box_8_40_skynet.toml", {})
    assert (loaded.config.skynet.port, loaded.config.skynet.rate_messages_s) == (3000, 10.0)
