"""Blocking calls at the same time, in threads that do not keep the process from ending.

What an executor does; but its threads hold the end of the process until they are done, and a call
of a service that is away takes most of a minute.
"""

import threading
from collections.abc import Callable, Iterable
from queue import SimpleQueue
from typing import Any, TypeVar

WIDTH_MAX = 16  # as many connections as the clients of AWS have to one service
Value = TypeVar("Value")
Result = TypeVar("Result")


def check_connections(count: int) -> None:
    """Refuse a setting `connections` that no pool is made with; raises ValueError."""
    if not 1 <= count <= WIDTH_MAX:
        raise ValueError(f"`connections` must be within 1 and {WIDTH_MAX}, not {count}")


class CallPool:
    """Some threads; for the use of one thread.

    Attributes:
        width: how many calls are made at one time.
    """

    def __init__(self, width: int, name: str) -> None:
        """Start the threads."""
        self.width = width
        self._queue: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        for _ in range(width):
            threading.Thread(target=self._work, name=name, daemon=True).start()

    def map(self, work: Callable[[Value], Result], values: Iterable[Value]) -> list[Result]:
        """What `work` makes of each value, in order; returns when all is done.

        Raises:
            What `work` raises first.
        """
        done: SimpleQueue[tuple[int, Any, Exception | None]] = SimpleQueue()

        def piece(place: int, value: Value) -> Callable[[], None]:
            def do() -> None:
                try:
                    done.put((place, work(value), None))
                except Exception as error:  # noqa: BLE001 - raised by the thread that waits
                    done.put((place, None, error))

            return do

        pieces = [piece(place, value) for place, value in enumerate(values)]
        for each in pieces:
            self._queue.put(each)
        told = [done.get() for _ in pieces]
        for _, _, error in told:
            if error is not None:
                raise error
        results: list[Result] = [result for _, result, _ in sorted(told, key=lambda each: each[0])]
        return results

    def close(self) -> None:
        """End the threads; nobody waits for them."""
        for _ in range(self.width):
            self._queue.put(None)

    def _work(self) -> None:
        while (piece := self._queue.get()) is not None:
            piece()
