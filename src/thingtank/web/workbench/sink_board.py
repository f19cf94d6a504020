"""Sinks as pages reach them; the server attaches those of the running instance.

They belong to the loop's thread: views reach what waits by `tank_access.run`.
"""

from thingtank.tank.sinks import SinkBoard

_board: SinkBoard | None = None


def attach(board: SinkBoard | None) -> None:
    """Give the pages the instance's sinks; None takes them away."""
    global _board
    _board = board


def board() -> SinkBoard | None:
    """The instance's sinks; None while the server starts or stops."""
    return _board
