"""Who hears what, with rights looked at with each delivery, once each, until it leaves."""

import asyncio
from typing import Any

import pytest
from tests.unit.tank.messaging.messaging_bench import Bench, Ear

from thingtank.tank.access import OPERATOR, STRANGER
from thingtank.tank.actions.devices import delete_device
from thingtank.tank.actions.tokens import create_token, revoke_token
from thingtank.tank.errors import StorageFailed
from thingtank.tank.messaging.messages import Message
from thingtank.tank.messaging.permissions import Party
from thingtank.tank.messaging.switchboard import HELD_MAX, KINDS, Delivery, Kind, Listener
from thingtank.tank.messaging.topic_filter import TopicFilter


@pytest.fixture
async def bench() -> Bench:
    bench = Bench()
    for uuid in ("lamp", "me", "owner"):
        await bench.make(uuid)
    return bench


def saying(payload: Any, topic: str = "") -> Message:
    content = {"devices": "lamp", "payload": payload, "topic": topic, "fromUuid": "me"}
    return Message("me", 1, 0, content)


def deliver(
    bench: Bench, kind: Kind, payload: Any = 1, told: dict[Listener, None] | None = None
) -> int:
    return bench.board.deliver(Delivery(kind, bench.device("lamp"), saying(payload)), told)


# kind: what somebody else needs a list for
NEEDED: dict[Kind, str] = {
    "received": "receiveAs",
    "sent": "receiveAs",
    "broadcast": "receive",
    "data": "receive",
    "config": "discover",
    "unregistered": "discover",
}


@pytest.mark.parametrize("kind", KINDS)
async def test_each_kind_needs_its_own_right(bench: Bench, kind: Kind) -> None:
    own, owner, me, stranger = (
        bench.ear("lamp", kind, by=who) for who in ("lamp", "owner", "me", "")
    )
    for area in ("discover", "receive", "configure", "send"):
        for name in (area, f"{area}As"):
            everybody_else = {
                f"{each}{suffix}Whitelist": []
                for each in ("discover", "receive", "configure", "send")
                for suffix in ("", "As")
            }
            lists = {**everybody_else, f"{name}Whitelist": ["me"], "owner": "owner"}
            if NEEDED[kind] != "discover":
                lists["discoverWhitelist"] = ["me"]
            await bench.change("lamp", **lists)
            for ear in (own, owner, me, stranger):
                ear.heard()  # that it has changed
            assert deliver(bench, kind) == 1  # to itself
            assert (own.heard(), owner.heard(), stranger.heard()) == ([1], [1], [])
            assert me.heard() == ([1] if name == NEEDED[kind] else []), name


@pytest.mark.parametrize("kind", KINDS)
async def test_a_right_that_is_taken_away_or_given_counts_from_the_next_delivery(
    bench: Bench, kind: Kind
) -> None:
    ear, allowed = bench.ear("lamp", kind, by="me"), f"{NEEDED[kind]}Whitelist"
    for uuids, expected in ((["me"], [1]), ([], []), (["me"], [1]), (["other"], []), (["*"], [1])):
        await bench.change("lamp", **{allowed: uuids})
        ear.heard()  # that it has changed
        for _ in range(2):  # the second without a new look
            deliver(bench, kind)
            assert ear.heard() == expected


@pytest.mark.parametrize("kind", KINDS)
async def test_nobody_hears_a_device_that_it_may_not_discover(bench: Bench, kind: Kind) -> None:
    everything = {f"{name}Whitelist": ["*"] for name in ("receive", "receiveAs", "discoverAs")}
    ears = [bench.ear("lamp", kind, by=who) for who in ("me", "")]
    for expected, discovering in (([1], ["*"]), ([], [])):
        await bench.change("lamp", discoverWhitelist=discovering, **everything)
        for ear in ears:
            ear.heard()
        deliver(bench, kind)
        assert [ear.heard() for ear in ears] == [expected, expected]


async def test_a_revoked_token_and_a_deleted_device_hear_nothing_more(bench: Bench) -> None:
    tank, device = bench.tank, bench.device("me")
    token = (await create_token(tank, OPERATOR, device.device_id)).token
    ears = [Ear(), Ear()]
    for ear, party in zip(
        ears, (Party(STRANGER, device, token=token), bench.party("me")), strict=True
    ):
        bench.board.add(ear, party, bench.device("lamp"), ("broadcast",))
    deliver(bench, "broadcast")
    assert [ear.heard() for ear in ears] == [[1], [1]]
    await revoke_token(tank, OPERATOR, device.device_id, token)
    deliver(bench, "broadcast")
    assert [ear.heard() for ear in ears] == [[], [1]]
    await delete_device(tank, OPERATOR, device.device_id)
    deliver(bench, "broadcast")
    assert [ear.heard() for ear in ears] == [[], []]


