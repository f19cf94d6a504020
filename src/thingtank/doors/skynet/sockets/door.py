"""All clients on SkyNet's sockets: how many there may be, what is due for them, what is written."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from http import HTTPStatus
from secrets import token_urlsafe

from thingtank.doors.skynet.door import SkynetDoor
from thingtank.doors.skynet.settings import SkynetSettings
from thingtank.doors.skynet.sockets.client import Arrival, Client
from thingtank.doors.skynet.sockets.deadlines import Deadlines
from thingtank.doors.skynet.sockets.socketio_client import (
    EngineClient,
    LegacyClient,
    SocketioClient,
)
from thingtank.net.adoption import Adopt
from thingtank.net.forwarded import ClientOf
from thingtank.net.identity.sweeper import Sweeper
from thingtank.net.websocket import Refused, WebSocketRoute, WebSockets
from thingtank.protocols.engineio import session as engineio
from thingtank.protocols.engineio.bounds import Bounds as EngineBounds
from thingtank.protocols.engineio.requests import Handshake
from thingtank.protocols.socketio import session as socketio
from thingtank.protocols.socketio.bounds import Bounds as SocketioBounds
from thingtank.protocols.socketio.legacy import session as legacy
from thingtank.protocols.socketio.legacy.bounds import Bounds as LegacyBounds
from thingtank.tank.networks import network_of

FULL = Refused(HTTPStatus.SERVICE_UNAVAILABLE, "There are too many connections.")
FULL_OF_ADDRESS = Refused(
    HTTPStatus.SERVICE_UNAVAILABLE, "There are too many connections from your address."
)
_ID_BYTES = 15


class SkynetSockets:
    """All clients. Lives in the loop's thread.

    Attributes:
        door: what they share with SkyNet's other wires.
        clients: that are connected.
        deadlines: heartbeats, and ends of what has been waited for long enough.
    """

    def __init__(self, door: SkynetDoor) -> None:
        """Let nobody in yet; `start` looks after rights."""
        self.door = door
        self.clients: set[Client] = set()
        self.deadlines = Deadlines(door.now_us)
        self._by_sid: dict[str, SocketioClient] = {}
        self._of_network: Counter[str] = Counter()
        self._dirty: list[Client] = []
        self._loop = asyncio.get_running_loop()
        self._sweeper: Sweeper[Client] = Sweeper(
            lambda: self.clients, Client.look_at_rights, self._loop
        )
        self._websockets: list[WebSockets] = []
        self._engine_bounds = _engine_bounds(door.settings)
        self._socketio_bounds = _socketio_bounds(door.settings)
        self.legacy_bounds = _legacy_bounds(door.settings)

    def start(self) -> None:
        """See to it that rights end in time."""
        self._sweeper.start()

    def upgrades(
        self, routes: Mapping[str, WebSocketRoute], find_client: ClientOf | None = None
    ) -> dict[bytes, Adopt]:
        """Who takes over connections that ask for a WebSocket, by path.

        Args:
            routes: of this door, by path.
            find_client: believes the proxies in front.
        """
        websockets = WebSockets(routes, self.door.settings.heartbeat_timeout_s, find_client)
        self._websockets.append(websockets)
        return {path.encode(): websockets.adopt for path in routes}

    async def stop(self) -> None:
        """Let all clients go; those that come back by themselves may."""
        self._sweeper.stop()
        for client in list(self.clients):
            client.let_go()
        self._flush()
        self.deadlines.stop()
        for websockets in self._websockets:
            websockets.close_all()
        await asyncio.sleep(0)  # what polls are answered by is written at the end of a turn

    # --- who comes and goes ---

    def refusal_of(self, address: str) -> Refused | None:
        """Why nobody more may come in from an address; None if one may."""
        settings = self.door.settings
        if len(self.clients) >= settings.connections_max:
            return FULL
        if self._of_network[network_of(address)] >= settings.connections_per_address_max:
            return FULL_OF_ADDRESS
        return None

    def open_engine(self, handshake: Handshake, arrival: Arrival) -> EngineClient:
        """A client of socket.io 1.0 or later has come."""
        client = EngineClient(self, new_id(), arrival)
        now_us = self.door.now_us()
        engine = engineio.Session(
            new_id(),
            handshake.revision,
            handshake.transport,
            now_us,
            self._engine_bounds,
            is_base64=handshake.is_base64,
        )
        client.session = socketio.Session(engine, client.socket_id, now_us, self._socketio_bounds)
        self._by_sid[engine.sid] = client
        self.remember(client)
        return client

    def open_legacy(self, arrival: Arrival) -> LegacyClient:
        """A client of socket.io 0.9 shakes hands."""
        client = LegacyClient(self, new_id(), arrival)
        now_us = self.door.now_us()
        client.session = legacy.Session(new_id(), client.socket_id, now_us, self.legacy_bounds)
        self._by_sid[client.session.sid] = client
        self.remember(client)
        return client

    def find_engine(self, sid: str) -> EngineClient | None:
        """The client of a session."""
        client = self._by_sid.get(sid)
        return client if isinstance(client, EngineClient) else None

    def find_legacy(self, sid: str) -> LegacyClient | None:
        """The client of a session of socket.io 0.9."""
        client = self._by_sid.get(sid)
        return client if isinstance(client, LegacyClient) else None

    def remember(self, client: Client) -> None:
        """A client has come."""
        self.clients.add(client)
        self._of_network[network_of(client.address)] += 1
        self.deadlines.watch(client)

    def forget(self, client: Client) -> None:
        """A client has left; its session may have last words."""
        if client not in self.clients:
            return
        self.clients.discard(client)
        network = network_of(client.address)
        self._of_network[network] -= 1
        if not self._of_network[network]:
            del self._of_network[network]

    def drop(self, client: SocketioClient) -> None:
        """A session has nothing more to say."""
        self._by_sid.pop(client.sid, None)
        self.deadlines.forget(client)

    # --- what is written ---

    def flush_soon(self, client: Client) -> None:
        """Have a client's `flush` called at the end of the turn."""
        if not self._dirty:
            self._loop.call_soon(self._flush)
        self._dirty.append(client)

    def _flush(self) -> None:
        dirty, self._dirty = self._dirty, []
        for client in dirty:
            client.flush()

    def call_soon(self, call: Callable[[], None]) -> None:
        """Call in the loop's next turn."""
        self._loop.call_soon(call)


