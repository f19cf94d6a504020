"""Who clients are and what they may do, as far as the broker must know."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from thingtank.protocols.mqtt.reason_codes import ReasonCode

if TYPE_CHECKING:
    from thingtank.protocols.mqtt.connection import Connection
    from thingtank.protocols.mqtt.messages import Subscription
    from thingtank.protocols.mqtt.packets import Auth, Connect, Publish
    from thingtank.protocols.mqtt.session import Session


class Rights(Protocol):
    """What a client may do; asked once for each topic, until the broker hears of changes."""

    def may_publish(self, topic: str) -> bool:
        """Whether it may publish."""

    def may_subscribe(self, topic_filter: str) -> bool:
        """Whether it may ask for messages; what it gets of them `may_receive` says."""

    def may_receive(self, topic: str) -> bool:
        """Whether it may have messages of a topic that its topic filter matches."""


class KeptPrincipals(Protocol):
    """Whose sessions the last process has left, by `KeptSession.principal`."""

    def exists(self, principal: str) -> bool:
        """Whether there still is such a one; else nobody will come back to the session."""

    def rights_of_kept(self, principal: str, client_id: str) -> Rights:
        """What it may do, as far as that can be said while it is away."""


class Witness(Protocol):
    """Sees what becomes of packets, as far as somebody may want to know later."""

    def notes_publish(self, topic: str) -> bool:
        """Whether it wants to hear of what is taken, too, that is published to a topic.

        It costs what passes such messages on at once; topics that others own are told by these.
        """

    def answered_publish(
        self, session: "Session", topic: str, packet: "Publish", code: ReasonCode
    ) -> bool:
        """A client's message was taken or refused, by this code of PUBACK.

        Returns:
            Whether it wants to hear of the next one that is taken; else `when_rested` is called.
        """

    def when_rested(self, go_on: Callable[[], object]) -> None:
        """Have `go_on` called once it wants to hear of messages again."""

    def answered_subscribe(
        self, session: "Session", subscription: "Subscription", code: ReasonCode
    ) -> None:
        """A client was told what becomes of a subscription, by this code of SUBACK."""


class Gate(Protocol):
    """Lets clients in. It may take its time, and answers by `admit`, `refuse` or `challenge`."""

    def enter(self, connection: "Connection", connect: "Connect") -> None:
        """A client wants to come in."""

    def proceed(self, connection: "Connection", auth: "Auth") -> None:
        """It goes on with enhanced authentication, or begins anew (MQTT 5, 4.12)."""

    def leave(self, connection: "Connection") -> None:
        """It is gone, or was told no."""
