"""What clients ask for, whatever the wire: rights, races and bounds."""

import asyncio
from typing import Any

import msgspec
import pytest
from tests.unit.doors.skynet.skynet_bench import ADDRESS, DoorBench
from tests.unit.tank.messaging.messaging_bench import Ear

from thingtank.doors.skynet.operations import (
    data,
    devices,
    events,
    messages,
    subscriptions,
    tokens,
)
from thingtank.doors.skynet.settings import SkynetSettings
from thingtank.tank.access import OPERATOR
from thingtank.tank.actions.devices import delete_device
from thingtank.tank.errors import (
    LimitReached,
    NoSuchDevice,
    NotAllowed,
    TankError,
    Unauthenticated,
)
from thingtank.tank.keys import ACCESS_METHODS
from thingtank.tank.messaging.permissions import Party

LAMP_LISTS: dict[str, Any] = {"discoverWhitelist": ["friend"], "owner": "owner"}


@pytest.fixture
async def bench() -> DoorBench:
    bench = DoorBench()
    for uuid in ("me", "friend", "owner"):
        await bench.make(uuid)
    await bench.make("lamp", color="red", **LAMP_LISTS)
    return bench


async def every_operation(bench: DoorBench, party: Party, uuid: str) -> dict[str, Any]:
    """Whatever one can do with a device, and what became of it: an answer, or an error."""
    door = bench.door
    listens = subscriptions.Subscribed(door, Ear())
    asked: dict[str, Any] = {
        "read": devices.read(door, party, uuid, is_legacy=False),
        "read as of 2014": devices.read(door, party, uuid, is_legacy=True),
        "query": devices.query(door, party, {"uuid": uuid}),
        "query by owner": devices.query(door, party, {}, owner=uuid),
        "update": devices.update(door, party, uuid, {"x": 1}),
        "update by document": devices.update_by_document(door, party, uuid, {"$set": {"x": 1}}),
        "claim": devices.claim(door, party, uuid),
        "unregister": devices.unregister(door, party, uuid),
        "data": data.write(door, party, uuid, {"t": 1}),
        "getdata": data.read(door, party, uuid),
        "events": events.read(door, party, uuid),
        "subscribe": listens.add(party, uuid, subscriptions.DEFAULT_KINDS),
        "unsubscribe": listens.remove(party, uuid, subscriptions.DEFAULT_KINDS),
        "reset token": tokens.reset(door, party, uuid),
        "make token": tokens.create(door, party, uuid, "tag"),
        "revoke token": tokens.revoke(door, party, uuid, "token"),
        "revoke by tag": tokens.revoke_by_tag(door, party, uuid, "tag"),
        "list tokens": tokens.listing(door, party, uuid),
        "message": messages.send(door, party, {"devices": uuid, "payload": 1}),
        "message to several": messages.send(door, party, {"devices": [uuid, f"{uuid}/x"]}),
    }
    return {name: await outcome(asking, uuid) for name, asking in asked.items()}


async def outcome(asking: Any, uuid: str) -> Any:
    try:
        found = await asking
    except TankError as error:
        return type(error), str(error).replace(uuid, "UUID")
    if isinstance(found, messages.Sent):
        return [(each.devices.replace(uuid, "UUID"), each.outcome) for each in found.receipts]
    return found


@pytest.mark.parametrize("is_open", [False, True])
@pytest.mark.parametrize(
    "lists",
    [
        {"discoverWhitelist": []},
        {"discoverWhitelist": ["friend"]},
        {"viewBlacklist": ["me", "*"]},
        {"meshblu": {"version": "2.0.0"}},
        {"discoverWhitelist": [], "configureWhitelist": ["*"], "receiveWhitelist": ["*"]},
    ],
    ids=str,
)
async def test_a_device_that_may_not_be_discovered_is_as_if_it_were_not_there(
    is_open: bool, lists: dict[str, Any]
) -> None:
    bench = DoorBench(is_open=is_open)
    await bench.make("me")
    await bench.make("lamp", sendWhitelist=[], keepMessages=True, **lists)
    for party in (bench.shown("me"), bench.parties.stranger(ADDRESS)):
        hidden = await every_operation(bench, party, "lamp")
        nothing = await every_operation(bench, party, "nope")
        assert hidden == nothing
    device = bench.device("lamp")
    assert device.properties == {"sendWhitelist": [], "keepMessages": True, **lists}
    assert await bench.events.read(device.device_id) == []


async def test_who_may_only_discover_changes_nothing_and_reads_no_data(bench: DoorBench) -> None:
    await bench.change("lamp", receiveWhitelist=[])
    before = bench.device("lamp")
    allowed = {"read", "read as of 2014", "query", "query by owner", "unsubscribe"}
    for name, became in (await every_operation(bench, bench.shown("friend"), "lamp")).items():
        if name.startswith("message"):
            assert {each[1] for each in became} == {"undeliverable"}
        elif name not in allowed:
            assert became[0] is NotAllowed, name
    assert bench.device("lamp") == before


