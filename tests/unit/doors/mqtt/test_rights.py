"""What clients may do with topics: a table of who, what and where, and how answers change."""

import msgspec
import pytest
from tests.unit.doors.mqtt.houses import (
    DEVICE_SECRET,
    ELSEWHERE,
    EXPIRING_SECRET,
    HERE,
    LAMP,
    MASTER_SECRET,
    NO_UUID,
    NOW_US,
    OTHER_UUID,
    PASSWORD,
    READER_SECRET,
    STREAM_SECRET,
    UUID,
    House,
)

from thingtank.doors.mqtt.access.rights import Rights
from thingtank.doors.mqtt.access.tank_topic import TankTopic, tank_topic_of
from thingtank.tank.errors import Unauthenticated

# FEED is the device's, OTHER the other device's, NONE nobody's. p: publish, s: subscribe, -: neither.
TABLE = """
topic                            local alice root lamp device master reader stream
garden/pump                      ps    ps    ps   ps   -      ps     -      -
garden/#                         s     s     s    s    -      s      -      -
#                                s     s     s    s    -      s      -      -
+/x                              s     s     s    s    -      s      -      -
$share/g/garden/#                s     s     s    s    -      s      -      -
/garden                          ps    ps    ps   ps   -      ps     -      -
UUID                             -     ps    ps   -    ps     ps     -      -
UUID/commands                    -     ps    ps   -    ps     ps     -      -
UUID/#                           -     s     s    -    s      s      -      -
OTHER_UUID/commands              -     ps    ps   -    -      ps     -      -
NO_UUID/commands                 ps    ps    ps   ps   -      ps     -      -
$SYS/#                           s     -     s    -    -      -      -      -
$SYS/broker/uptime               s     -     s    -    -      -      -      -
$other/x                         -     -     -    -    -      -      -      -
$share/g/$SYS/#                  s     -     s    -    -      -      -      -
/v2/feeds/FEED.json              -     ps    ps   -    ps     ps     s      p
/v2/feeds/FEED                   -     ps    ps   -    ps     ps     s      p
v2/feeds/FEED.csv                -     ps    ps   -    ps     ps     s      p
/v2/feeds/FEED/datastreams/t.csv -     ps    ps   -    ps     ps     s      ps
/v1/feeds/FEED/datastreams/t     -     ps    ps   -    ps     ps     s      ps
/v2/feeds/FEED/datastreams/u.csv -     ps    ps   -    ps     ps     s      -
/v2/feeds/OTHER.json             -     ps    ps   -    -      ps     -      -
/v2/feeds/NONE.json              -     -     -    -    -      -      -      -
/v2/feeds/x.json                 -     ps    ps   -    ps     ps     ps     ps
/v2/keys.json                    -     ps    ps   -    ps     ps     ps     ps
/v2/feeds/+                      -     -     -    -    -      -      -      -
/v2/#                            -     -     -    -    -      -      -      -
v2/#                             -     -     -    -    -      -      -      -
$share/g/v2/feeds/FEED.json      -     -     -    -    -      -      -      -
MASTER/v2/feeds/FEED.json        ps    ps    ps   ps   ps     ps     ps     ps
READER/v2/feeds/FEED.json        s     s     s    s    s      s      s      s
STREAM/v2/feeds/FEED.json        p     p     p    p    p      p      p      p
WRONG/v2/feeds/FEED.json         -     -     -    -    -      -      -      -
MASTER/v2/feeds/NONE.json        -     -     -    -    -      -      -      -
+/v2/feeds/FEED.json             -     -     -    -    -      -      -      -
"""
COLUMNS, *ROWS = [line.split() for line in TABLE.strip().splitlines()]


def filled(topic: str, house: House) -> str:
    for word, value in {
        "OTHER_UUID": OTHER_UUID,
        "NO_UUID": NO_UUID,
        "UUID": UUID,
        "FEED": str(house.device.device_id),
        "OTHER": str(house.other.device_id),
        "NONE": "999999",
        "MASTER": MASTER_SECRET,
        "READER": READER_SECRET,
        "STREAM": STREAM_SECRET,
        "WRONG": "wrong-secret-that-is-long",
    }.items():
        topic = topic.replace(word, value)
    return topic


