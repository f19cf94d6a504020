"""Who comes to the SkyNet door: what opens a device, what does not, and what nobody learns."""

from typing import Any

import pytest
from tests.unit.doors.skynet.skynet_bench import ADDRESS, DoorBench

from thingtank.doors.skynet.errors import TooManyWrongTokens
from thingtank.net.identity.attempts import (
    FAILURES_MAX,
    FAILURES_PER_ADDRESS_MAX,
    FORGET_US,
)
from thingtank.tank.access import OPERATOR
from thingtank.tank.actions.tokens import create_token
from thingtank.tank.errors import Unauthenticated
from thingtank.tank.keys import ACCESS_METHODS
from thingtank.tank.messaging.permissions import AREAS, Policy, may
from thingtank.tank.things import Account


@pytest.fixture
async def bench() -> DoorBench:
    bench = DoorBench()
    await bench.make("Lamp", private=True)
    await bench.make("door", private=True)
    return bench


def refusal(bench: DoorBench, uuid: str, token: str, address: str = ADDRESS) -> Unauthenticated:
    with pytest.raises(Unauthenticated) as refused:
        bench.parties.device(uuid, token, address)
    return refused.value


async def test_any_of_its_tokens_opens_a_device_in_any_case_of_its_uuid(bench: DoorBench) -> None:
    device = bench.device("lamp")
    extra = (await create_token(bench.tank, OPERATOR, device.device_id)).token
    for token in (bench.tokens["Lamp"], extra):
        for uuid in ("Lamp", "LAMP", " lamp "):
            party = bench.parties.device(uuid, f" {token} ", ADDRESS)
            assert (party.device, party.token, party.caller.address) == (device, token, ADDRESS)


@pytest.mark.parametrize(
    ("uuid", "token"),
    [
        ("lamp", "wrong"),
        ("lamp", ""),
        ("nothing", "wrong"),
        ("nothing", ""),
        ("", ""),
        ("lam", "its own"),  # part of a uuid is none
        (".*", "its own"),
        ("door", "its own"),
    ],
)
async def test_all_that_opens_nothing_is_refused_alike(
    bench: DoorBench, uuid: str, token: str
) -> None:
    shown = bench.tokens["Lamp"] if token == "its own" else token
    error = refusal(bench, uuid, shown)
    assert (type(error), str(error)) == (Unauthenticated, "wrong token or key for this device")
    assert bench.parties._attempts.is_name_locked(ADDRESS, uuid.lower()) is False
    assert len(bench.parties._attempts) >= 1  # it was counted


async def test_ten_wrong_tokens_shut_a_device_from_there_for_a_while(bench: DoorBench) -> None:
    right = bench.tokens["Lamp"]
    cases = ("lamp", "Lamp", "LAMP", "lAmP", "laMp")
    for number in range(FAILURES_MAX):
        assert not isinstance(refusal(bench, cases[number % 5], "wrong"), TooManyWrongTokens)
    assert isinstance(refusal(bench, "lamp", right), TooManyWrongTokens)
    assert isinstance(refusal(bench, "LAMP", "wrong"), TooManyWrongTokens)
    # Others are not shut out, nor is the device from elsewhere.
    assert bench.parties.device("door", bench.tokens["door"], ADDRESS).uuid == "door"
    assert bench.parties.device("lamp", right, "192.0.2.1").uuid == "Lamp"
    bench.clock.at_us += FORGET_US
    assert bench.parties.device("lamp", right, ADDRESS).uuid == "Lamp"


async def test_a_device_that_is_not_there_is_shut_like_one_that_is(bench: DoorBench) -> None:
    seen = []
    for uuid in ("lamp", "nothing"):
        errors = [refusal(bench, uuid, "wrong") for _ in range(FAILURES_MAX + 2)]
        seen.append([(type(error), str(error)) for error in errors])
    assert seen[0] == seen[1]


async def test_an_address_that_is_wrong_about_many_is_shut_from_all(bench: DoorBench) -> None:
    for number in range(FAILURES_PER_ADDRESS_MAX):
        refusal(bench, f"device-{number}", "wrong")
    error = refusal(bench, "lamp", bench.tokens["Lamp"])
    assert isinstance(error, TooManyWrongTokens)
    assert error.retry_after_s == 900


