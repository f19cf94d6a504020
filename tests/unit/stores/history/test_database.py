"""The DuckDB file when its connection is lost: whoever comes next finds it open again."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from thingtank.stores.archive_settings import ArchiveSettings
from thingtank.stores.history.database import Database, fetch_one
from thingtank.tank.errors import StorageFailed


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(tmp_path / "hot.duckdb", tmp_path / "spill", ArchiveSettings())
    yield opened
    opened.close()


def through_seq(database: Database) -> int:
    with database.snapshot() as connection:
        return int(fetch_one(connection, "SELECT through_seq FROM state")[0])


def lose(database: Database) -> None:
    """Leave it as after an error that DuckDB does not go on from."""
    database.close()


def test_a_reader_that_finds_the_connection_lost_opens_it_again(database: Database) -> None:
    assert through_seq(database) == 0
    lose(database)
    with pytest.raises(StorageFailed, match="could not be read"):
        through_seq(database)
    assert through_seq(database) == 0


def test_what_the_database_says_is_for_the_log_and_not_for_who_asked(database: Database) -> None:
    with pytest.raises(StorageFailed) as failed, database.snapshot() as connection:
        connection.execute("SELECT * FROM read_parquet('/srv/tank/cold/a.parquet')")
    assert str(failed.value) == "the archive could not be read"
    assert "/srv/tank/cold/a.parquet" in failed.value.reason


def test_a_file_that_cannot_be_opened_again_is_a_storage_failure_until_it_can(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Database) -> None:
        raise duckdb.IOException("input/output error")

    lose(database)
    with monkeypatch.context() as patch:
        patch.setattr(Database, "_connect", refuse)
        for _ in range(2):
            with pytest.raises(StorageFailed, match="could not be opened"):
                through_seq(database)
        with pytest.raises(StorageFailed, match="could not be opened"), database.writing():
            pass
        with pytest.raises(StorageFailed, match="could not be opened"):
            database.checkpoint()
    with pytest.raises(StorageFailed, match="could not be read"):
        through_seq(database)
    assert through_seq(database) == 0
