"""Which messages a page of the workbench gets: those its reader may see and asks for, bounded."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from tests.unit.tank.messaging.messaging_bench import Bench

from thingtank.tank.access import OPERATOR, Caller
from thingtank.tank.actions.devices import create_device
from thingtank.tank.actions.messages import send_message
from thingtank.tank.changes import DeviceChange
from thingtank.tank.messaging.permissions import Party
from thingtank.tank.messaging.presence import Connection
from thingtank.web.workbench import live_messages, message_tail
from thingtank.web.workbench.heard import HEARD_MAX
from thingtank.web.workbench.live_messages import messages
from thingtank.web.workbench.message_filter import AskedMessages, MessageFilter, make_filter
from thingtank.web.workbench.message_tail import KEPT_MAX, MessageTail


class Room(Bench):
    """A bench with a tail, and people beside alice: bob, who owns `bobs`, and an admin."""

    def __init__(self) -> None:
        super().__init__(is_open=True)
        self.tail = MessageTail(self.tank)
        self.alice = Caller(self.account)
        self.bob = Caller(self.directory.add_account("bob"))
        self.admin = Caller(self.directory.add_account("root", is_admin=True))

    async def fill(self) -> None:
        for uuid in ("lamp", "door"):
            await self.make(uuid, tags=("hall",))
        bob = self.bob.account
        assert bob is not None
        draft = DeviceChange(title="Bob's lamp", private=False)
        made = await create_device(
            self.tank, OPERATOR, draft, account_id=bob.account_id, uuid="bobs"
        )
        self.tokens["bobs"] = made.token

    async def send(self, by: str, devices: Any, payload: Any = 1, **more: Any) -> None:
        asked = {"devices": devices, "payload": payload, **more}
        await send_message(self.tank, self.party(by), asked)

    async def shown(self, caller: Caller, **terms: str) -> list[Any]:
        """The payloads of what somebody sees, oldest first."""
        wants = (await self.filter(caller, **terms)).wants
        return [seen.message.payload for seen in reversed(self.tail.newest(wants, KEPT_MAX))]

    async def filter(self, caller: Caller, **terms: str) -> MessageFilter:
        return await make_filter(self.tank, caller, AskedMessages(**terms))


@pytest.fixture
async def room() -> Room:
    room = Room()
    await room.fill()
    return room


async def test_people_see_what_is_from_or_to_their_own_devices_and_admins_all(room: Room) -> None:
    await room.send("lamp", "door", "within")
    await room.send("lamp", "bobs", "to bob")
    await room.send("bobs", "door", "from bob")
    await room.send("bobs", "bobs", "bob's own")
    await room.send("bobs", "*", "bob's broadcast")
    assert await room.shown(room.alice) == ["within", "to bob", "from bob"]
    assert await room.shown(room.bob) == ["to bob", "from bob", "bob's own", "bob's broadcast"]
    assert len(await room.shown(room.admin)) == 5


async def test_what_a_stranger_sends_is_its_recipients(room: Room) -> None:
    await room.send("", "bobs", "hello")
    assert await room.shown(room.alice) == []
    assert await room.shown(room.bob) == ["hello"]


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        ({}, [1, {"text": "Grüße"}, 3]),
        ({"device": "DOOR"}, [{"text": "Grüße"}]),
        ({"device": "Bob's"}, [3]),
        ({"device": "nowhere"}, []),
        ({"topic": "lights*"}, [1]),
        ({"topic": "weather, lights/*"}, [1, 3]),
        ({"topic": "-lights*"}, [{"text": "Grüße"}, 3]),
        ({"text": "GRÜSSE"}, []),
        ({"text": "grüße"}, [{"text": "Grüße"}]),
        ({"text": "weather", "device": "lamp"}, [3]),
    ],
    ids=str,
)
async def test_a_page_shows_what_its_address_asks_for(
    room: Room, terms: dict[str, str], expected: list[Any]
) -> None:
    await room.send("lamp", "lamp", 1, topic="lights/1")
    await room.send("lamp", "door", {"text": "Grüße"})
    await room.send("lamp", "bobs", 3, topic="weather")
    assert await room.shown(room.alice, **terms) == expected


async def test_a_message_to_many_is_one_with_all_its_recipients(room: Room) -> None:
    room.ear("lamp")
    wants = (await room.filter(room.bob)).wants
    with room.tail.hear(wants) as hearing:
        await room.send("lamp", ["lamp", "door", "bobs"])
        taken, skipped_count = hearing.take(10)
    (seen,) = taken
    assert [device.uuid for device in seen.devices] == ["lamp", "door", "bobs"]
    assert seen.outcomes == ["delivered", "away", "away"]
    assert (seen.device_count, skipped_count) == (3, 0)


async def test_of_very_many_messages_the_newest_are_kept_and_the_others_counted(
    room: Room,
) -> None:
    wants = (await room.filter(room.alice)).wants
    with room.tail.hear(wants) as hearing:
        for number in range(HEARD_MAX + 50):
            await room.send("lamp", "door", number)
        taken, skipped_count = hearing.take(20)
        assert [seen.message.payload for seen in taken] == list(range(130, 150))
        assert skipped_count == 130
        assert not hearing.is_waiting
    assert await room.shown(room.alice) == list(range(50, 150))
    await room.send("lamp", "door", "after the page was closed")
    assert not hearing.is_waiting


async def test_a_large_message_is_heard_and_not_kept(room: Room) -> None:
    wants = (await room.filter(room.alice)).wants
    with room.tail.hear(wants) as hearing:
        await room.send("lamp", "door", "x" * 10_000)
        assert hearing.is_waiting
    assert await room.shown(room.alice) == []


# --- the stream of a page ---


async def next_of(chunks: AsyncIterator[bytes]) -> tuple[str, Any]:
    """The next message's name and body."""
    async with asyncio.timeout(10):
        chunk = await anext(chunks)
    lines = chunk.decode().splitlines()
    fields = dict(line.split(": ", 1) for line in lines if line)
    return fields["event"], msgspec.json.decode(fields["data"])


