"""The MQTT door: its broker, all connections to it, and what is done at the end of each turn."""

import asyncio
from collections.abc import Mapping
from typing import Protocol

import structlog

from thingtank.doors.mqtt.access.rights import Rights
from thingtank.doors.mqtt.packet_tap import PacketTap, TappedLink
from thingtank.doors.mqtt.settings import MqttSettings
from thingtank.net.identity.sweeper import Sweeper
from thingtank.protocols.mqtt.broker import Broker
from thingtank.protocols.mqtt.connection import CLOSED, Connection
from thingtank.protocols.mqtt.lone import NOT_LONE, take_lone
from thingtank.protocols.mqtt.reason_codes import ReasonCode

log = structlog.get_logger()

TICK_S = 1.0
CLOSE_S_MAX = 5.0  # until a client that is to go must have taken what was written to it
_STALLED_US = 30_000_000  # within a packet, as on slow lines; between packets there is keep alive
_FEW_PIECES, _LARGE_BYTES = 32, 16_384
STOP_S_MAX = 1.0  # for clients to take their DISCONNECT


class Link(Protocol):
    """What carries a connection's octets, and what is known of it."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Of the HTTP request that became a WebSocket, names in lower case."""

    @property
    def certificate(self) -> bytes | None:
        """The client's, verified, in DER."""

    @property
    def kind(self) -> str:
        """`tcp`, `tls`, `unix` or `websocket`."""

    def write(self, data: bytes) -> None:
        """Write octets."""

    def write_all(self, pieces: list[bytes]) -> None:
        """Write octets that are too many to be copied."""

    def unread_bytes(self) -> int:
        """How much was written and not taken yet."""

    def pause(self) -> None:
        """Read no more for now."""

    def resume(self) -> None:
        """Read on."""

    def close(self) -> None:
        """End the connection, what was written first."""

    def abort(self) -> None:
        """End the connection at once."""


def _write(link: Link, out: list[bytes]) -> int:
    """Write several pieces; answers how many bytes they are."""
    if len(out) <= _FEW_PIECES and max(map(len, out)) >= _LARGE_BYTES:
        link.write_all(out)  # a large payload is one object for all who get it
        return sum(map(len, out))
    data = b"".join(out)
    link.write(data)
    return len(data)


class Versioned(Protocol):
    """Knows who may do what: a directory."""

    @property
    def rights_version(self) -> int:
        """Rises when that has changed."""


def _log_end(connection: Connection) -> None:
    """Say for what a client was sent away that was in; those that never were fill no log."""
    error = connection.error
    if error is not None and connection.session is not None:
        log.info(
            "mqtt_client_sent_away",
            client_id=connection.client_id,
            address=connection.address,
            reason=error.reason_code.name,
        )


