"""Sources as pages reach them; the server attaches those of the running instance.

They belong to the loop's thread: views reach what waits by `tank_access.run`.
"""

from thingtank.tank.sources import SourceBoard

_board: SourceBoard | None = None


def attach(board: SourceBoard | None) -> None:
    """Give the pages the instance's sources; None takes them away."""
    global _board
    _board = board


def board() -> SourceBoard | None:
    """The instance's sources; None where it has no rules of them, or does not run."""
    return _board
