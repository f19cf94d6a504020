"""The buffer's file: order, bounds, and what it says when it cannot be used."""

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from thingtank.client.calls import Row
from thingtank.client.errors import BufferFailed, BufferFull
from thingtank.client.spool import Spool, WhenFull


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "values.buffer"


@pytest.fixture
def spool(path: Path) -> Iterator[Spool]:
    spool = Spool(path, 5, "refuse")
    yield spool
    spool.close()


def rows(feed_id: int, *values: int) -> list[tuple[int, Row]]:
    return [(feed_id, Row("t", value, str(value))) for value in values]


def values(spool: Spool, count: int = 100) -> list[str]:
    return [found.row.value for found in spool.oldest(count)]


def test_values_come_out_by_feed_in_the_order_they_went_in(spool: Spool) -> None:
    spool.append([*rows(7, 3, 1), *rows(8, 9), *rows(7, 2)])
    assert values(spool) == ["3", "1", "2"]
    assert values(spool, 2) == ["3", "1"]
    spool.remove_sent(spool.oldest(100))
    assert values(spool) == ["9"]
    assert (spool.waiting_count, spool.sent_count) == (1, 3)


def test_a_closed_file_goes_on_where_it_was(path: Path) -> None:
    first = Spool(path, 100, "refuse")
    first.append(rows(7, 1, 2, 3))
    first.remove_sent(first.oldest(1))
    first.set_aside(first.oldest(1), "422 No")
    first.close()
    again = Spool(path, 100, "refuse")
    assert values(again) == ["3"]
    assert (again.waiting_count, again.sent_count, again.rejected_count) == (1, 1, 1)
    assert again.last_at_us == 3
    assert [(found.value, found.reason) for found in again.rejected()] == [("2", "422 No")]
    again.close()


def test_a_full_buffer_refuses_whole_writes(spool: Spool) -> None:
    spool.append(rows(7, 1, 2, 3, 4))
    with pytest.raises(BufferFull, match="4 values are waiting, 5 may; 2 more"):
        spool.append(rows(7, 5, 6))
    assert values(spool) == ["1", "2", "3", "4"]
    spool.append(rows(7, 5))


def test_a_full_buffer_gives_up_its_oldest_when_told_so(path: Path) -> None:
    spool = Spool(path, 3, "drop_oldest")
    spool.append(rows(7, 1, 2, 3))
    spool.append(rows(7, 4, 5))
    assert values(spool) == ["3", "4", "5"]
    assert (spool.waiting_count, spool.dropped_count) == (3, 2)
    with pytest.raises(BufferFull):
        spool.append(rows(7, 1, 2, 3, 4))
    spool.close()


def test_what_was_set_aside_can_wait_again_or_be_forgotten(spool: Spool) -> None:
    spool.append(rows(7, 1, 2))
    spool.set_aside(spool.oldest(2), "404 Not found")
    assert values(spool) == []
    assert spool.requeue_rejected() == 2
    assert values(spool) == ["1", "2"]
    spool.set_aside(spool.oldest(1), "404 Not found")
    assert spool.discard_rejected() == 1
    assert spool.rejected() == []
    assert spool.waiting_count == 1


def test_a_second_program_is_told_that_the_file_is_in_use(path: Path, spool: Spool) -> None:
    with pytest.raises(BufferFailed, match="another program has it open"):
        Spool(path, 5, "refuse")


def test_only_its_owner_may_read_the_file(path: Path, spool: Spool) -> None:
    assert os.stat(path).st_mode & 0o077 == 0


def test_what_is_no_buffer_is_left_alone(path: Path) -> None:
    path.write_bytes(b"readings of ten years" * 100)
    with pytest.raises(BufferFailed, match="not a database"):
        Spool(path, 5, "refuse")
    assert path.read_bytes().startswith(b"readings of ten years")


def test_somebody_elses_database_is_left_alone(path: Path) -> None:
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE waiting (everything)")
    other.close()
    with pytest.raises(BufferFailed, match="something else"):
        Spool(path, 5, "refuse")


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BufferFailed, match="nowhere"):
        Spool(tmp_path / "nowhere" / "values.buffer", 5, "refuse")


@pytest.mark.parametrize("when_full", ["refuse", "drop_oldest"])
def test_a_full_disk_is_an_error_and_loses_nothing_that_was_taken(
    path: Path, when_full: WhenFull
) -> None:
    spool = Spool(path, 100_000, when_full)
    spool.append(rows(7, 1))
    spool._connection.execute("PRAGMA max_page_count = 12")  # a disk of that size
    with pytest.raises(BufferFailed, match="full"):
        spool.append([(7, Row("t", number, "x" * 255)) for number in range(1000)])
    assert values(spool) == ["1"]
    spool._connection.execute("PRAGMA max_page_count = 100000")
    spool.append(rows(7, 2))
    assert values(spool) == ["1", "2"]
    spool.close()
