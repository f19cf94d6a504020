"""The request log keeps what is newest, within its bounds, and strangers apart."""

from collections.abc import Sequence

import pytest

from thingtank.stores.memory_directory import MemoryDirectory
from thingtank.tank import request_log
from thingtank.tank.access import OPERATOR, STRANGER, Caller
from thingtank.tank.bus import Bus
from thingtank.tank.events import Asked, RequestServed
from thingtank.tank.keys import ACCESS_METHODS, ApiKey, Permission
from thingtank.tank.request_log import RequestLog, Rings
from thingtank.tank.things import Account, Device

ALICE, MALLORY = Account(1, "alice"), Account(2, "mallory")
KEY = Caller(ALICE, ApiKey(1, 1, "Porch", (Permission(ACCESS_METHODS),)))
WRONG_KEY = None


def anything(_: object) -> bool:
    return True


def served(
    device_id: int, at_us: int, body: bytes = b"", caller: Caller | None = KEY, status: int = 200
) -> RequestServed:
    asked = Asked(device_id, "xively_http", "PUT", f"/v2/feeds/{device_id}")
    return RequestServed(at_us, asked, status, 1, request_body=body, caller=caller)


def rings() -> Rings:
    return Rings(request_log.REQUESTS_PER_DEVICE_MAX, request_log.BYTES_MAX)


# --- one kind of rings ---------------------------------------------------------------------------


def test_a_devices_requests_are_told_newest_first_and_the_oldest_forgotten() -> None:
    log = rings()
    for at_us in range(60):
        log.add(served(1, at_us))
    assert [event.at_us for event in log.of_device(1)] == list(range(59, 9, -1))
    assert list(log.of_device(2)) == []


def test_devices_not_heard_of_for_longest_are_forgotten_first() -> None:
    log = rings()
    for device_id in range(request_log.DEVICES_MAX):
        log.add(served(device_id, 0))
    log.add(served(0, 1))
    log.add(served(-1, 2))
    assert [len(list(log.of_device(device_id))) for device_id in (0, 1, 2)] == [2, 0, 1]


def test_all_bodies_together_are_bounded() -> None:
    log = rings()
    body = b"x" * 2048
    for device_id in range(request_log.DEVICES_MAX):
        for at_us in range(50):
            log.add(served(device_id, at_us, body))
    kept = [event for device_id in range(1000) for event in log.of_device(device_id)]
    kept_bytes = sum(len(event.request_body) for event in kept)
    assert request_log.BYTES_MAX * 0.7 < kept_bytes <= request_log.BYTES_MAX
    assert len(list(log.of_device(request_log.DEVICES_MAX - 1))) == 50


# --- the log -------------------------------------------------------------------------------------


class World:
    """A log, and a directory with two devices of Alice's."""

    def __init__(self, devices: Sequence[Device], directory: MemoryDirectory) -> None:
        self.bus = Bus()
        self.log = RequestLog(self.bus, directory)
        self.told: list[RequestServed] = []
        self.bus.react(RequestServed, self.told.append)
        self.first, self.second = (device.device_id for device in devices)

    def kept(self, device_id: int) -> list[int]:
        return [event.at_us for event in self.log.of_device(device_id)]


@pytest.fixture
async def world() -> World:
    directory = MemoryDirectory()
    assert directory.add_account("alice") == ALICE
    assert directory.add_account("mallory") == MALLORY
    made = []
    for title in ("Porch", "Roof"):
        device = Device(0, f"uuid of {title}", ALICE.account_id, title)
        made.append(await directory.insert_device(device, (), title, None))
    return World(made, directory)


OTHERS = {
    "no or a wrong key": None,
    "a stranger who may read": STRANGER,
    "another account": Caller(MALLORY),
    "another account's key": Caller(MALLORY, ApiKey(2, 2, "evil", (Permission(("get",)),))),
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS.keys())
async def test_others_push_out_none_of_the_owners_entries(
    world: World, other: Caller | None
) -> None:
    world.log.note(served(world.first, 0))
    for second in range(1, 1000):
        world.log.note(served(world.first, second * 1_000_000, caller=other, status=403))
    kept = world.kept(world.first)
    assert kept[-1] == 0
    assert len(kept) == 1 + request_log.OTHERS_PER_DEVICE_MAX


@pytest.mark.parametrize("caller", [KEY, Caller(ALICE), OPERATOR])
async def test_the_owner_and_the_operator_have_the_owners_ring(
    world: World, caller: Caller
) -> None:
    for at_us in range(request_log.REQUESTS_PER_DEVICE_MAX + 5):
        world.log.note(served(world.first, at_us, caller=caller))
    assert len(world.kept(world.first)) == request_log.REQUESTS_PER_DEVICE_MAX


async def test_of_strangers_no_more_is_kept_or_told_than_some_a_second(world: World) -> None:
    for number in range(1000):
        world.log.note(served(world.first, number * 1000, caller=WRONG_KEY, status=401))
    assert len(world.told) == request_log.OTHERS_PER_SECOND_MAX
    world.log.note(served(world.first, 2_000_000, caller=WRONG_KEY, status=401))
    world.log.note(served(world.first, 0))
    assert len(world.told) == request_log.OTHERS_PER_SECOND_MAX + 2


async def test_of_a_device_that_floods_what_is_taken_may_be_skipped_for_a_second(
    world: World,
) -> None:
    for at_us in range(request_log.REQUESTS_PER_DEVICE_MAX - 1):
        world.log.note(served(world.first, at_us))
    assert not world.log.skips("mqtt", 200, world.first, 100)
    world.log.note(served(world.first, 99))
    assert world.log.skips("mqtt", 200, world.first, 100)
    assert not world.log.skips("mqtt", 403, world.first, 100)
    assert not world.log.skips("mqtt", 200, world.second, 100)
    assert not world.log.skips("mqtt", 200, world.first, 1_000_000)
    assert world.log.counts == {("xively_http", 200): 50, ("mqtt", 200): 1}


async def test_what_is_refused_and_names_nothing_is_nobodys_to_see(world: World) -> None:
    world.log.note(served(9999, 0, status=404))
    world.log.note(served(9999, 0, caller=None))
    assert (world.kept(9999), world.told) == ([], [])


async def test_the_request_that_deletes_a_device_is_told(world: World) -> None:
    world.log.note(served(9999, 5))
    assert [each.at_us for each in world.told] == [5]


async def test_the_newest_of_all_devices_come_first_and_only_those_that_are_wanted(
    world: World,
) -> None:
    for at_us in range(30):
        device_id = world.first if at_us % 2 else world.second
        world.log.note(served(device_id, at_us, caller=KEY if at_us % 3 else None))
    newest = world.log.newest(lambda device_id: device_id == world.first, anything, 5)
    assert [event.at_us for event in newest] == [29, 27, 25, 23, 21]
    refused = world.log.newest(anything, lambda event: event.caller is None, 3)
    assert [event.at_us for event in refused] == [27, 24, 21]


async def test_what_is_asked_of_others_devices_hides_no_ones_own(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_log, "LOOKED_AT_MAX", 10)
    world.log.note(served(world.first, 0))
    for at_us in range(1, 20):
        world.log.note(served(world.second, at_us))
    newest = world.log.newest(lambda device_id: device_id == world.first, anything, 5)
    assert [event.at_us for event in newest] == [0]
