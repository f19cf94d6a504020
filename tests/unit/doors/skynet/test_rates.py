"""Who is counted with whom, and who is not counted."""

from typing import Any

import pytest
from tests.unit.doors.skynet.skynet_bench import DoorBench

from thingtank.doors.skynet.errors import RateLimited
from thingtank.doors.skynet.rates import RateKind, Rates
from thingtank.doors.skynet.settings import SkynetSettings
from thingtank.tank.access import Caller
from thingtank.tank.messaging.permissions import Party

PER_S = 0.001  # so that nothing comes back while a test runs


def make_rates(**settings: Any) -> Rates:
    usual = dict.fromkeys(("rate_messages_s", "rate_data_s", "rate_queries_s"), PER_S)
    return Rates(SkynetSettings(**{**usual, **settings}))


def stranger(address: str) -> Party:
    return Party(Caller(address=address))


async def is_let_through(rates: Rates, kind: RateKind, party: Party) -> bool:
    try:
        await rates.count(kind, party)
    except RateLimited:
        return False
    return True


async def test_each_kind_of_request_is_counted_by_itself() -> None:
    rates, party = make_rates(), stranger("192.0.2.1")
    kinds: tuple[RateKind, ...] = ("messages", "data", "queries")
    assert [await is_let_through(rates, kind, party) for kind in kinds * 2] == [True] * 3 + [
        False
    ] * 3


async def test_a_device_is_one_user_wherever_it_is_and_strangers_are_one_by_network() -> None:
    rates, bench = make_rates(), DoorBench()
    await bench.make("lamp")
    lamp = bench.device("lamp")
    users = [
        Party(Caller(address="192.0.2.1"), lamp),
        Party(Caller(address="192.0.2.2"), lamp),
        stranger("192.0.2.1"),
        stranger("192.0.2.2"),
        stranger("2001:db8::1"),
        stranger("2001:db8::2"),
    ]
    through = [await is_let_through(rates, "messages", user) for user in users]
    assert through == [True, False, True, True, True, False]


async def test_networks_that_are_named_are_not_counted_and_0_is_no_limit() -> None:
    rates = make_rates(rate_data_s=0, unthrottled_networks=("10.0.0.0/8",))
    outside = stranger("192.0.2.1")
    for inside in (stranger("10.1.2.3"), stranger("::ffff:10.1.2.3")):
        assert [await is_let_through(rates, "messages", inside) for _ in range(3)] == [True] * 3
    assert [await is_let_through(rates, "messages", outside) for _ in range(2)] == [True, False]
    assert [await is_let_through(rates, "data", outside) for _ in range(3)] == [True] * 3


async def test_as_many_may_come_at_once_as_in_a_second_and_then_one_is_told_when() -> None:
    rates, party = make_rates(rate_messages_s=4.0), stranger("192.0.2.1")
    assert [await is_let_through(rates, "messages", party) for _ in range(5)] == [True] * 4 + [
        False
    ]
    with pytest.raises(RateLimited) as caught:
        await rates.count("messages", party)
    assert 0 < caught.value.retry_after_s <= 0.25
