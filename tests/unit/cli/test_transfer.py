"""Files carry every value out and in as it was written, whatever stands in it."""

import io
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from thingtank.cli.session import Session
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
