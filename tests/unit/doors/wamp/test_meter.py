"""Messages a second: from counts that only grow."""

import random

import pytest

from thingtank.doors.wamp.door import random_ids
from thingtank.doors.wamp.meter import TICKS_UNWATCHED, Gauge, RealmMeter
from thingtank.net.traffic import HISTORY_S
from thingtank.protocols.wamp.router import Randomness, Realm

S = 1_000_000


def test_a_gauge_follows_a_steady_count_and_forgets_it() -> None:
    gauge = Gauge(0)
    for second in range(1, 31):
        gauge.take(second * 40, second * S)
        assert gauge.per_s == pytest.approx(40)
    assert gauge.last_us == 30 * S
    for second in range(31, 42):
        gauge.take(1200, second * S)
    assert gauge.per_s == 0
    assert gauge.last_us == 30 * S


def test_a_gauge_of_nothing_has_no_last_time() -> None:
    gauge = Gauge(5 * S)
    gauge.take(0, 5 * S)
    gauge.take(0, 6 * S)
    assert (gauge.per_s, gauge.last_us) == (0, None)


@pytest.fixture
def realm() -> Realm:
    randomness = Randomness(random_ids().__next__, random.Random(7).randrange)
    return Realm("realm1", randomness, lambda: 0)


def test_traffic_is_what_came_and_went_in_each_second(realm: Realm) -> None:
    meter = RealmMeter(realm, 0)
    realm.received_count, realm.sent_count = 10, 30
    meter.tick(1 * S)
    realm.received_count = 14
    meter.tick(3 * S)  # the loop was late
    traffic = meter.traffic()
    assert list(traffic.at_s) == [1, 3]
    assert list(traffic.received_per_s) == [10, 2]
    assert list(traffic.sent_per_s) == [30, 0]
    for second in range(4, 4 + 2 * HISTORY_S):
        meter.tick(second * S)
    assert len(meter.traffic().at_s) == HISTORY_S


def test_topics_are_looked_at_rarely_until_somebody_watches(realm: Realm) -> None:
    subscription = realm.broker.subscriptions.create("x", "exact", 0)
    meter = RealmMeter(realm, 0)
    seen = []
    for second in range(1, 2 * TICKS_UNWATCHED + 3):
        subscription.event_count += 10
        meter.tick(second * S)
        gauge = meter.topics.get(subscription.id)
        seen.append(gauge.last_us if gauge else None)
    assert len(set(seen)) == 3  # never, and twice
    subscription.event_count += 10
    now_us = (2 * TICKS_UNWATCHED + 3) * S
    meter.watch(now_us)
    assert meter.topics[subscription.id].last_us == now_us  # at once
    subscription.event_count += 10
    meter.tick(now_us + S)
    assert meter.topics[subscription.id].last_us == now_us + S
    assert meter.topics[subscription.id].per_s == pytest.approx(10, rel=0.1)


def test_what_is_gone_is_forgotten(realm: Realm) -> None:
    subscriptions = realm.broker.subscriptions
    subscription = subscriptions.create("x", "exact", 0)
    meter = RealmMeter(realm, 0)
    meter.watch(1 * S)
    assert set(meter.topics) == {subscription.id}
    del subscriptions._by_id[subscription.id]
    meter.tick(2 * S)
    assert meter.topics == {}
