"""Runs: which batches come together, and whose rows are where."""

from collections.abc import Sequence

import pytest

from thingtank.server.triggers import runs as runs_module
from thingtank.server.triggers.runs import Run, in_runs
from thingtank.stores.changes import Change, Extremes
from thingtank.stores.journal_readers import CommittedBatch
from thingtank.stores.rows import Deletion
from thingtank.tank.datapoints import Datapoint, DatapointColumns

S = 1_000_000


def test_the_rows_of_a_run_are_sorted_out_by_datastream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs_module, "ROWS_WALK_MIN", 2)
    run = Run()
    for seq, (start, stream_ids) in enumerate([(0, [5, 1, 3, 5]), (4, []), (4, [9, 3, 4])]):
        columns = DatapointColumns()
        for row, stream_id in enumerate(stream_ids, start):
            columns.add(stream_id, 100 + row, "on" if stream_id == 9 else str(row))
        run.add(columns, start, seq)
    rows, streams = run.split({3, 5, 9})
    assert rows == [4]
    assert {i: arrivals.rows.tolist() for i, arrivals in streams} == {3: [2, 5], 5: [0, 3]}
    assert run.arrival(4) == (9, Datapoint(104, "on"), 4)
    assert run.arrival(3) == (5, Datapoint(103, "3"), 0)
    monkeypatch.setattr(runs_module, "ROWS_WALK_MIN", 8)
    rows, streams = run.split({3, 5, 9})
    assert (rows, list(streams)) == ([0, 2, 3, 4, 5], [])
    assert not run.split(set())[0]


def test_where_the_clock_was_set_back_others_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs_module, "ROWS_WALK_MIN", 1)
    run = Run()
    for seq, committed_us in enumerate([10, 20, 20, 15, 16, 9]):
        rows = [(stream_id, Datapoint(seq, "1")) for stream_id in ((3, 5) if seq != 3 else (3,))]
        run.add(DatapointColumns.of(rows), committed_us, seq)
    _, streams = run.split({3, 5})
    assert [(stream_id, arrivals.at_us.tolist()) for stream_id, arrivals in streams] == [
        (3, [0, 1, 2]), (3, [3, 4]), (3, [5]), (5, [0, 1, 2]), (5, [4]), (5, [5]),
    ]  # fmt: skip


def test_datapoints_that_cannot_count_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs_module, "ROWS_WALK_MIN", 1)
    run = Run()
    written = [(1, "1"), (1, "1"), (1, "1.0"), (1, "1.0"), (1, "1"), (0, "2"), (1, "1"), (1, "on"),
               (1, "on"), (1, "off"), (1, "2"), (2, "2"), (2, "2"), (2, "nan"), (2, "nan")]  # fmt: skip
    for seq in range(0, len(written), 4):
        points = [(7, Datapoint(*point)) for point in written[seq : seq + 4]]
        run.add(DatapointColumns.of(points), seq, seq)
    _, streams = run.split({7})
    assert [arrivals.rows.tolist() for _, arrivals in streams] == [[0, 2, 4, 7, 9, 10, 11, 13]]


def test_the_batches_that_a_fault_costs_are_those_with_such_rows_behind_it() -> None:
    run = Run()
    for seq, stream_ids in ((10, [5, 3]), (11, [3, 3]), (12, []), (12, [5]), (13, [4]), (14, [3])):
        run.add(DatapointColumns.of((i, Datapoint(seq, "1")) for i in stream_ids), S, seq)
    assert run.seqs_from([]) == set()
    assert run.seqs_from([0]) == {10, 12}
    assert run.seqs_from([3]) == {11, 14}
    assert run.seqs_from([6, 4, 3]) == {11, 12, 14}
    assert run.seqs_from([1, 0]) == {10, 11, 12, 14}


def test_batches_come_together_where_that_changes_nothing_and_is_quicker() -> None:
    rows = DatapointColumns.of((7, Datapoint(row, "1")) for row in range(10))
    many = DatapointColumns.of((7, Datapoint(row, "1")) for row in range(15_000))

    def together(*changes: tuple[Sequence[Change], int | None]) -> list[list[int]]:
        batches = [
            CommittedBatch.of(seq, change, b"", committed_us)
            for seq, (change, committed_us) in enumerate(changes)
        ]
        return [[batch.seq for batch in found] for found in in_runs(batches)]

    now, read_back = ([rows], S), ([rows], None)
    assert together() == []
    assert together(now) == [[0]]
    assert together(now, now, now) == [[0, 1, 2]]
    assert together(now, read_back, now, now) == [[0], [1], [2, 3]]
    assert together(now, now, ([Deletion([7], 0, 9)], S), now, now) == [[0, 1], [2], [3, 4]]
    assert together(now, ([Extremes(7, 1, 2)], S), now) == [[0, 1, 2]]
    assert together(([many], S), ([many], S), now) == [[0], [1, 2]]
