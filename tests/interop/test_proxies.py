"""Behind a proxy: whom the server takes a request to be from, and how it was asked."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from tests.live_server import LiveServer, start_server

DEVICE = "203.0.113.7"
OTHER = "198.51.100.1"


class Proxied:
    """A server, and a key that works from DEVICE's address only."""

    def __init__(self, server: LiveServer) -> None:
        made = server.command("key", "create", "fixed", "--source-ip", DEVICE)
        self.feed = f"{server.url}/v2/feeds/{server.feed_id}"
        self.session = requests.Session()  # one connection, as a proxy keeps it
        self.session.headers["X-ApiKey"] = str(made["api_key"])

    def put(self, **headers: str) -> int:
        body = {"datastreams": [{"id": "t", "current_value": "1"}]}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.session.put(self.feed, json=body, headers=named, timeout=20).status_code


@pytest.fixture(scope="module", params=["127.0.0.1", "10.0.0.0/8,127.0.0.0/8"])
def trusting(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Proxied]:
    folder = tmp_path_factory.mktemp("data")
    with start_server(folder, "--set", f"web.trusted_proxies={request.param}") as server:
        yield Proxied(server)


@pytest.mark.parametrize(
    ("forwarded", "status"),
    [
        (DEVICE, 200),
        (f"{DEVICE}:4711", 200),
        (f"{OTHER}, {DEVICE}", 200),
        (f"{DEVICE}, 127.0.0.1", 200),
        (OTHER, 403),
        (f"{DEVICE}, {OTHER}", 403),  # the left part is what the client itself may have written
        ("", 403),
        ("nonsense", 403),
        (None, 403),
    ],
)
def test_a_trusted_proxy_says_whose_request_it_is(
    trusting: Proxied, forwarded: str | None, status: int
) -> None:
    headers = {} if forwarded is None else {"X_Forwarded_For": forwarded}
    assert trusting.put(**headers) == status
    assert trusting.put(X_Forwarded_For=DEVICE) == 200  # and each request speaks for itself


def test_links_are_as_the_proxy_was_asked(trusting: Proxied) -> None:
    headers = {"X-Forwarded-For": DEVICE, "X-Forwarded-Proto": "https"}
    body = trusting.session.get(trusting.feed, headers=headers, timeout=20).json()
    assert body["feed"].startswith("https://")


def test_a_peer_that_is_no_trusted_proxy_is_not_believed(tmp_path: Path) -> None:
    with start_server(tmp_path, "--set", "web.trusted_proxies=192.0.2.0/24") as server:
        proxied = Proxied(server)
        assert proxied.put(X_Forwarded_For=DEVICE) == 403


def test_by_itself_the_server_believes_nobody(tmp_path: Path) -> None:
    with start_server(tmp_path) as server:
        proxied = Proxied(server)
        assert proxied.put(X_Forwarded_For=DEVICE) == 403
