"""Texts in order, of which some are asked for at a time.

In blocks of a bounded size: to add or remove one moves no more than a block and the list of
blocks. Each text costs about ten bytes beside itself.
"""

from bisect import bisect_left, insort

BLOCK_MAX = 1024


class SortedTexts:
    """Each once, by code point. Who goes through it remembers the text it has come to."""

    def __init__(self) -> None:
        """Start empty."""
        self._blocks: list[list[str]] = []
        self._lasts: list[str] = []  # of each block: its last
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, text: str) -> None:
        """Add one that is not in it."""
        self._count += 1
        if not self._blocks:
            self._blocks.append([text])
            self._lasts.append(text)
            return
        at = min(bisect_left(self._lasts, text), len(self._blocks) - 1)
        block = self._blocks[at]
        if len(block) == BLOCK_MAX:
            at, block = self._split(at, text)
        insort(block, text)
        self._lasts[at] = block[-1]

    def remove(self, text: str) -> None:
        """Remove one that is in it."""
        self._count -= 1
        at = bisect_left(self._lasts, text)
        block = self._blocks[at]
        del block[bisect_left(block, text)]
        if block:
            self._lasts[at] = block[-1]
        else:
            del self._blocks[at], self._lasts[at]

    def start_at(self, text: str, count_max: int) -> list[str]:
        """Some of those from a text on, it included; at least one, if there is one."""
        at = bisect_left(self._lasts, text)
        if at == len(self._blocks):
            return []
        block = self._blocks[at]
        start = bisect_left(block, text)
        return block[start : start + count_max]

    def page(self, start: str, count_max: int) -> list[str]:
        """Those from a text on, it included; fewer than asked for when there are no more."""
        found: list[str] = []
        while len(found) < count_max and (more := self.start_at(start, count_max - len(found))):
            found += more
            start = more[-1] + "\0"
        return found

    def _split(self, at: int, text: str) -> tuple[int, list[str]]:
        block = self._blocks[at]
        # What is loaded in order fills its blocks.
        keep = BLOCK_MAX if text > block[-1] else BLOCK_MAX // 2
        new = block[keep:]
        del block[keep:]
        self._lasts[at] = block[-1]
        self._blocks.insert(at + 1, new)
        self._lasts.insert(at + 1, new[-1] if new else text)
        return (at + 1, new) if not new or text > block[-1] else (at, block)