async def test_another_s_token_opens_what_is_its_own_as_long_as_it_is_valid(bench: Bench) -> None:
    lamp = bench.device("lamp")
    token = (await create_token(bench.tank, OPERATOR, lamp.device_id)).token
    me = bench.party("me")
    ear = Ear()
    party = Party(me.caller, me.device, lamp.device_id, token)
    bench.board.add(ear, party, lamp, ("received",))
    assert deliver(bench, "received") == 1
    await revoke_token(bench.tank, OPERATOR, lamp.device_id, token)
    assert deliver(bench, "received") == 0
    assert ear.heard() == [1]


async def test_nobody_gets_the_same_message_twice(bench: Bench) -> None:
    ear = bench.ear("lamp", "received", "broadcast")
    other = bench.ear("lamp", "broadcast", by="me")
    told: dict[Listener, None] = {}
    assert deliver(bench, "broadcast", 1, told) == 1
    # It has it already, and so is there.
    assert deliver(bench, "received", 1, told) == 1
    assert (ear.heard(), other.heard()) == ([1], [1])
    assert list(told) == [ear, other]
    assert deliver(bench, "received", 2, {}) == 1
    assert (ear.heard(), other.heard()) == ([2], [])


async def test_who_had_it_otherwise_and_may_not_hear_the_device_is_not_there(bench: Bench) -> None:
    stale = Party(STRANGER, bench.device("lamp"), token="revoked")
    ear = Ear()
    bench.board.add(ear, stale, bench.device("lamp"), ("received",))
    assert deliver(bench, "received", 1, {ear: None}) == 0


async def test_to_subscribe_again_replaces_what_was_before(bench: Bench) -> None:
    lamp, party, ear = bench.device("lamp"), bench.party("lamp"), Ear()
    bench.board.add(ear, party, lamp, ("received",), TopicFilter(["a"]))
    bench.board.add(ear, party, lamp, ("received",), TopicFilter(["b"]))
    for topic in ("a", "b"):
        bench.board.deliver(Delivery("received", lamp, saying(topic, topic)))
    assert ear.heard() == ["b"]
    bench.board.add(ear, party, lamp, ("received",))
    assert deliver(bench, "received") == 1


async def test_a_topic_that_is_not_wanted_does_not_count_as_delivered(bench: Bench) -> None:
    lamp, ear = bench.device("lamp"), Ear()
    bench.board.add(ear, bench.party("lamp"), lamp, ("received", "data"), TopicFilter(["a*"]))
    assert bench.board.deliver(Delivery("received", lamp, saying(1, "b"))) == 0
    assert bench.board.deliver(Delivery("received", lamp, saying(2, "ab"))) == 1
    # What is no message has no topic.
    assert bench.board.deliver(Delivery("data", lamp, None, {"t": 1})) == 1
    assert ear.heard() == [2, None]


async def test_who_leaves_hears_nothing_more_and_leaves_nothing_behind(bench: Bench) -> None:
    lamp = bench.device("lamp")
    ear, other = bench.ear("lamp", *KINDS), bench.ear("lamp", "received")
    bench.board.remove(ear, lamp.device_id, ("received", "sent"))
    assert [kind for kind in KINDS if bench.board.listens(ear, kind, lamp.device_id)] == [
        "broadcast",
        "config",
        "data",
        "unregistered",
    ]
    for kind in KINDS:
        deliver(bench, kind)
    assert ear.kinds() == ["broadcast", "config", "data", "unregistered"]
    assert other.kinds() == ["received"]
    for each in (ear, other, Ear()):
        bench.board.remove(each, lamp.device_id)
        bench.board.remove(each, 4711)
    assert not any(bench.board.has_listeners(kind, lamp.device_id) for kind in KINDS)
    assert sum(deliver(bench, kind) for kind in KINDS) == 0


async def test_who_is_told_may_leave_meanwhile(bench: Bench) -> None:
    lamp = bench.device("lamp")

    class Leaving(Ear):
        def deliver(self, delivery: Delivery) -> None:
            super().deliver(delivery)
            bench.board.remove(self, lamp.device_id)

    leaving = [Leaving() for _ in range(3)]
    for ear in leaving:
        bench.board.add(ear, bench.party("lamp"), lamp, ("received",))
    assert deliver(bench, "received") == 3
    assert deliver(bench, "received") == 0
    assert [ear.heard() for ear in leaving] == [[1]] * 3


