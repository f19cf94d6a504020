"""How patterns relate, compared with looking at many URIs one by one."""

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thingtank.doors.wamp.authorization.patterns import (
    Pattern,
    covers,
    decides_before,
    meets,
    narrowed,
)
from thingtank.doors.wamp.authorization.role_rights import RoleRights
from thingtank.doors.wamp.realm_settings import Allowed, PermissionSettings, RoleSettings
from thingtank.protocols.wamp.options import Match
from thingtank.protocols.wamp.patterns import Patterns

WORDS = ["a", "ab", "b"]
URIS = [".".join(words) for size in (1, 2, 3) for words in product([*WORDS, "abc"], repeat=size)]
PREFIXES = ["", *(uri + dot for uri in URIS[:12] for dot in ("", "."))]
WILDCARDS = [
    ".".join(parts) for size in (1, 2, 3) for parts in product(["", "a", "ab", "b"], repeat=size)
]
patterns = st.one_of(
    st.sampled_from([Pattern(uri, "exact") for uri in URIS]),
    st.sampled_from([Pattern(uri, "prefix") for uri in PREFIXES]),
    st.sampled_from([Pattern(uri, "wildcard") for uri in WILDCARDS if uri]),
)


def matches(pattern: Pattern, uri: str) -> bool:
    if pattern.match == "exact":
        return uri == pattern.uri
    if pattern.match == "prefix":
        return uri.startswith(pattern.uri)
    wanted, given = pattern.uri.split("."), uri.split(".")
    return len(wanted) == len(given) and all(
        a in ("", b) for a, b in zip(wanted, given, strict=True)
    )


def meant(pattern: Pattern) -> list[str]:
    """Some of what it matches: all that is short, and something longer."""
    found = [uri for uri in URIS if matches(pattern, uri)]
    if pattern.match == "prefix":
        found += [f"{pattern.uri}zz", f"{pattern.uri}zz.y.x.w"]
    elif pattern.match == "wildcard":
        found.append(".".join(each or "zz" for each in pattern.uri.split(".")))
    return found


@settings(max_examples=500, deadline=None)
@given(patterns, patterns)
def test_covers_and_meets(one: Pattern, other: Pattern) -> None:
    found = meant(other)
    if covers(one, other):
        assert all(matches(one, uri) for uri in found)
        assert meets(one, other)
    elif one.match != "exact":  # a wildcard without wildcards is one URI, too
        assert not all(matches(one, uri) for uri in found)
    assert meets(one, other) == meets(other, one)
    if any(matches(one, uri) for uri in [*found, *meant(one)] if matches(other, uri)):
        assert meets(one, other)
    elif one.match != "prefix" and other.match != "prefix":
        assert not meets(one, other)


@settings(max_examples=300, deadline=None)
@given(st.lists(patterns, min_size=2, max_size=2, unique=True))
def test_who_decides_is_whom_the_dealer_takes(pair: list[Pattern]) -> None:
    table: Patterns[Pattern] = Patterns()
    for pattern in pair:
        table.add(*pattern, pattern)
    for uri in meant(pair[0]):
        if all(matches(pattern, uri) for pattern in pair):
            first = table.best(uri)
            (other,) = [each for each in pair if each != first]
            assert first is not None
            assert decides_before(first, other)
            assert not decides_before(other, first)


@settings(max_examples=500, deadline=None)
@given(
    st.lists(st.tuples(patterns, st.booleans()), max_size=6, unique_by=lambda rule: rule[0]),
    patterns.filter(lambda pattern: pattern.match != "exact"),
)
def test_a_pattern_leaks_nothing(rules: list[tuple[Pattern, bool]], wanted: Pattern) -> None:
    rights = RoleRights(
        RoleSettings(
            "r",
            tuple(
                PermissionSettings(pattern.uri, pattern.match, Allowed(subscribe=may))
                for pattern, may in rules
            ),
        )
    )
    decided = rights.decide("subscribe", *wanted)
    for uri in meant(wanted):
        exactly = rights.decide("subscribe", uri, "exact")
        is_allowed = exactly is not None and exactly.decision.is_allowed
        if decided is not None and decided.decision.is_allowed:
            assert is_allowed, f"{wanted} lets {uri} be heard"


