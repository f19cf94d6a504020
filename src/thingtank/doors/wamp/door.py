"""The WAMP door: its realms, all connections to them, and what is done at the end of each turn."""

import asyncio
import contextlib
import os
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence

import structlog

from thingtank.doors.wamp.connection import Connection
from thingtank.doors.wamp.rawsocket import RawSocket
from thingtank.doors.wamp.settings import WampSettings
from thingtank.net.websocket import WebSocketHead
from thingtank.protocols.wamp.authentication import Authenticator
from thingtank.protocols.wamp.reception import Reception, SessionBounds
from thingtank.protocols.wamp.router import Realm, SessionIds

log = structlog.get_logger()

STOP_S_MAX = 1.0  # for clients to echo GOODBYE
HELD_MESSAGES_MAX = 65_536  # as many as a batch may have; nothing more is read meanwhile
HELD_BYTES_MAX = 32 * 2**20
DECISION_S_MORE = 1.0  # than any authorizer may take, whose own time begins a turn later

_US_PER_S = 1_000_000
_IDS_AT_ONCE = 512

Headers = Sequence[tuple[str, str]]


def random_ids() -> Iterator[int]:
    """Ids without end that nobody can foresee: 1 to 2^53, each as likely."""
    layout = struct.Struct(f"={_IDS_AT_ONCE}Q")
    while True:
        for number in layout.unpack(os.urandom(layout.size)):
            yield (number >> 11) + 1


def _bounds(settings: WampSettings) -> SessionBounds:
    """How patient sessions are: more so than the most patient role is with its authorizer."""
    longest_s = max(
        (role.authorizer_s_max for realm in settings.realms for role in realm.roles), default=0.0
    )
    return SessionBounds(
        decision_s_max=max(SessionBounds().decision_s_max, longest_s + DECISION_S_MORE),
        held_messages_max=HELD_MESSAGES_MAX,
        held_bytes_max=HELD_BYTES_MAX,
    )


class WampDoor:
    """Where WAMP clients come in, by whichever transport.

    Attributes:
        reception: what their sessions share.
        connections: all there are.
        handshakes: of RawSocket, that go on.
        dropped_count: events that were not sent to clients who read too slowly.
    """

    def __init__(
        self,
        settings: WampSettings,
        realms: Mapping[str, Realm],
        authenticator: Authenticator,
        now_us: Callable[[], int],
        agent: str,
        cookie_headers: Callable[[WebSocketHead], Headers] | None = None,
    ) -> None:
        """Open it for realms that are there.

        Args:
            now_us: of a clock that does not jump.
            agent: what WELCOME says that this is.
            cookie_headers: with what a WebSocket's answer sets a cookie.
        """
        self.settings = settings
        self.realms = realms
        self.cookie_headers = cookie_headers
        self.reception = Reception(
            realms.get,
            authenticator,
            SessionIds(random_ids().__next__),
            now_us,
            agent,
            "sequential" if settings.strict_ids else "any",
            _bounds(settings),
        )
        self.connections: set[Connection] = set()
        self.handshakes: set[object] = set()
        self.dropped_count = 0
        self._dirty: list[Connection] = []
        self._all_gone: asyncio.Event | None = None  # while it stops
        self._timers: dict[str, tuple[int, asyncio.TimerHandle]] = {}

    @property
    def is_full(self) -> bool:
        """Whether there are as many connections as there may be."""
        count = len(self.connections) + len(self.handshakes)
        return count >= self.settings.connections_max

    def adopt_rawsocket(self, transport: asyncio.Transport, data: bytes) -> None:
        """Take over a connection that began with RawSocket's first octet."""
        rawsocket = RawSocket(self, transport)
        transport.set_protocol(rawsocket)
        rawsocket.data_received(data)

    def remember(self, connection: Connection) -> None:
        """Have one more."""
        self.connections.add(connection)

    def forget(self, connection: Connection) -> None:
        """Have one less."""
        self.connections.discard(connection)
        if self._all_gone is not None and not self.connections:
            self._all_gone.set()

    def flush_soon(self, connection: Connection) -> None:
        """Have a connection written to at the end of this turn; once in each."""
        if not self._dirty:
            asyncio.get_running_loop().call_soon(self._flush)
        self._dirty.append(connection)

    def _flush(self) -> None:
        dirty, self._dirty = self._dirty, []
        for connection in dirty:
            try:
                connection.flush()
            except Exception:
                # A fault of ours in one must not cost the others what they are sent.
                log.exception("wamp_flush_failed", address=connection.facts.peer)
                connection.abort()
        for name, realm in self.realms.items():
            self._look_at_clock(name, realm)

    def _look_at_clock(self, name: str, realm: Realm) -> None:
        """Have a timer for the call that runs out next, if any does."""
        due_us = realm.dealer.next_due_us()
        timer = self._timers.get(name)
        if timer is not None:
            if timer[0] == due_us:
                return
            self._timers.pop(name)[1].cancel()
        if due_us is not None:
            delay_s = max(0, due_us - self.reception.now_us()) / _US_PER_S
            loop = asyncio.get_running_loop()
            handle = loop.call_later(delay_s, self._take_due, name, realm)
            self._timers[name] = due_us, handle

    def _take_due(self, name: str, realm: Realm) -> None:
        self._timers.pop(name, None)
        realm.dealer.take_due(self.reception.now_us())
        self._look_at_clock(name, realm)

    async def stop(self) -> None:
        """Say goodbye to all clients, wait a moment for them, and close their connections."""
        for realm in self.realms.values():
            realm.close()
        if self.connections:
            self._all_gone = asyncio.Event()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._all_gone.wait(), STOP_S_MAX)
        for connection in list(self.connections):
            connection.close()
        for _, handle in self._timers.values():
            handle.cancel()
