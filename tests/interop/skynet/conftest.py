"""One server, and one process for each client or for those that share one, for all tests here."""

import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from tests.interop.skynet.clients import Device, Program, Way, command_of
from tests.live_server import LiveServer, start_server

OpenDevice = Callable[..., Device]
Register = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def skynet_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    rates = ("messages", "data", "queries", "connections")  # tests are in a hurry
    sets = [word for each in rates for word in ("--set", f"skynet.rate_{each}_s=0")]
    with start_server(tmp_path_factory.mktemp("skynet"), "--skynet", "0", *sets) as server:
        yield server


@pytest.fixture(scope="session")
def url(skynet_server: LiveServer) -> str:
    """Where SkyNet is."""
    return skynet_server.sockets["skynet"]


@pytest.fixture(scope="session")
def mqtt(skynet_server: LiveServer) -> str:
    return skynet_server.sockets["mqtt"]


@pytest.fixture(scope="session")
def register(url: str) -> Register:
    """Makes a device over HTTP, as curl would."""

    def make(**properties: Any) -> dict[str, Any]:
        made = requests.post(f"{url}/devices", json=properties, timeout=10)
        assert made.ok, made.text
        answer: dict[str, Any] = made.json()
        return answer

    return make


@pytest.fixture(scope="session")
def program_of() -> Iterator[Callable[[str], Program]]:
    """The program of a client, started when it is first asked for."""
    running: dict[tuple[str, ...], Program] = {}

    def find(client: str) -> Program:
        command = command_of(client)
        if tuple(command) not in running:
            running[tuple(command)] = Program(command)
        return running[tuple(command)]

    yield find
    for program in running.values():
        program.close()


@pytest.fixture
def open_device(
    url: str, mqtt: str, register: Register, program_of: Callable[[str], Program]
) -> Iterator[OpenDevice]:
    """Opens devices by a way: each made over HTTP before, unless it is given.

    Without uuid and token, the client identifies without.
    """
    opened: list[Device] = []

    def open_one(way: Way, made: dict[str, Any] | None = None) -> Device:
        made = register() if made is None else made
        device = Device(program_of(way.client), way)
        device.open(url, mqtt, **{name: made[name] for name in ("uuid", "token") if name in made})
        opened.append(device)
        return device

    yield open_one
    for device in opened:
        if device.is_open:
            device.close()


@pytest.fixture
def unused() -> str:
    """A word that no other test has."""
    return f"word-{secrets.token_hex(4)}"


@pytest.fixture
def kept_data(url: str) -> Callable[[Device], Any]:
    """Reads a device's sensor data over HTTP, newest first."""

    def read(device: Device) -> Any:
        headers = {"meshblu_auth_uuid": device.uuid, "meshblu_auth_token": device.token}
        answer = requests.get(f"{url}/data/{device.uuid}", headers=headers, timeout=10)
        assert answer.ok, answer.text
        return answer.json()["data"]

    return read
