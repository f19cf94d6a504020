"""Sees what the broker and its gate decide about clients that name a device, and notes it.

What is published to topics of the tank is noted by who takes it; this is for all else: who comes in
as a device or is refused, which topics a client may not use, and what is published to a device's
own. Of the latter no more is noted than somebody could read: a topic on which more comes rests for
REST_S, and its messages pass as fast as those of other topics.
"""

import asyncio
from collections.abc import Callable

from thingtank.doors.mqtt.access.rights import MqttAccess, Rights
from thingtank.doors.mqtt.access.rules import plain_filter
from thingtank.doors.mqtt.access.tank_topic import tank_topic_of
from thingtank.doors.mqtt.authentication.attempt import Refused
from thingtank.doors.mqtt.authentication.principal import Principal
from thingtank.doors.mqtt.request_log.reasons import Action, why_refused
from thingtank.doors.mqtt.request_log.words import (
    DOOR,
    Fields,
    flag_fields,
    shown_topic,
)
from thingtank.net.blotting import shown_body
from thingtank.net.identity.client_address import address_of
from thingtank.protocols.mqtt.connection import Connection
from thingtank.protocols.mqtt.messages import Subscription
from thingtank.protocols.mqtt.packets import Connect, Publish
from thingtank.protocols.mqtt.reason_codes import ReasonCode, code_words
from thingtank.protocols.mqtt.session import Session
from thingtank.tank.access import Caller
from thingtank.tank.errors import NoSuchDevice
from thingtank.tank.events import Asked, RequestServed
from thingtank.tank.request_log import BLOT
from thingtank.tank.tank import Tank
from thingtank.tank.things import Device

CLIENT_ID_BYTES_MAX = 200
NOTED_PER_SECOND_MAX = 200  # messages on topics of all devices
REST_S = 5.0
_US_PER_S = 1_000_000
_VERSIONS = {3: "3.1", 4: "3.1.1", 5: "5"}
_ACCEPTED, _REFUSED_CLIENT, _REFUSED = 200, 401, 403


