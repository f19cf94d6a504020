"""`thingtank config show`: all settings in force, and no secrets."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from thingtank.cli.main import main

FILE = """
[[wamp.realms]]
name = "plant"

[[wamp.realms.principals]]
authid = "lamp"
role = "device"
ticket = "nobody-may-see-this"
secret = {text = "nobody-may-see-this"}
"""


@pytest.mark.parametrize("flags", [(), ("--json",)])
def test_secrets_of_the_settings_are_not_shown(flags: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "thingtank.toml").write_text(FILE)
    done = CliRunner().invoke(main, ["config", "show", "--data", str(tmp_path), *flags])
    assert done.exit_code == 0, done.output
    assert "nobody-may-see-this" not in done.output
    assert '"authid": "lamp"' in done.output
    if flags:
        (realm,) = json.loads(done.output)["wamp.realms"]["value"]
        assert realm["principals"][0]["ticket"] == {"text": "…"}


def test_what_is_no_setting_is_not_shown_either(tmp_path: Path) -> None:
    (tmp_path / "thingtank.toml").write_text(FILE.replace("role =", "rule ="))
    done = CliRunner().invoke(main, ["config", "show", "--data", str(tmp_path)])
    assert done.exit_code == 2
    assert "nobody-may-see-this" not in done.output


def test_passwords_in_urls_are_not_shown(tmp_path: Path) -> None:
    for url, shown in (
        ("redis://:hunter2@h/0", "redis://:…@h/0"),
        ("redis://me:hunter2@h/0", "redis://me:…@h/0"),
        ("redis://h/0", "redis://h/0"),
    ):
        flags = ["--json", "--set", f"skynet.redis_url={url}"]
        done = CliRunner().invoke(main, ["config", "show", "--data", str(tmp_path), *flags])
        assert json.loads(done.output)["skynet.redis_url"]["value"] == shown


def test_the_password_of_the_database_is_not_shown(tmp_path: Path) -> None:
    flags = ["--set", "database=postgres://me:hunter22@db/tank"]
    done = CliRunner().invoke(main, ["config", "show", "--data", str(tmp_path), *flags])
    assert '"postgres://me:…@db/tank"' in done.output
    assert "hunter22" not in done.output


def test_a_blank_folder_is_not_the_working_one() -> None:
    done = CliRunner().invoke(main, ["config", "show", "--data", ""])
    assert done.exit_code == 2
    assert "'--data': it is blank: name a folder" in done.output
