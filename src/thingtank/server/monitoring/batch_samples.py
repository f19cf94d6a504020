"""Numbers of schedules of batch jobs, by name: admins make them, and there are few."""

from collections.abc import Iterator, Sequence

from thingtank.server.monitoring.sample import Sample
from thingtank.tank.batch import ScheduleStatus


def of_batch(statuses: Sequence[ScheduleStatus]) -> Iterator[Sample]:
    """Samples of all schedules."""
    for status in statuses:
        labels = {"schedule": status.name}
        ok_count = status.run_count - status.failed_count
        for outcome, count in (("ok", ok_count), ("failed", status.failed_count)):
            yield Sample("thingtank_batch_runs", count, {**labels, "outcome": outcome})
        yield Sample("thingtank_batch_alerts", status.alert_count, labels)
        if status.runs:
            last = status.runs[0]
            yield Sample("thingtank_batch_last_run_seconds", last.duration_s, labels)
            yield Sample("thingtank_batch_last_run_failed", int(bool(last.problem)), labels)
