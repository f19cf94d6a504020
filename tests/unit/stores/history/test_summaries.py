"""Summaries of a range: exact whatever way the rows came, and however few are held at a time."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from thingtank.stores.archive_settings import ArchiveSettings
from thingtank.stores.history import stream_reader
from thingtank.stores.history.store import HistoryStore
from thingtank.stores.rows import Deletion, Overlay, Rows
from thingtank.tank.datapoints import Bucket, Datapoint, DatapointColumns
from thingtank.tank.tank import SystemClock

HOUR_US = 3_600_000_000
MINUTE_US = 60_000_000
END_US = 3 * 24 * HOUR_US

# Numbers that spell themselves, one that does not (and so has a text), and a text.
numbers = st.sampled_from(["1", "2.5", "-3", "2.50", "on"])
instants = st.integers(0, END_US // (20 * MINUTE_US) - 1).map(lambda step: step * 20 * MINUTE_US)
writes = st.tuples(st.just("write"), st.lists(st.tuples(instants, numbers), min_size=1, max_size=8))
deletions = st.tuples(st.just("delete"), instants, st.integers(1, 6 * HOUR_US))
courses = st.lists(st.one_of(writes, writes, deletions, st.just(("compact",))), max_size=8)


def rows_of(datapoints: Sequence[tuple[int, str]]) -> Rows:
    columns = DatapointColumns()
    for at_us, value in datapoints:
        columns.add(1, at_us, value)
    return Rows(
        np.array(columns.stream_ids, np.int32),
        np.array(columns.at_us, np.int64),
        np.array(columns.numbers, np.float64),
        columns.texts,
    )


def reference(values: dict[int, str], start_us: int, end_us: int, interval_us: int) -> list[Bucket]:
    """The same said plainly."""
    steps: dict[int, list[Datapoint]] = {}
    for at_us in sorted(values):
        if start_us <= at_us < end_us:
            step_us = at_us // interval_us * interval_us
            steps.setdefault(step_us, []).append(Datapoint(at_us, values[at_us]))
    return [Bucket.of(start, datapoints) for start, datapoints in steps.items()]


def overlay_of(newest: list[tuple[int, str]]) -> Overlay | None:
    return Overlay(rows_of(sorted(dict(newest).items())), []) if newest else None


@pytest.mark.parametrize("rows_max", [4, 1 << 20])
@given(
    course=courses,
    newest=st.lists(st.tuples(instants, numbers), max_size=4),
    bounds=st.tuples(st.integers(0, END_US), st.integers(0, END_US)),
    interval_us=st.sampled_from([25 * MINUTE_US, HOUR_US, 5 * HOUR_US, END_US]),
)
@example(
    # A number and a text in turn, which the hot tier keeps apart; then the same instants again.
    course=[
        ("write", [(k * 20 * MINUTE_US, ("1", "2.50")[k % 2]) for k in range(8)]),
        ("write", [(0, "2.50"), (20 * MINUTE_US, "1")]),
    ],
    newest=[(40 * MINUTE_US, "on")],
    bounds=(0, END_US),
    interval_us=HOUR_US,
)
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_the_extremes_of_each_step_are_datapoints_as_they_were_written(
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    rows_max: int,
    course: list[tuple],
    newest: list[tuple[int, str]],
    bounds: tuple[int, int],
    interval_us: int,
) -> None:
    monkeypatch.setattr(stream_reader, "ROWS_AT_ONCE_MAX", rows_max)
    store = opened(tmp_path_factory.mktemp("tank"))
    values: dict[int, str] = {}
    try:
        for seq, step in enumerate(course, 1):
            follow(store, values, step, seq)
        values |= dict(newest)
        start_us, end_us = sorted(bounds)
        asked = (start_us, end_us, interval_us)
        found = store.read_buckets([1], *asked, 0, 10_000, overlay_of(newest))
    finally:
        store.close()
    assert found.get(1, []) == reference(values, *asked)


def follow(store: HistoryStore, values: dict[int, str], step: tuple, seq: int) -> None:
    match step:
        case ("write", datapoints):
            store.apply([rows_of(datapoints)], seq)
            values.update(datapoints)
        case ("delete", start_us, length_us):
            store.apply([Deletion((1,), start_us, start_us + length_us)], seq)
            for at_us in [at_us for at_us in values if start_us <= at_us < start_us + length_us]:
                del values[at_us]
        case _:
            store.compact(END_US)


def opened(folder: Path) -> HistoryStore:
    return HistoryStore.open(folder, ArchiveSettings(), SystemClock())


def test_rollups_of_an_earlier_release_are_read_by_their_rows(tmp_path: Path) -> None:
    store = opened(tmp_path)
    points = [(k * 7 * MINUTE_US, str((k * 37) % 19)) for k in range(300)]
    store.apply([rows_of(points)], 1)
    store.compact(END_US)
    rollup = next(tmp_path.rglob("*.rollup.parquet"))
    asked = (0, END_US, 2 * HOUR_US)
    with store._database.snapshot() as connection:  # as such a release wrote it
        connection.execute(
            f"COPY (SELECT * EXCLUDE (minimum_us, maximum_us) FROM read_parquet('{rollup}'))"  # noqa: S608 - our own path
            f" TO '{tmp_path / 'old.parquet'}' (FORMAT parquet)"
        ).fetchall()
    store.close()
    (tmp_path / "old.parquet").rename(rollup)
    store = opened(tmp_path)
    assert store.read_buckets([1], *asked, 0, 10_000, None) == {1: reference(dict(points), *asked)}
    # The next day's file takes the old hours along.
    later = [(END_US + at_us, value) for at_us, value in points[:100]]
    store.apply([rows_of(later)], 2)
    store.compact(END_US + 24 * HOUR_US)
    asked = (0, END_US + 24 * HOUR_US, 2 * HOUR_US)
    found = store.read_buckets([1], *asked, 0, 10_000, None)
    store.close()
    assert found == {1: reference(dict(points + later), *asked)}
