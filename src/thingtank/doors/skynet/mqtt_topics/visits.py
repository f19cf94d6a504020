"""Devices whose MQTT clients are connected are there: presence, and the event log."""

from typing import Protocol

from thingtank.doors.skynet.door import SkynetDoor
from thingtank.protocols.mqtt.session import Session
from thingtank.tank.messaging.event_codes import EventCode
from thingtank.tank.messaging.permissions import Party
from thingtank.tank.messaging.presence import Connection
from thingtank.tank.things import Device

PROTOCOL = "mqtt"


class Visitors(Protocol):
    """Who sessions belong to."""

    def find_party(self, session: Session) -> Party | None:
        """Who acts through a session; None if its rights are gone."""

    def is_secure(self, session: Session) -> bool:
        """Whether its connection is encrypted."""


class Visits:
    """All of them, by session."""

    def __init__(self, door: SkynetDoor, visitors: Visitors) -> None:
        """Nobody is there yet."""
        self._messaging = door.tank.messaging
        self._visitors = visitors
        self._open: dict[Session, tuple[Device, Connection]] = {}

    def begin(self, session: Session) -> None:
        """A client has come; one that is no device is none of ours."""
        party = self._visitors.find_party(session)
        if party is None or party.device is None or session in self._open:
            return
        device, address = party.device, party.caller.address
        is_secure = self._visitors.is_secure(session)
        connection = Connection(PROTOCOL, session.client_id, address, is_secure)
        self._open[session] = (device, connection)
        self._messaging.presence.connect(device, connection)
        body = {
            "uuid": device.uuid,
            "socketid": session.client_id,
            "ipAddress": address,
            "protocol": PROTOCOL,
        }
        self._messaging.log(EventCode.IDENTIFIED, (device.device_id,), body)

    def end(self, session: Session) -> None:
        """It has gone."""
        found = self._open.pop(session, None)
        if found is None:
            return
        device, connection = found
        self._messaging.presence.disconnect(device, connection)
        body = {"api": "disconnect", "socketid": session.client_id, "uuid": device.uuid}
        self._messaging.log(EventCode.AUTHENTICATED, (device.device_id,), body)
