"""A session as broker and dealer see it: who it is, what it can do, and where its messages go."""

from abc import ABC, abstractmethod
from collections.abc import Mapping

from thingtank.protocols.wamp.messages import Message
from thingtank.protocols.wamp.options import Role
from thingtank.protocols.wamp.serializer import Serializer


class Peer(ABC):
    """One open session; what carries it implements the two ways to send.

    Attributes:
        session_id, authid, authrole: as its WELCOME said.
        serializer: of its transport.
        bytes_max: the longest message that it takes.
        is_anonymous: it has not said who it is, so its authid means nobody.
    """

    is_anonymous = True

    def __init__(
        self,
        session_id: int,
        authid: str,
        authrole: str,
        roles: Mapping[str, Role],
        serializer: Serializer,
        bytes_max: int,
    ) -> None:
        """Open one.

        Args:
            roles: as its HELLO announced them.
        """
        self.session_id = session_id
        self.authid = authid
        self.authrole = authrole
        self.serializer = serializer
        self.bytes_max = bytes_max
        self._features = frozenset(
            (name, feature)
            for name, role in roles.items()
            for feature, has_it in role.features.items()
            if has_it is True
        )

    def announces(self, role: str, feature: str) -> bool:
        """Whether it said that it has a feature in a role."""
        return (role, feature) in self._features

    def send(self, message: Message) -> None:
        """Send a message of its own.

        Raises:
            UnconvertiblePayload: it came in another serializer and has no form in this one.
        """
        self.send_bytes(self.serializer.encode(message))

    @abstractmethod
    def send_bytes(self, data: bytes) -> None:
        """Send a message that is encoded already, and must arrive as long as the session lives."""

    @abstractmethod
    def send_event(self, data: bytes) -> None:
        """Send an encoded EVENT; of a peer that reads too slowly, some may be dropped."""
