"""Events of the tank as events of WAMP topics: what they hold, who hears them, and until when."""

import asyncio
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs
from tests.unit.doors.wamp.tank_peer.worlds import AT, NOW, TankClient, TankWorld, settle

from thingtank.doors.wamp.tank_peer import announcements as module
from thingtank.doors.wamp.tank_peer.announcements import topics_of
from thingtank.doors.wamp.tank_peer.topics import COMPONENTS
from thingtank.protocols.wamp.uris import is_uri
from thingtank.tank.access import Caller
from thingtank.tank.actions import devices as device_actions
from thingtank.tank.actions import keys as key_actions
from thingtank.tank.actions import triggers as trigger_actions
from thingtank.tank.actions.datapoints import record_datapoints
from thingtank.tank.actions.transfer import import_datapoints
from thingtank.tank.changes import DatastreamWrite, DeviceChange
from thingtank.tank.datapoints import DatapointRows
from thingtank.tank.events import (
    Asked,
    DatapointsRecorded,
    DeviceCreated,
    DeviceDeleted,
    DeviceUpdated,
    MessageSent,
    PresenceChanged,
    RequestServed,
    TriggerChanged,
    TriggerFired,
)
from thingtank.tank.keys import Resource
from thingtank.tank.messaging.messages import Message
from thingtank.tank.things import Device
from thingtank.tank.trigger_rules import Firing
from thingtank.tank.triggers import Trigger, TriggerChange

DRAFT = TriggerChange(kind="gt", threshold="20", url="http://example.org/hook")


@pytest.fixture
async def world() -> TankWorld:
    return TankWorld()


@pytest.fixture
async def roof(world: TankWorld) -> Device:
    return await world.make_device(names=("a.b", "humidity", "temperature"))


async def record(world: TankWorld, feed: Device, name: str, *points: tuple[int, str]) -> None:
    write = DatastreamWrite(
        name, [NOW + second * 1_000_000 for second, _ in points], [v for _, v in points]
    )
    await record_datapoints(world.tank, Caller(world.alice), feed.device_id, [write])


def at(second: int) -> str:
    return f"2023-11-14T22:13:{20 + second}.000000Z"


# --- what events hold ----------------------------------------------------------------------------


@pytest.mark.parametrize("serializer", ["json", "msgpack", "cbor"])
async def test_a_value_is_an_event_of_its_datastreams_topic(
    world: TankWorld, roof: Device, serializer: str
) -> None:
    alice = world.join("alice", serializer)
    assert alice.subscribe(f"tank.feeds.{roof.device_id}.temperature")
    await record(world, roof, "humidity", (0, "50"))
    await record(world, roof, "temperature", (0, "21.50"))
    assert await alice.heard() == [(["21.50", at(0)], {})]


async def test_values_of_one_write_are_one_event_that_begins_with_the_newest(
    world: TankWorld, roof: Device
) -> None:
    alice = world.join("alice")
    alice.subscribe(f"tank.feeds.{roof.device_id}.", "prefix")
    writes = [
        DatastreamWrite("temperature", [NOW + 2_000_000, NOW, NOW + 2_000_000], ["a", "b", "c"]),
        DatastreamWrite("humidity", [NOW], ["50"]),
    ]
    await record_datapoints(world.tank, Caller(world.alice), roof.device_id, writes)
    points = [{"value": "a", "at": at(2)}, {"value": "b", "at": at(0)}, {"value": "c", "at": at(2)}]
    assert await alice.heard() == [(["c", at(2)], {"datapoints": points}), (["50", at(0)], {})]


async def test_a_long_write_is_several_events(
    world: TankWorld, roof: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "DATAPOINTS_PER_EVENT_MAX", 3)
    alice = world.join("alice")
    alice.subscribe(f"tank.feeds.{roof.device_id}.temperature")
    write = DatastreamWrite(
        "temperature", range(NOW, NOW + 7), [str(number) for number in range(7)]
    )
    await import_datapoints(
        world.tank, Caller(world.alice), roof.device_id, [write], creates_missing=False
    )
    heard = await alice.heard()
    assert [args[0] for args, _ in heard] == ["2", "5", "6"]
    assert [len(kwargs.get("datapoints", [])) for _, kwargs in heard] == [3, 3, 0]


