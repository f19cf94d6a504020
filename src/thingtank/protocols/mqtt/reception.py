"""How clients come and go: CONNECT and DISCONNECT, sessions, wills.

Source: MQTT 5, 3.1, 3.2, 3.14 and 4.1.
"""

import contextlib
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from thingtank.protocols.mqtt.access import Rights
from thingtank.protocols.mqtt.acks import WhenKept
from thingtank.protocols.mqtt.errors import (
    ClientIdentifierNotValid,
    MqttError,
    ProtocolError,
    TopicNameInvalid,
)
from thingtank.protocols.mqtt.keeping import FoundSession
from thingtank.protocols.mqtt.messages import Message, Will
from thingtank.protocols.mqtt.packets import Auth, Connack, Connect, Disconnect
from thingtank.protocols.mqtt.properties import NO_PROPERTIES, Properties, forwarded_properties
from thingtank.protocols.mqtt.reason_codes import ReasonCode
from thingtank.protocols.mqtt.session import NEVER_EXPIRES, Session
from thingtank.protocols.mqtt.timers import Timer
from thingtank.protocols.mqtt.topics import check_topic_name

if TYPE_CHECKING:
    from thingtank.protocols.mqtt.broker import Broker
    from thingtank.protocols.mqtt.connection import Connection

_US_PER_S = 1_000_000
_RECEIVE_MAXIMUM = 65_535


