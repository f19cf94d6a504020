"""Messages of MQTT on their way to the subscribers of a realm."""

from thingtank.protocols.mqtt.messages import Message
from thingtank.protocols.wamp.broker import Broker
from thingtank.protocols.wamp.cbor_serializer import CBOR
from thingtank.protocols.wamp.errors import UnconvertiblePayload
from thingtank.protocols.wamp.json_serializer import JSON
from thingtank.protocols.wamp.options import EventDetails
from thingtank.protocols.wamp.payloads import NO_PAYLOAD
from thingtank.protocols.wamp.publications import Publication
from thingtank.protocols.wamp.serializer import Serializer
from thingtank.server.bridge.names import uri_of
from thingtank.server.bridge.payloads import payload_from
from thingtank.server.bridge.rights import BridgeRights
from thingtank.server.bridge.to_mqtt import ToMqtt


class ToWamp:
    """Implements `Listener` of MQTT's broker.

    Attributes:
        sent_count: messages that went.
    """

    def __init__(self, broker: Broker, rights: BridgeRights, to_mqtt: ToMqtt) -> None:
        """Hear nothing yet.

        Args:
            to_mqtt: what comes through it is not heard.
        """
        self._broker = broker
        self._rights = rights
        self._to_mqtt = to_mqtt
        self.sent_count = 0

    def wants(self, topic: str) -> bool:
        """Whether somebody in the realm would get messages of this topic."""
        uri = self._uri_of(topic)
        return uri is not None and self._broker.is_awaited(uri)

    def hear(self, message: Message) -> None:
        """Publish one in the realm."""
        uri = uri_of(message.topic)
        if uri is None or self._to_mqtt.is_relaying:
            return
        try:
            payload = payload_from(message, self._commonest(uri))
        except UnconvertiblePayload:  # a large number in MessagePack, which others can have
            payload = payload_from(message, CBOR)
        self.sent_count += 1
        self._broker.announce(uri, payload)

    def retained(self, message: Message) -> None:
        """Forget what the realm has retained of its topic: this is newer, and found from there."""
        if self._to_mqtt.is_relaying or not len(self._broker.retained):
            return
        uri = self._uri_of(message.topic)
        if uri is not None:
            nothing = Publication(0, 0, uri, None, True, EventDetails(), NO_PAYLOAD)
            self._broker.retained.put(nothing)

    def _uri_of(self, topic: str) -> str | None:
        uri = uri_of(topic)
        return uri if uri is not None and self._rights.may("publish", uri) else None

    def _commonest(self, uri: str) -> Serializer:
        """A serializer that need not be converted for the first receivers; often for none."""
        for subscription in self._broker.subscriptions.matching(uri):
            if subscription.groups:
                return subscription.groups[0][0]
        return JSON
