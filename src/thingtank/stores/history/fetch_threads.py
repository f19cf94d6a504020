"""Threads that bring files of a bucket, and keep neither a reader nor the process's end waiting.

What an executor does; but that waits for its threads at its end, and the interpreter does so once
more, and a fetch from a bucket that is silent takes most of a minute.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue

from thingtank.tank.errors import StorageFailed

_STOPPING = "the server is stopping"
_Piece = tuple["Future[None]", Callable[[], None]]


class FetchThreads:
    """Some threads, started when they are first needed. Used by many threads."""

    def __init__(self, count: int, name: str) -> None:
        self._count = count
        self._name = name
        self._lock = threading.Lock()
        self._queue: SimpleQueue[_Piece | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._futures: set[Future[None]] = set()  # that somebody may wait for
        self._is_stopped = False

    def submit(self, work: Callable[[], None]) -> "Future[None]":
        """Have something done; its result says when it is. Raise StorageFailed once stopped."""
        future: Future[None] = Future()
        with self._lock:
            if self._is_stopped:
                raise StorageFailed(_STOPPING)
            if len(self._threads) < self._count:
                thread = threading.Thread(target=self._work, name=self._name, daemon=True)
                self._threads.append(thread)
                thread.start()
            self._futures.add(future)
            self._queue.put((future, work))
        return future

    def stop(self) -> None:
        """Begin nothing more, and let all who wait go on at once: what they wait for fails."""
        with self._lock:
            self._is_stopped = True
            waiting, self._futures = self._futures, set()
        for future in waiting:
            future.set_exception(StorageFailed(_STOPPING))

    def close(self, wait_s_max: float) -> bool:
        """Stop, and wait for what is under way; whether that has ended."""
        self.stop()
        deadline_s = time.monotonic() + wait_s_max
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join(max(0.0, deadline_s - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _work(self) -> None:
        while (piece := self._queue.get()) is not None:
            future, work = piece
            with self._lock:
                if future not in self._futures:
                    continue
            error: Exception | None = None
            try:
                work()
            except Exception as found:  # noqa: BLE001 - raised by those that wait
                error = found
            with self._lock:
                is_waited_for = future in self._futures
                self._futures.discard(future)
            if not is_waited_for:
                continue
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)
