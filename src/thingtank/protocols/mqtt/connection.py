"""One client's network connection: octets in, octets out.

Most of what a broker reads are PUBLISH and PUBACK in their plainest form, so those are told by
their octets and never become objects. `_relay` is the one hard function here: it passes a message
on when nothing has to be looked at but its head, its topic's route is known, and no receiver is
owed more than the octets that came. It leaves everything else to `_take_publish`, which does the
same with all the standard's rules.

Source: MQTT 5 and MQTT 3.1.1, 3 and 4.
"""

from collections import deque
from collections.abc import Callable
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Protocol

from thingtank.protocols.mqtt.acks import Ack, OwnMessage
from thingtank.protocols.mqtt.bounds import RECEIVED_MAX
from thingtank.protocols.mqtt.errors import MqttError, PacketTooLarge, ProtocolError
from thingtank.protocols.mqtt.messages import Message
from thingtank.protocols.mqtt.outgoing import DUP, PUBLISH, RETAIN, Outgoing, publish_head
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
from thingtank.protocols.mqtt.properties import NO_PROPERTIES, Properties, forwarded_properties
from thingtank.protocols.mqtt.reason_codes import ReasonCode, connack_return_code
from thingtank.protocols.mqtt.serializer import serialize
from thingtank.protocols.mqtt.session import SENT_1, SENT_2, Delivery, Session
from thingtank.protocols.mqtt.subscribing import subscribe, unsubscribe

if TYPE_CHECKING:
    from thingtank.protocols.mqtt.broker import Broker
    from thingtank.protocols.mqtt.packets import ClientPacket, ServerPacket
    from thingtank.protocols.mqtt.routes import Route

_CONNECT, _PUBACK, _PUBREC, _PUBREL, _PUBCOMP = 0x10, 0x40, 0x50, 0x62, 0x70
_PINGREQ, _PINGRESP = 0xC0, b"\xd0\x00"
_PUBACK_2, _PUBREC_2 = b"\x40\x02", b"\x50\x02"
_PUBACK_NOBODY = b"\x40\x03%b\x10"
_NOBODY = ReasonCode.NO_MATCHING_SUBSCRIBERS
_ROUTES_MAX = 64  # that a connection remembers by itself
_HELD_BYTES_MAX = 2**16  # of a client that has yet to be let in
_US_PER_S = 1_000_000

# How packets to a client are made.
PLAIN, PLAIN_5, WITH_CARE = 0, 1, 2


class State(IntEnum):
    """Where a connection is."""

    NEW = 0  # CONNECT has yet to come
    ENTERING = 1  # it is being decided whether it may come in
    OPEN = 2
    CLOSED = 3


class Link(Protocol):
    """What carries the octets; a door's."""

    def pause(self) -> None:
        """Read no more for now."""

    def resume(self) -> None:
        """Read on."""


