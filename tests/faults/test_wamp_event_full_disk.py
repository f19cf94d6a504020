"""A disk that is full or fails: publishers that wait are told, others live on, reads go on."""

from pathlib import Path

import pytest
from structlog.testing import capture_logs
from tests.conformance.wamp.kept import KeptWorld, answers, rules
from tests.conformance.wamp.realms import Client
from tests.faults.disks import fill, small_disk, turn_read_only

EVENTS_MAX = 3000
TEXT = "x" * 20_000


async def publish(client: Client, number: int) -> str:
    """The answer: an error's URI, or blank."""
    client.ask(16, "a", [number, TEXT], acknowledge=True, retain=True)
    answer = (await answers(client, 1))[0]
    return answer[4] if answer[0] == 8 else ""


async def publish_until_refused(client: Client, first: int) -> int:
    for number in range(first, first + EVENTS_MAX):
        if error := await publish(client, number):
            assert error == "wamp.error.unavailable"
            return number
    raise AssertionError("the disk took everything")


async def numbers(world: KeptWorld) -> list[int]:
    """Those kept, of the newest."""
    found = await world.ask(world.join("msgpack"), "a", reverse=True, limit=20)
    return [event["args"][0] for event in reversed(found)]


async def test_full_disk_refuses_events_loses_none_and_recovers(tmp_path: Path) -> None:
    with small_disk(tmp_path) as disk:
        async with await KeptWorld.open(disk / "tank", *rules("a")) as world:
            publisher, subscriber = world.join("msgpack"), world.join("msgpack")
            assert [await publish(publisher, each) for each in range(5)] == [""] * 5
            ballast = fill(disk)
            with capture_logs() as logs:
                refused = await publish_until_refused(publisher, 5)
                assert await publish(publisher, refused + 1) == "wamp.error.unavailable"
                subscription_id = subscriber.subscribe("a")
                publisher.publish("a", ["unasked"])
                ((_, told_id, _, _, args),) = await answers(subscriber, 1)
                assert (told_id, args) == (subscription_id, ["unasked"])
                await world.events.settled()
                assert publisher.take() == []
                assert world.events.lost_count == 3
                assert (await numbers(world))[-1] == refused - 1, "reads go on"
            assert [log["event"] for log in logs] == ["wamp_event_writes_fail", "wamp_events_lost"]
            ballast.unlink()
            assert await publish(publisher, refused + 2) == ""
        async with await KeptWorld.open(disk / "tank", *rules("a")) as world:
            assert (await numbers(world))[-2:] == [refused - 1, refused + 2]
            client = world.join("msgpack")
            client.ask(32, "a", get_retained=True)
            assert client.take()[1][4][0] == refused + 2


async def test_retained_event_is_written_once_the_disk_has_room(tmp_path: Path) -> None:
    with small_disk(tmp_path) as disk:
        async with await KeptWorld.open(disk / "tank", *rules("a")) as world:
            publisher = world.join("msgpack")
            await publish(publisher, 0)
            ballast = fill(disk)
            refused = await publish_until_refused(publisher, 1)
            ballast.unlink()
        async with await KeptWorld.open(disk / "tank", *rules("a")) as world:
            client = world.join("msgpack")
            client.ask(32, "a", get_retained=True)
            assert client.take()[1][4][0] == refused


@pytest.mark.parametrize("is_acknowledged", [True, False])
async def test_disk_that_fails_stops_nobody(tmp_path: Path, is_acknowledged: bool) -> None:
    with small_disk(tmp_path) as disk:
        async with await KeptWorld.open(disk / "tank", *rules("a")) as world:
            publisher, subscriber = world.join("msgpack"), world.join("msgpack")
            subscriber.subscribe("a")
            assert await publish(publisher, 0) == ""
            turn_read_only(disk)
            for number in range(1, 4):
                if is_acknowledged:
                    assert await publish(publisher, number) == "wamp.error.unavailable"
                else:
                    publisher.publish("a", [number, TEXT])
            assert [event[4][0] for event in await answers(subscriber, 4)] == [0, 1, 2, 3]
            await world.events.settled()
            assert world.events.lost_count == 3
            assert (await numbers(world))[0] == 0
