"""What speaks SockJS is loaded when its first client comes, who notices nothing."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
from tests.live_server import LiveServer, start_server

CLIENTS = 5


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LiveServer]:
    with start_server(tmp_path) as server:
        yield server


def is_loaded(server: LiveServer) -> bool:
    """Whether the process has aiohttp's compiled parser mapped."""
    return "aiohttp" in Path(f"/proc/{server.process.pid}/maps").read_text()


def test_the_first_clients_of_sockjs_come_at_once_and_are_all_answered(server: LiveServer) -> None:
    assert not is_loaded(server)

    def ask(_: int) -> int:
        return requests.get(f"{server.sockets['sockjs']}/info", timeout=30).status_code

    with ThreadPoolExecutor(CLIENTS) as clients:
        assert list(clients.map(ask, range(CLIENTS))) == [200] * CLIENTS
    assert is_loaded(server)
    assert ask(0) == 200
