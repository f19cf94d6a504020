"""Retained events: what a new subscriber is told of a topic at once.

Of each topic the newest event for everybody is kept, and those newer ones that are limited to some
receivers: one of the same limits replaces the one before. So whoever comes gets the newest event
that it would have received. `exclude_me` does not count: it spares a publisher the echo of its
event, and the event is what the topic says nevertheless.

A retained event without a payload deletes, as in MQTT: without limits all of the topic, with them
what has the same ones. The specification names no way to delete.

Source: WAMP, Event Retention.
"""

import re
from bisect import bisect_left, insort
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import Protocol

from thingtank.protocols.wamp.keeping import Keeping
from thingtank.protocols.wamp.options import Match
from thingtank.protocols.wamp.publications import Publication
from thingtank.protocols.wamp.receivers import Receivers

COUNT_MAX = 10_000
BYTES_MAX = 64 * 2**20
LIMITED_MAX = 16  # events of one topic that are not for everybody

_EVENT_BYTES = 1000  # about what an event takes in memory beside its texts
_MEMBER_BYTES = 100  # and each member of its lists


class RetainedStore(Protocol):
    """Where retained events outlive the process. What it is told, it does in that order.

    Both return None if nobody needs to wait for it.
    """

    def keep(self, event: Publication) -> Keeping | None:
        """Keep one."""

    def remove(self, event: Publication) -> Keeping | None:
        """Forget one that was replaced, deleted, or had to make room."""


class RetainedEvents:
    """The retained events of a realm, in memory; when it is full, the oldest make room.

    Attributes:
        size_bytes: about what they take in memory.
        dropped_count: how many topics had to make room, or had an event too large to keep.
    """

    def __init__(
        self,
        store: RetainedStore | None = None,
        count_max: int = COUNT_MAX,
        bytes_max: int = BYTES_MAX,
    ) -> None:
        """Start empty.

        Args:
            count_max: most events. A subscriber to a pattern may be sent as many.
        """
        self._store = store
        self._count_max = count_max
        self._bytes_max = bytes_max
        self._of_topic: OrderedDict[str, list[Publication]] = OrderedDict()
        self._topics: list[str] = []
        self._count = 0
        self._is_restoring = False
        self._keeping: Keeping | None = None  # the last one of what is done now
        self.size_bytes = 0
        self.dropped_count = 0

    def __len__(self) -> int:
        return self._count

    def restore(self, events: Iterable[Publication]) -> None:
        """Put in what a store has kept, oldest first; it is told only what had no room."""
        self._is_restoring = True
        for event in events:
            self.put(event)
        self._is_restoring = False

    def put(self, event: Publication) -> Keeping | None:
        """Take an event that was published to be retained; one without payload deletes.

        Returns:
            What its publisher has to wait for, if there is something.
        """
        self._keeping = None
        replaced = [
            each
            for each in self._of_topic.get(event.topic, ())
            if event.receivers is None or each.receivers == event.receivers
        ]
        for each in replaced:
            self._remove(each)
        if not event.payload.count:
            return self._keeping
        if _size_bytes(event) > self._bytes_max:
            self.dropped_count += 1
            return self._keeping
        self._add(event)
        while self._count > self._count_max or self.size_bytes > self._bytes_max:
            self.dropped_count += 1
            for each in list(next(iter(self._of_topic.values()))):
                self._remove(each)
        return self._keeping

    def find(
        self, uri: str, match: Match, session_id: int, authid: str, authrole: str
    ) -> Iterator[Publication]:
        """The newest event that a session may receive, of each topic that matches."""
        for topic in self._matching(uri, match):
            for event in self._of_topic[topic]:
                if event.receivers is None or event.receivers.admits(session_id, authid, authrole):
                    yield event
                    break

    def _matching(self, uri: str, match: Match) -> list[str]:
        if match == "exact":
            return [uri] if uri in self._of_topic else []
        if match == "prefix":
            return self._beginning_with(uri)
        components = uri.split(".")
        pattern = re.compile(r"\.".join(re.escape(each) or r"[^.]+" for each in components))
        literals = components[: components.index("")] if "" in components else components
        return [
            topic for topic in self._beginning_with(".".join(literals)) if pattern.fullmatch(topic)
        ]

    def _beginning_with(self, prefix: str) -> list[str]:
        """In alphabetical order."""
        topics, first = self._topics, bisect_left(self._topics, prefix)
        end = first
        while end < len(topics) and topics[end].startswith(prefix):
            end += 1
        return topics[first:end]

    def _add(self, event: Publication) -> None:
        """Newest first, so that the one for everybody is the last."""
        events = self._of_topic.get(event.topic)
        if events is None:
            events = self._of_topic[event.topic] = []
            insort(self._topics, event.topic)
        self._of_topic.move_to_end(event.topic)
        events.insert(0, event)
        self._count += 1
        self.size_bytes += _size_bytes(event)
        if self._store is not None and not self._is_restoring:
            self._keeping = self._store.keep(event)
        limited = [each for each in events if each.receivers is not None]
        if len(limited) > LIMITED_MAX:
            self._remove(limited[-1])

    def _remove(self, event: Publication) -> None:
        events = self._of_topic[event.topic]
        events.remove(event)
        if not events:
            del self._of_topic[event.topic]
            del self._topics[bisect_left(self._topics, event.topic)]
        self._count -= 1
        self.size_bytes -= _size_bytes(event)
        if self._store is not None:
            self._keeping = self._store.remove(event)


def _size_bytes(event: Publication) -> int:
    """About what it takes in memory."""
    members = 0
    if event.receivers is not None:
        lists = (getattr(event.receivers, name) for name in Receivers.__struct_fields__)
        members = sum(len(each) for each in lists if each)
    passed_on = sum(len(str(value)) for value in event.details.passed_on.values())
    texts = len(event.topic) + len(event.payload.data) + passed_on
    return _EVENT_BYTES + texts + members * _MEMBER_BYTES
