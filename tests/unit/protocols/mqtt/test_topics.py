"""Topic names and topic filters (MQTT 5, 4.7 and 4.8.2)."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thingtank.protocols.mqtt.errors import (
    MalformedPacket,
    MqttError,
    TopicFilterInvalid,
    TopicNameInvalid,
)
from thingtank.protocols.mqtt.topics import (
    TOPIC_LEVELS_MAX,
    check_topic_filter,
    check_topic_name,
    matches,
    split_shared,
)

LONGEST = "é" * 32767 + "e"  # 65,535 octets

GOOD_NAMES = [
    "a",
    "/",
    "//",
    "/finance",
    "a/b/c",
    "Accounts payable",
    "$SYS/broker/uptime",
    "$share/x/y",
    "A\U0002a6d4",
    "\ufeff",
    LONGEST,
    "/" * (TOPIC_LEVELS_MAX - 1),
]

BAD_NAMES = [
    ("4.7.3-1 blank", "", MalformedPacket),
    ("4.7.3-2 U+0000", "to\0p", MalformedPacket),
    ("1.5.4 U+0001", "to\x01p", MalformedPacket),
    ("1.5.4 U+001F", "to\x1fp", MalformedPacket),
    ("1.5.4 U+007F", "to\x7fp", MalformedPacket),
    ("1.5.4 U+009F", "to\x9fp", MalformedPacket),
    ("1.5.4 U+FFFF", "to\uffffp", MalformedPacket),
    ("1.5.4 U+FDD0", "to\ufdd0p", MalformedPacket),
    ("1.5.4 U+10FFFE", "to\U0010fffep", MalformedPacket),
    ("4.7.3-3 too long", LONGEST + "e", MalformedPacket),
    ("3.3.2-2 +", "a/+/b", MalformedPacket),
    ("3.3.2-2 + within", "a+", MalformedPacket),
    ("3.3.2-2 #", "#", MalformedPacket),
    ("levels", "/" * TOPIC_LEVELS_MAX, TopicNameInvalid),
]


@pytest.mark.parametrize("topic", GOOD_NAMES, ids=lambda topic: ascii(topic[:20]))
def test_topic_name_is_taken(topic: str) -> None:
    check_topic_name(topic)


@pytest.mark.parametrize(
    ("clause", "topic", "error"), BAD_NAMES, ids=[each[0] for each in BAD_NAMES]
)
def test_topic_name_is_refused(clause: str, topic: str, error: type[MqttError]) -> None:
    with pytest.raises(error):
        check_topic_name(topic)


GOOD_FILTERS = [
    *(
        "#",
        "+",
        "+/+",
        "/+",
        "+/",
        "sport/#",
        "sport/tennis/+",
        "+/tennis/#",
        "sport/+/player1",
        "/#",
    ),
    *(
        "$SYS/#",
        "$SYS/monitor/+",
        "$shared/+",
        "$share",
        "$share/group/#",
        "$share/g/+/b",
        "$share/g//",
    ),
    *("a b/c", "A\U0002a6d4", LONGEST),
]

BAD_FILTERS = [
    ("4.7.3-1 blank", "", MalformedPacket),
    ("4.7.3-2 U+0000", "a\0/#", MalformedPacket),
    ("4.7.1-1 # beside others", "sport/tennis#", MalformedPacket),
    ("4.7.1-1 # not last", "sport/#/ranking", MalformedPacket),
    ("4.7.1-1 # twice", "##", MalformedPacket),
    ("4.7.1-2 + beside others", "sport+", MalformedPacket),
    ("4.7.1-2 + before others", "a/+b", MalformedPacket),
    ("4.7.1-2 + twice", "++", MalformedPacket),
    ("4.7.3-3 too long", LONGEST + "e", MalformedPacket),
    ("4.8.2-1 blank share name", "$share//a", MalformedPacket),
    ("4.8.2-1 no share name", "$share/", MalformedPacket),
    ("4.8.2-1 + in share name", "$share/+/a", MalformedPacket),
    ("4.8.2-1 # in share name", "$share/a#/a", MalformedPacket),
    ("4.8.2-2 no filter", "$share/a", MalformedPacket),
    ("4.8.2-2 blank filter", "$share/a/", MalformedPacket),
    ("4.8.2-2 bad filter", "$share/a/b#", MalformedPacket),
    ("levels", "+/" * TOPIC_LEVELS_MAX + "#", TopicFilterInvalid),
]


@pytest.mark.parametrize("topic_filter", GOOD_FILTERS, ids=lambda each: ascii(each[:20]))
def test_topic_filter_is_taken(topic_filter: str) -> None:
    check_topic_filter(topic_filter)


@pytest.mark.parametrize(
    ("clause", "topic_filter", "error"), BAD_FILTERS, ids=[each[0] for each in BAD_FILTERS]
)
def test_topic_filter_is_refused(clause: str, topic_filter: str, error: type[MqttError]) -> None:
    with pytest.raises(error):
        check_topic_filter(topic_filter)


def test_number_of_levels_allowed_can_be_set() -> None:
    check_topic_name("a/b", levels_max=2)
    with pytest.raises(TopicNameInvalid):
        check_topic_name("a/b/c", levels_max=2)
    with pytest.raises(TopicFilterInvalid):
        check_topic_filter("a/+/c", levels_max=2)


@pytest.mark.parametrize(
    ("topic_filter", "share_name", "plain"),
    [
        ("$share/consumer1/sport/tennis/+", "consumer1", "sport/tennis/+"),
        ("$share/consumer2//finance", "consumer2", "/finance"),
        ("$share/a", "a", ""),
        ("$share//a", "", "a"),
        ("$share", None, "$share"),
        ("$sharer/a/b", None, "$sharer/a/b"),
        ("a/$share/b/c", None, "a/$share/b/c"),
        ("#", None, "#"),
    ],
)
def test_shared_topic_filter_is_taken_apart(
    topic_filter: str, share_name: str | None, plain: str
) -> None:
    assert split_shared(topic_filter) == (share_name, plain)


# The examples of 4.7.1 to 4.7.3, and their edges.
MATCHES = [
    ("sport/tennis/player1/#", "sport/tennis/player1", True),
    ("sport/tennis/player1/#", "sport/tennis/player1/ranking", True),
    ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", True),
    ("sport/tennis/player1/#", "sport/tennis/player10", False),
    ("sport/#", "sport", True),
    ("sport/#", "sports", False),
    ("#", "a/b/c", True),
    ("#", "/", True),
    ("sport/tennis/+", "sport/tennis/player1", True),
    ("sport/tennis/+", "sport/tennis/player1/ranking", False),
    ("sport/+", "sport", False),
    ("sport/+", "sport/", True),
    ("+/+", "/finance", True),
    ("/+", "/finance", True),
    ("+", "/finance", False),
    ("+/tennis/#", "sport/tennis", True),
    ("a/+/c/#", "a/b/c", True),
    ("a/+/c/#", "a/b", False),
    ("#", "$SYS/monitor/Clients", False),
    ("+/monitor/Clients", "$SYS/monitor/Clients", False),
    ("+/#", "$SYS", False),
    ("$SYS/#", "$SYS/monitor/Clients", True),
    ("$SYS/monitor/+", "$SYS/monitor/Clients", True),
    ("$SYS/#", "$SYS", True),
    ("a/+", "a/$SYS", True),
    ("ACCOUNTS", "Accounts", False),
    ("a/b", "a/b", True),
    ("a/b", "a", False),
    ("a", "a/b", False),
    ("/a", "a", False),
    ("a/", "a", False),
]


@pytest.mark.parametrize(("topic_filter", "topic", "does"), MATCHES)
def test_topic_filter_matches_as_the_standard_says(
    topic_filter: str, topic: str, does: bool
) -> None:
    assert matches(topic_filter, topic) is does


levels = st.lists(st.sampled_from(["a", "b", "", "$x", "é"]), min_size=1, max_size=5)


@settings(deadline=None)
@given(levels, st.data())
def test_filter_made_from_a_topic_matches_it(names: list[str], data: st.DataObject) -> None:
    topic = "/".join(names)
    wild = [name if name[:1] == "$" else data.draw(st.sampled_from([name, "+"])) for name in names]
    if names[0][:1] != "$" and data.draw(st.booleans()):
        wild = [*wild[: data.draw(st.integers(0, len(wild)))], "#"]
    assert matches("/".join(wild), topic)


@settings(deadline=None)
@given(levels, levels)
def test_filter_without_wildcards_matches_only_itself(names: list[str], others: list[str]) -> None:
    assert matches("/".join(names), "/".join(others)) is (names == others)
