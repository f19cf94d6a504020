"""A client's session in a realm: a peer with a transport, and all that the realm knows of it."""

from collections.abc import Callable
from typing import Any, Protocol

from msgspec import UnsetType

from thingtank.protocols.wamp.authentication import Accepted, TransportFacts
from thingtank.protocols.wamp.options import HelloDetails
from thingtank.protocols.wamp.peers import Peer
from thingtank.protocols.wamp.serializer import Serializer
from thingtank.protocols.wamp.testaments import Testaments


class Transport(Protocol):
    """What a door gives: a way for messages of one serializer. Sending only queues.

    No call of these may call back into a session, broker or dealer.

    Attributes:
        bytes_max: the longest message that the client takes.
    """

    serializer: Serializer
    bytes_max: int
    facts: TransportFacts

    def send_bytes(self, data: bytes) -> None:
        """Send an encoded message, which must arrive as long as the transport lives."""

    def send_event(self, data: bytes) -> None:
        """Send an encoded EVENT; if the client reads too slowly, some may be dropped."""

    def read_on(self) -> None:
        """Read from the client again: its session `is_waiting` no more."""

    def close(self) -> None:
        """Send what is queued, then close. What still comes in need not be brought any more."""


class Member(Peer):
    """One open session.

    Attributes:
        accepted: what its authentication found.
        testaments: what is published when it ends.
        close: sends GOODBYE with a reason and words for people, and has it leave its realm.
        fail: sends ABORT, for what it did or a bug of ours, and has it leave its realm.
        transport: what its messages go through.
        joined_us: when it came into its realm, since the epoch.
    """

    def __init__(
        self,
        session_id: int,
        accepted: Accepted,
        details: HelloDetails,
        transport: Transport,
        close: Callable[[str, str | None], None],
        fail: Callable[[Exception], None],
    ) -> None:
        """Open one.

        Args:
            details: of its HELLO.
        """
        super().__init__(
            session_id,
            accepted.authid,
            accepted.authrole,
            details.roles,
            transport.serializer,
            transport.bytes_max,
        )
        self.accepted = accepted
        self.is_anonymous = accepted.authmethod == "anonymous"
        self.testaments = Testaments()
        self.close = close
        self.fail = fail
        self.joined_us = 0
        self.transport = transport

    def send_bytes(self, data: bytes) -> None:
        """Send a message that is encoded already."""
        self.transport.send_bytes(data)

    def send_event(self, data: bytes) -> None:
        """Send an encoded EVENT."""
        self.transport.send_event(data)

    @property
    def details(self) -> dict[str, Any]:
        """What the Session Meta API says of it: on_join and get."""
        accepted, facts = self.accepted, self.transport.facts
        details = {
            "session": self.session_id,
            "authid": self.authid,
            "authrole": self.authrole,
            "authmethod": accepted.authmethod,
            "authprovider": accepted.authprovider,
            "transport": {
                "type": facts.kind,
                "protocol": f"wamp.2.{self.serializer.name}",
                "peer": facts.peer,
            },
        }
        if not isinstance(accepted.authextra, UnsetType):
            details["authextra"] = accepted.authextra
        return details
