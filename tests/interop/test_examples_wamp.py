"""The book's WAMP programs and the pair that calls, as programs of their own: Twisted and asyncio."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.interop.conftest import Served

EXAMPLES = Path(__file__).parents[2] / "examples"
PAGE = (EXAMPLES.parent / "docs/start/first-wamp-program.md").read_text()
STOP_S_MAX = 20.0

crosswise = pytest.mark.parametrize(
    ("flavour", "other"),
    [("", "_asyncio"), ("_asyncio", "")],
    ids=["twisted and asyncio", "asyncio and twisted"],
)


@contextmanager
def running(command: list[str], url: str, first_line: str) -> Iterator[subprocess.Popen[str]]:
    """A program that has printed its first line; Ctrl-C ends it, without complaint."""
    environment = {**os.environ, "WAMP_URL": url}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )
    try:
        assert process.stdout is not None
        if process.stdout.readline().strip() != first_line:
            process.kill()
            raise AssertionError(process.communicate()[1])
        yield process
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=STOP_S_MAX)
        assert process.returncode == 0
        assert [line for line in errors.splitlines() if not line.startswith("Joined realm1")] == []
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def program(name: str) -> list[str]:
    return [sys.executable, str(EXAMPLES / f"{name}.py")]


@crosswise
def test_the_books_publisher_is_heard_by_its_subscriber(
    served: Served, flavour: str, other: str
) -> None:
    url = served.server.sockets["wamp"]
    subscriber = program(f"box_8_03_subscriber{flavour}")
    publisher = program(f"box_8_02_publisher{other}")
    with (
        running(subscriber, url, "Subscribed to test-topic") as heard,
        running([*publisher, url], "", "Joined realm1; publishing every second"),
    ):
        assert heard.stdout is not None
        lines = [heard.stdout.readline() for _ in range(2)]
    assert all(line.startswith("Received message: Message at time-stamp: 2") for line in lines)


@crosswise
def test_the_caller_gets_results_and_errors_of_the_callee(
    served: Served, flavour: str, other: str
) -> None:
    url = served.server.sockets["wamp"]
    callee = program(f"wamp_callee{flavour}")
    with running(callee, url, "Registered com.example.average"):
        caller = [*program(f"wamp_caller{other}"), url]
        done = subprocess.run(
            caller, capture_output=True, text=True, timeout=STOP_S_MAX, check=False
        )
    assert (done.returncode, done.stderr) == (0, "")
    average, refusal = done.stdout.splitlines()
    assert average == "The average of [20.5, 21.5, 24] is 22.0"
    assert "com.example.error.no_values" in refusal


def test_the_asyncio_components_run_by_the_runner(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the chapter runs them: `client.py --component "publisherApp.Component"`."""
    monkeypatch.setenv("PYTHONPATH", str(EXAMPLES), prepend=os.pathsep)
    runner = [sys.executable, "-m", "thingtank.cli.main", "wamp", "run"]
    address = ["--url", f"rs://{urlsplit(served.server.sockets['wamp']).netloc}"]
    subscriber = [*runner, "box_8_03_subscriber_asyncio:Component", *address]
    publisher = [*runner, "box_8_02_publisher_asyncio:Component", *address]
    with (
        running(subscriber, "", "Subscribed to test-topic") as heard,
        running(publisher, "", "Joined realm1; publishing every second"),
    ):
        assert heard.stdout is not None
        assert heard.stdout.readline().startswith("Received message: Message at time-stamp: 2")


def test_the_pages_component_joins_by_the_runner_and_is_called(
    served: Served, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (component,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.M | re.S)
    (tmp_path / "thermometer.py").write_text(component)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    address = ["--url", f"rs://{urlsplit(served.server.sockets['wamp']).netloc}"]
    wamp = [sys.executable, "-m", "thingtank.cli.main", "wamp"]
    hear = [*wamp, "subscribe", "com.example.thermometer.started", *address]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with ExitStack() as at_the_end:
        heard = at_the_end.enter_context(subprocess.Popen(hear, **pipes))
        at_the_end.callback(heard.kill)
        assert "Subscribed" in heard.stderr.readline()
        runner = at_the_end.enter_context(
            subprocess.Popen([*wamp, "run", "thermometer:Thermometer", *address], **pipes)
        )
        at_the_end.callback(runner.kill)
        assert "com.example.thermometer.started" in heard.stdout.readline()
        read = [*wamp, "call", "com.example.thermometer.read", *address]
        done = subprocess.run(read, capture_output=True, text=True, timeout=STOP_S_MAX, check=False)
    assert (done.returncode, done.stdout) == (0, "21.5\n")


@pytest.mark.parametrize("name", ["box_8_02_publisher", "wamp_caller"])
def test_an_asyncio_program_says_in_a_sentence_that_there_is_no_router(name: str) -> None:
    done = subprocess.run(
        [*program(f"{name}_asyncio"), "ws://127.0.0.1:9/ws"],
        capture_output=True, text=True, timeout=STOP_S_MAX, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith("No router at ws://127.0.0.1:9/ws")
    assert len(done.stderr.splitlines()) == 1
