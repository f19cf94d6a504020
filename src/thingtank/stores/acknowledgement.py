"""What a write waits for: done when its batch is on disk.

Stands in for an `asyncio.Future`, and works wherever one does. A future calls back through the
loop, a handle for each; of a batch of small writes, each then pays more for being told than for
being checked. This one calls back where it is resolved.
"""

import asyncio
from collections.abc import Callable, Generator
from contextvars import Context
from typing import Any, TypeAlias

Callback: TypeAlias = Callable[[Any], object]


class Acknowledgement:
    """Await it from the loop's thread: returns when acknowledged, raises why it was refused."""

    __slots__ = ("_asyncio_future_blocking", "_callbacks", "_error", "_is_done", "_loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._is_done = False
        self._error: BaseException | None = None
        self._callbacks: list[tuple[Callback, Context | None]] = []
        self._asyncio_future_blocking = False  # its being there says "a future" to asyncio

    def resolve(self, error: Exception | None = None) -> None:
        """Acknowledge or refuse, unless whoever waited has given up."""
        if not self._is_done:
            self._finish(error)

    def _finish(self, error: BaseException | None) -> None:
        self._is_done = True
        self._error = error
        for callback, context in self._callbacks:
            if context is not None:  # a task's; it may not be entered from within another
                self._loop.call_soon(callback, self, context=context)
                continue
            try:
                callback(self)
            except Exception as failure:  # noqa: BLE001 - the loop logs it, and others wait still
                message = "what waited for an acknowledgement failed"
                self._loop.call_exception_handler({"message": message, "exception": failure})
        self._callbacks.clear()

    def __await__(self) -> Generator[Any, None, None]:
        """Wait."""
        if not self._is_done:
            self._asyncio_future_blocking = True
            yield self
        self.result()

    def result(self) -> None:
        """Raise why it was refused."""
        if not self._is_done:
            raise asyncio.InvalidStateError("not acknowledged yet")
        if self._error is not None:
            raise self._error

    def exception(self) -> BaseException | None:
        """Why it was refused; None when it was not."""
        if self.cancelled() or not self._is_done:
            self.result()
        return self._error

    def done(self) -> bool:
        """Whether it is acknowledged, refused or given up."""
        return self._is_done

    def cancelled(self) -> bool:
        """Whether whoever waited has given up."""
        return isinstance(self._error, asyncio.CancelledError)

    def cancel(self, msg: object = None) -> bool:
        """Give up waiting; the write goes on."""
        if self._is_done:
            return False
        self._finish(asyncio.CancelledError() if msg is None else asyncio.CancelledError(msg))
        return True

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """The loop it belongs to."""
        return self._loop

    def add_done_callback(self, callback: Callback, *, context: Context | None = None) -> None:
        """Have `callback` called once this is done."""
        if self._is_done:
            self._loop.call_soon(callback, self, context=context)
        else:
            self._callbacks.append((callback, context))

    def remove_done_callback(self, callback: Callback) -> int:
        """Drop a callback; returns how often it was there."""
        before_count = len(self._callbacks)
        self._callbacks = [item for item in self._callbacks if item[0] != callback]
        return before_count - len(self._callbacks)
