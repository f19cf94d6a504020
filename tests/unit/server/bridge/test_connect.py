"""A realm's broker and MQTT's, connected: what is asked, what waits for what, what never crosses."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from tests.conformance.wamp.broker_peers import Realm, Session

from thingtank.doors.mqtt.settings import MqttSettings
from thingtank.doors.wamp.realm_settings import (
    ALL,
    Allowed,
    PermissionSettings,
    RealmSettings,
    RoleSettings,
)
from thingtank.protocols.mqtt.bounds import Bounds
from thingtank.protocols.mqtt.broker import Broker
from thingtank.protocols.mqtt.connection import Connection
from thingtank.protocols.mqtt.intake import Recorded
from thingtank.protocols.mqtt.messages import Message
from thingtank.protocols.mqtt.packets import Auth, Connect
from thingtank.protocols.mqtt.retained import Retained
from thingtank.protocols.wamp.messages import Published
from thingtank.protocols.wamp.payloads import opaque_payload, payload_of
from thingtank.protocols.wamp.serializers import CBOR, JSON, MSGPACK
from thingtank.server.bridge.connect import connect
from thingtank.server.bridge.settings import bridge_problems, find_role
from thingtank.stores.memory_mqtt_sessions import MemoryMqttSessions

EVERYTHING = RoleSettings("bridge", (PermissionSettings("", "prefix", ALL),))


class OpenGate:
    """Lets everybody in, who may do everything."""

    def __init__(self) -> None:
        self.broker: Broker

    def enter(self, connection: Connection, packet: Connect) -> None:
        self.broker.reception.admit(connection, "anonymous", OpenRights())

    def proceed(self, connection: Connection, auth: Auth) -> None:
        raise AssertionError

    def leave(self, connection: Connection) -> None:
        pass


class OpenRights:
    """Everything."""

    def may_publish(self, topic: str) -> bool:
        return True

    def may_subscribe(self, topic_filter: str) -> bool:
        return True

    def may_receive(self, topic: str) -> bool:
        return topic != "a/not/for/mqtt"


class SlowKeeper(MemoryMqttSessions):
    """Says that things are kept when a test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Callable[[Exception | None], None]] = []

    def when_kept(self, call: Callable[[Exception | None], None]) -> None:
        self.calls.append(call)

    def settle(self, error: Exception | None = None) -> None:
        calls, self.calls = self.calls, []
        for call in calls:
            call(error)


class MqttClient:
    """Speaks MQTT 3.1.1 by hand; its client ids of one letter have sessions that last."""

    def __init__(self, broker: Broker, client_id: str = "") -> None:
        self.connection = Connection(broker, self, "")
        clean = 0 if client_id else 2
        self._send(0x10, b"\0\4MQTT\4%c\0\0%b" % (clean, _text(client_id)))
        self.taken()

    def _send(self, first: int, body: bytes) -> None:
        assert len(body) < 128
        self.connection.receive_data(b"%c%c%b" % (first, len(body), body))

    def subscribe(self, topic_filter: str, qos: int = 0) -> None:
        self._send(0x82, b"\0\1%b%c" % (_text(topic_filter), qos))
        self.taken()

    def unsubscribe(self, topic_filter: str) -> None:
        self._send(0xA2, b"\0\1%b" % _text(topic_filter))
        self.taken()

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        self._send(0x31 if retain else 0x30, _text(topic) + payload)

    def taken(self) -> bytes:
        octets = b"".join(self.connection.out)
        self.connection.out.clear()
        return octets

    def close(self) -> None:
        self.connection.close()

    def pause(self) -> None:
        raise AssertionError

    def resume(self) -> None:
        pass


def _text(text: str) -> bytes:
    return len(text).to_bytes(2, "big") + text.encode()


