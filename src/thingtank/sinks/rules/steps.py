"""What goes into a rule's calls, and what comes of one."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from thingtank.aws.clients import NoClients
from thingtank.aws.failures import classify, is_aws_failure
from thingtank.sinks.engine import EngineFailed, Item
from thingtank.tank.failures import Failure, FailureKind

RETRY = "it asked for another attempt"

# An item with the number of its batch in the journal.
Entry: TypeAlias = tuple[int, Item]
# Makes the next entries, in order, some at a time; none at the end. After an exception it goes on
# where it was.
EntryMaker: TypeAlias = Callable[[], Sequence[Entry]]


class Refused(NamedTuple):
    """An item that can never be delivered, and why."""

    item: Item
    reason: str


class Kept(NamedTuple):
    """What is to be written down so that the journal may go on.

    Attributes:
        seq: the journal's batch up to which all is settled, or among `entries`.
        entries: what is not settled, of each device in order.
        rest: what comes after that, of the batch behind `seq` or a later one; of the batch behind
            `seq` all before it is settled or among `entries` too. None if nothing is made.
    """

    seq: int
    entries: Sequence[Entry]
    rest: Item | None


class Step(NamedTuple):
    """What came of one call.

    Attributes:
        delivered_count: items that are there now.
        refused_count: items that can never be; they are in `Window.unrecorded` now.
        retry_count: items of this call that have to be sent again.
        retry_failure: of the first of them; None if there are none.
        failure: what was raised; None if nothing was, or if it is dealt with.
        held_count: items that are held now.
        is_stuck: whether nothing gets through, so that all has to wait.
        is_sent: whether there was a call.
    """

    delivered_count: int = 0
    refused_count: int = 0
    retry_count: int = 0
    retry_failure: Failure | None = None
    failure: Failure | None = None
    held_count: int = 0
    is_stuck: bool = False
    is_sent: bool = True


def retried(retry: Mapping[int, str]) -> Failure:
    """What an engine means that says for single items why they are to be sent again."""
    reason = next(iter(retry.values()), "") or RETRY
    return Failure(FailureKind.THROTTLED, "in part", reason, "")


def failure_of(error: Exception) -> Failure | None:
    """What an engine's exception means; None if it is a fault of ours."""
    if isinstance(error, EngineFailed):
        return error.failure
    if isinstance(error, NoClients):
        return Failure(FailureKind.MISSING, type(error).__name__, str(error), "")
    return classify(error) if is_aws_failure(error) else None
