"""A job as a query."""

from pathlib import Path

import duckdb
import pytest

from thingtank.batch.job import BatchFailed
from thingtank.batch.shipped import SHIPPED
from thingtank.batch.sql import Query, run_query

COUNT = SHIPPED["sequence-count"].sql.read_text()
ROWS = ["a\t123", "", '"quoted" 123', "x,123;'\\", "12 3", "ü 123 €", "\t"]


@pytest.fixture(params=["text", "parquet"])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / f"it's one.{request.param}"
    if request.param == "text":
        path.write_text("\n".join(ROWS) + "\n")
    else:
        quoted = str(path).replace("'", "''")
        with duckdb.connect() as database:
            database.execute(f"COPY (SELECT unnest($1) AS value) TO '{quoted}'", [ROWS])
    return path


def test_the_sequence_is_counted_in_text_and_in_values_of_parquet(file: Path) -> None:
    out = file.parent / "out"
    report = run_query(Query(COUNT, [file], out, {"SEQ": "123"}))
    assert (out / "part-00000").read_text() == "123\t4\n"
    assert (out / "_SUCCESS").exists()
    assert report.parts == ["part-00000"]


def test_no_occurrence_is_no_line(file: Path) -> None:
    run_query(Query(COUNT, [file], file.parent / "out", {"SEQ": "999"}))
    assert (file.parent / "out" / "part-00000").read_text() == ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("SELECT nothing FROM lines", "the query failed: Binder Error"),
        ("SELECT", "the query failed: Parser Error"),
        ("", "the query holds no query over"),
        ("-- nothing\n/* at all */", "the query holds no query over"),
        ("SELECT 1; SELECT 2", "holds several queries, and a job has the lines of one"),
        ("SELECT $OTHER FROM lines", "the query needs --env OTHER="),
    ],
)
def test_a_query_that_fails_leaves_nothing(text: str, said: str, file: Path) -> None:
    with pytest.raises(BatchFailed, match=said):
        run_query(Query(text, [file], file.parent / "out"))
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_statements_that_give_no_lines_may_come_before_the_query(file: Path) -> None:
    out = file.parent / "out"
    run_query(Query("SET threads = 1; SELECT 5; -- end", [file], out))
    assert (out / "part-00000").read_text() == "5\n"


def test_text_that_is_not_utf_8_is_refused_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "one.txt"
    path.write_bytes(b"\xff\xfe123\n")
    with pytest.raises(BatchFailed, match=r"not UTF-8, .* run the programs"):
        run_query(Query(COUNT, [path], tmp_path / "out", {"SEQ": "123"}))