def said(rights: Rights, topic: str) -> str:
    is_name = "+" not in topic and "#" not in topic and not topic.startswith("$share/")
    may_subscribe = rights.may_subscribe(topic)
    if is_name:
        assert rights.may_receive(topic) is may_subscribe
    may = ("p" if is_name and rights.may_publish(topic) else "") + ("s" if may_subscribe else "")
    return may or "-"


@pytest.mark.parametrize("who", COLUMNS[1:])
async def test_without_rules(who: str) -> None:
    house = await House.build(users=[LAMP])
    rights = await house.rights(who)
    column = COLUMNS.index(who)
    wanted = {row[0]: row[column] for row in ROWS}
    assert {topic: said(rights, filled(topic, house)) for topic in wanted} == wanted


PLANT = [
    {"principals": ["device:*"], "topic": "plant/%d/#", "allow": "both"},
    {"principals": ["device:*"], "topic": "plant/news", "allow": "subscribe"},
    {"principals": ["local"], "topic": "plant/#", "deny": "publish"},
    {"principals": ["lamp"], "topic": "lamps/%u/%c/+", "allow": "both"},
    {"principals": ["lamp", "account:b*"], "topic": "#", "deny": "both"},
    {"principals": ["key:*"], "topic": "secret/#", "deny": "both"},
    {"principals": ["key:*"], "topic": "#", "allow": "both"},
    {"principals": ["local"], "topic": f"{UUID}/commands", "allow": "publish"},
    {"principals": ["local"], "topic": "$own/#", "allow": "both"},
    {"principals": ["admin"], "topic": "admins/#", "allow": "both"},
    {"topic": "admins/#", "deny": "both"},
]
BY_RULE = """
topic               local alice root lamp device reader
plant/UUID/state    s     ps    ps   -    ps     ps
plant/UUID/#        s     s     s    -    s      s
plant/news          s     ps    ps   -    s      ps
plant/other         s     ps    ps   -    -      ps
plant/#             s     s     s    -    -      s
lamps/lamp/c1/x     ps    ps    ps   ps   -      ps
lamps/lamp/c1/+     s     s     s    s    -      s
lamps/lamp/c2/x     ps    ps    ps   -    -      ps
lamps/lamp/c1/#     s     s     s    -    -      s
secret/x            ps    ps    ps   -    -      -
secret/#            s     s     s    -    -      -
#                   s     s     s    -    -      s
UUID/commands       p     ps    ps   -    ps     -
OTHER_UUID/commands -     ps    ps   -    -      -
$own/x              ps    -     -    -    -      -
admins/x            -     -     ps   -    -      ps
/v2/feeds/FEED.json -     ps    ps   -    ps     s
"""
RULE_COLUMNS, *RULE_ROWS = [line.split() for line in BY_RULE.strip().splitlines()]


@pytest.mark.parametrize("who", RULE_COLUMNS[1:])
async def test_the_first_rule_that_fits_decides(who: str) -> None:
    house = await House.build(users=[LAMP], acl=PLANT)
    rights = await house.rights(who)
    column = RULE_COLUMNS.index(who)
    wanted = {row[0]: row[column] for row in RULE_ROWS}
    assert {topic: said(rights, filled(topic, house)) for topic in wanted} == wanted


async def test_strangers_with_a_key_use_topics_with_a_key_alone() -> None:
    rule = {"topic": "#", "allow": "both"}
    house = await House.build(anonymous="with_key", acl=[rule], sys_readers=["*"])
    stranger = house.access.rights_of(await house.come())
    feed = house.device.device_id
    for topic in ("a", f"{UUID}/x", "$SYS/x", f"/v2/feeds/{feed}.json", "/v2/keys.json"):
        assert said(stranger, topic) == "-"
    assert not stranger.may_subscribe("#")
    assert said(stranger, f"{MASTER_SECRET}/v2/feeds/{feed}.json") == "ps"
    here = house.access.rights_of(await house.come(peer=HERE))
    assert said(here, "a") == "ps"


