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
