"""Retained WAMP events are the same after a restart as before."""

import random
from pathlib import Path
from typing import Any

from tests.conformance.wamp.kept import KeptWorld, published
from tests.conformance.wamp.realms import NAMES, World

from thingtank.protocols.wamp.publications import Publication
from thingtank.protocols.wamp.retained import RetainedEvents
from thingtank.stores.wamp_events import WampEvents


def told(world: World, authid: str = "ann", topic: str = "", match: str = "prefix") -> list[Any]:
    """What a new subscriber is told: publication, topic, arguments; by topic."""
    client = world.join("msgpack", authid=authid)
    client.ask(32, topic, match=match, get_retained=True)
    _, *events = client.take()
    client.session.lose()
    events = [event for event in events if not event[3].get("topic", "").startswith("wamp.")]
    assert all(event[3]["retained"] is True for event in events)
    return [(event[2], event[3].get("topic"), event[4:]) for event in events]


async def test_retained_event_is_there_after_a_restart(tmp_path: Path) -> None:
    async with await KeptWorld.open(tmp_path) as world:
        publisher = world.join("cbor", authid="ann")
        publication_id = await published(publisher, "a.b", b"\0", retain=True, disclose_me=True)
        publisher_id = publisher.id
    async with await KeptWorld.open(tmp_path) as world:
        client = world.join("msgpack")
        client.ask(32, "a.b", get_retained=True)
        _, event = client.take()
        assert event[2:] == [
            publication_id,
            {
                "publisher": publisher_id,
                "publisher_authid": "ann",
                "publisher_authrole": "device",
                "retained": True,
            },
            [b"\0"],
        ]


async def test_deleted_event_stays_away(tmp_path: Path) -> None:
    async with await KeptWorld.open(tmp_path) as world:
        publisher = world.join()
        await published(publisher, "a", 1, retain=True)
        publisher.ask(16, "a", acknowledge=True, retain=True)
    async with await KeptWorld.open(tmp_path) as world:
        assert told(world) == []


async def test_any_order_of_publishing_is_the_same_after_restarts(tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")
    chance = random.Random(seed)
    number = 0
    for _ in range(6):
        async with await KeptWorld.open(tmp_path) as world:
            ids = iter(range(10_000 + number, 20_000 + number))
            world.make_id = lambda ids=ids: next(ids)  # type: ignore[misc] # known only now
            publishers = [world.join(name) for name in NAMES]
            for _ in range(chance.randrange(40)):
                number += 1
                limits: dict[str, Any] = {}
                if chance.random() < 0.3:
                    limits = {chance.choice(["eligible_authid", "exclude_authid"]): ["ann"]}
                payload = [] if chance.random() < 0.15 else [[number]]
                topic = chance.choice(["a", "a.b", "b.c", "d"])
                chance.choice(publishers).publish(topic, *payload, retain=True, **limits)
            before = {who: told(world, who) for who in ("ann", "bob")}
            number += 1000
        async with await KeptWorld.open(tmp_path) as world:
            assert {who: told(world, who) for who in ("ann", "bob")} == before


async def test_events_for_sessions_end_with_the_process(tmp_path: Path) -> None:
    async with await KeptWorld.open(tmp_path) as world:
        publisher = world.join()
        receiver = world.join()
        await published(publisher, "a", "for one", retain=True, eligible=[receiver.id])
        await published(publisher, "b", "for the others", retain=True, exclude=[receiver.id])
        receiver.ask(32, "a", get_retained=True)
        assert len(receiver.take()) == 2
    async with await KeptWorld.open(tmp_path) as world:
        assert [each[1] for each in told(world)] == ["b"]
        assert (
            await world.events._worker.run(lambda: len(world.events._file.retained("realm1"))) == 1
        )


async def test_realms_do_not_mix(tmp_path: Path) -> None:
    async with await KeptWorld.open(tmp_path) as world:
        await published(world.join(), "a", 1, retain=True)
        assert len(await world.events.retained("realm2")) == 0
        assert len(await world.events.retained("realm1")) == 1


async def test_what_has_no_room_at_a_start_is_forgotten(tmp_path: Path) -> None:
    async with await KeptWorld.open(tmp_path) as world:
        for number in range(5):
            await published(world.join(), f"a{number}", number, retain=True)
        stored = await world.events._worker.run(lambda: world.events._file.retained("realm1"))
    removed: list[Publication] = []

    class Store:
        def keep(self, event: Publication) -> None:
            raise AssertionError("it has it")

        def remove(self, event: Publication) -> None:
            removed.append(event)

    smaller = RetainedEvents(Store(), count_max=2)
    smaller.restore(stored)
    assert [event.topic for event in removed] == ["a0", "a1", "a2"]


async def test_file_stays_bounded_by_what_is_retained(tmp_path: Path) -> None:
    events = await WampEvents.open(tmp_path, lambda: 0)
    retained = await events.retained("realm1")
    world = World(retained=retained)
    publisher = world.join()
    for number in range(300):
        publisher.publish("a", [number], retain=True)
        if number % 50 == 0:
            await events.settled()
    await events.settled()
    assert await events._worker.run(lambda: len(events._file.retained("realm1"))) == 1
    await events.close()
