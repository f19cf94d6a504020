"""Pushes: one receiver cannot hurt another, and what waits is bounded."""

import asyncio

import pytest

from thingtank.doors.xively import subscriptions as module
from thingtank.doors.xively.authentication import Credentials, caller_of, credentials_of
from thingtank.doors.xively.subscriptions import Subscription, Subscriptions
from thingtank.protocols.xively.query import parse_parameters
from thingtank.protocols.xively.socket_messages import Pushes, SocketRequest
from thingtank.stores.memory_archive import MemoryArchive
from thingtank.stores.memory_directory import MemoryDirectory
from thingtank.tank.actions.devices import create_device
from thingtank.tank.changes import DeviceChange
from thingtank.tank.datapoints import DatapointRows
from thingtank.tank.events import DatapointsRecorded
from thingtank.tank.keys import ACCESS_METHODS, ApiKey, Permission
from thingtank.tank.tank import Tank

SECRET = "a-secret-of-some-length"
BODY = b'{"x":"' + b"x" * 1000 + b'"}'


class Receiver:
    """Takes pushes, or fails at one of its methods."""

    address = "192.0.2.1"

    def __init__(self, fails_at: str = "") -> None:
        self.fails_at = fails_at
        self.sent_count = 0
        self.is_aborted = False

    def _fail_at(self, name: str) -> None:
        if name in self.fails_at:
            raise TypeError(name)

    def send(self, message: bytes) -> None:
        self._fail_at("send")
        self.sent_count += 1

    def unread_bytes(self) -> int:
        self._fail_at("unread_bytes")
        return 0

    def abort(self) -> None:
        self.is_aborted = True
        self._fail_at("abort")


@pytest.fixture
async def tank() -> Tank:
    directory = MemoryDirectory()
    alice = directory.add_account("alice")
    key = ApiKey(0, alice.account_id, "k", (Permission(ACCESS_METHODS),))
    await directory.insert_key(key, SECRET)
    return Tank(directory, MemoryArchive())


@pytest.fixture
async def feed_id(tank: Tank) -> int:
    owner = caller_of(tank, credentials(), Receiver.address)
    return (await create_device(tank, owner, DeviceChange(title="Roof"))).device.device_id


@pytest.fixture
def subscriptions(tank: Tank) -> Subscriptions:
    return Subscriptions(tank, lambda _feed_id, _datastream, _current: BODY, 1_000_000)


def credentials() -> Credentials:
    return credentials_of({b"x-apikey": SECRET.encode()}, parse_parameters(b""))


def subscribe(subscriptions: Subscriptions, feed_id: int, receiver: Receiver) -> list[Subscription]:
    """The ended ones, once it has ended."""
    ended: list[Subscription] = []
    subscriptions.add(
        Subscription(
            feed_id,
            None,
            Pushes(SocketRequest("subscribe", f"/feeds/{feed_id}")),
            (f"/feeds/{feed_id}", b""),
            credentials(),
            receiver,
            ended.append,
        )
    )
    return ended


def record(tank: Tank, feed_id: int) -> None:
    tank.bus.publish(DatapointsRecorded(feed_id, {1: "a"}, DatapointRows([], [], [])))


async def let_push() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.mark.parametrize("fails_at", ["unread_bytes", "send", "send abort"])
async def test_a_receiver_that_fails_is_ended_and_the_others_hear_on(
    tank: Tank, feed_id: int, subscriptions: Subscriptions, fails_at: str
) -> None:
    before, bad, behind = Receiver(), Receiver(fails_at), Receiver()
    ended = [subscribe(subscriptions, feed_id, receiver) for receiver in (before, bad, behind)]
    for _ in range(3):
        record(tank, feed_id)
        await let_push()
    assert (before.sent_count, bad.sent_count, behind.sent_count) == (3, 0, 3)
    assert bad.is_aborted
    assert [len(each) for each in ended] == [0, 1, 0]


async def test_updates_that_wait_are_bounded_in_bytes_and_the_newest_stay(
    tank: Tank, feed_id: int, subscriptions: Subscriptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "UPDATES_BYTES_MAX", 10 * (len(BODY) + 8))
    receiver = Receiver()
    subscribe(subscriptions, feed_id, receiver)
    for _ in range(25):  # in one turn, so that none is pushed between
        record(tank, feed_id)
    assert subscriptions.dropped_count == 15
    await let_push()
    assert receiver.sent_count == 10
    for _ in range(10):  # what was pushed is not counted any more
        record(tank, feed_id)
    assert subscriptions.dropped_count == 15
