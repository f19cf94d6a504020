"""What is kept reaches its device in order and once; presence, data and changes those who listen."""

import asyncio
import itertools
import random
from typing import Any

import msgspec
import pytest
from tests.unit.tank.messaging.messaging_bench import NOW_US, Bench, Ear
from tests.waiting import until

from thingtank.tank.access import OPERATOR
from thingtank.tank.actions.datapoints import record_datapoints
from thingtank.tank.actions.devices import delete_device
from thingtank.tank.actions.messages import send_message
from thingtank.tank.changes import DatastreamWrite
from thingtank.tank.errors import StorageFailed
from thingtank.tank.events import DatapointsRecorded, PresenceChanged
from thingtank.tank.messaging.event_codes import EventCode
from thingtank.tank.messaging.hub import KEPT_PER_ROUND, LOGGED_BYTES_MAX
from thingtank.tank.messaging.presence import Connection
from thingtank.tank.messaging.switchboard import Delivery


@pytest.fixture
async def bench() -> Bench:
    bench = Bench(is_open=True)
    await bench.make("me")
    await bench.make("lamp", keepMessages=True)
    return bench


async def send(bench: Bench, payload: Any) -> None:
    await send_message(bench.tank, bench.party("me"), {"devices": "lamp", "payload": payload})


# --- kept messages ---


