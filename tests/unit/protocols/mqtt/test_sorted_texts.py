"""Texts in order: many blocks, split and emptied."""

import random

import pytest

from thingtank.protocols.mqtt.sorted_texts import BLOCK_MAX, SortedTexts

COUNT = 5 * BLOCK_MAX
TEXTS = [f"{number:06}" for number in range(COUNT)]


def shuffled() -> list[str]:
    return random.Random(3).sample(TEXTS, COUNT)


@pytest.mark.parametrize("texts", [TEXTS, TEXTS[::-1], shuffled()], ids=["up", "down", "mixed"])
def test_many_come_in_any_order_and_go(texts):
    sorted_texts = SortedTexts()
    for text in texts:
        sorted_texts.add(text)
    assert len(sorted_texts) == COUNT
    assert sorted_texts.page("", COUNT + 1) == TEXTS
    assert max(map(len, sorted_texts._blocks)) <= BLOCK_MAX
    for text in texts[: COUNT // 2]:
        sorted_texts.remove(text)
    assert sorted_texts.page("", COUNT) == sorted(texts[COUNT // 2 :])
    for text in texts[COUNT // 2 :]:
        sorted_texts.remove(text)
    assert (len(sorted_texts), sorted_texts._blocks, sorted_texts._lasts) == (0, [], [])


def test_what_comes_in_order_fills_its_blocks():
    sorted_texts = SortedTexts()
    for text in TEXTS:
        sorted_texts.add(text)
    assert len(sorted_texts._blocks) == COUNT // BLOCK_MAX


def test_start_at_begins_with_the_text_or_what_follows_it():
    sorted_texts = SortedTexts()
    assert sorted_texts.start_at("", 9) == []
    for text in ("b", "d", "f"):
        sorted_texts.add(text)
    assert sorted_texts.start_at("", 2) == ["b", "d"]
    assert sorted_texts.start_at("d", 9) == ["d", "f"]
    assert sorted_texts.start_at("e", 9) == ["f"]
    assert sorted_texts.start_at("g", 9) == []
