"""Messages reach whom they name, once, and their sender is told what became of them."""

from typing import Any

import msgspec
import pytest
from tests.unit.tank.messaging.messaging_bench import NOW_US, Bench, Ear

from thingtank.stores.kept_message_settings import KeptMessageSettings
from thingtank.stores.memory_kept_messages import MemoryKeptMessages
from thingtank.tank.access import OPERATOR, Caller
from thingtank.tank.actions import messages
from thingtank.tank.actions.devices import delete_device
from thingtank.tank.actions.messages import Receipt, send_message
from thingtank.tank.errors import (
    Overloaded,
    StorageFailed,
    Unauthenticated,
    ValidationFailed,
)
from thingtank.tank.events import MessageSent
from thingtank.tank.messaging.messages import TARGETS_MAX
from thingtank.tank.messaging.permissions import Party
from thingtank.tank.messaging.switchboard import Delivery


@pytest.fixture
async def bench() -> Bench:
    """A tank that is open, with some devices."""
    bench = Bench(is_open=True)
    for uuid in ("me", "lamp", "door"):
        await bench.make(uuid)
    return bench


async def send(bench: Bench, devices: Any, payload: Any = 1, by: str = "me", **more: Any) -> Any:
    """Send; what became of it, by target."""
    asked = {"devices": devices, "payload": payload, **more}
    sent = await send_message(bench.tank, bench.party(by), asked)
    return {receipt.devices: (receipt.outcome, receipt.count) for receipt in sent.receipts}


# --- targets ---


async def test_a_uuid_in_any_case_or_a_list_of_them(bench: Bench) -> None:
    lamp, door, me = bench.ear("lamp"), bench.ear("door"), bench.ear("me")
    assert await send(bench, "LAMP", 1) == {"LAMP": ("delivered", 1)}
    assert await send(bench, ["lamp", "door"], 2) == {
        "lamp": ("delivered", 1),
        "door": ("delivered", 1),
    }
    assert await send(bench, "me", 3) == {"me": ("delivered", 1)}  # to itself
    assert (lamp.heard(), door.heard(), me.heard()) == ([1, 2], [2], [3])


@pytest.mark.parametrize("devices", ["*", "all", ["*"], ["all"]])
async def test_everybody_is_who_listens_to_the_sender(bench: Bench, devices: Any) -> None:
    hearing = bench.ear("me", "broadcast", by="lamp")
    sent = bench.ear("me", "sent")
    other = bench.ear("lamp", "received", "broadcast")
    name = devices if isinstance(devices, str) else devices[0]
    assert await send(bench, devices) == {name: ("delivered", 2)}
    assert (hearing.heard(), sent.heard(), other.heard()) == ([1], [1], [])
    await send(bench, devices, by="")  # a stranger has nobody who listens
    assert hearing.heard() == []


async def test_a_broadcast_that_nobody_hears_and_a_target_that_is_not_there(bench: Bench) -> None:
    assert await send(bench, ["*", "nothing", "lamp"]) == {
        "*": ("away", 0),
        "nothing": ("undeliverable", 1),
        "lamp": ("away", 1),
    }


async def test_who_hears_a_broadcast_and_is_named_gets_it_once_and_is_there(bench: Bench) -> None:
    await bench.change("lamp", keepMessages=True)
    lamp = bench.ear("lamp", "received")
    bench.board.add(lamp, bench.party("lamp"), bench.device("me"), ("broadcast",))
    for devices in (["*", "lamp"], ["lamp", "*"]):
        assert await send(bench, devices) == {"*": ("away", 0), "lamp": ("delivered", 1)}
        assert lamp.kinds() == ["received"]
    gateway = Ear()
    for uuid in ("lamp", "door"):
        bench.board.add(gateway, bench.party(uuid), bench.device(uuid), ("received",))
    assert await send(bench, ["lamp", "door"]) == {
        "lamp": ("delivered", 1),
        "door": ("delivered", 1),
    }
    assert gateway.heard() == [1]
    assert bench.kept.count(bench.device("lamp").device_id) == 0


@pytest.mark.parametrize("devices", [["*", "lamp"], ["lamp", "*"], ["lamp", "door", "*"], ["*"]])
async def test_who_is_away_and_subscribed_for_good_in_several_ways_has_it_kept_once(
    bench: Bench, devices: list[str]
) -> None:
    subscriptions = [
        {"emitterUuid": emitter, "type": kind}
        for emitter in ("me", "door")
        for kind in ("broadcast", "sent", "received")
    ]
    lamp = await bench.change("lamp", keepMessages=True, meshblu={"subscriptions": subscriptions})
    for uuid in ("me", "door"):
        await bench.change(uuid, receiveAsWhitelist=["lamp"])
    await send(bench, devices)
    assert bench.kept.count(lamp.device_id) == 1


