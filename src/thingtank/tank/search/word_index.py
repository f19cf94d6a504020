"""Finds devices by words: whole, by how they begin, and with one letter mistyped.

Its keys are words, its numbers a device's slot and the word's weight there. The words are kept
sorted as well, so those that begin alike stand together. For a mistyped word all words are looked
up that one mistake could have been made of (P. Norvig, "How to Write a Spelling Corrector"); that
needs no memory and, for words of usual length, some hundred lookups.
"""

import threading
from bisect import bisect_left, insort
from collections.abc import Mapping

import numpy as np

from thingtank.tank.search.postings import Postings, Uint32s

PREFIX_CHARS_MIN = 2  # a single letter begins nearly everything
TYPO_CHARS_MIN = 5  # shorter words have too many neighbours
TYPO_CHARS_MAX = 32

_WEIGHT_BITS = 2
_AFTER_ALL = "\U0010ffff"  # no word holds it
_BLOCK_BITS = 7  # characters that differ above these bits belong to different scripts
_FEW = 32


class WordIndex:
    """Devices, by slot, of each word."""

    def __init__(self) -> None:
        self._postings = Postings()
        self._sorted: list[str] = []
        self._letters: set[str] = set()  # of all words that there ever were
        self._turn = threading.Lock()  # around what is short: nobody waits long for it

    def load(self, slot: int, words: Mapping[str, int]) -> None:
        """As `change` from nothing, but found only after `finish_load`; slots ascend."""
        self._postings.load(slot << _WEIGHT_BITS, words)

    def finish_load(self) -> None:
        """Sort what was loaded."""
        self._postings.finish_load()
        self._sorted = sorted(self._postings.keys())
        self._letters.update(*self._sorted)

    def change(self, slot: int, before: Mapping[str, int], after: Mapping[str, int]) -> None:
        """Replace a device's words, given with their weights (1 to 3)."""
        gone, new = [], []
        for word, weight in before.items():
            if after.get(word) != weight:
                self._postings.remove(word, slot << _WEIGHT_BITS | weight)
                if word not in self._postings:
                    gone.append(word)
        for word, weight in after.items():
            if before.get(word) != weight:
                if word not in self._postings:
                    new.append(word)
                self._postings.add(word, slot << _WEIGHT_BITS | weight)
        self._replace_sorted(set(gone).difference(new), set(new).difference(gone))

    def _replace_sorted(self, gone: set[str], new: set[str]) -> None:
        if not gone and not new:
            return
        self._letters.update(*new)
        if len(gone) + len(new) > _FEW:
            rest = [word for word in self._sorted if word not in gone] if gone else self._sorted
            self._sorted = _merged(rest, sorted(new))
            return
        with self._turn:
            for word in gone:
                del self._sorted[bisect_left(self._sorted, word)]
            for word in new:
                insort(self._sorted, word)

    def whole(self, word: str) -> Uint32s:
        """Devices that have the word."""
        return self._postings.numbers((word,))

    def beginning(self, prefix: str) -> Uint32s:
        """Devices with words that begin so; a device stands there once for each of them."""
        if len(prefix) < PREFIX_CHARS_MIN:
            return self.whole(prefix)
        with self._turn:
            words = self._sorted
            first = bisect_left(words, prefix)
            words = words[first : bisect_left(words, prefix + _AFTER_ALL, first)]
        return self._postings.numbers(words)

    def mistyped(self, word: str) -> Uint32s:
        """Devices with words that one mistake turns into this one, each once a word.

        A mistake is a letter too many, too few or wrong, or two neighbours swapped. Short words and
        words with digits, such as serial numbers, are taken as they stand.
        """
        if not TYPO_CHARS_MIN <= len(word) <= TYPO_CHARS_MAX or not word.isalpha():
            return self._postings.numbers(())
        blocks = {ord(letter) >> _BLOCK_BITS for letter in word}
        letters = [
            letter for letter in tuple(self._letters) if ord(letter) >> _BLOCK_BITS in blocks
        ]
        return self._postings.numbers(tuple(_one_mistake_away(word, letters)))

    @staticmethod
    def slots(numbers: Uint32s) -> Uint32s:
        """The devices' slots."""
        slots: Uint32s = numbers >> np.uint32(_WEIGHT_BITS)
        return slots

    @staticmethod
    def weights(numbers: Uint32s) -> Uint32s:
        """The words' weights there."""
        weights: Uint32s = numbers & np.uint32((1 << _WEIGHT_BITS) - 1)
        return weights


def _merged(words: list[str], new: list[str]) -> list[str]:
    """Both, sorted as they are; quick where `new` is much the shorter one."""
    merged: list[str] = []
    start = 0
    for word in new:
        stop = bisect_left(words, word, start)
        merged += words[start:stop]
        merged.append(word)
        start = stop
    merged += words[start:]
    return merged


def _one_mistake_away(word: str, letters: list[str]) -> set[str]:
    splits = [(word[:place], word[place:]) for place in range(len(word) + 1)]
    found = {head + tail[1:] for head, tail in splits if tail}
    found.update(head + tail[1] + tail[0] + tail[2:] for head, tail in splits if len(tail) > 1)
    found.update(head + letter + tail[1:] for head, tail in splits if tail for letter in letters)
    found.update(head + letter + tail for head, tail in splits for letter in letters)
    return found
