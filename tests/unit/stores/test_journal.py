"""The journal keeps batches in order, numbers them for ever, and refuses cleanly."""

import sqlite3
from pathlib import Path

import msgspec
import pytest
from tests.unit.stores.full_disk import DiskTooFullToDelete

from thingtank.stores.changes import Change, Extremes, decode_changes, encode_changes
from thingtank.stores.journal import FILE_NAME, Journal, SavedValue
from thingtank.stores.rows import Deletion
from thingtank.stores.sqlite_files import FileMismatch
from thingtank.tank.datapoints import Datapoint, DatapointColumns
from thingtank.tank.errors import StorageFailed


def rows(*values: str, stream_id: int = 1) -> DatapointColumns:
    return DatapointColumns.of(
        (stream_id, Datapoint(at_us, value)) for at_us, value in enumerate(values)
    )


def plain(changes: list[Change]) -> list[object]:
    return [
        list(change.rows()) if isinstance(change, DatapointColumns) else change
        for change in changes
    ]


def test_reopened_journal_holds_every_batch_in_order(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    batches: list[list[Change]] = [
        [rows("1", "on", "+5", "温度")],
        [rows("2"), Deletion((1, 2), -5, 7), rows("3"), Extremes(1, None, 2.5)],
    ]
    assert [journal.commit(batch)[0] for batch in batches] == [1, 2]
    journal.close()
    found = list(Journal.open(tmp_path).batches())
    assert [seq for seq, _ in found] == [1, 2]
    assert [plain(changes) for _, changes in found] == [plain(batch) for batch in batches]


def test_extremes_that_an_older_version_wrote_set_both() -> None:
    written = msgspec.msgpack.encode([["e", 1, None, 2.5]])
    assert decode_changes(written) == [Extremes(1, None, 2.5, False, False)]
    left = [Extremes(1, None, 2.5, leaves_minimum=True)]
    assert decode_changes(encode_changes(left)) == left


def test_numbers_go_on_after_all_was_trimmed(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    for _ in range(3):
        journal.commit([rows("1")])
    journal.trim(3)
    journal.close()
    journal = Journal.open(tmp_path)
    assert (journal.last_seq, journal.trimmed_seq) == (3, 3)
    assert journal.commit([rows("1")])[0] == 4


def test_numbers_skip_what_the_history_store_has_seen(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    journal.skip_to(41)
    assert journal.commit([rows("1")])[0] == 42


def test_trimming_leaves_what_came_later(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    for _ in range(4):
        journal.commit([rows("1")])
    journal.trim(2)
    assert [seq for seq, _ in journal.batches()] == [3, 4]


def test_saved_values_are_replaced_and_removed(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    first, second = SavedValue(1, 10, "on", None, None), SavedValue(2, None, None, 1.5, None)
    journal.save([first, second])
    journal.save([SavedValue(1, 20, "+5", 5.0, 5.0), SavedValue(2, None, None, None, None)])
    journal.close()
    values = list(Journal.open(tmp_path).current_values())
    assert values == [SavedValue(1, 20, "+5", 5.0, 5.0)]


def test_every_commit_is_synced(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    connection = journal._connected()
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert connection.execute("PRAGMA page_size").fetchone() == (8192,)


def test_file_of_something_else_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE other (one)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(FileMismatch, match="journal"):
        Journal.open(tmp_path)
    assert path.read_bytes() == before


def test_full_journal_refuses_and_goes_on_when_there_is_room(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    journal.commit([rows("1")])
    connection = journal._connected()
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StorageFailed, match="full"):
        journal.commit([rows("x" * 100_000)])
    connection.execute("PRAGMA max_page_count = 1000000")
    journal.commit([rows("2")])
    journal.close()
    found = [plain(changes) for _, changes in Journal.open(tmp_path).batches()]
    assert found == [plain([rows("1")]), plain([rows("2")])]


def test_broken_connection_is_opened_anew(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    journal.commit([rows("1")])
    journal._connected().close()
    with pytest.raises(StorageFailed, match="closed"):
        journal.commit([rows("2")])
    journal.commit([rows("3")])
    assert [plain(changes) for _, changes in journal.batches()] == [
        plain([rows("1")]),
        plain([rows("3")]),
    ]


def test_refused_batch_that_reached_the_log_is_removed(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    journal.commit([rows("1")])
    # As if the sync had failed after the batch was written: SQLite may find it again.
    journal._connected().execute("INSERT INTO journal VALUES (2, x'90')")
    journal._recover(sqlite3.OperationalError("disk I/O error"))
    assert journal.commit([rows("3")])[0] == 2
    assert [plain(changes) for _, changes in journal.batches()][1] == plain([rows("3")])


def test_refused_batch_is_removed_though_the_disk_was_too_full_for_that_at_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal.open(tmp_path)
    journal.commit([rows("1")])
    journal._connected().execute("INSERT INTO journal VALUES (2, x'90')")
    journal._recover(sqlite3.OperationalError("disk I/O error"))
    with (
        DiskTooFullToDelete(monkeypatch),
        pytest.raises(StorageFailed, match="full"),
    ):
        journal.commit([rows("2")])
    assert journal.commit([rows("3")])[0] == 2
    assert [plain(changes) for _, changes in journal.batches()][1:] == [plain([rows("3")])]
