"""Things whose numbers follow each other, the newest of them, up to a size."""

from typing import Generic, TypeVar

Thing = TypeVar("Thing")


class NumberedRun(Generic[Thing]):
    """Without gaps: what comes behind one puts out all that was before.

    Attributes:
        next_number: that follows the newest; 1 when there never was one.
    """

    def __init__(self, bytes_max: int) -> None:
        """Have none.

        Args:
            bytes_max: beyond which the oldest go; the newest one stays, however large.
        """
        self._bytes_max = bytes_max
        self._things: dict[int, tuple[Thing, int]] = {}
        self._first = 1
        self.next_number = 1
        self.size_bytes = 0

    def __contains__(self, number: int) -> bool:
        return number in self._things

    def __getitem__(self, number: int) -> Thing:
        return self._things[number][0]

    def __len__(self) -> int:
        return len(self._things)

    def add(self, number: int, thing: Thing, size_bytes: int) -> None:
        """Have one more."""
        if number != self.next_number:
            self.clear()
            self._first = number
        self._things[number] = thing, size_bytes
        self.next_number = number + 1
        self.size_bytes += size_bytes
        while self.size_bytes > self._bytes_max and self._first < number:
            self._drop_first()

    def drop(self, through_number: int) -> None:
        """Let go of those up to a number."""
        while self._first <= through_number and self._things:
            self._drop_first()

    def clear(self) -> None:
        """Let go of all."""
        self._things.clear()
        self._first = self.next_number
        self.size_bytes = 0

    def _drop_first(self) -> None:
        self.size_bytes -= self._things.pop(self._first)[1]
        self._first += 1
