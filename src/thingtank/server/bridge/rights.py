"""What the bridge may do in its realm: what a role of it may, by the permissions of the settings.

An authorizer of the role is not asked: it decides on sessions, and the bridge is none. Where no
permission matches, nothing crosses.
"""

from thingtank.doors.wamp.authorization.role_rights import RoleRights
from thingtank.doors.wamp.realm_settings import RoleSettings
from thingtank.protocols.wamp.authorization import Action


class BridgeRights:
    """Those of one role.

    Attributes:
        role: its name.
    """

    def __init__(self, settings: RoleSettings) -> None:
        """Look at its permissions."""
        self.role = settings.name
        self._rights = RoleRights(settings)

    def may(self, action: Action, uri: str) -> bool:
        """Whether it may publish, or subscribe to, a topic."""
        found = self._rights.decide(action, uri, "exact")
        return found is not None and found.decision.is_allowed
