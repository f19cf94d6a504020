"""Wills that must not be published, or cannot be."""

import pytest
from tests.unit.protocols.mqtt.brokers import (
    AllRights,
    QuietLink,
    connect,
    make_broker,
    subscribe,
    taken,
)

from thingtank.protocols.mqtt.bounds import Bounds
from thingtank.protocols.mqtt.broker import Broker
from thingtank.protocols.mqtt.connection import Connection
from thingtank.protocols.mqtt.keeping import Found, FoundSession, KeptSession
from thingtank.protocols.mqtt.messages import Message, Subscription, Will
from thingtank.protocols.mqtt.packets import Connect, ConnectWill
from thingtank.protocols.mqtt.properties import Properties
from thingtank.protocols.mqtt.serializer import serialize


class NoSecrets(AllRights):
    """Of somebody who may publish to all topics but one."""

    def may_publish(self, topic: str) -> bool:
        return topic != "secret"


def kept(session: KeptSession) -> Found:
    return Found([FoundSession(session, [], [], [])], {})


def heard_after_a_restart(found: Found, bounds: Bounds | None = None) -> bytes:
    """What somebody who has subscribed to everything is sent by the next process."""
    broker = make_broker(bounds=bounds)
    watcher = connect(broker, "watcher")
    subscribe(watcher, Subscription("#", 0))
    broker.restore(found)
    broker.tick()
    return taken(watcher)


def comes_with_will(broker: Broker, topic: str) -> Connection:
    connection = Connection(broker, QuietLink(), "127.0.0.1")
    properties = Properties(session_expiry_interval=60)
    packet = Connect(5, "dying", will=ConnectWill(topic, b"gone"), properties=properties)
    connection.receive_data(serialize(packet, 5))
    return connection


@pytest.mark.parametrize(("topic", "is_heard"), [("open", True), ("secret", False)])
async def test_will_that_was_not_allowed_is_not_published_after_a_restart(
    topic: str, is_heard: bool
) -> None:
    connection = comes_with_will(make_broker(), topic)
    session = connection.session
    assert session is not None
    session.rights = NoSecrets()
    assert (b"gone" in heard_after_a_restart(kept(session.kept()))) is is_heard


async def test_will_of_too_many_levels_is_refused_with_its_connect() -> None:
    broker = make_broker(bounds=Bounds(topic_levels_max=2))
    connection = comes_with_will(broker, "a/b/c")
    assert connection.is_closed
    assert taken(connection)[3] == 0x90  # topic name invalid
    assert not broker.sessions
    assert comes_with_will(broker, "a/b").is_open


async def test_kept_will_of_too_many_levels_lets_the_next_process_start() -> None:
    will = Will(Message("a/b/c", b"gone"), 0, None)
    session = KeptSession("dying", "local", 5, 60, True, 0, will)
    assert heard_after_a_restart(kept(session), Bounds(topic_levels_max=2)) == b""
    assert b"gone" in heard_after_a_restart(kept(session))
