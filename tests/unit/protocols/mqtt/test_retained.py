"""Retained messages: found by topic filter, in pieces, within limits, until they expire."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from tests.unit.protocols.mqtt.topic_rules import CHOICES, IDS, is_match

from thingtank.protocols.mqtt.messages import Message
from thingtank.protocols.mqtt.retained import LOOKS_MAX, Retained, message_bytes

NEVER = 0


def kept(*topics: str) -> Retained:
    retained = Retained(1_000_000, 2**30)
    for topic in topics:
        assert retained.keep(Message(topic, b"x"))
    return retained


def matching(retained: Retained, topic_filter: str, now_us: int = 0) -> list[str]:
    return [message.topic for message in retained.matching(topic_filter, now_us)]


# ---- 3.3.1.3: one message a topic


def test_a_message_takes_the_place_of_its_topics():
    retained = kept("a", "b")
    retained.keep(Message("a", b"new"))
    assert retained.get("a", 0) == Message("a", b"new")
    assert len(retained) == 2


def test_dropped_is_gone():
    retained = kept("a", "b")
    assert retained.drop("a")
    assert not retained.drop("a")
    assert retained.get("a", 0) is None
    assert matching(retained, "#") == ["b"]


# ---- 4.7: topic names and topic filters


@pytest.mark.parametrize(("clause", "topic_filter", "matched", "missed"), CHOICES, ids=IDS)
def test_filter_finds(clause, topic_filter, matched, missed):
    assert matching(kept(*matched, *missed), topic_filter) == sorted(matched)


@pytest.mark.parametrize(("clause", "topic_filter", "matched", "missed"), CHOICES, ids=IDS)
def test_filter_finds_among_all_others(clause, topic_filter, matched, missed):
    topics = {topic for _, _, *both in CHOICES for each in both for topic in each}
    expected = sorted(topic for topic in topics if is_match(topic_filter, topic))
    assert set(matched) <= set(expected)
    assert matching(kept(*topics), topic_filter) == expected


NEIGHBOURS = [
    # characters before and after "/" in the order of topics, beside and below each other
    "a", "a!", "a-b", "a-b/x", "a.", "a/", "a//", "a/b", "a/b!/c", "a/b-c", "a/b/", "a/b/c",
    "a/b/c/d", "a/b0", "a/c", "a0", "a0/b", "b", "b/b", "b/c", "!", "!/b", "$", "$/b", "$a/b",
    "%", "%/b", "/", "/b", "//b", "\U0010ffff", "\U0010ffff/b", "a/\U0010ffff", "a/\U0010ffff/c",
]  # fmt: skip


@pytest.mark.parametrize(
    "topic_filter",
    ["a", "a/#", "a/+", "a/b", "a/b/#", "a/+/c", "a/+/#", "+/b", "+/b/#", "+/+/c", "+", "#", "+/#",
     "a/b/+", "+/+", "/+", "/#", "$/#", "$/+", "$a/b", "b/#", "z", "z/#", "+/z", "a/z/#", "a/b/c",
     "\U0010ffff/#", "a/\U0010ffff/+", "//b", "+//+", "a/b/c/d/e", "+/+/+/+/+"],
)  # fmt: skip
def test_neighbours_in_order_are_told_apart(topic_filter):
    expected = sorted(topic for topic in NEIGHBOURS if is_match(topic_filter, topic))
    assert matching(kept(*NEIGHBOURS), topic_filter) == expected


names = st.sampled_from(["", "a", "b", "a-", "a0", "$a"])
topics = st.lists(names, min_size=1, max_size=4).map("/".join).filter(bool)
filters = st.lists(names | st.just("+"), min_size=1, max_size=4).map("/".join)
filters = (filters | filters.map(lambda each: each + "/#") | st.just("#")).filter(bool)


@given(st.sets(topics, max_size=60), st.lists(filters, min_size=1, max_size=8))
@settings(max_examples=150, deadline=None)
def test_any_filter_finds_what_the_rules_say(topics, filters):
    retained = kept(*topics)
    for topic_filter in filters:
        expected = sorted(topic for topic in topics if is_match(topic_filter, topic))
        assert matching(retained, topic_filter) == expected


# ---- 3.3.2.3.3: expiry


def test_expired_is_not_found_before_it_is_removed():
    retained = kept("a")
    retained.keep(Message("b", b"x", expires_at_us=100))
    assert matching(retained, "#", 99) == ["a", "b"]
    assert matching(retained, "#", 100) == ["a"]
    assert retained.get("b", 99) is not None
    assert retained.get("b", 100) is None
    assert len(retained) == 2


def test_expire_removes_what_is_due_and_says_when_to_come_again():
    retained = kept("never")
    assert retained.next_expiry_us is None
    for number in range(10):
        retained.keep(Message(f"t{number}", b"x", expires_at_us=100 + number))
    assert retained.next_expiry_us == 100
    assert retained.expire(99, 1000) == []
    assert retained.expire(104, 1000) == ["t0", "t1", "t2", "t3", "t4"]
    assert retained.next_expiry_us == 105
    assert retained.expire(1000, 2) == ["t5", "t6"]
    assert retained.expire(1000, 1000) == ["t7", "t8", "t9"]
    assert retained.next_expiry_us is None
    assert retained.expire(10**18, 1000) == []
    assert matching(retained, "#") == ["never"]


def test_what_replaces_expires_at_its_own_time():
    retained = kept()
    for first, second in ((100, 200), (200, 100), (100, NEVER), (NEVER, 100)):
        retained.keep(Message("t", b"x", expires_at_us=first))
        retained.keep(Message("t", b"x", expires_at_us=second))
        assert retained.expire(99, 10) == []
        assert retained.expire(150, 10) == (["t"] if second == 100 else [])
        assert retained.expire(250, 10) == (["t"] if second == 200 else [])
        assert retained.drop("t") == (second == NEVER)


def test_expiry_does_not_grow_by_what_was_replaced_or_dropped():
    retained = kept()
    for number in range(20_000):
        retained.keep(Message("later", b"x", expires_at_us=10**6 + number))
        retained.keep(Message("sooner", b"x", expires_at_us=10**6 - number))
        retained.keep(Message(f"dropped/{number}", b"x", expires_at_us=10**12))
        retained.drop(f"dropped/{number}")
        assert len(retained._expiry._heap) < 3000
        assert len(retained._expiry._places) < 3000
    assert retained.expire(10**6 - 19_999, 10_000) == ["sooner"]


# ---- limits


def test_full_keeps_what_it_has():
    retained = Retained(2, 100)
    assert retained.keep(Message("a", b"x"))
    assert retained.keep(Message("b", b"x"))
    assert not retained.keep(Message("c", b"x"))
    assert retained.keep(Message("b", b"new"))
    retained.drop("a")
    assert retained.keep(Message("c", b"x"))
    assert [message.topic for message in retained.page("", 9)] == ["b", "c"]


def test_bytes_are_of_topics_properties_and_payloads():
    retained = Retained(10, 20)
    message = Message("\u00e5\u00e5", b"12345", properties=b"123")
    assert retained.keep(message)
    assert retained.bytes == message_bytes(message) == 12
    assert not retained.keep(Message("b", b"12345678"))
    assert retained.keep(Message("b", b"1234567"))
    assert retained.bytes == 20
    assert not retained.keep(Message("b", b"12345678"))
    assert retained.get("b", 0) == Message("b", b"1234567")
    assert retained.keep(Message("b", b""))
    assert retained.bytes == 13
    assert retained.drop("b")
    assert retained.drop("\u00e5\u00e5")
    assert retained.bytes == 0


def test_what_has_expired_gives_its_room_back_when_removed():
    retained = Retained(1, 100)
    retained.keep(Message("a", b"x", expires_at_us=10))
    assert not retained.keep(Message("b", b"x"))
    retained.expire(10, 1)
    assert retained.keep(Message("b", b"x"))


# ---- in pieces


def test_search_goes_on_where_it_stopped():
    names = [f"s/{number:04}/{end}" for number in range(1500) for end in ("a", "b", "c")]
    retained = kept(*names)
    search = retained.search("s/+/b")
    found = []
    while not search.is_done:
        more = search.take(0, 7)
        assert len(more) <= 7
        found += [message.topic for message in more]
    assert found == [name for name in names if name.endswith("b")]
    assert search.take(0, 7) == []


def test_a_piece_of_a_search_that_finds_nothing_ends():
    retained = kept(*(f"{number:05}/{number:05}" for number in range(3 * LOOKS_MAX)))
    search, pieces = retained.search("+/+/x"), 0
    while not search.is_done:
        assert search.take(0, 10) == []
        pieces += 1
    assert pieces >= 3


def test_search_passes_over_what_cannot_match():
    names = [f"{number:03}/{end:03}" for number in range(50) for end in range(100)]
    search = kept(*names).search("+/050")
    pieces = 0
    while not search.is_done:
        search.take(0, 1000, looks_max=50)
        pieces += 1
    assert pieces <= 5  # of 5,000 topics three for each of the 50 are looked at


@given(
    st.sets(topics, max_size=30),
    filters,
    st.lists(st.tuples(st.booleans(), topics), max_size=30),
    st.integers(1, 3),
)
@settings(max_examples=150, deadline=None)
def test_search_survives_changes_between_its_pieces(before, topic_filter, changes, size):
    retained = kept(*before)
    always, ever = set(before), set(before)
    search, found = retained.search(topic_filter), []
    changes = iter(changes)
    while not search.is_done:
        found += [message.topic for message in search.take(0, size, size)]
        is_kept, topic = next(changes, (True, None))
        if topic and is_kept:
            retained.keep(Message(topic, b"x"))
            ever.add(topic)
        elif topic:
            retained.drop(topic)
            always.discard(topic)
    assert found == sorted(set(found))
    assert {each for each in always if is_match(topic_filter, each)} <= set(found)
    assert set(found) <= {each for each in ever if is_match(topic_filter, each)}


# ---- listing


def test_pages_go_by_topic():
    names = [f"a/{number:04}" for number in range(2500)] + ["b", "a", "a-b"]
    retained = kept(*reversed(names))
    found, after = [], ""
    while page := retained.page(after, 999):
        found += [message.topic for message in page]
        after = found[-1]
    assert found == sorted(names)


@pytest.mark.parametrize(
    ("after", "prefix", "expected"),
    [
        ("", "a", ["a", "a-b", "a/b", "a/c"]),
        ("", "a/", ["a/b", "a/c"]),
        ("a/b", "a/", ["a/c"]),
        ("a/c", "a/", []),
        ("a", "", ["a-b", "a/b", "a/c", "b", "\u00e5"]),
        ("", "c", []),
        ("", "\u00e5", ["\u00e5"]),
        ("zz", "a", []),
    ],
)
def test_pages_may_be_of_a_prefix(after, prefix, expected):
    retained = kept("a", "a-b", "a/b", "a/c", "b", "\u00e5")
    assert [message.topic for message in retained.page(after, 10, prefix)] == expected
    assert [message.topic for message in retained.page(after, 1, prefix)] == expected[:1]


# ---- a model


class RetainedAgainstADict(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.retained = Retained(8, 80)
        self.model: dict[str, Message] = {}
        self.now_us = 1

    @rule(topic=topics, payload=st.binary(max_size=12), expires_in_us=st.integers(-1, 9))
    def keep(self, topic, payload, expires_in_us):
        expires_at_us = 0 if expires_in_us < 0 else self.now_us + expires_in_us
        message = Message(topic, payload, expires_at_us=expires_at_us)
        changed = {**self.model, topic: message}
        fits = len(changed) <= 8 and sum(map(message_bytes, changed.values())) <= 80
        fits = fits or (topic in self.model and sum(map(message_bytes, changed.values())) <= 80)
        assert self.retained.keep(message) == fits
        if fits:
            self.model = changed

    @rule(topic=topics)
    def drop(self, topic):
        assert self.retained.drop(topic) == (self.model.pop(topic, None) is not None)

    @rule(topic_filter=filters)
    def find(self, topic_filter):
        expected = [topic for topic in self.alive() if is_match(topic_filter, topic)]
        assert matching(self.retained, topic_filter, self.now_us) == sorted(expected)

    @rule(later_us=st.integers(0, 5))
    def wait(self, later_us):
        self.now_us += later_us

    @rule(count_max=st.integers(1, 4))
    def expire(self, count_max):
        before = set(self.model)
        gone = self.retained.expire(self.now_us, count_max)
        assert len(gone) == len(set(gone)) <= count_max
        assert set(gone) <= before - set(self.alive())
        for topic in gone:
            del self.model[topic]

    @rule()
    def expire_all(self):
        self.retained.expire(self.now_us, 10_000)
        self.model = {topic: self.model[topic] for topic in self.alive()}

    @invariant()
    def agrees(self):
        assert self.retained.page("", 100) == [self.model[each] for each in sorted(self.model)]
        assert self.retained.bytes == sum(map(message_bytes, self.model.values()))
        assert len(self.retained) == len(self.model)
        for topic, message in self.model.items():
            alive = message if topic in self.alive() else None
            assert self.retained.get(topic, self.now_us) == alive

    def alive(self) -> list[str]:
        return [
            topic
            for topic, message in self.model.items()
            if not message.expires_at_us or message.expires_at_us > self.now_us
        ]


TestRetainedAgainstADict = RetainedAgainstADict.TestCase
TestRetainedAgainstADict.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
