"""What one client publishes, by all of the standard's rules, and what it is told of it.

Source: MQTT 5, 3.3 to 3.7, 4.3 and 4.6; MQTT 3.1.1, the same.
"""

from collections import deque
from functools import partial
from typing import TYPE_CHECKING

from thingtank.protocols.mqtt.acks import Ack, OwnMessage, WhenKept
from thingtank.protocols.mqtt.bounds import RECEIVED_MAX
from thingtank.protocols.mqtt.errors import ProtocolError
from thingtank.protocols.mqtt.messages import Message
from thingtank.protocols.mqtt.outgoing import Outgoing
from thingtank.protocols.mqtt.packets import Publish
from thingtank.protocols.mqtt.properties import NO_PROPERTIES, forwarded_properties
from thingtank.protocols.mqtt.reason_codes import ReasonCode
from thingtank.protocols.mqtt.routes import route_of_one
from thingtank.protocols.mqtt.serializer import PUBACK_OCTET, PUBREC_OCTET
from thingtank.protocols.mqtt.session import TAKEN, UNDECIDED, UNRECORDED

if TYPE_CHECKING:
    from thingtank.protocols.mqtt.connection import Connection
    from thingtank.protocols.mqtt.routes import Route
    from thingtank.protocols.mqtt.session import Session

_ROUTES_MAX = 64  # that a connection remembers by itself
_US_PER_S = 1_000_000


