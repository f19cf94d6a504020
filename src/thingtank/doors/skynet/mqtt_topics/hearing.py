"""What one subscription of an MQTT client hears of a device, and how it gets it."""

from typing import TYPE_CHECKING

import msgspec

from thingtank.doors.skynet.mqtt_topics.frames import frame, message_frame, payload_frame, text_of
from thingtank.doors.skynet.mqtt_topics.names import What
from thingtank.doors.skynet.operations.subscriptions import OWN_KINDS
from thingtank.doors.skynet.records import modern_record
from thingtank.protocols.mqtt.messages import Subscription
from thingtank.protocols.mqtt.session import Session
from thingtank.tank.messaging.messages import Message
from thingtank.tank.messaging.permissions import Party
from thingtank.tank.messaging.switchboard import Delivery, Kind

if TYPE_CHECKING:
    from thingtank.doors.skynet.mqtt_topics.owner import SkynetTopics

KINDS: dict[What, tuple[Kind, ...]] = {
    "own": OWN_KINDS,
    "broadcasts": ("broadcast",),
    "texts": ("broadcast",),
}

_encode = msgspec.json.encode


class Hearing:
    """A listener of the switchboard.

    Attributes:
        device_id: whom it listens to; 0 while there is no such device.
        party: on whose behalf.
    """

    __slots__ = ("_topics", "device_id", "party", "session", "subscription", "uuid", "what")

    def __init__(
        self,
        topics: "SkynetTopics",
        session: Session,
        subscription: Subscription,
        uuid: str,
        what: What,
    ) -> None:
        self._topics = topics
        self.session = session
        self.subscription = subscription
        self.uuid = uuid
        self.what = what
        self.device_id = 0
        self.party: Party | None = None

    @property
    def is_heard_while_away(self) -> bool:
        """Whether what comes while the client is away waits in its session."""
        return self.session.is_persistent and self.subscription.qos > 0

    def deliver(self, delivery: Delivery) -> None:
        """Have the client sent one."""
        if delivery.kind != "unregistered" and not self._topics.may_be_sent(self.session):
            return
        message = delivery.message
        if message is None:
            self._topics.send(self, self._record_frame(delivery), self.subscription.qos)
            return
        if self.what == "own":
            payload = self._own_frame(delivery, message)
            if self._topics.send(self, payload, self._qos_of(message)):
                delivery.wait_for(self._topics.when_kept())
        elif (message.event == "tb") == (self.what == "texts"):
            self._topics.send_broadcast(self, message, self._qos_of(message))

    def broadcast_payload(self, message: Message) -> bytes:
        """A broadcast as all get it who hear it by the same topic."""
        return text_of(message) if self.what == "texts" else message_frame(message)

    def _own_frame(self, delivery: Delivery, message: Message) -> bytes:
        properties = delivery.device.properties
        if properties and properties.get("payloadOnly") and self._is_of_itself:
            return payload_frame(message)
        return message_frame(message)

    @property
    def _is_of_itself(self) -> bool:
        return self.party is not None and self.party.is_of(self.device_id)

    def _record_frame(self, delivery: Delivery) -> bytes:
        party = self.party
        assert party is not None, "it listens on somebody's behalf"
        record = modern_record(delivery.device, self._topics.presence, party)
        return frame(delivery.kind, _encode(record))

    def _qos_of(self, message: Message) -> int:
        """The QoS that a message asks for, at most the subscription's; without a word that.

        A session in which it has to wait keeps nothing of QoS 0.
        """
        qos_max = self.subscription.qos
        asked = message.content.get("qos")
        if type(asked) is not int or not 0 <= asked <= 2:
            return qos_max
        qos = min(asked, qos_max)
        return qos if self.session.connection is not None else max(qos, min(1, qos_max))
