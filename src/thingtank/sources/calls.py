"""Work of a source that outlives who asked for it: calls in threads, and what is half done."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")

SETTLE_S_MAX = 3.0


async def in_thread(work: Callable[[], Result]) -> Result:
    """Have a blocking call made in a thread of its own; return or raise what it does.

    A pool's threads hold the end of the process until they are done, and a queue may be asked for
    20 s. These are daemons: who is cancelled leaves the call to end by itself. A call takes longer
    than the start of a thread by far.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Result] = loop.create_future()

    def settle(result: Result | None, error: BaseException | None) -> None:
        if future.done():  # cancelled
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type] # a Result where there is no error

    def run() -> None:
        result, error = None, None
        try:
            result = work()
        except Exception as raised:  # noqa: BLE001 - raised by the loop's side
            error = raised
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody wants to know
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=run, name="source-call", daemon=True).start()
    return await future


async def to_its_end(work: Coroutine[Any, Any, Result]) -> Result:
    """Do what is not to be left half done; who is cancelled waits for it for SETTLE_S_MAX.

    Between what is written and the note that it is, a source that stops would read it once more
    after the next start.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task], timeout=SETTLE_S_MAX)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)  # what failed is read once more
        raise