async def test_a_users_account_lends_it_its_rights_in_the_tank() -> None:
    house = await House.build(users=[{**LAMP, "account": "alice"}])
    rights = await house.rights("lamp")
    assert said(rights, f"/v2/feeds/{house.device.device_id}.json") == "ps"
    assert said(rights, f"{UUID}/commands") == "ps"
    assert not rights.may_subscribe("$SYS/#")


async def test_a_public_feed_is_read_by_any_account_and_its_messages_are_not() -> None:
    house = await House.build()
    house.passwords.passwords["bob"] = PASSWORD
    public = await house.add_device(NO_UUID, "public-secret-that-is-long", private=False)
    bob = house.access.rights_of(await house.come("bob", PASSWORD))
    assert said(bob, f"/v2/feeds/{public.device_id}.json") == "s"
    assert said(bob, f"{NO_UUID}/commands") == "-"


async def test_a_renewed_key_ends_what_it_opened_and_the_answers() -> None:
    house = await House.build()
    rights, version = await house.rights("device"), house.access.version
    assert rights.is_alive()
    assert rights.may_publish(f"{UUID}/x")
    (key,) = [key for key in house.directory.keys_of(house.alice.account_id) if key.key_id == 1]
    await house.directory.replace_secret(key.key_id, "a-new-secret-that-is-long")
    assert house.access.version > version
    assert not rights.is_alive()
    assert not rights.may_publish(f"{UUID}/x")
    assert not rights.may_receive(f"/v2/feeds/{house.device.device_id}.json")
    with pytest.raises(Unauthenticated):
        rights.caller()


async def test_a_token_that_is_revoked_ends_what_it_opened_and_no_other_does() -> None:
    house = await House.build()
    device_id = house.device.device_id
    await house.directory.insert_token(device_id, "second", "", 0, tokens_max=2)
    by_root, by_second = [
        house.access.rights_of(await house.come(UUID, token)) for token in ("token", "second")
    ]
    version = house.access.version
    await house.directory.delete_token(device_id, "second")
    assert house.access.version > version
    assert (by_root.is_alive(), by_second.is_alive()) == (True, False)
    assert by_root.may_publish(f"{UUID}/x")
    assert not by_second.may_publish(f"{UUID}/x")
    with pytest.raises(Unauthenticated):
        by_second.caller()
    await house.directory.replace_root_token(device_id, "new")
    assert not by_root.is_alive()


async def test_a_key_ends_when_it_expires_though_nothing_changes() -> None:
    house = await House.build()
    rights = house.access.rights_of(await house.come(EXPIRING_SECRET))
    version = house.access.version
    assert rights.may_publish("a")
    house.now_us = NOW_US + 60_000_000
    assert house.access.version == version
    assert not rights.may_publish("a")
    assert not rights.is_alive()
    topic = f"{EXPIRING_SECRET}/v2/feeds/{house.device.device_id}.json"
    assert not (await house.rights("local")).may_publish(topic)


async def test_an_account_that_is_switched_off_may_nothing_more() -> None:
    house = await House.build()
    rights, master = await house.rights("alice"), await house.rights("master")
    assert rights.may_publish("a")
    assert master.may_publish("a")
    house.directory.put_account(msgspec.structs.replace(house.alice, is_active=False))
    assert not rights.may_publish("a")
    assert not rights.is_alive()
    assert not master.may_publish("a")


async def test_who_becomes_an_admin_is_one_at_once() -> None:
    house = await House.build()
    rights = await house.rights("alice")
    assert not rights.may_subscribe("$SYS/#")
    house.directory.put_account(msgspec.structs.replace(house.alice, is_admin=True))
    assert rights.may_subscribe("$SYS/#")


