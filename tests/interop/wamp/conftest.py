"""One server and one process per client for all tests of this folder."""

import itertools
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest
from tests.interop.wamp.clients import CLIENTS, ClientProcess, ClientSession, Way
from tests.interop.wamp.test_authentication import LOCKED
from tests.live_server import LiveServer, start_server

REALM = "realm1"
Sessions = Callable[[Way], ClientSession]


@pytest.fixture(scope="session")
def wamp_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("wamp")
    (folder / "thingtank.toml").write_text(LOCKED)
    with start_server(folder) as server:
        yield server


@pytest.fixture(scope="session")
def addresses(wamp_server: LiveServer) -> dict[str, str]:
    """Where WAMP is, by transport."""
    url = wamp_server.sockets["wamp"]
    return {"ws": url, "rs": f"rs://{urlsplit(url).netloc}"}


@pytest.fixture(scope="session")
def process_of() -> Iterator[Callable[[str], ClientProcess]]:
    """The process of a client, started when it is first asked for."""
    running: dict[str, ClientProcess] = {}

    def find(name: str) -> ClientProcess:
        if name not in running:
            running[name] = ClientProcess(CLIENTS[name])
        return running[name]

    yield find
    for process in running.values():
        process.close()


@pytest.fixture(scope="session")
def session_by(
    addresses: dict[str, str], process_of: Callable[[str], ClientProcess]
) -> Callable[[Way, str], ClientSession]:
    """A session by a way, joined once for all tests; several by different names."""
    joined: dict[tuple[Way, str], ClientSession] = {}

    def find(way: Way, name: str) -> ClientSession:
        if (way, name) not in joined:
            process = process_of(way.client)
            joined[way, name] = process.join(addresses[way.transport], REALM, way.serializer)
        return joined[way, name]

    return find


_numbers = itertools.count(1)


@pytest.fixture
def unused() -> str:
    """The beginning of a URI that no other test has."""
    return f"com.example.n{next(_numbers)}"
