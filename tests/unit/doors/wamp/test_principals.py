"""With whose rights a session acts, and that it ends with what it came in by."""

from typing import Any

import msgspec
import pytest
from tests.conformance.wamp.identities import (
    DEVICE_SECRET,
    ELSEWHERE,
    KEY_SECRET,
    LOOPBACK,
    PASSWORD,
    UUID,
    House,
    authenticate,
    hello,
)

from thingtank.doors.wamp.principals import Principals, SessionSweeper
from thingtank.net.identity.principals import KeyPrincipal
from thingtank.protocols.wamp.peers import Peer
from thingtank.protocols.wamp.serializers import JSON
from thingtank.tank.errors import Unauthenticated

LAMP = {"authid": "lamp", "role": "device", "ticket": "ticket-of-lamp"}
AGENT = {"authid": "agent", "role": "device", "ticket": "ticket-of-agent", "account": "alice"}


class Scheduler:
    """A loop that only tests move."""

    def __init__(self) -> None:
        self.soon: list[Any] = []
        self.later: list[tuple[float, Any]] = []

    def call_soon(self, call: Any) -> None:
        self.soon.append(call)

    def call_later(self, seconds: float, call: Any) -> "Scheduler":
        self.later.append((seconds, call))
        return self

    def cancel(self) -> None:
        self.later.clear()

    def tick(self) -> None:
        ((seconds, call),) = self.later
        assert 0.1 <= seconds <= 2
        self.later.clear()
        call()


async def joined(house: House, authid: str, secret: str) -> Any:
    client = house.connect(ELSEWHERE)
    await hello(client, "ticket", authid=authid)
    assert (await authenticate(client, secret))[0] == 2
    return client


WHO = [
    ("alice", PASSWORD, None),
    (UUID, DEVICE_SECRET, 1),
    ("key:2", KEY_SECRET, 2),
    ("agent", "ticket-of-agent", None),
]


@pytest.mark.parametrize(("authid", "secret", "key_id"), WHO)
async def test_a_session_acts_for_who_it_is(authid: str, secret: str, key_id: int | None) -> None:
    house = await House.build(principals=[LAMP, AGENT])
    client = await joined(house, authid, secret)
    caller = house.principals.caller_of(client.session.member)
    assert caller.account == house.alice
    assert (caller.key.key_id if caller.key else None, caller.address) == (key_id, "192.0.2.7")


async def test_who_has_no_rights_is_a_stranger() -> None:
    house = await House.build(principals=[LAMP])
    named = await joined(house, "lamp", "ticket-of-lamp")
    anonymous = house.connect(LOOPBACK)
    await hello(anonymous, "anonymous")
    for client, address in ((named, "192.0.2.7"), (anonymous, "127.0.0.1")):
        caller = house.principals.caller_of(client.session.member)
        assert (caller.account, caller.key, caller.reads_public) == (None, None, False)
        assert caller.address == address
        open_tank = Principals(house.directory, lambda: 0, strangers_read_public=True)
        assert open_tank.caller_of(client.session.member).reads_public


def test_a_peer_without_a_door_is_a_stranger() -> None:
    class Bare(Peer):
        def send_bytes(self, data: bytes) -> None:
            """Not called."""

        send_event = send_bytes

    house = House()
    peer = Bare(1, "alice", "admin", {}, JSON, 2**24)
    assert house.principals.caller_of(peer).account is None


async def expire_key(house: House) -> None:
    await house.directory.update_key(
        2, lambda key: msgspec.structs.replace(key, expires_us=house.now_us)
    )


async def delete_key(house: House) -> None:
    await house.directory.delete_key(2)


async def renew_key(house: House) -> None:
    await house.directory.replace_secret(2, "another secret of it")


async def switch_account_off(house: House) -> None:
    house.directory.put_account(msgspec.structs.replace(house.alice, is_active=False))


async def drop_account(house: House) -> None:
    await house.directory.drop_account(house.alice.account_id)


