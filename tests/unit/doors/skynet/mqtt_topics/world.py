"""A tank behind an MQTT door in memory, and clients whose octets are given and taken by hand."""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import msgspec
from tests.conformance.mqtt import octets
from tests.conformance.mqtt.octets import Kind, Version
from tests.conformance.mqtt.reading import Packet, read_packet
from tests.waiting import until

from thingtank.doors.mqtt.access.rights import MqttAccess
from thingtank.doors.mqtt.authentication.authenticator import MqttAuthenticator
from thingtank.doors.mqtt.door import MqttDoor
from thingtank.doors.mqtt.gate import MqttGate
from thingtank.doors.mqtt.settings import MqttSettings
from thingtank.doors.mqtt.visitors import Visitors
from thingtank.doors.skynet.door import SkynetDoor
from thingtank.doors.skynet.mqtt_topics.names import MessageNames
from thingtank.doors.skynet.mqtt_topics.owner import SkynetTopics
from thingtank.doors.skynet.operations import devices
from thingtank.doors.skynet.parties import Parties
from thingtank.doors.skynet.rates import Rates
from thingtank.doors.skynet.settings import SkynetSettings
from thingtank.net.identity.principals import Callers
from thingtank.protocols.mqtt.bounds import Bounds
from thingtank.protocols.mqtt.broker import Broker
from thingtank.protocols.mqtt.keeping import Found
from thingtank.protocols.mqtt.parser import read_length
from thingtank.protocols.mqtt.retained import Retained
from thingtank.protocols.mqtt.topic_owners import TopicOwners
from thingtank.stores.memory_archive import MemoryArchive
from thingtank.stores.memory_device_events import MemoryDeviceEvents
from thingtank.stores.memory_directory import MemoryDirectory
from thingtank.stores.memory_kept_messages import MemoryKeptMessages
from thingtank.stores.memory_mqtt_sessions import MemoryMqttSessions
from thingtank.tank.access import Caller
from thingtank.tank.actions.messages import Sent, send_message
from thingtank.tank.messaging.permissions import Party, Policy
from thingtank.tank.tank import Tank
from thingtank.tank.things import Device

UNLIMITED = SkynetSettings(rate_messages_s=0, rate_data_s=0, rate_queries_s=0)


class Keeper(MemoryMqttSessions):
    """Says that things are on disk at once."""

    def when_kept(self, call: Any) -> None:
        call(None)


class World:
    """The tank, its doors, and who lives there."""

    def __init__(
        self,
        *,
        is_open: bool = True,
        keeper: MemoryMqttSessions | None = None,
        skynet: Mapping[str, Any] = MappingProxyType({}),
        **mqtt: Any,
    ) -> None:
        self.directory = MemoryDirectory()
        self.kept = MemoryKeptMessages()
        self.tank = Tank(
            self.directory,
            MemoryArchive(),
            policy=Policy(is_open),
            device_events=MemoryDeviceEvents(),
            kept_messages=self.kept,
        )
        self.account = self.directory.add_account("ada")
        now_us = self.tank.clock.now_us
        callers = Callers(self.directory, now_us)
        parties = Parties(self.directory, callers, now_us)
        settings = msgspec.structs.replace(UNLIMITED, **skynet)
        rates, account_id = Rates(settings), self.account.account_id
        self.skynet = SkynetDoor(settings, self.tank, parties, rates, account_id, now_us)
        self.settings = msgspec.convert(mqtt, MqttSettings)
        self.callers = callers
        self.keeper = keeper or Keeper()
        self.start()

    def start(self, found: Found | None = None) -> None:
        """Open the door, with what the last process has left."""
        now_us = self.tank.clock.now_us
        access = MqttAccess(self.settings, self.directory, self.callers, now_us)
        access.message_topics = MessageNames()
        authenticator = MqttAuthenticator(self.settings, access, None, b"s" * 32, now_us)
        self.gate = MqttGate(authenticator, access)
        self.broker = Broker(
            self.keeper, self.gate, Bounds(), Retained(100, 10**6), now_us, lambda: "made-up"
        )
        self.broker.kept_principals = access
        visitors = Visitors(access)
        self.topics = SkynetTopics(self.skynet, self.broker, visitors)
        self.broker.owner = TopicOwners((self.topics,))
        if found is not None:
            self.broker.restore(found)
        self.door = MqttDoor(self.settings, self.broker, self.directory)
        self.gate.door = visitors.door = self.door
        self.topics.start()

    async def device(self, **properties: Any) -> dict[str, str]:
        """A new device's uuid and token."""
        caller = Caller(self.account, address="127.0.0.1")
        made = await devices.register(self.skynet, Party(caller), properties, is_legacy=False)
        return {"uuid": made.device.uuid, "token": made.token}

    def found(self, uuid: str) -> Device:
        device = self.directory.find_device_by_uuid(uuid)
        assert device is not None
        return device

    async def send(self, sender: str, devices: Any, **content: Any) -> Sent:
        """A message that comes by another door."""
        party = Party(Caller(), self.found(sender)) if sender else Party(Caller())
        return await send_message(self.tank, party, {"devices": devices, **content})

    async def client(self, who: Mapping[str, str] | None = None, **connect: Any) -> "Client":
        """A client that has come in: a device, or a program of this machine."""
        client = Client(self, **connect)
        await client.come(who or {})
        assert client.connack.reason_code == 0, client.connack
        return client

    async def hearing(self, who: Mapping[str, str], **connect: Any) -> "Client":
        """A device's client that hears what is for it."""
        client = await self.client(who, **connect)
        client.subscribe(who["uuid"])
        return client


