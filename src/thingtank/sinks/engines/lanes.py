"""Entries of a batch, sent in calls of which parts may fail, so that order holds within a lane.

Kinesis and SQS may take a later entry of a call and not an earlier one. So a call has at most one
entry of each lane, and the next one of a lane goes only when the one before it has arrived. A lane
is a device where order matters, and each entry's own where it does not.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from thingtank.aws.failures import classify, is_aws_failure
from thingtank.sinks.engine import SendResult
from thingtank.sinks.engines.call_pool import CallPool
from thingtank.tank.failures import Failure, FailureKind

SHARE_MIN = 50  # entries; fewer are not worth a call of their own
SEND_S_MAX = (
    60.0  # no call is begun later: the rest goes back, so that the rule hears of what arrived
)
NO_TIME = Failure(
    FailureKind.THROTTLED, "slow", "the service is too slow for all of it at once", ""
)
THROTTLED_MAX = 10  # calls of one entry in a round; more of them mean the whole service

Call = Callable[[Sequence[Any]], Sequence[Failure | None]]
Cut = Callable[[Iterable[Any]], Iterator[list[Any]]]


class Entry(NamedTuple):
    """What is sent as one.

    Attributes:
        places: of the items in the batch that it holds.
        body: what the service's call takes.
    """

    lane: str
    places: Sequence[int]
    body: Any


class _Told(NamedTuple):
    """What came of a call: a result for each entry, and what was raised instead of them."""

    entries: Sequence[Entry]
    results: Sequence[Failure | None]
    error: Exception | None


def send_in_lanes(entries: Iterable[Entry], call: Call, cut: Cut, pool: CallPool) -> SendResult:
    """Send entries, those of a lane one after another, as many lanes at once as calls hold.

    Args:
        entries: n >= 0; of a lane in order.
        call: sends bodies; a result for each, None if it has arrived.
        cut: bodies into what one call takes, in their order.
        pool: for the calls of one round.

    Returns:
        What became of each. What is raised after something has arrived is told as `retry`, so that
        this is not sent again.

    Raises:
        What `call` raises, when nothing of the batch has arrived.
    """
    lanes: dict[str, deque[Entry]] = {}
    for entry in entries:
        lanes.setdefault(entry.lane, deque()).append(entry)
    retry: dict[int, str] = {}
    refused: dict[int, str] = {}
    has_arrived = False
    first_failure: Failure | None = None
    until_s = time.monotonic() + SEND_S_MAX
    while lanes:
        told = _round([lane[0] for lane in lanes.values()], _Trial(call, until_s), cut, pool)
        error = next((each.error for each in told if each.error is not None), None)
        for each in told:
            for entry, failure in zip(each.entries, each.results, strict=True):
                has_arrived |= failure is None
                if failure is not None and failure.kind is not FailureKind.REFUSED:
                    first_failure = first_failure or failure
                _settle(entry, failure, lanes, retry, refused)
        if error is not None:
            if not (has_arrived or refused):
                raise error
            for lane in lanes.values():
                retry |= _reasons(lane, str(classify(error)))
            break
    return SendResult(retry, refused, first_failure)


def _settle(
    entry: Entry,
    failure: Failure | None,
    lanes: dict[str, deque[Entry]],
    retry: dict[int, str],
    refused: dict[int, str],
) -> None:
    lane = lanes[entry.lane]
    if failure is None or failure.kind is FailureKind.REFUSED:
        lane.popleft()
        if failure is not None:
            refused |= _reasons([entry], str(failure))
        if not lane:
            del lanes[entry.lane]
        return
    retry |= _reasons(lane, str(failure))
    del lanes[entry.lane]


def _reasons(entries: Iterable[Entry], reason: str) -> dict[int, str]:
    return dict.fromkeys((place for entry in entries for place in entry.places), reason)


def _round(entries: Sequence[Entry], trial: "_Trial", cut: Cut, pool: CallPool) -> list[_Told]:
    """One entry of each lane, in as many calls as they need or can be made at one time."""
    calls, first = [], 0
    share = max(SHARE_MIN, -(-len(entries) // pool.width))
    while first < len(entries):
        for bodies in cut(entry.body for entry in entries[first : first + share]):
            calls.append(entries[first : first + len(bodies)])
            first += len(bodies)
    if len(calls) == 1:
        return trial.made(calls[0])
    return [told for each in pool.map(trial.made, calls) for told in each]


class _Trial:
    """The calls of one round: when one has failed whole, those that are not begun are not made.

    A service that is away would take its time for each of them. Only where a call has one entry it
    may be that entry's partition alone that is throttled, as DynamoDB's are.
    """

    def __init__(self, call: Call, until_s: float) -> None:
        self._call = call
        self._until_s = until_s
        self._error: Exception | None = None
        self._throttled_count = 0

    def made(self, entries: Sequence[Entry]) -> list[_Told]:
        """Make a call; one that is refused whole is made in halves, down to the entry that is."""
        if self._error is not None:
            return [_failed(entries, self._error)]
        if time.monotonic() > self._until_s:
            return [_Told(entries, [NO_TIME] * len(entries), None)]
        try:
            return [_Told(entries, self._call([entry.body for entry in entries]), None)]
        except Exception as error:
            if not is_aws_failure(error):
                raise
            if (failure := classify(error)).kind is not FailureKind.REFUSED:
                self._throttled_count += failure.kind is FailureKind.THROTTLED
                is_its_own = failure.kind is FailureKind.THROTTLED and len(entries) == 1
                if is_its_own and self._throttled_count <= THROTTLED_MAX:
                    return [_Told(entries, [failure], None)]
                self._error = error
                return [_failed(entries, error)]
            if len(entries) == 1:
                return [_Told(entries, [failure], None)]
            middle = len(entries) // 2
            return self.made(entries[:middle]) + self.made(entries[middle:])


def _failed(entries: Sequence[Entry], error: Exception) -> _Told:
    return _Told(entries, [classify(error)] * len(entries), error)
