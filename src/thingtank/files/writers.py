"""Writers of files of datapoints: rows in, bytes of one format out."""

import csv
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO, Any, Protocol

COLUMNS = ("feed_id", "channel", "at", "value")

Row = tuple[int, str, str, str]  # in the order of COLUMNS; `at` in ISO 8601, UTC


class Writer(Protocol):
    """Takes rows of one format."""

    def write(self, rows: Iterable[Row]) -> None:
        """Append rows."""
        ...


class CsvWriter:
    """CSV with a header line; the last column may hold any text."""

    def __init__(self, file: IO[str], columns: Sequence[str]) -> None:
        self._plain = csv.writer(file, lineterminator="\n")
        self._quoted = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)
        self._plain.writerow(columns)

    def write(self, rows: Iterable[Sequence[Any]]) -> None:
        """Append rows."""
        for row in rows:
            # Python's writer quotes its own line end only, and its reader takes \r for one as well.
            writer = self._quoted if "\r" in row[-1] else self._plain
            writer.writerow(row)


class JsonLinesWriter:
    """A JSON object a line."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def write(self, rows: Iterable[Row]) -> None:
        """Append rows."""
        for row in rows:
            self._file.write(json.dumps(dict(zip(COLUMNS, row, strict=True)), ensure_ascii=False))
            self._file.write("\n")


class ParquetFile:
    """Parquet with `at` as a timestamp; rows wait in a database file beside it until `finish`.

    Its methods may be called from different threads, one after another.
    """

    def __init__(self, file: Path, memory_bytes_max: int | None = None) -> None:
        """Make the database file.

        Args:
            memory_bytes_max: what the database may hold in memory; None for its own bound.

        Raises:
            OSError: it cannot be made.
        """
        import duckdb

        self._file = file
        self._work = file.with_suffix(".duckdb")
        settings: dict[str, Any] = {"threads": 1}
        if memory_bytes_max is not None:
            settings["memory_limit"] = f"{memory_bytes_max}B"
        self._failure = duckdb.Error
        try:
            self._database = duckdb.connect(str(self._work), config=settings)
            self._run("SET TimeZone = 'UTC'")
            self._run(
                "CREATE TABLE rows"
                ' (feed_id BIGINT, channel VARCHAR, "at" TIMESTAMPTZ, value VARCHAR)'
            )
        except duckdb.Error as error:
            raise OSError(str(error)) from error

    def _run(self, statement: str) -> None:
        self._database.execute(statement).fetchall()

    def write(self, rows: Iterable[Row]) -> None:
        """Append rows.

        Raises:
            OSError: the disk refuses them.
        """
        import numpy as np

        columns = [np.array(column, dtype=object) for column in zip(*rows, strict=True)]
        if not columns:
            return
        try:
            self._database.register("batch", dict(zip(COLUMNS, columns, strict=True)))
            self._run(
                "INSERT INTO rows"
                ' SELECT feed_id::BIGINT, channel, "at"::TIMESTAMPTZ, value FROM batch'
            )
            self._database.unregister("batch")
        except self._failure as error:
            raise OSError(str(error)) from error

    def finish(self) -> None:
        """Write the file.

        Raises:
            OSError: the disk refuses it.
        """
        target = str(self._file).replace("'", "''")
        copy = f"COPY (SELECT * FROM rows) TO '{target}' (FORMAT parquet, COMPRESSION zstd)"  # noqa: S608 - a path of our user's own, quoted
        try:
            self._run(copy)
        except self._failure as error:
            raise OSError(str(error)) from error

    def close(self) -> None:
        """Remove the database file."""
        self._database.close()
        self._work.unlink(missing_ok=True)
