"""The wires that WAMP comes over, for tests: a door on loopback, and bare clients on real sockets.

Door and clients share one thread and one loop, which runs only while a client waits. So a test
reads like one without sockets: whoever looks at what has come sends a ping first, and what the
door had to say before that is there with the pong.
"""

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import uvloop

from thingtank.doors.wamp.door import WampDoor
from thingtank.doors.wamp.rawsocket import FIRST_OCTET
from thingtank.doors.wamp.settings import WampSettings
from thingtank.doors.wamp.websocket import websocket_route
from thingtank.net.shared_port import SharedPort
from thingtank.net.websocket import WebSockets
from thingtank.protocols.wamp.authentication import Authenticator
from thingtank.protocols.wamp.router import Realm

WAIT_S_MAX = 10.0
TRANSPORTS = ("websocket", "batched", "rawsocket")
SERIALIZERS = ("json", "msgpack", "cbor")
RAWSOCKET_IDS = {"json": 1, "msgpack": 2, "cbor": 3}

T = TypeVar("T")


@dataclass(frozen=True)
class Wire:
    """How a client comes in; `memory` is no transport at all."""

    transport: str = "memory"
    serializer: str = "json"

    def __str__(self) -> str:
        return f"{self.transport}-{self.serializer}"


MEMORY = Wire()
WIRES = [Wire(transport, name) for transport in TRANSPORTS for name in SERIALIZERS]


@dataclass
class Current:
    """The wire of the test that runs, and what it has opened."""

    wire: Wire = MEMORY
    loop: asyncio.AbstractEventLoop | None = None
    doors: list["Door"] = field(default_factory=list)
    lines: list["Line"] = field(default_factory=list)
    sockets: list[socket.socket] = field(default_factory=list)


current = Current()


def run(awaited: Coroutine[Any, Any, T]) -> T:
    """Have the loop do something.

    For the rest of the test it counts as running: tests reach into realms and sessions, which then
    want to write to their connections.
    """
    if current.loop is None:
        current.loop = uvloop.new_event_loop()
    asyncio._set_running_loop(None)
    try:
        return current.loop.run_until_complete(awaited)
    finally:
        asyncio._set_running_loop(current.loop)


def turn(seconds: float = 0) -> None:
    """Let the loop look around once."""
    run(asyncio.sleep(seconds))


def until(condition: Callable[[], object], seconds_max: float = WAIT_S_MAX) -> None:
    """Let the loop run until something is so."""
    end = time.monotonic() + seconds_max
    turns = 0
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        turns += 1
        turn(0 if turns < 50 else 0.002)


class Door:
    """A WAMP door, and the port that it listens on."""

    def __init__(
        self,
        realms: Mapping[str, Realm],
        authenticator: Authenticator,
        now_us: Callable[[], int],
        **settings: Any,
    ) -> None:
        self.wamp = WampDoor(WampSettings(**settings), realms, authenticator, now_us, "tank")
        self.websockets = WebSockets(
            {"/ws": websocket_route(self.wamp)}, self.wamp.settings.silence_s
        )
        self.ports: list[SharedPort] = []
        self._port = 0
        current.doors.append(self)

    def make_port(self, tls: ssl.SSLContext | None = None) -> SharedPort:
        adopt = {FIRST_OCTET: self.wamp.adopt_rawsocket}
        self.ports.append(SharedPort(self.websockets, adopt, 1000, tls))
        return self.ports[-1]

    async def listen(self, tls: ssl.SSLContext | None = None) -> int:
        port = self.make_port(tls)
        await port.start("127.0.0.1", 0)
        return port.port

    async def stop(self) -> None:
        for port in self.ports:
            await port.stop()
        self.websockets.close_all()
        for connection in list(self.wamp.connections):
            connection._link.abort()
        await asyncio.sleep(0)

    @property
    def port(self) -> int:
        """Of TCP without TLS; opened when it is first asked for."""
        if not self._port:
            self._port = run(self.listen())
        return self._port


def close_doors() -> None:
    """Close what a test has left open."""
    doors = list(current.doors)
    current.doors.clear()
    for line in current.lines:
        line.close()
    current.lines.clear()
    for connected in current.sockets:
        connected.close()
    current.sockets.clear()
    for door in doors:
        run(door.stop())
        until(lambda door=door: not door.wamp.connections)
    if current.loop is not None and asyncio._get_running_loop() is current.loop:
        asyncio._set_running_loop(None)


def close_loop() -> None:
    """Have no loop any more."""
    if current.loop is not None:
        current.loop.close()
        current.loop = None


