"""Topics that somebody wants: `*` for any letters, `-` before what is not wanted."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thingtank.tank.errors import ValidationFailed
from thingtank.tank.messaging.topic_filter import (
    STARS_MAX,
    TOPIC_CHARS_MAX,
    TOPICS_MAX,
    TopicFilter,
)


@pytest.mark.parametrize(
    ("topics", "wanted", "unwanted"),
    [
        (["a"], ["a"], ["", "A", "ab", "ba", "a\n"]),
        (["a*"], ["a", "ab", "a\nb"], ["ba", ""]),
        (["*"], ["", "a"], []),
        (["a*b*c"], ["abc", "axxbxxc"], ["ab", "acb"]),
        (["a", "b"], ["a", "b"], ["c"]),
        (["-a"], ["", "b", "ab"], ["a"]),
        (["-a*"], ["", "b"], ["a", "ab"]),
        (["a*", "-ab"], ["a", "ac"], ["ab", "b"]),
        (["-ab", "a*"], ["a", "ac"], ["ab", "b"]),
        (["-*"], [], ["", "a"]),
        (["a?"], ["a?"], ["ab", "a"]),
        (["[ab]"], ["[ab]"], ["a", "b"]),
        (["a.b"], ["a.b"], ["axb"]),
        (["[!a]", "(", "\\d"], ["[!a]", "(", "\\d"], ["b", "5"]),
        ([""], [""], ["a"]),
        ([], ["", "a"], []),
    ],
)
def test_a_list_wants(topics: list[str], wanted: list[str], unwanted: list[str]) -> None:
    chosen = TopicFilter(topics)
    assert [topic for topic in [*wanted, *unwanted] if chosen.wants(topic)] == wanted


@settings(max_examples=50)
@given(st.text(max_size=30))
def test_a_name_without_signs_of_its_own_wants_itself(topic: str) -> None:
    plain = topic.replace("*", "").removeprefix("-")
    if not plain.startswith("-"):
        assert TopicFilter([plain]).wants(plain)
        assert not TopicFilter([plain]).wants(plain + "x")
        assert not TopicFilter([f"-{plain}"]).wants(plain)


def test_no_pattern_takes_long() -> None:
    patterns = [f"*{number}{'*a' * (STARS_MAX - 1)}b" for number in range(TOPICS_MAX)]
    started_s = time.process_time()
    hard = TopicFilter(patterns)
    for _ in range(100):
        assert not hard.wants("1234567890a" * 9_000)
    assert time.process_time() - started_s < 1


def test_there_is_a_limit_to_their_number_and_length() -> None:
    TopicFilter(["a" * TOPIC_CHARS_MAX] * TOPICS_MAX)
    with pytest.raises(ValidationFailed, match="too many"):
        TopicFilter(["a"] * (TOPICS_MAX + 1))
    with pytest.raises(ValidationFailed, match="too long"):
        TopicFilter(["a" * (TOPIC_CHARS_MAX + 1)])
    TopicFilter(["*a" * STARS_MAX])
    with pytest.raises(ValidationFailed, match="too many \\*"):
        TopicFilter(["*a" * (STARS_MAX + 1)])