class Client:
    """One client, and its link."""

    headers: Mapping[str, str] = MappingProxyType({})
    certificate = None
    kind = "tcp"

    def __init__(
        self, world: World, version: Version = 4, address: str = "127.0.0.1", **connect: Any
    ) -> None:
        self.world = world
        self.version = version
        self.packets: list[Packet] = []
        self.is_closed = False
        self._connect = connect
        self._packet_id = 0
        self.connection = world.door.open(self, address)
        self.connack = Packet(Kind.CONNACK, b"")

    async def come(self, who: Mapping[str, str], more: bytes = b"") -> None:
        """Send CONNECT, and what is in the same segment, and wait for CONNACK."""
        fields: dict[str, Any] = {"client_id": "c-" + who.get("uuid", "")[:8]}
        if who:
            fields |= {"user_name": who["uuid"], "password": who["token"].encode()}
        self.send(octets.connect(version=self.version, **{**fields, **self._connect}) + more)
        await until(lambda: self.packets)
        self.connack = self.packets.pop(0)

    def send(self, data: bytes) -> None:
        self.world.door.receive(self.connection, data)
        self.world.door._flush()

    def subscribe(self, *filters: str, qos: int = 0) -> tuple[int, ...]:
        """Subscribe; the reason codes."""
        self.send(
            octets.subscribe(self.version, self.packet_id(), [(each, qos) for each in filters])
        )
        suback = next(each for each in self.packets if each.kind == Kind.SUBACK)
        self.packets.remove(suback)
        return tuple(suback.reason_codes)

    def packet_id(self) -> int:
        self._packet_id += 1
        return self._packet_id

    def publish(self, topic: str, payload: Any, qos: int = 0, **more: Any) -> None:
        """Publish an object as JSON, or octets as they are."""
        data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        packet_id = self.packet_id() if qos else 0
        self.send(octets.publish(self.version, topic, data, qos=qos, packet_id=packet_id, **more))

    def heard(self) -> list[tuple[str, Any]]:
        """Topic and content of what has been published to it, without acknowledging it."""
        self.world.door._flush()
        came = [each for each in self.packets if each.kind == Kind.PUBLISH]
        self.packets = [each for each in self.packets if each.kind != Kind.PUBLISH]
        return [(each.topic, _content(each.payload)) for each in came]

    async def hears(self, count: int = 1) -> list[tuple[str, Any]]:
        """The same, once so many have come."""
        await until(lambda: sum(each.kind == Kind.PUBLISH for each in self.packets) >= count)
        return self.heard()

    def events(self) -> list[tuple[str, Any]]:
        """What has come to its own topic: names of events, and their data."""
        return [(content["topic"], content["data"]) for _, content in self.heard()]

    def acknowledge(self) -> None:
        """Acknowledge what was sent in QoS 1 so far."""
        for packet_id in range(1, self.connection.session.last_packet_id + 1):
            self.send(octets.acknowledgement(Kind.PUBACK, self.version, packet_id))

    def disconnect(self) -> None:
        self.send(octets.disconnect(self.version))

    def lose(self) -> None:
        """Be gone without a word."""
        self.world.door.lose(self.connection)

    # --- as a link ---

    def write(self, data: bytes) -> None:
        while data:
            found = read_length(data, 1)
            assert found is not None
            end = found[0] + found[1]
            self.packets.append(read_packet(data[:end], self.version))
            data = data[end:]

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
        self.world.door.lose(self.connection)

    abort = close


def _content(payload: bytes) -> Any:
    try:
        return json.loads(payload)
    except ValueError:
        return payload
