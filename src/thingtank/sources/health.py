"""How a rule is doing: what it has done, what failed, and how long to wait before the next try."""

import asyncio
import random
import sqlite3
from collections import Counter

import structlog

from thingtank.aws.clients import AwsMissing
from thingtank.aws.failures import Failure, FailureKind, classify, is_aws_failure
from thingtank.local.sqlite import WrongFile
from thingtank.tank.interfaces import Clock
from thingtank.tank.sinks import SinkTrouble

log = structlog.get_logger()

PAUSE_S = 0.5
_DOUBLINGS_MAX = 16


class Health:
    """Lives in the loop's thread.

    Attributes:
        record_count: records that were read, those that were read again with them.
        datapoint_count: datapoints that were written.
        rejected_count: records of which something could not be written.
        late_count: messages that were done with when they were another reader's again.
        behind_s: how long ago the last record that was read had arrived; by the service's own
            measure where it has one.
        failures: failed calls, by kind.
        trouble: the last failure; None when all went well since.
    """

    def __init__(self, rule_name: str, retry_s_max: float, clock: Clock) -> None:
        self._rule_name = rule_name
        self._retry_s_max = retry_s_max
        self._clock = clock
        self._failure_count = 0  # in a row
        self.record_count = 0
        self.datapoint_count = 0
        self.rejected_count = 0
        self.late_count = 0
        self.behind_s = 0.0
        self.failures: Counter[str] = Counter()
        self.trouble: SinkTrouble | None = None
        self.needs_a_person = False

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

    def failed(self, failure: Failure) -> None:
        """A call failed."""
        self._fail(failure.kind.name.lower(), str(failure), needs_a_person=not failure.is_passing)

    def works(self) -> None:
        """A call succeeded."""
        if self.trouble is not None:
            log.info("source_works_again", rule=self._rule_name)
        self.trouble = None
        self.needs_a_person = False
        self._failure_count = 0

    async def pause(self) -> None:
        """Wait before the next try: at random, so that many do not come back together."""
        longest_s = self._retry_s_max
        if not self.needs_a_person:
            doublings = min(max(0, self._failure_count - 1), _DOUBLINGS_MAX)
            longest_s = min(PAUSE_S * 2**doublings, longest_s)
        await asyncio.sleep(random.uniform(0, longest_s))  # noqa: S311 - no secret

    async def pause_after_own(self, kind: str, what: str, *, passes: bool = True) -> None:
        """Wait, as something of this server's own stands in the way."""
        self._fail(kind, what, needs_a_person=not passes)
        await self.pause()

    def raised(self, error: Exception) -> None:
        """A call raised something; a fault of ours is logged with all there is to know."""
        failure = failure_of(error)
        if failure is None:
            log.error("source_broke", rule=self._rule_name, exc_info=error)
            name = type(error).__name__
            failure = Failure(
                FailureKind.UNKNOWN, name, "A fault of this server", "Its log says more."
            )
        self.failed(failure)

    def _fail(self, kind: str, what: str, *, needs_a_person: bool) -> None:
        self.failures[kind] += 1
        if self.trouble is None or self.trouble.kind != kind:
            log.warning("source_fails", rule=self._rule_name, kind=kind, reason=what)
        self.trouble = SinkTrouble(kind, what, self._clock.now_us())
        self.needs_a_person = needs_a_person
        self._failure_count += 1


def failure_of(error: Exception) -> Failure | None:
    """What an exception of a service or of a file means; None if it is a fault of ours."""
    if is_aws_failure(error):
        return classify(error)
    if isinstance(error, AwsMissing | WrongFile):
        return Failure(FailureKind.MISSING, type(error).__name__, str(error), "")
    if isinstance(error, sqlite3.Error | OSError):
        advice = "There must be room on the disk, and the server's user must be able to write."
        return Failure(FailureKind.UNKNOWN, type(error).__name__, str(error), advice)
    return None
