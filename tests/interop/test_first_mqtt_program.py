"""The page docs/start/first-mqtt-program.md, done step by step."""

import re
import shlex
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.interop.conftest import OpenDoor, Served

PAGE = (Path(__file__).parents[2] / "docs/start/first-mqtt-program.md").read_text()
PROGRAM = re.findall(r"^```python\n(.*?)^```", PAGE, re.M | re.S)
COMMANDS = re.findall(r"^ +\.venv/bin/(thingtank mqtt .*)$", PAGE, re.M)
RUN_S_MAX = 30
CONNECT = "client.connect("


def command(line: str, served: Served, *more: str) -> list[str]:
    """A command of the page; it finds the server by its data folder."""
    _, *words = shlex.split(line)
    return [sys.executable, "-m", "thingtank.cli.main", *words, "--data", str(served.folder), *more]


def run(line: str, served: Served) -> str:
    done = subprocess.run(
        command(line, served), capture_output=True, text=True, timeout=RUN_S_MAX, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.fixture
def program(served: Served, tmp_path: Path) -> Path:
    """The page's, which goes to the server of this test."""
    (text,) = PROGRAM
    port = urlsplit(served.server.sockets["mqtt"]).port
    path = tmp_path / "thermometer.py"
    path.write_text(text.replace("1883", str(port)).replace("time.sleep(1)", "time.sleep(0.01)"))
    return path


def test_commands_and_the_program_do_what_the_page_says(served: Served, program: Path) -> None:
    subscribe, publish, see_state, _, _ = COMMANDS
    heard: list[str] = []
    subscriber = subprocess.Popen(
        command(subscribe, served), stdout=subprocess.PIPE, text=True, bufsize=1
    )
    try:
        assert subscriber.stdout is not None
        again = threading.Event()

        def until_heard() -> None:  # the subscriber is starting
            while not again.wait(0.01):
                run(publish, served)

        publisher = threading.Thread(target=until_heard)
        publisher.start()
        try:
            assert subscriber.stdout.readline() == "roof/temperature 21.5\n"
        finally:
            again.set()
            publisher.join()
        done = subprocess.run(
            [sys.executable, program], capture_output=True, text=True, timeout=RUN_S_MAX, check=True
        )
        values = [line.removeprefix("published ") for line in done.stdout.splitlines()]
        assert len(values) == 3
        while not heard or heard[-1] != "roof/state off":
            heard.append(subscriber.stdout.readline().strip())
    finally:
        subscriber.terminate()
        subscriber.communicate(timeout=RUN_S_MAX)
    said = [line.split()[1] for line in heard]
    assert said[said.index("here") :] == ["here", *values, "off"]
    assert run(see_state, served) == "off\n"


def test_values_go_to_a_feed_and_are_read_back(
    served: Served, xively_door: OpenDoor, program: Path
) -> None:
    key, feed = xively_door.device_key, f"/feeds/{xively_door.feed_id}/"
    publish, subscribe = (
        line.replace("KEY", key).replace("/feeds/1/", feed) for line in COMMANDS[-2:]
    )
    assert run(publish, served) == ""
    assert run(subscribe, served).strip().endswith("21.5")
    topic = f"/v2{feed}datastreams/temperature.csv"
    lines = program.read_text().replace("roof/temperature", topic)
    lines = lines.replace(CONNECT, f'client.username_pw_set("{key}")\n{CONNECT}')
    program.write_text("".join(line for line in lines.splitlines(True) if "roof/" not in line))
    done = subprocess.run(
        [sys.executable, program], capture_output=True, text=True, timeout=RUN_S_MAX, check=True
    )
    last = done.stdout.split()[-1]
    assert run(subscribe, served).strip().endswith(last)
