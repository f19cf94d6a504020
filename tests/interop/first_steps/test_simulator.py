"""The weather simulator, started by its button and from a terminal, and what a device's owner sees."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from tests.interop.first_steps.newcomer import Newcomer
from tests.live_server import LiveServer, start_server
from tests.waiting import wait_until

CHANNELS = {"temperature", "humidity", "pressure", "wind_speed", "wind_direction"}


@pytest.fixture
def newcomer(server: LiveServer) -> Iterator[Newcomer]:
    newcomer = Newcomer(server)
    yield newcomer
    press(newcomer, "stop")


def press(newcomer: Newcomer, do: str) -> str:
    """The page that a button of the simulator leads to."""
    reply = newcomer.post("/start/simulator", form_at="/start/", do=do, back="/start/")
    assert reply.status_code == 200
    return reply.text


def feeds(newcomer: Newcomer) -> list[dict[str, Any]]:
    url = f"{newcomer.server.url}/v2/feeds.json"
    reply = requests.get(url, headers={"X-ApiKey": newcomer.master_key}, timeout=20)
    return [feed for feed in reply.json()["results"] if "simulated" in feed.get("tags", [])]


def reported(newcomer: Newcomer, than: str = "") -> dict[str, Any]:
    """The simulator's feed, once it has reported after a time."""

    def look() -> dict[str, Any]:
        found = feeds(newcomer)
        streams = found[0].get("datastreams", []) if found else []
        newest = {stream.get("at", "") for stream in streams}
        # All channels are of one time as soon as the history is written and a report has come.
        if len(streams) == len(CHANNELS) and len(newest) == 1 and max(newest) > than:
            return found[0]
        return {}

    return wait_until(look, lambda: f"the simulator has not reported:\n{newcomer.server.output()}")


def test_the_button_starts_one_that_writes_as_any_device_and_another_stops_it(
    newcomer: Newcomer,
) -> None:
    url = newcomer.server.url
    assert "Start the simulator" in newcomer.get("/")
    assert "Stop the simulator" in press(newcomer, "start")
    assert "Stop the simulator" in press(newcomer, "start")  # one an account
    feed = reported(newcomer)
    assert {stream["id"] for stream in feed["datastreams"]} == CHANNELS
    assert len(feeds(newcomer)) == 1
    history = requests.get(
        f"{url}/v2/feeds/{feed['id']}/datastreams/temperature.json",
        params={"duration": "1day", "interval": "3600", "limit": "100"},
        headers={"X-ApiKey": newcomer.master_key},
        timeout=20,
    ).json()
    assert len(history["datapoints"]) >= 23
    page = newcomer.get(f"/feeds/{feed['id']}")
    assert "thingtank-simulator" in page  # its requests are in the log
    assert '"method":"PUT"' in page.replace('": "', '":"')
    assert "Start the simulator" in press(newcomer, "stop")
    assert "What it wrote stays" in newcomer.get("/?done=simulator-stopped")


def test_it_stands_still_after_a_restart_and_finds_its_device_again(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with start_server(folder) as server:
        newcomer = Newcomer(server)
        press(newcomer, "start")
        before = reported(newcomer)
    with start_server(folder) as server:
        newcomer.move_to(server)
        assert "Start the simulator" in newcomer.get("/")
        press(newcomer, "start")
        again = reported(newcomer, than=before["datastreams"][0]["at"])
        assert again["id"] == before["id"]
        assert len(feeds(newcomer)) == 1


def test_it_ends_with_the_reason_when_its_device_is_deleted(newcomer: Newcomer) -> None:
    press(newcomer, "start")
    feed = reported(newcomer)
    headers = {"X-ApiKey": newcomer.master_key}
    gone = requests.delete(f"{newcomer.server.url}/v2/feeds/{feed['id']}", headers=headers, timeout=20)  # fmt: skip
    assert gone.status_code == 200
    wait_until(lambda: "the server answered 40" in newcomer.get("/"))
    assert "Stop the simulator" in press(newcomer, "start")  # with another device
    assert reported(newcomer)["id"] != feed["id"]


def test_a_stranger_starts_none(server: LiveServer) -> None:
    url = server.url
    assert requests.post(f"{url}/start/simulator", timeout=20).status_code == 403  # no CSRF token
    assert requests.get(f"{url}/start/", timeout=20).url.startswith(f"{url}/sign-in")
    assert requests.get(f"{url}/live/simulator/overview", timeout=20).status_code == 401


def simulate(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "thingtank.cli.main",
        "simulate",
        "--data",
        str(folder),
        *words,
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_from_a_terminal_it_writes_to_the_same_device(newcomer: Newcomer) -> None:
    words = ("--owner", newcomer.login, "--count", "2", "--interval", "1", "--json")
    done = simulate(newcomer.server.folder, *words)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [set(row["values"]) for row in rows] == [CHANNELS] * 2
    feed = reported(newcomer)
    assert {s["id"]: s["current_value"] for s in feed["datastreams"]} == rows[-1]["values"]
    assert f"/feeds/{feed['id']}" in done.stderr
    press(newcomer, "start")
    assert reported(newcomer, than=feed["datastreams"][0]["at"])["id"] == feed["id"]


def test_behind_a_proxy_it_writes_to_the_port_itself(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with start_server(folder, "--set", "web.public_url=https://tank.example"):
        done = simulate(folder, "--count", "1", "--interval", "1")
    assert done.returncode == 0, done.stderr


def test_without_a_server_the_command_says_what_to_do(tmp_path: Path) -> None:
    done = simulate(tmp_path)
    assert done.returncode == 1
    assert "start one with: thingtank serve" in done.stderr
