"""Pattern-based subscriptions and registrations: what matches, and in which order.

Source: WAMP, Pattern-based Subscriptions; Pattern-based Registrations.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thingtank.protocols.wamp.options import Match
from thingtank.protocols.wamp.patterns import Patterns

BASE = "com.example."
PRIORITIES: dict[int, tuple[str, Match]] = {
    1: ("a1.b2.c3.d4.e55", "exact"),
    2: ("a1.b2.c3", "prefix"),
    3: ("a1.b2.c3.d4", "prefix"),
    4: ("a1.b2..d4.e5", "wildcard"),
    5: ("a1.b2.c33..e5", "wildcard"),
    6: ("a1.b2..d4.e5..g7", "wildcard"),
    7: ("a1.b2..d4..f6.g7", "wildcard"),
}


def patterns_of(*uris: tuple[str, Match]) -> Patterns[tuple[str, Match]]:
    patterns: Patterns[tuple[str, Match]] = Patterns()
    for uri, match in uris:
        patterns.add(uri, match, (uri, match))
    return patterns


@pytest.mark.parametrize(
    ("uri", "best"),
    [
        ("a1.b2.c3.d4.e55", 1),
        ("a1.b2.c3.d98.e74", 2),
        ("a1.b2.c3.d4.e325", 3),
        ("a1.b2.c55.d4.e5", 4),
        ("a1.b2.c33.d4.e5", 2),  # the text says 5, but compares prefixes by characters elsewhere
        ("a1.b2.c88.d4.e5.f6.g7", 6),
        ("a2.b2.c2.d2.e2", None),
    ],
)
def test_best_match_of_the_specification(uri: str, best: int | None) -> None:
    patterns: Patterns[int] = Patterns()
    for number, (pattern, match) in PRIORITIES.items():
        patterns.add(BASE + pattern, match, number)
    assert patterns.best(BASE + uri) == best


@pytest.mark.parametrize(
    ("better", "worse", "uri"),
    [
        ("a.b.", "a..c", "a.b.c"),
        ("a..c", "a..", "a.b.c"),
        ("a..", ".b.c", "a.b.c"),
        (".b.c", "..c", "a.b.c"),
        ("..c", "..", "a.b.c"),
        ("a.b..d.", "a.b...e", "a.b.c.d.e"),
        ("a.b.c..e", "a.b..d.e", "a.b.c.d.e"),
    ],
)
def test_wildcard_with_the_longer_run_of_literals_wins(better: str, worse: str, uri: str) -> None:
    for order in ((better, worse), (worse, better)):
        patterns = patterns_of(*((pattern, "wildcard") for pattern in order))
        assert [found for found, _ in patterns.matching(uri)] == [better, worse]
        assert patterns.best(uri) == (better, "wildcard")


@pytest.mark.parametrize(
    ("pattern", "match", "uri", "is_match"),
    [
        ("com.app.emer", "prefix", "com.app.emergency", True),
        ("com.app.", "prefix", "com.app.x", True),
        ("com.app.", "prefix", "com.app", False),
        ("com.app", "prefix", "com.app", True),
        ("com.application", "prefix", "com.app", False),
        ("", "prefix", "com", True),
        ("com..temp", "wildcard", "com.a.temp", True),
        ("com..temp", "wildcard", "com.a.b.temp", False),
        ("com..temp", "wildcard", "com.temp", False),
        (".x", "wildcard", "a.x", True),
        (".x", "wildcard", "a.y", False),
        ("..", "wildcard", "a.b.c", True),
        ("..", "wildcard", "a.b", False),
        ("", "wildcard", "a", True),
        ("", "wildcard", "a.b", False),
        ("com.a", "wildcard", "com.a", True),
        ("com.a", "wildcard", "com.b", False),
        ("com.a", "exact", "com.a", True),
        ("com.a", "exact", "com.a.b", False),
    ],
)
def test_match(pattern: str, match: Match, uri: str, is_match: bool) -> None:
    patterns = patterns_of((pattern, match))
    assert patterns.matching(uri) == (((pattern, match),) if is_match else ())
    assert patterns.best(uri) == ((pattern, match) if is_match else None)


def test_one_uri_under_three_matches_is_three() -> None:
    patterns = patterns_of(("a.b", "exact"), ("a.b", "prefix"), ("a.b", "wildcard"))
    assert patterns.matching("a.b") == (("a.b", "exact"), ("a.b", "prefix"), ("a.b", "wildcard"))
    assert len(patterns) == 3
    assert patterns.remove("a.b", "exact") == ("a.b", "exact")
    assert patterns.get("a.b", "exact") is None
    assert patterns.get("a.b", "prefix") == ("a.b", "prefix")
    assert list(patterns.by_match("wildcard")) == [("a.b", ("a.b", "wildcard"))]
    assert list(patterns) == [("a.b", "prefix"), ("a.b", "wildcard")]


@pytest.mark.parametrize("match", ["exact", "prefix", "wildcard"])
def test_removing_what_is_not_there_is_an_error(match: Match) -> None:
    with pytest.raises(KeyError):
        patterns_of().remove("a", match)


def test_remembered_matches_are_bounded() -> None:
    patterns: Patterns[int] = Patterns(remembered_max=10)
    patterns.add("t", "prefix", 1)
    for number in range(100):
        assert patterns.matching(f"t{number}") == (1,)
        assert len(patterns._remembered) <= 10


def test_what_is_longer_than_a_uri_is_not_remembered() -> None:
    patterns: Patterns[int] = Patterns()
    patterns.add("t", "prefix", 1)
    assert patterns.matching("t" * 5000) == (1,)
    assert not patterns._remembered


URIS = st.lists(st.sampled_from(["a", "b", "aa"]), min_size=1, max_size=4).map(".".join)
MADE = st.one_of(
    st.tuples(URIS, st.just("exact")),
    st.tuples(st.one_of(URIS, URIS.map(lambda uri: uri + "."), st.just("")), st.just("prefix")),
    st.tuples(
        st.lists(st.sampled_from(["", "a", "b", "aa"]), min_size=1, max_size=4).map(".".join),
        st.just("wildcard"),
    ),
)


@given(
    st.lists(st.tuples(st.booleans(), MADE, URIS), max_size=60),
    st.integers(min_value=1, max_value=4),
)
def test_patterns_find_what_a_naive_search_finds(
    steps: list[tuple[bool, tuple[str, Match], str]], remembered_max: int
) -> None:
    patterns: Patterns[tuple[str, Match]] = Patterns(remembered_max)
    naive: set[tuple[str, Match]] = set()
    for is_add, pattern, uri in steps:
        if is_add:
            patterns.add(*pattern, pattern)
            naive.add(pattern)
        elif pattern in naive:
            patterns.remove(*pattern)
            naive.remove(pattern)
        found = patterns.matching(uri)
        assert list(found) == sorted(
            (each for each in naive if matches(*each, uri)), key=lambda each: rank(*each)
        )
        assert patterns.best(uri) == (found[0] if found else None)
        assert set(patterns) == naive
    for pattern in naive:
        patterns.remove(*pattern)
    assert not patterns._shapes
    assert not patterns._prefix_lengths


def matches(pattern: str, match: Match, uri: str) -> bool:
    if match == "exact":
        return pattern == uri
    if match == "prefix":
        return uri.startswith(pattern)
    wanted, given = pattern.split("."), uri.split(".")
    return len(wanted) == len(given) and all(
        not ours or ours == theirs for ours, theirs in zip(wanted, given, strict=True)
    )


def rank(pattern: str, match: Match) -> tuple[object, ...]:
    """Runs of literals between wildcards, as the text has it."""
    if match == "exact":
        return (0,)
    if match == "prefix":
        return (1, -len(pattern))
    runs = [0]
    for component in pattern.split("."):
        if component:
            runs[-1] -= 1
        else:
            runs.append(0)
    return (2, *runs)