async def test_a_listener_goes_on_with_another_token(bench: Bench) -> None:
    lamp, old = bench.device("lamp"), bench.party("lamp")
    new = Party(old.caller, lamp, token=old.token)
    stranger = Party(STRANGER)
    ear = Ear()
    bench.board.add(ear, old, lamp, ("received",))
    bench.board.renew(ear, [lamp.device_id, 4711], stranger, stranger)
    assert deliver(bench, "received") == 1  # another's, which it had not
    bench.board.renew(ear, [lamp.device_id], old, stranger)
    assert deliver(bench, "received") == 0
    bench.board.renew(ear, [lamp.device_id], stranger, new)
    assert deliver(bench, "received") == 1


async def test_a_device_hears_that_it_is_gone(bench: Bench) -> None:
    own = bench.ear("lamp", "unregistered")
    me = bench.ear("lamp", "unregistered", by="me")
    await bench.change("lamp", discoverWhitelist=[])
    kept_out = bench.ear("lamp", "unregistered", by="owner")
    await delete_device(bench.tank, OPERATOR, bench.device("lamp").device_id)
    assert (own.kinds(), me.kinds(), kept_out.kinds()) == (["unregistered"], [], [])


async def test_whoever_may_discover_a_device_hears_that_it_is_gone(bench: Bench) -> None:
    me = bench.ear("lamp", "unregistered", by="me")
    await delete_device(bench.tank, OPERATOR, bench.device("lamp").device_id)
    assert me.kinds() == ["unregistered"]


# --- what waits behind older messages ---


class KeepingEar(Ear):
    """Keeps what it hears for its client, some time."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def deliver(self, delivery: Delivery) -> None:
        super().deliver(delivery)
        delivery.wait_for(self.kept)


def held(bench: Bench, payload: Any) -> asyncio.Future[Any]:
    """Deliver what is held, and return what its sender waits for."""
    delivery = Delivery("received", bench.device("lamp"), saying(payload))
    assert bench.board.deliver(delivery) == 1
    assert delivery.keeping is not None
    (waiting,) = delivery.keeping
    return waiting


async def test_messages_wait_while_they_are_held_and_come_in_order(bench: Bench) -> None:
    ear, lamp = bench.ear("lamp"), bench.device("lamp")
    with bench.board.holding(ear, lamp.device_id):
        waiting = [held(bench, number) for number in range(3)]
        assert ear.heard() == []
        assert not any(each.done() for each in waiting)
    assert ear.heard() == [0, 1, 2]
    assert all(each.done() for each in waiting)
    deliver(bench, "received", 3)
    assert ear.heard() == [3]


async def test_sender_of_what_is_held_waits_until_the_listener_has_it_on_disk(
    bench: Bench,
) -> None:
    ear, lamp = KeepingEar(), bench.device("lamp")
    bench.board.add(ear, bench.party("lamp"), lamp, ("received",))
    with bench.board.holding(ear, lamp.device_id):
        waiting = held(bench, 1)
    await asyncio.sleep(0)
    assert (ear.heard(), waiting.done()) == ([1], False)
    ear.kept.set_exception(StorageFailed("no space left"))
    with pytest.raises(StorageFailed):
        await waiting


async def test_who_has_left_gets_nothing_of_what_was_held_and_nobody_waits_for_it(
    bench: Bench,
) -> None:
    ear, lamp = bench.ear("lamp"), bench.device("lamp")
    with bench.board.holding(ear, lamp.device_id):
        waiting = held(bench, 1)
        bench.board.remove(ear, lamp.device_id)
    await waiting
    assert ear.heard() == []


async def test_only_so_many_messages_are_held(bench: Bench) -> None:
    ear, lamp = bench.ear("lamp"), bench.device("lamp")
    with bench.board.holding(ear, lamp.device_id):
        for number in range(HELD_MAX):
            held(bench, number)
        deliver(bench, "received", "one too many")
        assert ear.heard() == ["one too many"]
    assert ear.heard() == list(range(HELD_MAX))


async def test_nothing_is_held_for_who_does_not_listen(bench: Bench) -> None:
    ear, other = Ear(), bench.ear("lamp")
    with bench.board.holding(ear, bench.device("lamp").device_id):
        deliver(bench, "received")
        assert (ear.heard(), other.heard()) == ([], [1])
