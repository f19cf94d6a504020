"""Publications of a realm on their way to the subscribers of MQTT."""

from collections.abc import Callable, Collection, Iterator

import msgspec
from msgspec import UnsetType

from thingtank.protocols.mqtt.broker import Broker
from thingtank.protocols.mqtt.errors import MqttError
from thingtank.protocols.mqtt.intake import Recorded
from thingtank.protocols.mqtt.messages import Message
from thingtank.protocols.mqtt.properties import Properties, forwarded_properties
from thingtank.protocols.mqtt.routes import Route
from thingtank.protocols.wamp.answers import UNAVAILABLE, Refused
from thingtank.protocols.wamp.cbor_serializer import CBOR
from thingtank.protocols.wamp.errors import UnconvertiblePayload
from thingtank.protocols.wamp.keeping import Keeping
from thingtank.protocols.wamp.options import EventDetails, Match, PublishOptions
from thingtank.protocols.wamp.payloads import Payload
from thingtank.protocols.wamp.publications import Publication
from thingtank.server.bridge.names import topic_of, uri_of
from thingtank.server.bridge.payloads import octets_from, payload_from
from thingtank.server.bridge.rights import BridgeRights

ROUTES_MAX = 4096
RETAINED_MAX = 10_000  # events for one subscriber, as many as a realm retains
_LOOKS_MAX = 100_000  # some 100 ms
_PIECE = 1000
_NOWHERE = Route("", b"")
_NO_SESSION = 0


class ToMqtt:
    """Implements `Outlet` of the realm's broker.

    Attributes:
        is_relaying: while a message goes there, so that it does not come back.
        sent_count: events that went.
        unconvertible_count: events that have no form there.
    """

    def __init__(self, mqtt: Broker, rights: BridgeRights, make_id: Callable[[], int]) -> None:
        """Take nothing yet.

        Args:
            make_id: of publications.
        """
        self._mqtt = mqtt
        self._rights = rights
        self._make_id = make_id
        self._routes: dict[str, Route] = {}
        self.is_relaying = False
        self.sent_count = 0
        self.unconvertible_count = 0

    def is_wanted(self, topic: str) -> bool:
        """Whether somebody there would get an event of this topic."""
        route = self._routes.get(topic)
        if route is None:
            route = self._find_route(topic)
        if route is _NOWHERE:
            return False
        if route.version != self._mqtt.version:
            self._mqtt.find_receivers(route)
        return bool(route.direct or route.groups or route.is_recorded)

    def take(self, topic: str, payload: Payload) -> None:
        """Send an event that has no options."""
        if payload.is_opaque:
            return
        try:
            octets, properties = octets_from(payload)
        except UnconvertiblePayload:
            self.unconvertible_count += 1
            return
        self._publish(Message(self._routes[topic].topic, octets, 0, properties=properties))

    def take_publication(self, publication: Publication, options: PublishOptions) -> Keeping | None:
        """Send another one, if it may go there; what is retained goes though nobody wants it."""
        if not self._may_go(publication, options):
            return None
        try:
            octets, properties = octets_from(publication.payload)
        except UnconvertiblePayload:
            self.unconvertible_count += 1
            return None
        route = self._routes[publication.topic]
        settling = _Settling(Keeping(), 1 if options.acknowledge and route.is_recorded else 0)
        is_kept = self._publish(
            Message(
                route.topic,
                octets,
                1 if options.acknowledge else 0,
                options.retain,
                properties + _publisher_properties(publication.details),
            ),
            settling.settle if settling.waits_count else None,
        )
        if is_kept and options.acknowledge:
            settling.waits_count += 1
            self._mqtt.awaiting.append(settling)
        return settling.keeping if settling.waits_count else None

    def find_retained(
        self, uri: str, match: Match, known: Collection[str]
    ) -> Iterator[Publication]:
        """What is retained there of topics that match, but those that are known."""
        topic_filter = _filter_of(uri, match)
        if topic_filter is None or not len(self._mqtt.retained):
            return
        search = self._mqtt.retained.search(topic_filter)
        now_us, left, looks = self._mqtt.now_us(), RETAINED_MAX, 0
        while not search.is_done and left > 0 and looks < _LOOKS_MAX:
            looks += _PIECE
            for message in search.take(now_us, min(left, _PIECE), _PIECE):
                topic = uri_of(message.topic)
                if (
                    topic is None
                    or topic in known
                    or (match == "prefix" and not topic.startswith(uri))
                    or not self._rights.may("publish", topic)
                ):
                    continue
                left -= 1
                yield self._publication(topic, message)

    def _find_route(self, topic: str) -> Route:
        """Where a topic goes there, remembered."""
        if len(self._routes) >= ROUTES_MAX:
            self._routes.clear()
        name = topic_of(topic)
        route = _NOWHERE
        if name is not None and self._rights.may("subscribe", topic):
            try:
                route = self._mqtt.route(name.encode())
            except MqttError:  # too many levels
                route = _NOWHERE
        self._routes[topic] = route
        return route

    def _may_go(self, publication: Publication, options: PublishOptions) -> bool:
        receivers = publication.receivers
        payload = publication.payload
        if receivers is not None and not receivers.admits(_NO_SESSION, "", self._rights.role):
            return False
        # What only its reader understands would come there without what it takes to understand it.
        is_readable = not payload.is_opaque and isinstance(options.ppt_scheme, UnsetType)
        if not is_readable or not isinstance(options.enc_algo, UnsetType):
            return False
        is_wanted = self.is_wanted(publication.topic)
        return is_wanted or (options.retain and self._routes[publication.topic] is not _NOWHERE)

    def _publish(self, message: Message, recorded: Recorded | None = None) -> bool:
        """Publish there; whether some of it is being kept."""
        mqtt = self._mqtt
        self.is_relaying = True
        try:
            is_kept = mqtt.publish(message, None, recorded)
        finally:
            self.is_relaying = False
        self.sent_count += 1
        mqtt.wake()
        return is_kept

    def _publication(self, topic: str, message: Message) -> Publication:
        payload = payload_from(message, CBOR)
        at_us = self._mqtt.now_us()
        return Publication(self._make_id(), at_us, topic, None, True, EventDetails(), payload)


