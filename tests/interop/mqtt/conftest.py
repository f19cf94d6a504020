"""One server and one process of Node for all tests of this folder."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.certificates import make_certificate
from tests.interop.mqtt.aiomqtt_client import AiomqttClient
from tests.interop.mqtt.client import Client, Login
from tests.interop.mqtt.js_client import JsClient, JsProcess
from tests.interop.mqtt.mosquitto_client import MosquittoClient
from tests.interop.mqtt.paho_client import PahoClient
from tests.interop.mqtt.ways import Way
from tests.live_server import LiveServer, start_server

USERS = """
[[mqtt.users]]
name = "lamp"
password = "a password for the lamp"

[[mqtt.users]]
name = "shade"
certificates = ["CN=shade"]

[[mqtt.acl]]
topic = "shades/#"
principals = ["shade"]
allow = "both"

[[mqtt.acl]]
topic = "shades/#"
deny = "both"
"""
Open = Callable[..., Client]


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `server` and `shade`, of `tests.certificates`."""
    folder = tmp_path_factory.mktemp("certificates")
    for name in ("localhost", "shade"):
        (folder / name).mkdir()
        make_certificate(folder / name, name)
    return folder


@pytest.fixture(scope="session")
def server(certificates: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("mqtt")
    (folder / "data").mkdir()
    (folder / "data" / "thingtank.toml").write_text(USERS)
    settings = (
        "mqtt.tls_port=0",
        f"mqtt.unix_socket={folder / 'mqtt.sock'}",
        f"server.tls_certificate={certificates / 'localhost' / 'ca.pem'}",
        f"server.tls_key={certificates / 'localhost' / 'key.pem'}",
        f"server.tls_client_ca={certificates / 'shade' / 'ca.pem'}",
    )
    sets = [word for each in settings for word in ("--set", each)]
    with start_server(folder / "data", *sets) as running:
        yield running


@pytest.fixture(scope="session")
def alice(server: LiveServer) -> str:
    """The password of an account of that name."""
    server.command("user", "create", "alice", "--password", "a password for alice")
    return "a password for alice"


@pytest.fixture(scope="session")
def js() -> Iterator[JsProcess]:
    process = JsProcess()
    yield process
    process.close()


@pytest.fixture
def open_at(request: pytest.FixtureRequest) -> Iterator[Open]:
    """Opens clients by a way, on a URL; they are closed in the end, unless they were before."""
    opened: list[Client] = []

    def open_one(way: Way, url: str, **login: Any) -> Client:
        wanted = Login(url, way.version, **{"client_id": f"client {next(_numbers)}", **login})
        if way.client == "mqtt_js":
            opened.append(JsClient(request.getfixturevalue("js"), wanted))
        else:
            opened.append(_CLIENTS[way.client](wanted))
        return opened[-1]

    yield open_one
    for client in opened:
        if not client.is_over:
            client.close()


@pytest.fixture
def open_client(open_at: Open, server: LiveServer) -> Open:
    """The same on the server of all tests."""
    urls = {
        "tcp": server.sockets["mqtt"],
        "websocket": server.sockets["mqtt_websocket"],
        "tls": server.sockets["mqtt_tls"].replace("127.0.0.1", "localhost"),
        "unix": server.sockets["mqtt_unix"],
    }
    return lambda way, **login: open_at(way, urls[way.transport], **login)


_CLIENTS: dict[str, Callable[[Login], Client]] = {
    "paho": PahoClient,
    "aiomqtt": AiomqttClient,
    "mosquitto": MosquittoClient,
}
_numbers = itertools.count(1)


@pytest.fixture
def unused() -> str:
    """The beginning of a topic that no other test has."""
    return f"test{next(_numbers)}"