async def test_a_new_devices_topics_are_its_own_from_then_on() -> None:
    house = await House.build()
    rights, version = await house.rights("local"), house.access.version
    assert rights.may_receive(f"{NO_UUID}/x")
    await house.add_device(NO_UUID, "new-secret-that-is-long")
    assert house.access.version > version
    assert not rights.may_receive(f"{NO_UUID}/x")


async def test_kept_sessions_of_those_who_are_gone_are_known_as_such() -> None:
    house = await House.build(users=[LAMP])
    key, alice = house.keys["reader"].key_id, house.alice.account_id
    there = [f"key:{key}", f"account:{alice}", f"device:{UUID}", "user:lamp", "local", "anonymous"]
    assert [each for each in there if not house.access.exists(each)] == []
    gone = ["key:99", "key:x", "account:99", f"device:{NO_UUID}", "user:gate"]
    assert [each for each in gone if house.access.exists(each)] == []
    await house.directory.delete_key(key)
    assert not house.access.exists(f"key:{key}")


READ = [
    ("/v2/feeds/504.json", TankTopic("", "/v2/feeds/504.json", 504, "", "json")),
    ("v2/feeds/504.csv", TankTopic("", "/v2/feeds/504.csv", 504, "", "csv")),
    ("KEY/v2/feeds/504.xml", TankTopic("KEY", "/v2/feeds/504.xml", 504, "", "xml")),
    ("/v2/feeds/504", TankTopic("", "/v2/feeds/504", 504)),
    ("/v2/feeds/504/datastreams/0.csv", TankTopic("", "/v2/feeds/504/datastreams/0.csv", 504, "0", "csv")),
    ("/v1/feeds/504/datastreams/a.b", TankTopic("", "/v1/feeds/504/datastreams/a.b", 504, "a.b")),
    ("/v2/feeds/504.json?datastreams=a/b", TankTopic("", "/v2/feeds/504.json?datastreams=a/b", 504, "", "json")),
    ("/v2/feeds/0504.json", TankTopic("", "/v2/feeds/0504.json", format="json")),
    ("/v2/feeds/%35.json", TankTopic("", "/v2/feeds/%35.json", format="json")),
    ("/v2/feeds/504/triggers", TankTopic("", "/v2/feeds/504/triggers")),
    ("/v2", TankTopic("", "/v2/")),
    ("v1", TankTopic("", "/v1/")),
    ("KEY/v2/keys", TankTopic("KEY", "/v2/keys")),
    ("home/v2/kitchen", None),
    ("home/v2", None),
    ("home/v2/feedsx", None),
    ("home/feeds/v2", None),
    ("v3/feeds/504", None),
    ("v2x/feeds", None),
    ("//v2/feeds/504", None),
]  # fmt: skip


@pytest.mark.parametrize(("topic", "expected"), READ)
def test_topics_of_the_tank_are_told_from_others(topic: str, expected: TankTopic | None) -> None:
    """Xively API v2, MQTT."""
    assert tank_topic_of(topic) == expected


def test_the_key_in_a_topic_is_not_shown() -> None:
    topic = tank_topic_of(f"{MASTER_SECRET}/v2/feeds/1.json")
    assert MASTER_SECRET not in repr(topic)


async def test_a_client_id_that_is_a_devices_uuid_is_for_who_may_update_it() -> None:
    house = await House.build(users=[LAMP])
    may = {who: (await house.rights(who)).may_be_client_id(UUID) for who in COLUMNS[1:]}
    assert may == {
        "local": False,
        "alice": True,
        "root": True,
        "lamp": False,
        "device": True,
        "master": True,
        "reader": False,
        "stream": False,
    }
    device = house.access.rights_of(await house.come(UUID, DEVICE_SECRET, peer=ELSEWHERE))
    assert not device.may_be_client_id(OTHER_UUID)
    assert device.may_be_client_id(NO_UUID)
