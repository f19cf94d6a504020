"""Run a coroutine at once and without a task, for work that is done thousands of times a second.

What Python's eager tasks do from version 3.12 on, for less: most requests never wait or wait once,
and a task costs as much as reading their whole body.
"""

import asyncio
from collections.abc import Coroutine
from functools import partial
from typing import Any


def run_eagerly(coroutine: Coroutine[Any, Any, None], _waited: object = None) -> None:
    """Run until the first wait; the rest follows from the loop, as what is waited for is done.

    Nobody can cancel it, and within it there is no current task: `asyncio.timeout` refuses to work.
    """
    try:
        waited = coroutine.send(None)
    except StopIteration:
        return
    if waited is None:  # `asyncio.sleep(0)`: only a turn
        asyncio.get_running_loop().call_soon(run_eagerly, coroutine)
        return
    waited._asyncio_future_blocking = False  # how a future sees that somebody took it in hand
    waited.add_done_callback(partial(run_eagerly, coroutine))
