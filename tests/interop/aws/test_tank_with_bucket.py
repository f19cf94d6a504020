"""A server whose old values are in a bucket, and its backups there."""

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from click.testing import CliRunner
from tests.aws_stand_ins import aws_environment
from tests.live_server import LiveServer, start_server
from tests.prepared_commands import run_prepared
from tests.seaweedfs import SeaweedFs
from tests.waiting import wait_until

from thingtank.aws.clients import AwsClients
from thingtank.cli.main import main

BUCKET = "tank-bucket"
WAIT_S_MAX = 30.0
OLD = [f"2026-03-0{day}T10:00:00.000000Z" for day in range(1, 4)]


class Tank:
    """The server, its S3, and what a person asks of them."""

    def __init__(self, server: LiveServer, s3_server: SeaweedFs) -> None:
        self.server = server
        self.s3_server = s3_server
        self._headers = {"X-ApiKey": server.api_key}

    def command(self, *words: str) -> "subprocess.CompletedProcess[str]":
        return run_prepared(*words, env=aws_environment(self.s3_server.settings))

    def done(self, *words: str) -> str:
        ran = self.command(*words)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    def of_folder(self, *words: str) -> Any:
        return json.loads(self.done(*words, "--data", str(self.server.folder), "--json"))

    @property
    def _feed_url(self) -> str:
        return f"{self.server.url}/v2/feeds/{self.server.feed_id}"

    def write(self, values: dict[str, str]) -> None:
        points = [{"at": at, "value": value} for at, value in values.items()]
        stream = {"id": "temperature", "current_value": points[-1]["value"]}
        stream |= {"at": points[-1]["at"], "datapoints": points}
        document = {"version": "1.0.0", "datastreams": [stream]}
        url = f"{self._feed_url}.json"
        reply = requests.put(url, json=document, headers=self._headers, timeout=WAIT_S_MAX)
        assert reply.status_code == 200, reply.text

    def history(self, start: str, end: str) -> requests.Response:
        return requests.get(
            f"{self._feed_url}/datastreams/temperature.json",
            params={"start": start, "end": end},
            headers=self._headers,
            timeout=WAIT_S_MAX,
        )

    def old_values(self) -> list[str]:
        reply = self.history("2026-03-01T00:00Z", "2026-03-05T00:00Z")
        assert reply.status_code == 200, reply.text
        return [each["value"] for each in reply.json()["datapoints"]]


@pytest.fixture(scope="module")
def tank(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tank]:
    with SeaweedFs(tmp_path_factory.mktemp("s3")) as s3_server:
        clients = AwsClients(s3_server.settings)
        clients.client("s3").create_bucket(Bucket=BUCKET)
        clients.close()
        folder = tmp_path_factory.mktemp("tank")
        _write_settings(folder, s3_server)
        with start_server(folder, "--skynet=off", "--mqtt=off") as server:
            made = Tank(server, s3_server)
            made.write({at: str(day) for day, at in enumerate(OLD, start=1)})
            made.of_folder("archive", "compact")
            yield made


def _write_settings(folder: Path, s3_server: SeaweedFs) -> None:
    (folder / "thingtank.toml").write_text(
        f"""
        [archive]
        cold = "s3://{BUCKET}/cold"
        cold_cache_bytes_max = 1
        [aws]
        endpoint_url = "{s3_server.settings.endpoint_url}"
        """
    )


def doctor(tank: Tank, folder: Path) -> tuple[str, str]:
    """What it finds of the bucket."""
    runner = CliRunner(env=dict(aws_environment(tank.s3_server.settings)))
    ran = runner.invoke(main, ["doctor", "--data", str(folder), "--json"])
    (found,) = [each for each in json.loads(ran.stdout)["findings"] if each["name"] == "bucket"]
    return found["level"], found["text"]


def test_old_values_are_read_from_the_bucket(tank: Tank) -> None:
    stats = tank.of_folder("archive", "stats")["bucket"]
    assert stats["address"] == f"s3://{BUCKET}/cold"
    assert (stats["waiting_count"], stats["cached_bytes"], stats["failure"]) == (0, 0, None)
    assert tank.old_values() == ["1", "2", "3"]
    assert doctor(tank, tank.server.folder) == (
        "ok", f"s3://{BUCKET}/cold answers, and belongs to this data folder",
    )  # fmt: skip
    metrics = requests.get(f"{tank.server.url}/metrics", timeout=WAIT_S_MAX).text
    assert "thingtank_archive_bucket_waiting_files 0" in metrics


def test_while_the_bucket_is_away_old_values_are_an_error_and_all_else_goes_on(tank: Tank) -> None:
    tank.s3_server.kill()
    try:
        reply = tank.history("2026-03-01T00:00Z", "2026-03-05T00:00Z")
        assert reply.status_code == 503
        assert "in a bucket that cannot be reached now" in reply.text
        assert BUCKET not in reply.text
        assert doctor(tank, tank.server.folder)[0] == "problem"
        assert int(reply.headers["Retry-After"]) > 0
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        tank.write({now: "21"})
        assert tank.history(now, "2100-01-01T00:00Z").status_code in (200, 400)
        current = requests.get(
            f"{tank.server.url}/v2/feeds/{tank.server.feed_id}.json",
            headers={"X-ApiKey": tank.server.api_key}, timeout=WAIT_S_MAX,
        )  # fmt: skip
        assert current.json()["datastreams"][0]["current_value"] == "21"
    finally:
        tank.s3_server.start()
    days = "2026-03-01T00:00Z", "2026-03-05T00:00Z"
    wait_until(lambda: tank.history(*days).status_code != 503)
    assert tank.old_values() == ["1", "2", "3"]


def test_a_backup_goes_to_the_bucket_and_comes_back(tank: Tank, tmp_path: Path) -> None:
    made = tank.of_folder("backup", f"s3://{BUCKET}/backups/")
    address = made["file"]
    assert address.startswith(f"s3://{BUCKET}/backups/thingtank-")
    at = f"--set=aws.endpoint_url={tank.s3_server.settings.endpoint_url}"
    copy = tmp_path / "copy"
    said = tank.done("restore", address, "--data", str(copy), at)
    assert f"Older values are in s3://{BUCKET}/cold" in said
    exported = tank.done("archive", "export", "-", "--format=csv", "--data", str(copy))
    assert all(f"temperature,{at},{day}" in exported for day, at in enumerate(OLD, start=1))
    level, text = doctor(tank, copy)
    assert (level, "belongs to another data folder" in text) == ("warning", True)
    assert "another data folder" in tank.command("archive", "compact", "--data", str(copy)).stderr


def test_a_backup_that_is_not_there_is_said_in_a_sentence(tank: Tank, tmp_path: Path) -> None:
    runner = CliRunner(env=dict(aws_environment(tank.s3_server.settings)))
    words = ["restore", f"s3://{BUCKET}/none", "--data", str(tmp_path / "copy")]
    ran = runner.invoke(main, words)
    assert ran.exit_code == 1
    assert "NoSuchKey" in ran.stderr
    assert not (tmp_path / "copy").exists()
