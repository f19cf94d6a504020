"""Numbers of sources: summed by what rules read, the worst of how far they are behind."""

from thingtank.server.monitoring.families import FAMILIES
from thingtank.server.monitoring.source_samples import of_sources
from thingtank.tank.sources import SourceState, SourceStatus


def status(name: str, engine: str, state: SourceState, behind_s: float) -> SourceStatus:
    failures = {"throttled": 2}
    return SourceStatus(
        name, engine, "", state, ("s-1",), behind_s, 10, 30, 4, 3, 2, 5, 1, failures, None
    )


def test_rules_of_one_kind_are_summed() -> None:
    samples = list(
        of_sources(
            [
                status("a", "kinesis", "reading", 5.0),
                status("b", "kinesis", "stuck", 7.0),
                status("c", "sqs", "reading", 1.0),
            ]
        )
    )
    found = {
        (each.family, *sorted(each.labels.items())): each.value
        for each in samples
        if each.labels["engine"] == "kinesis"
    }
    engine = ("engine", "kinesis")
    assert found == {
        ("thingtank_source_rules", engine, ("state", "reading")): 1,
        ("thingtank_source_rules", engine, ("state", "stuck")): 1,
        ("thingtank_source_records", engine, ("outcome", "written")): 12,
        ("thingtank_source_records", engine, ("outcome", "rejected")): 8,
        ("thingtank_source_records", engine, ("outcome", "skipped")): 10,
        ("thingtank_source_rejected_kept", engine): 6,
        ("thingtank_source_rejected_dropped", engine): 4,
        ("thingtank_source_datapoints", engine): 60,
        ("thingtank_source_messages_late", engine): 2,
        ("thingtank_source_failures", engine, ("kind", "throttled")): 4,
        ("thingtank_source_shards", engine): 2,
        ("thingtank_source_behind_seconds", engine): 7.0,
    }
    assert {each.family for each in samples} <= set(FAMILIES)
    assert list(of_sources([])) == []
