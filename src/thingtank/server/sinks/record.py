"""What became of a rule's attempts, and how long to wait before the next."""

import random
from collections import Counter

import structlog
from msgspec.structs import replace

from thingtank.server.sinks.throughput import Throughput
from thingtank.sinks.rules.pauses import pause_s_max
from thingtank.sinks.rules.steps import Step
from thingtank.tank.failures import Failure, FailureKind
from thingtank.tank.interfaces import Clock
from thingtank.tank.sinks import SinkTrouble

log = structlog.get_logger()


class Record:
    """Lives in the loop's thread.

    Attributes:
        delivered_count, retried_count, dead_count: items since the start.
        failures: failed calls, by kind.
        trouble: the last failure; None when all went well since.
        needs_a_person: whether it is one that does not pass by itself.
    """

    def __init__(self, rule_name: str, retry_s_max: float, clock: Clock) -> None:
        self._rule_name = rule_name
        self._retry_s_max = retry_s_max
        self._clock = clock
        self._failure_count = 0  # in a row
        self._is_of_all = False  # what `trouble` tells
        self.delivered_count = 0
        self.retried_count = 0
        self.dead_count = 0
        self.failures: Counter[FailureKind] = Counter()
        self.throughput = Throughput()
        self.trouble: SinkTrouble | None = None
        self.needs_a_person = False

    def note(self, step: Step, now_s: float) -> None:
        """Count what came of a step."""
        if step.delivered_count:
            self.delivered_count += step.delivered_count
            self.throughput.add(step.delivered_count, now_s)
        self.dead_count += step.refused_count
        self.retried_count += step.retry_count
        if step.delivered_count:
            self._failure_count = 0
        if step.failure is not None:
            self.failed(step.failure, is_counted=step.is_stuck, is_of_all=step.is_stuck)
        elif step.retry_failure is not None:
            message = f"Some items have to be sent again: {step.retry_failure.message}"
            failure = replace(step.retry_failure, message=message)
            self.failed(failure, is_counted=step.is_stuck, is_of_all=False)
        elif not step.held_count or (step.delivered_count and self._is_of_all):
            self._succeeded()  # of what is held it is told again when that is tried

    def failed(self, failure: Failure, *, is_counted: bool = True, is_of_all: bool = True) -> None:
        """Something failed whole, or in part.

        Args:
            is_counted: whether it makes the next pause longer.
            is_of_all: whether anything that arrives shows that it is over.
        """
        self._is_of_all = is_of_all
        self.failures[failure.kind] += 1
        if self.trouble is None:
            log.warning("sink_fails", rule=self._rule_name, reason=str(failure))
        kind = failure.kind.name.lower()
        self.trouble = SinkTrouble(kind, str(failure), self._clock.now_us())
        self.needs_a_person = not failure.is_passing
        self._failure_count += is_counted

    def forgive(self) -> None:
        """Begin with short pauses again."""
        self._failure_count = 0

    def pause_s(self) -> float:
        """How long to wait now: at random, so that many that failed do not come back together."""
        longest_s = pause_s_max(
            self._failure_count, self._retry_s_max, is_passing=not self.needs_a_person
        )
        return random.uniform(0, longest_s)  # noqa: S311 - no secret

    def _succeeded(self) -> None:
        if self.trouble is not None:
            log.info("sink_works_again", rule=self._rule_name)
        self.trouble = None
        self.needs_a_person = False
        self._failure_count = 0
