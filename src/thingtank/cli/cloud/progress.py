"""How a command that waits for AWS shows what it waits for."""

from types import TracebackType

from rich.console import Console
from rich.status import Status
from rich.text import Text


class Lines:
    """Lines on standard error; in a terminal with one below them for what is waited for.

    A `thingtank.cloud.progress.Progress`, used from `with Lines() as told` on.
    """

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._status: Status | None = None

    def __enter__(self) -> "Lines":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._status is not None:
            self._status.stop()

    def did(self, line: str) -> None:
        """A line that stays."""
        self._console.print(Text(line))

    def waits(self, line: str) -> None:
        """A line in the place of the last such; none where there is no terminal."""
        if not self._console.is_terminal:
            return
        if self._status is None:
            self._status = self._console.status(Text(line))
            self._status.start()
        self._status.update(Text(line))
