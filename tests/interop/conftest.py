"""A real server with what a Xively client needs of it, made by the command line."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest
import requests
from tests.interop.forms import PASSWORD, post
from tests.live_server import LiveServer, start_server
from tests.prepared_commands import run_prepared


class OpenDoor(NamedTuple):
    """Where a client goes, and with what."""

    address: str
    feed_id: int
    device_key: str
    master_key: str


class Served(NamedTuple):
    """A running server and its data folder."""

    server: LiveServer
    folder: Path


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("data")
    with start_server(folder) as server:
        yield Served(server, folder)


@pytest.fixture
def xively_door(served: Served) -> OpenDoor:
    """The server with a feed of its own for the test."""
    device = made(served.folder, "device", "create", "Roof station")
    master = made(served.folder, "key", "create", "master")
    address = urlsplit(served.server.url).netloc
    return OpenDoor(address, device["feed_id"], device["api_key"], master["api_key"])


def made(folder: Path, *words: str) -> Any:
    done = run_prepared(*words, "--json", "--data", str(folder))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def owner(server: LiveServer) -> requests.Session:
    """A browser of the owner of a module's server."""
    browser = requests.Session()
    assert browser.get(server.welcome_url, timeout=20).status_code == 200
    return browser


@pytest.fixture(scope="module")
def bert(server: LiveServer) -> requests.Session:
    """A browser of another account, which the module has made."""
    browser = requests.Session()
    post(browser, f"{server.url}/sign-in", username="bert", password=PASSWORD)
    return browser
