"""Who has subscribed to what, and so who gets a message.

| subscriptions of one topic | the message goes |
| --- | --- |
| of several clients | to each |
| several of one client, overlapping | to it, with all of them: the broker makes one message of it |
| shared, of the same name and filter | to one of the group, by turns |
| shared, of other names or filters | to one of each group |
| shared and not, of one client | to it for the one and, by turns, for the other |

Source: MQTT 5, 3.3.4, 4.7, 4.8.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Generic, NamedTuple, TypeVar

import msgspec

from thingtank.protocols.mqtt.filter_tree import FilterTree, is_wild
from thingtank.protocols.mqtt.messages import Subscription
from thingtank.protocols.mqtt.sorted_texts import SortedTexts

REMEMBERED_TOPICS_MAX = 16_384
REMEMBERED_RECEIVERS_MAX = 131_072
REMEMBERED_TOPIC_CHARS_MAX = 512

Subscriber = TypeVar("Subscriber")


class Group(msgspec.Struct, Generic[Subscriber], gc=False, eq=False):
    """Those who share a subscription: each message goes to one of them (MQTT 5, 4.8.2).

    Attributes:
        name: the share name.
        path: the topic filter, without `$share/NAME/`.
        by_subscriber: what each has subscribed with.
        turns: the members in the order in which they came.
        next_turn: whose turn it is.
    """

    name: str
    path: str
    by_subscriber: dict[Subscriber, Subscription] = {}
    turns: list[Subscriber] = []
    next_turn: int = 0

    def __len__(self) -> int:
        return len(self.turns)

    @property
    def members(self) -> list[tuple[Subscriber, Subscription]]:
        """In the order in which they came."""
        return [(each, self.by_subscriber[each]) for each in self.turns]

    def choose(
        self, is_ready: Callable[[Subscriber], bool]
    ) -> tuple[Subscriber, Subscription] | None:
        """Whose turn it is among those who are ready; of all, when none is.

        Asks each at most once: in a group in which most are away, that is what it costs.

        Args:
            is_ready: whether it can be sent to now.

        Returns:
            None when there is nobody.
        """
        turns = self.turns
        count = len(turns)
        if not count:
            return None
        start = self.next_turn
        for step in range(count):
            subscriber = turns[(start + step) % count]
            if is_ready(subscriber):
                break
        else:
            subscriber, step = turns[start], 0
        self.next_turn = (start + step + 1) % count
        return subscriber, self.by_subscriber[subscriber]

    def put(self, subscriber: Subscriber, subscription: Subscription) -> Subscription | None:
        """Let one take part; returns what it had before."""
        present = self.by_subscriber.get(subscriber)
        if present is None:
            self.turns.append(subscriber)
        if present != subscription:
            self.by_subscriber[subscriber] = subscription
        return present

    def take(self, subscriber: Subscriber) -> bool:
        """Let one go; returns whether it was there."""
        if self.by_subscriber.pop(subscriber, None) is None:
            return False
        at = self.turns.index(subscriber)
        del self.turns[at]
        if at < self.next_turn:
            self.next_turn -= 1
        if self.next_turn >= len(self.turns):
            self.next_turn = 0
        return True


class Matched(msgspec.Struct, Generic[Subscriber], frozen=True, eq=False):
    """Who gets the messages of a topic. Remembered, so nobody else may change it.

    Attributes:
        direct: each subscriber once, with all its subscriptions that match.
        shared: groups, of each of which one gets it.
    """

    direct: list[tuple[Subscriber, tuple[Subscription, ...]]]
    shared: list[Group[Subscriber]]


class FilterCount(NamedTuple):
    """How many have subscribed by one topic filter, which has `$share/NAME/` where it is shared."""

    topic_filter: str
    subscribers_count: int


class Subscriptions(Generic[Subscriber]):
    """Who has subscribed to what.

    A subscriber is hashable, and one object is one subscriber. The garbage collector does not see
    the subscriptions, as there may be millions: a subscriber is let go when its subscriptions are
    removed, or with `clear`.

    Attributes:
        version: rises with each change that can change what matches.
    """

    def __init__(self, remembered_topics_max: int = REMEMBERED_TOPICS_MAX) -> None:
        """Start empty.

        Args:
            remembered_topics_max: for how many topics the matches are remembered.
        """
        self.version = 0
        self._remembered_topics_max = remembered_topics_max
        self._start()

    def __len__(self) -> int:
        return self._count

    def add(self, subscriber: Subscriber, subscription: Subscription) -> bool:
        """Let one subscribe.

        Returns:
            Whether it is new: False if it has replaced the subscriber's with the same filter.
        """
        name, path = _share_and_path(subscription.topic_filter)
        if name is None:
            present = self._add_direct(subscriber, subscription)
        else:
            group = self._group_for(name, path, subscription.topic_filter)
            present = group.put(subscriber, subscription)
        if present is None:
            self._count += 1
        if present != subscription:
            self._forget(path)
        return present is None

    def remove(self, subscriber: Subscriber, topic_filter: str) -> bool:
        """Let one unsubscribe; returns whether it had subscribed."""
        name, path = _share_and_path(topic_filter)
        if name is None:
            was_there = self._remove_direct(subscriber, path)
        else:
            was_there = self._remove_shared(subscriber, name, path, topic_filter)
        if was_there:
            self._count -= 1
            self._forget(path)
        return was_there

    def remove_all(self, subscriber: Subscriber, topic_filters: Iterable[str]) -> None:
        """Let one unsubscribe from several; those that it has not are passed over."""
        for topic_filter in topic_filters:
            self.remove(subscriber, topic_filter)

    def clear(self) -> None:
        """Forget all."""
        self.version += 1
        self._start()

    def match(self, topic: str) -> Matched[Subscriber]:
        """Who gets the messages of a topic."""
        matched = self._remembered.get(topic)
        if matched is None:
            matched = self._find(topic)
            if len(topic) <= REMEMBERED_TOPIC_CHARS_MAX:
                self._remember(topic, matched)
        return matched

    def page(self, after: str, count_max: int, prefix: str = "") -> list[FilterCount]:
        """Some topic filters in order, with how many have subscribed by each.

        Args:
            after: the last filter of the page before; blank for the first page.
            prefix: what they begin with.

        Returns:
            Fewer than `count_max` when there are no more.
        """
        start = prefix if after < prefix else after + "\0"
        filters = self._filters.page(start, count_max)
        return [
            FilterCount(each, self._count_of(each)) for each in filters if each.startswith(prefix)
        ]

    @property
    def filters_count(self) -> int:
        """How many different topic filters there are."""
        return len(self._filters)

    def _start(self) -> None:
        self._direct: FilterTree[_Receivers[Subscriber]] = FilterTree()
        self._shared: FilterTree[_Groups[Subscriber]] = FilterTree()
        self._filters = SortedTexts()
        self._count = 0
        self._remembered: dict[str, Matched[Subscriber]] = {}
        self._remembered_receivers = 0

    def _add_direct(
        self, subscriber: Subscriber, subscription: Subscription
    ) -> Subscription | None:
        path = subscription.topic_filter
        receivers = self._direct.find(path)
        if receivers is not None:
            return receivers.put(subscriber, subscription)
        self._direct.add(_Receivers(path, subscriber, subscription))
        self._filters.add(path)
        return None

    def _remove_direct(self, subscriber: Subscriber, path: str) -> bool:
        receivers = self._direct.find(path)
        if receivers is None:
            return False
        if receivers.subscriber == subscriber and not receivers.others:
            self._direct.remove(path)
            self._filters.remove(path)
            return True
        return receivers.take(subscriber)

    def _group_for(self, name: str, path: str, topic_filter: str) -> Group[Subscriber]:
        groups = self._shared.find(path)
        if groups is None:
            groups = _Groups(path, {})
            self._shared.add(groups)
        group = groups.by_name.get(name)
        if group is None:
            group = groups.by_name[name] = Group(name, path)
            self._filters.add(topic_filter)
        return group

    def _remove_shared(
        self, subscriber: Subscriber, name: str, path: str, topic_filter: str
    ) -> bool:
        groups = self._shared.find(path)
        if groups is None or name not in groups.by_name:
            return False
        group = groups.by_name[name]
        if not group.take(subscriber):
            return False
        if not len(group):
            del groups.by_name[name]
            self._filters.remove(topic_filter)
            if not groups.by_name:
                self._shared.remove(path)
        return True

    def _find(self, topic: str) -> Matched[Subscriber]:
        found = self._direct.matching(topic)
        direct: list[tuple[Subscriber, tuple[Subscription, ...]]]
        if len(found) == 1:
            direct = [(each, (subscription,)) for each, subscription in found[0].pairs()]
        else:
            direct = _merged(found)
        shared: list[Group[Subscriber]] = []
        for groups in self._shared.matching(topic):
            shared += groups.by_name.values()
        return Matched(direct, shared)

    def _remember(self, topic: str, matched: Matched[Subscriber]) -> None:
        size = len(matched.direct) + len(matched.shared)
        if size > REMEMBERED_RECEIVERS_MAX:
            return
        self._remembered_receivers += size
        if (
            len(self._remembered) >= self._remembered_topics_max
            or self._remembered_receivers > REMEMBERED_RECEIVERS_MAX
        ):
            self._remembered = {}
            self._remembered_receivers = size
        self._remembered[topic] = matched

    def _forget(self, path: str) -> None:
        self.version += 1
        if is_wild(path):
            if self._remembered:
                self._remembered = {}
                self._remembered_receivers = 0
        elif matched := self._remembered.pop(path, None):
            self._remembered_receivers -= len(matched.direct) + len(matched.shared)

    def _count_of(self, topic_filter: str) -> int:
        name, path = _share_and_path(topic_filter)
        if name is None:
            receivers = self._direct.find(path)
            return 0 if receivers is None else 1 + len(receivers.others or ())
        groups = self._shared.find(path)
        return 0 if groups is None else len(groups.by_name[name])


class _Receivers(msgspec.Struct, Generic[Subscriber], gc=False, eq=False):
    """Those who have subscribed by one topic filter: most often one."""

    path: str
    subscriber: Subscriber
    subscription: Subscription
    others: dict[Subscriber, Subscription] | None = None

    def pairs(self) -> Iterator[tuple[Subscriber, Subscription]]:
        yield self.subscriber, self.subscription
        if self.others:
            yield from self.others.items()

    def put(self, subscriber: Subscriber, subscription: Subscription) -> Subscription | None:
        """Add one, or replace its subscription; returns what it had before."""
        if subscriber == self.subscriber:
            present = self.subscription
            if present != subscription:
                self.subscription = subscription
            return present
        if self.others is None:
            self.others = {}
        before = self.others.get(subscriber)
        if before != subscription:
            self.others[subscriber] = subscription
        return before

    def take(self, subscriber: Subscriber) -> bool:
        """Remove one that is not the only one; returns whether it was there."""
        if not self.others:
            return False
        if subscriber == self.subscriber:
            self.subscriber, self.subscription = self.others.popitem()
        elif self.others.pop(subscriber, None) is None:
            return False
        if not self.others:
            self.others = None
        return True


class _Groups(msgspec.Struct, Generic[Subscriber], gc=False, eq=False):
    """The groups that share one topic filter, by share name."""

    path: str
    by_name: dict[str, Group[Subscriber]]


def _merged(
    found: list[_Receivers[Subscriber]],
) -> list[tuple[Subscriber, tuple[Subscription, ...]]]:
    by_subscriber: dict[Subscriber, list[Subscription]] = {}
    for receivers in found:
        for subscriber, subscription in receivers.pairs():
            present = by_subscriber.get(subscriber)
            if present is None:
                by_subscriber[subscriber] = [subscription]
            else:
                present.append(subscription)
    return [(each, tuple(subscriptions)) for each, subscriptions in by_subscriber.items()]


def _share_and_path(topic_filter: str) -> tuple[str | None, str]:
    """The share name, None when there is none, and the filter that topics are matched by."""
    if topic_filter.startswith("$share/"):
        name, slash, path = topic_filter[7:].partition("/")
        if slash:
            return name, path
    return None, topic_filter
