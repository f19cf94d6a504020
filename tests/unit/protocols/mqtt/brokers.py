"""A broker without a door: clients are connections whose octets are given and taken by hand."""

import asyncio
from collections.abc import Callable
from itertools import count
from typing import Any

from thingtank.protocols.mqtt.bounds import Bounds
from thingtank.protocols.mqtt.broker import Broker
from thingtank.protocols.mqtt.connection import Connection
from thingtank.protocols.mqtt.messages import Subscription
from thingtank.protocols.mqtt.packets import Auth, Connect, Subscribe
from thingtank.protocols.mqtt.properties import NO_PROPERTIES, Properties
from thingtank.protocols.mqtt.retained import Retained
from thingtank.protocols.mqtt.serializer import serialize
from thingtank.stores.memory_mqtt_sessions import NullMqttSessions

START_US = 1_790_000_000_000_000


class Clock:
    """Stands still unless told."""

    def __init__(self) -> None:
        self.us = START_US

    def now_us(self) -> int:
        return self.us


class AllRights:
    """Of somebody who may do everything."""

    def may_publish(self, topic: str) -> bool:
        return True

    def may_subscribe(self, topic_filter: str) -> bool:
        return True

    def may_receive(self, topic: str) -> bool:
        return True


class Everybody:
    """All are still there, and may do everything."""

    def exists(self, principal: str) -> bool:
        return True

    def rights_of_kept(self, principal: str, client_id: str) -> AllRights:
        return AllRights()


class OpenGate:
    """Lets everybody in at once."""

    def __init__(self) -> None:
        self.broker: Broker | None = None

    def enter(self, connection: Connection, connect: Connect) -> None:
        assert self.broker is not None
        self.broker.reception.admit(connection, connect.user_name or "local", AllRights())

    def proceed(self, connection: Connection, auth: Auth) -> None:
        raise AssertionError("nobody is asked to go on")

    def leave(self, connection: Connection) -> None:
        pass


class QuietLink:
    """A transport that has nothing to do."""

    def pause(self) -> None:
        pass

    def resume(self) -> None:
        pass


def make_broker(
    keeper: Any = None, bounds: Bounds | None = None, now_us: Callable[[], int] | None = None
) -> Broker:
    """A broker, inside a running loop."""
    assert asyncio.get_running_loop()
    numbers = count(1)
    gate = OpenGate()
    gate.broker = Broker(
        keeper or NullMqttSessions(),
        gate,
        bounds or Bounds(),
        Retained(1000, 2**20),
        now_us or Clock().now_us,
        lambda: f"made-{next(numbers)}",
    )
    gate.broker.kept_principals = Everybody()
    return gate.broker


def connect(
    broker: Broker,
    client_id: str,
    version: int = 4,
    *,
    clean_start: bool = True,
    properties: Properties = NO_PROPERTIES,
) -> Connection:
    """A client that has come in; what it was told is dropped."""
    connection = Connection(broker, QuietLink(), "127.0.0.1")
    packet = Connect(version, client_id, clean_start, properties=properties)
    connection.receive_data(serialize(packet, version))
    assert connection.is_open
    taken(connection)
    return connection


def subscribe(connection: Connection, *subscriptions: Subscription) -> None:
    """Have it subscribe; the answer is dropped."""
    identifier = subscriptions[0].identifier
    properties = Properties(subscription_identifiers=(identifier,)) if identifier else NO_PROPERTIES
    packet = Subscribe(1, subscriptions, properties)
    connection.receive_data(serialize(packet, connection.version))
    taken(connection)


def taken(connection: Connection) -> bytes:
    """What it has been sent; the turn ends."""
    connection.broker.settle()
    connection.broker.dirty.clear()
    octets = b"".join(connection.out)
    connection.out.clear()
    return octets
