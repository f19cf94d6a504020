"""A job as a query of DuckDB, over the same input: text lines, or Parquet files.

The query reads from `lines`, and has the job's variables as parameters, `$SEQ`. Text has a column
`line`; Parquet has its own, and where none is called `line`, that is another name for `value`.
"""

import re
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from thingtank.batch.job import BatchFailed, Report
from thingtank.batch.runs import LINE_BYTES_MAX
from thingtank.batch.workspace import workspace

if TYPE_CHECKING:
    import duckdb

PARQUET = ".parquet"
_ERROR_LINES_MAX = 6
ROWS_AT_ONCE = 20_000
INTERRUPT_S = 0.1  # between two requests to a query to end
_PARAMETER = re.compile(r"\$([A-Za-z_]\w*)")
_COMMENT = re.compile(r"--[^\n]*")


class Query(msgspec.Struct, frozen=True):
    """A query for this machine; see `job.Job`."""

    text: str
    inputs: Sequence[Path]
    output: Path
    environment: Mapping[str, str] = {}
    workers: int = 1
    memory_bytes: int = 512 << 20
    name: str = "the query"  # for messages: its file


def run_query(query: Query) -> Report:
    """Run it; its rows are the lines of one part, with tabs between their columns.

    Raises:
        BatchFailed: with what DuckDB says.
    """
    import duckdb

    begin_s = time.monotonic()
    with workspace(query.output) as place:
        settings: dict[str, Any] = {
            "threads": query.workers,
            "memory_limit": f"{query.memory_bytes}B",
            "temp_directory": str(place.runs),
        }
        try:
            with duckdb.connect(config=settings) as database:
                _run_so_that_it_may_be_broken_off(database, query, place.output / "part-00000")
        except duckdb.Error as error:
            raise BatchFailed(_worded(str(error))) from None
        except OSError as error:
            raise BatchFailed(f"the output cannot be written: {error.strerror}") from None
        place.publish(query.output)
    return Report(
        output=str(query.output),
        parts=["part-00000"],
        input_lines=None,
        map_lines=None,
        reduce_lines=None,
        spill_count=0,
        duration_s=time.monotonic() - begin_s,
        counters={},
        tasks_with_notes=[],
    )


def _run_so_that_it_may_be_broken_off(
    database: "duckdb.DuckDBPyConnection", query: Query, part: Path
) -> None:
    """Have a thread wait for DuckDB: within its calls, this one would not hear of Ctrl-C."""
    is_over = threading.Event()

    def work() -> None:
        _require_one(database, query)
        _make_lines(database, query.inputs)
        _write(part, _rows(database.execute(query.text, _parameters(query)), is_over))

    with ThreadPoolExecutor(1, "query") as threads:
        future = threads.submit(work)
        try:
            future.result()
        except BaseException:
            is_over.set()
            while not wait([future], INTERRUPT_S).done:  # it may come between two of its calls
                database.interrupt()
            raise


def _require_one(database: "duckdb.DuckDBPyConnection", query: Query) -> None:
    """Others may come before it, such as SET: they give no lines."""
    import duckdb

    statements = database.extract_statements(query.text)
    if not statements:
        raise BatchFailed(f"{query.name} holds no query over `lines`")
    if sum(each.type is duckdb.StatementType.SELECT for each in statements) > 1:
        raise BatchFailed(
            f"{query.name} holds several queries, and a job has the lines of one: put them together"
            " by UNION ALL, or run each by itself"
        )


def _worded(said: str) -> str:
    if "not utf-8" in said:
        return "the input is not UTF-8, which a query needs: run the programs instead"
    lines = [line for line in said.splitlines() if line.strip()][:_ERROR_LINES_MAX]
    return "the query failed: " + "\n".join(lines)


def _parameters(query: Query) -> dict[str, str]:
    """Those of the job's variables that the query names."""
    names = dict.fromkeys(_PARAMETER.findall(_COMMENT.sub("", query.text)))
    missing = [name for name in names if name not in query.environment]
    if missing:
        raise BatchFailed(f"the query needs --env {missing[0]}=…")
    return {name: query.environment[name] for name in names}


def _make_lines(database: "duckdb.DuckDBPyConnection", inputs: Sequence[Path]) -> None:
    is_parquet = {path.suffix == PARQUET for path in inputs}
    if is_parquet == {True, False}:
        raise BatchFailed("the input is partly Parquet: name files of one kind")
    files = ", ".join(_quoted(str(path)) for path in inputs)
    if True not in is_parquet:
        source = (
            f"read_csv([{files}], columns = {{'line': 'VARCHAR'}}, delim = E'\\x01\\x02',"
            " quote = '', escape = '', header = false, auto_detect = false, nullstr = E'\\x02',"
            f" max_line_size = {LINE_BYTES_MAX})"
        )
        database.execute(f"CREATE VIEW lines AS SELECT line FROM {source}")  # noqa: S608 - quoted above
        return
    source = f"read_parquet([{files}], union_by_name = true)"
    columns = {row[0] for row in database.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()}  # noqa: S608 - quoted, or words of ours
    line = ", value AS line" if "line" not in columns and "value" in columns else ""
    database.execute(f"CREATE VIEW lines AS SELECT *{line} FROM {source}")  # noqa: S608 - quoted, or words of ours


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _rows(found: "duckdb.DuckDBPyConnection", is_over: threading.Event) -> Iterator[Sequence[Any]]:
    while not is_over.is_set() and (rows := found.fetchmany(ROWS_AT_ONCE)):
        yield from rows


def _write(path: Path, rows: Iterable[Sequence[Any]]) -> None:
    with path.open("x", encoding="utf-8", newline="") as file:
        for row in rows:
            file.write("\t".join("" if cell is None else str(cell) for cell in row) + "\n")