class World:
    """Both brokers."""

    def __init__(self, role: RoleSettings = EVERYTHING) -> None:
        self.realm = Realm()
        gate = OpenGate()
        self.keeper = SlowKeeper()
        self.mqtt = gate.broker = Broker(
            self.keeper, gate, Bounds(), Retained(100, 100_000), lambda: 0, iter("bcdefg").__next__
        )
        self.to_mqtt, self.to_wamp = connect(self.realm.broker, self.mqtt, role, lambda: 7)
        self.asked: list[str] = []
        wants = self.to_wamp.wants

        def asking(topic: str) -> bool:
            self.asked.append(topic)
            return wants(topic)

        self.to_wamp.wants = asking  # type: ignore[method-assign] # to count

    def client(self, client_id: str = "") -> MqttClient:
        return MqttClient(self.mqtt, client_id)

    def session(self) -> Session:
        return self.realm.join(CBOR)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    yield world
    assert not world.to_mqtt.is_relaying


async def test_without_a_listener_messages_are_relayed_and_nothing_is_asked_twice(
    world: World,
) -> None:
    client, subscriber = world.client(), world.client()
    subscriber.subscribe("a/#")
    for payload in (b"1", b"2", b"3"):
        client.publish("a/b", payload)
    assert world.asked == ["a/b"]
    assert world.mqtt.route(b"a/b").relays_once
    assert subscriber.taken().count(b"a/b") == 3
    assert world.to_wamp.sent_count == 0


async def test_subscription_of_another_topic_changes_nothing(world: World) -> None:
    client, session = world.client(), world.session()
    client.publish("a/b", b"1")
    session.subscribed("a.c")
    session.subscribed("tank.", match="prefix")
    session.subscribed("a/b")
    client.publish("a/b", b"2")
    assert world.asked == ["a/b"]
    session.subscribed("a.b")
    client.publish("a/b", b"3")
    assert world.asked == ["a/b", "a/b"]
    assert session.values() == [3]


@pytest.mark.parametrize(
    ("uri", "match"), [("a.b", "exact"), ("a", "prefix"), ("", "prefix"), (".b", "wildcard")]
)
async def test_interest_is_counted(world: World, uri: str, match: Any) -> None:
    client = world.client()
    first, second = world.session(), world.session()
    client.publish("a/b", b"0")
    ids = [each.subscribed(uri, match=match) for each in (first, second)]
    client.publish("a/b", b"1")
    assert (first.values(), second.values()) == ([1], [1])
    first.unsubscribe(ids[0])
    client.publish("a/b", b"2")
    world.realm.broker.drop(second)
    asked = len(world.asked)
    client.publish("a/b", b"3")
    assert len(world.asked) == asked + 1
    assert not world.mqtt.route(b"a/b").is_overheard
    assert world.to_wamp.sent_count == 2