class _Settling(msgspec.Struct):
    """Tells a publisher in the realm that what it has published is on disk.

    Attributes:
        waits_count: in how many places it has yet to be; 0 when it was told.
    """

    keeping: Keeping
    waits_count: int

    def settle(self, error: Exception | None) -> None:
        if not self.waits_count:
            return
        self.waits_count = 0 if error is not None else self.waits_count - 1
        if error is not None:
            text = "this event could not be kept for clients of MQTT, or for a rule of sinks"
            self.keeping.settle(Refused(UNAVAILABLE, text))
        elif not self.waits_count:
            self.keeping.settle(None)


def _publisher_properties(details: EventDetails) -> bytes:
    """Who has published, where subscribers of the realm are told, too."""
    if isinstance(details.publisher, UnsetType):
        return b""
    told = {
        "wamp_publisher": str(details.publisher),
        "wamp_publisher_authid": details.publisher_authid,
        "wamp_publisher_authrole": details.publisher_authrole,
    }
    pairs = tuple((name, value) for name, value in told.items() if isinstance(value, str))
    return forwarded_properties(Properties(user_properties=pairs))


def _filter_of(uri: str, match: Match) -> str | None:
    """A topic filter for all that matches, and perhaps more."""
    if match == "exact":
        return topic_of(uri)
    components = uri.split(".")
    if match == "prefix":
        components.pop()  # it may be a part of one
    if any(set("/+#") & set(each) for each in components):
        return None
    levels = [each or "+" for each in components]
    return "/".join([*levels, "#"] if match == "prefix" else levels)
