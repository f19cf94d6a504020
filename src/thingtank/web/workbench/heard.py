"""What comes for one page that is open, until the page takes it. Lives in the loop's thread."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

HEARD_MAX = 100  # that wait for one page

Item = TypeVar("Item")


class Heard(Generic[Item]):
    """The newest that a page has not taken yet."""

    def __init__(self) -> None:
        self._waiting: deque[Item] = deque(maxlen=HEARD_MAX)
        self._untaken_count = 0

    @property
    def is_waiting(self) -> bool:
        """Whether anything came since the last time."""
        return self._untaken_count > 0

    def add(self, item: Item) -> None:
        """Keep one for the page, in place of the oldest if there are too many."""
        self._untaken_count += 1
        self._waiting.append(item)

    def take(self, count_max: int) -> tuple[list[Item], int]:
        """The newest that came since the last time, oldest first, and how many are left out."""
        taken = list(self._waiting)[-count_max:]
        skipped_count = self._untaken_count - len(taken)
        self._waiting.clear()
        self._untaken_count = 0
        return taken, skipped_count


Hearing = TypeVar("Hearing")


@contextmanager
def among(hearings: list[Hearing], hearing: Hearing) -> Iterator[Hearing]:
    """Have a page hear until the end of the block.

    Args:
        hearings: all that are told.
    """
    hearings.append(hearing)
    try:
        yield hearing
    finally:
        hearings.remove(hearing)
