"""Who waits for AWS in tests."""


class Lines:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.waited: list[str] = []

    def did(self, line: str) -> None:
        self.done.append(line)

    def waits(self, line: str) -> None:
        self.waited.append(line)
