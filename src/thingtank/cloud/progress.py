"""How what takes minutes says what it is at.

Two words for two ideas: a `Progress` (its parameter is `told`) has lines that stay and one that
does not; `Say` (`say`) takes lines that stay, where there is nothing else to tell.
"""

from collections.abc import Callable
from typing import Protocol

Say = Callable[[str], object]


class Progress(Protocol):
    """Is told what is being done."""

    def did(self, line: str) -> None:
        """Something is done or found, or begins: a line that stays."""
        ...

    def waits(self, line: str) -> None:
        """How things stand while it waits: a line in the place of the last such."""
        ...


class _Silence:
    """Says nothing."""

    def did(self, line: str) -> None:
        pass

    def waits(self, line: str) -> None:
        pass


SILENCE: Progress = _Silence()
