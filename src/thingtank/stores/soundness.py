"""Whether the files of an archive that no server has open are there and whole, at a quick look.

Not all of them are read, which would take long where much is stored: of the hot tier the tables'
heads, of the cold tier the size and the two ends of each file.
"""

from itertools import islice
from pathlib import Path

import duckdb

from thingtank.stores.stored import COLD_FOLDER, HOT_FILE, has_lost_manifest

FILES_MAX = 10_000  # of the cold tier, the newest first
NAMED_MAX = 5  # files that are named; of more only the number is told
_MAGIC = b"PAR1"  # at both ends of a Parquet file
_PARQUET_BYTES_MIN = 12


def archive_damage(folder: Path) -> list[str]:
    """What is wrong with a data folder's archive, a sentence each; none for nothing. Blocking."""
    path, cold = folder / HOT_FILE, folder / COLD_FOLDER
    if has_lost_manifest(folder):
        return [f"{path} is missing or empty, which says what files of {cold} count"]
    if not path.exists():
        return []
    try:
        with duckdb.connect(str(path), read_only=True) as connection:
            connection.execute("SELECT * FROM hot, tombstones, state LIMIT 1").fetchall()
            return cold_damage(connection, cold)
    except duckdb.Error as error:
        return [f"{path} cannot be read: {str(error).splitlines()[0]}"]


def cold_damage(connection: duckdb.DuckDBPyConnection, cold: Path) -> list[str]:
    """What is wrong with the files of the cold tier that count, the newest FILES_MAX of them.

    Raises:
        duckdb.Error.
    """
    rows = connection.execute(
        "SELECT file, rollup, size_bytes FROM segments ORDER BY start_us DESC LIMIT ?", [FILES_MAX]
    ).fetchall()
    away = _in_bucket(connection)
    sizes: dict[str, int | None] = {rollup: None for _, rollup, _ in rows}
    sizes |= {file: size_bytes for file, _, size_bytes in rows}
    here = (name for name in sizes if name not in away or (cold / name).exists())
    found = filter(None, (_file_damage(cold / name, sizes[name]) for name in here))
    texts = list(islice(found, NAMED_MAX))
    more_count = sum(1 for _ in found)
    return [*texts, f"{more_count} more files of {cold} are no better"] if more_count else texts


def _in_bucket(connection: duckdb.DuckDBPyConnection) -> set[str]:
    """Files that need not be here."""
    tables = connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
    if ("objects",) not in tables:
        return set()  # of a version before buckets
    rows = connection.execute("SELECT file FROM objects WHERE is_there").fetchall()
    return {name for (name,) in rows}


def _file_damage(path: Path, size_bytes: int | None) -> str:
    """What is wrong with a Parquet file; blank for nothing."""
    try:
        with path.open("rb") as file:
            head, found_bytes = file.read(len(_MAGIC)), file.seek(0, 2)
            file.seek(max(0, found_bytes - len(_MAGIC)))
            tail = file.read(len(_MAGIC))
    except FileNotFoundError:
        return f"{path} is missing"
    except OSError as error:
        return f"{path} cannot be read: {error.strerror}"
    is_cut = size_bytes is not None and found_bytes != size_bytes
    if is_cut or found_bytes < _PARQUET_BYTES_MIN or head != _MAGIC or tail != _MAGIC:
        return f"{path} is damaged"
    return ""
