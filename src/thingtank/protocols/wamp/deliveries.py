"""Events on their way to their receivers: encoded once for each subscription and serializer.

A receiver whose serializer has no form for the payload, or who takes no message as long as the
event, goes without; that is counted, and the others get theirs.
"""

from collections.abc import Iterable

from msgspec import UnsetType
from msgspec.structs import replace

from thingtank.protocols.wamp.errors import UnconvertiblePayload
from thingtank.protocols.wamp.options import EventDetails
from thingtank.protocols.wamp.payloads import Payload
from thingtank.protocols.wamp.peers import Peer
from thingtank.protocols.wamp.publications import Publication
from thingtank.protocols.wamp.receivers import Receivers
from thingtank.protocols.wamp.serializer import Serializer
from thingtank.protocols.wamp.shards import sharded
from thingtank.protocols.wamp.subscriptions import Subscription, grouped

_NO_DETAILS = EventDetails()


class Deliveries:
    """Sends events and counts.

    Attributes:
        unconvertible_count: events that receivers went without for their serializer.
        too_long_count: events that were longer than their receiver takes.
    """

    def __init__(self) -> None:
        self.unconvertible_count = 0
        self.too_long_count = 0

    def send_to_all(
        self,
        subscriptions: Iterable[Subscription],
        publication_id: int,
        topic: str,
        payload: Payload,
        publisher: Peer | None,
    ) -> None:
        """Send an event without details to all subscribers but its publisher.

        What `send_to_some` does for a publication without lists and details, made for speed.
        """
        converted: dict[Serializer, Payload | None] = {}
        for subscription in subscriptions:
            subscription.event_count += 1
            details = EventDetails(topic=topic) if subscription.is_pattern else None
            for serializer, peers in subscription.groups:
                if peers[0] is publisher and len(peers) == 1:
                    continue
                own = payload
                if payload.serializer is not serializer and payload.count:
                    found = _converted(payload, serializer, converted)
                    if found is None:
                        self.unconvertible_count += len(peers)
                        continue
                    own = found
                data = serializer.encode_event(subscription.id, publication_id, details, own)
                size_bytes = len(data)
                for peer in peers:
                    if peer is publisher:
                        continue
                    if size_bytes <= peer.bytes_max:
                        peer.send_event(data)
                    else:
                        self.too_long_count += 1

    def send_to_some(
        self,
        subscriptions: Iterable[Subscription],
        publication: Publication,
        details: EventDetails,
        rkey: str | UnsetType,
    ) -> list[int]:
        """Send an event to those who may receive it.

        Args:
            details: those of the publication, and what belongs to this delivery.

        Returns:
            Ids of the sessions that it was sent to; as often as it was.
        """
        converted: dict[Serializer, Payload | None] = {}
        sent_to: list[int] = []
        for subscription in subscriptions:
            subscription.event_count += 1
            peers = _receiving(subscription, publication)
            if not isinstance(rkey, UnsetType) and subscription.nkeys:
                peers = sharded(peers, rkey, subscription.nkeys)
            sent_to += self._send(peers, subscription, publication, details, converted)
        return sent_to

    def send_retained(
        self, peer: Peer, subscription: Subscription, publications: Iterable[Publication]
    ) -> None:
        """Send a new subscriber what was published before it came."""
        for publication in publications:
            details = replace(publication.details, retained=True)
            self._send([peer], subscription, publication, details, {})

    def _send(
        self,
        peers: Iterable[Peer],
        subscription: Subscription,
        publication: Publication,
        details: EventDetails,
        converted: dict[Serializer, Payload | None],
    ) -> list[int]:
        sent_to = []
        if subscription.is_pattern:
            details = replace(details, topic=publication.topic)
        for serializer, members in grouped(peers):
            payload = _converted(publication.payload, serializer, converted)
            if payload is None:
                self.unconvertible_count += len(members)
                continue
            data = serializer.encode_event(
                subscription.id,
                publication.publication_id,
                details if details != _NO_DETAILS else None,
                payload,
            )
            for peer in members:
                if len(data) <= peer.bytes_max:
                    peer.send_event(data)
                    sent_to.append(peer.session_id)
                else:
                    self.too_long_count += 1
        return sent_to


def _receiving(subscription: Subscription, publication: Publication) -> list[Peer]:
    """Those subscribers that the publisher allows."""
    receivers = publication.receivers
    excluded_id = publication.publisher_id if publication.exclude_me else None
    return [
        peer
        for peer in _candidates(subscription, receivers)
        if peer.session_id != excluded_id
        and (receivers is None or receivers.admits(peer.session_id, peer.authid, peer.authrole))
    ]


def _candidates(subscription: Subscription, receivers: Receivers | None) -> Iterable[Peer]:
    """All subscribers; or a few eligible ones of many, which need not be searched for."""
    peers = subscription.peers
    if receivers is None or receivers.eligible is None or len(receivers.eligible) >= len(peers):
        return peers.values()
    return [peers[session_id] for session_id in sorted(receivers.eligible) if session_id in peers]


def _converted(
    payload: Payload, serializer: Serializer, converted: dict[Serializer, Payload | None]
) -> Payload | None:
    """The payload in another serializer, once for all subscriptions; None if it has no form."""
    if serializer not in converted:
        try:
            converted[serializer] = payload.converted(serializer)
        except UnconvertiblePayload:
            converted[serializer] = None
    return converted[serializer]
