"""Numbers of sinks: summed by what rules send to, the worst of how far they are behind."""

from thingtank.server.monitoring.families import FAMILIES
from thingtank.server.monitoring.sink_samples import of_sinks
from thingtank.tank.sinks import SinkState, SinkStatus


def status(name: str, engine: str, state: SinkState, behind: int, **failures: int) -> SinkStatus:
    return SinkStatus(
        name, engine, "there", "all feeds", state, False, behind, behind / 2, 60, 100, 5, 1,
        failures, 2, 3, False, None,
    )  # fmt: skip


def test_rules_that_send_to_the_same_kind_of_place_are_one_row() -> None:
    samples = list(
        of_sinks(
            [
                status("a", "sql", "waiting", 0, throttled=1),
                status("b", "sql", "failing", 8, throttled=2, unreachable=1),
                status("c", "sqs", "waiting", 0),
            ]
        )
    )
    assert {sample.family for sample in samples} <= FAMILIES.keys()
    found = {
        (sample.family.removeprefix("thingtank_sink_"), *sample.labels.values()): sample.value
        for sample in samples
    }
    assert found["rules", "sql", "failing"] == 1
    assert found["items", "sql", "delivered"] == 200
    assert found["failures", "sql", "throttled"] == 3
    assert found["behind_batches", "sql"] == 8
    assert found["behind_seconds", "sql"] == 4
    assert found["batches_missed", "sql"] == 4
    assert found["dead_letters", "sqs"] == 3
    assert not any("a" in key or "b" in key for key in found)  # no rule's name is a label
    assert list(of_sinks([])) == []
