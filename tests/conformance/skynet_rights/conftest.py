"""Two servers, one that is open as in 2014 and one that is not, and devices on them."""

import uuid
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
import requests
from tests.conformance.skynet_rights.wires import (
    Credentials,
    MqttWire,
    RawWire,
    RestWire,
    SocketioWire,
    Wire,
)
from tests.live_server import LiveServer, start_server

RATES = ("messages", "data", "queries", "connections")
SOCKETS = ("socket.io 0.9", "engine.io 3", "engine.io 4", "WebSocket", "MQTT")


class Place(NamedTuple):
    """A server, and an account's key that makes devices there."""

    server: LiveServer
    is_open: bool
    key: str

    @property
    def url(self) -> str:
        return self.server.sockets["skynet"]

    def make(self, **properties: Any) -> Credentials:
        """Make a device; its uuid and token."""
        headers = {"X-ApiKey": self.key} if self.key else {}
        made = requests.post(f"{self.url}/devices", json=properties, headers=headers, timeout=20)
        assert made.ok, made.text
        return made.json()["uuid"], made.json()["token"]

    def wire(self, name: str, who: Credentials | None) -> Any:
        """A conversation over a wire."""
        if name.startswith("REST"):
            return RestWire(self.url, who)
        if name == "MQTT":
            assert who is not None
            return MqttWire(self.server.sockets["mqtt"], who)
        if name == "WebSocket":
            return RawWire(self.url, who)
        return SocketioWire(self.url, who, name.rpartition(" ")[2])


def unknown_uuid() -> str:
    """A uuid that no device has."""
    return str(uuid.uuid4())


@pytest.fixture(scope="package")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Place]]:
    sets = [word for rate in RATES for word in ("--set", f"skynet.rate_{rate}_s=0")]
    with (
        start_server(tmp_path_factory.mktemp("open"), "--skynet", "0", *sets) as is_open,
        start_server(
            tmp_path_factory.mktemp("closed"),
            "--skynet", "0", "--set", "skynet.open_access=never", *sets,
        ) as closed,
    ):  # fmt: skip
        yield {
            "open": Place(is_open, True, ""),
            "closed": Place(closed, False, closed.master_key()),
        }


Opened = Callable[[Place, str, Credentials | None], Any]


@pytest.fixture
def opened() -> Iterator[Opened]:
    """Opens wires, which are closed at the end."""
    wires: list[Wire | RestWire] = []

    def open_wire(place: Place, name: str, who: Credentials | None) -> Any:
        wires.append(place.wire(name, who))
        return wires[-1]

    yield open_wire
    for wire in wires:
        wire.close()
