"""Who may subscribe to what of the tank, and that nobody else may be the tank."""

import pytest
from tests.unit.doors.wamp.tank_peer.worlds import TankClient, TankWorld

from thingtank.tank.access import Caller
from thingtank.tank.actions.triggers import create_trigger
from thingtank.tank.keys import ACCESS_METHODS, Resource
from thingtank.tank.triggers import TriggerChange

EVERYBODY = (
    "root",
    "operator",
    "alice",
    "bob",
    "stranger",
    "key:all",
    "key:get",
    "key:temp",
    "key:readwrite",
)
DRAFT = TriggerChange(kind="gt", threshold="20", url="http://example.org/secret-hook")


async def furnished() -> tuple[TankWorld, dict[str, TankClient], dict[str, object]]:
    """A world with a private and a public feed of Alice's, a trigger, and one client of each kind."""
    world = TankWorld()
    private = await world.make_device()
    public = await world.make_device("Pond", private=False)
    feed_id = private.device_id
    trigger = await create_trigger(world.tank, Caller(world.alice), feed_id, "temperature", DRAFT)
    await world.make_key("all", *ACCESS_METHODS)
    await world.make_key("get", "get", resource=Resource(feed_id))
    await world.make_key("readwrite", "get", "put", resource=Resource(feed_id))
    await world.make_key("temp", "get", resource=Resource(feed_id, "temperature"))
    names = {
        "F": feed_id,
        "U": private.uuid,
        "PF": public.device_id,
        "PU": public.uuid,
        "T": trigger.trigger_id,
    }
    return world, {name: world.join(name) for name in EVERYBODY}, names


FULL = {"root", "operator"}
OWNERS = FULL | {"alice", "key:all"}
READERS = OWNERS | {"key:get", "key:readwrite"}
ALL = set(EVERYBODY)
TABLE = [
    ("tank.feeds.{F}.temperature", "exact", READERS | {"key:temp"}),
    ("tank.feeds.{F}.humidity", "exact", READERS),
    ("tank.feeds.{F}.not_there_yet", "exact", READERS),
    ("tank.feeds.{F}.", "prefix", READERS),
    ("tank.feeds.{F}.temperature", "prefix", READERS),
    ("tank.feeds.{F}.", "wildcard", READERS),
    ("tank.feeds.{PF}.temperature", "exact", ALL - {"key:get", "key:temp", "key:readwrite"}),
    ("tank.feeds.{PF}.", "prefix", ALL - {"key:get", "key:temp", "key:readwrite"}),
    ("tank.feeds.{PF}", "prefix", FULL),
    ("tank.feeds.0{PF}.temperature", "exact", FULL),
    ("tank.feeds.9999.temperature", "exact", FULL),
    ("tank.feeds.x.temperature", "exact", FULL),
    ("tank.feeds..temperature", "wildcard", FULL),
    ("tank.feeds.", "prefix", FULL),
    ("tank.", "prefix", FULL),
    ("t", "prefix", FULL),
    ("", "prefix", FULL),
    ("...", "wildcard", FULL),
    ("tank...", "wildcard", FULL),
    ("tank..{PF}.temperature", "wildcard", FULL),
    ("tank.devices.{U}.updated", "exact", READERS),
    ("tank.devices.{U}.message", "exact", OWNERS | {"key:readwrite"}),
    ("tank.devices.{U}.broadcast", "exact", READERS),
    ("tank.devices.{U}.presence", "exact", READERS),
    ("tank.devices.{U}.unheard_of", "exact", FULL),
    ("tank.devices.{U}.", "prefix", OWNERS | {"key:readwrite"}),
    ("tank.devices.{PU}.updated", "exact", ALL - {"key:get", "key:temp", "key:readwrite"}),
    ("tank.devices.{PU}.", "prefix", OWNERS),
    ("tank.devices..created", "wildcard", FULL),
    ("tank.triggers.{T}.fired", "exact", OWNERS | {"key:readwrite"}),
    ("tank.triggers.{T}.", "prefix", OWNERS | {"key:readwrite"}),
    ("tank.triggers.999.fired", "exact", FULL),
    ("tank.requests.{F}.served", "exact", OWNERS),
    ("tank.requests.{PF}.served", "exact", OWNERS),
    ("tank.unheard.of.topic", "exact", FULL),
    ("com.example.x", "exact", ALL),
    ("com.", "prefix", ALL),
    ("..x", "wildcard", ALL),  # the tank has no topic of three components,
    (".example.status.x", "wildcard", ALL),  # and none in a group of that name
    ("tanker.", "prefix", ALL),
]


async def test_who_may_subscribe_to_what() -> None:
    _, clients, names = await furnished()
    for uri, match, expected in TABLE:
        topic = uri.format(**names)
        allowed = {name for name, client in clients.items() if client.subscribe(topic, match)}
        assert allowed == expected, (topic, match)


@pytest.mark.parametrize(
    ("topic", "match"),
    [
        ("tank.feeds.{F}.temperature", "exact"),
        ("tank.devices.{U}.", "prefix"),
        (".devices.{U}.message", "wildcard"),
    ],
)
async def test_nobody_is_told_who_listens_to_the_tank(topic: str, match: str) -> None:
    _, clients, names = await furnished()
    stranger, alice = clients["stranger"], clients["alice"]
    assert stranger.subscribe("wamp.subscription.", "prefix")
    assert alice.subscribe(topic.format(**names), match)
    assert await stranger.heard() == []
    listed = await stranger.value_of("wamp.subscription.list")
    assert listed[match] == ([1] if match == "prefix" else [])  # its own
    uri = topic.format(**names)
    assert await stranger.value_of("wamp.subscription.lookup", uri, {"match": match}) is None
    assert await stranger.error_of("wamp.subscription.get", 2) == (
        "wamp.error.no_such_subscription"
    )
    assert alice.subscribe("com.example.x")
    assert len(await stranger.heard()) == 2


async def test_where_strangers_need_a_key_they_hear_nothing() -> None:
    world, clients, names = await furnished()
    world.reads_public = False
    assert not clients["stranger"].subscribe(f"tank.feeds.{names['PF']}.temperature")


@pytest.mark.parametrize("uri", ["tank", "tank.feeds.7.temperature", "tank.x"])
async def test_nobody_publishes_or_registers_below_the_root(uri: str) -> None:
    _, clients, _ = await furnished()
    for client in clients.values():
        client.client.ask(16, uri, acknowledge=True)
        client.client.ask(64, uri)
        client.client.ask(64, f"{uri}.", match="prefix")
        client.client.ask(64, f"{uri}..x", match="wildcard")
        answers = client.client.take()
        assert [(answer[0], answer[4]) for answer in answers] == [
            (8, "wamp.error.not_authorized")
        ] * 4


async def test_what_is_not_the_tanks_is_decided_by_others() -> None:
    _, clients, _ = await furnished()
    stranger = clients["stranger"].client
    stranger.subscribe("com.example.x")
    stranger.register("com.example.y")
    stranger.publish("com.example.x", [1], acknowledge=True, exclude_me=False)
    assert [message[0] for message in stranger.take()] == [17, 36]


async def test_who_is_nobody_any_more_may_subscribe_to_nothing() -> None:
    world, clients, names = await furnished()
    await world.directory.drop_account(world.bob.account_id)
    assert not clients["bob"].subscribe(f"tank.feeds.{names['PF']}.temperature")
