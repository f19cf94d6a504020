"""Which devices have a word, a tag, a unit: a key leads to numbers of 4 bytes each.

Most keys have one number or a few, some have one for nearly every device. Few are kept as bytes,
many as a sorted array, so that a key alone costs about 150 bytes and each number of a common key 4.

Changed by one thread, read by any. A read is one call into C that holds the interpreter's lock from
lookup to copy, so it never sees half a change.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

Uint32s = NDArray[np.uint32]

_ITEM_BYTES = 4
_SMALL_BYTES_MAX = 8 * _ITEM_BYTES
_KEYS_AT_ONCE_MAX = 10_000  # about a millisecond, in which no other thread runs
assert array("I").itemsize == _ITEM_BYTES


class Postings:
    """Numbers by key."""

    def __init__(self) -> None:
        self._numbers: dict[str, bytes | array[int]] = {}

    def __contains__(self, key: str) -> bool:
        return key in self._numbers

    def keys(self) -> Iterable[str]:
        """All keys that have a number."""
        return self._numbers.keys()

    def load(self, number: int, extras: Mapping[str, int]) -> None:
        """Add `number | extra` to each key; numbers ascend, and `finish_load` must follow."""
        known = self._numbers
        for key, extra in extras.items():
            numbers = known.get(key)
            if numbers is None:
                known[key] = array("I", (number | extra,))
            else:
                assert not isinstance(numbers, bytes)
                numbers.append(number | extra)

    def finish_load(self) -> None:
        """Pack what was loaded."""
        for key, numbers in self._numbers.items():
            if len(numbers) * _ITEM_BYTES <= _SMALL_BYTES_MAX and not isinstance(numbers, bytes):
                self._numbers[key] = numbers.tobytes()  # changes no key, so the loop may go on

    def add(self, key: str, number: int) -> None:
        """Note a number, which the key does not have yet, from 0 to 2³² - 1."""
        known = self._numbers.get(key)
        if known is None:
            self._numbers[key] = array("I", (number,)).tobytes()
        elif isinstance(known, bytes):
            numbers = array("I", known)
            _insert(numbers, number)
            is_small = len(known) < _SMALL_BYTES_MAX
            self._numbers[key] = numbers.tobytes() if is_small else numbers
        else:
            _insert(known, number)

    def remove(self, key: str, number: int) -> None:
        """Take back a number that the key has."""
        known = self._numbers[key]
        numbers = array("I", known) if isinstance(known, bytes) else known
        place = bisect_left(numbers, number)
        assert numbers[place] == number
        del numbers[place]
        if not numbers:
            del self._numbers[key]
        elif len(numbers) * _ITEM_BYTES <= _SMALL_BYTES_MAX:
            self._numbers[key] = numbers.tobytes()

    def numbers(self, keys: Sequence[str]) -> Uint32s:
        """The numbers of all these keys, key by key; keys that are not there have none."""
        if len(keys) > _KEYS_AT_ONCE_MAX:
            starts = range(0, len(keys), _KEYS_AT_ONCE_MAX)
            return np.concatenate(
                [self.numbers(keys[start : start + _KEYS_AT_ONCE_MAX]) for start in starts]
            )
        return np.frombuffer(b"".join(map(self._numbers.get, keys, repeat(b""))), np.uint32)


def _insert(numbers: "array[int]", number: int) -> None:
    if number > numbers[-1]:  # as always while a directory is loaded
        numbers.append(number)
    else:
        numbers.insert(bisect_left(numbers, number), number)