async def test_a_name_with_dots_is_heard_under_its_escaped_name_and_by_patterns(
    world: TankWorld, roof: Device
) -> None:
    alice = world.join("alice")
    alice.subscribe(f"tank.feeds.{roof.device_id}.a%2Eb")
    alice.subscribe(f"tank.feeds.{roof.device_id}.", "wildcard")
    await record(world, roof, "a.b", (0, "1"))
    assert await alice.heard() == [(["1", at(0)], {})] * 2


async def test_what_becomes_of_a_device_is_told(world: TankWorld, roof: Device) -> None:
    alice, root = world.join("alice"), world.join("root")
    for word in ("created", "updated", "deleted"):
        assert alice.subscribe(f"tank.devices.{roof.uuid}.{word}")
    root.subscribe("tank.devices..created", "wildcard")
    owner = Caller(world.alice)
    made = await world.make_device("Pond")
    await device_actions.update_device(
        world.tank, owner, roof.device_id, DeviceChange(title="Loft")
    )
    await device_actions.delete_device(world.tank, owner, roof.device_id)
    about = {
        "uuid": roof.uuid,
        "feed_id": roof.device_id,
        "title": "Loft",
        "private": True,
        "updated": AT,
    }
    assert await alice.heard() == [([about], {})] * 2
    assert [args[0]["uuid"] for args, _ in await root.heard()] == [made.uuid]


async def test_a_uuid_with_dots_is_one_component_and_only_its_owner_hears_of_it(
    world: TankWorld, roof: Device
) -> None:
    owner = Caller(world.alice)
    made = await device_actions.create_device(
        world.tank, owner, DeviceChange(title="Lamp"), uuid="my.lamp"
    )
    alice, bob = world.join("alice"), world.join("bob")
    topic = "tank.devices.my%2Elamp.updated"
    assert alice.subscribe(topic)
    assert not bob.subscribe(topic)
    change = DeviceChange(title="Loft")
    await device_actions.update_device(world.tank, owner, made.device.device_id, change)
    assert [args[0]["uuid"] for args, _ in await alice.heard()] == ["my.lamp"]


async def test_triggers_are_told_of_when_they_change_and_fire(
    world: TankWorld, roof: Device
) -> None:
    owner = Caller(world.alice)
    trigger = await trigger_actions.create_trigger(
        world.tank, owner, roof.device_id, "temperature", DRAFT
    )
    alice = world.join("alice")
    alice.subscribe(f"tank.triggers.{trigger.trigger_id}.", "prefix")
    await trigger_actions.enable_trigger(world.tank, owner, trigger.trigger_id, False)
    world.tank.bus.publish(TriggerFired(trigger, Firing(NOW + 1_000_000, NOW, "21"), is_test=True))
    await trigger_actions.delete_trigger(world.tank, owner, trigger.trigger_id)
    changed, fired, deleted = [args[0] for args, _ in await alice.heard()]
    assert (changed["id"], changed["is_enabled"], changed["url"]) == (
        trigger.trigger_id,
        False,
        DRAFT.url,
    )
    assert (fired["fired_at"], fired["value"], fired["value_at"], fired["debug"]) == (
        at(1),
        "21",
        at(0),
        True,
    )
    assert "fired_at" not in deleted


