"""Messages a second, by realm, topic and procedure.

The router only counts, an integer for each message. Here the counts are looked at: those of realms
each second, those of topics and procedures each second while somebody looks at them and rarely
otherwise, for there may be many.
"""

from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Protocol, TypeVar

from thingtank.net.traffic import Ticker, TrafficLog
from thingtank.protocols.overviews import Traffic
from thingtank.protocols.wamp.router import Realm

TICK_S = 1.0
TICKS_UNWATCHED = 10  # between looks at topics and procedures, while nobody does
WATCHED_S = 3.0  # after the last question
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
        self._traffic = TrafficLog(self._counts(), now_us)

    def watch(self, now_us: int) -> None:
        """Somebody looks: look more often for a while, and now if it has been long."""
        if now_us > self._watched_until_us:
            self._sweep(now_us)
        self._watched_until_us = now_us + round(WATCHED_S * _US_PER_S)

    def tick(self, now_us: int) -> None:
        """Look at the realm's counts; also at the others' if it is time."""
        self._traffic.take(self._counts(), now_us)
        since_us = now_us - self._swept_us
        if now_us < self._watched_until_us or since_us > TICKS_UNWATCHED * TICK_S * _US_PER_S:
            self._sweep(now_us)

    def traffic(self) -> Traffic:
        """Messages in each of the last seconds."""
        return self._traffic.traffic()

    def _counts(self) -> tuple[int, int]:
        return self._realm.received_count, self._realm.sent_count

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
        self._ticker = Ticker(TICK_S, self._tick)

    def start(self) -> None:
        """Look each second; in the running loop."""
        self._ticker.start()

    def stop(self) -> None:
        """Look no more."""
        self._ticker.stop()

    def watched(self, realm: str) -> RealmMeter:
        """A realm's, for somebody who looks at it now."""
        meter = self._meters[realm]
        meter.watch(self._now_us())
        return meter

    def _tick(self) -> None:
        now_us = self._now_us()
        for meter in self._meters.values():
            meter.tick(now_us)