async def test_routes_of_clients_are_found_anew_though_the_broker_has_lost_them(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("thingtank.protocols.mqtt.broker.ROUTES_MAX", 1)
    client, session = world.client(), world.session()
    client.publish("a/b", b"1")
    client.publish("a/c", b"1")
    session.subscribed("a.b")
    client.publish("a/b", b"2")
    assert session.values() == [2]


async def test_in_mqtt_only_who_may_receive_it_is_a_listener(world: World) -> None:
    client = world.client()
    client.subscribe("#")
    session = world.session()
    assert world.to_mqtt.is_wanted("a.b")
    assert not world.to_mqtt.is_wanted("a.not.for.mqtt")
    session.publish("a.not.for.mqtt", 1)
    assert client.taken() == b""
    client.unsubscribe("#")
    assert not world.to_mqtt.is_wanted("a.b")
    session.publish("a.b", 1)
    assert world.to_mqtt.sent_count == 0


async def test_what_crosses_does_not_come_back(world: World) -> None:
    client, session, other = world.client(), world.session(), world.session()
    client.subscribe("#")
    for each in (session, other):
        each.subscribed("a.b")
    session.publish("a.b", 1)
    assert (session.values(), other.values()) == ([], [1])
    assert client.taken() == b"\x30\x06" + _text("a/b") + b"1"
    client.publish("a/b", b"2")
    assert (session.values(), other.values()) == ([2], [2])
    assert client.taken() == b"\x30\x06" + _text("a/b") + b"2"


async def test_what_the_router_itself_publishes_stays(world: World) -> None:
    client = world.client()
    client.subscribe("#")
    world.realm.broker.announce("a.b", payload_of(CBOR, [1]))
    assert client.taken() == b""


@pytest.mark.parametrize("error", [None, OSError("full")])
async def test_published_comes_when_sessions_that_last_have_it_on_disk(
    world: World, error: Exception | None
) -> None:
    client = world.client("k")
    client.subscribe("a/b", 1)
    session = world.session()
    world.mqtt.settle()
    world.keeper.settle()
    session.publish("a.b", 1, acknowledge=True)
    session.publish("a.c", 1, acknowledge=True)
    assert [type(each) for each in session.taken()] == [Published]  # of a.c
    world.mqtt.settle()
    assert session.taken() == []
    world.keeper.settle(error)
    (answer,) = session.taken()
    assert isinstance(answer, Published) == (error is None)


class Recorder:
    """Wants one topic, and tells when a test says so."""

    is_behind = False

    def __init__(self) -> None:
        self.recorded: list[tuple[int, bytes]] = []
        self.waiting: list[Recorded] = []

    def wants(self, topic: str) -> bool:
        return topic == "a/b"

    def record(self, message: Message, recorded: Recorded | None) -> None:
        self.recorded.append((message.qos, message.payload))
        if recorded is not None:
            self.waiting.append(recorded)

    def when_caught_up(self, call: Callable[[], None]) -> None:
        raise AssertionError


@pytest.mark.parametrize("error", [None, OSError("full")])
@pytest.mark.parametrize("is_kept", [False, True])
async def test_published_comes_when_a_recorder_of_mqtt_has_the_event_on_disk(
    world: World, error: Exception | None, is_kept: bool
) -> None:
    recorder = world.mqtt.recorder = Recorder()
    world.mqtt.change_routes()
    if is_kept:
        world.client("k").subscribe("a/b", 1)
    session = world.session()
    session.publish("a.b", 0)
    session.publish("a.b", 1, acknowledge=True)
    session.publish("a.c", 2, acknowledge=True)
    assert [type(each) for each in session.taken()] == [Published]  # of a.c
    assert recorder.recorded == [(0, b"0"), (1, b"1")]
    world.mqtt.settle()
    world.keeper.settle()
    assert session.taken() == []
    (recorded,) = recorder.waiting
    recorded(error)
    (answer,) = session.taken()
    assert isinstance(answer, Published) == (error is None)


async def test_published_does_not_wait_for_sessions_that_end_with_their_connections(
    world: World,
) -> None:
    client = world.client()
    client.subscribe("a/b", 1)
    session = world.session()
    session.publish("a.b", 1, acknowledge=True)
    assert [type(each) for each in session.taken()] == [Published]
    assert client.taken()[:1] == b"\x32"


async def test_what_the_router_cannot_read_stays(world: World) -> None:
    client = world.client()
    client.subscribe("#")
    peer = world.realm.join(CBOR, features={"publisher": ["payload_passthru_mode"]})
    peer.publish("a.b", b"?", ppt_scheme="x_mine")
    assert world.to_mqtt.is_wanted("a.b")
    world.to_mqtt.take("a.b", opaque_payload(CBOR, b"?"))
    assert client.taken() == b""


async def test_payload_without_a_form_in_mqtt_is_counted(world: World) -> None:
    client = world.client()
    client.subscribe("#")
    peer = world.session()
    peer.publish("a.b", {b"octets": 1})
    peer.publish("a.b", {b"octets": 1}, acknowledge=True)
    assert world.to_mqtt.unconvertible_count == 2
    assert client.taken() == b""


async def test_rights_are_those_of_the_role_and_its_authorizer_is_not_asked() -> None:
    role = RoleSettings(
        "bridge",
        (
            PermissionSettings("in.", "prefix", Allowed(publish=True)),
            PermissionSettings("out.", "prefix", Allowed(subscribe=True)),
        ),
        authorizer="com.example.authorize",
    )
    world = World(role)
    client, session = world.client(), world.session()
    client.subscribe("#")
    topics = ("in.a", "out.a", "other.a")
    for topic in topics:
        session.subscribed(topic)
    for topic in topics:
        session.publish(topic, topic)
        client.publish(topic.replace(".", "/"), topic.encode())
    assert session.values() == ["in.a"]
    assert world.to_mqtt.sent_count == 1


async def test_retained_message_is_found_only_where_the_role_may_publish() -> None:
    role = RoleSettings("bridge", (PermissionSettings("in.", "prefix", Allowed(publish=True)),))
    world = World(role)
    client, session = world.client(), world.session()
    for topic in ("in/a", "in/b", "inn", "other/a", "in/x.y"):
        client.publish(topic, topic.encode(), retain=True)
    session.subscribed("in", match="prefix", get_retained=True)
    assert session.values() == ["in/a", "in/b"]


async def test_retained_event_of_the_realm_is_told_once(world: World) -> None:
    client, session = world.client(), world.session()
    session.publish("a.b", "of WAMP", retain=True)
    client.publish("a/c", b"of MQTT", retain=True)
    session.subscribed("a.", match="prefix", get_retained=True)
    assert session.values() == ["of WAMP", "of MQTT"]


async def test_topic_that_is_too_deep_for_mqtt_stays(world: World) -> None:
    client = world.client()
    client.subscribe("#")
    world.session().publish(".".join("a" * 300), 1)
    assert client.taken() == b""


@pytest.mark.parametrize(
    ("settings", "realm", "problem"),
    [
        ({}, {}, ""),
        ({}, {"name": "other"}, ""),
        ({"wamp_realm": ""}, {}, ""),
        ({"wamp_realm": "realm2"}, {}, "mqtt.wamp_realm: there is no realm 'realm2'"),
        ({"wamp_role": "clerk"}, {}, "mqtt.wamp_role: realm1 has no role 'clerk'"),
        ({"wamp_role": "clerk"}, {"roles": (RoleSettings("clerk"),)}, ""),
    ],
    ids=str,
)
def test_settings_that_lead_nowhere(
    settings: dict[str, Any], realm: dict[str, Any], problem: str
) -> None:
    realms = (RealmSettings(**{"name": "realm1", **realm}),)
    found = "".join(bridge_problems(MqttSettings(**settings), realms))
    assert found.startswith(problem)
    assert bool(found) == bool(problem)


@pytest.mark.parametrize(
    ("realm", "name", "expected"),
    [
        ({}, "", "anonymous"),
        ({"anonymous_role": "guest"}, "", "guest"),
        ({"anonymous": "off"}, "", None),
        ({"anonymous_role": ""}, "", None),
        ({"methods": ("ticket",)}, "", None),
        ({"anonymous": "off"}, "guest", "guest"),
    ],
    ids=str,
)
def test_realm_that_is_closed_to_strangers_is_closed_to_mqtt(
    realm: dict[str, Any], name: str, expected: str | None
) -> None:
    role = find_role(RealmSettings("realm1", **realm, roles=(RoleSettings("guest"),)), name)
    assert (role.name if role is not None else None) == expected


async def test_number_that_the_first_receiver_cannot_have_reaches_the_others(world: World) -> None:
    client = world.client()
    sessions = [world.realm.join(serializer) for serializer in (MSGPACK, JSON, CBOR)]
    for each in sessions:
        each.subscribed("a.b")
    client.publish("a/b", b"9" * 30)
    assert [each.values() for each in sessions] == [[], [int("9" * 30)], [int("9" * 30)]]


async def test_will_is_heard_in_wamp(world: World) -> None:
    session, client = world.session(), world.client()
    session.subscribed("a.will")
    dying = Connection(world.mqtt, client, "")
    body = b"\0\4MQTT\4\6\0\0" + _text("") + _text("a/will") + _text("gone")
    dying.receive_data(b"\x10%c%b" % (len(body), body))
    dying.close()
    assert session.values() == ["gone"]


async def test_message_that_nobody_wants_is_not_taken(world: World) -> None:
    world.to_wamp.hear(Message("a//b", b""))
    assert world.to_wamp.sent_count == 0
