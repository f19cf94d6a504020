"""Rules of the settings: whom they are for, and which topics and filters they cover."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thingtank.doors.mqtt.access.rules import covers, fits, is_meant, plain_filter, rules_for
from thingtank.doors.mqtt.settings import AclRule

FITS = [
    ("lamp", "lamp", True),
    ("lamp", "lam", False),
    ("lamp", "*", True),
    ("lamp", "l*", True),
    ("lamp", "*p", True),
    ("lamp", "l*p", True),
    ("lamp", "l*a*p", True),
    ("lamp", "l**p", True),
    ("lp", "l*lp", False),
    ("aba", "ab*ba", False),
    ("abab", "a*ab", True),
    ("", "*", True),
    ("", "", True),
    ("a.c", "a.c", True),
    ("abc", "a.c", False),
]


@pytest.mark.parametrize(("text", "pattern", "does"), FITS)
def test_a_star_stands_for_any_characters(text: str, pattern: str, does: bool) -> None:
    assert fits(text, pattern) is does


MEANT = [
    (["user:lamp"], "lamp", True),
    (["user:lamp"], "user:lamp", True),
    (["user:lamp"], "l*", True),
    (["user:lamp"], "account:lamp", False),
    (["account:alice"], "alice", False),
    (["account:alice"], "account:alice", True),
    (["account:alice"], "account:a*", True),
    (["account:alice", "admin"], "admin", True),
    (["account:alice"], "admin", False),
    (["account:alice", "admin"], "a*", False),
    (["local", "anonymous"], "anonymous", True),
    (["local", "anonymous"], "local", True),
    (["anonymous"], "local", False),
    (["anonymous"], "a*", False),
    (["anonymous"], "*", True),
    (["key:7"], "key:*", True),
    (["key:77"], "key:7", False),
    (["device:u"], "device:*", True),
    (["device:u"], "key:*", False),
]


@pytest.mark.parametrize(("names", "pattern", "is_it"), MEANT)
def test_a_pattern_means_those_of_its_kind(names: list[str], pattern: str, is_it: bool) -> None:
    assert is_meant(names, [pattern]) is is_it
    assert is_meant(names, ["nobody-at-all", pattern]) is is_it


COVERS = [
    ("#", "a", True),
    ("#", "a/b/#", True),
    ("#", "+/b", True),
    ("#", "#", True),
    ("#", "/", True),
    ("#", "$SYS/x", False),
    ("+/x", "$SYS/x", False),
    ("$SYS/#", "$SYS/x", True),
    ("a/#", "a", True),
    ("a/#", "a/b", True),
    ("a/#", "a/#", True),
    ("a/#", "a/+/c", True),
    ("a/#", "b/a", False),
    ("a/#", "+/b", False),
    ("a/#", "#", False),
    ("a/+", "a/b", True),
    ("a/+", "a/+", True),
    ("a/+", "a/", True),
    ("a/+", "a", False),
    ("a/+", "a/#", False),
    ("a/+", "a/b/c", False),
    ("a/+/#", "a", False),
    ("a/+/#", "a/b", True),
    ("a/+/#", "a/#", False),
    ("a/b", "a/b", True),
    ("a/b", "a/B", False),
    ("a/b", "a/+", False),
    ("a", "a/b", False),
    ("a/b", "a/b/#", False),
    ("+", "/", False),
    ("+/+", "/", True),
]


@pytest.mark.parametrize(("outer", "inner", "does"), COVERS)
def test_a_filter_covers_what_it_matches_all_of(outer: str, inner: str, does: bool) -> None:
    """MQTT 5, 4.7."""
    assert covers(outer.split("/"), inner.split("/")) is does


LEVELS = st.lists(st.sampled_from(["a", "b", "", "+", "$x"]), min_size=1, max_size=4)
FILTERS = st.builds(
    lambda levels, end: [*levels, "#"][: len(levels) + end], LEVELS, st.integers(0, 1)
)
TOPICS = st.lists(st.sampled_from(["a", "b", "", "$x"]), min_size=1, max_size=5)


@given(FILTERS, FILTERS, TOPICS)
def test_what_a_covered_filter_matches_the_outer_one_does(
    outer: list[str], inner: list[str], topic: list[str]
) -> None:
    if covers(outer, inner) and covers(inner, topic):
        assert covers(outer, topic)


VALUES = [
    ("a/%c", {"c": "c1"}, "a/c1"),
    ("a/x%cy/b", {"c": "c1"}, "a/xc1y/b"),
    ("%u/%d/%c", {"u": "u", "d": "d", "c": "c"}, "u/d/c"),
    ("a/%%c", {"c": "c1"}, "a/%c"),
    ("100%%", {}, "100%"),
    ("a/%c", {"c": "%u", "u": "x"}, "a/%u"),
    ("a/%u", {"u": ""}, None),
    ("a/%u", {}, None),
    ("a/%c", {"c": "#"}, None),
    ("a/%c", {"c": "+"}, None),
    ("a/%c", {"c": "x/y"}, None),
    ("a/%c", {"c": "a\0b"}, None),
]


@pytest.mark.parametrize(("topic", "values", "expected"), VALUES)
def test_values_stand_in_for_letters_and_never_mean_more(
    topic: str, values: dict[str, str], expected: str | None
) -> None:
    rules = rules_for([AclRule(topic, allow="both")], ["user:lamp"], values)
    assert ["/".join(rule.levels) for rule in rules] == ([] if expected is None else [expected])


def test_only_rules_for_a_client_are_its_and_in_order() -> None:
    acl = [
        AclRule("a", ("lamp",), "both"),
        AclRule("b", ("gate",), "both"),
        AclRule("c", deny="both"),
    ]
    rules = rules_for(acl, ["user:lamp"], {})
    assert [rule.levels for rule in rules] == [("a",), ("c",)]
    assert [rule.is_allowing for rule in rules] == [True, False]


@pytest.mark.parametrize(
    ("topic_filter", "plain"),
    [("a/b", "a/b"), ("$share/g/a/b", "a/b"), ("$share/g/", ""), ("$shared/a", "$shared/a")],
)
def test_a_shared_filter_is_decided_as_what_it_shares(topic_filter: str, plain: str) -> None:
    assert plain_filter(topic_filter) == plain
