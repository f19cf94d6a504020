"""Who is subscribed to what; and the answers about it that the subscription meta API gives.

(topic, match) identifies a subscription; it lives from its first subscriber to its last, or as
long as the router where it stands for a topic whose events are kept.

Some are private: the meta API and its events tell nobody that clients subscribe to them. Which
these are is for whoever provides their topics to say.

Source: WAMP, Publish and Subscribe; Pattern-based Subscriptions; Subscription Meta API.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

from thingtank.protocols.wamp.errors import WampError
from thingtank.protocols.wamp.meta_events import MetaEvent, created_text
from thingtank.protocols.wamp.options import Match
from thingtank.protocols.wamp.patterns import Patterns, ids_by_match
from thingtank.protocols.wamp.peers import Peer
from thingtank.protocols.wamp.serializer import Serializer
from thingtank.protocols.wamp.uris import is_reserved

Groups = Sequence[tuple[Serializer, Sequence[Peer]]]
"""Receivers with their serializer, which an event is encoded for once."""


class NoSuchSubscription(WampError):
    """ERROR with `wamp.error.no_such_subscription`."""


class Subscription:
    """One topic or pattern, and its subscribers.

    Attributes:
        is_pattern: its events name their topic.
        is_standing: it lasts without subscribers, and its events are kept.
        is_private: nobody is told who subscribes to it.
        event_count: events of it, whether anybody got them or not.
        peers: the subscribers by session id, in the order in which they came.
        nkeys: node keys by session id, of those who gave one.
    """

    __slots__ = (
        "_groups",
        "created_us",
        "event_count",
        "id",
        "is_pattern",
        "is_private",
        "is_standing",
        "match",
        "nkeys",
        "peers",
        "uri",
    )

    def __init__(self, subscription_id: int, uri: str, match: Match, created_us: int) -> None:
        self.id = subscription_id
        self.uri = uri
        self.match = match
        self.created_us = created_us
        self.is_pattern = match != "exact"
        self.is_standing = False
        self.is_private = False
        self.event_count = 0
        self.peers: dict[int, Peer] = {}
        self.nkeys: dict[int, str] = {}
        self._groups: Groups | None = ()

    @property
    def groups(self) -> Groups:
        """All subscribers. What was returned does not change when they do."""
        if self._groups is None:
            self._groups = grouped(self.peers.values())
        return self._groups

    @property
    def is_hidden(self) -> bool:
        """Whether nobody is told of it at all; one that stands is the realm's own."""
        return self.is_private and not self.is_standing

    @property
    def details(self) -> dict[str, Any]:
        """SubscriptionDetails of the meta API."""
        return {
            "id": self.id,
            "created": created_text(self.created_us),
            "uri": self.uri,
            "match": self.match,
        }

    def events(self, name: str, session_id: int) -> list[MetaEvent]:
        """What is published of a change; nothing if the topic is the router's own or private.

        Args:
            name: `on_create`, `on_subscribe`, `on_unsubscribe` or `on_delete`.
        """
        if is_reserved(self.uri) or self.is_private:
            return []
        what = self.details if name == "on_create" else self.id
        return [MetaEvent(f"wamp.subscription.{name}", (session_id, what))]

    def add(self, peer: Peer, nkey: str | None) -> None:
        """Have a subscriber; the node key is that of its last SUBSCRIBE."""
        self.peers[peer.session_id] = peer
        self.nkeys.pop(peer.session_id, None)
        if nkey is not None:
            self.nkeys[peer.session_id] = nkey
        self._groups = None

    def remove(self, session_id: int) -> None:
        """Lose a subscriber."""
        del self.peers[session_id]
        self.nkeys.pop(session_id, None)
        self._groups = None


def grouped(peers: Iterable[Peer]) -> Groups:
    """The same peers by their serializers."""
    groups: dict[Serializer, list[Peer]] = {}
    for peer in peers:
        groups.setdefault(peer.serializer, []).append(peer)
    return tuple((serializer, tuple(members)) for serializer, members in groups.items())