async def test_what_was_kept_comes_in_order_marked_and_is_then_forgotten(bench: Bench) -> None:
    lamp, ear = bench.device("lamp"), Ear()
    for number in range(3):
        bench.clock.at_us = NOW_US + number * 1_000_000
        await send(bench, number)
    await bench.tank.messaging.give_kept(lamp, ear)
    contents = [each.message.content for each in ear.deliveries if each.message]
    assert [each["kept"]["at"] for each in contents] == [
        NOW_US // 1000 + number * 1000 for number in range(3)
    ]
    assert len({each["kept"]["id"] for each in contents}) == 3
    assert [each.kind for each in ear.deliveries] == ["received"] * 3
    message = ear.deliveries[0].message
    assert message is not None
    assert (message.from_uuid, message.at_us) == ("me", NOW_US)
    legacy = msgspec.json.decode(message.encoded("legacy"))
    assert (legacy["message"], legacy["timestamp"]) == (0, NOW_US // 1000)
    assert ear.heard() == [0, 1, 2]
    await bench.tank.messaging.give_kept(lamp, ear)
    assert ear.heard() == []


async def test_more_than_one_round_is_kept_in_order(bench: Bench) -> None:
    count = KEPT_PER_ROUND * 2 + 5
    lamp, ear = bench.device("lamp"), Ear()
    for number in range(count):
        body = msgspec.json.encode({"devices": "lamp", "payload": number})
        bench.kept._kept.setdefault(lamp.device_id, {})  # beyond what one device may have
        message = bench.kept._kept[lamp.device_id]
        await keep_beyond(bench, lamp.device_id, body, number)
        assert len(message) == number + 1
    await bench.tank.messaging.give_kept(lamp, ear)
    assert ear.heard() == list(range(count))


async def keep_beyond(bench: Bench, device_id: int, body: bytes, number: int) -> None:
    """Keep one message more, as a store with other settings would."""
    from thingtank.stores.memory_kept_messages import KeptMessage, _Kept

    message = KeptMessage(number + 1, NOW_US, body)
    bench.kept._kept[device_id][number + 1] = _Kept(message, NOW_US + 60_000_000)


async def test_new_messages_wait_behind_kept_ones_that_do_not_end(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whenever the device has what was kept, somebody has sent one more."""
    lamp, ear, take = bench.device("lamp"), Ear(), bench.kept.take
    numbers = itertools.count()

    async def take_while_one_more_is_sent(*asked: int, after_id: int) -> Any:
        found = await take(*asked, after_id=after_id)
        sending = asyncio.create_task(send(bench, next(numbers)))
        await asyncio.sleep(0.001)
        senders.append(sending)
        return found

    senders: list[asyncio.Task[None]] = []
    monkeypatch.setattr(bench.kept, "take", take_while_one_more_is_sent)
    await send(bench, next(numbers))
    await bench.tank.messaging.give_kept(lamp, ear)
    assert bench.kept.count(lamp.device_id) == 1
    bench.board.add(ear, bench.party("lamp"), lamp, ("received",))
    await bench.tank.messaging.give_rest(lamp, ear)
    await send(bench, next(numbers))
    await asyncio.gather(*senders)
    assert bench.kept.count(lamp.device_id) == 0
    assert ear.heard() == list(range(next(numbers)))


@pytest.mark.parametrize("arrives", [True, False])
async def test_what_was_handed_over_is_forgotten_when_it_has_arrived(
    bench: Bench, arrives: bool
) -> None:
    lamp, ear = bench.device("lamp"), Ear()
    has_arrived: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
    messaging = bench.tank.messaging

    async def stays() -> bool:
        return await has_arrived

    for number in range(3):
        await send(bench, number)
    given_id = await messaging.give_kept(lamp, ear, stays=stays)
    await send(bench, 3)  # before it listens
    bench.board.add(ear, bench.party("lamp"), lamp, ("received",))
    await messaging.give_rest(lamp, ear, stays=stays, after_id=given_id)
    await send(bench, 4)
    assert ear.heard() == [0, 1, 2, 3, 4]
    assert bench.kept.count(lamp.device_id) == 4
    has_arrived.set_result(arrives)
    await until(lambda: not messaging._removing)
    assert bench.kept.count(lamp.device_id) == (0 if arrives else 4)


async def test_what_has_expired_does_not_come(bench: Bench) -> None:
    await bench.change("lamp", keepMessages=10)
    await send(bench, "old")
    bench.clock.at_us += 10_000_000
    await send(bench, "new")
    ear = Ear()
    await bench.tank.messaging.give_kept(bench.device("lamp"), ear)
    assert ear.heard() == ["new"]


async def test_what_is_only_expired_does_not_hold_anybody_up(bench: Bench) -> None:
    await bench.change("lamp", keepMessages=10)
    await send(bench, "old")
    bench.clock.at_us += 10_000_000
    ear = Ear()
    async with asyncio.timeout(5):
        await bench.tank.messaging.give_kept(bench.device("lamp"), ear)
    assert ear.heard() == []


async def test_who_left_meanwhile_is_given_nothing_and_all_stays(bench: Bench) -> None:
    lamp, ear = bench.device("lamp"), Ear()
    await send(bench, 1)
    await bench.tank.messaging.give_kept(lamp, ear, is_there=lambda: False)
    assert (ear.heard(), bench.kept.count(lamp.device_id)) == ([], 1)


async def test_a_disk_that_does_not_forget_does_not_keep_them_from_the_device(
    bench: Bench,
) -> None:
    await send(bench, 1)
    bench.kept.failure = StorageFailed("no space left")
    ear = Ear()
    await bench.tank.messaging.give_kept(bench.device("lamp"), ear)
    assert ear.heard() == [1]


@pytest.mark.parametrize("seed", range(10))
async def test_a_device_that_comes_and_goes_gets_everything_once_and_in_order(
    bench: Bench, seed: int
) -> None:
    """Somebody sends; the device connects and leaves at any instant; nothing is lost or doubled."""
    chance, ear, lamp = random.Random(seed), Ear(), bench.device("lamp")
    heard: list[Any] = []

    async def comes_and_goes() -> None:
        for _ in range(20):
            await bench.tank.messaging.give_kept(lamp, ear)
            bench.board.add(ear, bench.party("lamp"), lamp, ("received",))
            await bench.tank.messaging.give_kept(lamp, ear)
            await pause()
            bench.board.remove(ear, lamp.device_id)
            await pause()

    async def pause() -> None:
        for _ in range(chance.randrange(4)):
            await asyncio.sleep(0)

    async def sends() -> None:
        for number in range(100):
            await send(bench, number)
            await pause()

    await asyncio.gather(comes_and_goes(), sends())
    await bench.tank.messaging.give_kept(lamp, ear)
    heard += ear.heard()
    assert heard == list(range(100))


# --- presence, data, changes ---


async def test_presence_is_broadcast_to_those_who_may_hear_it_now(bench: Bench) -> None:
    device, connection = bench.device("lamp"), Connection("mqtt")
    ear = bench.ear("lamp", "broadcast", by="me")
    presence = bench.tank.messaging.presence
    with bench.tank.bus.listen(PresenceChanged) as listener:
        presence.connect(device, connection)
        (message,) = [each.message for each in ear.deliveries]
        assert message is not None
        assert message.content == {
            "devices": "*",
            "topic": "device-status",
            "payload": {"online": True},
            "fromUuid": "lamp",
        }
        assert ear.heard() == [{"online": True}]
        newest = await bench.change("lamp", receiveWhitelist=[])
        presence.disconnect(device, connection)  # as the device was when it came
        assert ear.heard() == []
        assert listener.take_all() == [
            PresenceChanged(device, True),
            PresenceChanged(newest, False),
        ]


async def test_values_reach_who_listens_to_data_or_broadcasts_once(bench: Bench) -> None:
    device = bench.device("lamp")
    data = bench.ear("lamp", "data", by="me")
    both = bench.ear("lamp", "data", "broadcast", by="me")
    broadcast = bench.ear("lamp", "broadcast", by="me")
    writes = [
        DatastreamWrite("t", [NOW_US, NOW_US - 5, NOW_US - 1], ["21.50", "20", "19"]),
        DatastreamWrite("state", [NOW_US], ["open"]),
    ]
    await record_datapoints(bench.tank, OPERATOR, device.device_id, writes, creates_missing=True)
    values = {"t": 21.5, "state": "open"}
    assert [each.record for each in data.deliveries] == [values]
    assert [(each.kind, each.record) for each in both.deliveries] == [("data", values)]
    (told,) = broadcast.deliveries
    assert told.message is not None
    assert (told.message.topic, told.message.payload) == ("data", values)
    assert all(each.message is None for each in data.deliveries)


async def test_values_of_a_device_that_is_gone_by_then_reach_nobody(bench: Bench) -> None:
    device = bench.device("lamp")
    ear = bench.ear("lamp", "data", by="me")
    with bench.tank.bus.listen(DatapointsRecorded) as listener:
        writes = [DatastreamWrite("t", [NOW_US], ["1"])]
        await record_datapoints(
            bench.tank, OPERATOR, device.device_id, writes, creates_missing=True
        )
        (event,) = listener.take_all()
    assert ear.kinds() == ["data"]
    await delete_device(bench.tank, OPERATOR, device.device_id)
    ear.kinds()
    bench.tank.bus.publish(event)
    assert ear.kinds() == []


async def test_a_changed_record_reaches_who_listens_to_it(bench: Bench) -> None:
    own, me = bench.ear("lamp", "config"), bench.ear("lamp", "config", by="me")
    changed = await bench.change("lamp", color="red")
    told: list[Delivery] = [*own.deliveries, *me.deliveries]
    assert [(each.kind, each.device) for each in told] == [("config", changed)] * 2


async def test_a_deleted_device_leaves_no_visit_events_or_messages_behind(bench: Bench) -> None:
    device = bench.device("lamp")
    await send(bench, 1)
    bench.tank.messaging.presence.connect(device, Connection("mqtt"))
    await delete_device(bench.tank, OPERATOR, device.device_id)
    assert bench.kept.count(device.device_id) == 0
    assert await bench.events.read(device.device_id) == []
    assert bench.tank.messaging.presence.visit(device.device_id) is None


async def test_the_event_log_shows_how_long_a_long_event_was(bench: Bench) -> None:
    device_id = bench.device("lamp").device_id
    for length in (LOGGED_BYTES_MAX - 8, LOGGED_BYTES_MAX - 7):
        bench.tank.messaging.log(EventCode.MESSAGE, (device_id,), {"a": "x" * length})
    longer, fits = await bench.events.read(device_id)
    assert len(fits.body) == LOGGED_BYTES_MAX
    assert msgspec.json.decode(longer.body) == {"omitted": f"{LOGGED_BYTES_MAX + 1} bytes"}


async def test_a_subscriber_that_is_gone_and_not_announced_yet_is_passed_over(bench: Bench) -> None:
    subscriptions = [{"emitterUuid": "me", "type": "broadcast"}]
    for uuid in ("going", "staying"):
        await bench.make(uuid, meshblu={"subscriptions": subscriptions})
    assert not bench.tank.messaging.stored.is_empty
    await bench.directory.delete_device(bench.device("going").device_id)
    found = bench.tank.messaging.stored.subscribers(bench.device("me"), "broadcast")
    assert [device.uuid for device in found] == ["staying"]
