"""How what takes minutes says what it is at."""

from typing import Protocol


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
