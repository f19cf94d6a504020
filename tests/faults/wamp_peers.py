"""Bare WAMP clients of a running server, well-behaved or not: blocking sockets, JSON."""

import contextlib
import json
import socket
import ssl
import struct
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from tests.conformance.wamp.wires import (
    CLOSE,
    PING,
    PONG,
    TEXT,
    client_frame,
    rawsocket_frame,
    rawsocket_frames,
    server_frames,
    upgrade,
)
from tests.live_server import LiveServer

WAIT_S_MAX = 15.0
ROLES = {role: {} for role in ("publisher", "subscriber", "caller", "callee")}
_ANYBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
_ANYBODY.check_hostname, _ANYBODY.verify_mode = False, ssl.CERT_NONE
HELLO = [1, "realm1", {"roles": ROLES}]


class Peer:
    """A session, or what may become one.

    Its transport is `rawsocket`, `websocket`, `tls` for RawSocket with TLS, or `web port` for
    WebSocket by the other port.

    Attributes:
        id: of the session.
        is_ended: the server has closed the connection.
    """

    def __init__(
        self,
        server: LiveServer,
        transport: str = "rawsocket",
        *,
        joins: bool = True,
        rcvbuf: int = 0,
    ) -> None:
        ways = {"web port": server.url, "tls": server.sockets.get("wamp_tls", "")}
        address = urlsplit(ways.get(transport, server.sockets["wamp"]))
        self.transport = {"web port": "websocket", "tls": "rawsocket"}.get(transport, transport)
        self.socket = socket.socket()
        if rcvbuf:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        self.data = bytearray()
        self.messages: list[list[Any]] = []
        self.request_id = self.id = 0
        self.is_ended = False
        try:
            self._connect((address.hostname, address.port), is_secure=transport == "tls")
            if joins:
                self.begin()
                self.hello()
        except BaseException:
            self.socket.close()
            raise

    def _connect(self, address: tuple[str | None, int | None], *, is_secure: bool) -> None:
        self.socket.settimeout(WAIT_S_MAX)
        self.socket.connect(address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if is_secure:
            self.socket = _ANYBODY.wrap_socket(self.socket)

    def begin(self) -> None:
        """Ask for the transport, without waiting for the answer."""
        if self.transport == "rawsocket":
            self.socket.sendall(b"\x7f\xf1\0\0")
            while len(self.data) < 4:
                self._receive()
            del self.data[:4]
        else:
            self.socket.sendall(upgrade("wamp.2.json"))
            while b"\r\n\r\n" not in self.data:
                self._receive()
            assert self.data.startswith(b"HTTP/1.1 101 ")
            del self.data[: self.data.index(b"\r\n\r\n") + 4]

    def hello(self) -> None:
        self.send(*HELLO)
        welcome = self.read()
        assert welcome[0] == 2
        self.id = welcome[1]

    def framed(self, message: bytes) -> bytes:
        if self.transport == "rawsocket":
            return rawsocket_frame(0, message)
        return client_frame(TEXT, message)

    def send(self, *elements: Any) -> None:
        self.socket.sendall(self.framed(json.dumps(elements).encode()))

    def ask(self, code: int, *elements: Any, **options: Any) -> int:
        """Send a request; its id."""
        self.request_id += 1
        self.send(code, self.request_id, options, *elements)
        return self.request_id

    def read(self, seconds_max: float = WAIT_S_MAX) -> list[Any]:
        """The next message; None when the server has closed."""
        end = time.monotonic() + seconds_max
        while not self.messages:
            self.socket.settimeout(max(0.01, end - time.monotonic()))
            self._receive()
            self._unpack()
            if self.is_ended:
                break
        return self.messages.pop(0) if self.messages else []

    def read_until(self, code: int) -> list[list[Any]]:
        """All messages up to the first of a code."""
        read = [self.read()]
        while read[-1][0] != code:
            read.append(self.read())
        return read

    def read_rest(self) -> list[list[Any]]:
        """All messages until the server closes."""
        read = []
        while message := self.read():
            read.append(message)
        assert self.is_ended
        return read

    def call(self, procedure: str, *args: Any) -> Any:
        """The only result."""
        self.ask(48, procedure, args)
        answer = self.read()
        assert answer[:2] == [50, self.request_id], answer
        return answer[3][0]

    def _receive(self) -> None:
        try:
            data = self.socket.recv(2**18)
        except ConnectionError:
            data = b""
        self.is_ended = not data
        self.data += data

    def _unpack(self) -> None:
        if self.transport == "rawsocket":
            for kind, payload in rawsocket_frames(self.data):
                if kind == 0:
                    self.messages.append(json.loads(payload))
                elif kind == 1:
                    self.socket.sendall(rawsocket_frame(2, payload))
            return
        for first, payload in server_frames(self.data):
            if first == TEXT:
                self.messages.append(json.loads(payload))
            elif first == PING:
                self.socket.sendall(client_frame(PONG, payload))
            else:
                assert first in (CLOSE, PONG)

    def reset(self) -> None:
        """Be gone at once, as a crashed machine is once it is up again."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


@contextlib.contextmanager
def peers() -> Iterator[list[Peer]]:
    """Peers that are closed in the end, whatever fails; each is to be added as soon as it is there."""
    opened: list[Peer] = []
    try:
        yield opened
    finally:
        for each in opened:
            each.socket.close()