class Subscriptions:
    """All subscriptions of a realm.

    Attributes:
        on_change: is told of each URI and match that gets its first subscriber, or stands, or has
            lost its last one: what `matching` answers has changed. It may not call back.
    """

    def __init__(self) -> None:
        self._patterns: Patterns[Subscription] = Patterns()
        self._by_id: dict[int, Subscription] = {}
        self._of_session: dict[int, dict[int, Subscription]] = {}
        self._id_last = 0
        self._is_private: Callable[[str, Match], bool] = lambda uri, match: False
        self.matching = self._patterns.matching
        self.on_change: Callable[[str, Match], None] | None = None

    def make_private(self, is_private: Callable[[str, Match], bool]) -> None:
        """Have those private, of now and later, of which this says so."""
        self._is_private = is_private
        for each in self._by_id.values():
            each.is_private = is_private(each.uri, each.match)

    def find(self, uri: str, match: Match) -> Subscription | None:
        """What is under exactly this URI and match."""
        return self._patterns.get(uri, match)

    def create(self, uri: str, match: Match, created_us: int) -> Subscription:
        """A new one, which gets its first subscriber next, or stands."""
        self._id_last += 1
        subscription = Subscription(self._id_last, uri, match, created_us)
        subscription.is_private = self._is_private(uri, match)
        self._patterns.add(uri, match, subscription)
        self._by_id[subscription.id] = subscription
        if self.on_change is not None:
            self.on_change(uri, match)
        return subscription

    def join(self, subscription: Subscription, peer: Peer, nkey: str | None) -> bool:
        """Subscribe a session; whether it was not yet."""
        is_new = peer.session_id not in subscription.peers
        subscription.add(peer, nkey)
        self._of_session.setdefault(peer.session_id, {})[subscription.id] = subscription
        return is_new

    def leave(self, session_id: int, subscription_id: int) -> list[MetaEvent]:
        """Unsubscribe a session.

        Returns:
            What happened, in order, for those who are told.

        Raises:
            NoSuchSubscription: the session does not hold it.
        """
        held = self._of_session.get(session_id, {})
        subscription = held.pop(subscription_id, None)
        if subscription is None:
            raise NoSuchSubscription(
                f"session {session_id} does not hold subscription {subscription_id}"
            )
        if not held:
            del self._of_session[session_id]
        return self._lose(subscription, session_id)

    def leave_all(self, session_id: int) -> list[MetaEvent]:
        """Unsubscribe a session wholly; what happened, in order."""
        held = self._of_session.pop(session_id, {})
        return [event for each in held.values() for event in self._lose(each, session_id)]

    def count_held(self, session_id: int) -> int:
        """How many a session holds."""
        return len(self._of_session.get(session_id, ()))

    def get(self, subscription_id: int) -> Subscription:
        """One by its id: `wamp.subscription.get` gives its `details`.

        Raises:
            NoSuchSubscription.
        """
        subscription = self._by_id.get(subscription_id)
        if subscription is None:
            raise NoSuchSubscription(f"no subscription {subscription_id}")
        return subscription

    def values(self) -> Collection[Subscription]:
        """All, in the order in which they came."""
        return self._by_id.values()

    def of_session(self, session_id: int) -> Iterable[Subscription]:
        """Those that a session holds."""
        return self._of_session.get(session_id, {}).values()

    def list_ids(self) -> dict[Match, list[int]]:
        """All ids by match: `wamp.subscription.list`."""
        return ids_by_match(each for each in self._by_id.values() if not each.is_hidden)

    def lookup(self, topic: str, match: Match = "exact") -> int | None:
        """The id under exactly this URI and match: `wamp.subscription.lookup`."""
        subscription = self._patterns.get(topic, match)
        return subscription.id if subscription is not None and not subscription.is_hidden else None

    def match(self, topic: str) -> list[int] | None:
        """Ids of all that an event of this topic goes to, if any: `wamp.subscription.match`."""
        return [each.id for each in self.matching(topic) if not each.is_hidden] or None

    def list_subscribers(self, subscription_id: int) -> list[int]:
        """Session ids, in the order in which they came: `wamp.subscription.list_subscribers`.

        Raises:
            NoSuchSubscription.
        """
        return list(self.get(subscription_id).peers)

    def count_subscribers(self, subscription_id: int) -> int:
        """How many there are: `wamp.subscription.count_subscribers`.

        Raises:
            NoSuchSubscription.
        """
        return len(self.get(subscription_id).peers)

    def _lose(self, subscription: Subscription, session_id: int) -> list[MetaEvent]:
        subscription.remove(session_id)
        events = subscription.events("on_unsubscribe", session_id)
        if not subscription.peers and not subscription.is_standing:
            self._patterns.remove(subscription.uri, subscription.match)
            del self._by_id[subscription.id]
            if self.on_change is not None:
                self.on_change(subscription.uri, subscription.match)
            events += subscription.events("on_delete", session_id)
        return events
