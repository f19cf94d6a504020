"""Clients are slowed down while the disk is behind, whatever they ask for."""

from collections.abc import Callable

from tests.unit.protocols.mqtt.brokers import QuietLink, connect, make_broker, taken

from thingtank.protocols.mqtt.packets import Pingreq, Unsubscribe
from thingtank.protocols.mqtt.properties import Properties
from thingtank.protocols.mqtt.serializer import serialize
from thingtank.stores.memory_mqtt_sessions import NullMqttSessions


class BusyDisk(NullMqttSessions):
    """Behind until it is told that it is not."""

    def __init__(self) -> None:
        super().__init__()
        self.is_busy = False
        self.calls: list[Callable[[], None]] = []

    @property
    def is_behind(self) -> bool:
        return self.is_busy

    def when_caught_up(self, call: Callable[[], None]) -> None:
        self.calls.append(call)


class Noting(QuietLink):
    def __init__(self) -> None:
        self.pauses: list[bool] = []

    def pause(self) -> None:
        self.pauses.append(True)

    def resume(self) -> None:
        self.pauses.append(False)


async def test_nothing_more_is_read_while_the_disk_is_behind() -> None:
    disk = BusyDisk()
    broker = make_broker(disk)
    client = connect(broker, "c", 5, properties=Properties(session_expiry_interval=60))
    link = client.link = Noting()
    disk.is_busy = True
    client.receive_data(serialize(Unsubscribe(1, ("a",)), 5))
    client.receive_data(serialize(Pingreq(), 5))
    assert link.pauses == [True]
    assert taken(client) == b""
    assert not broker.has_more
    disk.is_busy = False
    for call in disk.calls:
        call()
    assert broker.has_more
    broker.resume()
    assert link.pauses == [True, False]
    assert taken(client).endswith(b"\xd0\x00")
