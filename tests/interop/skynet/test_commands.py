"""`thingtank skynet`: register, send and watch, against a live server."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from tests.interop.skynet.conftest import Register
from tests.live_server import LiveServer
from tests.prepared_commands import run_prepared

from thingtank.client.skynet import SkynetClient

RUN_S_MAX = 30.0


class Shell:
    """Runs commands on a server's data folder."""

    def __init__(self, server: LiveServer, tmp_path: Path) -> None:
        self._folder = server.folder
        self._tmp_path = tmp_path

    def command(self, *words: str) -> list[str]:
        command = [sys.executable, "-m", "thingtank.cli.main", "skynet", *words]
        return [*command, "--data", str(self._folder)]

    def run(self, *words: str, code: int = 0) -> str:
        done = run_prepared("skynet", *words, "--data", str(self._folder))
        assert done.returncode == code, done.stderr
        return done.stdout if code == 0 else done.stderr

    def as_device(self, device: dict[str, Any]) -> list[str]:
        path = self._tmp_path / f"{device['uuid']}.token"
        path.write_text(device["token"] + "\n")
        return ["--uuid", device["uuid"], "--token-file", str(path)]


@pytest.fixture
def shell(skynet_server: LiveServer, tmp_path: Path) -> Shell:
    return Shell(skynet_server, tmp_path)


def test_a_device_is_registered_and_sends(shell: Shell, url: str) -> None:
    made = json.loads(shell.run("register", "name=Lamp", "n=5", "color=red", "--json"))
    assert (made["name"], made["n"], made["color"]) == ("Lamp", 5, "red")
    with SkynetClient(url) as panel:
        devices = f"{panel.uuid},nobody"
        sent = shell.run(
            "send", devices, '{"on": true}', "--topic", "light", *shell.as_device(made)
        )
        assert sent == f"{panel.uuid}  delivered\nnobody  undeliverable\n"
        message = panel.next_message(10)
        assert message is not None
        assert (message.payload, message.topic, message.from_uuid) == (
            {"on": True},
            "light",
            made["uuid"],
        )


def test_a_device_is_watched_until_enough_was_heard(
    shell: Shell, url: str, register: Register
) -> None:
    lamp = register()
    command = shell.command("watch", "--count", "2", *shell.as_device(lamp))
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    watching = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    ended = threading.Event()
    with SkynetClient(url) as button:

        def send() -> None:  # the watcher is starting
            while not ended.wait(0.05):
                button.send(lamp["uuid"], "二\u2028", topic="light\x1b[2J")

        sender = threading.Thread(target=send)
        sender.start()
        try:
            output, _ = watching.communicate(timeout=RUN_S_MAX)
        finally:
            ended.set()
            sender.join()
            watching.kill()
        assert watching.returncode == 0
        assert output.splitlines() == [f'{button.uuid} light\\u001b[2J: "二\\u2028"'] * 2


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (["watch"], 2, "--uuid"),
        (["register", "nonsense"], 2, "NAME=VALUE"),
        (["send", "u", "1", "--uuid", "u"], 2, "--token-file"),
        (["send", "", "1", "--url", "http://127.0.0.1:1"], 1, "nothing listens"),
        (["send", "u", "1", "--url", "127.0.0.1"], 1, "no address"),
    ],
)
def test_what_cannot_be_is_told(shell: Shell, words: list[str], code: int, why: str) -> None:
    assert why in shell.run(*words, code=code)


def test_a_wrong_token_is_told_and_never_printed(
    shell: Shell, register: Register, tmp_path: Path
) -> None:
    lamp = {"uuid": register()["uuid"], "token": "a-secret"}
    told = shell.run("send", lamp["uuid"], "1", *shell.as_device(lamp), code=1)
    assert "unauthorized" in told
    assert "a-secret" not in told
