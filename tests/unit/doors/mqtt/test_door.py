"""What the door does at the end of a turn."""

import pytest
from tests.unit.doors.mqtt.houses import House
from tests.unit.doors.mqtt.open_door import Client, OpenDoor

from thingtank.protocols.mqtt.messages import Message, Subscription
from thingtank.protocols.mqtt.packets import Publish, Subscribe


@pytest.fixture
async def opened() -> OpenDoor:
    return OpenDoor(House())


class Broken(Client):
    """Its link takes nothing any more."""

    is_broken = False

    def write(self, data: bytes) -> None:
        if self.is_broken:
            raise RuntimeError("the handler is closed")
        super().write(data)


async def test_link_that_cannot_be_written_to_costs_the_others_nothing(opened: OpenDoor) -> None:
    broken, sound = Broken(opened, "broken"), Client(opened, "sound")
    for client in (broken, sound):
        client.send(Subscribe(1, (Subscription("#"),)))
    broken.is_broken = True
    for payload in (b"1", b"2"):
        opened.broker.publish(Message("a", payload))
        opened.flush()
    assert [each.payload for each in sound.packets if isinstance(each, Publish)] == [b"1", b"2"]
    assert broken.is_closed
    assert list(opened.door.links.values()) == [sound]


class Lingering(Client):
    """Its end is not heard of at once."""

    def close(self) -> None:
        self.is_closed = True


async def test_who_is_not_let_in_is_never_among_the_connected(opened: OpenDoor) -> None:
    Client(opened, "in")
    refused = Lingering(opened, "x" * 2000)
    assert refused.is_closed
    assert opened.door.connected_count == 1
    opened.door.lose(refused.connection)
    assert opened.door.connected_count == 1
