"""Flags of `thingtank mqtt`: what is wrong use, and what they come to."""

import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from thingtank.cli import mqtt_client, mqtt_publish, mqtt_subscribe, session
from thingtank.cli.main import main
from thingtank.cli.mqtt_address import Address, address_of_url
from thingtank.cli.mqtt_connection import Connection

PUB = ("pub", "-t", "a", "-m", "x")
SUB = ("sub", "-t", "a")


def mqtt(*words: str) -> Result:
    return CliRunner().invoke(main, ["mqtt", *words])


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Any]:
    """What a command would have connected as, and done."""
    found: list[Any] = []
    monkeypatch.setenv("THINGTANK_DATA", str(tmp_path))
    for module, name in ((mqtt_publish, "publish"), (mqtt_subscribe, "subscribe")):
        monkeypatch.setattr(module, name, lambda *given: found.extend(given))
    return found


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("pub", "-m", "x"), "a topic is missing"),
        (("pub", "-t", "a"), "give one of -m, -f, -s, -l and -n"),
        ((*PUB, "-n"), "give one of -m, -f, -s, -l and -n"),
        (("pub", "-t", "a/+", "-m", "x"), "which only filters have"),
        (("pub", "-t", "", "-m", "x"), "1 to 65535 bytes"),
        (("pub", "-t", "a", "-l", "--repeat", "2"), "not for lines"),
        (("pub", "-L", "mqtt://h/a/#", "-m", "x"), "which only filters have"),
        (("sub",), "a topic is missing"),
        (("sub", "-t", "a/#/b"), "no filter"),
        (("sub", "-t", "a", "-T", "b+"), "no filter"),
        ((*SUB, "-R", "--retained-only"), "leave nothing"),
        ((*SUB, "-F", "%z"), "no %z"),
        ((*SUB, "-q", "3"), "0<=x<=2"),
        ((*SUB, "-k", "4"), "5<=x<=65535"),
        ((*SUB, "-c"), "needs a client id"),
        ((*SUB, "-x", "-1"), "needs a client id"),
        ((*SUB, "-x", "4294967296"), "-1 or ∞"),
        ((*SUB, "-i", "a", "-I", "b"), "two ways to choose a client id"),
        ((*SUB, "-P", "x"), "needs a user name"),
        ((*SUB, "--will-payload", "x"), "needs --will-topic"),
        ((*SUB, "--cert", __file__), "go together"),
        ((*SUB, "-h", "h", "--unix", "/s"), "three ways"),
        ((*SUB, "-L", "mqtt://h", "-h", "h"), "three ways"),
        ((*SUB, "-L", "http://h"), "begins with mqtt://"),
        ((*SUB, "-L", "mqtt://h:x/a"), "no host and port"),
        ((*SUB, "-L", "mqtt:///a"), "no host is in"),
        ((*SUB, "-S"), "SRV records are not looked up"),
        ((*SUB, "--psk", "00"), "pre-shared keys is not supported"),
        ((*SUB, "--proxy", "socks5h://h"), "not supported"),
        ((*SUB, "--keyform", "engine"), "not supported"),
        ((*SUB, "-D", "publish", "content-type"), "-D takes COMMAND IDENTIFIER VALUE"),
        ((*SUB, "-D", "publish", "user-property", "a"), "user-property NAME VALUE"),
        ((*SUB, "-D", "puback", "user-property", "a", "b"), "no command 'puback'"),
        ((*SUB, "-D", "subscribe", "content-type", "x"), "no property 'content-type'"),
        ((*SUB, "-D", "connect", "receive-maximum", "0"), "a number from 1 to 65535"),
        ((*SUB, "-D", "connect", "receive-maximum", "1" * 5000), "a number from 1 to 65535"),
        ((*SUB, "-D", "connect", "topic-alias-maximum", "-1"), "a number from 0 to 65535"),
        ((*SUB, *("-D", "connect", "receive-maximum", "9") * 2), "given twice"),
    ],
)  # fmt: skip
def test_wrong_use_ends_with_2_and_says_why(
    made: list[Any], words: tuple[str, ...], said: str
) -> None:
    done = mqtt(*words)
    assert (done.exit_code, made) == (2, [])
    assert said in done.output


@pytest.mark.parametrize("words", [PUB, SUB])
def test_h_is_a_host_and_help_alone_is_help(made: list[Any], words: tuple[str, ...]) -> None:
    assert mqtt(*words, "-h", "broker.example.com").exit_code == 0
    assert made[0].address == Address("broker.example.com", 1883)
    assert "Usage:" in mqtt(words[0], "--help").output


