"""How a command that waits for AWS shows what it waits for."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.control import strip_control_codes
from rich.status import Status
from rich.text import Text

if TYPE_CHECKING:
    from thingtank.cloud.progress import Say


@contextmanager
def on_interrupt(say: "Say", line: str) -> Iterator[None]:
    """Say what goes on, and costs, if Ctrl-C ends what is done within.

    It begins before AWS is asked: nobody knows whether a call that is broken off did its work.

    Raises:
        click.Abort: for Ctrl-C, so that no group takes it for an end that was asked for.
    """
    try:
        yield
    except KeyboardInterrupt:
        say(line)
        raise click.Abort from None


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
        if self._status is None:
            # Not by the console: Ctrl-C while it prints has it print the line once more.
            click.echo(strip_control_codes(line), err=True)
        else:
            self._status.stop()
            click.echo(strip_control_codes(line), err=True)
            self._status.start()

    def waits(self, line: str) -> None:
        """A line in the place of the last such; none where there is no terminal."""
        if not self._console.is_terminal:
            return
        if self._status is None:
            self._status = self._console.status(Text(line))
            self._status.start()
        self._status.update(Text(line))
