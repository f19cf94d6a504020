"""The book's boxes of the weather station that are programs, run as they stand."""

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests
from tests.interop.weather.conftest import ADMIN, PASSWORD, READING, Weather, as_admin

EXAMPLES = Path(__file__).parents[3] / "examples"
RUN_S_MAX = 30.0


def test_the_twin_of_the_curl_lines_runs(weather: Weather, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text(f'default login {ADMIN} password "{PASSWORD}"\n')
    done = subprocess.run(
        [EXAMPLES / "box_8_22_station.sh", ADMIN, weather.url],
        env={**os.environ, "STATION_NETRC": str(netrc)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    statuses = re.findall(r"^HTTP/1.1 (\d+)", done.stdout, re.M)
    assert statuses == ["201", "200", "200", "200", "200", "204"]
    assert '"temperature": "29.5"' in done.stdout


@contextmanager
def page_of(program: str, *words: str, **environment: str) -> Iterator[str]:
    """Where a program has its page."""
    process = subprocess.Popen(
        [sys.executable, EXAMPLES / program, *words, "--port", "0"],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    watchdog = threading.Timer(RUN_S_MAX, process.kill)
    watchdog.start()
    try:
        assert process.stdout is not None
        yield process.stdout.readline().split()[-1]
    finally:
        watchdog.cancel()
        process.kill()
        process.communicate()


def test_the_page_that_reads_the_rest_api_runs(weather: Weather) -> None:
    as_admin(weather, "POST", "/station/", json={**READING, "temperature": "31"})
    words = ("--user", ADMIN, "--server", weather.url)
    with page_of("box_8_18_home.py", *words, STATION_PASSWORD=PASSWORD) as url:
        shown = requests.get(url, timeout=20).text
    assert '<b id="temperature">31</b>' in shown
    assert "at 30.733315, 76.779418" in shown


def test_the_page_that_reads_a_feed_runs(weather: Weather) -> None:
    made = weather.server.command("device", "create", "Roof")
    feed_id, key = str(made["feed_id"]), str(made["api_key"])
    words = ("--feed-id", feed_id, "--api-key", key, "--server", weather.url)
    with page_of("box_8_13_weather_page.py", *words) as url:
        assert "no temperature yet" in requests.get(url, timeout=20).text
        body = {
            "location": {"lat": 30.733315, "lon": 76.779418},
            "datastreams": [{"id": "temperature", "current_value": "25"}],
        }
        headers = {"X-ApiKey": key}
        address = f"{weather.url}/v2/feeds/{feed_id}.json"
        assert requests.put(address, json=body, headers=headers, timeout=20).ok
        shown = requests.get(url, timeout=20).text
    assert '<b id="temperature">25</b>' in shown
    assert "at 30.733315, 76.779418" in shown
