"""Sets scheduled jobs to work, and shows them to the workbench."""

from contextlib import AsyncExitStack
from pathlib import Path

from thingtank.server.batch.alerts import Alerts
from thingtank.server.batch.board import Board
from thingtank.server.batch.scheduler import Scheduler
from thingtank.server.data_folder import OpenFolder
from thingtank.web.workbench import batch_board


def start_batch(
    scheduler: Scheduler, folder: Path, opened: OpenFolder, alerts: Alerts, stack: AsyncExitStack
) -> Board:
    """Begin to run what is due, which asks by the control socket; `stack` ends it."""
    board = Board(opened.tank, opened.schedules, scheduler, alerts, folder)
    scheduler.start()
    stack.push_async_callback(scheduler.stop)
    batch_board.attach(board)
    stack.callback(batch_board.attach, None)
    return board
