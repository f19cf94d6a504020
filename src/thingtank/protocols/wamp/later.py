"""An answer that may come after the question has returned: of who authenticates and authorizes."""

from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Later(Generic[T]):
    """Returned in place of an answer, and given the answer by whoever returned it.

    Attributes:
        answers: none or one, as long as nobody has taken it.
        on_canceled: called once if nobody waits for the answer any more.
    """

    __slots__ = ("_is_over", "_take", "answers", "on_canceled")

    def __init__(self) -> None:
        """Nobody has answered yet."""
        self.answers: list[T] = []
        self.on_canceled: Callable[[], None] | None = None
        self._take: Callable[[T], None] | None = None
        self._is_over = False

    def answer(self, answer: T) -> None:
        """Give the answer; only the first one counts, and none after it was canceled."""
        if self._is_over:
            return
        self._is_over = True
        if self._take is None:
            self.answers.append(answer)
        else:
            self._take(answer)

    def cancel(self) -> None:
        """Wait no more: an answer goes nowhere from now on."""
        if not self._is_over:
            self._is_over = True
            if self.on_canceled is not None:
                self.on_canceled()

    def then(self, take: Callable[[T], None]) -> None:
        """Have the answer taken, within this call if it is there already."""
        self._take = take
        if self.answers:
            take(self.answers.pop())


def at_once(answer: T | Later[T]) -> T | Later[T]:
    """The answer itself, if it is there already."""
    if isinstance(answer, Later) and answer.answers:
        return answer.answers[0]
    return answer
