"""REST on a real port: small and large bodies, one connection for many requests, streams."""

import base64
import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from tests.live_server import LiveServer, start_server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("skynet") / "data"
    with start_server(folder, "--set=skynet.rate_messages_s=0") as running:
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


def leave_a_stream(address: tuple[str, int], uuid: str, token: str) -> None:
    """Ask for what is kept, and go without having read it."""
    lines = ["GET /subscribe HTTP/1.1", "Host: localhost"]
    lines += [f"meshblu_auth_uuid: {uuid}", f"meshblu_auth_token: {token}"]
    with socket.create_connection(address) as leaving:
        leaving.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        leaving.recv(1)


def leave_a_websocket(address: tuple[str, int], uuid: str, token: str) -> None:
    """The same on Meshblu's plain WebSocket."""
    key = base64.b64encode(os.urandom(16)).decode()
    lines = ["GET /ws/v2 HTTP/1.1", "Host: localhost", "Connection: Upgrade", "Upgrade: websocket"]
    lines += ["Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}"]
    said = json.dumps(["identity", {"uuid": uuid, "token": token}]).encode()
    frame = bytes([0x81, 0x80 | len(said), 0, 0, 0, 0]) + said
    with socket.create_connection(address) as leaving:
        leaving.sendall(("\r\n".join(lines) + "\r\n\r\n").encode() + frame)
        leaving.recv(1)


@pytest.mark.parametrize("leave", [leave_a_stream, leave_a_websocket])
def test_what_is_kept_for_who_leaves_soon_stays(
    server: LiveServer, client: httpx.Client, leave: Callable[[tuple[str, int], str, str], None]
) -> None:
    made = client.post("/devices", json={"keepMessages": True}).json()
    uuid, token = made["uuid"], made["token"]
    headers = {"meshblu_auth_uuid": uuid, "meshblu_auth_token": token}
    for number in range(20):
        body = {"devices": uuid, "payload": number, "receipts": True}
        assert "kept" in client.post("/messages", json=body, headers=headers).text
    at = urlsplit(server.sockets["skynet"])
    assert at.hostname is not None
    assert at.port is not None
    for _ in range(3):
        leave((at.hostname, at.port), uuid, token)
    with client.stream("GET", "/subscribe", headers=headers) as stream:
        lines = stream.iter_lines()
        assert [json.loads(next(lines))["payload"] for _ in range(20)] == list(range(20))


def test_as_much_as_is_kept_is_given_at_once_and_new_messages_follow(client: httpx.Client) -> None:
    made = client.post("/devices", json={"keepMessages": True}).json()
    headers = {"meshblu_auth_uuid": made["uuid"], "meshblu_auth_token": made["token"]}

    def send(payload: str) -> str:
        body = {"devices": made["uuid"], "payload": payload, "receipts": True}
        return client.post("/messages", json=body, headers=headers).text

    count = 0
    while "kept" in send(f"{count} {'x' * 10_900}"):  # until no more is kept
        count += 1
    assert count > 90
    with client.stream("GET", "/subscribe", headers=headers) as stream:
        assert "delivered" in send("new")
        lines = stream.iter_lines()
        heard = [json.loads(next(lines))["payload"].split()[0] for _ in range(count + 1)]
    assert heard == [*map(str, range(count)), "new"]