def new_id() -> str:
    """An id that cannot be guessed, of letters that need no escapes."""
    return token_urlsafe(_ID_BYTES)


def _engine_bounds(settings: SkynetSettings) -> EngineBounds:
    timeout_ms = round(settings.heartbeat_timeout_s * 1000)
    return EngineBounds(
        ping_interval_ms=round(settings.heartbeat_s * 1000),
        ping_timeout_ms=timeout_ms,
        old_ping_timeout_ms=timeout_ms,
        payload_bytes_max=settings.message_bytes_max,
        queue_bytes_max=settings.unread_bytes_max,
    )


def _socketio_bounds(settings: SkynetSettings) -> SocketioBounds:
    return SocketioBounds(attachment_bytes_max=settings.message_bytes_max)


def _legacy_bounds(settings: SkynetSettings) -> LegacyBounds:
    return LegacyBounds(
        heartbeat_interval_s=_seconds(settings.heartbeat_s),
        heartbeat_timeout_s=_seconds(settings.heartbeat_timeout_s),
        close_timeout_s=_seconds(settings.abandoned_s),
        poll_s_max=_seconds(settings.poll_s),
        payload_bytes_max=settings.message_bytes_max,
        queue_bytes_max=settings.unread_bytes_max,
    )


def _seconds(value_s: float) -> int:
    """Whole seconds: clients are told no others."""
    return max(1, round(value_s))
