"""Scheduled jobs as pages reach them; the server attaches those of the running instance.

They belong to the loop's thread: views reach what waits by `tank_access.run`.
"""

from thingtank.tank.batch import BatchBoard

_board: BatchBoard | None = None


def attach(board: BatchBoard | None) -> None:
    """Give the pages the instance's schedules; None takes them away."""
    global _board
    _board = board


def board() -> BatchBoard | None:
    """The instance's schedules; None while the server starts or stops."""
    return _board
