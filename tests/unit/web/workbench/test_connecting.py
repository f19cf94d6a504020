"""What a device's page says to who connects: programs to copy, and why one was refused."""

import json
import shlex
from typing import NamedTuple

import pytest

from thingtank.web.workbench.http_snippets import (
    SECRET,
    curl_line,
    esp32_sketch,
    local_host_of,
    requests_program,
)
from thingtank.web.workbench.mqtt_snippets import mosquitto_value_line, paho_value_program
from thingtank.web.workbench.refusals import Refused, newest_refused
from thingtank.web.workbench.skynet_snippets import data_line, node_program, python_program
from thingtank.web.workbench.wamp_snippets import recording_program, recording_script

URL = "http://127.0.0.1:8000"
CHANNELS = ["temperature", "..+", "Температура_1"]


class Row(NamedTuple):
    at_ms: int
    reason: str
    method: str = "PUT"
    door: str = "xively http"
    status: int = 401


@pytest.mark.parametrize(
    ("reasons", "found"),
    [([], None), (["", ""], None), (["", "no", "older"], 2), (["newest", "", "no"], 1)],
)
def test_the_newest_refusal_is_told_whatever_came_after_it(
    reasons: list[str], found: int | None
) -> None:
    rows = [Row(number, reason) for number, reason in enumerate(reasons, 1)]
    wanted = found and Refused(found * 1000, reasons[found - 1], "(PUT by xively http, 401)")
    assert newest_refused(rows) == wanted


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://127.0.0.1:8000/v2/feeds/7", "127.0.0.1"),
        ("http://localhost/v2/feeds/7", "localhost"),
        ("http://[::1]:8000/v2/feeds/7", "::1"),
        ("http://192.168.1.5:8000/v2/feeds/7", ""),
        ("https://tank.example/v2/feeds/7", ""),
        ("http://localhost.example:8000/", ""),
    ],
)
def test_an_address_that_only_this_machine_reaches_is_told(url: str, host: str) -> None:
    assert local_host_of(url) == host


@pytest.mark.parametrize("channel", CHANNELS)
def test_each_program_has_its_channel_and_a_place_for_its_secret(channel: str) -> None:
    endpoint, uuid, wamp = f"{URL}/v2/feeds/7", "f70b5130", "ws://127.0.0.1:8080/ws"
    programs = [
        requests_program(endpoint, channel),
        recording_program(wamp, "realm1", 7, channel),
        python_program(URL, uuid, channel),
        paho_value_program("mqtt://127.0.0.1:1883", "/v2/feeds/7/datastreams/t.csv"),
    ]
    for program in programs:
        compile(program, "program.py", "exec")
    others = [node_program(URL, uuid, channel), recording_script(wamp, "realm1", 7, channel)]
    for text in (*programs, *others, esp32_sketch(endpoint, channel)):
        assert text.count(SECRET) == 1
    for line in (curl_line(endpoint, channel), data_line(URL, uuid, channel)):
        words = shlex.split(line)
        assert sum(SECRET in word for word in words) == 1
        assert channel in json.dumps(json.loads(words[-1]), ensure_ascii=False)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mqtt://127.0.0.1:1883", "-h 127.0.0.1 -p 1883 -u"),
        ("mqtts://tank.example", "-h tank.example -p 8883 --tls-use-os-certs -u"),
    ],
)
def test_the_line_for_mosquitto_goes_to_the_port_that_is_open(url: str, words: str) -> None:
    assert words in mosquitto_value_line(url, "/v2/feeds/7/datastreams/t.csv")


@pytest.mark.parametrize(
    ("url", "lines"),
    [
        ("mqtts://tank.example:8884", ["client.tls_set()", 'client.connect("tank.example", 8884)']),
        ("wss://tank.example/mqtt", ['client.ws_set_options(path="/mqtt")', "client.tls_set()", 'client.connect("tank.example", 443)']),
    ],
)  # fmt: skip
def test_the_program_for_paho_goes_by_tls_and_websocket(url: str, lines: list[str]) -> None:
    program = paho_value_program(url, "t").splitlines()
    assert [line for line in program if line in lines] == lines