class Reception:
    """Lets clients in, and sees to what they leave behind.

    Attributes:
        expired_count: sessions whose clients have not come back in time.
    """

    def __init__(self, broker: "Broker") -> None:
        self.expired_count = 0
        self._broker = broker
        self._ends: dict[str, Timer] = {}
        self._wills: dict[str, Timer] = {}
        self._owned: dict[str, int] = {}
        self._to_look_at: list[str] = []
        self._seen_rights_epoch = 0

    # --- coming ---

    def enter(self, connection: "Connection", connect: Connect) -> None:
        """Have it decided whether a client may come in."""
        if not connect.client_id and not connect.clean_start and connect.protocol_version < 5:
            raise ClientIdentifierNotValid("no client id, and a session to be kept [MQTT-3.1.3-8]")
        if len(connect.client_id.encode()) > self._broker.bounds.client_id_bytes_max:
            raise ClientIdentifierNotValid("the client id is too long")
        if connect.will is not None:  # when it is published nobody is there to be told
            check_topic_name(connect.will.topic, self._broker.bounds.topic_levels_max)
        connection.client_id = connect.client_id or self._broker.make_client_id()
        self._broker.gate.enter(connection, connect)

    def proceed(self, connection: "Connection", auth: Auth) -> None:
        """Have it go on with enhanced authentication, if it has begun with it."""
        self._broker.gate.proceed(connection, auth)

    def admit(
        self,
        connection: "Connection",
        principal: str,
        rights: Rights,
        properties: Properties = NO_PROPERTIES,
    ) -> None:
        """Let a client in.

        Args:
            principal: who it is, as in `KeptSession`.
            properties: of CONNACK, of authentication.
        """
        connect = connection.connect
        if connect is None or connection.is_closed:
            return
        broker, client_id = self._broker, connection.client_id
        before = broker.sessions.get(client_id)
        was_kept = before is not None and before.is_persistent
        try:
            session = self._take_over(connect, client_id, principal)
        except MqttError as error:
            connection.fail(error)
            return
        if session is None and was_kept:
            # After a crash the client would find the session again that it was told is gone.
            again = partial(self.admit, connection, principal, rights, properties)
            broker.awaiting.append(_Admitting(connection, again))
            return
        is_present = session is not None
        if session is None:
            session = Session(broker, client_id, principal, rights)
            broker.sessions[client_id] = session
            self.own(principal, 1)
        session.rights = rights
        connack = self._agree(connection, connect, session, properties, is_present=is_present)
        if was_kept and not session.is_persistent:
            # After a crash it would outlive this connection.
            say = partial(self._greet, connection, connack)
            broker.awaiting.append(WhenKept(connection, say))
        else:
            self._greet(connection, connack)

    def _greet(self, connection: "Connection", connack: Connack) -> None:
        session = connection.session
        assert session is not None
        connection.greet(connack)
        if connection.is_open:
            if connack.session_present:
                self._check_rights(session)
                session.resume()
            if self._broker.owner is not None:
                self._broker.owner.connected(session)
        connection.go_on()

    def _take_over(self, connect: Connect, client_id: str, principal: str) -> Session | None:
        """The session to go on with; None for a new one.

        Raises:
            MqttError: it is somebody else's, or there are too many.
        """
        broker = self._broker
        session = broker.sessions.get(client_id)
        if session is None:
            if len(broker.sessions) >= broker.bounds.sessions_max:
                raise _too_many("there are as many sessions as there may be")
            self._check_share(principal)
            return None
        if session.principal != principal and not self._end_if_gone(session):
            raise MqttError(
                f"the session {client_id} is somebody else's",
                reason_code=ReasonCode.CLIENT_IDENTIFIER_NOT_VALID,
                is_explained=True,
            )
        if session.is_ended:
            return None
        if session.connection is not None:  # [MQTT-3.1.4-3]
            session.connection.end_with(ReasonCode.SESSION_TAKEN_OVER)
        if not connect.clean_start:
            if session.is_ended:
                return None
            self._call_off(session)
            session.will = None  # [MQTT-3.1.3-9]: it is back before the delay has passed
            return session
        if not session.is_ended:
            self.end(session)
        return None

    def _check_share(self, principal: str) -> None:
        """Keep one principal's sessions from being all that there may be."""
        broker = self._broker
        if self._owned.get(principal, 0) >= broker.bounds.sessions_per_principal_max:
            raise _too_many("you have as many sessions as you may")

    def own(self, principal: str, count: int) -> None:
        """Somebody has one session more, or one less."""
        owned = self._owned.get(principal, 0) + count
        if owned > 0:
            self._owned[principal] = owned
        else:
            self._owned.pop(principal, None)

    def _end_if_gone(self, session: Session) -> bool:
        """End a session whose owner is gone: a key that was deleted must not block a client id."""
        kept_principals = self._broker.kept_principals
        if kept_principals is None or kept_principals.exists(session.principal):
            return False
        if session.connection is not None:
            session.connection.end_with(ReasonCode.NOT_AUTHORIZED)
        if not session.is_ended:
            self.end(session)
        return True

    def end_gone(self, count_max: int) -> None:
        """Look at some sessions that are away, whether their owners are gone; all in some calls."""
        broker = self._broker
        if not self._to_look_at and self._seen_rights_epoch != broker.rights_epoch:
            self._seen_rights_epoch = broker.rights_epoch
            self._to_look_at = list(broker.sessions)
        for client_id in self._to_look_at[-count_max:]:
            session = broker.sessions.get(client_id)
            if session is not None and session.connection is None:
                self._end_if_gone(session)
        del self._to_look_at[-count_max:]

    def _call_off(self, session: Session) -> None:
        for timers in (self._ends, self._wills):
            timer = timers.pop(session.client_id, None)
            if timer is not None:
                timer.cancel()

    def _agree(
        self,
        connection: "Connection",
        connect: Connect,
        session: Session,
        properties: Properties,
        *,
        is_present: bool,
    ) -> Connack:
        """Settle what holds for this connection; answers how that is said."""
        broker, bounds, asked = self._broker, self._broker.bounds, connect.properties
        was_persistent = session.is_persistent
        session.version = connect.protocol_version
        expiry_s = asked.session_expiry_interval or 0
        if connect.protocol_version < 5:
            expiry_s = 0 if connect.clean_start else NEVER_EXPIRES
        session.expiry_interval_s = min(expiry_s, bounds.session_expiry_s_max)
        session.will = _will_of(connect, session.client_id, broker.now_us())
        keep_alive_s = connect.keep_alive_s
        if connect.protocol_version == 5 and bounds.keep_alive_s_max < 65_535:
            keep_alive_s = min(keep_alive_s or bounds.keep_alive_s_max, bounds.keep_alive_s_max)
        if connect.protocol_version == 5:
            receive_maximum = asked.receive_maximum or _RECEIVE_MAXIMUM
            properties = self._connack_properties(
                connect, session, properties, keep_alive_s, expiry_s
            )
        else:
            receive_maximum = _RECEIVE_MAXIMUM
        receive_maximum = min(receive_maximum, bounds.inflight_max)
        connection.admitted(session, keep_alive_s, receive_maximum)
        if was_persistent != session.is_persistent:
            broker.change_routes()
        if session.is_persistent:
            broker.keeper.keep_session(session.kept())
            if not was_persistent:
                for subscription in session.subscriptions.values():
                    broker.keeper.keep_subscription(session.client_id, subscription)
        elif was_persistent:
            broker.keeper.drop_session(session.client_id)
        if connection.keep_alive_us:
            broker.keep_alive.add(connection)
        return Connack(is_present, ReasonCode.SUCCESS, properties)

    def _connack_properties(
        self,
        connect: Connect,
        session: Session,
        properties: Properties,
        keep_alive_s: int,
        expiry_s: int,
    ) -> Properties:
        bounds = self._broker.bounds
        is_shorter = session.expiry_interval_s != expiry_s
        return Properties(
            session_expiry_interval=session.expiry_interval_s if is_shorter else None,
            receive_maximum=bounds.receive_maximum,
            maximum_packet_size=bounds.packet_bytes_max,
            assigned_client_identifier=None if connect.client_id else session.client_id,
            topic_alias_maximum=bounds.topic_alias_max or None,
            server_keep_alive=keep_alive_s if keep_alive_s != connect.keep_alive_s else None,
            response_information=None,
            authentication_method=properties.authentication_method,
            authentication_data=properties.authentication_data,
        )

    def _check_rights(self, session: Session) -> None:
        """Take away what a client that comes back may not have any more."""
        broker = self._broker
        for topic_filter in list(session.subscriptions):
            if not broker.may_subscribe(session, topic_filter):
                broker.remove_subscription(session, topic_filter)
        if session.subscriptions:
            broker.change_routes()  # those were found with its rights of before
        session.drop_waiting(lambda topic: not broker.may_receive(session, topic))

    # --- going ---

    def disconnect(self, connection: "Connection", packet: Disconnect) -> None:
        """A client says goodbye (3.14)."""
        session = connection.session
        assert session is not None
        expiry_s = packet.properties.session_expiry_interval
        if expiry_s is not None:
            if expiry_s and not session.is_persistent:
                raise ProtocolError("a session expiry interval after none [MQTT-3.14.2-2]")
            self._set_expiry(session, expiry_s)
        connection.close(drops_will=packet.reason_code is ReasonCode.NORMAL_DISCONNECTION)

    def _set_expiry(self, session: Session, expiry_s: int) -> None:
        session.expiry_interval_s = min(expiry_s, self._broker.bounds.session_expiry_s_max)
        if not expiry_s:
            self._broker.keeper.drop_session(session.client_id)
            self._broker.change_routes()

    def leave(self, connection: "Connection", *, was_open: bool, drops_will: bool) -> None:
        """A connection is at its end, for whatever reason."""
        if not was_open:
            self._broker.gate.leave(connection)
            return
        broker, session = self._broker, connection.session
        assert session is not None
        if connection.keep_alive_due_s:
            broker.keep_alive.remove(connection)
        broker.gate.leave(connection)
        if session.connection is not connection:
            return
        session.detach()
        if broker.owner is not None:
            broker.owner.disconnected(session)
        if drops_will:
            session.will = None
        if not session.is_persistent:
            self.end(session)
            return
        now_us = broker.now_us()
        if session.expiry_interval_s != NEVER_EXPIRES:
            session.expires_at_us = now_us + session.expiry_interval_s * _US_PER_S
        self._wait_for(session, now_us)
        broker.keeper.keep_session(session.kept())

    def _wait_for(self, session: Session, now_us: int) -> None:
        """Have the will published, and the session end, when their time has come."""
        timers = self._broker.timers
        will = session.will
        if will is not None:
            if will.delay_s:
                due_us = now_us + will.delay_s * _US_PER_S
                call = partial(self._publish_will, session)
                self._wills[session.client_id] = timers.call_at(due_us, call)
            else:
                self._publish_will(session)
        if session.expires_at_us:
            call = partial(self._expire, session)
            self._ends[session.client_id] = timers.call_at(session.expires_at_us, call)

    def _expire(self, session: Session) -> None:
        self.expired_count += 1
        self.end(session)

    def end(self, session: Session) -> None:
        """End a session: nothing is known of it any more (4.1)."""
        broker = self._broker
        session.is_ended = True
        self._call_off(session)
        if session.will is not None:  # [MQTT-3.1.2-8]: at the session's end, if not before
            self._publish_will(session)
        if session.subscriptions:
            broker.subscriptions.remove_all(session, session.subscriptions)
            broker.change_routes()
            if broker.owner is not None:
                for subscription in session.subscriptions.values():
                    broker.owner.unsubscribed(session, subscription)
        if session.is_persistent:
            broker.keeper.drop_session(session.client_id)
        if broker.sessions.get(session.client_id) is session:
            del broker.sessions[session.client_id]
            self.own(session.principal, -1)

    def _publish_will(self, session: Session) -> None:
        will, session.will = session.will, None
        self._wills.pop(session.client_id, None)
        assert will is not None
        broker = self._broker
        if session.is_persistent and not session.is_ended:
            broker.keeper.keep_session(session.kept())
        message = will.message
        if not broker.may_publish(session, message.topic):
            return
        if will.expiry_interval_s is not None:
            expires_at_us = broker.now_us() + will.expiry_interval_s * _US_PER_S
            message = Message(
                message.topic,
                message.payload,
                message.qos,
                message.is_retain,
                message.properties,
                expires_at_us,
                message.client_id,
            )
        # Since the last process took it, topics may have been allowed fewer levels.
        with contextlib.suppress(TopicNameInvalid):
            broker.publish(message, session)

    # --- after a restart ---

    def restore(self, found: FoundSession) -> None:
        """Take up a session that the last process left."""
        broker = self._broker
        kept = found.session
        session = Session(broker, kept.client_id, kept.principal, None)
        session.restore(found)
        broker.sessions[kept.client_id] = session
        self.own(kept.principal, 1)
        for subscription in found.subscriptions:
            session.subscriptions[subscription.topic_filter] = subscription
            broker.subscriptions.add(session, subscription)
        if kept.is_connected and kept.expiry_interval_s != NEVER_EXPIRES:
            session.expires_at_us = broker.now_us() + kept.expiry_interval_s * _US_PER_S
        if kept.is_connected:
            broker.keeper.keep_session(session.kept())

    def go_on(self) -> None:
        """Have all restored sessions' wills published and ends come, when their time has come.

        Some at once: so this is after all have been restored, and can get them.
        """
        broker = self._broker
        broker.change_routes()
        now_us = broker.now_us()
        for session in list(broker.sessions.values()):
            self._wait_for(session, now_us)


class _Admitting:
    """A client that is let in once its last session is gone from the disk."""

    __slots__ = ("_admit", "_connection")

    def __init__(self, connection: "Connection", admit: Callable[[], None]) -> None:
        self._connection = connection
        self._admit = admit

    def settle(self, error: Exception | None) -> None:
        """It is, or cannot be."""
        connection = self._connection
        if error is not None:
            connection.fail_for(error)
        elif connection.client_id in connection.broker.sessions:
            busy = ReasonCode.SERVER_BUSY
            connection.fail(MqttError("this client has come in since", reason_code=busy))
        else:
            self._admit()


def _too_many(text: str) -> MqttError:
    return MqttError(text, reason_code=ReasonCode.QUOTA_EXCEEDED, is_explained=True)


def _will_of(connect: Connect, client_id: str, now_us: int) -> Will | None:
    will = connect.will
    if will is None:
        return None
    properties = will.properties
    message = Message(
        will.topic,
        will.payload,
        will.qos,
        will.retain,
        forwarded_properties(properties) if properties is not NO_PROPERTIES else b"",
        0,
        client_id,
    )
    delay_s = properties.will_delay_interval or 0
    return Will(message, delay_s, properties.message_expiry_interval)