ONE_RULE: list[tuple[str, Match, str, Match, bool]] = [
    ("com.app.", "prefix", "com.app.", "prefix", True),
    ("com.app.", "prefix", "com.app.x", "prefix", True),
    ("com.app.", "prefix", "com.app..y", "wildcard", True),
    ("com.app.", "prefix", "com.app", "prefix", False),  # com.apple
    ("com.app.", "prefix", "com.", "prefix", False),
    ("com.app.", "prefix", "", "prefix", False),
    ("com.app.", "prefix", "com..y", "wildcard", False),
    ("com.app.", "prefix", ".app.y", "wildcard", False),
    ("com.app", "prefix", "com.app.", "prefix", True),
    ("com..y", "wildcard", "com..y", "wildcard", True),
    ("com..y", "wildcard", "com.x.y", "wildcard", True),
    ("com..y", "wildcard", "com..", "wildcard", False),
    ("com..", "wildcard", "com..y", "wildcard", True),
    ("com..y", "wildcard", "com.", "prefix", False),
    ("", "prefix", "", "prefix", True),
    ("", "prefix", "..", "wildcard", True),
    ("com.app", "exact", "com.app", "prefix", False),
]


@pytest.mark.parametrize(("uri", "match", "wanted", "wanted_match", "may"), ONE_RULE)
def test_one_permission(
    uri: str, match: Match, wanted: str, wanted_match: Match, may: bool
) -> None:
    rule = PermissionSettings(uri, match, Allowed(subscribe=True))
    decided = RoleRights(RoleSettings("r", (rule,))).decide("subscribe", wanted, wanted_match)
    assert (decided is not None and decided.decision.is_allowed) == may


TWO_RULES: list[tuple[str, Match, str, Match, str, Match, bool]] = [
    # allowed, forbidden, wanted
    ("com.", "prefix", "com.app.x", "exact", "com.app.", "prefix", False),
    ("com.", "prefix", "com.app.x", "exact", "com.other.", "prefix", True),
    ("com.app.", "prefix", "com.", "prefix", "com.app.", "prefix", True),
    ("com.", "prefix", "com.app.", "prefix", "com.", "prefix", False),
    ("com.", "prefix", "com.app.", "prefix", "com.b.", "prefix", True),
    ("com.", "prefix", "com..secret", "wildcard", "com.", "prefix", True),  # the prefix decides
    ("com..", "wildcard", "com.secret.", "prefix", "com..", "wildcard", False),
    ("com..", "wildcard", "com..secret", "wildcard", "com..", "wildcard", False),
    ("com..", "wildcard", "com..secret", "wildcard", "com..public", "wildcard", True),
    ("com..x", "wildcard", "com..", "wildcard", "com..x", "wildcard", True),
]


@pytest.mark.parametrize(
    ("may", "may_match", "no", "no_match", "wanted", "match", "is_allowed"), TWO_RULES
)
def test_two_permissions(
    may: str,
    may_match: Match,
    no: str,
    no_match: Match,
    wanted: str,
    match: Match,
    is_allowed: bool,
) -> None:
    rules = (
        PermissionSettings(may, may_match, Allowed(subscribe=True)),
        PermissionSettings(no, no_match, Allowed(publish=True)),
    )
    for each in (rules, rules[::-1]):
        decided = RoleRights(RoleSettings("r", each)).decide("subscribe", wanted, match)
        assert decided is not None
        assert decided.decision.is_allowed == is_allowed


@pytest.mark.parametrize(
    ("pattern", "below"),
    [
        (Pattern("tank.feeds.", "prefix"), Pattern("tank.feeds.", "prefix")),
        (Pattern("tank", "prefix"), Pattern("tank.", "prefix")),
        (Pattern("ta", "prefix"), Pattern("tank.", "prefix")),
        (Pattern("", "prefix"), Pattern("tank.", "prefix")),
        (Pattern("tanks.", "prefix"), None),
        (Pattern("com.", "prefix"), None),
        (Pattern(".feeds.", "wildcard"), Pattern("tank.feeds.", "wildcard")),
        (Pattern("tank..x", "wildcard"), Pattern("tank..x", "wildcard")),
        (Pattern("com..x", "wildcard"), None),
    ],
)
def test_what_of_a_pattern_is_below_a_name(pattern: Pattern, below: Pattern | None) -> None:
    assert narrowed(pattern, "tank") == below
