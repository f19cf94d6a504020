"""Bare clients of SkyNet's wires, well-behaved ones and others."""

import json
import socket
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from tests.conformance.skynet_rights.wires import WAIT_S_MAX, Credentials
from tests.live_server import LiveServer, start_server

RATES = ("messages", "data", "queries", "connections")
NO_RATES = [word for rate in RATES for word in ("--set", f"skynet.rate_{rate}_s=0")]


def start_skynet(folder: Path, *sets: str) -> LiveServer:
    """A server whose SkyNet door counts nobody."""
    chosen = [word for each in sets for word in ("--set", each)]
    return start_server(folder, "--skynet", "0", *NO_RATES, *chosen)


def make_device(server: LiveServer, **properties: Any) -> Credentials:
    """A device's uuid and token."""
    answer = requests.post(
        f"{server.sockets['skynet']}/devices", json=properties, timeout=WAIT_S_MAX
    )
    assert answer.ok, answer.text
    return answer.json()["uuid"], answer.json()["token"]


def headers_of(who: Credentials) -> dict[str, str]:
    return {"meshblu_auth_uuid": who[0], "meshblu_auth_token": who[1]}


def is_online(server: LiveServer, who: Credentials) -> bool:
    """Whether the server thinks that a device is there."""
    url = f"{server.sockets['skynet']}/v2/devices/{who[0]}"
    answer = requests.get(url, headers=headers_of(who), timeout=WAIT_S_MAX)
    return bool(answer.json()["online"])


def open_socket(server: LiveServer, receive_bytes: int = 0) -> socket.socket:
    """A connection of TCP to the door."""
    address = urlsplit(server.sockets["skynet"])
    connection = socket.socket()
    if receive_bytes:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    connection.settimeout(WAIT_S_MAX)
    connection.connect((address.hostname, address.port))
    return connection


def upgrade(connection: socket.socket, path: str) -> None:
    """Ask for a WebSocket, and take the answer's head."""
    connection.sendall(
        f"GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
    )
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += connection.recv(1)
    assert head.startswith(b"HTTP/1.1 101 "), head


def frame(payload: bytes, code: int = 0x81) -> bytes:
    """A frame of a WebSocket's client, with a mask of zeros."""
    length = len(payload)
    if length < 126:
        head = bytes([code, 0x80 | length])
    elif length < 65_536:
        head = bytes([code, 0xFE]) + length.to_bytes(2)
    else:
        head = bytes([code, 0xFF]) + length.to_bytes(8)
    return head + bytes(4) + payload


class Polling:
    """A client that polls, one request after another, and only when it is told to."""

    def __init__(self, server: LiveServer, age: str) -> None:
        self._url = server.sockets["skynet"]
        self._is_legacy = age == "0.9"
        self._http = requests.Session()
        self._seen = ""  # and not looked at yet
        if self._is_legacy:
            sid = self._get("/socket.io/1/").partition(":")[0]
            self._path = f"/socket.io/1/xhr-polling/{sid}"
            self._seen = self.poll()
        else:
            query = f"EIO={age}&transport=polling&b64=1"
            opened = self._get(f"/socket.io/?{query}")
            sid = json.loads(opened[opened.index("{") : opened.rindex("}") + 1])["sid"]
            self._path = f"/socket.io/?{query}&sid={sid}"
            if age == "4":
                self.post("40")

    def _get(self, path: str) -> str:
        answer = self._http.get(self._url + path, timeout=WAIT_S_MAX)
        assert answer.status_code == 200, answer.text
        return answer.text

    def poll(self) -> str:
        """One poll's answer."""
        return self._get(self._path)

    def poll_until(self, word: str) -> str:
        """Poll until a word has come."""
        seen, self._seen = self._seen, ""
        until_s = time.monotonic() + WAIT_S_MAX
        while word not in seen:
            assert time.monotonic() < until_s, seen
            seen += self.poll()
        return seen

    def post(self, packet: str) -> int:
        """Send one packet; the status."""
        framed = packet
        if not self._is_legacy and self._path.startswith("/socket.io/?EIO=3"):
            framed = f"{len(packet)}:{packet}"
        kind = {"Content-Type": "text/plain;charset=UTF-8"}
        url = self._url + self._path
        return self._http.post(url, framed.encode(), headers=kind, timeout=WAIT_S_MAX).status_code

    def emit(self, name: str, body: Any) -> None:
        """Send an event."""
        if self._is_legacy:
            self.post(f"5:::{json.dumps({'name': name, 'args': [body]})}")
        else:
            self.post(f"42{json.dumps([name, body])}")

    def identify(self, who: Credentials) -> None:
        """Say who it is; the answer is not fetched."""
        self.poll_until("identify")
        self.emit("identity", {"uuid": who[0], "token": who[1]})

    def give_up_a_poll(self, server: LiveServer) -> None:
        """Ask, and leave before there is an answer."""
        with open_socket(server) as connection:
            connection.sendall(f"GET {self._path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            time.sleep(0.05)

    def close(self) -> None:
        """Forget it, as a program that crashes does."""
        self._http.close()