class MqttDoor:
    """Where MQTT clients come in, by whichever transport.

    Attributes:
        links: of all connections there are.
        opened_count: of connections, since the start.
        received_bytes, sent_bytes: since the start.
    """

    def __init__(self, settings: MqttSettings, broker: Broker, versioned: "Versioned") -> None:
        """Let nobody in yet.

        Args:
            versioned: what says when what clients may do may have changed.
        """
        self.settings = settings
        self.broker = broker
        broker.wake = self.flush_soon
        self._versioned = versioned
        self._seen_rights_version = versioned.rights_version
        self.links: dict[Connection, Link] = {}
        self.opened_count = 0
        self.received_bytes = 0
        self.sent_bytes = 0
        self._tapped: dict[Connection, TappedLink] = {}
        self._entering: dict[Connection, float] = {}  # until when; the first first
        self._slow: dict[Connection, asyncio.TimerHandle] = {}
        self._closing: dict[Connection, asyncio.TimerHandle] = {}
        self._loop = asyncio.get_running_loop()
        self._is_flushing = False
        self._timer: asyncio.TimerHandle | None = None
        self._sweeper = Sweeper(lambda: list(self.links), self._look_at, self._loop)
        self._all_gone: asyncio.Event | None = None  # while it stops

    def start(self) -> None:
        """Begin to look at the clock."""
        self._timer = self._loop.call_later(TICK_S, self._tick)
        self._sweeper.start()

    @property
    def is_full(self) -> bool:
        """Whether there are as many connections as there may be."""
        return len(self.links) >= self.settings.connections_max

    @property
    def connected_count(self) -> int:
        """Clients that have come in and not gone."""
        return sum(connection.is_open for connection in self.links)

    # --- connections ---

    def open(self, link: Link, address: str) -> Connection:
        """Have one more."""
        connection = Connection(self.broker, link, address)
        self.links[connection] = link
        self.opened_count += 1
        self._entering[connection] = self._loop.time() + self.settings.connect_s_max
        return connection

    def receive(self, connection: Connection, data: bytes) -> None:
        """Take what a client has sent."""
        self.received_bytes += len(data)
        if self._versioned.rights_version != self._seen_rights_version:
            self._look_at_rights_version()
        try:
            if self._tapped:
                if (tapped := self._tapped.get(connection)) is not None:
                    tapped.data_received(data)
            elif (sent_bytes := take_lone(connection, data)) != NOT_LONE:
                self.sent_bytes += sent_bytes
                if self.broker.dirty:
                    self._flush()
                return
            connection.receive_data(data)
        except Exception:
            # A fault of ours in one must not cost the others anything.
            log.exception("mqtt_connection_failed", address=connection.address)
            self._cut_off(connection)
        # At once, not at the end of the turn: the loop gathers by itself what is written in one, so
        # a lone message need not wait for the next.
        self._flush()

    def _look_at_rights_version(self) -> None:
        version = self._versioned.rights_version
        if version != self._seen_rights_version:
            self._seen_rights_version = version
            self.broker.change_rights()

    def flush_soon(self) -> None:
        """Have written what there is to be written, at the end of this turn."""
        if not self._is_flushing:
            self._is_flushing = True
            self._loop.call_soon(self._take_turn)

    def _take_turn(self) -> None:
        self._is_flushing = False
        try:
            self.broker.resume()
        finally:
            self._flush()

    def _flush(self) -> None:
        broker, links = self.broker, self.links
        if broker.awaiting or broker.replays.going:
            broker.settle()
        else:
            broker.begin_turn()
        dirty, broker.dirty = broker.dirty, []
        for connection in dirty:
            out = connection.out
            link = links.get(connection)
            if link is None:
                out.clear()
                continue
            if out:
                try:
                    if len(out) == 1:
                        self.sent_bytes += len(out[0])
                        link.write(out[0])
                    else:
                        self.sent_bytes += _write(link, out)
                except Exception:
                    # Nobody else is to be left unwritten to.
                    log.exception("mqtt_write_failed", address=connection.address)
                    out.clear()
                    self._cut_off(connection)
                    continue
                out.clear()
            if connection.state is CLOSED:
                self._let_go(connection, link)
        if broker.resuming or broker.replays.going:  # `has_more`, without a call
            self.flush_soon()

    def _let_go(self, connection: Connection, link: Link) -> None:
        self._entering.pop(connection, None)
        if connection not in self._closing:
            _log_end(connection)
            self._closing[connection] = self._loop.call_later(CLOSE_S_MAX, link.abort)
            link.close()

    def fall_behind(self, connection: Connection) -> None:
        """A client reads too slowly; if it takes nothing for long, it is sent away."""
        connection.catch_up(is_behind=True)
        if connection not in self._slow:
            self._watch_slow(connection)

    def _watch_slow(self, connection: Connection) -> None:
        link = self.links.get(connection)
        if link is not None:
            seconds = self.settings.slow_s_max
            unread_bytes = link.unread_bytes()
            self._slow[connection] = self._loop.call_later(
                seconds, self._look_at_slow, connection, unread_bytes
            )

    def _look_at_slow(self, connection: Connection, unread_bytes: int) -> None:
        self._slow.pop(connection, None)
        link = self.links.get(connection)
        if link is None:
            return
        if link.unread_bytes() < unread_bytes:
            self._watch_slow(connection)
        else:
            log.info("mqtt_client_too_slow", client_id=connection.client_id)
            self._cut_off(connection)

    def catch_up(self, connection: Connection) -> None:
        """It reads again."""
        timer = self._slow.pop(connection, None)
        if timer is not None:
            timer.cancel()
        connection.catch_up(is_behind=False)
        self.flush_soon()

    def entered(self, connection: Connection) -> None:
        """It has been decided who a client is."""
        self._entering.pop(connection, None)

    def lose(self, connection: Connection) -> None:
        """A connection is gone."""
        self._close(connection)
        self.links.pop(connection, None)
        self._tapped.pop(connection, None)
        for timers in (self._slow, self._closing):
            timer = timers.pop(connection, None)
            if timer is not None:
                timer.cancel()
        self._entering.pop(connection, None)
        self.flush_soon()
        if self._all_gone is not None and not self.links:
            self._all_gone.set()

    def _cut_off(self, connection: Connection) -> None:
        self._close(connection)
        link = self.links.get(connection)
        if link is not None:
            link.abort()

    def _close(self, connection: Connection) -> None:
        try:
            connection.close()
        except Exception:  # in what it leaves behind, such as its will
            log.exception("mqtt_connection_failed", address=connection.address)

    # --- for who looks ---

    def tap(self, connection: Connection, tap: PacketTap) -> None:
        """Let somebody see what goes both ways on a connection, until `untap`."""
        tapped = self._tapped.get(connection)
        if tapped is None:
            tapped = TappedLink(self.links[connection])
            self._tapped[connection] = self.links[connection] = tapped
        tapped.taps.append(tap)

    def untap(self, connection: Connection, tap: PacketTap) -> None:
        """Let them see no more; of a connection that is gone already, too."""
        tapped = self._tapped.get(connection)
        if tapped is None or tap not in tapped.taps:
            return
        tapped.taps.remove(tap)
        if not tapped.taps:
            del self._tapped[connection]
            self.links[connection] = tapped.link

    # --- time ---

    def _tick(self) -> None:
        self._timer = self._loop.call_later(TICK_S, self._tick)
        now_s = self._loop.time()
        late = []
        for connection, until_s in self._entering.items():
            if until_s > now_s:
                break
            late.append(connection)
        for connection in late:
            del self._entering[connection]
            self._cut_off(connection)
        self._look_at_rights_version()
        self.broker.tick()
        self.flush_soon()

    def _look_at(self, connection: Connection) -> None:
        """Send a client away whose key is gone or has expired, or whose packet stands still."""
        if connection.is_stalled(self.broker.now_us(), _STALLED_US):
            self._cut_off(connection)
            return
        session = connection.session
        rights = session.rights if session is not None else None
        if isinstance(rights, Rights) and connection.is_open and not rights.is_alive():
            log.info("mqtt_client_lost_rights", client_id=connection.client_id)
            connection.end_with(ReasonCode.NOT_AUTHORIZED)
            self.flush_soon()

    async def stop(self) -> None:
        """Say goodbye to all clients, wait a moment for them, and close their connections."""
        self._sweeper.stop()
        if self._timer is not None:
            self._timer.cancel()
        for connection in list(self.links):
            connection.end_with(ReasonCode.SERVER_SHUTTING_DOWN)
        self._flush()
        if self.links:
            self._all_gone = asyncio.Event()
            try:
                await asyncio.wait_for(self._all_gone.wait(), STOP_S_MAX)
            except TimeoutError:
                for link in list(self.links.values()):
                    link.abort()
                await asyncio.sleep(0)
