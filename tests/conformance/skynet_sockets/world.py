"""SkyNet's sockets over memory twins, on a real port, and bare clients of each wire."""

import asyncio
import contextlib
import json
import socket
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import urlencode

import msgspec
import uvicorn
from tests.waiting import until
from websockets.asyncio.client import ClientConnection, connect

from thingtank.doors.skynet.door import SkynetDoor
from thingtank.doors.skynet.operations import devices
from thingtank.doors.skynet.parties import Parties
from thingtank.doors.skynet.rates import Rates
from thingtank.doors.skynet.raw_websocket import raw_websocket_route
from thingtank.doors.skynet.settings import SkynetSettings
from thingtank.doors.skynet.sockets.door import SkynetSockets
from thingtank.doors.skynet.sockets.http import SocketHttp
from thingtank.doors.skynet.sockets.websockets import SocketioWebSockets
from thingtank.net.bounded_http import HttpLimits
from thingtank.net.direct_http import DirectRoute, direct_http
from thingtank.net.forwarded import client_of
from thingtank.net.identity.principals import Callers
from thingtank.server.steady_clock import SteadyClock
from thingtank.stores.memory_archive import MemoryArchive
from thingtank.stores.memory_device_events import MemoryDeviceEvents
from thingtank.stores.memory_directory import MemoryDirectory
from thingtank.stores.memory_kept_messages import MemoryKeptMessages
from thingtank.tank.access import Caller
from thingtank.tank.messaging.permissions import Party, Policy
from thingtank.tank.tank import Tank

WAIT_S_MAX = 15.0  # less than a poll takes by itself, or the server waits for who is gone
UNLIMITED = SkynetSettings(rate_messages_s=0, rate_data_s=0, rate_queries_s=0, rate_connections_s=0)


class World:
    """A tank, its sockets, and who is there.

    Attributes:
        port: of the server.
        headers: that all requests have, a line each, as a proxy adds them.
    """

    def __init__(
        self, *, is_open: bool = True, trusted_proxies: tuple[str, ...] = (), **settings: Any
    ) -> None:
        directory = MemoryDirectory()
        self.tank = Tank(
            directory,
            MemoryArchive(),
            policy=Policy(is_open),
            device_events=MemoryDeviceEvents(),
            kept_messages=MemoryKeptMessages(),
        )
        account = directory.add_account("ada")
        now_us = SteadyClock().now_us
        chosen = msgspec.structs.replace(UNLIMITED, **settings)
        parties = Parties(directory, Callers(directory, self.tank.clock.now_us), now_us)
        rates = Rates(chosen)
        self.door = SkynetDoor(chosen, self.tank, parties, rates, account.account_id, now_us)
        self.sockets = SkynetSockets(self.door)
        self.websockets: list[ClientConnection] = []
        self.writers: list[asyncio.StreamWriter] = []
        self.headers: tuple[str, ...] = ()
        find_client = client_of(trusted_proxies)
        http = SocketHttp(self.sockets, find_client)
        routes = SocketioWebSockets(self.sockets).routes() | raw_websocket_route(self.sockets)
        route = DirectRoute((b"/socket.io",), http.answer, bool(trusted_proxies))
        route = route._replace(finds_clients=(b"/socket.io",))
        upgrades = self.sockets.upgrades(routes, find_client)
        config = uvicorn.Config(
            http,
            http=direct_http(HttpLimits(), route, upgrades),
            interface="asgi3",
            lifespan="off",
            log_config=None,
            access_log=False,
            forwarded_allow_ips=list(trusted_proxies),
        )
        config.load()
        self._server = uvicorn.Server(config)
        self._server.lifespan = config.lifespan_class(config)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    async def start(self) -> None:
        # Without uvicorn's loop, whose end takes a tenth of a second.
        await self._server.startup([self._listener])
        self.sockets.start()

    async def stop(self) -> None:
        await self.sockets.stop()
        for websocket in self.websockets:
            await websocket.close()
        for writer in self.writers:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
        for server in self._server.servers:
            server.close()
        await eventually(lambda: not self._server.server_state.connections)

    async def device(self, **properties: Any) -> dict[str, str]:
        """A new device's uuid and token; made by a person, whose rate is nobody's here."""
        account = self.tank.directory.get_account(self.door.account_id)
        person = Party(Caller(account, address="127.0.0.1"))
        made = await devices.register(self.door, person, properties, is_legacy=False)
        return {"uuid": made.device.uuid, "token": made.token}

    def url(self, path: str, scheme: str = "ws") -> str:
        return f"{scheme}://127.0.0.1:{self.port}{path}"

    async def websocket(self, path: str, **options: Any) -> ClientConnection:
        added = [tuple(line.split(": ")) for line in self.headers]
        headers = {"additional_headers": added} if added else {}
        opened = await connect(self.url(path), **{"compression": None, **headers, **options})
        self.websockets.append(opened)
        return opened


