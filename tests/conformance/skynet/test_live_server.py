"""REST on a real port: small and large bodies, one connection for many requests, streams."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.live_server import LiveServer, start_server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with start_server(tmp_path_factory.mktemp("skynet") / "data") as running:
        yield running


@pytest.fixture
def client(server: LiveServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.sockets["skynet"], timeout=10) as client:
        yield client


def registered(client: httpx.Client) -> tuple[str, str]:
    made = client.post("/devices", data={"token": "mytoken", "color": "green"})
    assert made.status_code == 200
    return made.json()["uuid"], "mytoken"


def test_one_connection_carries_requests_of_both_ages(client: httpx.Client) -> None:
    uuid, token = registered(client)
    headers = {"meshblu_auth_uuid": uuid, "meshblu_auth_token": token}
    for _ in range(2):
        assert client.get(f"/devices/{uuid}").json()["eventCode"] == 500
        assert client.get("/v2/whoami", headers=headers).json()["uuid"] == uuid
        assert client.patch("/devices").status_code == 405
        assert client.options("/devices").status_code == 204
        assert client.head("/status").status_code == 200
    assert client.post(f"/data/{uuid}", json={"t": 1}, headers=headers).status_code == 201
    assert client.get(f"/data/{uuid}", headers=headers).json()["data"][0]["t"] == "1"


@pytest.mark.parametrize(("size", "status"), [(100_000, 200), (200_000, 413)])
def test_large_bodies_take_the_long_way(client: httpx.Client, size: int, status: int) -> None:
    uuid, token = registered(client)
    headers = {"X-Meshblu-UUID": uuid, "X-Meshblu-Token": token}
    body = {"devices": [uuid], "payload": "x" * size}
    assert client.post("/messages", json=body, headers=headers).status_code == status
    chunks = iter([json.dumps(body).encode()])
    headers["Content-Type"] = "application/json"
    assert client.post("/messages", content=chunks, headers=headers).status_code == status


def test_a_stream_is_written_as_it_happens(client: httpx.Client) -> None:
    uuid, token = registered(client)
    headers = {"X-Meshblu-UUID": uuid, "X-Meshblu-Token": token}
    with client.stream("GET", f"/subscribe/{uuid}?token={token}") as old:
        lines = old.iter_lines()
        assert next(lines) == "["
        for number in range(4):
            client.post("/messages", json={"devices": uuid, "payload": number}, headers=headers)
        heard = [next(lines) for _ in range(5)]
    # What stands between two comes with the second.
    assert heard[1] == heard[3] == ","
    assert [json.loads(line)["message"] for line in heard[::2]] == [0, 1, 2]


def test_streams_end_when_the_server_stops(tmp_path: Path) -> None:
    with start_server(tmp_path / "data") as running:
        with httpx.Client(base_url=running.sockets["skynet"], timeout=10) as client:
            uuid, token = registered(client)
            with client.stream("GET", f"/subscribe/{uuid}?token={token}") as stream:
                lines = stream.iter_lines()
                assert next(lines) == "["
                stopping = threading.Thread(target=running.process.terminate)
                stopping.start()
                with pytest.raises(StopIteration):
                    next(lines)
                stopping.join()
        assert running.process.wait(15) == 0
