"""What `thingtank backup` and `restore` say where the directory is in a database server."""

import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from thingtank.cli.backup import backup, restore
from thingtank.server.backup.package import FORMAT, Manifest, packed_files, write_package


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A backup of an instance whose directory is in PostgreSQL."""
    parts, to = tmp_path / "parts", io.BytesIO()
    parts.mkdir()
    (parts / "secret.key").write_bytes(bytes(range(32)))
    packed = tuple(packed_files(parts, lambda _: None))
    manifest = Manifest(FORMAT, "1.0", "2026-11-27T06:00:00Z", packed, "postgresql")
    write_package(parts, manifest, to, lambda _: None)
    path = tmp_path / "one.tar.gz"
    path.write_bytes(to.getvalue())
    return path


def test_who_restores_is_told_that_the_database_is_not_in_it(file: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(restore, [str(file), "--data", str(tmp_path / "new")])
    assert done.exit_code == 0, done.output
    assert "were in a postgresql database: restore that too" in done.output
    assert (tmp_path / "new" / "secret.key").read_bytes() == bytes(range(32))


def test_verify_says_what_is_in_it(file: Path) -> None:
    done = CliRunner().invoke(backup, ["verify", str(file), "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.output)
    assert (found["file_count"], found["bytes"], found["database"]) == (1, 32, "postgresql")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["verify", "nowhere.tar.gz"], 2, "does not exist"),
        (["verify", __file__], 1, "no backup of Thing Tank"),
        (["nowhere/one.tar.gz"], 2, "there is no folder"),
        ([], 2, "verify"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(words: list[str], code: int, said: str) -> None:
    done = CliRunner().invoke(backup, words)
    assert (done.exit_code, said in done.output) == (code, True), done.output