eventually = partial(until, s_max=WAIT_S_MAX)


class Client:
    """One client of any wire: emits events, keeps what comes until it is asked for.

    Attributes:
        socket_id: as `identify` said.
    """

    is_legacy = False

    def __init__(self, world: World) -> None:
        self.world = world
        self.socket_id = ""
        self._came: list[tuple[str, list[Any]]] = []
        self._acks: dict[int, list[Any]] = {}
        self._asks: list[tuple[int, str, list[Any]]] = []  # events that are to be acknowledged
        self._ack_count = 0

    async def open(self) -> "Client":
        await self.connect()
        ((identified),) = await self.heard("identify")
        self.socket_id = identified["socketid"]
        return self

    async def identify(self, device: dict[str, str], **more: Any) -> Any:
        """What `ready` said."""
        await self.emit("identity", {**device, **more})
        (ready,) = await self.heard("ready")
        return ready

    async def emit(self, name: str, *args: Any) -> None:
        await self.send_packet(self.event(name, args, None))

    async def ask(self, name: str, *args: Any) -> Any:
        """The one value of an acknowledgement; None of an empty one."""
        values = await self.ask_all(name, *args)
        assert len(values) < 2, values
        return values[0] if values else None

    async def ask_all(self, name: str, *args: Any) -> list[Any]:
        self._ack_count += 1
        number = self._ack_count
        await self.send_packet(self.event(name, args, number))
        return await self.acknowledged(number)

    async def acknowledged(self, number: int) -> Any:
        """The values of an acknowledgement."""
        return await self._until(lambda: self._acks.pop(number, None))

    async def heard(self, name: str) -> list[Any]:
        """The arguments of the next event of a name, which is the next of all."""

        def first() -> list[Any] | None:
            if not self._came:
                return None
            came_name, args = self._came.pop(0)
            assert came_name == name, (came_name, args)
            return args

        return await self._until(first)

    async def heard_to_acknowledge(self) -> tuple[int, str, list[Any]]:
        return await self._until(lambda: self._asks.pop(0) if self._asks else None)

    def acks_left(self) -> list[int]:
        """Ids of acknowledgements that came and were not asked for."""
        return list(self._acks)

    async def hears_nothing(self) -> None:
        """Whatever is under way has come when a question is answered; and it was nothing."""
        await self.ask("status")
        assert self._came == []

    async def _until(self, found: Callable[[], Any]) -> Any:
        async with asyncio.timeout(WAIT_S_MAX):
            while (value := found()) is None:
                for packet in await self.receive_packets():
                    self.take(packet)
        return value

    def take(self, packet: str) -> None:
        """Keep what a packet says."""
        raise NotImplementedError

    async def connect(self) -> None:
        raise NotImplementedError

    def event(self, name: str, args: tuple[Any, ...], ack: int | None) -> str:
        raise NotImplementedError

    def acknowledgement(self, ack: int, args: list[Any]) -> str:
        raise NotImplementedError

    async def send_packet(self, packet: str) -> None:
        raise NotImplementedError

    async def receive_packets(self) -> list[str]:
        """At least one packet."""
        raise NotImplementedError

    async def close(self) -> None:
        raise NotImplementedError


class Legacy(Client):
    """Packets of socket.io 0.9."""

    is_legacy = True

    def event(self, name: str, args: tuple[Any, ...], ack: int | None) -> str:
        number = "" if ack is None else f"{ack}+"
        return f"5:{number}::" + json.dumps({"name": name, "args": args}, ensure_ascii=False)

    def acknowledgement(self, ack: int, args: list[Any]) -> str:
        return f"6:::{ack}+{json.dumps(args)}"

    def take(self, packet: str) -> None:
        kind, number, _, data = [*packet.split(":", 3), ""][:4]
        if kind == "5":
            event = json.loads(data)
            if number:
                self._asks.append((int(number.rstrip("+")), event["name"], event["args"]))
            else:
                self._came.append((event["name"], event.get("args", [])))
        elif kind == "6":
            ack, plus, values = data.partition("+")
            self._acks[int(ack)] = json.loads(values) if plus else []
        elif kind in "012":
            self._came.append((packet, []))
        else:
            assert kind in "78", packet

    async def handshake(self) -> str:
        """The id of a new session."""
        answer = await Http(self.world).ask("GET", "/socket.io/1/?t=1")
        return answer.body.decode().split(":")[0]


