"""How a rule is doing: what it has done, what failed, and how long to wait before the next try."""

import asyncio
import random
import sqlite3
from collections import Counter

import msgspec
import structlog

from thingtank.aws.clients import NoClients
from thingtank.aws.failures import classify, is_aws_failure
from thingtank.local.sqlite import WrongFile
from thingtank.tank.failures import Failure, FailureKind
from thingtank.tank.interfaces import Clock
from thingtank.tank.sinks import SinkTrouble

log = structlog.get_logger()

PAUSE_S = 0.5
_DOUBLINGS_MAX = 16


class _Trouble(msgspec.Struct):
    """What stands in the way of one thing; `count` failures of it in a row."""

    last: SinkTrouble
    needs_a_person: bool
    count: int


class Health:
    """Lives in the loop's thread.

    What fails is told `about` something: the leases, a shard, the tank's own storage. One of them
    may fail while the others work.

    Attributes:
        record_count: records that were read, those that were read again with them.
        datapoint_count: datapoints that were written.
        rejected_count: records of which something could not be written.
        skipped_count: records within aggregated ones that belong to another shard.
        late_count: messages that were done with when they were another reader's again.
        behind_s: how long ago the last record that was read had arrived; by the service's own
            measure where it has one.
        failures: failed calls, by kind.
    """

    def __init__(self, rule_name: str, retry_s_max: float, clock: Clock) -> None:
        self._rule_name = rule_name
        self._retry_s_max = retry_s_max
        self._clock = clock
        self._troubles: dict[str, _Trouble] = {}
        self.record_count = 0
        self.datapoint_count = 0
        self.rejected_count = 0
        self.skipped_count = 0
        self.late_count = 0
        self.behind_s = 0.0
        self.failures: Counter[str] = Counter()

    @property
    def trouble(self) -> SinkTrouble | None:
        """The last failure of what does not work; None when all does."""
        return max(
            (each.last for each in self._troubles.values()),
            key=lambda trouble: trouble.at_us,
            default=None,
        )

    @property
    def needs_a_person(self) -> bool:
        """Whether some trouble does not pass by itself."""
        return any(each.needs_a_person for each in self._troubles.values())

    def arrived(self, record_count: int, rejected_count: int) -> None:
        """Count records that were read and dealt with."""
        self.record_count += record_count
        self.rejected_count += rejected_count

    def wrote(self, datapoint_count: int) -> None:
        """Count what was written."""
        self.datapoint_count += datapoint_count

    def behind_since(self, arrived_us: int) -> None:
        """The last record that was read arrived then."""
        self.behind_s = max(0.0, (self._clock.now_us() - arrived_us) / 1_000_000)

    def raised(self, about: str, error: Exception) -> None:
        """A call raised something; a fault of ours is logged with all there is to know."""
        failure = failure_of(error)
        if failure is None:
            log.error("source_broke", rule=self._rule_name, exc_info=error)
            name = type(error).__name__
            failure = Failure(
                FailureKind.UNKNOWN, name, "A fault of this server", "Its log says more."
            )
        kind = failure.kind.name.lower()
        self.failed(about, kind, str(failure), needs_a_person=not failure.is_passing)

    def failed(self, about: str, kind: str, what: str, *, needs_a_person: bool) -> None:
        """Something failed."""
        self.failures[kind] += 1
        before = self._troubles.get(about)
        if before is None or before.last.kind != kind:
            log.warning("source_fails", rule=self._rule_name, about=about, kind=kind, reason=what)
        last = SinkTrouble(kind, what, self._clock.now_us())
        count = 1 if before is None else before.count + 1
        self._troubles[about] = _Trouble(last, needs_a_person, count)

    def works(self, about: str) -> None:
        """Something works, or is not wanted any more."""
        if self._troubles.pop(about, None) is not None:
            log.info("source_works_again", rule=self._rule_name, about=about)

    async def pause(self, about: str) -> None:
        """Wait before the next try: at random, so that many do not come back together."""
        longest_s = self._retry_s_max
        trouble = self._troubles.get(about)
        if trouble is None or not trouble.needs_a_person:
            doublings = min(max(0, trouble.count - 1 if trouble else 0), _DOUBLINGS_MAX)
            longest_s = min(PAUSE_S * 2**doublings, longest_s)
        await asyncio.sleep(random.uniform(0, longest_s))  # noqa: S311 - no secret


def failure_of(error: Exception) -> Failure | None:
    """What an exception of a service or of a file means; None if it is a fault of ours."""
    if is_aws_failure(error):
        return classify(error)
    if isinstance(error, NoClients | WrongFile):
        return Failure(FailureKind.MISSING, type(error).__name__, str(error), "")
    if isinstance(error, sqlite3.Error | OSError):
        advice = "There must be room on the disk, and the server's user must be able to write."
        return Failure(FailureKind.UNKNOWN, type(error).__name__, str(error), advice)
    return None
