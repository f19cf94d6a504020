"""Names of topics, and what a topic or a pattern reaches."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thingtank.doors.wamp.tank_peer import topics
from thingtank.doors.wamp.tank_peer.topics import EVERYTHING, NOTHING, Scope, scope_of
from thingtank.protocols.wamp.patterns import Patterns
from thingtank.protocols.wamp.uris import is_uri
from thingtank.tank.things import is_datastream_name

UUID = "01234567-89ab-cdef-0123-456789abcdef"
NAMES = st.text("ab.Ä-+_7", min_size=1, max_size=12).filter(is_datastream_name)


@given(NAMES)
def test_a_datastreams_name_is_one_component_and_comes_back(name: str) -> None:
    topic = topics.datastream_topic(7, name)
    assert is_uri(topic)
    components = topic.split(".")
    assert len(components) == topics.COMPONENTS
    assert topics.unescaped(components[-1]) == name
    assert scope_of(topic, "exact") == Scope("feeds", "7", name)


@given(NAMES, NAMES)
def test_two_names_never_share_a_topic(one: str, other: str) -> None:
    assert (topics.escaped(one) == topics.escaped(other)) == (one == other)


@pytest.mark.parametrize(
    ("name", "topic"),
    [
        ("temperature", "tank.feeds.7.temperature"),
        ("a.b", "tank.feeds.7.a%2Eb"),
        ("..a.", "tank.feeds.7.%2E%2Ea%2E"),
        ("Außen-T+1", "tank.feeds.7.Außen-T+1"),
        ("2E", "tank.feeds.7.2E"),
    ],
)
def test_dots_are_escaped_and_nothing_else(name: str, topic: str) -> None:
    assert topics.datastream_topic(7, name) == topic


def test_a_uuid_that_a_client_chose_is_one_component() -> None:
    topic = topics.device_topic("my.lamp:1@home", "updated")
    assert topic == "tank.devices.my%2Elamp:1@home.updated"
    assert is_uri(topic)
    assert scope_of(topic, "exact") == Scope("devices", "my%2Elamp:1@home", "updated")


def test_the_longest_name_of_dots_is_still_a_uri() -> None:
    assert is_uri(topics.datastream_topic(10**17, "." * 255))


FEED = Scope("feeds", "7")


@pytest.mark.parametrize(
    ("uri", "match", "scope"),
    [
        ("tank.feeds.7.temperature", "exact", Scope("feeds", "7", "temperature")),
        ("tank.feeds.7", "exact", NOTHING),
        ("tank.feeds.7.a.b", "exact", NOTHING),
        ("tank", "exact", NOTHING),
        ("tank.other.7.x", "exact", NOTHING),
        ("tank.devices." + UUID + ".created", "exact", Scope("devices", UUID, "created")),
        ("tank.devices." + UUID + ".message", "exact", Scope("devices", UUID, "message")),
        ("tank.devices." + UUID + ".unheard_of", "exact", NOTHING),
        ("tank.triggers.5.fired", "exact", Scope("triggers", "5", "fired")),
        ("tank.requests.7.served", "exact", Scope("requests", "7", "served")),
        ("tanker.feeds.7.x", "exact", None),
        ("com.example.x", "exact", None),
        ("tank.feeds.7.", "prefix", FEED),
        ("tank.feeds.7.temp", "prefix", FEED),
        ("tank.feeds.7.a.", "prefix", NOTHING),
        ("tank.feeds.7", "prefix", EVERYTHING),  # 70 as well
        ("tank.feeds.", "prefix", EVERYTHING),
        ("tank.fee", "prefix", EVERYTHING),
        ("tank.", "prefix", EVERYTHING),
        ("tank", "prefix", EVERYTHING),
        ("ta", "prefix", EVERYTHING),
        ("", "prefix", EVERYTHING),
        ("tanker", "prefix", None),
        ("com.", "prefix", None),
        ("tank.devices." + UUID + ".", "prefix", Scope("devices", UUID)),
        ("tank.feeds.7.", "wildcard", FEED),
        ("tank.feeds.7.temperature", "wildcard", Scope("feeds", "7", "temperature")),
        ("tank.feeds..temperature", "wildcard", EVERYTHING),
        ("tank.feeds..", "wildcard", EVERYTHING),
        ("tank..7.temperature", "wildcard", EVERYTHING),
        ("tank...", "wildcard", EVERYTHING),
        ("tank..", "wildcard", NOTHING),
        ("...", "wildcard", EVERYTHING),
        (".feeds.7.", "wildcard", FEED),
        (".app.7.", "wildcard", None),
        ("..", "wildcard", None),
        ("com...", "wildcard", None),
    ],
)
def test_what_a_subscription_reaches(uri: str, match, scope: Scope | None) -> None:
    assert scope_of(uri, match) == scope


PARTS = st.sampled_from(["", "tank", "feeds", "requests", "7", "70", "x", "ta", "served"])
TOPICS = [
    topics.datastream_topic(7, "x"),
    topics.datastream_topic(70, "x"),
    topics.datastream_topic(7, "served"),
    topics.request_topic(7),
    topics.trigger_topic(7, "fired"),
]


@given(
    st.lists(PARTS, min_size=1, max_size=5).map(".".join),
    st.sampled_from(["exact", "prefix", "wildcard"]),
)
def test_no_pattern_reaches_more_than_its_scope_says(uri: str, match) -> None:
    if not is_uri(uri, match):
        return
    patterns: Patterns[str] = Patterns()
    patterns.add(uri, match, "it")
    scope = scope_of(uri, match)
    for topic in TOPICS:
        if not patterns.matching(topic):
            continue
        _, group, name, word = topic.split(".")
        assert scope is not None
        assert not scope.is_nothing
        assert scope.group in ("", group)
        if scope.group:
            assert scope.name == name
            assert scope.word in (None, word)


def test_what_is_below_the_root() -> None:
    yes = ("tank", "tank.", "tank.x", "tank..y")
    assert all(map(topics.is_of_tank, yes))
    assert not any(map(topics.is_of_tank, ("", "ta", "tanker", "x.tank", *string.ascii_letters)))
