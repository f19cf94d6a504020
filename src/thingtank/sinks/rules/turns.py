"""One turn of a rule: some items of the journal, sent batch by batch until all are settled.

Blocking, for the rule's thread; knows nothing of pauses. Whoever steps it waits between steps
that had no success, records what is refused, and then lets the journal go up to `through_seq`.

    batch ──► send ──► delivered            ──► next batch
                 ├──► some of it `retry`    ──► the same again, and what came behind it of those
                 │                              devices
                 ├──► raised, and REFUSED   ──► in halves, down to the one item that is refused
                 └──► raised otherwise      ──► the same again
"""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from thingtank.aws.clients import AwsMissing
from thingtank.aws.failures import classify, is_aws_failure
from thingtank.sinks.engine import BatchBounds, EngineFailed, Item, SendResult, SinkEngine
from thingtank.tank.failures import Failure, FailureKind

RETRY = "it asked for another attempt"


class Refused(NamedTuple):
    """An item that can never be delivered, and why."""

    item: Item
    reason: str


class Step(NamedTuple):
    """What came of one call.

    Attributes:
        delivered_count: items that are there now.
        refused: to be recorded before `through_seq` is passed.
        retry_count: items of this batch that have to be sent again.
        retry_failure: of the first of them; None if there are none.
        failure: what was raised; None if nothing was, or if it is dealt with.
        through_seq: the journal's batch up to which nothing waits any more.
        is_midway: whether a batch of the journal is partly sent: it would be sent again whole.
        is_done: whether the turn is over.
    """

    delivered_count: int
    refused: Sequence[Refused]
    retry_count: int
    retry_failure: Failure | None
    failure: Failure | None
    through_seq: int
    is_midway: bool
    is_done: bool


class Turn:
    """Items with the numbers of their batches in the journal, n >= 0, ascending.

    Not for use by two threads at a time.
    """

    def __init__(
        self, engine: SinkEngine, items: Iterator[tuple[int, Item]], from_seq: int, last_seq: int
    ) -> None:
        """Make a turn.

        Args:
            from_seq: what was passed before.
            last_seq: what is passed when all items are settled; items may end before.
        """
        self._engine = engine
        self._bounds: BatchBounds = engine.bounds
        self._items = items
        self._ahead = next(items, None)
        self._last_seq = last_seq
        self._through_seq = from_seq
        self._parts: deque[Sequence[Item]] = deque()  # of the batch that is being sent
        self._sent_seq = from_seq  # of the item that was taken last

    @property
    def is_over(self) -> bool:
        """Whether there is nothing to send any more."""
        return not self._parts and self._ahead is None

    def step(self) -> Step:
        """Send once; raises only by a fault of ours or of the engine."""
        if not self._parts and (batch := self._take_batch()):
            self._parts.append(batch)
        if not self._parts:
            return self._step(0, (), 0, None, None)
        sent = self._parts.popleft()
        try:
            result = self._engine.send(sent)
        except Exception as error:
            failure = failure_of(error)
            if failure is None:
                self._parts.appendleft(sent)
                raise
            return self._failed(sent, failure)
        return self._settled(sent, result)

    def _take_batch(self) -> list[Item]:
        batch: list[Item] = []
        items_max, room_bytes = self._bounds
        ahead, items = self._ahead, self._items
        while ahead is not None and len(batch) < items_max:
            item = ahead[1]
            room_bytes -= len(item.payload) or item.size_bytes
            if batch and room_bytes < 0:
                break
            batch.append(item)
            self._sent_seq = ahead[0]
            ahead = next(items, None)
        self._ahead = ahead
        return batch

    def _failed(self, sent: Sequence[Item], failure: Failure) -> Step:
        if failure.kind is not FailureKind.REFUSED:
            self._parts.appendleft(sent)
            return self._step(0, (), len(sent), failure, failure)
        if len(sent) == 1:
            return self._step(0, [Refused(sent[0], str(failure))], 0, None, None)
        middle = len(sent) // 2
        self._parts.extendleft((sent[middle:], sent[:middle]))
        return self._step(0, (), 0, None, None)

    def _settled(self, sent: Sequence[Item], result: SendResult) -> Step:
        if not result.retry and not result.refused:  # nearly always
            return self._step(len(sent), (), 0, None, None)
        refused, retry = [], []
        held: set[str] = set()  # devices that an earlier item of must arrive first
        for place, item in enumerate(sent):
            if item.order_key in held or place in result.retry:
                held.add(item.order_key)
                retry.append(item)
            elif place in result.refused:
                refused.append(Refused(item, result.refused[place]))
        if retry:
            self._parts.appendleft(retry)
        failure = (result.failure or _retried(result.retry)) if retry else None
        delivered_count = len(sent) - len(refused) - len(retry)
        return self._step(delivered_count, refused, len(retry), failure, None)

    def _step(
        self,
        delivered_count: int,
        refused: Sequence[Refused],
        retry_count: int,
        retry_failure: Failure | None,
        failure: Failure | None,
    ) -> Step:
        ahead = self._ahead
        if not self._parts:
            self._through_seq = self._last_seq if ahead is None else ahead[0] - 1
        is_midway = bool(self._parts) or (ahead is not None and ahead[0] == self._sent_seq)
        return Step(
            delivered_count,
            refused,
            retry_count,
            retry_failure,
            failure,
            self._through_seq,
            is_midway,
            self.is_over,
        )


def _retried(retry: Mapping[int, str]) -> Failure:
    reason = next(iter(retry.values()), "") or RETRY
    return Failure(FailureKind.THROTTLED, "in part", reason, "")


def failure_of(error: Exception) -> Failure | None:
    """What an engine's exception means; None if it is a fault of ours."""
    if isinstance(error, EngineFailed):
        return error.failure
    if isinstance(error, AwsMissing):
        return Failure(FailureKind.MISSING, "AwsMissing", str(error), "")
    return classify(error) if is_aws_failure(error) else None