@pytest.fixture
def stream(room: Room, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[bytes]:
    """Of alice's page."""
    monkeypatch.setattr(live_messages, "HEAR_S", 0.001)
    monkeypatch.setattr(live_messages, "LOOK_S", 0.001)
    message_tail.attach(room.tail)
    return messages(room.tank, room.alice, {}, asyncio.Event())


async def test_a_stream_tells_messages_and_who_is_there_until_the_account_changes(
    room: Room, stream: AsyncIterator[bytes]
) -> None:
    await room.send("lamp", "door", "before")
    name, body = await next_of(stream)
    assert name == "hello"
    assert [row["text"] for row in body["rows"]] == ['"before"']
    assert body["online"]["count"] == 0
    await room.send("bobs", "lamp", "now", topic="t", ack=7)
    name, body = await next_of(stream)
    (row,) = body["rows"]
    assert (name, row["sender"], row["recipients"]) == ("messages", "Bob's lamp", "lamp")
    assert (row["topic"], row["extras"], row["outcome"]) == ("t", '{"ack": 7}', "Away")
    room.tank.messaging.presence.connect(room.device("lamp"), Connection("mqtt"))
    room.tank.messaging.presence.connect(room.device("bobs"), Connection("mqtt"))
    name, body = await next_of(stream)
    assert (name, body["count"]) == ("online", 1)
    assert [row["name"] for row in body["rows"]] == ["lamp"]  # hers alone
    room.directory.put_account(msgspec.structs.replace(room.account, is_active=False))
    assert (await next_of(stream))[0] == "gone"


async def test_names_of_devices_that_the_reader_may_not_see_are_not_told(
    room: Room, stream: AsyncIterator[bytes]
) -> None:
    bob = room.bob.account
    assert bob is not None
    draft = DeviceChange(title="Bob's secret", properties={"sendWhitelist": ["*"]})
    await create_device(room.tank, OPERATOR, draft, account_id=bob.account_id, uuid="hidden")
    await room.send("lamp", "hidden")
    _, body = await next_of(stream)
    (row,) = body["rows"]
    assert (row["recipients"], row["recipient_url"]) == ("hidden", "")
    assert row["sender_url"] == f"/feeds/{room.device('lamp').device_id}"


async def test_somebody_who_sends_as_a_person_has_no_uuid(room: Room) -> None:
    await send_message(room.tank, Party(room.alice), {"devices": "lamp", "payload": 1})
    assert await room.shown(room.alice) == [1]
