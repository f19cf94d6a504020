"""The broker as the workbench uses it: looks at clients and messages, tries things out.

What somebody tries goes through a client of its own with that account's rights (`visits.py`).
"""

import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from functools import partial

from thingtank.doors.mqtt.access.rights import MqttAccess
from thingtank.doors.mqtt.authentication.principal import Principal
from thingtank.doors.mqtt.door import MqttDoor
from thingtank.doors.mqtt.gate import MqttGate
from thingtank.doors.mqtt.inspection import SYS, BrokerView
from thingtank.doors.mqtt.owners import Owners
from thingtank.doors.mqtt.packet_tap import PacketTap
from thingtank.doors.mqtt.visits import PACKET_ID, Visit, VisitEnded
from thingtank.net.identity.principals import AccountPrincipal
from thingtank.net.traffic import Ticker, TrafficLog
from thingtank.net.visits import VISITS_MAX, Asking, account_of
from thingtank.protocols.mqtt.broker_facts import (
    Answer,
    HeardMessage,
    SeenPacket,
    payload_text,
)
from thingtank.protocols.mqtt.connection import Connection
from thingtank.protocols.mqtt.messages import Message, Subscription
from thingtank.protocols.mqtt.packets import (
    Connack,
    Disconnect,
    Puback,
    Publish,
    Pubrec,
    Pubrel,
    ServerPacket,
    Suback,
    Subscribe,
)
from thingtank.protocols.mqtt.reason_codes import ReasonCode
from thingtank.tank.access import Caller
from thingtank.tank.errors import LimitReached
from thingtank.tank.things import Account

ANSWER_S_MAX = 12.0
TICK_S = 1.0
TEXT_BYTES_MAX = 4_000  # of a payload that is heard


class Listening:
    """A topic filter that a page listens to.

    Attributes:
        subscribed: SUBACK, or why not.
    """

    def __init__(self, visit: Visit, subscribed: Answer) -> None:
        self.subscribed = subscribed
        self._visit = visit

    @property
    def heard_count(self) -> int:
        """Messages that came, whether they were taken or not."""
        return self._visit.messages.count

    @property
    def farewell(self) -> Answer | None:
        """How it ended, if the broker has ended it."""
        visit = self._visit
        return _farewell(visit.farewell, time.monotonic()) if visit.is_over else None

    def take(self, count_max: int) -> list[HeardMessage]:
        """Messages since the last time, oldest first; of more than so many the newest."""
        at_us = time.time_ns() // 1000
        return [_heard(each, at_us) for each in self._visit.take_messages(count_max)]


class Watching:
    """A client whose packets a page looks at, also when it comes back."""

    def __init__(self, door: MqttDoor, client_id: str, may_see: Callable[[str], bool]) -> None:
        """Look.

        Args:
            may_see: whether clients of a principal may be looked at.
        """
        self._door = door
        self._client_id = client_id
        self._may_see = may_see
        self._connection: Connection | None = None
        self._tap: PacketTap | None = None
        self._count_before = 0
        self.look()

    @property
    def seen_count(self) -> int:
        """Packets, whether they were taken or not."""
        return self._count_before + (self._tap.count if self._tap is not None else 0)

    def take(self, count_max: int) -> list[SeenPacket]:
        """Packets since the last time, oldest first; of more than so many the newest."""
        taken = self._tap.take(count_max) if self._tap is not None else []
        self.look()
        return taken

    def look(self) -> None:
        """Find the client's connection, which may be another one by now."""
        session = self._door.broker.sessions.get(self._client_id)
        connection = session.connection if session is not None else None
        if session is None or connection is self._connection or connection is None:
            return
        if not self._may_see(session.principal):  # by now the client id is somebody else's
            return
        if connection not in self._door.links:
            return
        self.stop()
        self._connection = connection
        now_us = self._door.broker.now_us
        self._tap = PacketTap(connection.version, connection.waiting_octets, now_us)
        self._door.tap(connection, self._tap)

    def stop(self) -> None:
        """Look no more."""
        if self._connection is not None and self._tap is not None:
            self._count_before += self._tap.count
            self._door.untap(self._connection, self._tap)
            self._connection = self._tap = None


