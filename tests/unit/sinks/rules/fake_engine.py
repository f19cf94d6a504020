"""An engine in memory that fails as it is told."""

from collections import deque
from collections.abc import Callable, Sequence

from thingtank.sinks.engine import ALL_DELIVERED, BatchBounds, Item, SendResult

Answer = Exception | Callable[[Sequence[Item]], SendResult]


def item(number: int, device: str = "d", value: str = "1", payload: bytes = b"") -> Item:
    return Item(f"o-{number}-0", "datapoint", 1, device, "t", number, value, 1.0, "", payload)


class FakeEngine:
    """Implements `SinkEngine`; `answers` are given one a call, and then all is delivered.

    Attributes:
        calls: the ids of each call.
        delivered: what arrived, in order.
        open_answers: raised by `open`, one a call.
    """

    def __init__(self, *answers: Answer, items_max: int = 10, bytes_max: int = 10_000) -> None:
        self.bounds = BatchBounds(items_max, bytes_max)
        self.wants_payload = False
        self.gather_s = 0.2
        self.answers = deque(answers)
        self.open_answers: deque[Exception] = deque()
        self.open_count = 0
        self.is_closed = False
        self.calls: list[list[str]] = []
        self.delivered: list[Item] = []

    def open(self) -> None:
        self.open_count += 1
        if self.open_answers:
            raise self.open_answers.popleft()

    def send(self, items: Sequence[Item]) -> SendResult:
        assert 1 <= len(items) <= self.bounds.items_max
        self.calls.append([item.item_id for item in items])
        answer = self.answers.popleft() if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        result = answer(items) if answer is not None else ALL_DELIVERED
        self.delivered += [
            each
            for place, each in enumerate(items)
            if place not in result.retry and place not in result.refused
        ]
        return result

    def close(self) -> None:
        self.is_closed = True

    def describe(self) -> str:
        return "a list in memory"