async def test_a_group_is_all_devices_with_a_tag_that_the_sender_may_reach(bench: Bench) -> None:
    for uuid, properties in {
        "a": {},
        "b": {"keepMessages": True},
        "c": {},  # away
        "d": {"sendWhitelist": []},
    }.items():
        await bench.make(uuid, tags=("Kitchen",), **properties)
    own = await bench.make("own", tags=("kitchen",))
    a, d, mine = bench.ear("a"), bench.ear("d"), bench.ear("own")
    for tag in ("tag:Kitchen", "tag:kitchen", "tag: KITCHEN "):
        assert await send(bench, tag, by="own") == {tag: ("delivered", 2)}
        assert (a.heard(), d.heard(), mine.heard()) == ([1], [], [])
    assert bench.kept.count(own.device_id) == 0
    for tag in ("tag:", "tag: ", "tag:Kitche", "tag:" + "x" * 300, "tag:Kitchen" + " " * 300):
        assert await send(bench, tag) == {tag: ("undeliverable", 0)}
    assert a.heard() == []


async def test_a_group_nobody_of_which_may_be_reached_looks_like_none(bench: Bench) -> None:
    await bench.make("d", tags=("secret",), sendWhitelist=[], keepMessages=True)
    assert (await send(bench, "tag:secret"))["tag:secret"] == ("undeliverable", 0)
    assert (await send(bench, "tag:nothing"))["tag:nothing"] == ("undeliverable", 0)


async def test_a_group_all_of_which_is_away_is_away_and_may_be_sent_to(bench: Bench) -> None:
    await bench.make("a", tags=("den",))
    await bench.make("d", tags=("den",), sendWhitelist=[])
    assert await send(bench, "tag:den") == {"tag:den": ("away", 0)}


async def test_the_groups_of_one_message_have_so_many_members_together_and_no_more(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "GROUP_MAX", 3)
    monkeypatch.setattr(messages, "GROUP_PAGE", 2)
    for uuid in ("a", "b", "c"):
        await bench.make(uuid, tags=("x", "y"), keepMessages=True)
    assert await send(bench, ["tag:x", "tag:y", "a"]) == {
        "tag:x": ("delivered", 3),
        "tag:y": ("undeliverable", 0),
        "a": ("kept", 1),
    }


async def test_a_device_that_is_named_several_ways_gets_it_once(bench: Bench) -> None:
    device = await bench.make("a", tags=("x", "y"), keepMessages=True)
    devices = ["tag:x", "a", "tag:y", "A", "a"]
    assert await send(bench, devices) == {
        "tag:x": ("delivered", 1),
        "a": ("kept", 1),
        "tag:y": ("delivered", 1),
        "A": ("kept", 1),
    }
    assert bench.kept.count(device.device_id) == 1
    ear = bench.ear("a")
    with bench.tank.bus.listen(MessageSent) as listener:
        await send(bench, devices)
        assert len(listener.take_all()) == 1
    assert ear.heard() == [1]


async def test_what_is_behind_a_device_reaches_the_device_with_the_rest_of_the_name(
    bench: Bench,
) -> None:
    ear = bench.ear("lamp")
    devices = ["lamp/a/b", "lamp/c", "lamp", "lamp/", "nothing/a"]
    receipts = await send(bench, devices)
    assert receipts["nothing/a"] == ("undeliverable", 1)
    assert {receipts[each] for each in devices[:4]} == {("delivered", 1)}
    seen = [each.message.content["devices"] for each in ear.deliveries if each.message]
    assert seen == ["a/b", "c", devices, ""]


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        ({}, "devices"),
        ({"devices": ""}, "devices"),
        ({"devices": []}, "devices"),
        ({"devices": [""]}, "devices"),
        ({"devices": ["lamp", 5]}, "devices"),
        ({"devices": {"uuid": "lamp"}}, "devices"),
        ({"devices": None}, "devices"),
        ({"devices": ["lamp"] * (TARGETS_MAX + 1)}, "too many"),
        ([], "not a JSON object"),
        ("lamp", "not a JSON object"),
        (None, "not a JSON object"),
    ],
)
async def test_what_is_no_message_is_refused_and_reaches_nobody(
    bench: Bench, asked: Any, problem: str
) -> None:
    ear = bench.ear("lamp")
    with pytest.raises(ValidationFailed, match=problem):
        await send_message(bench.tank, bench.party("me"), asked)
    assert ear.heard() == []


