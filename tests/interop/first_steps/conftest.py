"""One server for all of these tests that a worker runs; each test has accounts and devices of its own."""

from collections.abc import Iterator

import pytest
from tests.live_server import LiveServer, start_server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with start_server(tmp_path_factory.mktemp("first") / "data") as server:
        yield server
