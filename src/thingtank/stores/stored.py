"""Whether a data folder's archive holds anything, without opening it as its server does."""

import contextlib
import sqlite3
from pathlib import Path

from thingtank.stores import journal

HOT_FILE = "hot.duckdb"
COLD_FOLDER = "cold"


def holds_datapoints(folder: Path) -> bool:
    """Whether journal, hot or cold tier have datapoints of any datastream. Blocking.

    A file that cannot be read counts as one that has some. Nobody else may have them open, except
    where the first that is looked at answers.
    """
    return _journal_holds_any(folder) or _cold_holds_any(folder) or _hot_holds_any(folder)


def _journal_holds_any(folder: Path) -> bool:
    path = folder / journal.FILE_NAME
    if not path.exists():
        return False
    # Not read-only, for a log that a crash has left behind is then not looked into.
    uri = f"{path.absolute().as_uri()}?mode=rw"
    try:
        with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=1)) as connection:
            tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            query = "SELECT EXISTS (SELECT 1 FROM journal) OR EXISTS (SELECT 1 FROM current_value)"
            return bool(tables[0] and connection.execute(query).fetchone()[0])
    except sqlite3.Error:
        return True


def has_lost_manifest(folder: Path) -> bool:
    """Whether the cold tier has files, and the file that says which of them count is gone."""
    path = folder / HOT_FILE
    return (not path.exists() or not path.stat().st_size) and _cold_holds_any(folder)


def _cold_holds_any(folder: Path) -> bool:
    return next((folder / COLD_FOLDER).rglob("*.parquet"), None) is not None


def _hot_holds_any(folder: Path) -> bool:
    path = folder / HOT_FILE
    if not path.exists() or not path.stat().st_size:
        return False
    import duckdb  # only where there is a file to look into

    try:
        with duckdb.connect(str(path), read_only=True) as connection:
            query = "SELECT EXISTS (FROM hot) OR EXISTS (FROM segments)"
            (found,) = connection.execute(query).fetchall()
            return bool(found[0])
    except duckdb.Error:
        return True