class MqttWitness:
    """One for the door; in the loop's thread. The broker's `Witness`."""

    def __init__(self, tank: Tank, access: MqttAccess) -> None:
        self._tank = tank
        self._access = access
        self._second = 0
        self._noted_count = 0  # within that second

    # --- of the gate ---

    def admitted(self, connection: Connection, connect: Connect, principal: Principal) -> None:
        """A client has come in."""
        device = self._device_of_client(connect, principal.device_uuid)
        if device is not None:
            caller = self._access.rights_of(principal).find_caller()
            answer = _ACCEPTED, ReasonCode.SUCCESS, ""
            self._note_connect(connection, connect, device, answer, caller)

    def turned_away(
        self, connection: Connection, connect: Connect, refused: Refused, code: ReasonCode
    ) -> None:
        """A client was refused."""
        device = self._device_of_client(connect, "")
        if device is None:
            return
        reason = str(refused)
        if code is ReasonCode.BAD_USER_NAME_OR_PASSWORD:
            reason = f"wrong token, key or password for this device: {reason}"
        self._note_connect(connection, connect, device, (_REFUSED_CLIENT, code, reason), None)

    def _device_of_client(self, connect: Connect, uuid: str) -> Device | None:
        """The device that a CONNECT names: it came in as it, by its uuid, or with it as its id."""
        find = self._tank.directory.find_device_by_uuid
        for name in (uuid, connect.user_name or "", connect.client_id):
            device = find(name.strip()) if name else None
            if device is not None:
                return device
        return None

    def _note_connect(
        self,
        connection: Connection,
        connect: Connect,
        device: Device,
        answer: tuple[int, ReasonCode, str],
        caller: Caller | None,
    ) -> None:
        status, code, reason = answer
        user_name = connect.user_name
        shown_name = user_name if user_name and self._is_uuid_of(user_name, device) else BLOT
        fields: Fields = (
            ("version", _VERSIONS.get(connect.protocol_version, "?")),
            ("client id", connection.client_id[:CLIENT_ID_BYTES_MAX]),
            ("user name", shown_name if user_name is not None else "(none)"),
            ("password", BLOT if connect.password is not None else "(none)"),
            ("clean start", "yes" if connect.clean_start else "no"),
            ("keep alive", f"{connect.keep_alive_s} s"),
        )
        if connect.will is not None:
            fields += (("will", shown_topic(connect.will.topic)),)
        asked = self._asked(device, "CONNECT", device.uuid, connection, fields)
        self._note(asked, status, code_words(code), reason, caller)

    def _is_uuid_of(self, name: str, device: Device) -> bool:
        return self._tank.directory.find_device_by_uuid(name.strip()) == device

    # --- of the broker ---

    def notes_publish(self, topic: str) -> bool:
        """Whether a topic is a device's own."""
        return tank_topic_of(topic) is None and self._device_of_topic(topic) is not None

    def answered_publish(
        self, session: Session, topic: str, packet: Publish, code: ReasonCode
    ) -> bool:
        """A client has published to a topic, or may not; whether the next is to be noted, too."""
        is_refused = code >= ReasonCode.UNSPECIFIED_ERROR
        if not is_refused and self._has_enough(topic):
            return False
        fields = flag_fields(packet.qos, is_retain=packet.retain)
        self._note_topic(session, "publish", topic, code, fields, packet)
        return True

    def when_rested(self, go_on: Callable[[], object]) -> None:
        """Have `go_on` called after a while."""
        asyncio.get_running_loop().call_later(REST_S, go_on)

    def _has_enough(self, topic: str) -> bool:
        """Whether more was noted within a second, of this device or of all, than can be read."""
        now_us = self._tank.clock.now_us()
        second = now_us // _US_PER_S
        if second != self._second:
            self._second, self._noted_count = second, 0
        self._noted_count += 1
        device = self._device_of_topic(topic)
        return self._noted_count > NOTED_PER_SECOND_MAX or (
            device is not None
            and self._tank.request_log.skips(DOOR, _ACCEPTED, device.device_id, now_us)
        )

    def answered_subscribe(
        self, session: Session, subscription: Subscription, code: ReasonCode
    ) -> None:
        """A client has subscribed, or may not."""
        if code < ReasonCode.UNSPECIFIED_ERROR and tank_topic_of(subscription.topic_filter):
            return  # noted with the state that it is sent
        fields = (("QoS", str(subscription.qos)),)
        self._note_topic(session, "subscribe", subscription.topic_filter, code, fields)

    def _note_topic(
        self,
        session: Session,
        action: Action,
        topic: str,
        code: ReasonCode,
        fields: Fields,
        packet: Publish | None = None,
    ) -> None:
        device = self._device_of_topic(topic)
        rights, connection = session.rights, session.connection
        if device is None or not isinstance(rights, Rights) or connection is None:
            return
        is_refused = code >= ReasonCode.UNSPECIFIED_ERROR
        reason = self._why(rights, action, topic, device, code) if is_refused else ""
        asked = self._asked(device, action.upper(), shown_topic(topic), connection, fields)
        body = b"" if packet is None else shown_body(bytes(packet.payload))
        tank_topic = tank_topic_of(topic)
        caller = rights.caller_at(tank_topic) if tank_topic else rights.find_caller()
        status = _REFUSED if is_refused else _ACCEPTED
        self._note(asked, status, code_words(code), reason, caller, body)

    def _why(
        self, rights: Rights, action: Action, topic: str, device: Device, code: ReasonCode
    ) -> str:
        if code not in (ReasonCode.NOT_AUTHORIZED, ReasonCode.UNSPECIFIED_ERROR):
            return code_words(code)
        now_us = self._tank.clock.now_us()
        return why_refused(rights, action, topic, device, self._tank.directory, now_us)

    def _device_of_topic(self, topic: str) -> Device | None:
        directory = self._tank.directory
        plain = plain_filter(topic)
        tank_topic = tank_topic_of(plain)
        if tank_topic is not None:
            try:
                return directory.get_device(tank_topic.feed_id)
            except NoSuchDevice:
                return None
        first, slash, _ = plain.partition("/")
        uuid = first[:-3] if first.endswith(("_bc", "_tb")) else first
        return self._access.device_of(uuid, is_whole=not slash)

    # --- both ---

    def _asked(
        self, device: Device, method: str, path: str, connection: Connection, fields: Fields
    ) -> Asked:
        name = connection.client_id.encode()[:CLIENT_ID_BYTES_MAX]
        address = address_of(connection.address)
        return Asked(device.device_id, DOOR, method, path, address, name, fields)

    def _note(
        self,
        asked: Asked,
        status: int,
        outcome: str,
        reason: str,
        caller: Caller | None,
        body: bytes = b"",
    ) -> None:
        now_us = self._tank.clock.now_us()
        self._tank.request_log.note(
            RequestServed(now_us, asked, status, 0, reason, body, caller=caller, outcome=outcome)
        )