class Connection:
    """A client's connection, from its first octet.

    Attributes:
        out: octets to be sent, in pieces; the broker's `dirty` lists who has any.
        lane: PLAIN and PLAIN_5 for clients whose packets need no care of their own.
        is_behind: whether the client reads too slowly.
        last_heard_us: when the last octets came.
        is_held: whether nothing more is taken from it for now.
        since_us: when it began.
    """

    __slots__ = (
        "_acks",
        "_aliases",
        "_broker",
        "_packet_bytes_max",
        "_repeats",
        "_rest",
        "_routes",
        "_sent_aliases",
        "_sent_aliases_max",
        "_tells_reasons",
        "_unacked_count",
        "_wanted_bytes",
        "address",
        "client_id",
        "connect",
        "is_behind",
        "is_held",
        "keep_alive_due_s",
        "keep_alive_us",
        "lane",
        "last_heard_us",
        "link",
        "out",
        "session",
        "since_us",
        "state",
        "version",
    )

    def __init__(self, broker: "Broker", link: Link, address: str) -> None:
        """Wait for CONNECT.

        Args:
            address: of the client, for people.
        """
        self._broker = broker
        self.link = link
        self.address = address
        self.client_id = ""
        self.state = State.NEW
        self.version = 4
        self.session: Session | None = None
        self.connect: Connect | None = None
        self.out: list[bytes] = []
        self.lane = WITH_CARE
        self.is_behind = False
        self.is_held = False
        self.since_us = self.last_heard_us = broker.now_us()
        self.keep_alive_us = 0
        self.keep_alive_due_s = 0
        self._rest: bytearray | None = None
        self._wanted_bytes = 0
        self._routes: dict[bytes, Route] = {}
        self._acks: deque[Ack | OwnMessage] | None = None
        self._repeats: dict[int, int] | None = None
        self._unacked_count = 0
        self._aliases: dict[int, bytes] | None = None
        self._sent_aliases: dict[bytes, int] | None = None
        self._sent_aliases_max = 0
        self._packet_bytes_max = 0
        self._tells_reasons = True

    @property
    def is_open(self) -> bool:
        """Whether the client has come in and not gone."""
        return self.state is State.OPEN

    @property
    def waiting_octets(self) -> bytes:
        """What has come and was not taken yet; it begins with a packet's beginning."""
        return bytes(self._rest or b"")

    @property
    def is_closed(self) -> bool:
        """Whether nothing more comes or goes but what is in `out`."""
        return self.state is State.CLOSED

    # --- octets in ---

    def receive_data(self, data: bytes) -> None:
        """Take what has come, do what it says, and leave the answers in `out`."""
        self.last_heard_us = self._broker.now_us()
        rest = self._rest
        if rest is not None:
            rest += data
            if self.is_held:
                if len(rest) > self._broker.bounds.packet_bytes_max + _HELD_BYTES_MAX:
                    self.link.pause()
                return
            if len(rest) < self._wanted_bytes:
                return
            data = bytes(rest)
            self._rest = None
        if self.state is State.CLOSED:
            return
        try:
            at = self._take_packets(data)
        except MqttError as error:
            self.fail(error)
            return
        if at < len(data) and not self.is_closed:
            self._rest = bytearray(data[at:] if at else data)

    def _take_packets(self, data: bytes) -> int:
        """Take all whole packets; answers where the rest begins."""
        at, size = 0, len(data)
        broker = self._broker
        bytes_max = broker.bounds.packet_bytes_max
        self._wanted_bytes = 2
        while size - at >= 2:
            if self.is_held or self.state is State.CLOSED:
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
                raise PacketTooLarge(f"packet of {end - at} octets; at most {bytes_max} are taken")
            if end > size:
                self._check_beginning(first)
                self._wanted_bytes = end - at
                break
            if self.state is not State.OPEN:
                self._take_first(first, data[body:end])
            elif first & 0xF0 == PUBLISH:
                if not self._relay(first, data, at, body, end):
                    packet = parse(first, data[body:end], self.version)
                    assert type(packet) is Publish
                    self._take_publish(packet)
            elif first == _PUBACK and length == 2 and (data[body] or data[body + 1]):
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
            self._tells_reasons = connect.properties.request_problem_information != 0
            self.state = State.ENTERING
            self.is_held = True
            self._broker.reception.enter(self, connect)
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
        rest, self._rest = self._rest, None
        self._wanted_bytes = 0
        if rest:
            self.receive_data(bytes(rest))

    # --- letting in ---

    def admitted(
        self, session: Session, connack: Connack, keep_alive_s: int, receive_maximum: int
    ) -> None:
        """It is in: the broker has found or made its session."""
        connect = self.connect
        assert connect is not None
        self.connect = None  # with its password; nothing of it is needed any more
        self.state = State.OPEN
        self.session = session
        self.keep_alive_us = keep_alive_s * 3 * _US_PER_S // 2  # [MQTT-3.1.2-22]
        properties = connect.properties
        self._packet_bytes_max = properties.maximum_packet_size or 0
        self._sent_aliases_max = min(
            properties.topic_alias_maximum or 0, self._broker.bounds.topic_alias_max
        )
        self._set_lane()
        self.send(connack)
        session.attach(self, receive_maximum)

    def _set_lane(self) -> None:
        if self.is_behind or self._packet_bytes_max or self._sent_aliases_max:
            self.lane = WITH_CARE
        else:
            self.lane = PLAIN_5 if self.version == 5 else PLAIN

    def refuse(self, error: MqttError) -> None:
        """It may not come in."""
        self.fail(error)

    def challenge(self, properties: Properties) -> None:
        """Ask for the next step of enhanced authentication (MQTT 5, 4.12)."""
        self.send(Auth(ReasonCode.CONTINUE_AUTHENTICATION, properties))
        self.go_on()

    def _take_auth(self, packet: Auth) -> None:
        self.is_held = True
        self._broker.reception.proceed(self, packet)

    def reauthenticated(self, properties: Properties) -> None:
        """Tell that it may stay (MQTT 5, 4.12.1)."""
        self.send(Auth(ReasonCode.SUCCESS, properties))
        self.go_on()

    # --- messages in ---

    def _relay(self, first: int, data: bytes, at: int, body: int, end: int) -> bool:
        """Pass a message on in the octets that it came in; False where that is not all."""
        if end - body < 4:
            return False
        start = body + 2
        stop = start + (data[body] << 8 | data[body + 1])
        route = self._routes.get(data[start:stop])
        if route is None:
            return False
        broker = self._broker
        if route.version != broker.version:
            broker.find_receivers(route)
        is_5 = self.version == 5
        if first == 0x30:
            if not route.relays_once or (stop >= end and (is_5 or stop > end)):
                return False
            tail = stop
            if is_5:
                if data[stop]:
                    return False
                tail += 1
            self._relay_once(route, data, at, tail, end)
            return True
        payload = stop + 2
        if (
            (first != 0x32 and first != 0x34)
            or not route.relays
            or payload > end
            or not (data[stop] or data[stop + 1])
            or self._acks
        ):
            return False
        if is_5:
            if payload >= end or data[payload]:
                return False
            payload += 1
        ack = data[stop : stop + 2]
        if first == 0x34:
            received = self._of_session.received
            packet_id = ack[0] << 8 | ack[1]
            if self._of_session.expiry_interval_s:
                return False
            if packet_id in received or len(received) >= broker.bounds.receive_maximum:
                return False
            received[packet_id] = True
            self.write(_PUBREC_2 + ack)
            self._relay_tracked(route, first, data, at, stop, payload, end)
        else:
            self._relay_tracked(route, first, data, at, stop, payload, end)
            self.write(_PUBACK_2 + ack if route.direct or not is_5 else _PUBACK_NOBODY % ack)
        return True

    def _relay_once(self, route: "Route", data: bytes, at: int, tail: int, end: int) -> None:
        """QoS 0."""
        broker = self._broker
        broker.received_count += 1
        dirty = broker.dirty
        is_5 = self.version == 5
        same = None
        other = None
        for session, _, is_special, subscriptions in route.direct:
            connection = session.connection
            if connection is None:
                continue
            lane = connection.lane
            if is_special or lane == WITH_CARE:
                broker.deliver_one(session, subscriptions, route, data[tail:end], 0, self.session)
                continue
            if lane == is_5:
                if same is None:
                    same = data[at:end]
                packet = same
            else:
                if other is None:
                    tail_bytes = data[tail:end] if is_5 else b"\0" + data[tail:end]
                    other = publish_head(0x30, route.octets, len(tail_bytes)) + tail_bytes
                packet = other
            broker.sent_count += 1
            out = connection.out
            if not out:
                dirty.append(connection)
            out.append(packet)

    def _relay_tracked(
        self, route: "Route", first: int, data: bytes, at: int, stop: int, payload: int, end: int
    ) -> None:
        """QoS 1 and 2, to sessions that end with their connections."""
        broker = self._broker
        broker.received_count += 1
        dirty = broker.dirty
        is_5 = self.version == 5
        qos = first >> 1 & 3
        mark = SENT_1 if qos == 1 else SENT_2
        head = tail = None
        for session, sub_qos, is_special, subscriptions in route.direct:
            connection = session.connection
            if connection is None:
                continue
            if (
                is_special
                or sub_qos < qos
                or connection.lane != is_5
                or session.quota == 0
                or session.is_waiting
            ):
                broker.deliver_one(
                    session, subscriptions, route, data[payload:end], qos, self.session
                )
                continue
            if head is None or tail is None:
                head, tail = data[at:stop], data[stop + 2 : end]
            packet_id = session.last_packet_id + 1
            inflight = session.inflight
            if packet_id > 0xFFFF or packet_id in inflight:
                packet_id = session.free_packet_id()
            else:
                session.last_packet_id = packet_id
            inflight[packet_id] = mark
            session.quota -= 1
            broker.sent_count += 1
            out = connection.out
            if not out:
                dirty.append(connection)
            out += (head, packet_id.to_bytes(2, "big"), tail)

    def _take_publish(self, packet: Publish) -> None:
        """Any PUBLISH, by all rules (3.3)."""
        broker, session = self._broker, self._of_session
        broker.received_count += 1
        octets = self._topic_of(packet)
        packet_id, properties = packet.packet_id, packet.properties
        if packet.qos and self._is_known(packet):
            return
        route = self._allowed_route(octets)
        if route is None:
            self._acknowledge(packet, ReasonCode.NOT_AUTHORIZED)
            return
        expiry_s = properties.message_expiry_interval
        message = Message(
            route.topic,
            packet.payload,
            packet.qos,
            packet.retain,
            forwarded_properties(properties) if properties is not NO_PROPERTIES else b"",
            broker.now_us() + expiry_s * _US_PER_S if expiry_s is not None else 0,
            session.client_id,
        )
        if packet.qos == 2:
            session.received[packet_id] = True
            if session.is_persistent:
                broker.keeper.keep_received(session.client_id, packet_id)
        if route.intake is not None:
            self._hand_in(route, packet, message)
            return
        reason = ReasonCode.SUCCESS
        is_kept = False
        if packet.retain:
            reason = broker.retain(message)
            is_kept = reason is ReasonCode.SUCCESS
        if packet.qos == 2:
            # Before the message: it may be the client's own, and some take things in that order.
            waits = is_kept or session.is_persistent or route.may_keep
            self._acknowledge(packet, reason, waits=waits)
            broker.distribute(route, message, session)
            return
        is_kept |= broker.distribute(route, message, session)
        if route.is_empty and not reason:
            reason = _NOBODY
        self._acknowledge(packet, reason, waits=is_kept)

    def _topic_of(self, packet: Publish) -> bytes:
        """The topic name, which a topic alias may stand for (3.3.2.3.4)."""
        octets = packet.topic.encode()
        alias = packet.properties.topic_alias
        if alias is None:
            return octets
        if alias > self._broker.bounds.topic_alias_max:
            raise ProtocolError(
                f"topic alias {alias}; at most {self._broker.bounds.topic_alias_max} may be used",
                reason_code=ReasonCode.TOPIC_ALIAS_INVALID,
            )
        if self._aliases is None:
            self._aliases = {}
        if octets:
            self._aliases[alias] = octets
            return octets
        known = self._aliases.get(alias)
        if known is None:
            raise ProtocolError(f"topic alias {alias} stands for nothing [MQTT-3.3.2-8]")
        return known

    def _is_known(self, packet: Publish) -> bool:
        """Whether a message of QoS 2 has been taken before; also refuses more than is allowed."""
        session, bounds = self._of_session, self._broker.bounds
        if packet.qos == 2 and packet.packet_id in session.received:
            self._count_repeat(packet)
            if session.received[packet.packet_id]:
                self._acknowledge(packet, ReasonCode.SUCCESS, waits=session.is_persistent)
            return True
        count = len(session.received) + self._unacked_count
        if self.version == 5:
            if count >= bounds.receive_maximum:
                raise ProtocolError(
                    f"more than {bounds.receive_maximum} messages at once [MQTT-3.3.4-9]",
                    reason_code=ReasonCode.RECEIVE_MAXIMUM_EXCEEDED,
                )
        elif len(session.received) >= RECEIVED_MAX:
            raise ProtocolError(f"more than {RECEIVED_MAX} messages of QoS 2 not released")
        elif self._unacked_count >= bounds.receive_maximum:
            self.hold()
        return False

    def _count_repeat(self, packet: Publish) -> None:
        """Refuse a client that sends one message of QoS 2 again and again.

        On one connection there is no cause to send it even twice (MQTT 5, 4.4), but clients do.
        """
        if self.version == 3:  # MQTT 3.1 sends again when an answer is late
            return
        if self._repeats is None:
            self._repeats = {}
        mark = hash(packet.payload)
        if self._repeats.get(packet.packet_id) == mark:
            raise ProtocolError(f"packet id {packet.packet_id} a third time (4.4)")
        self._repeats[packet.packet_id] = mark

    def _allowed_route(self, octets: bytes) -> "Route | None":
        broker = self._broker
        route = self._routes.get(octets)
        if route is None:
            route = broker.route(octets)
            session = self._of_session
            if not broker.may_publish(session, route.topic):
                return None
            if route.version != broker.version:
                broker.find_receivers(route)
            if route.intake is not None:
                return route  # whether it may is asked each time: keys expire
            if len(self._routes) >= _ROUTES_MAX:
                self._routes.clear()
            self._routes[octets] = route
        if route.version != broker.version:
            broker.find_receivers(route)
        return route

    def forget_rights(self) -> None:
        """What it may publish is to be asked again."""
        self._routes.clear()

    def _hand_in(self, route: "Route", packet: Publish, message: Message) -> None:
        """Give a message to who owns its topic, and acknowledge when it is done with."""
        session = self._of_session
        intake = route.intake
        assert intake is not None
        if not packet.qos:
            intake.take(session, message, _not_told)
            return
        ack = self._wait(packet)
        packet_id = packet.packet_id
        if packet.qos == 2:
            session.received[packet_id] = False  # as long as it is not known what becomes of it
            if session.is_persistent:
                ack.waits_count += 1
                self._broker.awaiting.append(ack)

        def done(reason: ReasonCode) -> None:
            if packet.qos == 2:
                if reason >= ReasonCode.UNSPECIFIED_ERROR:
                    self._forget_received(session, packet_id)
                elif packet_id in session.received:
                    session.received[packet_id] = True
            ack.decide(reason)

        intake.take(session, message, done)

    def _forget_received(self, session: Session, packet_id: int) -> bool:
        if session.received.pop(packet_id, None) is None:
            return False
        if self._repeats:
            self._repeats.pop(packet_id, None)
        if session.is_persistent:
            self._broker.keeper.drop_received(session.client_id, packet_id)
        return True

    # --- acknowledgements out ---

    def _acknowledge(self, packet: Publish, reason: ReasonCode, *, waits: bool = False) -> None:
        """Answer a PUBLISH, once what was said before is on disk if it has to wait for that."""
        if not packet.qos:
            return
        if reason >= ReasonCode.UNSPECIFIED_ERROR and packet.qos == 2:
            self._forget_received(self._of_session, packet.packet_id)
        if not waits and not self._acks:
            self.send_ack(_PUBACK if packet.qos == 1 else _PUBREC, packet.packet_id, reason)
            return
        ack = self._wait(packet)
        ack.reason = reason
        if not waits:
            ack.waits_count = 0
            return
        self._broker.awaiting.append(ack)
        if self._broker.keeper.is_behind:
            self.hold()  # until this is sent

    def _wait(self, packet: Publish) -> Ack:
        if self._acks is None:
            self._acks = deque()
        first = _PUBACK if packet.qos == 1 else _PUBREC
        ack = Ack(self, first, packet.packet_id, ReasonCode.SUCCESS)
        self._acks.append(ack)
        if packet.qos == 1:
            self._unacked_count += 1
        return ack

    def put_behind_acks(
        self, outgoing: Outgoing, qos: int, is_retain: bool, identifiers: tuple[int, ...]
    ) -> bool:
        """Have a message of the client's own come after its PUBREC, if that waits."""
        if not self._acks:
            return False
        self._acks.append(OwnMessage(self, outgoing, qos, is_retain, identifiers))
        return True

    def wake(self) -> None:
        """Have written soon what is in `out`."""
        self._broker.wake()

    def release_acks(self) -> None:
        """Send those acknowledgements that wait for nothing any more, in order."""
        acks = self._acks
        if self.state is not State.OPEN:
            return
        while acks and acks[0].waits_count <= 0:
            ack = acks.popleft()
            if ack.first == _PUBACK:
                self._unacked_count -= 1
            ack.release()
        if self.is_held and self._unacked_count < self._broker.bounds.receive_maximum:
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
            self.send_ack(_PUBREL, packet.packet_id)

    def _take_pubrel(self, packet: Pubrel) -> None:
        session = self._of_session
        if self._forget_received(session, packet.packet_id) and session.is_persistent:
            # The client uses the packet id again after PUBCOMP; it must not be known then.
            self._broker.awaiting.append(_Completing(self, packet.packet_id))
        else:
            self.send_ack(_PUBCOMP, packet.packet_id)

    def _take_pubcomp(self, packet: Pubcomp) -> None:
        self._of_session.take_pubcomp(packet.packet_id)

    def _take_subscribe(self, packet: Subscribe) -> None:
        subscribe(self._broker, self, packet)

    def _take_unsubscribe(self, packet: Unsubscribe) -> None:
        unsubscribe(self._broker, self, packet)

    def _take_pingreq(self, packet: Pingreq) -> None:
        self.write(_PINGRESP)

    def _take_disconnect(self, packet: Disconnect) -> None:
        self._broker.reception.disconnect(self, packet)

    # --- packets out ---

    def write(self, octets: bytes) -> None:
        """Send octets."""
        if not self.out:
            self._broker.dirty.append(self)
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

    def send_once(self, outgoing: Outgoing, is_retain: bool, identifiers: tuple[int, ...]) -> bool:
        """Send a message of QoS 0; False when it is dropped, as the client reads too slowly."""
        if self.is_behind:
            return False
        first = PUBLISH | RETAIN if is_retain else PUBLISH
        head, tail = self._pieces(outgoing, first, identifiers)
        if self._packet_bytes_max and len(head) + len(tail) > self._packet_bytes_max:
            return True  # MQTT 5, 3.1.2.11.4: as if it had been sent
        self._broker.sent_count += 1
        if not self.out:
            self._broker.dirty.append(self)
        self.out += (head, tail)
        return True

    def send_delivery(self, delivery: Delivery, outgoing: Outgoing, *, is_dup: bool) -> None:
        """Send a message of QoS 1 or 2."""
        first = _first_octet(delivery, is_dup=is_dup)
        head, tail = self._pieces(outgoing, first, delivery.identifiers)
        self._broker.sent_count += 1
        if not self.out:
            self._broker.dirty.append(self)
        self.out += (head, delivery.packet_id.to_bytes(2, "big"), tail)

    def is_too_small_for(self, delivery: Delivery, outgoing: Outgoing) -> bool:
        """Whether the client said that it takes no packets of that size."""
        if not self._packet_bytes_max:
            return False
        first = _first_octet(delivery, is_dup=False)
        identifiers = delivery.identifiers if self.version == 5 else None
        head, tail = outgoing.pieces(first, identifiers)
        alias_bytes = 3 if self._sent_aliases_max else 0
        return len(head) + 2 + len(tail) + alias_bytes > self._packet_bytes_max

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

    def fail(self, error: MqttError) -> None:
        """End the connection for what the client did, and tell it why where it can be told."""
        if self.state is State.CLOSED:
            return
        reason = error.reason_code
        if error.is_told:
            if self.state is State.OPEN:
                if self.version == 5:
                    self.send(Disconnect(reason))
            else:
                if self.state is State.NEW:
                    self.version = error.version
                if self.version == 5 or connack_return_code(reason) is not None:
                    self.send(Connack(False, reason))
        self.close()

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
        self._rest = None
        self._acks = None
        self._routes.clear()
        if not self.out:
            self._broker.dirty.append(self)  # so that the door hears of it
        self._broker.reception.leave(self, was_open=was is State.OPEN, drops_will=drops_will)


class _Completing:
    """A PUBCOMP that is sent once the packet id is forgotten on disk."""

    __slots__ = ("_connection", "_packet_id")

    def __init__(self, connection: Connection, packet_id: int) -> None:
        self._connection = connection
        self._packet_id = packet_id

    def settle(self, error: Exception | None) -> None:
        """It is, or cannot be."""
        if error is not None:
            self._connection.fail_for(error)
        elif self._connection.is_open:
            self._connection.send_ack(_PUBCOMP, self._packet_id)


def _first_octet(delivery: Delivery, *, is_dup: bool) -> int:
    first = PUBLISH | delivery.qos << 1
    if delivery.is_retain:
        first |= RETAIN
    return first | DUP if is_dup else first


def _not_told(reason: ReasonCode) -> None:
    """Nobody hears what became of a message of QoS 0."""


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