async def test_requests_of_every_door_are_told(world: TankWorld, roof: Device) -> None:
    alice = world.join("alice")
    alice.subscribe(f"tank.requests.{roof.device_id}.served")
    (told,), _ = (await alice.heard())[0]
    assert (told["method"], told["status"]) == ("SUBSCRIBE", 200)  # its own
    asked = Asked(roof.device_id, "xively_http", "PUT", "/v2/feeds/7", "192.0.2.1", b"curl\xff")
    world.tank.bus.publish(RequestServed(NOW, asked, 422, 77, "no", b"{}", b"\xff"))
    ((args, _),) = await alice.heard()
    assert args == [
        {
            "at": at(0), "door": "xively_http", "method": "PUT", "path": "/v2/feeds/7", "address": "192.0.2.1",
            "user_agent": "curl\ufffd", "status": 422, "duration_us": 77, "reason": "no",
            "request_body": "{}", "response_body": "\ufffd",
        }
    ]  # fmt: skip


def test_every_topic_is_a_uri_of_four_components() -> None:
    device = Device(7, "01234567-89ab-cdef-0123-456789abcdef", 1, "Roof")
    trigger = Trigger(5, 1, 7, "a", "gt")
    events: list[Any] = [
        DeviceCreated(device),
        DeviceUpdated(device),
        DeviceDeleted(device),
        DatapointsRecorded(7, {1: "a.b", 2: "c"}, DatapointRows([1, 2], [NOW, NOW], ["1", "2"])),
        PresenceChanged(device, is_online=True),
        MessageSent(device, Message("", 0, NOW, {})),
        MessageSent(device, Message("", 0, NOW, {}), is_broadcast=True),
        TriggerChanged(trigger),
        TriggerChanged(trigger, is_deleted=True),
        TriggerFired(trigger, Firing(NOW, None, None)),
        RequestServed(NOW, Asked(7, "d", "m", "p"), 200, 1),
    ]
    assert {type(event) for event in events} == set(module._KINDS)
    topics = [topic for event in events for topic in topics_of(event)]
    assert len(set(topics)) == len(topics) == len(events) + 1
    assert all(is_uri(topic) and len(topic.split(".")) == COMPONENTS for topic in topics)


# --- who hears them ------------------------------------------------------------------------------


