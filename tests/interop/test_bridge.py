"""Topics of WAMP and MQTT are one: Autobahn and Paho, unmodified, on each other's messages."""

import asyncio
import itertools
import queue
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import urlsplit

import paho.mqtt.client as paho
import pytest
from autobahn.asyncio.wamp import ApplicationRunner, Session
from autobahn.wamp.serializer import create_transport_serializer
from autobahn.wamp.types import PublishOptions, SubscribeOptions
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from tests.live_server import LiveServer, start_server

WAIT_S_MAX = 20.0
SILENCE_S = 0.2
ORDERED = 500
TELL = PublishOptions(acknowledge=True)
SETTINGS = """
[mqtt]
wamp_role = "bridge"
[[mqtt.acl]]
topic = "org/hidden/#"
deny = "subscribe"
[[wamp.realms]]
name = "realm1"
[[wamp.realms.roles]]
name = "bridge"
[[wamp.realms.roles.permissions]]
uri = ""
match = "prefix"
allow = {publish = true, subscribe = true}
[[wamp.realms.roles.permissions]]
uri = "org.secret."
match = "prefix"
[[wamp.realms.roles.permissions]]
uri = "org.told."
match = "prefix"
allow = {subscribe = true}
[[wamp.realms.roles]]
name = "anonymous"
[[wamp.realms.roles.permissions]]
uri = ""
match = "prefix"
allow = {publish = true, subscribe = true}
[[wamp.realms.roles.permissions]]
uri = "org.known."
match = "prefix"
allow = {publish = true, subscribe = true}
disclose = {publisher = true}
"""


class Mqtt:
    """A client of Paho's."""

    def __init__(self, server: LiveServer, client_id: str = "", *, is_5: bool = True) -> None:
        version = paho.MQTTv5 if is_5 else paho.MQTTv311
        self.client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id, protocol=version)
        self._messages: queue.Queue[paho.MQTTMessage] = queue.Queue()
        self._done: queue.Queue[str] = queue.Queue()
        self.client.on_message = lambda client, userdata, message: self._messages.put(message)
        self.client.on_connect = lambda *_: self._done.put("connect")
        self.client.on_subscribe = lambda *_: self._done.put("subscribe")
        self.client.on_unsubscribe = lambda *_: self._done.put("unsubscribe")
        address = urlsplit(server.sockets["mqtt"])
        options: dict[str, Any] = {}
        if is_5 and client_id:
            options["clean_start"] = False
            options["properties"] = Properties(PacketTypes.CONNECT)
            options["properties"].SessionExpiryInterval = 100
        assert address.hostname
        assert address.port
        self.client.connect(address.hostname, address.port, **options)
        self.client.loop_start()

    async def _wait(self, what: str) -> None:
        assert await asyncio.to_thread(self._done.get, timeout=WAIT_S_MAX) == what

    async def connected(self) -> "Mqtt":
        await self._wait("connect")
        return self

    async def subscribe(self, *topic_filters: str, qos: int = 0) -> None:
        self.client.subscribe([(each, qos) for each in topic_filters])
        await self._wait("subscribe")

    async def unsubscribe(self, topic_filter: str) -> None:
        self.client.unsubscribe(topic_filter)
        await self._wait("unsubscribe")

    async def publish(self, topic: str, payload: Any = b"", **options: Any) -> None:
        sent = self.client.publish(topic, payload, **{"qos": 1, **options})
        await asyncio.to_thread(sent.wait_for_publish, WAIT_S_MAX)

    async def next(self) -> paho.MQTTMessage:
        return await asyncio.to_thread(self._messages.get, timeout=WAIT_S_MAX)

    def is_silent(self) -> bool:
        return self._messages.empty()

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


class Wamp:
    """A session of Autobahn's."""

    def __init__(self, session: Any) -> None:
        self.session = session
        self.events: asyncio.Queue[tuple[str | None, tuple[Any, ...], dict[str, Any]]] = (
            asyncio.Queue()
        )

    @classmethod
    async def join(cls, server: LiveServer, serializer: str = "cbor") -> "Wamp":
        joined: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        class Joining(Session):  # type: ignore[misc] # has no types
            def onJoin(self, details: Any) -> None:
                joined.set_result(self)

        runner = ApplicationRunner(
            server.sockets["wamp"], "realm1", serializers=[create_transport_serializer(serializer)]
        )
        await runner.run(Joining, start_loop=False, log_level=None)
        return cls(await asyncio.wait_for(joined, WAIT_S_MAX))

    async def subscribe(self, topic: str, match: str = "exact", **options: Any) -> Any:
        def heard(*args: Any, details: Any, **kwargs: Any) -> None:
            self.events.put_nowait((details.topic, args, kwargs))

        return await self.session.subscribe(
            heard, topic, SubscribeOptions(match=match, details=True, **options)
        )

    async def publish(self, topic: str, *args: Any, **kwargs: Any) -> None:
        await self.session.publish(topic, *args, **kwargs, options=TELL)

    async def next(self) -> tuple[str | None, tuple[Any, ...], dict[str, Any]]:
        return await asyncio.wait_for(self.events.get(), WAIT_S_MAX)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("bridge")
    (folder / "thingtank.toml").write_text(SETTINGS)
    with start_server(folder) as server:
        yield server


