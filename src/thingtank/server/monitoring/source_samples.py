"""Numbers of sources, by what rules read: what people call their rules is no label."""

from collections import Counter
from collections.abc import Iterator, Sequence

from thingtank.server.monitoring.sample import Sample
from thingtank.tank.sources import SourceStatus


def of_sources(statuses: Sequence[SourceStatus]) -> Iterator[Sample]:
    """Samples of all rules; those that are gone read nothing."""
    statuses = [status for status in statuses if status.state != "gone"]
    for engine in sorted({status.engine for status in statuses}):
        yield from _of_engine(engine, [each for each in statuses if each.engine == engine])


def _of_engine(engine: str, statuses: Sequence[SourceStatus]) -> Iterator[Sample]:
    labels = {"engine": engine}
    for state, count in sorted(Counter(status.state for status in statuses).items()):
        yield Sample("thingtank_source_rules", count, {**labels, "state": state})
    records = sum(status.record_count for status in statuses)
    rejected = sum(status.rejected_count for status in statuses)
    skipped = sum(status.skipped_count for status in statuses)
    outcomes = {"written": records - rejected, "rejected": rejected, "skipped": skipped}
    for outcome, count in outcomes.items():
        yield Sample("thingtank_source_records", count, {**labels, "outcome": outcome})
    kept = sum(status.kept_count for status in statuses)
    yield Sample("thingtank_source_rejected_kept", kept, labels)
    dropped = sum(status.dropped_count for status in statuses)
    yield Sample("thingtank_source_rejected_dropped", dropped, labels)
    datapoints = sum(status.datapoint_count for status in statuses)
    yield Sample("thingtank_source_datapoints", datapoints, labels)
    late = sum(status.late_count for status in statuses)
    yield Sample("thingtank_source_messages_late", late, labels)
    failures: Counter[str] = Counter()
    for status in statuses:
        failures.update(status.failures)
    for kind, count in sorted(failures.items()):
        yield Sample("thingtank_source_failures", count, {**labels, "kind": kind})
    shards = sum(len(status.shards) for status in statuses)
    yield Sample("thingtank_source_shards", shards, labels)
    behind_s = max(status.behind_s for status in statuses)
    yield Sample("thingtank_source_behind_seconds", behind_s, labels)
