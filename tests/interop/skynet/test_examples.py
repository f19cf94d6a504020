"""The page docs/start/first-skynet-program.md and the book's boxes, run as they stand."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from tests.interop.skynet.clients import OLD_CLIENTS
from tests.interop.skynet.conftest import Register
from tests.needed import needed_file, needed_program

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "examples"
PAGE = (ROOT / "docs/start/first-skynet-program.md").read_text()
LAMP, BUTTON = re.findall(r"^```python\n(.*?)^```", PAGE, re.M | re.S)
CURLS = re.findall(r"^ +curl (.*)$", PAGE, re.M)
RUN_S_MAX = 30.0


@contextmanager
def running(
    command: list[str], environment: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """A program whose output is read by line; killed at the end if it still runs."""
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **(environment or {})},
    )
    watchdog = threading.Timer(RUN_S_MAX, process.kill)
    watchdog.start()
    try:
        yield process
    finally:
        watchdog.cancel()
        if process.poll() is None:
            process.kill()
        process.communicate()


def test_the_pages_lamp_is_switched_by_its_button(url: str, tmp_path: Path) -> None:
    for name, program in (("lamp.py", LAMP), ("button.py", BUTTON)):
        assert "http://127.0.0.1:3000" in program
        (tmp_path / name).write_text(program.replace("http://127.0.0.1:3000", url))
    with running([sys.executable, str(tmp_path / "lamp.py")]) as lamp:
        assert lamp.stdout is not None
        assert lamp.stdout.readline().startswith("The lamp is ")
        done = subprocess.run(
            [sys.executable, tmp_path / "button.py"],
            capture_output=True,
            text=True,
            timeout=RUN_S_MAX,
            check=False,
        )
        assert (done.stderr, done.stdout.splitlines()) == (
            "",
            [
                "The message was delivered",
                "The lamp is red",
                "The message was delivered",
                "The lamp is off",
            ],
        )
        output, errors = lamp.communicate(timeout=RUN_S_MAX)
    assert (lamp.returncode, errors, output.count(" wants ")) == (0, "", 2)


def test_the_pages_curl_lines_register_and_find(url: str) -> None:
    curl = needed_program("curl")
    answers = []
    for line in CURLS:
        words = line.replace("'", "").replace("http://127.0.0.1:3000", url).split()
        done = subprocess.run([curl, "-s", *words], capture_output=True, timeout=20, check=True)
        answers.append(json.loads(done.stdout))
    made, found = answers
    assert (made["name"], bool(made["token"])) == ("lamp", True)
    assert made["uuid"] in found["devices"]


def test_box_8_41(url: str) -> None:
    needed_program("curl")
    start_s = time.monotonic()
    done = subprocess.run(
        [EXAMPLES / "box_8_41_rest.sh", url],
        capture_output=True,
        text=True,
        timeout=RUN_S_MAX,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert time.monotonic() - start_s < RUN_S_MAX
    parts = re.split(r"^# (.*)$", done.stdout, flags=re.M)
    said = dict(zip(parts[1::2], parts[2::2], strict=True))
    made, shown, changed = (
        json.loads(said[name])
        for name in ("Creating a device", "Listing devices", "Updating a device")
    )
    uuid = made["uuid"]
    assert (made["token"], made["eventCode"]) == ("mytoken", 400)
    assert "token" not in shown
    assert (shown["color"], shown["eventCode"]) == ("green", 500)
    assert (changed["color"], changed["eventCode"]) == ("red", 401)
    sent, _, streamed = (
        said["Subscribing to a device, and sending a message"].strip().partition("\n")
    )
    assert json.loads(sent)["message"]["color"] == "red"
    assert f'"devices":"{uuid}"' in streamed.replace(" ", "")
    events = json.loads(said["Getting the last 10 events of a device"])["events"]
    assert {event["eventCode"] for event in events} >= {300, 401, 500}


def test_box_8_42(url: str, register: Register) -> None:
    client = needed_file(OLD_CLIENTS / "0.5" / "socketIO_client").parent
    device = register(name="pydev")
    address = urlsplit(url)
    command = [sys.executable, "-W", "ignore", str(EXAMPLES / "box_8_42_client.py")]
    command += [device["uuid"], device["token"], str(address.hostname), str(address.port)]
    wanted = {"Requesting", "Websocket", "Ready", "Status", "Subscribed", "Who", "Message"}
    said: dict[str, str] = {}
    with running(command, {"PYTHONPATH": str(client)}) as program:
        assert program.stdout is not None
        while said.keys() < wanted:
            line = program.stdout.readline()
            assert line, program.communicate()[1]
            said[re.split(r"[ :]", line)[0]] = line
        program.send_signal(signal.SIGINT)
        program.wait(RUN_S_MAX)
    assert said.keys() == wanted
    assert program.returncode == 0
    assert "'skynet': 'online'" in said["Status"]
    assert device["uuid"] in said["Ready"]
    assert "'name': 'pydev'" in said["Who"]
    assert "{'color': 'purple'}" in said["Message"]


def test_box_8_42_says_how_it_is_used() -> None:
    client = needed_file(OLD_CLIENTS / "0.5" / "socketIO_client").parent
    environment = {"PYTHONPATH": str(client), "PATH": os.environ["PATH"]}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", EXAMPLES / "box_8_42_client.py"],
        capture_output=True,
        text=True,
        timeout=RUN_S_MAX,
        env=environment,
        check=False,
    )
    assert done.returncode == 1
    assert "box_8_42_client.py UUID TOKEN" in done.stderr
