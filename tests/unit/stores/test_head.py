"""The head shows what was journalled, without what was deleted or overwritten since."""

import numpy as np

from thingtank.stores.changes import Extremes
from thingtank.stores.head import Head
from thingtank.stores.rows import Deletion, Overlay, Rows
from thingtank.tank.datapoints import Datapoint, DatapointColumns, text_of


def rows(*written: tuple[int, int, str]) -> DatapointColumns:
    return DatapointColumns.of((i, Datapoint(at_us, value)) for i, at_us, value in written)


def shown(rows: Rows) -> list[tuple[int, int, str]]:
    """Rows as (stream_id, at_us, value), in their order."""
    return [
        (
            int(rows.stream_ids[row]),
            int(rows.at_us[row]),
            rows.texts[row] if row in rows.texts else text_of(float(rows.numbers[row])),
        )
        for row in range(len(rows.stream_ids))
    ]


def overlay_of(head: Head, *stream_ids: int, only_last: bool = False) -> Overlay:
    overlay = head.overlay(stream_ids, -1000, 1000, only_last=only_last)
    assert overlay is not None
    return overlay


def test_empty_head_lays_nothing_over() -> None:
    head = Head()
    assert head.overlay([1], 0, 10) is None
    assert not head


def test_range_and_datastreams_choose_the_rows() -> None:
    head = Head()
    head.apply([rows((1, 9, "a"), (2, 10, "+5"), (3, 10, "x"), (1, 10, "2"), (1, 20, "c"))], 1)
    overlay = head.overlay([2, 1], 10, 20)
    assert overlay is not None
    assert shown(overlay.rows) == [(1, 10, "2"), (2, 10, "+5")]
    assert overlay.deletions == []
    assert head.overlay([4], 0, 100) is None


def test_last_written_of_an_instant_is_shown() -> None:
    head = Head()
    head.apply([rows((1, 5, "old"), (1, 4, "4"), (1, 5, "6"))], 1)
    head.apply([rows((1, 4, "on"))], 2)
    assert shown(overlay_of(head, 1).rows) == [(1, 4, "on"), (1, 5, "6")]


def test_deletion_hides_the_rows_before_it_only() -> None:
    head = Head()
    head.apply([rows((1, 5, "5"), (1, 9, "9"), (2, 5, "5"))], 1)
    head.apply([Deletion((1, 3), 0, 9), rows((1, 6, "6"))], 2)
    overlay = overlay_of(head, 1, 2)
    assert shown(overlay.rows) == [(1, 6, "6"), (1, 9, "9"), (2, 5, "5")]
    assert overlay.deletions == [Deletion((1,), 0, 9)]


def test_deletion_alone_hides_what_is_stored() -> None:
    head = Head()
    head.apply([Deletion((1,), 0, 9)], 1)
    overlay = overlay_of(head, 1)
    assert shown(overlay.rows) == []
    assert overlay.deletions == [Deletion((1,), 0, 9)]
    assert head.overlay([1], 9, 20) is None


def test_frozen_rows_stay_in_sight_until_they_are_dropped() -> None:
    head = Head()
    head.apply([rows((1, 5, "old"), (1, 6, "6"), (1, 7, "7"))], 1)
    generation = head.freeze()
    assert generation is not None
    head.apply([rows((1, 5, "+new")), Deletion((1,), 7, 8)], 2)
    assert shown(overlay_of(head, 1).rows) == [(1, 5, "+new"), (1, 6, "6")]
    assert head.freeze() is generation
    assert head.row_count == 4
    head.drop_frozen()
    overlay = overlay_of(head, 1)
    assert shown(overlay.rows) == [(1, 5, "+new")]
    assert overlay.deletions == [Deletion((1,), 7, 8)]


def test_only_last_shows_the_newest_of_each_datastream() -> None:
    head = Head()
    head.apply([rows((1, 5, "5"), (2, 8, "8"), (1, 7, "on"), (2, 3, "3"))], 1)
    assert shown(overlay_of(head, 1, 2, only_last=True).rows) == [(1, 7, "on"), (2, 8, "8")]


def test_changes_for_the_history_store_are_in_order() -> None:
    head = Head()
    head.apply([rows((1, 1, "+1"), (1, 2, "2")), Extremes(1, None, None)], 1)
    head.apply([Deletion((1,), 0, 2), Deletion((2,), 0, 2), rows((1, 1, "x"), (1, 3, "3"))], 2)
    generation = head.freeze()
    assert generation is not None
    assert generation.through_seq == 2
    first, *deletions, last = generation.changes()
    assert isinstance(first, Rows)
    assert isinstance(last, Rows)
    assert shown(first) == [(1, 1, "+1"), (1, 2, "2")]
    assert deletions == [Deletion((1,), 0, 2), Deletion((2,), 0, 2)]
    assert shown(last) == [(1, 1, "x"), (1, 3, "3")]
    assert (last.stream_ids.dtype, last.at_us.dtype) == (np.int32, np.int64)


def test_moved_number_is_the_last_that_nobody_needs() -> None:
    head = Head(7)
    assert head.moved_seq == 7
    head.apply([Extremes(1, None, None)], 8)  # nothing for the history store
    assert head.moved_seq == 8
    head.apply([rows((1, 1, "1"))], 9)
    assert head.moved_seq == 7
    head.freeze()
    head.apply([rows((1, 2, "2"))], 10)
    head.drop_frozen()
    assert head.moved_seq == 9
    head.freeze()
    head.drop_frozen()
    assert head.moved_seq == 10


def test_reading_does_not_keep_the_head_from_growing() -> None:
    head = Head()
    kept = []
    for at_us in range(300):
        head.apply([rows((1, at_us, "on"), (2, at_us, "1"))], at_us + 1)
        kept.append(head.overlay([1, 2], 0, 1000))
    assert head.row_count == 600
    assert kept[0] is not None
    assert shown(kept[0].rows) == [(1, 0, "on"), (2, 0, "1")]


def test_size_counts_texts_and_goes_when_dropped() -> None:
    head = Head()
    head.apply([rows((1, 1, "x" * 1000))], 1)
    assert head.size_bytes > 1000
    head.freeze()
    assert head.size_bytes > 1000
    head.drop_frozen()
    assert head.size_bytes == 0
