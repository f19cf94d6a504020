"""An MQTT door in memory, with clients whose links are these objects."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from tests.unit.doors.mqtt.houses import House

from thingtank.doors.mqtt.authentication.principal import LOCAL, Principal
from thingtank.doors.mqtt.door import MqttDoor
from thingtank.doors.mqtt.gate import MqttGate
from thingtank.doors.mqtt.workbench import MqttWorkbench
from thingtank.net.identity.principals import Nobody, TankPrincipal
from thingtank.protocols.mqtt.bounds import Bounds
from thingtank.protocols.mqtt.broker import Broker
from thingtank.protocols.mqtt.client_parser import parse_from_server
from thingtank.protocols.mqtt.packets import ClientPacket, Connect, ServerPacket
from thingtank.protocols.mqtt.parser import read_length
from thingtank.protocols.mqtt.retained import Retained
from thingtank.protocols.mqtt.serializer import serialize
from thingtank.stores.memory_mqtt_sessions import NullMqttSessions
from thingtank.tank.access import Caller


class OpenDoor:
    """The door of a house."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.keeper = NullMqttSessions()
        self.gate = MqttGate(house.authenticator, house.access)
        self.broker = Broker(
            self.keeper,
            self.gate,
            Bounds(),
            Retained(1000, 10**6),
            lambda: house.now_us,
            lambda: "made-up",
        )
        self.door = MqttDoor(house.settings, self.broker, house.directory)
        self.gate.door = self.door
        addresses = {"mqtt": "mqtt://127.0.0.1:1883"}
        self.workbench = MqttWorkbench(
            self.door, self.gate, house.access, addresses, is_everywhere=False
        )
        self.root = Caller(house.root, address="192.0.2.1")
        self.alice = Caller(house.alice, address="192.0.2.2")
        self.bob = Caller(house.bob)

    def flush(self) -> None:
        """End a turn."""
        self.door._flush()


class Client:
    """A client that the gate need not ask who it is."""

    headers: Mapping[str, str] = MappingProxyType({})
    certificate = None
    kind = "tcp"

    def __init__(
        self,
        opened: OpenDoor,
        client_id: str,
        principal_id: str = LOCAL,
        who: TankPrincipal | None = None,
        version: int = 5,
        **connect: Any,
    ) -> None:
        self.opened = opened
        self.version = version
        self.packets: list[ServerPacket] = []
        self.is_closed = False
        self.connection = opened.door.open(self, "198.51.100.7")
        principal = Principal(principal_id, client_id, who or Nobody())
        opened.gate.expect(self.connection, principal)
        self.send(Connect(version, client_id, **connect))

    def send(self, packet: ClientPacket) -> None:
        """Send a packet, and have it answered."""
        self.opened.door.receive(self.connection, serialize(packet, self.version))
        self.opened.flush()

    def write(self, data: bytes) -> None:
        at = 0
        while at < len(data):
            found = read_length(data, at + 1)
            assert found is not None
            length, body = found
            self.packets.append(
                parse_from_server(data[at], data[body : body + length], self.version)
            )
            at = body + length

    def write_all(self, pieces: list[bytes]) -> None:
        self.write(b"".join(pieces))

    def unread_bytes(self) -> int:
        return 0

    def pause(self) -> None:
        pass

    def resume(self) -> None:
        pass

    def close(self) -> None:
        self.is_closed = True
        self.opened.door.lose(self.connection)

    abort = close
