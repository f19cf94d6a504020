"""One client's network connection: octets in, octets out.

Packets are told apart here. What a client publishes goes to `relaying` in its plainest form and to
`inbound` in any other; what it has to say of messages that it was sent goes to its session.

Source: MQTT 5 and MQTT 3.1.1, 3 and 4.
"""

from collections.abc import Callable
from enum import IntEnum
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from thingtank.protocols.mqtt.acks import WhenKept
from thingtank.protocols.mqtt.errors import MqttError, PacketTooLarge, ProtocolError
from thingtank.protocols.mqtt.inbound import Inbound
from thingtank.protocols.mqtt.outgoing import DUP, PUBLISH, RETAIN, Outgoing
from thingtank.protocols.mqtt.packet_types import PacketType
from thingtank.protocols.mqtt.packets import (
    Auth,
    Connack,
    Connect,
    Disconnect,
    Pingreq,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    Subscribe,
    Unsubscribe,
)
from thingtank.protocols.mqtt.parser import check_first_octet, parse, parse_connect, read_length
from thingtank.protocols.mqtt.properties import NO_PROPERTIES, Properties
from thingtank.protocols.mqtt.reason_codes import ReasonCode, allowed_reason, connack_return_code
from thingtank.protocols.mqtt.relaying import (
    PLAIN,
    PLAIN_5,
    PUBLISH_0,
    WITH_CARE,
    relay_once,
    relay_tracked,
)
from thingtank.protocols.mqtt.serializer import (
    PINGRESP_OCTETS,
    PUBACK_OCTET,
    PUBCOMP_OCTET,
    PUBREC_OCTET,
    PUBREL_OCTET,
    serialize,
)
from thingtank.protocols.mqtt.session import Delivery, Session
from thingtank.protocols.mqtt.subscribing import subscribe, unsubscribe

if TYPE_CHECKING:
    from thingtank.protocols.mqtt.broker import Broker
    from thingtank.protocols.mqtt.packets import ClientPacket, ServerPacket

_REASON_CHARS_MAX = 500
_CONNECT_BYTES_MAX = 2**19  # five strings of 65,535 octets, and properties
_HELD_BYTES_MAX = 2**16  # of a client that has yet to be let in
_US_PER_S = 1_000_000


class State(IntEnum):
    """Where a connection is."""

    NEW = 0  # CONNECT has yet to come
    ENTERING = 1  # it is being decided whether it may come in
    OPEN = 2
    CLOSED = 3


_OPEN, CLOSED = State.OPEN, State.CLOSED  # a class of values is slow to ask, for every packet


class Link(Protocol):
    """What carries the octets; a door's."""

    def pause(self) -> None:
        """Read no more for now."""

    def resume(self) -> None:
        """Read on."""

    def write(self, data: bytes) -> None:
        """Write octets at once; only `lone` does."""


