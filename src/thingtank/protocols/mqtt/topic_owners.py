"""Several owners of topics as one: each is asked in turn."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from thingtank.protocols.mqtt.intake import Intake, TopicOwner
from thingtank.protocols.mqtt.messages import Subscription

if TYPE_CHECKING:
    from thingtank.protocols.mqtt.session import Session


class TopicOwners:
    """A broker's owner, made of others. The first that owns a topic has it."""

    def __init__(self, owners: Sequence[TopicOwner]) -> None:
        self._owners = tuple(owners)

    def find_intake(self, topic: str) -> Intake | None:
        """Who takes messages of this topic; None if it is one like others."""
        for owner in self._owners:
            intake = owner.find_intake(topic)
            if intake is not None:
                return intake
        return None

    def find_intake_of(self, session: "Session", topic: str) -> Intake | None:
        """Who takes one client's messages of this topic; None if it is one like others."""
        for owner in self._owners:
            intake = owner.find_intake_of(session, topic)
            if intake is not None:
                return intake
        return None

    def connected(self, session: "Session") -> None:
        """A client has come."""
        for owner in self._owners:
            owner.connected(session)

    def disconnected(self, session: "Session") -> None:
        """A client has gone."""
        for owner in self._owners:
            owner.disconnected(session)

    def subscribed(self, session: "Session", subscription: Subscription) -> None:
        """A client has subscribed."""
        for owner in self._owners:
            owner.subscribed(session, subscription)

    def unsubscribed(self, session: "Session", subscription: Subscription) -> None:
        """It has unsubscribed, or its session has ended."""
        for owner in self._owners:
            owner.unsubscribed(session, subscription)
