"""Copies of the history store while it is in use."""

from pathlib import Path

import duckdb
import pytest

from thingtank.stores.archive_settings import ArchiveSettings
from thingtank.stores.history.database import Database
from thingtank.tank.errors import StorageFailed


@pytest.fixture
def database(tmp_path: Path) -> Database:
    made = Database(tmp_path / "hot.duckdb", tmp_path / "spill", ArchiveSettings())
    with made.writing() as connection:
        connection.execute("INSERT INTO hot VALUES (1, 10, 1.5, NULL, 1)").fetchall()
        connection.execute("UPDATE state SET through_seq = 1").fetchall()
    return made


def rows_of(path: Path) -> list[tuple[object, ...]]:
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute("SELECT at_us, through_seq FROM hot, state").fetchall()


def test_a_copy_is_of_one_instant_though_others_write_meanwhile(
    database: Database, tmp_path: Path
) -> None:
    with database.copying(tmp_path / "copy.duckdb") as connection:
        assert connection.execute("SELECT through_seq FROM state").fetchall() == [(1,)]
        with database.writing() as other:
            other.execute("INSERT INTO hot VALUES (1, 20, 2.5, NULL, 2)").fetchall()
            other.execute("UPDATE state SET through_seq = 2").fetchall()
    database.close()
    assert rows_of(tmp_path / "copy.duckdb") == [(10, 1)]
    assert rows_of(tmp_path / "hot.duckdb") == [(10, 2), (20, 2)]


def test_a_copy_that_failed_leaves_room_for_the_next(database: Database, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="no room"), database.copying(tmp_path / "one.duckdb"):
        raise OSError("no room")
    with pytest.raises(StorageFailed), database.copying(tmp_path / "two.duckdb") as connection:
        connection.execute("SELECT nothing FROM nowhere")
    with (
        pytest.raises(StorageFailed, match="could not be copied"),
        database.copying(tmp_path / "no" / "such" / "folder.duckdb"),
    ):
        pass
    with database.copying(tmp_path / "three.duckdb"):
        pass
    database.close()
    assert rows_of(tmp_path / "three.duckdb") == [(10, 1)]
