"""How changes act on the current values, while running and when the journal is read at a start."""

from collections.abc import Iterable, Sequence

import numpy as np
import structlog

from thingtank.stores.changes import Change, Extremes
from thingtank.stores.current_values import CurrentValues
from thingtank.stores.head import Head
from thingtank.stores.history_interface import History
from thingtank.stores.journal import Journal
from thingtank.stores.rows import Deletion
from thingtank.tank.datapoints import AT_US_MAX, AT_US_MIN, DatapointColumns

log = structlog.get_logger()


def apply_to_currents(changes: Iterable[Change], currents: CurrentValues) -> None:
    """Take over a batch. A deletion of a range leaves the value; see `covered_streams`."""
    for change in changes:
        match change:
            case DatapointColumns():
                currents.apply_rows(change)
            case Extremes():
                currents.apply_extremes(change)
            case Deletion() if _is_of_all_time(change):
                for stream_id in change.stream_ids:
                    currents.forget(stream_id)
            case Deletion():
                pass


def covered_streams(changes: Sequence[Change], currents: CurrentValues) -> set[int]:
    """The datastreams whose newest datapoint a batch may delete, so that it must be looked up."""
    covered: set[int] = set()
    for index, change in enumerate(changes):
        if not isinstance(change, Deletion) or _is_of_all_time(change):
            continue
        for stream_id in change.stream_ids:
            at_us = currents.at_us(stream_id)
            if at_us is not None and change.start_us <= at_us < change.end_us:
                covered.add(stream_id)
        for earlier in changes[:index]:
            if isinstance(earlier, DatapointColumns):
                covered |= _written_in(earlier, change)
    return covered


def _is_of_all_time(deletion: Deletion) -> bool:
    return deletion.start_us <= AT_US_MIN and deletion.end_us > AT_US_MAX


def _written_in(columns: DatapointColumns, deletion: Deletion) -> set[int]:
    stream_ids = np.frombuffer(columns.stream_ids, np.int32)
    at_us = np.frombuffer(columns.at_us, np.int64)
    in_range = (at_us >= deletion.start_us) & (at_us < deletion.end_us)
    return set(deletion.stream_ids) & set(stream_ids[in_range].tolist())


def recover(journal: Journal, history: History) -> tuple[Head, CurrentValues]:
    """Rebuild head and current values as they were when the last batch was committed.

    Blocking; nobody else uses the journal meanwhile.
    """
    through_seq = history.through_seq
    if through_seq < journal.trimmed_seq:
        log.error(
            "archive_history_is_incomplete",
            history_through=through_seq,
            journal_trimmed=journal.trimmed_seq,
        )
    journal.skip_to(through_seq)
    head = Head(max(through_seq, journal.trimmed_seq))
    currents = CurrentValues()
    currents.load(journal.current_values())
    covered: set[int] = set()
    for seq, changes in journal.batches():
        covered |= covered_streams(changes, currents)
        apply_to_currents(changes, currents)
        if seq > through_seq:
            head.apply(changes, seq)
    _look_up(covered, head, currents, history)
    currents.through_seq = head.last_seq
    return head, currents


def _look_up(stream_ids: set[int], head: Head, currents: CurrentValues, history: History) -> None:
    if not stream_ids:
        return
    ids = sorted(stream_ids)
    overlay = head.overlay(ids, AT_US_MIN, AT_US_MAX + 1, only_last=True)
    newest = history.read_last_before(ids, AT_US_MAX + 1, overlay)
    for stream_id in ids:
        currents.replace(stream_id, newest.get(stream_id))