class Modern(Client):
    """Packets of socket.io 1.0 and later."""

    revision = 4

    @property
    def query(self) -> dict[str, str]:
        return {"EIO": str(self.revision)}

    def event(self, name: str, args: tuple[Any, ...], ack: int | None) -> str:
        number = "" if ack is None else ack
        return f"42{number}" + json.dumps([name, *args], ensure_ascii=False)

    def acknowledgement(self, ack: int, args: list[Any]) -> str:
        return f"43{ack}{json.dumps(args)}"

    def take(self, packet: str) -> None:
        kind = packet[:2]
        start = packet.find("[")
        if kind == "42":
            name, *args = json.loads(packet[start:])
            self._came.append((name, args))
        elif kind == "43":
            self._acks[int(packet[2:start])] = json.loads(packet[start:])
        elif kind == "40":
            pass
        elif packet[:1] not in "036":
            self._came.append((packet, []))


class OverWebSocket(Client):
    """Sends and receives by WebSocket."""

    ws: ClientConnection

    async def send_packet(self, packet: str) -> None:
        await self.ws.send(packet)

    async def receive_packets(self) -> list[str]:
        message = await self.ws.recv()
        assert isinstance(message, str)
        return [message]

    async def close(self) -> None:
        await self.ws.close()


class LegacyWebSocket(Legacy, OverWebSocket):
    async def connect(self) -> None:
        sid = await self.handshake()
        self.ws = await self.world.websocket(f"/socket.io/1/websocket/{sid}")
        await self.heard("1::")


class LegacyPolling(Legacy):
    """By xhr-polling: a poll for each look."""

    transport = "xhr-polling"

    async def connect(self) -> None:
        self.sid = await self.handshake()
        self.http = Http(self.world)
        await self.heard("1::")

    @property
    def path(self) -> str:
        return f"/socket.io/1/{self.transport}/{self.sid}?t=1"

    async def send_packet(self, packet: str) -> None:
        answer = await Http(self.world).ask("POST", self.path, packet.encode(), "text/plain")
        assert answer.body == b"1", answer

    async def receive_packets(self) -> list[str]:
        answer = await self.http.ask("GET", self.path)
        assert answer.headers["content-type"] == "text/plain; charset=UTF-8"
        return legacy_packets(answer.body.decode())

    async def close(self) -> None:
        answer = await Http(self.world).ask("GET", f"{self.path}&disconnect=True")
        assert (answer.status, answer.body) == (200, b"")


def legacy_packets(body: str) -> list[str]:
    """The packets of a polling body."""
    if not body.startswith("\ufffd"):
        return [body]
    packets = []
    while body:
        _, length, body = body.split("\ufffd", 2)
        packets.append(body[: int(length)])
        body = body[int(length) :]
    return packets


class LegacyJsonp(LegacyPolling):
    transport = "jsonp-polling"

    @property
    def path(self) -> str:
        return f"{super().path}&i=0"

    async def send_packet(self, packet: str) -> None:
        form = urlencode({"d": json.dumps(packet)}).encode()
        kind = "application/x-www-form-urlencoded"
        answer = await Http(self.world).ask("POST", self.path, form, kind)
        assert answer.body == b"1", answer

    async def receive_packets(self) -> list[str]:
        text = (await self.http.ask("GET", self.path)).body.decode()
        assert (text[:8], text[-2:]) == ("io.j[0](", ");"), text
        return legacy_packets(json.loads(text[8:-2]))


class ModernWebSocket(Modern, OverWebSocket):
    async def connect(self) -> None:
        query = urlencode({**self.query, "transport": "websocket"})
        self.ws = await self.world.websocket(f"/socket.io/?{query}")
        if self.revision == 4:
            await self.ws.send("40")


class Engine3WebSocket(ModernWebSocket):
    revision = 3


