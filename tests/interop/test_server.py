"""The whole server as its user meets it: started, written to by the line it prints, killed, started again."""

import shlex
import subprocess
import sys
from pathlib import Path

import requests
from tests.live_server import LiveServer, start_server


def printed_line(server: LiveServer) -> list[str]:
    """The curl line the server printed, as words of a shell."""
    (line,) = [line for line in server.output().splitlines() if line.strip().startswith("curl ")]
    return shlex.split(line)


def history(server: LiveServer) -> list[str]:
    reply = requests.get(
        f"{server.url}/v2/feeds/{server.feed_id}/datastreams/temperature.json?duration=1hour",
        headers={"X-ApiKey": server.api_key},
        timeout=10,
    )
    assert reply.status_code == 200
    return [point["value"] for point in reply.json()["datapoints"]]


def test_the_printed_curl_line_writes_a_value_that_outlives_a_power_cut(tmp_path: Path) -> None:
    first = start_server(tmp_path)
    try:
        command = [*printed_line(first), "-s", "-o", "/dev/null", "-w", "%{http_code}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
        assert done.stdout == "200"
    finally:
        first.kill()
    with start_server(tmp_path) as second:
        assert (second.feed_id, second.api_key) == (first.feed_id, first.api_key)
        assert history(second) == ["21.5"]


def test_a_second_server_on_the_same_folder_is_told_who_has_it(tmp_path: Path) -> None:
    with start_server(tmp_path) as server:
        command = [sys.executable, "-m", "thingtank.cli.main", "serve", "--data", str(tmp_path)]
        command += ["--web", "0"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 1
        assert f"process {server.process.pid}" in done.stderr


def test_doors_of_later_versions_are_accepted_and_not_announced(tmp_path: Path) -> None:
    with start_server(tmp_path, "--mqtt", "0", "--skynet", "off") as server:
        output = server.output()
        assert output.count("this version has no such door") == 1
        assert requests.get(f"{server.url}/healthz", timeout=10).json() == {"status": "ok"}


def test_no_secret_reaches_the_log(tmp_path: Path) -> None:
    with start_server(tmp_path) as server:
        url = f"{server.url}/v2/feeds/{server.feed_id}.json?key={server.api_key}"
        assert requests.get(url, timeout=10).status_code == 200
        requests.get(f"{server.url}/nowhere?key={server.api_key}", timeout=10)
        logged = [line for line in server.output().splitlines() if line.startswith("{")]
    assert logged
    assert not any(server.api_key in line for line in logged)
    mode = (tmp_path / "secret.key").stat().st_mode & 0o777
    assert mode == 0o600
