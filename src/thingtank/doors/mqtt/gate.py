"""Lets clients in: finds out who they are, and has the broker told."""

import asyncio
from collections.abc import Awaitable, Coroutine
from typing import TYPE_CHECKING, Any

import structlog

from thingtank.doors.mqtt.access.rights import MqttAccess, Rights
from thingtank.doors.mqtt.authentication.attempt import ConnectAttempt, Refused
from thingtank.doors.mqtt.authentication.authenticator import MqttAuthenticator
from thingtank.doors.mqtt.authentication.enhanced import Authenticated, Challenge, Exchange
from thingtank.doors.mqtt.authentication.principal import Principal
from thingtank.doors.mqtt.request_log.witness import MqttWitness
from thingtank.protocols.mqtt.connection import Connection
from thingtank.protocols.mqtt.errors import MqttError, ProtocolError
from thingtank.protocols.mqtt.packet_types import PacketType
from thingtank.protocols.mqtt.packets import Auth, Connect
from thingtank.protocols.mqtt.properties import NO_PROPERTIES, Properties
from thingtank.protocols.mqtt.reason_codes import REASON_CODES, ReasonCode

if TYPE_CHECKING:
    from thingtank.doors.mqtt.door import MqttDoor

log = structlog.get_logger()


class _Enhanced:
    """How far somebody has come with enhanced authentication."""

    def __init__(self, method: str, exchange: Exchange) -> None:
        self.method = method
        self.exchange = exchange


class MqttGate:
    """The broker's gate.

    Attributes:
        access: what clients may do.
        door: set once it is there.
    """

    def __init__(
        self,
        authenticator: MqttAuthenticator,
        access: MqttAccess,
        witness: MqttWitness | None = None,
    ) -> None:
        self._authenticator = authenticator
        self._witness = witness
        self.access = access
        self._tasks: dict[Connection, asyncio.Task[None]] = {}
        self._enhanced: dict[Connection, _Enhanced] = {}
        self._expected: dict[Connection, Principal] = {}
        self.door: MqttDoor | None = None

    def expect(self, connection: Connection, principal: Principal) -> None:
        """Let a connection of this process's own in, of which it is known who it is."""
        self._expected[connection] = principal

    def enter(self, connection: Connection, connect: Connect) -> None:
        """Decide about a CONNECT."""
        expected = self._expected.pop(connection, None)
        if expected is not None:
            self._admit(connection, expected, NO_PROPERTIES)
            return
        self._begin(connection, self._enter(connection, connect))

    def proceed(self, connection: Connection, auth: Auth) -> None:
        """Go on with AUTH."""
        enhanced = self._enhanced.get(connection)
        method = auth.properties.authentication_method
        if enhanced is None or method != enhanced.method:
            raise ProtocolError("AUTH of another method than CONNECT's [MQTT-4.12.0-5]")
        if connection.is_open and auth.reason_code is ReasonCode.RE_AUTHENTICATE:
            attempt = self._attempt_of(connection, None)
            principal = _principal_of(connection)
            enhanced.exchange = self._authenticator.exchange(attempt, principal)
            step = enhanced.exchange.begin(method, auth.properties.authentication_data or b"")
        elif auth.reason_code is ReasonCode.CONTINUE_AUTHENTICATION:
            step = enhanced.exchange.proceed(auth.properties.authentication_data or b"")
        else:
            raise ProtocolError("AUTH that is not expected now (3.15)")
        self._begin(connection, self._take_step(connection, enhanced, step))

    def leave(self, connection: Connection) -> None:
        """Forget a connection."""
        self._expected.pop(connection, None)
        self._enhanced.pop(connection, None)
        task = self._tasks.pop(connection, None)
        if task is not None and task is not asyncio.current_task():
            task.cancel()

    def _begin(self, connection: Connection, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(self._guarded(connection, work))
        self._tasks[connection] = task

    async def _guarded(self, connection: Connection, work: Coroutine[Any, Any, None]) -> None:
        assert self.door is not None
        try:
            await work
        except Refused as refused:
            reason = ReasonCode(refused.reason_code)
            log.info(
                "mqtt_client_refused",
                client_id=connection.client_id,
                address=connection.address,
                reason=reason.name,
            )
            if connection.is_open and reason not in REASON_CODES[PacketType.DISCONNECT]:
                reason = ReasonCode.NOT_AUTHORIZED  # a CONNACK may say more than DISCONNECT (2.4)
            is_explained = reason is not ReasonCode.BAD_AUTHENTICATION_METHOD
            connect = None if connection.is_open else connection.connect
            connection.fail(MqttError(str(refused), reason_code=reason, is_explained=is_explained))
            if self._witness is not None and connect is not None:
                self._witness.turned_away(connection, connect, refused, reason)
        except MqttError as error:
            connection.fail(error)
        except Exception:
            log.exception("mqtt_authentication_failed", address=connection.address)
            connection.fail(MqttError("a fault", reason_code=ReasonCode.UNSPECIFIED_ERROR))
        finally:
            if self._tasks.get(connection) is asyncio.current_task():
                del self._tasks[connection]
            self.door.flush_soon()

    async def _enter(self, connection: Connection, connect: Connect) -> None:
        attempt = self._attempt_of(connection, connect)
        method = connect.properties.authentication_method
        if method is None:
            principal = await self._authenticator.authenticate(attempt)
            self._admit(connection, principal, NO_PROPERTIES)
            return
        exchange = self._authenticator.exchange(attempt)
        enhanced = self._enhanced[connection] = _Enhanced(method, exchange)
        data = connect.properties.authentication_data or b""
        await self._take_step(connection, enhanced, exchange.begin(method, data))

    async def _take_step(
        self,
        connection: Connection,
        enhanced: _Enhanced,
        step: Awaitable[Challenge | Authenticated],
    ) -> None:
        result = await step
        properties = Properties(
            authentication_method=enhanced.method, authentication_data=result.data
        )
        if isinstance(result, Challenge):
            connection.challenge(properties)
        elif connection.is_open:
            connection.reauthenticated(properties)
        else:
            self._admit(connection, result.principal, properties)

    def _admit(self, connection: Connection, principal: Principal, properties: Properties) -> None:
        assert self.door is not None
        rights = self.access.rights_of(principal)
        connect = connection.connect
        self.door.entered(connection)
        self.door.broker.reception.admit(connection, principal.id, rights, properties)
        if self._witness is not None and connect is not None:
            self._witness.admitted(connection, connect, principal)

    def _attempt_of(self, connection: Connection, connect: Connect | None) -> ConnectAttempt:
        assert self.door is not None
        link = self.door.links[connection]
        return ConnectAttempt(
            client_id=connection.client_id,
            user_name=connect.user_name if connect is not None else None,
            password=connect.password if connect is not None else None,
            peer=connection.address,
            headers=link.headers,
            certificate=link.certificate,
        )


def _principal_of(connection: Connection) -> Principal | None:
    session = connection.session
    rights = session.rights if session is not None else None
    return rights.principal if isinstance(rights, Rights) else None