async def test_as_many_targets_as_there_may_be(bench: Bench) -> None:
    devices = [f"device-{number}" for number in range(TARGETS_MAX)]
    assert set((await send(bench, devices)).values()) == {("undeliverable", 1)}


# --- who may ---


@pytest.mark.parametrize("is_open", [False, True])
async def test_a_device_that_one_may_not_send_to_looks_like_one_that_is_not_there(
    is_open: bool,
) -> None:
    bench = Bench(is_open=is_open)
    await bench.make("me")
    hidden = await bench.make("hidden", sendBlacklist=["me"], keepMessages=True)
    ear = bench.ear("hidden")
    for by in ("me", ""):
        assert await send(bench, "hidden", by=by) == {"hidden": ("undeliverable", 1)}
        assert await send(bench, "nothing", by=by) == {"nothing": ("undeliverable", 1)}
    assert ear.heard() == []
    assert bench.kept.count(hidden.device_id) == 0
    assert await bench.events.read(hidden.device_id) == []


async def test_who_hears_a_broadcast_is_as_the_sender_s_lists_are_now() -> None:
    bench = Bench()
    await bench.make("me")
    await bench.make("lamp")
    as_it_came = bench.party("me")
    ear = bench.ear("me", "broadcast", by="lamp")
    asked = {"devices": "*", "payload": 1}
    await send_message(bench.tank, as_it_came, asked)
    assert ear.heard() == [1]
    await bench.change("me", receiveWhitelist=[])
    await send_message(bench.tank, as_it_came, asked)
    assert ear.heard() == []


async def test_a_device_that_is_gone_sends_nothing(bench: Bench) -> None:
    party, ear = bench.party("me"), bench.ear("lamp")
    await delete_device(bench.tank, OPERATOR, party.device_id)
    await bench.make("me")  # another one by its name
    with pytest.raises(Unauthenticated):
        await send_message(bench.tank, party, {"devices": ["lamp", "*"], "payload": 1})
    assert ear.heard() == []


async def test_who_sent_it_cannot_be_made_up_and_secrets_do_not_travel(bench: Bench) -> None:
    ear = bench.ear("lamp")
    more = {
        "fromUuid": "door", "token": "s3cret", "api": "x", "eventCode": 1, "timestamp": 2,
        "protocol": "websocket", "topic": "t", "free": {"token": "kept"},
    }  # fmt: skip
    await send(bench, "lamp", **more)
    await send(bench, "lamp", by="", fromUuid="door")
    await send_message(bench.tank, Party(Caller(bench.account)), {"devices": "lamp"})
    contents = [each.message.content for each in ear.deliveries if each.message]
    assert contents == [
        {
            "devices": "lamp",
            "payload": 1,
            "topic": "t",
            "free": {"token": "kept"},
            "fromUuid": "me",
        },
        {"devices": "lamp", "payload": 1},
        {"devices": "lamp"},
    ]


# --- receipts, what is kept, and what is noted ---


async def test_a_message_for_who_is_away_is_kept_as_it_would_have_been_delivered(
    bench: Bench,
) -> None:
    device = await bench.change("lamp", keepMessages=60)
    assert await send(bench, "lamp", topic="t") == {"lamp": ("kept", 1)}
    (kept,) = await bench.kept.take(device.device_id, NOW_US + 59_999_999, 10)
    assert msgspec.json.decode(kept.body) == {
        "devices": "lamp",
        "payload": 1,
        "topic": "t",
        "fromUuid": "me",
    }
    assert kept.at_us == NOW_US
    assert await bench.kept.take(device.device_id, NOW_US + 60_000_000, 10) == []


@pytest.mark.parametrize("setting", [False, 0, -1, "yes", None, [], 10**400])
async def test_who_did_not_ask_for_it_has_nothing_kept(bench: Bench, setting: Any) -> None:
    if setting == 10**400:
        setting = float("-inf")
    device = bench.device("lamp")
    changed = msgspec.structs.replace(device, properties={"keepMessages": setting})
    await bench.directory.update_device(device.device_id, lambda _: changed)
    assert await send(bench, "lamp") == {"lamp": ("away", 1)}


