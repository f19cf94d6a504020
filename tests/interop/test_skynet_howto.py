"""docs/howto/let-skynet-devices-in.md: its settings load, its lines are typed one after the other."""

import json
import re
import shlex
import subprocess
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.live_server import LiveServer, start_server
from tests.needed import needed_program

from thingtank.server.config import load_config

PAGE = (Path(__file__).parents[2] / "docs/howto/let-skynet-devices-in.md").read_text()
TOMLS = re.findall(r"^ *```toml\n(.*?)^ *```", PAGE, re.M | re.S)
CURL = re.compile(r"^ {3,4}(curl .*)$", re.M)
CLOSED = "On the open network"
PORT = "http://127.0.0.1:3000"


class Shell:
    """Somebody who types what the page says, and puts in what was answered before."""

    def __init__(self, server: LiveServer) -> None:
        self.server = server
        self.words: dict[str, str] = {}

    def type(self, line: str) -> tuple[int, Any]:
        """Status and body of what a line with curl is answered."""
        words = shlex.split(line)
        for name, value in self.words.items():
            words = [word.replace(name, value) for word in words]
        url = self.server.sockets["skynet"]
        words = [word.replace(PORT, url) for word in words[1:]]
        command = [needed_program("curl"), "-sS", "-w", "\n%{http_code}", *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
        body, _, status = done.stdout.rpartition("\n")
        return int(status), json.loads(body) if body else None

    def type_section(self, heading: str) -> list[Any]:
        """The answers to all lines of a section, each of which succeeds."""
        section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
        answers = []
        for line in CURL.findall(section):
            status, answer = self.type(line)
            assert status < 300, (line, status, answer)
            if isinstance(answer, dict) and "token" in answer and "tag" not in answer:
                self.words |= {"UUID": answer["uuid"], "TOKEN": answer["token"]}
            answers.append(answer)
        assert answers
        return answers


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    flags = ("--set", "skynet.rate_queries_s=0")
    with start_server(tmp_path_factory.mktemp("skynet") / "data", *flags) as server:
        yield server


@pytest.mark.parametrize("toml", TOMLS)
def test_settings_of_the_page_load(toml: str, tmp_path: Path) -> None:
    path = tmp_path / "thingtank.toml"
    path.write_text(textwrap.dedent(toml))
    loaded = load_config(path, {})
    assert {loaded.sources[name] for name in loaded.sources} == {str(path)}


def test_lines_of_the_page_do_what_it_says(server: LiveServer) -> None:
    shell = Shell(server)
    heading = "Without settings: as in 2014, on this machine"
    made, found, sent, events, changed = shell.type_section(heading)
    assert found["devices"] == [made["uuid"]]
    assert sent["message"]["color"] == "red"
    assert [event["eventCode"] for event in events["events"]] == [300, 403, 400]
    assert changed["color"] == "green"

    first = dict(shell.words)
    _, other = shell.type(f"curl -d name=button {PORT}/devices")
    shell.words |= {"OTHER": other["uuid"], "SECRET": other["token"]}

    phone, revoked, reset = shell.type_section("Tokens")
    assert (phone["tag"], revoked) == ("phone", None)
    assert reset["token"] != first["TOKEN"] == made["token"]
    old = f"curl -u UUID:{first['TOKEN']} {PORT}/v2/whoami"
    assert shell.type(old)[0] == 401
    assert shell.type(f"curl -u UUID:{phone['token']} {PORT}/v2/whoami")[0] == 401

    _, _, owned = shell.type_section("What devices let others do")
    assert {device["uuid"] for device in owned["devices"]} == {made["uuid"], other["uuid"]}

    _, told = shell.type_section("Groups")
    assert told["receipts"] == [{"devices": "tag:kitchen", "outcome": "away", "count": 0}]

    _, told = shell.type_section("Messages for devices that are away")
    assert [receipt["outcome"] for receipt in told["receipts"]] == ["kept"]
    stranger = f"""curl -d '{{"devices": "UUID", "message": 1}}' {PORT}/messages"""
    assert shell.type(stranger)[0] == 200  # which tells a stranger nothing
    shell.type_section("Webhooks and forwards")
    _, record = shell.type(f"curl -u UUID:TOKEN {PORT}/v2/whoami")
    assert record["meshblu"] == {"messageForward": [other["uuid"]]}


def test_a_closed_server_lets_in_who_shows_something(tmp_path: Path) -> None:
    (settings,) = [toml for toml in TOMLS if "trusted_proxies" in toml]
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "thingtank.toml").write_text(textwrap.dedent(settings))
    (create,) = re.findall(r"^ *thingtank (key create .*)$", PAGE, re.M)
    with start_server(folder) as server:
        shell = Shell(server)
        shell.words["KEY"] = str(server.command(*shlex.split(create))["api_key"])
        made, *answers = shell.type_section(CLOSED)
        assert [answer["uuid"] for answer in answers] == [made["uuid"]] * 3
        assert shell.type(f"curl -d name=lamp {PORT}/devices")[0] == 401
        assert shell.type(f"curl {PORT}/devices/UUID")[0] == 401


def test_every_line_with_curl_is_in_a_section_that_is_typed() -> None:
    typed = {
        "Without settings: as in 2014, on this machine", CLOSED, "Tokens", "Groups",
        "What devices let others do", "Messages for devices that are away", "Webhooks and forwards",
    }  # fmt: skip
    sections = {part.split("\n")[0] for part in PAGE.split("\n## ")[1:] if "curl -" in part}
    assert sections <= typed
    assert len(CURL.findall(PAGE)) == len(re.findall(r"^ *curl ", PAGE, re.M))
