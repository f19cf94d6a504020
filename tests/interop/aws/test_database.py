"""`thingtank cloud database` on both stand-ins, which have no database behind it."""

import json
from pathlib import Path

import pytest
from tests.aws_commands import run_cloud, said
from tests.aws_stand_ins import own_name

from thingtank.aws.settings import AwsSettings

LINES = {"mysql": "8.4", "postgresql": "17"}


@pytest.mark.parametrize("engine", LINES)
def test_a_database_is_made_shown_listed_and_deleted(
    engine: str, stand_in: AwsSettings, tmp_path: Path
) -> None:
    name = own_name("db")
    words = (name, "--engine", engine, "--json")
    made = json.loads(said(stand_in, "database", "create", *words))
    assert made["version"].startswith(LINES[engine])
    assert (made["status"], made["is_encrypted"], made["is_public"]) == ("available", True, False)
    shown = said(stand_in, "database", "show", name)
    assert f"{made['host']}:{made['port']}" in shown
    assert "database = {file" in shown
    assert name in [each["identifier"] for each in json.loads(
        said(stand_in, "database", "list", "--json"))]  # fmt: skip
    assert run_cloud(stand_in, "database", "delete", name, input="n\n").exit_code == 1
    file = tmp_path / "url"
    file.write_text("mysql://tank:secret@db/tank")
    words = (name, "--no-snapshot", "--yes", "--url-file", str(file))
    gone = run_cloud(stand_in, "database", "delete", *words).stderr
    assert "is gone" in gone
    assert f"Removed {file}" in gone.replace("\n", " ")
    assert not file.exists()
    refused = run_cloud(stand_in, "database", "show", name)
    assert refused.exit_code == 1
    assert "there is no database" in refused.stderr


def test_a_name_that_aws_refuses_is_said(stand_in: AwsSettings) -> None:
    refused = run_cloud(stand_in, "database", "create", "my_db")
    assert refused.exit_code == 2
    assert "letters, digits and hyphens" in refused.stderr.replace("\n", " ")