async def test_a_device_with_as_many_kept_as_it_may_is_away(bench: Bench) -> None:
    bench.tank.messaging.kept = MemoryKeptMessages(KeptMessageSettings(messages_per_device_max=2))
    await bench.change("lamp", keepMessages=True)
    found = [(await send(bench, "lamp"))["lamp"][0] for _ in range(3)]
    assert found == ["kept", "kept", "away"]


class Busy(MemoryKeptMessages):
    """A disk behind which too much waits."""

    def keep(self, device_id: int, body: bytes, at_us: int, expires_us: int) -> Any:
        raise Overloaded("too much waits")


@pytest.mark.parametrize("error", [Overloaded, StorageFailed])
async def test_who_cannot_be_kept_it_for_the_sender_is_told_of_and_the_others_have_it(
    bench: Bench, error: type[Exception]
) -> None:
    kept = Busy() if error is Overloaded else MemoryKeptMessages()
    kept.failure = StorageFailed("no space left")
    bench.tank.messaging.kept = kept
    await bench.change("lamp", keepMessages=True)
    ear = bench.ear("door")
    with pytest.raises(error):
        await send(bench, ["lamp", "door"])
    assert ear.heard() == [1]


async def test_the_event_log_shows_a_message_with_whom_it_was_from_and_for(bench: Bench) -> None:
    await send(bench, ["lamp", "door", "nothing"], 7)
    for uuid in ("me", "lamp", "door"):
        (event,) = await bench.events.read(bench.device(uuid).device_id)
        assert (event.code, event.at_us) == (300, NOW_US)
        assert msgspec.json.decode(event.body)["payload"] == 7
    await send_message(
        bench.tank, bench.party(""), {"devices": "lamp", "payload": 8}, logged={"noted": 1}
    )
    newest = (await bench.events.read(bench.device("lamp").device_id))[0]
    assert msgspec.json.decode(newest.body) == {"noted": 1}


async def test_an_answer_is_asked_of_one_recipient_only(bench: Bench) -> None:
    answers: list[Any] = []
    ear = bench.ear("lamp")
    bench.ear("me", "broadcast", by="lamp")
    await bench.make("tagged", tags=("t",))
    tagged = bench.ear("tagged")
    for devices in ("lamp", ["lamp"], ["lamp", "door"], "tag:t", "*"):
        asked = {"devices": devices, "ack": 5}
        await send_message(bench.tank, bench.party("me"), asked, reply=answers.append)
    assert [each.reply is not None for each in ear.deliveries] == [True, True, False]
    acks = [each.message.content.get("ack") for each in ear.deliveries if each.message]
    assert acks == [5, 5, None]
    assert not any(each.reply for each in tagged.deliveries)


async def test_what_is_no_message_is_neither_kept_nor_logged(bench: Bench) -> None:
    device = await bench.change("lamp", keepMessages=True)
    for event in ("messageAck", "config", "tb"):
        sent = await send_message(
            bench.tank, bench.party("me"), {"devices": "lamp", "payload": 1}, event=event
        )
        assert sent.receipts == (Receipt("lamp", "away"),)
    assert bench.kept.count(device.device_id) == 0
    assert await bench.events.read(device.device_id) == []


async def test_others_may_hear_what_a_device_receives_and_sends_only_in_its_name(
    bench: Bench,
) -> None:
    received = bench.ear("lamp", "received", by="door")
    sent = bench.ear("me", "sent", by="door")
    assert await send(bench, "lamp") == {"lamp": ("away", 1)}
    for uuid in ("lamp", "me"):
        await bench.change(uuid, receiveAsWhitelist=["door"])
    assert await send(bench, "lamp", 2) == {"lamp": ("away", 1)}  # but for who listens in
    both: list[Delivery] = [*received.deliveries, *sent.deliveries]
    assert [(each.kind, each.device.uuid) for each in both] == [
        ("received", "lamp"),
        ("sent", "me"),
    ]


async def test_the_bus_is_told_what_became_of_each_message(bench: Bench) -> None:
    bench.ear("lamp")
    await bench.change("door", keepMessages=True)
    await bench.make("away")
    with bench.tank.bus.listen(MessageSent) as listener:
        await send(bench, ["lamp", "door", "away"])
        await send(bench, "*")
        told = [event for event in listener.take_all() if isinstance(event, MessageSent)]
    assert [(each.device.uuid, each.outcome, each.is_broadcast) for each in told] == [
        ("lamp", "delivered", False),
        ("door", "kept", False),
        ("away", "away", False),
        ("me", "away", True),
    ]