class MqttWorkbench:
    """One for all pages. Belongs to the loop's thread."""

    def __init__(
        self,
        door: MqttDoor,
        gate: MqttGate,
        access: MqttAccess,
        addresses: Mapping[str, str],
        *,
        is_everywhere: bool,
    ) -> None:
        """Serve a door.

        Args:
            addresses: of its ports, as this machine reaches them: `mqtt`, `mqtt_tls`,
                `mqtt_websocket`.
            is_everywhere: other machines reach them by this one's names as well.
        """
        self.addresses = addresses
        self.is_everywhere = is_everywhere
        self._door = door
        self._gate = gate
        self._access = access
        self._owners = Owners(access.directory, access.settings.users)
        self._traffic = TrafficLog(self._counts(), door.broker.now_us())
        self._ticker = Ticker(TICK_S, self._tick)
        self._visits_count = 0
        self._asking = Asking()

    def start(self) -> None:
        """Look at the traffic each second; in the running loop."""
        self._ticker.start()

    def stop(self) -> None:
        """Look no more."""
        self._ticker.stop()

    @property
    def lets_anonymous_in(self) -> bool:
        """Whether programs that use these addresses may come in without saying who they are."""
        rule = self._door.settings.anonymous
        return rule == "everyone" or (rule == "loopback" and not self.is_everywhere)

    def view(self, caller: Caller) -> BrokerView:
        """The broker as an account may see it, now."""
        account = account_of(caller)
        rights = self._access.rights_of(_principal(account, "", caller.address))
        return BrokerView(self._door, account, rights, self._owners, self._traffic.traffic)

    def close_client(self, caller: Caller, client_id: str) -> bool:
        """End a client's connection or, if it is away, its session; whether there was one."""
        session = self.view(caller).find(client_id)
        if session is None:
            return False
        if session.connection is not None:
            session.connection.end_with(ReasonCode.ADMINISTRATIVE_ACTION)
        else:
            self._door.broker.reception.end(session)
        self._door.flush_soon()
        return True

    def delete_retained(self, caller: Caller, topic: str) -> bool:
        """Forget a retained message, as an empty one for its topic does; whether there was one."""
        account = account_of(caller)
        if topic.startswith(SYS) or self.view(caller).find_retained(topic) is None:
            return False
        rights = self._access.rights_of(_principal(account, "", caller.address))
        if not account.is_admin and not rights.may_publish(topic):
            return False
        self._door.broker.publish(Message(topic, b"", is_retain=True))
        self._door.flush_soon()
        return True

    async def publish(self, caller: Caller, packet: Publish) -> Answer:
        """Publish on an account's behalf.

        Raises:
            LimitReached.
        """
        account_id = account_of(caller).account_id
        with self._asking.one(account_id), self._visit(caller) as visit:
            return await _refusal(visit) or await _asked(lambda: _published(visit, packet))

    @asynccontextmanager
    async def listen(self, caller: Caller, subscription: Subscription) -> AsyncIterator[Listening]:
        """Subscribe on an account's behalf, until the end of the block.

        Raises:
            LimitReached.
        """
        with self._visit(caller) as visit:
            packet = Subscribe(PACKET_ID, (subscription,))
            answer = await _refusal(visit) or await _asked(lambda: _subscribed(visit, packet))
            yield Listening(visit, answer)

    @contextmanager
    def watch(self, caller: Caller, client_id: str) -> Iterator[Watching | None]:
        """Look at a client's packets, until the end of the block; None if it may not be seen."""
        if self.view(caller).find(client_id) is None:
            yield None
            return
        may_see = partial(self._owners.may_see, account_of(caller))
        watching = Watching(self._door, client_id, may_see)
        try:
            yield watching
        finally:
            watching.stop()

    @contextmanager
    def _visit(self, caller: Caller) -> Iterator[Visit]:
        account = account_of(caller)
        if self._visits_count >= VISITS_MAX:
            raise LimitReached("too many people try things out at once")
        client_id = f"workbench-{secrets.token_hex(6)}"
        visit = Visit(self._door, self._gate, _principal(account, client_id, caller.address))
        self._visits_count += 1
        try:
            yield visit
        finally:
            self._visits_count -= 1
            visit.close()

    def _counts(self) -> tuple[int, int, int]:
        broker = self._door.broker
        return broker.received_count, broker.sent_count, broker.dropped_count

    def _tick(self) -> None:
        self._traffic.take(self._counts(), self._door.broker.now_us())


def _principal(account: Account, client_id: str, address: str) -> Principal:
    return Principal(
        f"account:{account.account_id}",
        client_id,
        AccountPrincipal(account.account_id),
        user_name=account.login,
        address=address,
    )


async def _refusal(visit: Visit) -> Answer | None:
    """None once a visit is in, or why it is not."""
    started_s = time.monotonic()
    try:
        await visit.open(ANSWER_S_MAX)
    except VisitEnded as ended:
        return _farewell(ended.packet, started_s)
    except TimeoutError:
        return Answer("", _since_us(started_s), is_late=True)
    return None


async def _asked(ask: Callable[[], Awaitable[list[ServerPacket]]]) -> Answer:
    started_s = time.monotonic()
    try:
        packets = await ask()
    except VisitEnded as ended:
        return _farewell(ended.packet, started_s)
    except TimeoutError:
        return Answer("", _since_us(started_s), is_late=True)
    name = ", ".join(type(packet).__name__.upper() for packet in packets)
    duration_us = _since_us(started_s)
    match packets:
        case [Suback() as suback]:
            text = suback.properties.reason_string or ""
            return Answer(name, duration_us, suback.reason_codes, PACKET_ID, text)
        case [(Puback() | Pubrec()) as first, *_]:  # that of QoS 2 says what became of it, too
            text = first.properties.reason_string or ""
            return Answer(name, duration_us, (first.reason_code,), PACKET_ID, text)
    return Answer(name, duration_us)


async def _published(visit: Visit, packet: Publish) -> list[ServerPacket]:
    if not packet.qos:
        visit.tell(packet)
        return []
    answer = await visit.ask(packet, ANSWER_S_MAX)
    if not isinstance(answer, Pubrec) or answer.reason_code >= ReasonCode.UNSPECIFIED_ERROR:
        return [answer]
    return [answer, await visit.ask(Pubrel(PACKET_ID), ANSWER_S_MAX)]


async def _subscribed(visit: Visit, packet: Subscribe) -> list[ServerPacket]:
    return [await visit.ask(packet, ANSWER_S_MAX)]


def _farewell(packet: Connack | Disconnect | None, started_s: float) -> Answer:
    duration_us = _since_us(started_s)
    if packet is None:
        return Answer("", duration_us, is_over=True)
    name = type(packet).__name__.upper()
    text = packet.properties.reason_string or ""
    return Answer(name, duration_us, (packet.reason_code,), 0, text, is_over=True)


def _heard(packet: Publish, at_us: int) -> HeardMessage:
    return HeardMessage(
        packet.topic,
        at_us,
        payload_text(packet.payload, TEXT_BYTES_MAX),
        len(packet.payload),
        packet.qos,
        packet.retain,
        packet.dup,
        packet.properties,
    )


def _since_us(started_s: float) -> int:
    return round((time.monotonic() - started_s) * 1_000_000)