@pytest.mark.parametrize(
    ("flags", "address"),
    [
        ((), Address()),
        (("-p", "1"), Address(port=1)),
        (("-p", "8883"), Address(port=8883, is_tls=True)),
        (("-h", "h", "--insecure"), Address("h", 8883, is_tls=True)),
        (("-h", "h", "--ws"), Address("h", 80, is_websocket=True)),
        (("-h", "h", "-p", "81", "--ws"), Address("h", 81, is_websocket=True)),
        (("--unix", "/s"), Address(path="/s")),
        (("-L", "mqtts://h"), Address("h", 8883, is_tls=True)),
        (("--url", "wss://h/t"), Address("h", 443, is_tls=True, is_websocket=True, topic="t")),
    ],
)
def test_flags_say_where_to_go(made: list[Any], flags: tuple[str, ...], address: Address) -> None:
    done = mqtt(*SUB, *flags)
    assert done.exit_code == 0, done.output
    assert made[0].address == address


class FakeServer:
    """A server's control socket, which knows where its doors are."""

    def __init__(self, sockets: dict[str, str]) -> None:
        self.sockets = sockets

    def call(self, operation: str, _: dict[str, Any]) -> dict[str, Any]:
        assert operation == "server.addresses"
        return {"sockets": self.sockets}

    def close(self) -> None:
        """Let go."""


@pytest.mark.parametrize(
    ("sockets", "flags", "address"),
    [
        ({"mqtt": "mqtt://127.0.0.1:1999", "mqtt_unix": "/s"}, (), Address(port=1999)),
        ({"mqtt_tls": "mqtts://h:1"}, (), Address("h", 1, is_tls=True)),
        ({"mqtt_unix": "unix:/s"}, (), Address(path="/s")),
        (
            {"mqtt_websocket": "ws://127.0.0.1:8000/mqtt"},
            ("--ws",),
            Address(port=8000, is_websocket=True),
        ),
        ({"mqtt": "mqtt://127.0.0.1:1999"}, ("-h", "h"), Address("h")),
    ],
)
def test_without_flags_it_goes_to_the_server_of_the_data_folder(
    made: list[Any],
    monkeypatch: pytest.MonkeyPatch,
    sockets: dict[str, str],
    flags: tuple[str, ...],
    address: Address,
) -> None:
    monkeypatch.setattr(session, "running_server", lambda _: FakeServer(sockets))
    assert mqtt(*SUB, *flags).exit_code == 0
    assert made[0].address == address


def test_a_server_without_mqtt_is_told(made: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "running_server", lambda _: FakeServer({}))
    done, over_websocket = mqtt(*SUB), mqtt(*SUB, "--ws")
    assert (done.exit_code, over_websocket.exit_code, made) == (1, 1, [])
    assert "has MQTT at no port; give its address with -h and -p" in done.output
    assert "has no MQTT over WebSocket" in over_websocket.output


def test_a_url_has_a_name_a_password_and_a_topic_which_is_no_fragment() -> None:
    found = address_of_url("mqtt://us%40er:p%3Aw@[::1]:1884/a/#")
    assert found == Address("::1", 1884, topic="a/#", username="us@er", password="p:w")
    assert found.url == "mqtt://[::1]:1884"
    assert "p:w" not in repr(found)


def test_properties_and_an_expiry_make_it_mqtt_5(made: list[Any]) -> None:
    words = ("-D", "connect", "user-property", "-D", "--help", "-x", "∞", "-i", "me")
    assert mqtt(*SUB, "-V", "mqttv31", *words).exit_code == 0
    connection: Connection = made[0]
    assert connection.is_v5
    assert connection.session_expiry_s == 0xFFFF_FFFF
    assert connection.properties == {"connect": [("user-property", ("-D", "--help"))]}


def test_a_message_may_look_like_a_flag(made: list[Any]) -> None:
    assert mqtt("pub", "-t", "-D", "-m", "-D").exit_code == 0
    assert (made[1].topic, made[1].source) == ("-D", b"-D")


def test_a_server_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt_client, "CONNECT_S_MAX", 0.05)
    threads = set(threading.enumerate())
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        done = mqtt(*SUB, "-p", str(port))
    assert done.exit_code == 1
    assert f"what listens at mqtt://127.0.0.1:{port} does not answer as MQTT does" in done.output
    assert set(threading.enumerate()) <= threads


@pytest.mark.parametrize("library", ["paho", "asyncio"])
def test_commands_do_without_libraries_that_are_for_others(library: str) -> None:
    code = f"import sys, thingtank.cli.main; print({library!r} in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=60)
    assert done.stdout == b"False\n"


@pytest.mark.parametrize("words", [("mqtt", *SUB), ("wamp", "subscribe", "a.b")])
def test_ctrl_c_before_there_is_a_connection_ends_with_0(
    monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    def interrupt(_: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(session, "running_server", interrupt)
    done = CliRunner().invoke(main, words)
    assert (done.exit_code, done.output) == (0, "")


def test_a_secret_is_in_no_representation(made: list[Any]) -> None:
    mqtt(*PUB, "-u", "roof", "-P", "a secret")
    assert made[0].password == "a secret"
    assert "a secret" not in repr(made[0])