async def test_nothing_is_made_where_nobody_listens(
    world: TankWorld, roof: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    monkeypatch.setattr(world.realm.broker, "announce", lambda topic, payload: made.append(topic))
    world.join("alice").subscribe(f"tank.feeds.{roof.device_id}.humidity")
    await record(world, roof, "temperature", (0, "1"))
    await settle()
    assert made == []
    assert world.peer._announcements._turn is None
    await record(world, roof, "humidity", (0, "1"))
    await settle()
    assert made == [f"tank.feeds.{roof.device_id}.humidity"]


async def test_all_realms_hear_and_those_of_one_serializer_get_the_same_octets(
    world: TankWorld, roof: Device
) -> None:
    other = world.open_realm()
    topic = f"tank.feeds.{roof.device_id}.temperature"
    clients = [
        TankClient(each.join(name, authid="alice"))
        for each in (world.world, other)
        for name in ("json", "cbor", "json")
    ]
    assert all(client.subscribe(topic) for client in clients)
    await record(world, roof, "temperature", (0, "1"))
    await settle()
    assert clients[0].client.received[0] is clients[2].client.received[0]
    assert [await client.heard() for client in clients] == [[(["1", at(0)], {})]] * 6


async def test_a_deleted_key_hears_nothing_more_and_is_told_so(
    world: TankWorld, roof: Device
) -> None:
    key_id = await world.make_key("s", "get")
    listener, alice = world.join("key:s"), world.join("alice")
    for client in (listener, alice):
        assert client.subscribe(f"tank.feeds.{roof.device_id}.temperature")
    assert listener.subscribe(f"tank.feeds.{roof.device_id}.", "prefix")
    await record(world, roof, "temperature", (0, "1"))
    assert len(await listener.heard()) == 2
    await key_actions.delete_key(world.tank, Caller(world.alice), key_id)
    await record(world, roof, "temperature", (1, "2"))
    assert await listener.heard() == ["wamp.error.not_authorized"] * 2
    await record(world, roof, "temperature", (2, "3"))
    assert await listener.heard() == []
    assert [args[0] for args, _ in await alice.heard()] == ["1", "2", "3"]


async def test_a_feed_made_private_is_private_from_its_next_value_on(world: TankWorld) -> None:
    pond = await world.make_device("Pond", private=False)
    stranger, bob = world.join("stranger"), world.join("bob")
    for client in (stranger, bob):
        assert client.subscribe(f"tank.feeds.{pond.device_id}.temperature")
        assert client.subscribe(f"tank.devices.{pond.uuid}.updated")
    await record(world, pond, "temperature", (0, "1"))
    change = DeviceChange(private=True, title="Secret")
    await device_actions.update_device(world.tank, Caller(world.alice), pond.device_id, change)
    await record(world, pond, "temperature", (1, "2"))
    for client in (stranger, bob):
        # The value of before is read with the rights of now: it was still on its way.
        heard = await client.heard()
        assert heard == ["wamp.error.not_authorized"] * 2


async def test_a_right_to_one_datastream_is_none_to_all_by_a_pattern(
    world: TankWorld, roof: Device
) -> None:
    key_id = await world.make_key("s", "get")
    listener = world.join("key:s")
    assert listener.subscribe(f"tank.feeds.{roof.device_id}.", "prefix")
    assert listener.subscribe(f"tank.feeds.{roof.device_id}.temperature")

    def narrowed(key: Any) -> Any:
        permission = msgspec.structs.replace(
            key.permissions[0], resources=(Resource(roof.device_id, "temperature"),)
        )
        return msgspec.structs.replace(key, permissions=(permission,))

    await world.directory.update_key(key_id, narrowed)
    await record(world, roof, "temperature", (0, "1"))
    assert sorted(map(str, await listener.heard())) == sorted(
        map(str, [(["1", at(0)], {}), "wamp.error.not_authorized"])
    )


async def test_an_expired_key_and_a_closed_account_hear_nothing_more(
    world: TankWorld, roof: Device
) -> None:
    key_id = await world.make_key("s", "get")
    await world.directory.update_key(
        key_id, lambda key: msgspec.structs.replace(key, expires_us=NOW + 5_000_000)
    )
    listener, alice = world.join("key:s"), world.join("alice")
    for client in (listener, alice):
        client.subscribe(f"tank.feeds.{roof.device_id}.temperature")
    world.clock.now = NOW + 6_000_000
    world.directory.put_account(msgspec.structs.replace(world.alice, is_active=False))
    await record_datapoints(
        world.tank,
        Caller(world.root),
        roof.device_id,
        [DatastreamWrite("temperature", [NOW], ["1"])],
    )
    assert await listener.heard() == ["wamp.error.not_authorized"]
    assert await alice.heard() == ["wamp.error.not_authorized"]


async def test_who_does_not_announce_revocation_is_dropped_silently(
    world: TankWorld, roof: Device
) -> None:
    key_id = await world.make_key("s", "get")
    plain = {role: set() for role in ("subscriber", "caller")}
    listener = TankClient(world.world.join("json", plain, authid="key:s"))
    listener.subscribe(f"tank.feeds.{roof.device_id}.temperature")
    await world.directory.delete_key(key_id)
    await record(world, roof, "temperature", (0, "1"))
    assert await listener.heard() == []
    assert world.realm.broker.subscriptions.count_held(listener.client.id) == 0


async def test_an_event_of_a_feed_that_is_deleted_in_the_same_turn_is_told_to_nobody(
    world: TankWorld, roof: Device
) -> None:
    root = world.join("root")
    root.subscribe(f"tank.feeds.{roof.device_id}.", "prefix")
    names = {
        stream.stream_id: name
        for name, stream in world.directory.datastreams(roof.device_id).items()
    }
    rows = DatapointRows(list(names), [NOW] * len(names), ["1"] * len(names))
    world.tank.bus.publish(DatapointsRecorded(roof.device_id, names, rows))
    await world.directory.delete_device(roof.device_id)
    assert await root.heard() == []


# --- bounds --------------------------------------------------------------------------------------


async def test_what_waits_is_bounded_and_the_newest_stay(
    world: TankWorld, roof: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "EVENTS_MAX", 3)
    alice = world.join("alice")
    alice.subscribe(f"tank.feeds.{roof.device_id}.temperature")
    with capture_logs() as logs:
        for second in range(10):
            await record(world, roof, "temperature", (second, str(second)))
        assert [args[0] for args, _ in await alice.heard()] == ["7", "8", "9"]
    assert [each["event"] for each in logs] == ["wamp_announcements_dropped"]
    assert world.peer._announcements.dropped_count == 7


async def test_datapoints_that_wait_are_bounded_too(
    world: TankWorld, roof: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "DATAPOINTS_MAX", 5)
    alice = world.join("alice")
    alice.subscribe(f"tank.feeds.{roof.device_id}.temperature")
    for first in (0, 3, 6):
        await record(world, roof, "temperature", *((first + n, str(first + n)) for n in range(3)))
    assert [args[0] for args, _ in await alice.heard()] == ["8"]
    await record(world, roof, "temperature", *((10 + n, str(n)) for n in range(9)))
    assert [args[0] for args, _ in await alice.heard()] == ["8"]
    assert world.peer._announcements._datapoint_count == 0


async def test_many_events_are_told_in_turns(
    world: TankWorld, roof: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "DELIVERIES_PER_TURN", 4)
    alice = world.join("alice")
    alice.subscribe(f"tank.feeds.{roof.device_id}.temperature")
    for second in range(6):
        await record(world, roof, "temperature", (second, str(second)))
    await asyncio.sleep(0)
    assert len(alice.client.received) == 2
    assert [args[0] for args, _ in await alice.heard()] == list("012345")


async def test_an_event_that_cannot_be_told_is_logged_and_the_others_are(
    world: TankWorld, roof: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = world.join("alice")
    alice.subscribe(f"tank.feeds.{roof.device_id}.temperature")
    alice.subscribe(f"tank.devices.{roof.uuid}.updated")
    monkeypatch.setattr(module, "_device", lambda device: object())
    with capture_logs() as logs:
        world.tank.bus.publish(DeviceUpdated(roof))
        await record(world, roof, "temperature", (0, "1"))
        assert await alice.heard() == [(["1", at(0)], {})]
    assert [(each["event"], each["event_kind"]) for each in logs] == [
        ("wamp_announcement_failed", "DeviceUpdated")
    ]


async def test_after_a_stop_nothing_is_told(world: TankWorld, roof: Device) -> None:
    alice = world.join("alice")
    alice.subscribe(f"tank.feeds.{roof.device_id}.temperature")
    await record(world, roof, "temperature", (0, "1"))
    await world.peer.stop()
    await record(world, roof, "temperature", (1, "2"))
    assert await alice.heard() == []


async def test_a_wildcard_that_is_one_datastream_needs_no_more_than_that(
    world: TankWorld, roof: Device
) -> None:
    await world.make_key("s", "get", resource=Resource(roof.device_id, "temperature"))
    listener = world.join("key:s")
    assert listener.subscribe(f"tank.feeds.{roof.device_id}.temperature", "wildcard")
    await record(world, roof, "temperature", (0, "1"))
    assert await listener.heard() == [(["1", at(0)], {})]


async def test_events_of_topics_that_the_settings_keep_are_kept_where_nobody_listens() -> None:
    """As `Realm` has it: a standing subscription counts as a listener."""
    world = TankWorld()
    roof = await world.make_device()
    kept: list[Any] = []
    broker = world.realm.broker
    broker._on_publication = lambda publication, ids: kept.append(
        (publication.topic, publication.payload.args)
    )
    broker.stand("tank.feeds.", "prefix")
    await record(world, roof, "temperature", (0, "1"))
    await settle()
    assert kept == [(f"tank.feeds.{roof.device_id}.temperature", ["1", at(0)])]
