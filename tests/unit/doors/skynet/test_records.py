"""What of a device is shown to whom: no secret to anybody, what is private to its own."""

from typing import Any

import msgspec
import pytest
from tests.unit.doors.skynet.skynet_bench import ADDRESS, DoorBench

from thingtank.doors.skynet.records import DERIVED, legacy_record, modern_record, sees_all
from thingtank.tank.access import OPERATOR, STRANGER, Caller
from thingtank.tank.keys import ACCESS_METHODS
from thingtank.tank.messaging.permissions import LIST_NAMES, Party
from thingtank.tank.messaging.presence import Connection
from thingtank.tank.things import Account, Device

PRIVATE: dict[str, Any] = {
    **{name: ["owner"] for name in LIST_NAMES},
    "owner": "owner",
    "meshblu": {"messageHooks": [{"url": "http://hook.invalid/", "auth": "s3cret"}]},
    "keepMessages": True,
}
FREE = {"color": "red", "n": 1.5, "ipAddress": "192.0.2.9", "type": "lamp"}
SHAPES = {"legacy": legacy_record, "modern": modern_record}


@pytest.fixture
async def bench() -> DoorBench:
    bench = DoorBench()
    await bench.make("lamp", tags=("b", "a"), **PRIVATE, **FREE)
    for uuid in ("owner", "me"):
        await bench.make(uuid)
    return bench


async def parties(bench: DoorBench) -> dict[str, tuple[Party, bool]]:
    """Who looks, and whether they see all."""
    lamp, key = bench.device("lamp"), bench.parties.key
    bob = bench.directory.add_account("bob")
    admin = bench.directory.add_account("root", is_admin=True)
    off = Account(bench.account.account_id, "alice", is_active=False)
    return {
        "itself": (bench.shown("lamp"), True),
        "its owner": (bench.shown("owner"), True),
        "who has its token": (Party(STRANGER, None, lamp.device_id, "token"), True),
        "the operator": (Party(OPERATOR), True),
        "its account": (Party(Caller(bench.account)), True),
        "an admin": (Party(Caller(admin)), True),
        "a key for everything": (key(await bench.key(*ACCESS_METHODS), ADDRESS), True),
        "a key that reads": (key(await bench.key("get"), ADDRESS), False),
        "another device": (bench.shown("me"), False),
        "another account": (Party(Caller(bob)), False),
        "an account that is off": (Party(Caller(off)), False),
        "a stranger": (Party(STRANGER), False),
    }


@pytest.mark.parametrize("shape", SHAPES)
async def test_who_may_change_a_device_sees_all_of_it_and_others_what_is_free(
    bench: DoorBench, shape: str
) -> None:
    lamp = bench.device("lamp")
    for who, (party, expected) in (await parties(bench)).items():
        assert sees_all(party, lamp) is expected, who
        record = SHAPES[shape](lamp, bench.tank.messaging.presence, party)
        shown = {name: record[name] for name in PRIVATE if name in record}
        assert shown == (PRIVATE if expected else {}), who
        assert {name: record[name] for name in FREE} == FREE
        assert (record["uuid"], record["tags"], record["online"]) == ("lamp", ["a", "b"], False)


@pytest.mark.parametrize("shape", SHAPES)
async def test_no_secret_is_in_a_record(bench: DoorBench, shape: str) -> None:
    secret = "s3cret-token"
    device = await bench.change("lamp", token=secret)
    connection = Connection("websocket", "socket-id", ADDRESS)
    bench.tank.messaging.presence.connect(device, connection)
    for party, sees in (await parties(bench)).values():
        record = SHAPES[shape](device, bench.tank.messaging.presence, party)
        text = msgspec.json.encode(record).decode()
        assert secret not in text
        assert bench.tokens["lamp"] not in text
        assert ("socket-id" in text) is sees


@pytest.mark.parametrize("name", sorted(DERIVED - {"name", "tags", "token"}))
async def test_what_the_tank_says_itself_is_not_what_a_property_says(
    bench: DoorBench, name: str
) -> None:
    device = await bench.change("lamp", **{name: "made up"})
    for shape in SHAPES.values():
        record = shape(device, bench.tank.messaging.presence, bench.shown("lamp"))
        assert record.get(name) != "made up"


async def test_each_generation_writes_times_as_it_did(bench: DoorBench) -> None:
    device, presence = bench.device("lamp"), bench.tank.messaging.presence
    party, connection = bench.shown("lamp"), Connection("mqtt", "", "10.9.9.9", is_secure=True)
    legacy = legacy_record(device, presence, party)
    assert (legacy["timestamp"], legacy["channel"]) == (1_394_193_600_123, "main")
    assert legacy["_id"] == f"{1_394_193_600:08x}{device.device_id:016x}"
    assert modern_record(device, presence, party)["timestamp"] == "2014-03-07T12:00:00.123Z"
    presence.connect(device, connection)
    bench.clock.at_us += 1_500_000
    presence.disconnect(device, connection)
    there = modern_record(device, presence, party)
    assert (there["online"], there["lastOnline"]) == (False, "2014-03-07T12:00:01.623Z")
    assert "onlineSince" not in there
    presence.connect(device, connection)
    there = modern_record(device, presence, party)
    assert there["onlineSince"] == "2014-03-07T12:00:01.623Z"
    assert (there["ipAddress"], there["protocol"], there["secure"]) == ("10.9.9.9", "mqtt", True)


def test_a_title_that_is_the_uuid_is_no_name() -> None:
    presence = DoorBench().tank.messaging.presence
    nameless = modern_record(Device(1, "lamp", 1, "lamp"), presence, Party(STRANGER))
    assert "name" not in nameless
    named = modern_record(Device(1, "lamp", 1, "Lamp"), presence, Party(STRANGER))
    assert named["name"] == "Lamp"
