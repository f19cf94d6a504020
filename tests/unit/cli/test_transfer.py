"""Files carry every value out and in as it was written, whatever stands in it."""

import io
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from thingtank.cli.session import Refusal, Session
from thingtank.cli.transfer import export_file, import_file

KINDS = ["csv", "jsonl", "parquet"]
AWKWARD = ["", " ", "\r", "a\rb", "\r\n", "\n", '"', 'a"b', ",", "\t", "\x00", "\x1a", "\ufeff", "\u2028", "\\N", "NULL", "null", "21.50", "-0.0", "ünïcode ☂", "'", ";", "=1+1", "#"]  # fmt: skip
TEXTS = st.lists(st.sampled_from(AWKWARD) | st.text(max_size=20), min_size=1, max_size=8)


class MemorySession(Session):
    """An instance of one feed with one channel, whose values are a list: one each microsecond."""

    def __init__(self, values: list[str]) -> None:
        self.values = values

    def call(self, operation: str, **parameters: Any) -> Any:
        match operation:
            case "device.show":
                return {"feed_id": 7, "channels": [{"name": "t"}]}
            case "archive.export_batch":
                return {"at_us": list(range(len(self.values))), "values": self.values}
            case "archive.import_batch":
                at_us, values = parameters["channels"]["t"]
                assert at_us == list(range(len(at_us)))
                self.values += values
                return {"count": len(values)}
        raise AssertionError(operation)


def exported(values: list[str], file: Path, kind: str) -> None:
    assert export_file(MemorySession(values), file, kind, ("7",), (), "", "") == len(values)


def imported(file: Path, kind: str) -> list[str]:
    session = MemorySession([])
    import_file(session, file, kind, False)
    return session.values


@pytest.mark.parametrize("kind", KINDS)
@given(TEXTS)
@example(AWKWARD)
@settings(max_examples=50, deadline=None)
def test_every_text_comes_back_as_it_went_out(kind: str, values: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"values.{kind}"
        exported(values, file, kind)
        assert imported(file, kind) == values


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_standard_input_is_read_as_a_file_is(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "values"
    exported(AWKWARD, file, kind)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(file.read_bytes()), "latin-1"))
    assert imported(Path("-"), kind) == AWKWARD


def test_csv_quotes_only_what_needs_it(tmp_path: Path) -> None:
    exported(["21.5", "a\rb"], tmp_path / "values.csv", "csv")
    assert (tmp_path / "values.csv").read_bytes() == (
        b"feed_id,channel,at,value\n"
        b"7,t,1970-01-01T00:00:00.000000Z,21.5\n"
        b'"7","t","1970-01-01T00:00:00.000001Z","a\rb"\n'
    )


HEADER = "feed_id,channel,at,value\n"
GOOD = '{"feed_id": 7, "channel": "t", "at": "1970-01-01T00:00:00Z", "value": "1"}\n'


def json_line(value: str, feed_id: str = "7", channel: str = '"t"') -> str:
    at = '"1970-01-01T00:00:00Z"'
    return f'{{"feed_id": {feed_id}, "channel": {channel}, "at": {at}, "value": {value}}}\n'


@pytest.mark.parametrize(
    ("written", "value"),
    [("21.50", "21.50"), ("1e400", "1e400"), ("-0.0", "-0.0"), ("7", "7"), ("true", "true"), ("false", "false"),
     ("123456789012345678901234567890", "123456789012345678901234567890"), ('"None"', "None")],
)  # fmt: skip
def test_a_json_value_is_the_text_that_stood_there(
    written: str, value: str, tmp_path: Path
) -> None:
    file = tmp_path / "values.jsonl"
    file.write_text(json_line(written))
    assert imported(file, "jsonl") == [value]


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("csv", HEADER + "7,t,1970-01-01T00:00:00Z,1\n7,t,1970-01-01T00:00:00Z\n"),
        ("csv", HEADER + "7,t,1970-01-01T00:00:00Z,1\n7,t,1970-01-01T00:00:00Z,21,5\n"),
        ("csv", HEADER + '7,t,1970-01-01T00:00:00Z,1\n7,t,1970-01-01T00:00:00Z,"2'),
        ("csv", HEADER + '7,t,1970-01-01T00:00:00Z,1\n7,t,1970-01-01T00:00:00Z,"2"1\n'),
        ("csv", HEADER + f"7,t,1970-01-01T00:00:00Z,1\n7,t,1970-01-01T00:00:00Z,{'x' * 200_000}\n"),
        ("csv", HEADER + "7,t,1970-01-01T00:00:00Z,1\n\x00,t,1970-01-01T00:00:00Z,2\n"),
        ("jsonl", GOOD + json_line("null")),
        ("jsonl", GOOD + json_line("[1]")),
        ("jsonl", GOOD + json_line("NaN")),
        ("jsonl", GOOD + json_line("1", feed_id="true")),
        ("jsonl", GOOD + json_line("1", feed_id="null")),
        ("jsonl", GOOD + json_line("1", channel="null")),
    ],
)
def test_what_is_no_value_is_refused_with_its_row_and_none_is_made_up(
    kind: str, content: str, tmp_path: Path
) -> None:
    file = tmp_path / f"bad.{kind}"
    file.write_bytes(content.encode())
    with pytest.raises(Refusal, match="row 2 "):
        imported(file, kind)


def test_numbers_in_parquet_are_taken_as_text_and_nulls_are_refused(tmp_path: Path) -> None:
    import duckdb

    file = tmp_path / "values.parquet"
    row = "7 AS feed_id, 't' AS channel, TIMESTAMPTZ '1970-01-01 00:00:00+00' AS \"at\""
    with duckdb.connect() as database:
        database.execute(f"COPY (SELECT {row}, 21.5::DOUBLE AS value) TO '{file}'")
        assert imported(file, "parquet") == ["21.5"]
        database.execute(f"COPY (SELECT {row}, NULL::VARCHAR AS value) TO '{file}'")
    with pytest.raises(Refusal, match="row 1 "):
        imported(file, "parquet")