class Connection:
    """A client's connection, from its first octet.

    Attributes:
        out: octets to be sent, in pieces; the broker's `dirty` lists who has any.
        lane: PLAIN and PLAIN_5 for clients whose packets need no care of their own.
        error: for which it ended.
        is_behind: whether the client reads too slowly.
        last_heard_us: when the last octets came.
        is_held: whether nothing more is taken from it for now.
        publishing: what it publishes; None before it does, see `inbound`.
        since_us: when it began.
        unfinished: what has come and was not taken yet.
        waiting_count: answers to it that wait for the disk.
    """

    __slots__ = (
        "_packet_bytes_max",
        "_sent_aliases",
        "_sent_aliases_max",
        "_wanted_bytes",
        "_wants_words",
        "address",
        "broker",
        "client_id",
        "connect",
        "error",
        "is_behind",
        "is_held",
        "keep_alive_due_s",
        "keep_alive_us",
        "lane",
        "last_heard_us",
        "link",
        "out",
        "publishing",
        "session",
        "since_us",
        "state",
        "unfinished",
        "version",
        "waiting_count",
    )

    def __init__(self, broker: "Broker", link: Link, address: str) -> None:
        """Wait for CONNECT.

        Args:
            address: of the client, for people.
        """
        self.broker = broker
        self.link = link
        self.address = address
        self.client_id = ""
        self.state = State.NEW
        self.version = 4
        self.session: Session | None = None
        self.connect: Connect | None = None
        self.error: MqttError | None = None
        self.out: list[bytes] = []
        self.lane = WITH_CARE
        self.is_behind = False
        self.is_held = False
        self.since_us = self.last_heard_us = broker.now_us()
        self.keep_alive_us = 0
        self.keep_alive_due_s = 0
        self.waiting_count = 0
        self.publishing: Inbound | None = None
        self.unfinished: bytearray | None = None
        self._wanted_bytes = 0
        self._sent_aliases: dict[bytes, int] | None = None
        self._sent_aliases_max = 0
        self._packet_bytes_max = 0
        self._wants_words = False

    @property
    def is_open(self) -> bool:
        """Whether the client has come in and not gone."""
        return self.state is State.OPEN

    @property
    def waiting_octets(self) -> bytes:
        """What has come and was not taken yet; it begins with a packet's beginning."""
        return bytes(self.unfinished or b"")

    @property
    def is_closed(self) -> bool:
        """Whether nothing more comes or goes but what is in `out`."""
        return self.state is State.CLOSED

    def is_stalled(self, now_us: int, silence_us: int) -> bool:
        """Whether a packet that has begun does not go on: what has come of it is kept."""
        return (
            self.unfinished is not None
            and not self.is_held
            and now_us - self.last_heard_us > silence_us
        )

    # --- octets in ---

    def receive_data(self, data: bytes) -> None:
        """Take what has come, do what it says, and leave the answers in `out`."""
        self.last_heard_us = self.broker.now_us()
        rest = self.unfinished
        if rest is not None:
            rest += data
            if self.is_held:
                if len(rest) > self.broker.bounds.packet_bytes_max + _HELD_BYTES_MAX:
                    self.link.pause()
                return
            if len(rest) < self._wanted_bytes:
                return
            data = bytes(rest)
            self.unfinished = None
        if self.state is CLOSED:
            return
        try:
            at = self._take_packets(data)
        except MqttError as error:
            self.fail(error)
            return
        broker = self.broker
        if broker.awaiting and broker.keeper.is_behind and self.is_open and not self.is_held:
            broker.slow_down(self)
        if at < len(data) and not self.is_closed:
            self.unfinished = bytearray(data[at:] if at else data)

    def _take_packets(self, data: bytes) -> int:
        """Take all whole packets; answers where the rest begins."""
        at, size = 0, len(data)
        broker = self.broker
        bytes_max = broker.bounds.packet_bytes_max
        if self.state is not _OPEN:
            bytes_max = min(bytes_max, _CONNECT_BYTES_MAX)
        self._wanted_bytes = 2
        while size - at >= 2:
            if self.is_held or self.state is CLOSED:
                break
            first, length, body = data[at], data[at + 1], at + 2
            if length >= 0x80:
                self._check_beginning(first)
                found = read_length(data, at + 1)
                if found is None:
                    self._wanted_bytes = size - at + 1
                    break
                length, body = found
            end = body + length
            if end - at > bytes_max:
                raise PacketTooLarge(
                    f"packet of {end - at} octets; at most {bytes_max} are taken",
                    is_told=self.is_open,
                )
            if end > size:
                self._check_beginning(first)
                self._wanted_bytes = end - at
                break
            if self.state is not _OPEN:
                self._take_first(first, data[body:end])
            elif first & 0xF0 == PUBLISH:
                self._take_publish(first, data, at, body, end)
            elif first == PUBACK_OCTET and length == 2 and (data[body] or data[body + 1]):
                self._of_session.take_puback(data[body] << 8 | data[body + 1])
            else:
                self._take(parse(first, data[body:end], self.version))
            at = end
            if broker.sent_count >= broker.sent_count_max:
                broker.resuming.append(self)
                self.hold()
                break
        return at

    @property
    def inbound(self) -> Inbound:
        """What it publishes."""
        if self.publishing is None:
            self.publishing = Inbound(self, self._of_session)
        return self.publishing

    def put_behind_acks(
        self, outgoing: Outgoing, qos: int, is_retain: bool, identifiers: tuple[int, ...]
    ) -> bool:
        """Have a message of the client's own come after its PUBREC, if that waits."""
        inbound = self.publishing
        return inbound is not None and inbound.put_behind_acks(
            outgoing, qos, is_retain, identifiers
        )

    @property
    def _of_session(self) -> Session:
        session = self.session
        assert session is not None, "it is open"
        return session

    def _check_beginning(self, first: int) -> None:
        """Refuse what can be no packet before all of it has come."""
        check_first_octet(first, None if self.state is State.NEW else self.version)

    def _take_first(self, first: int, body: bytes) -> None:
        if self.state is State.NEW:
            self._check_beginning(first)
            self.connect = connect = parse_connect(first & 0x0F, body)
            self.version = connect.protocol_version
            self._wants_words = connect.properties.request_problem_information == 1
            self.state = State.ENTERING
            self.is_held = True
            self.broker.reception.enter(self, connect)
            return
        packet = parse(first, body, self.version)
        if isinstance(packet, Auth) and self.version == 5:
            self._take_auth(packet)
        elif isinstance(packet, Disconnect):
            self.close()
        else:
            raise ProtocolError("packet before CONNACK [MQTT-4.12.0-1]", is_told=False)

    def hold(self) -> None:
        """Take nothing more until `go_on`."""
        self.is_held = True
        self.link.pause()

    def go_on(self) -> None:
        """Take what has come meanwhile, and read on."""
        if not self.is_held or self.state is State.CLOSED:
            return
        self.is_held = False
        self.link.resume()
        rest, self.unfinished = self.unfinished, None
        self._wanted_bytes = 0
        if rest:
            self.receive_data(bytes(rest))

    def _take_publish(self, first: int, data: bytes, at: int, body: int, end: int) -> None:
        inbound = self.publishing
        if (
            inbound is not None
            and end - body >= 4
            and not inbound.waiting
            and inbound.rights_epoch == self.broker.rights_epoch
        ):
            start = body + 2
            stop = start + (data[body] << 8 | data[body + 1])
            route = inbound.routes.get(data[start:stop])
            if route is not None:
                if route.version != self.broker.version:
                    self.broker.find_receivers(route)
                relay = relay_once if first == PUBLISH_0 else relay_tracked
                if relay(self, route, data, at, stop, end):
                    return
        packet = parse(first, data[body:end], self.version)
        assert type(packet) is Publish
        self.inbound.take(packet)

    # --- letting in ---

    def admitted(self, session: Session, keep_alive_s: int, receive_maximum: int) -> None:
        """It is in: the broker has found or made its session. Nothing is sent before CONNACK."""
        connect = self.connect
        assert connect is not None
        self.connect = None  # with its password; nothing of it is needed any more
        self.state = State.OPEN
        self.session = session
        self.keep_alive_us = keep_alive_s * 3 * _US_PER_S // 2  # [MQTT-3.1.2-22]
        properties = connect.properties
        self._packet_bytes_max = properties.maximum_packet_size or 0
        self._sent_aliases_max = min(
            properties.topic_alias_maximum or 0, self.broker.bounds.topic_alias_max
        )
        self.is_behind = True  # so that messages wait
        self._set_lane()
        session.attach(self, receive_maximum)

    def greet(self, connack: Connack) -> None:
        """Say that it is in; where CONNACK is too large for it, that ends it."""
        self.is_behind = False
        self._set_lane()
        self.send(connack)

    def _set_lane(self) -> None:
        if self.is_behind or self._packet_bytes_max or self._sent_aliases_max:
            self.lane = WITH_CARE
        else:
            self.lane = PLAIN_5 if self.version == 5 else PLAIN

    def challenge(self, properties: Properties) -> None:
        """Ask for the next step of enhanced authentication (MQTT 5, 4.12)."""
        self.send(Auth(ReasonCode.CONTINUE_AUTHENTICATION, properties))
        self.go_on()

    def _take_auth(self, packet: Auth) -> None:
        self.is_held = True
        self.broker.reception.proceed(self, packet)

    def reauthenticated(self, properties: Properties) -> None:
        """Tell that it may stay (MQTT 5, 4.12.1)."""
        self.send(Auth(ReasonCode.SUCCESS, properties))
        self.go_on()

    # --- other packets in ---

    def _take(self, packet: "ClientPacket") -> None:
        _TAKERS[type(packet)](self, packet)

    def _take_puback(self, packet: Puback) -> None:
        self._of_session.take_puback(packet.packet_id)

    def _take_pubrec(self, packet: Pubrec) -> None:
        is_refused = packet.reason_code >= ReasonCode.UNSPECIFIED_ERROR
        is_known = self._of_session.take_pubrec(packet.packet_id, is_refused=is_refused)
        if not is_known and not is_refused:
            self.send_ack(PUBREL_OCTET, packet.packet_id)

    def _take_pubrel(self, packet: Pubrel) -> None:
        session = self._of_session
        self.inbound.forget_packet_id(packet.packet_id)
        if session.is_persistent:
            # The client uses the packet id again after PUBCOMP; it must not be known then. It may
            # be on disk yet although it was forgotten before, on the client's last connection.
            say = partial(self.send_ack, PUBCOMP_OCTET, packet.packet_id)
            self.broker.awaiting.append(WhenKept(self, say))
        else:
            self.send_ack(PUBCOMP_OCTET, packet.packet_id)

    def _take_pubcomp(self, packet: Pubcomp) -> None:
        self._of_session.take_pubcomp(packet.packet_id)

    def _take_subscribe(self, packet: Subscribe) -> None:
        subscribe(self.broker, self, packet)

    def _take_unsubscribe(self, packet: Unsubscribe) -> None:
        unsubscribe(self.broker, self, packet)

    def _take_pingreq(self, packet: Pingreq) -> None:
        self.write(PINGRESP_OCTETS)

    def _take_disconnect(self, packet: Disconnect) -> None:
        self.broker.reception.disconnect(self, packet)

    # --- packets out ---

    def write(self, octets: bytes) -> None:
        """Send octets."""
        if not self.out:
            self.broker.dirty.append(self)
        self.out.append(octets)

    def send(self, packet: "ServerPacket") -> None:
        """Send any packet that the client says it can take (3.1.2.11.4)."""
        octets = serialize(packet, self.version)
        if not self._packet_bytes_max or len(octets) <= self._packet_bytes_max:
            self.write(octets)
        elif type(packet) is Connack:
            self.close()

    def send_ack(self, first: int, packet_id: int, reason: ReasonCode = ReasonCode.SUCCESS) -> None:
        """Send PUBACK, PUBREC, PUBREL or PUBCOMP."""
        if reason and self.version == 5:
            self.write(b"%c\x03%c%c%c" % (first, packet_id >> 8, packet_id & 0xFF, reason))
        else:
            self.write(b"%c\x02%c%c" % (first, packet_id >> 8, packet_id & 0xFF))

    def answer_again(self, packet_id: int, reason: ReasonCode) -> None:
        """Tell what became of a QoS 2 message that came in by an earlier connection."""
        if self.state is not State.OPEN:
            return
        if reason is ReasonCode.SERVER_BUSY:
            self.end_with(reason)
        else:
            self.send_ack(PUBREC_OCTET, packet_id, reason)

    def send_once(self, outgoing: Outgoing, is_retain: bool, identifiers: tuple[int, ...]) -> bool:
        """Send a message of QoS 0; False when it is dropped, as the client reads too slowly."""
        if self.is_behind:
            return False
        first = PUBLISH | RETAIN if is_retain else PUBLISH
        if self._packet_bytes_max and self._is_too_large(outgoing, first, identifiers):
            return True  # MQTT 5, 3.1.2.11.4: as if it had been sent
        head, tail = self._pieces(outgoing, first, identifiers)
        self.broker.sent_count += 1
        if not self.out:
            self.broker.dirty.append(self)
        self.out += (head, tail)
        return True

    def send_delivery(self, delivery: Delivery, outgoing: Outgoing, *, is_dup: bool) -> None:
        """Send a message of QoS 1 or 2."""
        first = _first_octet(delivery, is_dup=is_dup)
        head, tail = self._pieces(outgoing, first, delivery.identifiers)
        self.broker.sent_count += 1
        if not self.out:
            self.broker.dirty.append(self)
        self.out += (head, delivery.packet_id.to_bytes(2, "big"), tail)

    def is_too_small_for(self, delivery: Delivery, outgoing: Outgoing) -> bool:
        """Whether the client said that it takes no packets of that size."""
        if not self._packet_bytes_max:
            return False
        first = _first_octet(delivery, is_dup=False)
        return self._is_too_large(outgoing, first, delivery.identifiers)

    def _is_too_large(self, outgoing: Outgoing, first: int, identifiers: tuple[int, ...]) -> bool:
        """Ask without a topic alias: one that is set by what is not sent stands for nothing."""
        head, tail = outgoing.pieces(first, identifiers if self.version == 5 else None)
        packet_id_bytes = 2 if first & 0x06 else 0
        alias_bytes = 3 if self._sent_aliases_max else 0
        return len(head) + packet_id_bytes + len(tail) + alias_bytes > self._packet_bytes_max

    def _pieces(
        self, outgoing: Outgoing, first: int, identifiers: tuple[int, ...]
    ) -> tuple[bytes, bytes]:
        if self.version != 5:
            return outgoing.pieces(first, None)
        if not self._sent_aliases_max:
            return outgoing.pieces(first, identifiers)
        aliases = self._sent_aliases
        if aliases is None:
            aliases = self._sent_aliases = {}
        octets = outgoing.octets
        alias = aliases.get(octets)
        if alias is not None:
            return outgoing.aliased(first, identifiers, alias, is_known=True)
        if len(aliases) >= self._sent_aliases_max:
            return outgoing.pieces(first, identifiers)
        alias = aliases[octets] = len(aliases) + 1
        return outgoing.aliased(first, identifiers, alias, is_known=False)

    # --- ends ---

    def catch_up(self, *, is_behind: bool) -> None:
        """The client has fallen behind, or has caught up."""
        self.is_behind = is_behind
        self._set_lane()
        if not is_behind and self.session is not None and self.state is State.OPEN:
            self.session.send_waiting()
            self.broker.replays.wake(self.session)

    def fail(self, error: MqttError) -> None:
        """End the connection for what the client did, and tell it why where it can be told."""
        if self.state is State.CLOSED:
            return
        self.error = error
        if error.is_told:
            self._tell(error)
        self.close()

    def _tell(self, error: MqttError) -> None:
        properties = NO_PROPERTIES
        if self._wants_words or error.is_explained:
            properties = Properties(reason_string=str(error)[:_REASON_CHARS_MAX])
        if self.state is State.OPEN:
            if self.version == 5:
                reason = allowed_reason(PacketType.DISCONNECT, error.reason_code)
                self.send(Disconnect(reason, properties))
            return
        if self.state is State.NEW:
            self.version = error.version
        if self.version == 5:
            reason = allowed_reason(PacketType.CONNACK, error.reason_code)
            self.send(Connack(False, reason, properties))
        elif connack_return_code(error.reason_code) is not None:
            self.send(Connack(False, error.reason_code))

    def fail_for(self, error: Exception) -> None:
        """End the connection because of a fault of ours: the client keeps what is not on disk."""
        self.fail(MqttError(f"it could not be kept: {error}", reason_code=ReasonCode.SERVER_BUSY))

    def end_with(self, reason: ReasonCode) -> None:
        """End the connection for a reason that is not the client's packet."""
        self.fail(MqttError(reason.name, reason_code=reason))

    def close(self, *, drops_will: bool = False) -> None:
        """End the connection; what is in `out` is sent first."""
        if self.state is State.CLOSED:
            return
        was, self.state = self.state, State.CLOSED
        self.connect = None
        self.unfinished = None
        self.publishing = None
        if not self.out:
            self.broker.dirty.append(self)  # so that the door hears of it
        self.broker.reception.leave(self, was_open=was is State.OPEN, drops_will=drops_will)


def _first_octet(delivery: Delivery, *, is_dup: bool) -> int:
    first = PUBLISH | delivery.qos << 1
    if delivery.is_retain:
        first |= RETAIN
    return first | DUP if is_dup else first


_TAKERS: dict[type, Callable[[Connection, Any], None]] = {
    Puback: Connection._take_puback,
    Pubrec: Connection._take_pubrec,
    Pubrel: Connection._take_pubrel,
    Pubcomp: Connection._take_pubcomp,
    Subscribe: Connection._take_subscribe,
    Unsubscribe: Connection._take_unsubscribe,
    Pingreq: Connection._take_pingreq,
    Disconnect: Connection._take_disconnect,
    Auth: Connection._take_auth,
}
