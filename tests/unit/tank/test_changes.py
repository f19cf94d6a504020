"""What is kept of what a request wants changed."""

import pytest

from thingtank.tank.changes import ordered_tags

TAGS = [
    ("blanks and repeats go", [" b", "", " ", "b"], ("b",)),
    ("capitals do not sort first", ["b", "A"], ("A", "b")),
    ("quotes and commas go", ["a,b", "o'clock", 'say "hi"', '","'], ("ab", "oclock", "say hi")),
    ("what is equal without them is one", ["ab", "a,b"], ("ab",)),
]


@pytest.mark.parametrize(("given", "kept"), [row[1:] for row in TAGS], ids=[row[0] for row in TAGS])
def test_tags(given: list[str], kept: tuple[str, ...]) -> None:
    assert ordered_tags(given) == kept