class ModernPolling(Modern):
    """A poll for each look."""

    is_text = True

    @property
    def query(self) -> dict[str, str]:
        return {**super().query, "transport": "polling", "t": "abc"}

    async def connect(self) -> None:
        self.http = Http(self.world)
        self.sid = ""
        (opened,) = await self.receive_packets()
        self.opened = json.loads(opened[1:])
        self.sid = self.opened["sid"]
        if self.revision == 4:
            await self.send_packet("40")

    @property
    def path(self) -> str:
        sid = {"sid": self.sid} if self.sid else {}
        return "/socket.io/?" + urlencode({**self.query, **sid})

    async def send_packet(self, packet: str) -> None:
        answer = await Http(self.world).ask("POST", self.path, self.framed(packet), self.kind)
        assert (answer.status, answer.body) == (200, b"ok"), answer

    kind = "text/plain;charset=UTF-8"

    def framed(self, packet: str) -> bytes:
        return packet.encode()

    async def receive_packets(self) -> list[str]:
        answer = await self.http.ask("GET", self.path)
        assert answer.status == 200, answer
        return self.parted(answer.body)

    def parted(self, body: bytes) -> list[str]:
        return body.decode().split("\x1e")

    async def upgrade(self) -> ClientConnection:
        """A WebSocket for the session, probed."""
        query = urlencode({**self.query, "transport": "websocket", "sid": self.sid})
        ws = await self.world.websocket(f"/socket.io/?{query}")
        await ws.send("2probe")
        assert await ws.recv() == "3probe"
        return ws

    async def close(self) -> None:
        await self.send_packet("1")


class Engine3Polling(ModernPolling):
    """As Node's meshblu: text, because it asks for it."""

    revision = 3

    @property
    def query(self) -> dict[str, str]:
        return {**super().query, "b64": "1"}

    def framed(self, packet: str) -> bytes:
        return f"{len(packet)}:{packet}".encode()

    def parted(self, body: bytes) -> list[str]:
        packets, text = [], body.decode()
        while text:
            length, _, text = text.partition(":")
            packets.append(text[: int(length)])
            text = text[int(length) :]
        return packets


class Engine3Binary(ModernPolling):
    """As Python's socketIO_client 0.7."""

    revision = 3
    kind = "application/octet-stream"

    def framed(self, packet: str) -> bytes:
        data = packet.encode()
        return b"\0" + bytes(map(int, str(len(data)))) + b"\xff" + data

    def parted(self, body: bytes) -> list[str]:
        packets = []
        while body:
            length, _, body = body[1:].partition(b"\xff")
            size = int("".join(map(str, length)))
            packets.append(body[:size].decode())
            body = body[size:]
        return packets


WIRES: dict[str, type[Client]] = {
    "0.9 websocket": LegacyWebSocket,
    "0.9 xhr-polling": LegacyPolling,
    "0.9 jsonp-polling": LegacyJsonp,
    "3 websocket": Engine3WebSocket,
    "3 polling": Engine3Polling,
    "3 binary polling": Engine3Binary,
    "4 websocket": ModernWebSocket,
    "4 polling": ModernPolling,
}


class HttpAnswer(msgspec.Struct):
    status: int
    headers: dict[str, str]
    body: bytes


class Http:
    """One connection."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.writer: asyncio.StreamWriter | None = None
        self._reader: asyncio.StreamReader

    async def send(
        self, method: str, path: str, body: bytes = b"", kind: str = "", *headers: str
    ) -> None:
        if self.writer is None:
            self._reader, self.writer = await asyncio.open_connection("127.0.0.1", self._world.port)
            self._world.writers.append(self.writer)
        lines = [f"{method} {path} HTTP/1.1", "Host: localhost", *self._world.headers, *headers]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        if kind:
            lines.append(f"Content-Type: {kind}")
        self.writer.write("\r\n".join([*lines, "", ""]).encode() + body)

    async def receive(self) -> HttpAnswer:
        async with asyncio.timeout(WAIT_S_MAX):
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head.strip().split("\r\n")
            pairs = [line.partition(": ") for line in lines]
            headers = {name.lower(): value for name, _, value in pairs}
            body = await self._reader.readexactly(int(headers.get("content-length", 0)))
        return HttpAnswer(int(first.split()[1]), headers, body)

    async def ask(
        self, method: str, path: str, body: bytes = b"", kind: str = "", *headers: str
    ) -> HttpAnswer:
        await self.send(method, path, body, kind, *headers)
        return await self.receive()

    def hang_up(self) -> None:
        assert self.writer is not None
        self.writer.close()
