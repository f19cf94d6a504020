"""What becomes of clients while the server is away."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests
from tests.interop.skynet.clients import Device, Failed, Program, Way, content_of
from tests.live_server import start_server
from tests.ports import free_port

# Those that come back by themselves. meshblu-websocket does not; meshblu-mqtt does, but listens
# to its device only the first time; socketIO-client 0.5 goes on polling for the old session.
LASTING = (
    Way("socketio-client-0.5", "websocket"), Way("skynet"),
    Way("socketio-client-0.7", "xhr-polling+websocket"), Way("meshblu"), Way("skynet-mqtt"),
    Way("socket.io-client"), Way("python-socketio"),
)  # fmt: skip
TRIES_MAX = 4  # of waiting for a message; the clients over MQTT rest for five seconds


def test_clients_come_back_and_get_what_was_sent_meanwhile(
    program_of: Callable[[str], Program], tmp_path: Path
) -> None:
    ports = free_port(), free_port()
    flags = ("--skynet", str(ports[0]), "--mqtt", str(ports[1]))
    url, mqtt = f"http://127.0.0.1:{ports[0]}", f"mqtt://127.0.0.1:{ports[1]}"
    devices = [Device(program_of(way.client), way) for way in LASTING]
    with start_server(tmp_path / "data", *flags) as server:
        for device in devices:
            made = post(f"{url}/devices", keepMessages=True)
            device.open(url, mqtt, uuid=made["uuid"], token=made["token"])
        server.kill()
    with start_server(tmp_path / "data", *flags):
        uuids = [device.uuid for device in devices]
        post(f"{url}/messages", devices=uuids, payload="while you were away")
        for device in devices:
            assert content_of(heard_at_last(device)) == "while you were away", device.way
        for device in devices:
            device.close()


def heard_at_last(device: Device) -> Any:
    for _ in range(TRIES_MAX - 1):
        with contextlib.suppress(Failed):
            return device.heard()
    return device.heard()


def post(url: str, **body: Any) -> Any:
    answer = requests.post(url, json=body, timeout=10)
    assert answer.ok, answer.text
    return answer.json()
