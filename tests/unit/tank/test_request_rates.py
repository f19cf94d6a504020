"""Token buckets: a burst, then a steady rate; bounded, exact, unhurt by what a peer may choose."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thingtank.tank.errors import RateExceeded
from thingtank.tank.limits import Limits
from thingtank.tank.request_rates import Allowance, RequestRates, TokenBuckets

SECOND_NS = 1_000_000_000


def test_a_burst_passes_and_then_one_request_for_each_token() -> None:
    buckets = TokenBuckets(rate=2, burst=3)
    assert [buckets.take("a", 0) for _ in range(4)] == [0, 0, 0, SECOND_NS // 2]
    assert buckets.take("a", SECOND_NS // 2 - 1) == 1
    assert buckets.take("a", SECOND_NS // 2) == 0
    assert buckets.take("a", SECOND_NS // 2) == SECOND_NS // 2


def test_a_refused_request_takes_no_token() -> None:
    buckets = TokenBuckets(rate=1, burst=1)
    assert buckets.take("a", 0) == 0
    assert {buckets.take("a", SECOND_NS - 1) for _ in range(1000)} == {1}
    assert buckets.take("a", SECOND_NS) == 0


def test_rest_fills_a_bucket_to_its_brim_and_no_further() -> None:
    buckets = TokenBuckets(rate=10, burst=2)
    now_ns = 1000 * SECOND_NS
    assert [buckets.take("a", now_ns) for _ in range(3)] == [0, 0, SECOND_NS // 10]


def test_names_have_buckets_of_their_own() -> None:
    buckets = TokenBuckets(rate=1, burst=1)
    assert [buckets.take(name, 0) for name in ("a", "b", "a")] == [0, 0, SECOND_NS]


def test_the_name_asked_for_least_recently_is_forgotten_first() -> None:
    buckets = TokenBuckets(rate=1, burst=1, buckets_max=2)
    buckets.take("old", 0)
    buckets.take("busy", 1)
    assert buckets.take("old", 2) > 0  # in vain, but heard of
    buckets.take("new", 3)
    assert len(buckets) == 2
    assert buckets.take("old", 4) > 0
    assert buckets.take("busy", 4) == 0


@given(
    rate=st.floats(1e-6, 1e9),
    burst=st.integers(1, 10_000),
    pauses_ns=st.lists(st.integers(0, 10 * SECOND_NS), max_size=200),
)
def test_never_more_than_a_burst_and_what_the_time_since_has_earned(
    rate: float, burst: int, pauses_ns: list[int]
) -> None:
    buckets = TokenBuckets(rate, burst)
    now_ns = taken = 0
    for pause_ns in pauses_ns:
        now_ns += pause_ns
        missing_ns = buckets.take("a", now_ns)
        assert missing_ns >= 0
        taken += missing_ns == 0
        token_ns = max(int(SECOND_NS / rate), 1)
        assert taken <= burst + now_ns // token_ns


def test_keys_and_addresses_are_counted_apart_and_refusals_say_how_long() -> None:
    limits = Limits(
        requests_per_key_s=0.4,
        requests_per_key_burst=1,
        requests_per_address_s=2,
        requests_per_address_burst=1,
    )
    rates = RequestRates(limits)
    rates.count_key(7, 0)
    rates.count_stranger("7", 0)
    with pytest.raises(RateExceeded, match=r"a key may ask 0.4 times a second.* 3 seconds") as key:
        rates.count_key(7, 0)
    with pytest.raises(RateExceeded, match=r"address .* 2 times a second.* 1 second$") as address:
        rates.count_stranger("7", 0)
    assert (key.value.retry_after_s, address.value.retry_after_s) == (3, 1)


def test_a_rate_of_zero_counts_nobody() -> None:
    rates = RequestRates(Limits(requests_per_key_s=0, requests_per_address_s=0))
    assert not rates.counts_keys
    for _ in range(5000):
        rates.count_key(1, 0)
        rates.count_stranger("192.0.2.1", 0)


def test_what_is_left_is_told_without_taking_any() -> None:
    buckets = TokenBuckets(rate=2, burst=4)
    assert buckets.look("a", 0) == Allowance(burst=4, burst_s=2, left=4, full_s=0)
    for _ in range(3):
        buckets.take("a", 0)
    assert buckets.look("a", 0) == Allowance(burst=4, burst_s=2, left=1, full_s=2)
    assert buckets.look("a", 0).left == 1
    buckets.take("a", 0)
    assert buckets.look("a", 0).left == 0
    assert buckets.look("a", SECOND_NS // 2) == Allowance(burst=4, burst_s=2, left=1, full_s=2)
    assert buckets.look("a", 10 * SECOND_NS).left == 4
    assert len(buckets) == 1


def test_requests_by_session_are_counted_by_account() -> None:
    rates = RequestRates(Limits(requests_per_account_s=1, requests_per_account_burst=2))
    left = rates.left_of_account(1, 0)
    assert left is not None
    assert left.left == 2
    rates.count_account(1, 0)
    rates.count_account(1, 0)
    with pytest.raises(RateExceeded, match="an account may ask 1 times a second"):
        rates.count_account(1, 0)
    rates.count_account(2, 0)
    unlimited = RequestRates(Limits(requests_per_account_s=0))
    for _ in range(1000):
        unlimited.count_account(1, 0)
    assert unlimited.left_of_account(1, 0) is None