async def delete_device(house: House) -> None:
    await house.directory.delete_device(house.device.device_id)


async def narrow_key(house: House) -> None:
    from thingtank.tank.keys import Permission, Resource

    await house.directory.update_key(
        1,
        lambda key: msgspec.structs.replace(
            key, permissions=(Permission(("get",), (Resource(999),)),)
        ),
    )


ENDS = [
    (expire_key, "key:2", KEY_SECRET),
    (delete_key, "key:2", KEY_SECRET),
    (renew_key, "key:2", KEY_SECRET),
    (switch_account_off, "key:2", KEY_SECRET),
    (switch_account_off, "alice", PASSWORD),
    (switch_account_off, "agent", "ticket-of-agent"),
    (drop_account, "alice", PASSWORD),
    (drop_account, "agent", "ticket-of-agent"),
    (delete_device, UUID, DEVICE_SECRET),
    (delete_device, UUID, KEY_SECRET),
    (narrow_key, UUID, DEVICE_SECRET),
]


@pytest.mark.parametrize(("end", "authid", "secret"), ENDS)
async def test_rights_end_at_once_and_the_session_soon(end: Any, authid: str, secret: str) -> None:
    house = await House.build(principals=[LAMP, AGENT])
    client = await joined(house, authid, secret)
    other = await joined(house, "lamp", "ticket-of-lamp")
    scheduler = Scheduler()
    sweeper = SessionSweeper(house.principals, [house.world.realm], scheduler)
    sweeper.start()
    scheduler.tick()
    assert client.take() == []
    member = client.session.member
    await end(house)
    with pytest.raises(Unauthenticated):
        house.principals.caller_of(member)
    scheduler.tick()
    code, details, reason = client.take_one()
    assert (code, reason) == (6, "wamp.close.killed")
    assert "not valid any more" in details["message"]
    assert list(house.world.realm.members) == [other.session.member.session_id]
    scheduler.tick()
    assert (client.take(), other.take()) == ([], [])
    sweeper.stop()
    assert scheduler.later == []


async def test_a_sweep_looks_at_all_sessions_and_never_at_many_at_once() -> None:
    house = await House.build()
    clients = []
    for _ in range(130):
        clients.append(house.connect(LOOPBACK))
        await hello(clients[-1], "anonymous")
    looked_at: list[int] = []
    house.principals.is_alive = lambda peer: not looked_at.append(peer.session_id)  # type: ignore[method-assign, func-returns-value] # a double in its place
    scheduler = Scheduler()
    SessionSweeper(house.principals, [house.world.realm], scheduler).start()
    counts = []
    for _ in range(3):
        before = len(looked_at)
        scheduler.tick()
        counts.append(len(looked_at) - before)
    assert counts == [44, 44, 42]
    assert sorted(looked_at) == sorted(house.world.realm.members)
    clients[0].session.lose()
    scheduler.tick()
    assert len(looked_at) == 130 + 43


async def test_a_transport_that_has_another_session_now_is_left_alone() -> None:
    house = await House.build()
    for _ in range(60):
        await hello(house.connect(LOOPBACK), "anonymous")
    client = house.connect(LOOPBACK)
    await hello(client, "ticket", authid="key:2")
    await authenticate(client, KEY_SECRET)
    members = house.world.realm.members
    (own,) = [each for each in members if each == client.session.member.session_id]
    house.world.realm.members = {own: members.pop(own), **members}  # looked at last
    scheduler = Scheduler()
    SessionSweeper(house.principals, [house.world.realm], scheduler).start()
    scheduler.tick()
    client.send(6, {}, "wamp.close.close_realm")
    client.take()
    await hello(client, "anonymous")
    await delete_key(house)
    scheduler.tick()
    assert client.take() == []
    assert client.session.member is not None


def test_secrets_are_not_shown() -> None:
    assert "secret" not in repr(KeyPrincipal("secret", "uuid")).replace("KeyPrincipal", "")