class Inbound:
    """Made when a client publishes for the first time.

    Attributes:
        routes: of topics that it may publish to, by their octets. What is plain is passed on by
            them at once, so those of topics that a witness listens to are kept apart.
        rights_epoch: of the broker, when that was asked.
        waiting: acknowledgements, the first first; others must not come before them.
    """

    __slots__ = (
        "_aliases",
        "_broker",
        "_connection",
        "_noted",
        "_repeats",
        "_session",
        "_unacked_count",
        "rights_epoch",
        "routes",
        "waiting",
    )

    def __init__(self, connection: "Connection", session: "Session") -> None:
        self._connection = connection
        self._session = session
        self._broker = connection.broker
        self.routes: dict[bytes, Route] = {}
        self._noted: dict[bytes, Route] = {}
        self.rights_epoch = self._broker.rights_epoch
        self.waiting: deque[Ack | OwnMessage] = deque()
        self._aliases: dict[int, bytes] = {}
        self._repeats: dict[int, int] = {}
        self._unacked_count = 0  # messages of QoS 1 whose PUBACK waits

    def take_packet_id(self, packet_id: int) -> bool:
        """Have a plain QoS 2 message's packet id in use; False where there is more to it."""
        session = self._session
        received = session.received
        if (
            session.expiry_interval_s
            or packet_id in received
            or len(received) >= self._broker.bounds.receive_maximum
        ):
            return False
        received[packet_id] = TAKEN
        return True

    def take(self, packet: Publish) -> None:
        """Any PUBLISH, by all rules (3.3)."""
        broker, session = self._broker, self._session
        broker.received_count += 1
        octets = self._topic_of(packet)
        packet_id = packet.packet_id
        if packet.qos and self._is_known(packet, octets):
            return
        route = self._allowed_route(octets)
        if route is None:
            self._answer(packet, ReasonCode.NOT_AUTHORIZED)
            if broker.witness is not None:
                topic = octets.decode()
                broker.witness.answered_publish(session, topic, packet, ReasonCode.NOT_AUTHORIZED)
            return
        message = self._message(packet, route)
        if packet.qos == 2:
            session.received[packet_id] = TAKEN
            if session.is_persistent and (route.intake is None or route.intake.keeps_messages):
                broker.keeper.keep_received(session.client_id, packet_id)
        if route.intake is not None:
            self._hand_in(route, packet, message)
            return
        reason = ReasonCode.SUCCESS
        is_kept = False
        to_record = message if route.is_recorded else None
        if packet.retain:
            reason = broker.retain(message)
            is_kept = reason is ReasonCode.SUCCESS
        if packet.qos == 2:
            # Before the message: it may be the client's own, and some take things in that order.
            waits = is_kept or session.is_persistent or route.may_keep
            self._answer(packet, reason, waits=waits, to_record=to_record)
            broker.distribute(route, message, session)
        else:
            is_kept |= broker.distribute(route, message, session)
            if route.is_empty and not reason:
                reason = ReasonCode.NO_MATCHING_SUBSCRIBERS
            self._answer(packet, reason, waits=is_kept, to_record=to_record)
        if octets in self._noted:
            self._note(octets, packet, reason)

    def _message(self, packet: Publish, route: "Route") -> Message:
        broker, properties = self._broker, packet.properties
        expiry_s = properties.message_expiry_interval
        return Message(
            route.topic,
            packet.payload,
            packet.qos,
            packet.retain,
            forwarded_properties(properties) if properties is not NO_PROPERTIES else b"",
            broker.now_us() + expiry_s * _US_PER_S if expiry_s is not None else 0,
            self._session.client_id,
        )

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
        if octets:
            self._aliases[alias] = octets
            return octets
        known = self._aliases.get(alias)
        if known is None:
            raise ProtocolError(f"topic alias {alias} stands for nothing [MQTT-3.3.2-8]")
        return known

    def _is_known(self, packet: Publish, octets: bytes) -> bool:
        """Whether a message of QoS 2 has been taken before; also refuses more than is allowed."""
        session, bounds = self._session, self._broker.bounds
        if packet.qos == 2 and packet.packet_id in session.received:
            self._count_repeat(packet)
            state = session.received[packet.packet_id]
            if state:
                to_record = None
                route = self._allowed_route(octets) if state == UNRECORDED else None
                if route is not None and route.is_recorded:
                    to_record = self._message(packet, route)
                waits = session.is_persistent
                self._answer(packet, ReasonCode.SUCCESS, waits=waits, to_record=to_record)
            return True
        count = len(session.received) + self._unacked_count
        if self._connection.version == 5:
            if count >= bounds.receive_maximum:
                raise ProtocolError(
                    f"more than {bounds.receive_maximum} messages at once [MQTT-3.3.4-9]",
                    reason_code=ReasonCode.RECEIVE_MAXIMUM_EXCEEDED,
                )
        elif len(session.received) >= RECEIVED_MAX:
            raise ProtocolError(f"more than {RECEIVED_MAX} messages of QoS 2 not released")
        elif self._unacked_count >= bounds.receive_maximum:
            self._connection.hold()
        return False

    def _count_repeat(self, packet: Publish) -> None:
        """Refuse a client that sends one message of QoS 2 again and again.

        On one connection there is no cause to send it even twice (MQTT 5, 4.4), but clients do.
        """
        if self._connection.version == 3:  # MQTT 3.1 sends again when an answer is late
            return
        mark = hash(packet.payload)
        if self._repeats.get(packet.packet_id) == mark:
            raise ProtocolError(f"packet id {packet.packet_id} a third time (4.4)")
        self._repeats[packet.packet_id] = mark

    def _note(self, octets: bytes, packet: Publish, reason: ReasonCode) -> None:
        """Tell the witness; while it has heard enough, messages pass as fast as others."""
        witness = self._broker.witness
        assert witness is not None, "it wants to hear of this topic"
        route = self._noted[octets]
        if witness.answered_publish(self._session, route.topic, packet, reason):
            return
        del self._noted[octets]
        _remember(self.routes, octets, route)
        witness.when_rested(partial(self.routes.pop, octets, None))

    def _allowed_route(self, octets: bytes) -> "Route | None":
        broker = self._broker
        if self.rights_epoch != broker.rights_epoch:
            self.rights_epoch = broker.rights_epoch
            self.routes.clear()
            self._noted.clear()
        route = self.routes.get(octets) or self._noted.get(octets)
        if route is None:
            route = self._find_route(octets)
            # Who owns a topic asks for each message: keys expire.
            is_asked = route.intake is None or route.is_of_one
            if is_asked and not broker.may_publish(self._session, route.topic):
                return None
            is_noted = route.intake is None and self._is_noted(route.topic)
            _remember(self._noted if is_noted else self.routes, octets, route)
        if route.version != broker.version:
            broker.find_receivers(route)
        return route

    def _is_noted(self, topic: str) -> bool:
        witness = self._broker.witness
        return witness is not None and witness.notes_publish(topic)

    def _find_route(self, octets: bytes) -> "Route":
        broker = self._broker
        route = broker.route(octets)
        if broker.owner is not None:
            intake = broker.owner.find_intake_of(self._session, route.topic)
            if intake is not None:
                route = route_of_one(route, intake)
        if route.version != broker.version:
            broker.find_receivers(route)
        return route

    def _hand_in(self, route: "Route", packet: Publish, message: Message) -> None:
        """Give a message to who owns its topic, and acknowledge when it is done with."""
        session = self._session
        intake = route.intake
        assert intake is not None
        if not packet.qos:
            intake.take(session, message, _not_told)
            return
        ack = self._wait(packet)
        if packet.qos == 1:
            intake.take(session, message, ack.decide)
            return
        packet_id = packet.packet_id
        session.received[packet_id] = UNDECIDED
        if session.is_persistent and intake.keeps_messages:
            ack.waits_count += 1
            self._broker.awaiting.append(ack)

        def done(reason: ReasonCode) -> None:
            if session.is_ended:  # what is kept by that client id is another session's
                return
            if reason >= ReasonCode.UNSPECIFIED_ERROR:
                self.forget_packet_id(packet_id)
            elif packet_id in session.received:
                session.received[packet_id] = TAKEN
                if session.is_persistent and not intake.keeps_messages:
                    self._broker.keeper.keep_received(session.client_id, packet_id)
                    ack.waits_count += 1
                    self._broker.awaiting.append(ack)
            ack.decide(reason)
            current = session.connection
            if current is not None and current is not self._connection:
                # The client has come back meanwhile, and sent it again: nothing was said to that.
                current.answer_again(packet_id, reason)

        intake.take(session, message, done)

    def forget_packet_id(self, packet_id: int) -> bool:
        """Forget a QoS 2 message that was taken; answers whether it was."""
        session = self._session
        if session.received.pop(packet_id, None) is None:
            return False
        self._repeats.pop(packet_id, None)
        if session.is_persistent:
            self._broker.keeper.drop_received(session.client_id, packet_id)
        return True

    # --- acknowledgements ---

    def _answer(
        self,
        packet: Publish,
        reason: ReasonCode,
        *,
        waits: bool = False,
        to_record: Message | None = None,
    ) -> None:
        """Answer a PUBLISH, once what was said before is on disk if it has to wait for that.

        Args:
            to_record: what the recorder is to write down first; None if it does not want it.
        """
        if not packet.qos:
            if to_record is not None and self._broker.recorder is not None:
                self._broker.recorder.record(to_record, None)
            return
        if reason >= ReasonCode.UNSPECIFIED_ERROR and packet.qos == 2:
            self.forget_packet_id(packet.packet_id)
        if not waits and to_record is None and not self.waiting:
            self._connection.send_ack(
                PUBACK_OCTET if packet.qos == 1 else PUBREC_OCTET, packet.packet_id, reason
            )
            return
        ack = self._wait(packet)
        ack.reason = reason
        ack.waits_count = waits + (to_record is not None)
        if waits:
            self._broker.awaiting.append(ack)
        if to_record is not None:
            self._record(to_record, ack)

    def _record(self, message: Message, ack: Ack) -> None:
        """Have a message of QoS 1 or 2 written down before it is acknowledged."""
        broker, connection, session = self._broker, self._connection, self._session
        recorder = broker.recorder
        assert recorder is not None, "the route is recorded"
        packet_id, received = ack.packet_id, session.received
        is_tracked = message.qos == 2 and packet_id in received
        if is_tracked:
            received[packet_id] = UNDECIDED

        def recorded(error: Exception | None) -> None:
            if is_tracked and received.get(packet_id) == UNDECIDED:
                received[packet_id] = TAKEN if error is None else UNRECORDED
            ack.settle(error)
            current = session.connection
            if is_tracked and current is not None and current is not connection:
                # The client has come back meanwhile, and sent it again: nothing was said to that.
                if error is not None:
                    current.fail_for(error)
                elif received.get(packet_id) == TAKEN:
                    say = partial(current.answer_again, packet_id, ack.reason)
                    broker.awaiting.append(WhenKept(current, say))
            broker.wake()

        recorder.record(message, recorded)
        if recorder.is_behind and not connection.is_held:
            broker.wait_for(recorder, connection)

    def _wait(self, packet: Publish) -> Ack:
        first = PUBACK_OCTET if packet.qos == 1 else PUBREC_OCTET
        ack = Ack(self, self._connection, first, packet.packet_id, ReasonCode.SUCCESS)
        self.waiting.append(ack)
        if packet.qos == 1:
            self._unacked_count += 1
        return ack

    def put_behind_acks(
        self, outgoing: Outgoing, qos: int, is_retain: bool, identifiers: tuple[int, ...]
    ) -> bool:
        """Have a message of the client's own come after its PUBREC, if that waits."""
        if not self.waiting:
            return False
        self.waiting.append(OwnMessage(self._connection, outgoing, qos, is_retain, identifiers))
        return True

    def release_acks(self) -> None:
        """Send those acknowledgements that wait for nothing any more, in order."""
        acks = self.waiting
        if not self._connection.is_open:
            return
        while acks and acks[0].waits_count <= 0:
            ack = acks.popleft()
            if ack.first == PUBACK_OCTET:
                self._unacked_count -= 1
            ack.release()
        if self._connection.is_held and self._unacked_count < self._broker.bounds.receive_maximum:
            self._connection.go_on()


def _remember(routes: "dict[bytes, Route]", octets: bytes, route: "Route") -> None:
    if len(routes) >= _ROUTES_MAX:
        routes.clear()
    routes[octets] = route


def _not_told(reason: ReasonCode) -> None:
    """Nobody hears what became of a message of QoS 0."""