@pytest.fixture
async def wamp(server: LiveServer) -> AsyncIterator[Wamp]:
    wamp = await Wamp.join(server)
    yield wamp
    await wamp.session.leave()


@pytest.fixture
async def mqtt(server: LiveServer) -> AsyncIterator[Mqtt]:
    mqtt = await Mqtt(server).connected()
    yield mqtt
    mqtt.close()


_numbers = itertools.count(1)


@pytest.fixture
def name() -> str:
    """What no other test has."""
    return f"n{next(_numbers)}"


@pytest.mark.parametrize(
    ("args", "kwargs", "payload", "content_type"),
    [
        ((), {}, b"", None),
        (("on",), {}, b"on", "text/plain"),
        ((b"\0\xff",), {}, b"\0\xff", "application/octet-stream"),
        ((21.5,), {}, b"21.5", "application/json"),
        (({"a": [1]},), {}, b'{"a":[1]}', "application/json"),
        ((1, "b"), {}, b'[1,"b"]', "application/json"),
        ((), {"b": None}, b'{"b":null}', "application/json"),
        ((1,), {"b": 2}, b'{"args":[1],"kwargs":{"b":2}}', "application/json"),
    ],
    ids=str,
)
async def test_what_is_published_in_wamp_arrives_in_mqtt(
    wamp: Wamp,
    mqtt: Mqtt,
    name: str,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    payload: bytes,
    content_type: str | None,
) -> None:
    await mqtt.subscribe(f"com/example/{name}")
    await wamp.publish(f"com.example.{name}", *args, **kwargs)
    message = await mqtt.next()
    assert (message.topic, message.payload) == (f"com/example/{name}", payload)
    assert getattr(message.properties, "ContentType", None) == content_type
    assert not message.retain


