"""The broker under test: a server of ours, or what MQTT_UNDER_TEST=host:port names.

MQTT_WEBSOCKET_UNDER_TEST is the URL of its WebSockets, if it has any.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conformance.mqtt.counting import counted_lines
from tests.conformance.mqtt.wire import Broker
from tests.live_server import start_server

# The limits are Mosquitto's, whose packet exchanges see them in each CONNACK; so is what it does
# with user names when it has none, and with a topic of its bridges.
SETTINGS = """
[mqtt]
topic_alias_max = 10
packet_bytes_max = 2_000_000
receive_maximum = 20
unknown_users = "anonymous"

[[mqtt.users]]
name = "known"
password = "right-password"

[[mqtt.acl]]
topic = "$SYS/broker/connection/+/state"
allow = "publish"
"""


@pytest.fixture(scope="session")
def sockets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Addresses of one broker for all tests, who do not use each other's names."""
    given = os.environ.get("MQTT_UNDER_TEST")
    if given:
        yield {"mqtt": given, "mqtt_websocket": os.environ.get("MQTT_WEBSOCKET_UNDER_TEST", "")}
        return
    folder: Path = tmp_path_factory.mktemp("mqtt") / "data"
    folder.mkdir(mode=0o700)
    (folder / "thingtank.toml").write_text(SETTINGS)
    with start_server(folder, "--mqtt", "0") as server:
        yield server.sockets


@pytest.fixture(scope="session")
def address(sockets: dict[str, str]) -> tuple[str, int]:
    """Host and port of the broker."""
    return _host_and_port(sockets["mqtt"])


@pytest.fixture(scope="session")
def websocket_url(sockets: dict[str, str]) -> str:
    """Where the broker takes WebSockets."""
    if not sockets["mqtt_websocket"]:
        pytest.skip("MQTT_WEBSOCKET_UNDER_TEST is not set")
    return sockets["mqtt_websocket"]


def _host_and_port(address: str) -> tuple[str, int]:
    host, _, port = address.removeprefix("mqtt://").rpartition(":")
    return host, int(port)


@pytest.fixture
def broker(address: tuple[str, int]) -> Iterator[Broker]:
    """The broker, and an end to all connections that the test has made."""
    seen = Broker(*address)
    yield seen
    seen.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what was counted."""
    reports = [each for some in terminalreporter.stats.values() for each in some]
    if lines := counted_lines(reports):
        terminalreporter.section("MQTT conformance")
        for line in lines:
            terminalreporter.write_line(line)