async def test_who_is_right_is_counted_for_nothing(bench: DoorBench) -> None:
    for _ in range(2 * FAILURES_PER_ADDRESS_MAX):
        bench.shown("Lamp")
    assert len(bench.parties._attempts) == 0


async def test_as_much_is_looked_at_for_a_device_that_is_not_there(
    bench: DoorBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench.parties, "_attempts", NeverLocked())
    for _ in range(5):  # some tokens more, each of which is looked at
        await create_token(bench.tank, OPERATOR, bench.device("lamp").device_id)
    looked: list[str] = []
    for name in ("has_token", "find_key"):
        watch(monkeypatch, bench, name, looked)
    refusal(bench, "lamp", "wrong")
    there = list(looked)
    looked.clear()
    refusal(bench, "nothing", "wrong")
    assert looked == there == ["has_token", "find_key"]


class NeverLocked:
    def is_name_locked(self, address: str, name: str) -> bool:
        return False

    def is_address_locked(self, address: str) -> bool:
        return False

    def fail(self, address: str, name: str) -> None:
        pass


def watch(monkeypatch: pytest.MonkeyPatch, bench: DoorBench, name: str, looked: list[str]) -> None:
    original = getattr(bench.directory, name)

    def watched(*args: Any) -> Any:
        looked.append(name)
        return original(*args)

    monkeypatch.setattr(bench.directory, name, watched)


# --- keys ---


async def test_a_key_that_may_do_everything_with_a_device_opens_it(bench: DoorBench) -> None:
    device = bench.device("lamp")
    for device_id in (0, device.device_id):
        secret = await bench.key(*ACCESS_METHODS, device_id=device_id)
        party = bench.parties.device("lamp", secret, ADDRESS)
        assert (party.device, party.token) == (device, "")
        assert may(party, "configure", device, Policy())


@pytest.mark.parametrize("methods", [("get",), ("put",), ("get", "put", "post")])
async def test_a_key_that_may_less_does_not_make_its_holder_the_device(
    bench: DoorBench, methods: tuple[str, ...]
) -> None:
    device = bench.device("lamp")
    for device_id in (0, device.device_id):
        secret = await bench.key(*methods, device_id=device_id)
        assert str(refusal(bench, "lamp", secret)) == "wrong token or key for this device"
    others = await bench.key(*ACCESS_METHODS, device_id=bench.device("door").device_id)
    assert str(refusal(bench, "lamp", others)) == "wrong token or key for this device"
    public_only = await bench.key(*ACCESS_METHODS, private_access=False)
    assert str(refusal(bench, "lamp", public_only)) == "wrong token or key for this device"


async def test_a_key_by_itself_is_who_may_what_it_permits(bench: DoorBench) -> None:
    party = bench.parties.key(await bench.key("get"), ADDRESS)
    device = bench.device("lamp")
    found = [area for area in AREAS if may(party, area, device, Policy())]
    assert (party.device, found) == (None, ["discover", "receive"])
    with pytest.raises(Unauthenticated):
        bench.parties.key("nothing", ADDRESS)


async def test_an_account_that_is_switched_off_opens_nothing(bench: DoorBench) -> None:
    account = bench.account
    secret = await bench.key(*ACCESS_METHODS)
    bench.directory.put_account(Account(account.account_id, account.login, is_active=False))
    for token in (bench.tokens["Lamp"], secret):
        refusal(bench, "lamp", token)
    with pytest.raises(Unauthenticated):
        bench.parties.key(secret, ADDRESS)


# --- another's token ---


async def test_who_shows_another_s_token_besides_may_all_with_it_and_stays_who_it_is(
    bench: DoorBench,
) -> None:
    lamp, door = bench.device("lamp"), bench.shown("door")
    party = bench.parties.opening(door, "lamp", bench.tokens["Lamp"])
    assert (party.uuid, party.opens_id) == ("door", lamp.device_id)
    for area in AREAS:
        assert may(party, area, lamp, Policy(), in_name=True)
    with pytest.raises(Unauthenticated):
        bench.parties.opening(door, "lamp", bench.tokens["door"])


async def test_a_stranger_is_nobody_and_its_address_is_known(bench: DoorBench) -> None:
    party = bench.parties.stranger("192.0.2.7")
    assert (party.uuid, party.device_id, party.caller.address) == ("", 0, "192.0.2.7")
    assert not any(may(party, area, bench.device("lamp"), Policy()) for area in AREAS)
