"""Numbers of sinks, by what rules send to: what people call their rules is no label."""

from collections import Counter
from collections.abc import Iterator, Sequence

from thingtank.server.monitoring.sample import Sample
from thingtank.tank.sinks import SinkStatus


def of_sinks(statuses: Sequence[SinkStatus]) -> Iterator[Sample]:
    """Samples of all rules; those that are gone send to nothing."""
    statuses = [status for status in statuses if status.state != "gone"]
    for engine in sorted({status.engine for status in statuses}):
        yield from _of_engine(engine, [each for each in statuses if each.engine == engine])


def _of_engine(engine: str, statuses: Sequence[SinkStatus]) -> Iterator[Sample]:
    labels = {"engine": engine}
    for state, count in sorted(Counter(status.state for status in statuses).items()):
        yield Sample("thingtank_sink_rules", count, {**labels, "state": state})
    for outcome in ("delivered", "retried", "dead"):
        count = sum(getattr(status, f"{outcome}_count") for status in statuses)
        yield Sample("thingtank_sink_items", count, {**labels, "outcome": outcome})
    failures: Counter[str] = Counter()
    for status in statuses:
        failures.update(status.failures)
    for kind, count in sorted(failures.items()):
        yield Sample("thingtank_sink_failures", count, {**labels, "kind": kind})
    behind_count = max(status.behind_count for status in statuses)
    yield Sample("thingtank_sink_behind_batches", behind_count, labels)
    behind_s = max(status.behind_s for status in statuses)
    yield Sample("thingtank_sink_behind_seconds", behind_s, labels)
    missed = sum(status.missed_count for status in statuses)
    yield Sample("thingtank_sink_batches_missed", missed, labels)
    letters = sum(status.letter_count for status in statuses)
    yield Sample("thingtank_sink_dead_letters", letters, labels)
