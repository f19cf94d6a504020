"""Messages a second, by realm, topic and procedure.

The router only counts, an integer for each message. Here the counts are looked at: those of realms
each second, those of topics and procedures each second while somebody looks at them and rarely
otherwise, for there may be many.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Protocol, TypeVar

from thingtank.protocols.wamp.router import Realm
from thingtank.protocols.wamp.router_facts import Traffic

TICK_S = 1.0
TICKS_UNWATCHED = 10  # between looks at topics and procedures, while nobody does
WATCHED_S = 3.0  # after the last question
HISTORY_S = 180
WINDOW_S = 5.0  # a rate is of the last one or two of these
LOOKED_AT_MAX = 20_000  # topics of a realm, and procedures; as many take some 5 ms

_US_PER_S = 1_000_000


class Gauge:
    """How fast one count grows.

    Attributes:
        per_s: over the last one or two WINDOW_S.
        last_us: when it was last seen to have grown.
    """

    __slots__ = (
        "_count",
        "_mark_count",
        "_mark_us",
        "_start_count",
        "_start_us",
        "last_us",
        "per_s",
    )

    def __init__(self, created_us: int) -> None:
        """Begin with nothing at a time."""
        self.per_s = 0.0
        self.last_us: int | None = None
        self._count = self._start_count = self._mark_count = 0
        self._start_us = self._mark_us = created_us

    def take(self, count: int, now_us: int) -> None:
        """Look at the count."""
        if count != self._count:
            self._count = count
            self.last_us = now_us
        elapsed_us = now_us - self._start_us
        if elapsed_us > 0:
            self.per_s = (count - self._start_count) * _US_PER_S / elapsed_us
        if now_us - self._mark_us >= WINDOW_S * _US_PER_S:
            self._start_count, self._start_us = self._mark_count, self._mark_us
            self._mark_count, self._mark_us = count, now_us


class _Counted(Protocol):
    @property
    def id(self) -> int: ...

    @property
    def created_us(self) -> int: ...


Each = TypeVar("Each", bound=_Counted)


class RealmMeter:
    """One realm's.

    Attributes:
        topics, procedures: gauges by id of subscription and registration.
    """

    def __init__(self, realm: Realm, now_us: int) -> None:
        """Begin to look."""
        self.topics: dict[int, Gauge] = {}
        self.procedures: dict[int, Gauge] = {}
        self._realm = realm
        self._swept_us = 0
        self._watched_until_us = 0
        self._ticked_us = now_us
        self._counts = realm.received_count, realm.sent_count
        self._traffic: deque[tuple[float, float, float]] = deque(maxlen=HISTORY_S)

    def watch(self, now_us: int) -> None:
        """Somebody looks: look more often for a while, and now if it has been long."""
        if now_us > self._watched_until_us:
            self._sweep(now_us)
        self._watched_until_us = now_us + round(WATCHED_S * _US_PER_S)

    def tick(self, now_us: int) -> None:
        """Look at the realm's counts; also at the others' if it is time."""
        counts = self._realm.received_count, self._realm.sent_count
        elapsed_s = max(now_us - self._ticked_us, 1) / _US_PER_S
        received, sent = (new - old for new, old in zip(counts, self._counts, strict=True))
        self._traffic.append((now_us / _US_PER_S, received / elapsed_s, sent / elapsed_s))
        self._counts, self._ticked_us = counts, now_us
        since_us = now_us - self._swept_us
        if now_us < self._watched_until_us or since_us > TICKS_UNWATCHED * TICK_S * _US_PER_S:
            self._sweep(now_us)

    def traffic(self) -> Traffic:
        """Messages in each of the last seconds."""
        at_s, received, sent = zip(*self._traffic, strict=True) if self._traffic else ((), (), ())
        return Traffic(at_s, [round(x, 1) for x in received], [round(x, 1) for x in sent])

    def _sweep(self, now_us: int) -> None:
        self._swept_us = now_us
        subscriptions = self._realm.broker.subscriptions.values()
        registrations = self._realm.dealer.registrations.values()
        self.topics = _looked_at(subscriptions, lambda each: each.event_count, self.topics, now_us)
        self.procedures = _looked_at(
            registrations, lambda each: each.call_count, self.procedures, now_us
        )


def _looked_at(
    all_of_them: Iterable[Each],
    count_of: Callable[[Each], int],
    known: Mapping[int, Gauge],
    now_us: int,
) -> dict[int, Gauge]:
    gauges = {}
    for each in islice(all_of_them, LOOKED_AT_MAX):
        gauge = known.get(each.id) or Gauge(each.created_us)
        gauge.take(count_of(each), now_us)
        gauges[each.id] = gauge
    return gauges


class Meter:
    """Those of all realms."""

    def __init__(self, realms: Mapping[str, Realm], now_us: Callable[[], int]) -> None:
        """Look from `start` on."""
        self._now_us = now_us
        self._meters = {name: RealmMeter(realm, now_us()) for name, realm in realms.items()}
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Look each second; in the running loop."""
        self._timer = asyncio.get_running_loop().call_later(TICK_S, self._tick)

    def stop(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()

    def watched(self, realm: str) -> RealmMeter:
        """A realm's, for somebody who looks at it now."""
        meter = self._meters[realm]
        meter.watch(self._now_us())
        return meter

    def _tick(self) -> None:
        self.start()
        now_us = self._now_us()
        for meter in self._meters.values():
            meter.tick(now_us)
