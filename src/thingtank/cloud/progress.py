"""How what takes minutes says what it is at, and how it says that it cannot go on."""

from typing import Protocol


class CloudRefusal(Exception):
    """It cannot be done as asked; the message says why, and what to do."""


class Progress(Protocol):
    """Is told what is being done."""

    def did(self, line: str) -> None:
        """Something is done or found, or begins: a line that stays."""
        ...

    def waits(self, line: str) -> None:
        """How things stand while it waits: a line in the place of the last such."""
        ...
