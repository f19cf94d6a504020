"""What is a word, in several scripts, and what it weighs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thingtank.tank.search.words import (
    WORD_CHARS_MAX,
    WORDS_PER_DEVICE_MAX,
    query_words,
    weighed_words,
    words_of,
)
from thingtank.tank.things import Datastream, Device

TEXTS = [
    ("Roof station", ["roof", "station"]),
    ("row-7, row_8; 9.5", ["row", "7", "row", "8", "9", "5"]),
    ("outdoorTemp x", ["outdoortemp", "x", "outdoor", "temp"]),
    ("ESP8266", ["esp8266"]),
    ("caféBar", ["cafebar", "cafe", "bar"]),
    ("Été à Zürich, Straße", ["ete", "a", "zurich", "strasse"]),
    ("\uff26\uff55\uff4c\uff4c ℃", ["full", "c"]),
    ("температура", ["температура"]),
    ("तापमान सेंसर", ["तापमान", "सेंसर"]),
    ("温度sensor", ["温", "度", "sensor"]),
    ("!? \x00", []),
    ("x" * 100, ["x" * WORD_CHARS_MAX]),
]


@pytest.mark.parametrize(("text", "words"), TEXTS)
def test_a_text_has_these_words(text: str, words: list[str]) -> None:
    assert list(words_of(text)) == words


def test_a_query_asks_for_each_word_once_and_as_it_stands() -> None:
    assert query_words("Roof outdoorTemp ROOF") == ["roof", "outdoortemp"]


@given(st.text())
def test_what_a_query_asks_for_the_same_text_has(text: str) -> None:
    assert set(query_words(text)) <= set(words_of(text))
    assert all(word and len(word) <= WORD_CHARS_MAX for word in words_of(text))


def test_a_word_has_the_weight_of_its_best_place() -> None:
    device = Device(1, "u", 1, "Roof", description="roof attic Cellar", tags=("attic",))
    assert weighed_words(device, [Datastream(1, 1, "hum", ("wet",))]) == {
        "roof": 3,
        "attic": 2,
        "hum": 2,
        "wet": 2,
        "cellar": 1,
    }


def test_a_device_has_no_more_words_than_allowed_and_the_title_comes_first() -> None:
    streams = [Datastream(n, 1, f"n{n}") for n in range(WORDS_PER_DEVICE_MAX + 5)]
    found = weighed_words(Device(1, "u", 1, "Roof", description="attic"), streams)
    assert len(found) == WORDS_PER_DEVICE_MAX
    assert "roof" in found
    assert "attic" not in found