async def test_a_query_does_not_tell_what_a_record_does_not_show(bench: DoorBench) -> None:
    friend, owner = bench.shown("friend"), bench.shown("owner")
    for filters in ({"owner": "owner"}, {"discoverWhitelist": "friend"}):
        assert [d.uuid for d in await devices.query(bench.door, owner, filters)] == ["lamp"]
        assert await devices.query(bench.door, friend, filters) == []
    assert [d.uuid for d in await devices.query(bench.door, friend, {"color": "red"})] == ["lamp"]
    assert await devices.query(bench.door, bench.shown("me"), {"color": "red"}) == []
    # One cannot ask what is not there either: that would tell which devices have it.
    found = await devices.query(bench.door, friend, {"owner": None, "color": "red"})
    assert [d.uuid for d in found] == ["lamp"]


async def test_whose_a_device_is_learns_only_who_is_shown_it(bench: DoorBench) -> None:
    async def owned(party: Party) -> list[str]:
        found = await devices.query(bench.door, party, {}, owner="OWNER")
        return sorted(device.uuid for device in found)

    assert await owned(bench.shown("owner")) == ["lamp", "owner"]
    assert await owned(bench.shown("friend")) == ["owner"]
    # Who shows the owner's token asks for the owner.
    opened = bench.parties.opening(bench.shown("friend"), "owner", bench.tokens["owner"])
    assert await owned(opened) == ["lamp", "owner"]


async def test_of_who_comes_from_no_address_no_device_is_local(bench: DoorBench) -> None:
    await bench.change("lamp", discoverWhitelist=["*"], ipAddress=ADDRESS)
    for address, found in (("", []), (ADDRESS, ["lamp"])):
        party = bench.parties.device("me", bench.tokens["me"], address)
        local = await devices.local(bench.door, party, is_unclaimed=False)
        assert [device.uuid for device in local] == found


# --- claims ---


async def test_of_two_who_claim_a_device_at_a_time_one_has_it() -> None:
    bench = DoorBench(is_open=True)
    for uuid in ("one", "two"):
        await bench.make(uuid)
    await bench.make("lamp", ipAddress=ADDRESS)
    claims = [devices.claim(bench.door, bench.shown(uuid), "lamp") for uuid in ("one", "two")]
    became = await asyncio.gather(*claims, return_exceptions=True)
    assert sorted(type(each).__name__ for each in became) == ["Device", "NotAllowed"]
    (winner,) = [
        uuid
        for uuid, each in zip(("one", "two"), became, strict=True)
        if each == bench.device("lamp")
    ]
    assert bench.device("lamp").properties["owner"] == winner


@pytest.mark.parametrize(
    ("is_open", "properties", "address", "is_allowed"),
    [
        (True, {"ipAddress": ADDRESS}, ADDRESS, True),
        (True, {"ipAddress": ADDRESS}, "10.0.0.2", False),
        (True, {"ipAddress": ADDRESS, "owner": "other"}, ADDRESS, False),
        (True, {"ipAddress": ADDRESS, "discoverWhitelist": []}, ADDRESS, None),
        (True, {"ipAddress": ADDRESS, "configureWhitelist": []}, ADDRESS, False),
        (True, {"ipAddress": ADDRESS, "updateBlacklist": ["me"]}, ADDRESS, False),
        (True, {}, "", False),
        (True, {"ipAddress": ""}, "", False),
        (False, {"ipAddress": ADDRESS}, ADDRESS, False),
        (False, {"configureWhitelist": ["me"], "owner": "other"}, ADDRESS, True),
        (False, {"owner": "me"}, "10.0.0.2", True),
    ],
)
async def test_a_device_is_claimed_by_who_may_configure_it_or_is_beside_it(
    is_open: bool, properties: dict[str, Any], address: str, is_allowed: bool | None
) -> None:
    bench = DoorBench(is_open=is_open)
    await bench.make("me")
    await bench.make("lamp", **properties)
    party = bench.parties.device("me", bench.tokens["me"], address)
    if is_allowed:
        await devices.claim(bench.door, party, "lamp", "My lamp")
        claimed = bench.device("lamp")
        assert (claimed.properties["owner"], claimed.title) == ("me", "My lamp")
        return
    with pytest.raises(NotAllowed if is_allowed is False else NoSuchDevice):
        await devices.claim(bench.door, party, "lamp")
    assert bench.device("lamp").properties == properties


async def test_only_a_device_claims(bench: DoorBench) -> None:
    for party in (bench.parties.stranger(ADDRESS), bench.parties.key(await bench.key("put"), "")):
        with pytest.raises(NotAllowed):
            await devices.claim(bench.door, party, "lamp")


# --- registering ---


