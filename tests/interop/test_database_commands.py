"""A directory moves from SQLite to a server and back by one command, with all that is in it."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import cast

import pytest
import requests
from tests.database_servers import KINDS, PASSWORD, shared_server
from tests.live_server import LiveServer, start_server
from tests.needed import run_folder
from tests.prepared_commands import run_prepared


def thingtank(*words: str, given: str = "") -> subprocess.CompletedProcess[str]:
    return run_prepared(*words, stdin=given)


def write(server: LiveServer, feed_id: int, key: str, value: str) -> int:
    return requests.put(
        f"{server.url}/v2/feeds/{feed_id}.json",
        json={"datastreams": [{"id": "level", "current_value": value}]},
        headers={"X-ApiKey": key},
        timeout=20,
    ).status_code


def values(server: LiveServer, feed_id: int, key: str) -> list[str]:
    url = f"{server.url}/v2/feeds/{feed_id}/datastreams/level.json?duration=1hour"
    found = requests.get(url, headers={"X-ApiKey": key}, timeout=20).json()
    return [point["value"] for point in found["datapoints"]]


def finding_of(name: str, *words: str) -> dict[str, str]:
    """What the doctor finds."""
    examined = json.loads(thingtank("doctor", "--json", *words).stdout)
    (found,) = [each for each in examined["findings"] if each["name"] == name]
    return cast("dict[str, str]", found)


def test_the_doctor_tells_of_a_database_server_that_does_not_answer(tmp_path: Path) -> None:
    (tmp_path / "secret.key").write_bytes(bytes(range(32)))
    url = f"database=postgres://tank:{PASSWORD[0]}hunter22@127.0.0.1:1/tank"
    found = finding_of("database", "--data", str(tmp_path), "--set", url)
    assert found["level"] == "problem"
    assert "127.0.0.1:1 cannot be reached" in found["text"]
    assert "look whether it runs" in found["remedy"]
    assert "hunter22" not in str(found)


def test_a_lost_directory_is_told_of_and_back_from_a_backup(tmp_path: Path) -> None:
    folder, lost = tmp_path / "tank", tmp_path / "lost"
    with start_server(folder) as server:
        feed_id, key = server.feed_id, server.api_key
        assert write(server, feed_id, key, "my own") == 200
    lost.mkdir()
    for path in folder.glob("directory.sqlite3*"):
        shutil.move(path, lost / path.name)
    for words in (["device", "list"], ["database", "check"]):
        refused = thingtank(*words, "--data", str(folder))
        assert refused.returncode == 1
        assert "restore it from your backup" in refused.stderr
    found = finding_of("database", "--data", str(folder))
    assert found["level"] == "problem"
    assert "directory.sqlite3 is missing or empty" in found["text"]
    assert "from your backup" in found["remedy"]
    assert not (folder / "directory.sqlite3").exists()
    for path in lost.iterdir():
        shutil.move(path, folder / path.name)
    with start_server(folder) as server:
        assert values(server, feed_id, key) == ["my own"]


def test_a_channel_of_a_directory_older_than_the_archive_begins_empty(tmp_path: Path) -> None:
    folder, older = tmp_path / "tank", tmp_path / "older.sqlite3"
    with start_server(folder) as server:
        feed_id, key = server.feed_id, server.api_key
        assert write(server, feed_id, key, "1") == 200
    shutil.copyfile(folder / "directory.sqlite3", older)
    with start_server(folder) as server:
        url = f"{server.url}/v2/feeds/{feed_id}/datastreams"
        headers = {"X-ApiKey": key}
        diary = {"datastreams": [{"id": "diary", "current_value": "private"}]}
        assert requests.post(url, json=diary, headers=headers, timeout=20).status_code == 201
    shutil.copyfile(older, folder / "directory.sqlite3")
    with start_server(folder) as server:
        url = f"{server.url}/v2/feeds/{feed_id}/datastreams"
        lamp = {"datastreams": [{"id": "lamp"}]}
        assert requests.post(url, json=lamp, headers=headers, timeout=20).status_code == 201
        found = requests.get(f"{url}/lamp.json", headers=headers, timeout=20).json()
        assert "current_value" not in found
        assert "directory_is_older_than_archive" in server.output()


@pytest.mark.parametrize("kind", KINDS)
def test_a_directory_is_copied_and_the_tank_goes_on_with_it(
    kind: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path / "tank"
    with start_server(folder) as server:
        feed_id, key = server.feed_id, server.api_key
        assert write(server, feed_id, key, "1") == 200
        server.command("device", "create", "Roof 😀")
        gone = server.command("device", "create", "Gone")
        server.command("user", "create", "Ünal", "--password", "a long password")
        subprocess_words = (
            "device",
            "delete",
            str(gone["feed_id"]),
            "--yes",
            "--data",
            str(folder),
        )
        assert thingtank(*subprocess_words).returncode == 0
        refused = thingtank("database", "copy", "postgres://h/x", "--data", str(folder))
        assert refused.returncode == 1
        assert "is in use by another Thing Tank" in refused.stderr

    with shared_server(kind, run_folder(tmp_path_factory)) as database:
        url = database.url(database.new_database())
        copied = thingtank("database", "copy", "-", "--data", str(folder), given=url)
        assert copied.returncode == 0, copied.stderr
        assert PASSWORD not in copied.stdout + copied.stderr
        again = thingtank("database", "copy", url, "--data", str(folder))
        assert "has accounts in it; copy to an empty database" in again.stderr

        (folder / "thingtank.toml").write_text(f'database = "{url}"\n')
        checked = thingtank("database", "check", "--data", str(folder))
        assert "tables are current" in checked.stdout, checked.stderr
        with start_server(folder, is_furnished=False) as server:
            assert write(server, feed_id, key, "2") == 200
            assert values(server, feed_id, key) == ["1", "2"]
            logins = [user["login"] for user in server.command("user", "list")["users"]]  # type: ignore[attr-defined] # JSON
            assert logins == ["owner", "Ünal"]
            assert "Roof 😀" in str(server.command("device", "list"))
            twin = tmp_path / "twin"
            shutil.copytree(folder, twin, ignore=shutil.ignore_patterns("*.s*"))
            found = finding_of("database", "--data", str(twin))
            assert found["level"] == "problem"
            assert "is in use by another Thing Tank" in found["text"]
            made = server.command("device", "create", "New")
            assert int(str(made["feed_id"])) > int(str(gone["feed_id"]))  # no number twice

        back = f"sqlite:///{tmp_path / 'back.sqlite3'}"
        assert thingtank("database", "copy", back, "--data", str(folder)).returncode == 0
        with start_server(folder, "--database", back, is_furnished=False) as server:
            assert values(server, feed_id, key) == ["1", "2"]