def upgrade(protocol: str, *more: str, path: str = "/ws") -> bytes:
    """The request that opens a WebSocket; without a subprotocol if it is blank."""
    lines = [
        f"GET {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        *([f"Sec-WebSocket-Protocol: {protocol}"] if protocol else []),
        *more,
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


TEXT, BINARY, CLOSE, PING, PONG = 0x81, 0x82, 0x88, 0x89, 0x8A


def client_frame(first: int, payload: bytes, mask: bytes = b"\0\0\0\0") -> bytes:
    """A WebSocket frame of a client; a mask of zeros changes nothing."""
    size = len(payload)
    if size < 126:
        head = bytes((first, 0x80 | size))
    elif size < 2**16:
        head = bytes((first, 0xFE)) + size.to_bytes(2, "big")
    else:
        head = bytes((first, 0xFF)) + size.to_bytes(8, "big")
    if any(mask):
        payload = bytes(octet ^ mask[at % 4] for at, octet in enumerate(payload))
    return head + mask + payload


def server_frames(data: bytearray) -> Iterator[tuple[int, bytes]]:
    """Take whole frames off the front: first octet and payload."""
    while len(data) >= 2:
        assert not data[1] & 0x80, "servers do not mask"
        size, at = data[1], 2
        if size == 126:
            size, at = int.from_bytes(data[2:4], "big"), 4
        elif size == 127:
            size, at = int.from_bytes(data[2:10], "big"), 10
        if len(data) < at + size or (data[1] >= 126 and len(data) < at):
            return
        first, payload = data[0], bytes(data[at : at + size])
        del data[: at + size]
        yield first, payload


def rawsocket_frames(data: bytearray) -> Iterator[tuple[int, bytes]]:
    """Take whole frames off the front: type and payload."""
    while len(data) >= 4:
        size = int.from_bytes(data[1:4], "big") or (2**24 if data[0] & 8 else 0)
        if len(data) < 4 + size:
            return
        kind, payload = data[0] & 7, bytes(data[4 : 4 + size])
        del data[: 4 + size]
        yield kind, payload


def rawsocket_frame(kind: int, payload: bytes) -> bytes:
    return bytes((kind,)) + len(payload).to_bytes(3, "big") + payload


class Line:
    """One connection of a client: messages out and in.

    Attributes:
        separator: of messages in a batch of JSON.
        frame_count: of the WebSocket messages that have come.
        ping_count: of those that the door has sent.
        is_mute: whether pings are left unanswered.
    """

    def __init__(self, door: Door, wire: Wire, bytes_max: int = 2**24) -> None:
        self.wire = wire
        self.is_closed = False
        self.close_code: int | None = None
        self.separator = b"\x18"
        self.frame_count = self.ping_count = 0
        self.is_mute = False
        self._messages: list[bytes] = []
        self._pongs: set[bytes] = set()
        self._ping_count = 0
        self._data = bytearray()
        current.lines.append(self)
        self._socket = socket.create_connection(("127.0.0.1", door.port))
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        before = set(door.wamp.connections)
        if wire.transport == "rawsocket":
            self._shake_hands(bytes_max)
        else:
            self._upgrade()
        (self.connection,) = door.wamp.connections - before

    def _shake_hands(self, bytes_max: int) -> None:
        length = bytes_max.bit_length() - 10
        self.write(bytes((0x7F, length << 4 | RAWSOCKET_IDS[self.wire.serializer], 0, 0)))
        until(lambda: self.read() or len(self._data) >= 4)
        assert self._data[0] == 0x7F
        assert self._data[1] & 0x0F == RAWSOCKET_IDS[self.wire.serializer]
        del self._data[:4]

    def _upgrade(self) -> None:
        suffix = ".batched" if self.wire.transport == "batched" else ""
        self.write(upgrade(f"wamp.2.{self.wire.serializer}{suffix}"))
        until(lambda: self.read() or b"\r\n\r\n" in self._data)
        head, _, rest = bytes(self._data).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 ")
        self._data[:] = rest

    def write(self, data: bytes) -> None:
        """Write octets as they are; in vain, if the connection has ended."""
        at = 0

        def write_on() -> bool:
            nonlocal at
            if self.is_closed:
                return True
            try:
                at += self._socket.send(data[at:])
            except BlockingIOError:
                return False
            except ConnectionError:
                return True
            return at == len(data)

        until(write_on)

    def framed(self, *messages: bytes) -> bytes:
        """Messages as they go over this wire: as one batch, if there are batches."""
        if self.wire.transport == "rawsocket":
            return b"".join(rawsocket_frame(0, message) for message in messages)
        first = TEXT if self.wire.serializer == "json" else BINARY
        if self.wire.transport == "batched":
            messages = (self._join(messages),)
        return b"".join(client_frame(first, message) for message in messages)

    def _join(self, messages: Iterable[bytes]) -> bytes:
        if self.wire.serializer == "json":
            return b"".join(message + self.separator for message in messages)
        return b"".join(len(message).to_bytes(4, "big") + message for message in messages)

    def _split(self, batch: bytes) -> Iterator[bytes]:
        if self.wire.serializer == "json":
            assert batch.endswith(self.separator)
            yield from batch[:-1].split(self.separator)
            return
        while batch:
            end = 4 + int.from_bytes(batch[:4], "big")
            assert 4 < end <= len(batch)
            yield batch[4:end]
            batch = batch[end:]

    def send(self, message: bytes) -> None:
        """Send a message, and see that it has been read."""
        self.write(self.framed(message))
        self.settle()

    def settle(self) -> None:
        """Have all that was sent before looked at, and all that was answered before read."""
        self._ask_and_wait()
        connection = self.connection
        while not self.is_closed and (connection._held is not None or connection._is_dirty):
            self._ask_and_wait()  # a pong does not wait for messages that wait for their turn

    def _ask_and_wait(self) -> None:
        self._ping_count += 1
        payload = b"%d" % self._ping_count
        if self.wire.transport == "rawsocket":
            self.write(rawsocket_frame(1, payload))
        else:
            self.write(client_frame(PING, payload))
        turns = 0

        def has_settled() -> bool:
            nonlocal turns
            turns += 1
            # The door reads nothing from a client whose request waits for a decision.
            is_held_up = turns > 5 and self.connection.is_paused and self.connection._held is None
            return self.read() or payload in self._pongs or is_held_up

        until(has_settled)

    def take(self) -> list[bytes]:
        """The messages that have come."""
        if not self.is_closed:
            self.settle()
        messages, self._messages = self._messages, []
        return messages

    def take_unsettled(self) -> list[bytes]:
        """The messages that have come so far, without asking."""
        self.read()
        messages, self._messages = self._messages, []
        return messages

    def lose(self) -> None:
        """Be gone."""
        self.is_closed = True
        self._socket.close()
        until(lambda: self.connection._is_lost)

    def read(self) -> bool:
        """Read what there is; whether the end has come."""
        while not self.is_closed:
            try:
                data = self._socket.recv(2**18)
            except BlockingIOError:
                break
            except ConnectionError:
                data = b""
            if not data:
                self.is_closed = True
                self._socket.close()
            self._data += data
        if not hasattr(self, "connection"):
            return self.is_closed
        if self.wire.transport == "rawsocket":
            for kind, payload in rawsocket_frames(self._data):
                self._take_rawsocket(kind, payload)
        else:
            for first, payload in server_frames(self._data):
                self._take_websocket(first, payload)
        return self.is_closed

    def _take_rawsocket(self, kind: int, payload: bytes) -> None:
        if kind == 0:
            self._messages.append(payload)
        elif kind == 1:
            self._pong(rawsocket_frame(2, payload))
        else:
            assert kind == 2
            self._pongs.add(payload)

    def _pong(self, frame: bytes) -> None:
        self.ping_count += 1
        if not self.is_mute:
            with contextlib.suppress(OSError):
                self._socket.send(frame)

    def _take_websocket(self, first: int, payload: bytes) -> None:
        if first == PONG:
            self._pongs.add(payload)
        elif first == PING:
            self._pong(client_frame(PONG, payload))
        elif first == CLOSE:
            self.close_code = int.from_bytes(payload[:2], "big")
        else:
            self.frame_count += 1
            assert first == (TEXT if self.wire.serializer == "json" else BINARY)
            if self.wire.transport == "batched":
                self._messages += self._split(payload)
            else:
                self._messages.append(payload)

    def close(self) -> None:
        """Let go of the socket."""
        self.is_closed = True
        self._socket.close()


class Octets:
    """A connection that sends and reads octets as they are."""

    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected
        self.data = bytearray()
        self.is_closed = False
        connected.setblocking(False)
        if connected.family != socket.AF_UNIX:
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        current.sockets.append(connected)

    def send(self, data: bytes) -> None:
        """Write all, or as much as the other end takes before it closes."""
        at = 0

        def send_on() -> bool:
            nonlocal at
            try:
                at += self.socket.send(data[at:])
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return False
            except OSError:
                return True
            return at == len(data)

        until(send_on)

    def read(self) -> bool:
        """Read what there is; whether the end has come."""
        while not self.is_closed:
            try:
                data = self.socket.recv(2**18)
            except (BlockingIOError, ssl.SSLWantReadError):
                break
            except OSError:
                data = b""
            self.is_closed = not data
            self.data += data
        return self.is_closed

    def take(self, size: int) -> bytes:
        """So many octets, which are to come."""
        until(lambda: self.read() or len(self.data) >= size)
        assert len(self.data) >= size
        taken = bytes(self.data[:size])
        del self.data[:size]
        return taken

    def take_head(self) -> str:
        """Up to a blank line, which is to come."""
        until(lambda: self.read() or b"\r\n\r\n" in self.data)
        head, _, rest = bytes(self.data).partition(b"\r\n\r\n")
        self.data[:] = rest
        return head.decode()

    def take_rest(self) -> bytes:
        """All that comes until the end, which is to come."""
        until(self.read)
        self.socket.close()
        return bytes(self.data)

    def is_silent(self) -> bool:
        """Whether the door waits for more."""
        for _ in range(20):
            turn()
        return not self.read() and not self.data
