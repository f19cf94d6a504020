"""The broker of a realm: takes what publishers and subscribers send, and answers and delivers.

Everything happens within the call, in this order, and no peer may call back from within:

| call | order |
| --- | --- |
| subscribe | SUBSCRIBED, retained events, on_create, on_subscribe |
| unsubscribe, revoke | UNSUBSCRIBED, on_unsubscribe, on_delete |
| publish | retained and kept for history, PUBLISHED, events; then, or before, the outlet |
| drop | for each subscription on_unsubscribe, on_delete |

Only PUBLISHED may come later: where an event is kept on a disk, when it is there. The event itself
does not wait for it, for then all that its publisher sends next would have to wait, too. So an
ERROR of a disk that fails says that the event is not kept, not that nobody has received it.

So the events of a publisher arrive in the order of its messages, none before its SUBSCRIBED and
none after its UNSUBSCRIBED. Whether a session may do what it asks for has been decided before.

Source: WAMP, Publish and Subscribe; Advanced Features of publishers, subscribers and brokers.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache

from msgspec import UNSET
from msgspec.structs import replace

from thingtank.protocols.wamp.answers import (
    DISCLOSURE_DENIED,
    INVALID_URI,
    LIMIT_REACHED,
    Refused,
    send_refusal,
)
from thingtank.protocols.wamp.deliveries import Deliveries
from thingtank.protocols.wamp.errors import ProtocolViolation
from thingtank.protocols.wamp.keeping import Acknowledgements, Keeping
from thingtank.protocols.wamp.messages import (
    EventReceived,
    Publish,
    Published,
    Subscribe,
    Subscribed,
    Unsubscribe,
    Unsubscribed,
)
from thingtank.protocols.wamp.meta_events import MetaEvent
from thingtank.protocols.wamp.options import Match, PublishOptions, RevocationDetails
from thingtank.protocols.wamp.outlets import Outlet
from thingtank.protocols.wamp.payloads import Payload
from thingtank.protocols.wamp.peers import Peer
from thingtank.protocols.wamp.publications import (
    BY_OPTIONS,
    Publication,
    PublishPolicy,
    details_of,
)
from thingtank.protocols.wamp.receipts import Receipts
from thingtank.protocols.wamp.receivers import receivers_of
from thingtank.protocols.wamp.retained import RetainedEvents
from thingtank.protocols.wamp.subscriptions import NoSuchSubscription, Subscription, Subscriptions
from thingtank.protocols.wamp.uris import (
    URI_CHARS_MAX,
    check_uri,
    is_reserved,
    is_uri,
    malformed_words,
    reserved_words,
)

BROKER_FEATURES = (
    "publisher_identification",
    "publisher_exclusion",
    "subscriber_blackwhite_listing",
    "pattern_based_subscription",
    "subscription_revocation",
    "event_retention",
    "sharded_subscription",
    "publication_trustlevels",
    "payload_passthru_mode",
    "payload_transparency",
    "x_acknowledged_event_delivery",
)
"""What is done here; meta APIs and event history are announced by those who answer them."""

SUBSCRIPTIONS_PER_SESSION_MAX = 10_000

_NO_SUCH_SUBSCRIPTION = "wamp.error.no_such_subscription"
_PLAIN = (PublishOptions(), PublishOptions(acknowledge=True))
_REMEMBERED_MAX = 4096


class Broker:
    """Topics and subscribers of one realm.

    Attributes:
        subscriptions: answers the questions of the Subscription Meta API.
        retained: the retained events.
        receipts: of acknowledged delivery.
        deliveries: counts the receivers that went without.
        unanswered: publications that wait for a disk.
        outlet: takes what clients publish as well, if there is one.
    """

    def __init__(
        self,
        make_id: Callable[[], int],
        now_us: Callable[[], int],
        on_meta: Callable[[MetaEvent], None] = lambda event: None,
        on_publication: Callable[
            [Publication, list[int]], Keeping | None
        ] = lambda publication, ids: None,
        retained: RetainedEvents | None = None,
        *,
        is_strict: bool = False,
        subscriptions_per_session_max: int = SUBSCRIPTIONS_PER_SESSION_MAX,
    ) -> None:
        """Start without subscriptions.

        Args:
            make_id: of publications: random, 1 to 2^53.
            now_us: since the epoch, UTC.
            on_meta: is given what happens to subscriptions, in order, after the session whose
                doing it was has its answer; but not of those to `wamp.` topics.
            on_publication: is given events to be kept, with the ids of the standing subscriptions
                that they match; but not those that are limited by session ids. It returns None
                if nobody needs to wait for it.
            is_strict: whether URIs must keep the strict rule.
        """
        self.subscriptions = Subscriptions()
        self.retained = retained if retained is not None else RetainedEvents()
        self.receipts = Receipts()
        self.deliveries = Deliveries()
        self.unanswered = Acknowledgements()
        self.outlet: Outlet | None = None
        self._make_id = make_id
        self._now_us = now_us
        self._on_meta = on_meta
        self._on_publication = on_publication
        self._is_strict = is_strict
        self._per_session_max = subscriptions_per_session_max
        self._has_standing = False

    def subscribe(self, peer: Peer, message: Subscribe) -> None:
        """Subscribe a session; if it is already, to the same effect."""
        uri, match, session_id = message.topic, message.options.match, peer.session_id
        subscription = self.subscriptions.find(uri, match)
        try:
            if subscription is None or session_id not in subscription.peers:
                self._check_subscribe(peer, uri, match)
        except Refused as refused:
            send_refusal(peer, 32, message.request_id, refused)
            return
        events = []
        if subscription is None:
            subscription = self.subscriptions.create(uri, match, self._now_us())
            events += subscription.events("on_create", session_id)
        nkey = message.options.nkey
        if self.subscriptions.join(subscription, peer, nkey if isinstance(nkey, str) else None):
            events += subscription.events("on_subscribe", session_id)
        peer.send(Subscribed(message.request_id, subscription.id))
        if message.options.get_retained:
            self.deliveries.send_retained(peer, subscription, self._find_retained(peer, uri, match))
        self._announce(events)

    def unsubscribe(self, peer: Peer, message: Unsubscribe) -> None:
        """End a session's subscription."""
        try:
            events = self.subscriptions.leave(peer.session_id, message.subscription_id)
        except NoSuchSubscription as error:
            refused = Refused(_NO_SUCH_SUBSCRIPTION, str(error))
            send_refusal(peer, 34, message.request_id, refused)
            return
        peer.send(Unsubscribed(message.request_id))
        self._announce(events)

    def publish(
        self, peer: Peer, message: Publish, policy: PublishPolicy = BY_OPTIONS
    ) -> int | None:
        """Deliver an event, or refuse to, which an unacknowledged publisher is not told.

        Returns:
            Its publication id; None if it was refused.

        Raises:
            ProtocolViolation: it uses what its publisher did not announce.
        """
        options, topic = message.options, message.topic
        is_valid = len(topic) <= URI_CHARS_MAX and _may_publish(topic, self._is_strict)
        if is_valid and options in _PLAIN and (policy is BY_OPTIONS or not policy.changes_plain):
            subscriptions = self.subscriptions.matching(topic)
            outlet = self.outlet
            is_wanted = outlet is not None and outlet.is_wanted(topic)
            if not self._is_kept(subscriptions) and not (is_wanted and options.acknowledge):
                publication_id = self._make_id()
                if options.acknowledge:
                    peer.send(Published(message.request_id, publication_id))
                self.deliveries.send_to_all(
                    subscriptions, publication_id, topic, message.payload, peer
                )
                if outlet is not None and is_wanted:
                    outlet.take(topic, message.payload)
                return publication_id
        try:
            _check_publish(peer, message, policy, is_valid=is_valid)
        except Refused as refused:
            if options.acknowledge:
                send_refusal(peer, 16, message.request_id, refused)
            return None
        publication = self._publication(peer, topic, options, message.payload, policy)
        keepings = self._keep(publication, options)
        keeping = self.outlet.take_publication(publication, options) if self.outlet else None
        if keeping is not None:
            keepings.append(keeping)
        if options.acknowledge and policy.answers:
            published = Published(message.request_id, publication.publication_id)
            self.unanswered.send_when(keepings, peer, published)
        self._send(publication, options, policy)
        return publication.publication_id

    def announce(self, topic: str, payload: Payload, options: PublishOptions = _PLAIN[0]) -> int:
        """Publish something of the router's own.

        Returns:
            The publication id.
        """
        subscriptions = self.subscriptions.matching(topic)
        if options in _PLAIN and not self._is_kept(subscriptions):
            publication_id = self._make_id()
            self.deliveries.send_to_all(subscriptions, publication_id, topic, payload, None)
            return publication_id
        publication = self._publication(None, topic, options, payload, BY_OPTIONS)
        self._keep(publication, options)
        self._send(publication, options, BY_OPTIONS)
        return publication.publication_id

    def is_awaited(self, topic: str) -> bool:
        """Whether an event of this topic would go anywhere now."""
        return bool(self.subscriptions.matching(topic))

    def receive_receipt(self, peer: Peer, message: EventReceived) -> bool:
        """Note a subscriber's EVENT_RECEIVED; whether it was awaited."""
        return self.receipts.take(message.publication_id, peer.session_id)

    def drop(self, peer: Peer) -> None:
        """End all subscriptions of a session that is over."""
        self.unanswered.drop(peer)
        self._announce(self.subscriptions.leave_all(peer.session_id))

    def revoke(self, subscription_id: int, session_id: int, reason: str | None = None) -> None:
        """Take a subscription from a session that did not ask for it.

        Args:
            reason: a URI, told to subscribers that announced subscription_revocation.

        Raises:
            NoSuchSubscription: it does not exist, or the session does not hold it.
        """
        peer = self.subscriptions.get(subscription_id).peers.get(session_id)
        events = self.subscriptions.leave(session_id, subscription_id)
        assert peer is not None
        if peer.announces("subscriber", "subscription_revocation"):
            told = UNSET if reason is None else reason
            peer.send(Unsubscribed(0, RevocationDetails(subscription_id, reason=told)))
        self._announce(events)

    def stand(self, topic: str, match: Match = "exact") -> int:
        """Have a subscription that lasts, and whose events are given to be kept.

        Returns:
            Its id.

        Raises:
            InvalidUri.
        """
        check_uri(topic, match, is_strict=self._is_strict)
        subscription = self.subscriptions.find(topic, match)
        if subscription is None:
            subscription = self.subscriptions.create(topic, match, self._now_us())
        subscription.is_standing = self._has_standing = True
        return subscription.id

    def _check_subscribe(self, peer: Peer, uri: str, match: Match) -> None:
        if not is_uri(uri, match, is_strict=self._is_strict):
            raise Refused(INVALID_URI, malformed_words(uri, match))
        if self.subscriptions.count_held(peer.session_id) >= self._per_session_max:
            raise Refused(
                LIMIT_REACHED, f"a session may have {self._per_session_max} subscriptions"
            )

    def _find_retained(self, peer: Peer, uri: str, match: Match) -> Iterator[Publication]:
        known = set()
        for event in self.retained.find(uri, match, peer.session_id, peer.authid, peer.authrole):
            known.add(event.topic)
            yield event
        if self.outlet is not None:
            yield from self.outlet.find_retained(uri, match, known)

    def _is_kept(self, subscriptions: Iterable[Subscription]) -> bool:
        return self._has_standing and any(each.is_standing for each in subscriptions)

    def _publication(
        self,
        publisher: Peer | None,
        topic: str,
        options: PublishOptions,
        payload: Payload,
        policy: PublishPolicy,
    ) -> Publication:
        return Publication(
            self._make_id(),
            self._now_us(),
            topic,
            publisher.session_id if publisher is not None else None,
            options.exclude_me,
            details_of(publisher, options, policy),
            payload,
            receivers_of(options),
        )

    def _keep(self, publication: Publication, options: PublishOptions) -> list[Keeping]:
        """Retain it and keep it for history; what has to be waited for."""
        keepings = [self.retained.put(publication)] if options.retain else []
        subscriptions = self.subscriptions.matching(publication.topic)
        receivers = publication.receivers
        # WAMP, Event History: an event with a list of sessions is not kept.
        if self._is_kept(subscriptions) and (receivers is None or not receivers.names_sessions):
            standing_ids = [each.id for each in subscriptions if each.is_standing]
            keepings.append(self._on_publication(publication, standing_ids))
        return [each for each in keepings if each is not None]

    def _send(
        self, publication: Publication, options: PublishOptions, policy: PublishPolicy
    ) -> None:
        details = publication.details
        if policy.asks_receipts:
            details = replace(details, x_acknowledged_delivery=True)
        subscriptions = self.subscriptions.matching(publication.topic)
        sent_to = self.deliveries.send_to_some(subscriptions, publication, details, options.rkey)
        if policy.asks_receipts:
            self.receipts.ask(publication.publication_id, sent_to)

    def _announce(self, events: Iterable[MetaEvent]) -> None:
        for event in events:
            self._on_meta(event)


@lru_cache(_REMEMBERED_MAX)
def _may_publish(topic: str, is_strict: bool) -> bool:
    return is_uri(topic, is_strict=is_strict) and not is_reserved(topic)


def _check_publish(peer: Peer, message: Publish, policy: PublishPolicy, *, is_valid: bool) -> None:
    if message.options.ppt_scheme and not peer.announces("publisher", "payload_passthru_mode"):
        raise ProtocolViolation("payload_passthru_mode was not announced by this publisher")
    if not is_valid:
        topic = message.topic
        words = reserved_words(topic) if is_reserved(topic) else malformed_words(topic)
        raise Refused(INVALID_URI, words)
    if message.options.disclose_me and policy.disclosure == "never":
        raise Refused(DISCLOSURE_DENIED, "publishers of this topic are not disclosed")