async def test_who_may_register_a_device() -> None:
    for is_open in (False, True):
        bench = DoorBench(is_open=is_open)
        await bench.make("me")
        creates = bench.parties.key(await bench.key(*ACCESS_METHODS), ADDRESS)
        reads = bench.parties.key(await bench.key("get"), ADDRESS)
        made = [
            await devices.register(bench.door, party, {"a": 1}, is_legacy=False)
            for party in (bench.shown("me"), creates)
        ]
        assert {each.device.account_id for each in made} == {bench.account.account_id}
        assert {each.device.private for each in made} == {not is_open}
        with pytest.raises(NotAllowed):
            await devices.register(bench.door, reads, {}, is_legacy=False)
        stranger = bench.parties.stranger(ADDRESS)
        if is_open:
            await devices.register(bench.door, stranger, {}, is_legacy=False)
        else:
            with pytest.raises(Unauthenticated):
                await devices.register(bench.door, stranger, {}, is_legacy=False)


async def test_a_token_is_in_no_property_and_no_event(bench: DoorBench) -> None:
    asked = {"uuid": "new", "token": "s3cret", "color": "red"}
    made = await devices.register(bench.door, bench.shown("me"), asked, is_legacy=True)
    own = bench.parties.device("new", "s3cret", ADDRESS)
    await devices.update(bench.door, own, "new", {"token": "0ther", "color": "blue"})
    await messages.send(bench.door, own, {"devices": "me", "token": "s3cret"})
    assert made.device.properties == {"color": "red", "ipAddress": ADDRESS}
    for uuid in ("new", "me"):
        logged = await bench.events.read(bench.device(uuid).device_id, 100)
        text = msgspec.json.encode(logged).decode()
        assert "s3cret" not in text
        assert "0ther" not in text


# --- subscriptions ---


async def test_a_connection_subscribes_to_so_many_devices_at_a_time() -> None:
    bench = DoorBench(settings=SkynetSettings(subscriptions_max=3, rate_queries_s=0))
    await bench.make("me")
    for number in range(7):
        await bench.make(f"lamp-{number}")
    party, ear = bench.shown("me"), Ear()
    listens = subscriptions.Subscribed(bench.door, ear)
    kinds = subscriptions.kinds_of("broadcast")
    for number in (0, 1, 2, 2, 0):
        await listens.add(party, f"lamp-{number}", kinds)
    with pytest.raises(LimitReached):
        await listens.add(party, "lamp-3", kinds)
    await listens.remove(party, "lamp-0", kinds)
    await listens.add(party, "lamp-3", kinds)
    with pytest.raises(LimitReached):
        await listens.add(party, "lamp-4", kinds)
    await delete_device(bench.tank, OPERATOR, bench.device("lamp-1").device_id)
    await listens.add(party, "lamp-4", kinds)
    listens.clear()
    for number in (0, 2, 3, 4):
        device_id = bench.device(f"lamp-{number}").device_id
        assert not bench.board.has_listeners("broadcast", device_id)


async def test_what_a_device_hears_of_itself_it_cannot_unsubscribe_from(bench: DoorBench) -> None:
    party, ear, lamp = bench.shown("lamp"), Ear(), bench.device("lamp")
    listens = subscriptions.Subscribed(bench.door, ear)
    listens.listen(party, lamp, subscriptions.OWN_KINDS)
    await listens.remove(party, "lamp", subscriptions.kinds_of(list(subscriptions.KINDS)))
    for kind in subscriptions.OWN_KINDS:
        assert bench.board.listens(ear, kind, lamp.device_id)


async def test_a_subscription_hears_the_kinds_that_it_may(bench: DoorBench) -> None:
    ear, lamp = Ear(), bench.device("lamp")
    listens = subscriptions.Subscribed(bench.door, ear)
    kinds = subscriptions.kinds_of(None)
    await listens.add(bench.shown("friend"), "lamp", kinds)
    found = [kind for kind in kinds if bench.board.listens(ear, kind, lamp.device_id)]
    assert found == ["broadcast"]
    with pytest.raises(NotAllowed):
        await listens.add(bench.shown("friend"), "lamp", subscriptions.kinds_of("received,sent"))


async def test_a_query_shows_so_many_devices_the_newest_first(bench: DoorBench) -> None:
    bench.door.settings = msgspec.structs.replace(bench.door.settings, results_max=2)
    for uuid in ("one", "two", "three"):
        await bench.make(uuid, color="blue")
    found = await devices.query(bench.door, bench.parties.stranger(ADDRESS), {"color": "blue"})
    assert [device.uuid for device in found] == ["three", "two"]


async def test_of_very_many_datastreams_fewer_records_are_read_at_once(
    bench: DoorBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data, "VALUES_MAX", 12)
    me = bench.shown("me")
    for value in range(5):
        bench.clock.at_us += 1000
        await data.write(bench.door, me, "me", dict.fromkeys("abcd", value))
    for limit, count in ((0, 3), (10, 3), (2, 2)):
        found = await data.read(bench.door, me, "me", limit=limit)
        assert [each.values["a"] for each in found] == ["4", "3", "2"][:count]