@pytest.mark.parametrize("serializer", ["json", "msgpack", "cbor"])
@pytest.mark.parametrize(
    ("payload", "args", "kwargs"),
    [
        (b"", (), {}),
        (b"on", ("on",), {}),
        (b"\0\xff", (b"\0\xff",), {}),
        (b"21.5", (21.5,), {}),
        (b'{"a": [1]}', ({"a": [1]},), {}),
        (b'{"args": [1], "kwargs": {"b": 2}}', (1,), {"b": 2}),
    ],
    ids=str,
)
async def test_what_is_published_in_mqtt_arrives_in_wamp(
    server: LiveServer,
    name: str,
    serializer: str,
    payload: bytes,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> None:
    wamp = await Wamp.join(server, serializer)
    mqtt = await Mqtt(server, is_5=False).connected()
    await wamp.subscribe(f"com.example.{name}")
    await mqtt.publish(f"com/example/{name}", payload)
    assert (await wamp.next())[1:] == (args, kwargs)
    mqtt.close()
    await wamp.session.leave()


async def test_content_type_says_what_octets_are(wamp: Wamp, mqtt: Mqtt, name: str) -> None:
    await wamp.subscribe(name)
    for content_type, expected in (
        ("text/plain; charset=utf-8", "21.5"),
        ("application/json", 21.5),
        ("application/x", b"21.5"),
    ):
        properties = Properties(PacketTypes.PUBLISH)
        properties.ContentType = content_type
        await mqtt.publish(name, b"21.5", properties=properties)
        assert (await wamp.next())[1] == (expected,)


@pytest.mark.parametrize(
    ("uri", "match"), [("{}.a.", "prefix"), ("{}.", "prefix"), ("{}..b", "wildcard")]
)
async def test_patterns_of_wamp_match_topics_of_mqtt(
    wamp: Wamp, mqtt: Mqtt, name: str, uri: str, match: str
) -> None:
    await wamp.subscribe(uri.format(name), match)
    for topic in ("", "x/a/b", "/a.b", "/a/b/c d", "//b", "/a/b"):
        await mqtt.publish(f"{name}{topic}", topic)
    assert await wamp.next() == (f"{name}.a.b", ("/a/b",), {})
    assert wamp.events.empty()


@pytest.mark.parametrize("topic_filter", ["{}/#", "{}/+/b", "+/a/b", "$share/g/{}/a/+"])
async def test_topic_filters_match_topics_of_wamp(
    wamp: Wamp, mqtt: Mqtt, name: str, topic_filter: str
) -> None:
    await mqtt.subscribe(topic_filter.format(name))
    for topic in ("a/b", "x/a/b", "a+"):
        await wamp.publish(f"{name}.{topic}", topic)
    await wamp.publish(f"{name}.a.b", "a.b")
    assert (await mqtt.next()).payload == b"a.b"
    assert mqtt.is_silent()


@pytest.mark.parametrize("is_acknowledged", [False, True])
async def test_order_is_kept_both_ways(
    wamp: Wamp, mqtt: Mqtt, name: str, is_acknowledged: bool
) -> None:
    await wamp.subscribe(f"{name}.to.wamp")
    await mqtt.subscribe(f"{name}/to/mqtt", qos=1)
    for number in range(ORDERED):
        mqtt.client.publish(f"{name}/to/wamp", str(number), qos=int(is_acknowledged))
        options = PublishOptions(acknowledge=is_acknowledged)
        wamp.session.publish(f"{name}.to.mqtt", number, options=options)
    heard = [(await wamp.next())[1][0] for _ in range(ORDERED)]
    assert heard == list(range(ORDERED))
    heard = [int((await mqtt.next()).payload) for _ in range(ORDERED)]
    assert heard == list(range(ORDERED))


async def test_nothing_comes_back_where_it_came_from(wamp: Wamp, mqtt: Mqtt, name: str) -> None:
    await wamp.subscribe(f"{name}.a")
    await mqtt.subscribe(f"{name}/#")
    await mqtt.publish(f"{name}/a", b"of MQTT")
    await wamp.publish(f"{name}.a", "of WAMP")
    await mqtt.publish(f"{name}/a", b"the end")
    assert [(await mqtt.next()).payload for _ in range(3)] == [b"of MQTT", b"of WAMP", b"the end"]
    assert [(await wamp.next())[1] for _ in range(2)] == [("of MQTT",), ("the end",)]
    await asyncio.sleep(SILENCE_S)
    assert mqtt.is_silent()
    assert wamp.events.empty()


async def test_interest_comes_and_goes(
    server: LiveServer, wamp: Wamp, mqtt: Mqtt, name: str
) -> None:
    await mqtt.publish(f"{name}/a", b"before")
    subscription = await wamp.subscribe(f"{name}.a")
    await mqtt.publish(f"{name}/a", b"1")
    assert (await wamp.next())[1] == (1,)
    await subscription.unsubscribe()
    await mqtt.publish(f"{name}/a", b"between")
    other = await Wamp.join(server)
    await other.subscribe(f"{name}.", "prefix")
    await mqtt.publish(f"{name}/a", b"2")
    assert (await other.next())[1] == (2,)
    await other.session.leave()
    await wamp.publish(f"{name}.b", "before")
    await mqtt.subscribe(f"{name}/b")
    await wamp.publish(f"{name}.b", "1")
    assert (await mqtt.next()).payload == b"1"
    await mqtt.unsubscribe(f"{name}/b")
    await wamp.publish(f"{name}.b", "between")
    await mqtt.subscribe(f"{name}/+")
    await wamp.publish(f"{name}.b", "2")
    assert (await mqtt.next()).payload == b"2"
    assert wamp.events.empty()


async def test_acknowledged_publication_waits_for_a_client_of_mqtt_that_is_away(
    server: LiveServer, wamp: Wamp, name: str
) -> None:
    mqtt = await Mqtt(server, name).connected()
    await mqtt.subscribe(f"{name}/a", qos=1)
    mqtt.close()
    wamp.session.publish(f"{name}.a", "lost")
    await wamp.publish(f"{name}.a", "kept")
    mqtt = await Mqtt(server, name).connected()
    message = await mqtt.next()
    assert (message.payload, message.qos) == (b"kept", 1)
    mqtt.close()


async def test_what_is_retained_in_wamp_is_in_mqtt(wamp: Wamp, mqtt: Mqtt, name: str) -> None:
    retain = PublishOptions(acknowledge=True, retain=True)
    await wamp.session.publish(f"{name}.a", "kept", options=retain)
    await mqtt.subscribe(f"{name}/#")
    message = await mqtt.next()
    assert (message.topic, message.payload, message.retain) == (f"{name}/a", b"kept", True)
    await wamp.session.publish(f"{name}.a", options=retain)
    assert (await mqtt.next()).payload == b""
    await mqtt.subscribe(f"{name}/+")
    await mqtt.publish(f"{name}/end")
    assert (await mqtt.next()).topic == f"{name}/end"


@pytest.mark.parametrize(
    ("uri", "match"),
    [("{}.a", "exact"), ("{}.", "prefix"), ("{}.", "wildcard"), (".a", "wildcard")],
)
async def test_what_is_retained_in_mqtt_is_in_wamp(
    wamp: Wamp, mqtt: Mqtt, name: str, uri: str, match: str
) -> None:
    retain = PublishOptions(acknowledge=True, retain=True)
    await wamp.session.publish(f"{name}.a", "older", options=retain)
    await mqtt.publish(f"{name}/a", b"newer", retain=True)
    await wamp.subscribe(uri.format(name), match, get_retained=True)
    assert (await wamp.next())[1] == ("newer",)
    await mqtt.publish(f"{name}/a", b"", retain=True)
    assert (await wamp.next())[1] == ()
    await wamp.subscribe(f"{name}", "prefix", get_retained=True)
    await asyncio.sleep(SILENCE_S)
    assert wamp.events.empty()


async def test_role_of_the_bridge_says_what_crosses(wamp: Wamp, mqtt: Mqtt, name: str) -> None:
    await wamp.subscribe("org.", "prefix")
    await mqtt.subscribe("org/#")
    await wamp.publish(f"org.secret.{name}", "secret")
    await wamp.publish(f"org.hidden.{name}", "hidden")
    await wamp.publish(f"org.told.{name}", "told")
    await mqtt.publish(f"org/secret/{name}", b"secret, too")
    await mqtt.publish(f"org/told/{name}", b"not told")
    await mqtt.publish(f"org/free/{name}", b"free")
    assert (await wamp.next())[1] == ("free",)
    payloads = {(await mqtt.next()).payload for _ in range(4)}
    assert payloads == {b"told", b"secret, too", b"not told", b"free"}
    assert mqtt.is_silent()


async def test_publications_for_some_receivers_go_to_none_in_mqtt(
    wamp: Wamp, mqtt: Mqtt, name: str
) -> None:
    await mqtt.subscribe(f"{name}/#")
    for limits in ({"eligible": [1]}, {"eligible_authid": ["a"]}, {"exclude_authrole": ["bridge"]}):
        await wamp.session.publish(
            f"{name}.a", "not for all", options=PublishOptions(acknowledge=True, **limits)
        )
    options = PublishOptions(acknowledge=True, eligible_authrole=["bridge"])
    await wamp.session.publish(f"{name}.a", "for these", options=options)
    assert (await mqtt.next()).payload == b"for these"


async def test_publisher_that_is_disclosed_is_disclosed_in_mqtt(
    wamp: Wamp, mqtt: Mqtt, name: str
) -> None:
    await mqtt.subscribe(f"org/known/{name}")
    await wamp.publish(f"org.known.{name}", "x")
    told = dict((await mqtt.next()).properties.UserProperty)
    assert told["wamp_publisher"] == str(wamp.session.session_id)
    assert told["wamp_publisher_authrole"] == "anonymous"


async def test_topics_of_the_tank_do_not_cross(
    server: LiveServer, wamp: Wamp, mqtt: Mqtt, name: str
) -> None:
    key, feed = server.api_key, server.feed_id
    for prefix in ("v2.", f"{key}.", "c0ffee", "tanks", name):
        await wamp.subscribe(prefix, "prefix")
    await mqtt.subscribe("#")
    await mqtt.publish(f"{key}/v2/feeds/{feed}/datastreams/a.csv", b"21.5")
    for topic in ("v2/other", f"{key}/v2/other", "c0ffee00-0000-4000-8000-000000000000/a"):
        await mqtt.publish(topic, b"x")
    await mqtt.publish(f"tank/feeds/{feed}/a", b"a client's")
    await mqtt.publish(f"{name}/end", b"end")
    topics = []
    while not topics or topics[-1] != f"{name}.end":
        topics.append(str((await wamp.next())[0]))
    assert topics == [f"{name}.end"]
    topics = []
    while not topics or topics[-1] != f"{name}/end":
        topics.append((await mqtt.next()).topic)
    assert not [topic for topic in topics if "." in topic]
