"""Paths that own what lies below them."""

import pytest

from thingtank.net.paths import find_path

KNOWN = {"/", "/a", "/a/b/*", "/c/*"}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/a", "/a"),
        ("/", "/"),
        ("/a/b/c", "/a/b/*"),
        ("/a/b/", "/a/b/*"),
        ("/c/x", "/c/*"),
        ("/a/b", None),
        ("/a/b/c/d", None),
        ("/x", None),
        ("", None),
    ],
)
def test_path_belongs_to_itself_or_to_what_it_lies_directly_below(
    path: str, found: str | None
) -> None:
    assert find_path(KNOWN, path) == found
    known = {each.encode() for each in KNOWN}
    assert find_path(known, path.encode()) == (found.encode() if found else None)
