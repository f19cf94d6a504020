"""Each line, program and sketch of a device's page runs as it stands, with the real program."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from tests.interop.first_steps.newcomer import Newcomer, file_of
from tests.live_server import LiveServer
from tests.needed import needed_program, node_package

STUBS = Path(__file__).parent / "esp32"
FIRST_VALUE = Path(__file__).parents[3] / "docs/start/first-value.md"


@pytest.fixture(scope="module")
def newcomer(server: LiveServer) -> Newcomer:
    return Newcomer(server)


@pytest.mark.parametrize("snippet_id", ["curl-line", "mosquitto-line", "skynet-data"])
def test_a_line_writes_a_value(newcomer: Newcomer, snippet_id: str) -> None:
    copied = newcomer.copy(snippet_id)
    needed_program(shlex.split(copied.text)[0])
    done = subprocess.run(
        ["sh", "-c", copied.text], capture_output=True, text=True, timeout=20, check=False
    )
    assert done.returncode == 0, done.stderr
    assert newcomer.value_of(copied.feed_id) == "21.5", done.stdout


def test_the_tutorial_shows_the_line_of_the_page(newcomer: Newcomer) -> None:
    copied = newcomer.copy("curl-line")
    shown = copied.text.replace(newcomer.server.url, "http://127.0.0.1:8000")
    shown = re.sub(r"feeds/\d+", "feeds/1", re.sub(r"X-ApiKey: [\w-]+", "X-ApiKey: …", shown))
    assert f"       {shown}\n" in FIRST_VALUE.read_text()


@pytest.mark.parametrize(
    "snippet_id", ["python-program", "paho-program", "autobahn-program", "skynet-python"]
)
def test_a_program_in_python_writes_values(
    newcomer: Newcomer, snippet_id: str, tmp_path: Path
) -> None:
    copied = newcomer.copy(snippet_id)
    program = file_of(tmp_path, "program.py", copied.text)
    value = newcomer.value_written_by([sys.executable, program], copied.feed_id)
    assert 21 < float(value) < 22


@pytest.mark.parametrize(
    ("snippet_id", "package"),
    [("autobahn-script", "autobahn"), ("skynet-node", "socket.io-client")],
)
def test_a_script_for_node_writes_values(
    newcomer: Newcomer, snippet_id: str, package: str, tmp_path: Path
) -> None:
    copied = newcomer.copy(snippet_id)
    script = file_of(tmp_path, "script.js", copied.text)
    env = {**os.environ, "NODE_PATH": str(node_package(package).parent)}
    command = [needed_program("node"), script]
    value = newcomer.value_written_by(command, copied.feed_id, env=env)
    assert 21 < float(value) < 22


def test_the_lines_for_messages_hear_and_send(newcomer: Newcomer) -> None:
    lines = newcomer.copy("skynet-curl").text
    hearing, sending = lines.split("\n\n")
    hears = subprocess.Popen(
        ["sh", "-c", f"exec {hearing.splitlines()[1]}"], stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        done = subprocess.run(["sh", "-c", sending], capture_output=True, timeout=20, check=True)
        assert json.loads(done.stdout)["payload"] == {"on": True}
    finally:
        hears.kill()
        hears.wait(20)
        assert hears.stdout is not None
        hears.stdout.close()


def test_the_sketch_compiles_and_its_requests_are_taken(newcomer: Newcomer, tmp_path: Path) -> None:
    """Not by the board's own compiler: by g++, with headers that do by sockets what the board does."""
    copied = newcomer.copy("esp32-sketch")
    sketch = file_of(tmp_path, "sketch.ino", copied.text)
    program = str(tmp_path / "sketch")
    compiler = [
        needed_program("g++"),
        "-std=c++17",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-I",
        str(STUBS),
    ]
    built = subprocess.run(
        [*compiler, "-include", "Arduino.h", "-x", "c++", sketch, "-o", program],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    done = subprocess.run([program], capture_output=True, text=True, timeout=20, check=True)
    assert done.stdout == "200 \n"
    assert newcomer.value_of(copied.feed_id) == "21.5"


def test_the_key_of_the_snippets_writes_to_its_feed_and_does_nothing_else(
    newcomer: Newcomer,
) -> None:
    feed_id, other_id = newcomer.add_device("Lock"), newcomer.add_device("Other")
    headers = {"X-ApiKey": newcomer.secret(feed_id, "key")}
    assert newcomer.secret(feed_id, "key") == headers["X-ApiKey"]  # one for all programs
    feed, other = (f"{newcomer.server.url}/v2/feeds/{n}.json" for n in (feed_id, other_id))
    body = {"datastreams": [{"id": "temperature", "current_value": "1"}]}
    asked = [("PUT", feed), ("GET", feed), ("DELETE", feed), ("PUT", other), ("POST", feed.replace(".json", "/datastreams.json"))]  # fmt: skip
    answers = [
        requests.request(method, url, json=body, headers=headers, timeout=20).status_code
        for method, url in asked
    ]
    assert answers[0] == 200
    assert set(answers[1:]) <= {401, 403, 404}, answers
