"""Who sessions belong to, for those who look at them from outside: messaging between devices."""

from typing import TYPE_CHECKING

from msgspec.structs import replace

from thingtank.doors.mqtt.access.rights import MqttAccess, Rights
from thingtank.net.identity.principals import DevicePrincipal, TokenPrincipal
from thingtank.protocols.mqtt.session import Session
from thingtank.tank.errors import Unauthenticated
from thingtank.tank.messaging.permissions import Party

if TYPE_CHECKING:
    from thingtank.doors.mqtt.door import MqttDoor


class Visitors:
    """Answers of now; nothing here waits.

    Attributes:
        door: set once it is there.
    """

    def __init__(self, access: MqttAccess) -> None:
        self._access = access
        self.door: MqttDoor | None = None

    def is_device(self, session: Session) -> bool:
        """Whether it is one of a client that came in as a device."""
        rights = session.rights
        return isinstance(rights, Rights) and rights.is_device()

    def find_party(self, session: Session) -> Party | None:
        """Who acts through a session; None if its rights are gone, or it has none but by keys."""
        rights = session.rights
        if not isinstance(rights, Rights) or rights.principal.only_with_key:
            return None
        caller = rights.find_caller()
        if caller is None:
            return None
        principal = rights.principal
        if not rights.is_device():
            return Party(caller)
        device = self._access.directory.find_device_by_uuid(principal.device_uuid)
        if device is None:
            return None
        who = principal.who
        return Party(caller, device, token=who.secret if isinstance(who, TokenPrincipal) else "")

    def find_owner(self, session: Session) -> Party | None:
        """Who a session belongs to that is away; None if there is no such one any more.

        A device's is the device's, by whichever of its tokens it comes back.
        """
        rights = session.rights
        if not isinstance(rights, Rights) or not rights.principal.device_uuid:
            return self.find_party(session)
        uuid = rights.principal.device_uuid
        device = self._access.directory.find_device_by_uuid(uuid)
        if device is None:
            return None
        try:
            caller = self._access.callers.caller(DevicePrincipal(uuid), rights.principal.address)
        except Unauthenticated:
            return None
        return Party(caller, device)

    def is_alive(self, session: Session) -> bool:
        """Whether its client still has what it came in by."""
        rights = session.rights
        return isinstance(rights, Rights) and rights.is_alive()

    def renew(self, session: Session, token: str) -> None:
        """Let a device that has replaced the token that it came in by stay by the new one."""
        rights = session.rights
        assert isinstance(rights, Rights), "it is a device's"
        principal = rights.principal
        if isinstance(principal.who, TokenPrincipal):
            who = TokenPrincipal(token, principal.who.uuid)
            session.rights = self._access.rights_of(replace(principal, who=who))

    def is_secure(self, session: Session) -> bool:
        """Whether its connection is encrypted, as far as this process sees it."""
        door, connection = self.door, session.connection
        if door is None or connection is None:
            return False
        link = door.links.get(connection)
        return link is not None and link.kind == "tls"
