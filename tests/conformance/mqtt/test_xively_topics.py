"""Xively over MQTT: topics of feeds and datastreams, each publish and each subscription.

Source: Xively API v2, MQTT.
"""

import itertools
import json
import socket
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpx
import pytest
from tests.conformance.mqtt import octets
from tests.conformance.mqtt.octets import Kind, Version, Will
from tests.conformance.mqtt.wire import VERSIONS, WAIT_S_MAX, Broker, Client
from tests.live_server import LiveServer, start_server
from tests.waiting import wait_until
from websockets.sync.client import ClientConnection, connect

from thingtank.protocols.mqtt.reason_codes import ReasonCode

CHANNEL = "temperature"


class House(NamedTuple):
    """A server, and who may do what there."""

    server: LiveServer
    http: httpx.Client
    broker: Broker

    def key(self, *methods: str, feed: int, datastream: str | None = None) -> str:
        resource: dict[str, Any] = {"feed_id": feed}
        if datastream is not None:
            resource["datastream_id"] = datastream
        permission = {"access_methods": list(methods), "resources": [resource]}
        key = {"label": "a test's", "private_access": True, "permissions": [permission]}
        return _made(self.http.post("/v2/keys", json={"key": key}))

    def new_feed(self, **fields: Any) -> int:
        body = {"title": "a test's", "private": "true", **fields}
        body.setdefault("datastreams", [{"id": CHANNEL, "current_value": "1"}])
        return int(_made(self.http.post("/v2/feeds", json=body)))

    def read(self, path: str) -> str:
        return self.http.get(f"/v2{path}").raise_for_status().text

    def value(self, feed: int, datastream: str = CHANNEL) -> str | None:
        reply = self.http.get(f"/v2/feeds/{feed}/datastreams/{datastream}.json")
        return reply.json().get("current_value") if reply.is_success else None

    def come(self, key: str | None = None, version: Version = 5, **connect: Any) -> Client:
        """A client that has come in by a key, by itself the owner's."""
        key = self.server.master_key() if key is None else key
        return self.broker.connect(version=version, user_name=key, password=b"x", **connect)


def _made(reply: httpx.Response) -> str:
    return reply.raise_for_status().headers["Location"].rpartition("/")[2]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with start_server(tmp_path_factory.mktemp("tank") / "data") as server:
        server.master_key()
        yield server


@pytest.fixture
def house(running: LiveServer) -> Iterator[House]:
    host, _, port = running.sockets["mqtt"].removeprefix("mqtt://").rpartition(":")
    broker = Broker(host, int(port))
    headers = {"X-ApiKey": running.master_key()}
    with httpx.Client(base_url=running.url, headers=headers, timeout=30) as http:
        yield House(running, http, broker)
    broker.close()


# --- publish ---

# What is published to `…feeds/F…`, and the values of the feed's datastreams afterwards.
PUBLISHED = {
    "a feed's JSON": (
        "/v2/feeds/{feed}.json",
        '{"datastreams": [{"id": "temperature", "current_value": "21.50"}, {"id": "new", '
        '"current_value": 7}]}',
        {"temperature": "21.50", "new": "7"},
    ),
    "no extension is JSON": (
        "/v2/feeds/{feed}",
        '{"datastreams": [{"id": "temperature", "current_value": "2"}]}',
        {"temperature": "2"},
    ),
    "a feed's CSV": ("/v2/feeds/{feed}.csv", "temperature,21.5", {"temperature": "21.5"}),
    "rows with times": (
        "/v2/feeds/{feed}.csv",
        "temperature,2026-01-02T03:04:05Z,3\nnew,2026-01-02T03:04:05Z,4\n",
        {"temperature": "1", "new": "4"},  # the value from before is newer
    ),
    "many values of one datastream": (
        "/v2/feeds/{feed}.csv",
        "new,2026-01-02T03:04:05Z,3\nnew,2026-01-02T03:04:06Z,4\n",
        {"temperature": "1", "new": "4"},
    ),
    "a feed's XML": (
        "/v2/feeds/{feed}.xml",
        '<eeml xmlns="http://www.eeml.org/xsd/0.5.1"><environment><data id="temperature">'
        "<current_value>8</current_value></data></environment></eeml>",
        {"temperature": "8"},
    ),
    "a datastream's bare value": (
        "/v2/feeds/{feed}/datastreams/temperature.csv",
        "21.5",
        {"temperature": "21.5"},
    ),
    "a value that is no number": (
        "/v2/feeds/{feed}/datastreams/temperature.csv",
        '"on, mostly"',
        {"temperature": "on, mostly"},
    ),
    "a datastream's value with its time": (
        "/v2/feeds/{feed}/datastreams/new.csv",
        "2026-01-02T03:04:05Z,5",
        {"new": "5"},
    ),
    "a datastream's JSON": (
        "/v2/feeds/{feed}/datastreams/temperature.json",
        '{"current_value": "22", "unit": {"symbol": "C"}}',
        {"temperature": "22"},
    ),
    "a datastream's XML": (
        "/v2/feeds/{feed}/datastreams/temperature.xml",
        '<eeml xmlns="http://www.eeml.org/xsd/0.5.1"><environment><data id="temperature">'
        "<current_value>9</current_value></data></environment></eeml>",
        {"temperature": "9"},
    ),
    "a datastream that is not there": (
        "/v2/feeds/{feed}/datastreams/new.csv",
        "6",
        {"temperature": "1", "new": "6"},
    ),
    "a datastream whose name has dots": (
        "/v2/feeds/{feed}/datastreams/my.temp.csv",
        "6",
        {"my.temp": "6"},
    ),
    "a datastream of the API v1": (
        "/v1/feeds/{feed}/datastreams/temperature.csv",
        "10",
        {"temperature": "10"},
    ),
    "a feed of the API v1, whose datastreams replace those there were": (
        "/v1/feeds/{feed}.csv",
        "11,12",
        {"0": "11", "1": "12", "temperature": None},
    ),
    "no leading slash": ("v2/feeds/{feed}.csv", "temperature,13", {"temperature": "13"}),
    "a key in front": ("{key}/v2/feeds/{feed}.csv", "temperature,14", {"temperature": "14"}),
}


@pytest.mark.parametrize("case", PUBLISHED)
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_publish_is_a_put(house: House, case: str, qos: int) -> None:
    topic, payload, values = PUBLISHED[case]
    feed = house.new_feed()
    client = house.come(version=VERSIONS[qos])
    topic = topic.format(feed=feed, key=house.server.master_key())
    client.publish(topic, payload.encode(), qos)

    def is_there() -> bool:
        return {name: house.value(feed, name) for name in values} == values

    if qos == 0:
        wait_until(is_there, lambda: house.read(f"/feeds/{feed}.csv"))
    assert is_there(), house.read(f"/feeds/{feed}.csv")  # it is on disk by now


@pytest.mark.parametrize("version", [4, 5])
def test_a_feeds_title_is_changed_too(house: House, version: Version) -> None:
    feed = house.new_feed()
    client = house.come(version=version)
    client.publish(f"/v2/feeds/{feed}.json", b'{"title": "by MQTT", "tags": ["a"]}', 1)
    read = json.loads(house.read(f"/feeds/{feed}.json"))
    assert (read["title"], read["tags"]) == ("by MQTT", ["a"])


def test_retain_is_no_matter_of_feeds(house: House) -> None:
    feed = house.new_feed()
    client = house.come()
    client.publish(f"/v2/feeds/{feed}.csv", b"temperature,5", 1, retain=True)
    assert house.value(feed) == "5"
    client.subscribe("#", qos=1)
    assert not [came for came in client.take_all() if "v2" in came.topic]


REFUSED = {
    "a key that may only read": ("reader", "/v2/feeds/{feed}.csv", "t,1", "NOT_AUTHORIZED"),
    "a key of another datastream": (
        "stream",
        "/v2/feeds/{feed}/datastreams/other.csv",
        "1",
        "NOT_AUTHORIZED",
    ),
    "all of the feed, for who may write one datastream": (
        "stream",
        "/v2/feeds/{feed}.csv",
        "temperature,1",
        "NOT_AUTHORIZED",
    ),
    "a feed that is not there": ("owner", "/v2/feeds/987654.csv", "t,1", "TOPIC_NAME_INVALID"),
    "a key that nobody knows": (
        "owner",
        "NobodyKnowsThisKeyThatIsNone/v2/feeds/{feed}.csv",
        "t,1",
        "NOT_AUTHORIZED",
    ),
    "no JSON": ("owner", "/v2/feeds/{feed}.json", '{"datastreams', "PAYLOAD_FORMAT_INVALID"),
    "no CSV": ("owner", "/v2/feeds/{feed}.csv", "temperature", "PAYLOAD_FORMAT_INVALID"),
    "no value": ("owner", "/v2/feeds/{feed}/datastreams/t.csv", "", "PAYLOAD_FORMAT_INVALID"),
    "no time": ("owner", "/v2/feeds/{feed}.csv", "t,soon,1", "PAYLOAD_FORMAT_INVALID"),
    "a name that is no datastream's": (
        "owner",
        "/v2/feeds/{feed}.csv",
        "a b,1",
        "PAYLOAD_FORMAT_INVALID",
    ),
    "too many values": (
        "owner",
        "/v2/feeds/{feed}.csv",
        "\n".join(f"t,2026-01-01T00:{n // 60 % 60:02}:{n % 60:02}.{n:06}Z,1" for n in range(600)),
        "QUOTA_EXCEEDED",
    ),
    "a format that is not spoken": ("owner", "/v2/feeds/{feed}.png", "1", "TOPIC_NAME_INVALID"),
    "a path that is none": ("owner", "/v2/feeds/{feed}/nonsense", "1", "TOPIC_NAME_INVALID"),
    "what has no PUT": ("owner", "/v2/keys.json", "{}", "TOPIC_NAME_INVALID"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused_is_told_to_clients_of_mqtt_5_and_is_silent_otherwise(
    house: House, case: str
) -> None:
    who, topic, payload, reason = REFUSED[case]
    feed = house.new_feed()
    keys = {
        "owner": lambda: house.server.master_key(),
        "reader": lambda: house.key("get", feed=feed),
        "stream": lambda: house.key("get", "put", feed=feed, datastream=CHANNEL),
    }
    key, topic = keys[who](), topic.format(feed=feed)
    for version, qos in itertools.product(VERSIONS[1:], (1, 2)):
        client = house.come(key, version)
        answer = client.publish(topic, payload.encode(), qos)
        assert answer is not None
        expected = ReasonCode[reason] if version == 5 else ReasonCode.SUCCESS
        assert answer.reason_code == expected
    assert house.value(feed) == "1"
    assert list(json.loads(house.read(f"/feeds/{feed}.json"))["datastreams"]) != []


def test_who_may_write_one_datastream_writes_it(house: House) -> None:
    feed = house.new_feed()
    client = house.come(house.key("put", feed=feed, datastream=CHANNEL))
    answer = client.publish(f"/v2/feeds/{feed}/datastreams/{CHANNEL}.csv", b"3", 1)
    assert answer is not None
    assert (answer.reason_code, house.value(feed)) == (0, "3")


def test_without_a_name_the_key_stands_in_the_topic(house: House) -> None:
    feed = house.new_feed()
    client = house.broker.connect(version=4)
    key = house.key("get", "put", feed=feed)
    client.publish(f"{key}/v2/feeds/{feed}.csv", b"temperature,4", 1)
    client.publish(f"/v2/feeds/{feed}.csv", b"temperature,5", 1)
    assert house.value(feed) == "4"


def test_a_key_that_is_deleted_writes_no_more(house: House) -> None:
    feed = house.new_feed()
    key = house.key("put", feed=feed)
    client = house.come(version=5)
    topic = f"{key}/v2/feeds/{feed}.csv"
    first = client.publish(topic, b"temperature,4", 1)
    house.http.delete(f"/v2/keys/{key}").raise_for_status()
    second = client.publish(topic, b"temperature,5", 1)
    assert first is not None
    assert second is not None
    assert (first.reason_code, second.reason_code) == (0, ReasonCode.NOT_AUTHORIZED)
    assert house.value(feed) == "4"


@pytest.mark.parametrize("version", [4, 5])
def test_a_will_is_a_put(house: House, version: Version) -> None:
    feed = house.new_feed()
    topic = f"/v2/feeds/{feed}/datastreams/{CHANNEL}.csv"
    watcher = house.come(version=version)
    watcher.subscribe(topic, qos=1)
    watcher.take()
    house.come(version=version, will=Will(topic, b"gone", 1)).lose()
    assert watcher.take().payload.endswith(b",gone")
    assert house.value(feed) == "gone"


def test_the_request_log_shows_writes(house: House) -> None:
    feed = house.new_feed()
    client = house.come(client_id="a-lamp")
    with connect(house.server.sockets["wamp"], subprotocols=["wamp.2.json"]) as socket:
        listen_to_requests(socket, feed, house.server.master_key())
        client.publish(f"{house.server.master_key()}/v2/feeds/{feed}.csv", b"temperature,17", 1)
        client.publish(f"/v2/feeds/{feed}.csv", b"temperature", 1)
        client.publish(f"/v2/feeds/{feed}/triggers.csv", b"", 1)
        client.subscribe(f"/v2/feeds/{feed}.csv?duration=1hour")
        seen = [json.loads(socket.recv(WAIT_S_MAX))[4][0] for _ in range(4)]
    assert seen.pop(0)["method"] == "SUBSCRIBE"  # that of WAMP's
    shown = [(each["method"], each["path"], each["status"]) for each in seen]
    assert shown == [
        ("PUBLISH", f"…/v2/feeds/{feed}.csv", 200),
        ("PUBLISH", f"/v2/feeds/{feed}.csv", 400),
        ("SUBSCRIBE", f"/v2/feeds/{feed}.csv?duration=1hour", 200),
    ]
    assert {each["door"] for each in seen} == {"mqtt"}
    assert (seen[0]["user_agent"], seen[0]["request_body"]) == ("a-lamp", "temperature,17")
    assert "fields" in seen[1]["reason"]


def listen_to_requests(socket: ClientConnection, feed: int, key: str) -> None:
    """Subscribe to the request log of a feed, over WAMP."""
    details = {"roles": {"subscriber": {}}, "authmethods": ["ticket"]}
    for message in (
        [1, "realm1", details],
        [5, key, {}],
        [32, 1, {}, f"tank.requests.{feed}.served"],
    ):
        socket.send(json.dumps(message))
        assert json.loads(socket.recv(WAIT_S_MAX))[0] in (4, 2, 33)


# --- subscribe ---


SUBSCRIBED = [
    "/v2/feeds/{feed}.json",
    "/v2/feeds/{feed}.csv",
    "/v2/feeds/{feed}.xml",
    "/v2/feeds/{feed}",
    "v2/feeds/{feed}.json",
    "{key}/v2/feeds/{feed}.json",
    "/v2/feeds/{feed}/datastreams/temperature.json",
    "/v2/feeds/{feed}/datastreams/temperature.csv",
    "/v2/feeds/{feed}/datastreams/temperature.xml",
    "v2/feeds/{feed}/datastreams/temperature.csv",
    "{key}/v2/feeds/{feed}/datastreams/temperature.csv",
    "/v1/feeds/{feed}.csv",
    "/v1/feeds/{feed}/datastreams/temperature.csv",
]


@pytest.mark.parametrize("topic", SUBSCRIBED)
def test_subscribe_tells_the_state_and_each_update_as_a_get_does(house: House, topic: str) -> None:
    feed, key = house.new_feed(), house.server.master_key()
    topic = topic.format(feed=feed, key=key)
    path = "/" + topic.removeprefix(key).lstrip("/")
    client = house.come(version=5)
    client.subscribe(topic, qos=1)
    state = client.take()
    assert (state.topic, state.retain, state.qos) == (topic, True, 1)
    assert state.payload.decode() == house.http.get(path).text
    house.http.put(f"/v2/feeds/{feed}.csv", content=b"temperature,33").raise_for_status()
    update = client.take()
    assert (update.topic, update.retain, update.qos) == (topic, False, 1)
    assert update.payload.decode() == house.http.get(path).text
    assert "33" in update.payload.decode()


@pytest.mark.parametrize("granted", [0, 1, 2])
def test_updates_come_with_the_qos_that_is_asked_for(house: House, granted: int) -> None:
    feed = house.new_feed()
    client = house.come(version=4)
    topic = f"/v2/feeds/{feed}/datastreams/{CHANNEL}.csv"
    suback = client.subscribe(topic, qos=granted)
    assert suback.reason_codes == [granted]
    assert client.take().qos == granted
    client.publish(topic, b"2", 0)
    assert client.take().qos == granted


def test_a_client_hears_of_its_own_updates(house: House) -> None:
    feed = house.new_feed()
    client = house.come()
    client.subscribe(f"/v2/feeds/{feed}.csv")
    client.publish(f"/v2/feeds/{feed}.csv", b"temperature,6", 1)
    assert [came.payload[-2:] for came in client.take_all()] == [b",1", b",6"]


def test_of_a_datastream_only_its_own_updates_come(house: House) -> None:
    feed = house.new_feed()
    client = house.come()
    client.subscribe(f"/v2/feeds/{feed}/datastreams/{CHANNEL}.csv")
    client.publish(f"/v2/feeds/{feed}.csv", b"other,6", 1)
    client.publish(f"/v2/feeds/{feed}.csv", b"other,7\ntemperature,8", 1)
    assert [came.payload[-2:] for came in client.take_all()] == [b",1", b",8"]


def test_a_datastream_that_is_not_there_yet_is_told_of_when_it_is(house: House) -> None:
    feed = house.new_feed()
    client = house.come()
    client.subscribe(f"/v2/feeds/{feed}/datastreams/new.csv")
    client.expect_nothing()
    client.publish(f"/v2/feeds/{feed}.csv", b"new,6", 1)
    assert client.take().payload[-2:] == b",6"  # maybe behind the PUBACK
    client.expect_nothing()


BURST = 40


def written_over_mqtt(house: House, feed: int, values: list[str]) -> None:
    writer = house.come()
    topic = f"/v2/feeds/{feed}/datastreams/{CHANNEL}.csv"
    packet_ids = [writer.send_publish(topic, value.encode(), 1) for value in values]
    for packet_id in packet_ids:
        writer.wait_for(Kind.PUBACK, packet_id=packet_id)


def written_over_mqtt_in_one_piece(house: House, feed: int, values: list[str]) -> None:
    writer = house.come()
    topic = f"/v2/feeds/{feed}/datastreams/{CHANNEL}.csv"
    packets = [
        octets.publish(writer.version, topic, value.encode(), qos=1, packet_id=number)
        for number, value in enumerate(values, 1)
    ]
    writer.write(b"".join(packets))
    for packet_id in range(1, len(values) + 1):
        writer.wait_for(Kind.PUBACK, packet_id=packet_id)


def written_over_a_socket(house: House, feed: int, values: list[str]) -> None:
    parts = urlsplit(house.server.sockets["socket"])
    path = f"/feeds/{feed}/datastreams/{CHANNEL}"
    headers = {"X-ApiKey": house.server.master_key()}
    message = {"method": "put", "resource": path, "headers": headers}
    with socket.create_connection((parts.hostname, parts.port), WAIT_S_MAX) as peer:
        bodies = [{"body": {"current_value": value}} for value in values]
        peer.sendall(b"".join(json.dumps(message | body).encode() for body in bodies))
        with peer.makefile("rb") as answers:
            assert all(json.loads(answers.readline())["status"] == 200 for _ in values)


WRITERS = (written_over_mqtt, written_over_mqtt_in_one_piece, written_over_a_socket)


@pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__)
@pytest.mark.parametrize("rest", [".csv", f"/datastreams/{CHANNEL}.csv"])
def test_each_write_of_a_burst_is_told_with_its_own_value(
    house: House, rest: str, write: Callable[[House, int, list[str]], None]
) -> None:
    feed = house.new_feed()
    client = house.come()
    client.subscribe(f"/v2/feeds/{feed}{rest}", qos=1)
    client.take()
    values = [f"v{number}" for number in range(BURST)]
    write(house, feed, values)
    rows = [client.take().payload.decode().strip().split(",")[-2:] for _ in values]
    assert [value for _, value in rows] == values
    assert [at for at, _ in rows] == sorted({at for at, _ in rows})
    client.expect_nothing()


def test_unsubscribed_means_no_more(house: House) -> None:
    feed = house.new_feed()
    topic = f"/v2/feeds/{feed}.csv"
    client = house.come()
    client.subscribe(topic)
    client.take()
    client.unsubscribe(topic)
    client.publish(topic, b"temperature,6", 1)
    client.expect_nothing()


@pytest.mark.parametrize(("retain_handling", "counts"), [(0, (1, 1)), (1, (1, 0)), (2, (0, 0))])
def test_the_state_is_told_as_retained_messages_are(
    house: House, retain_handling: int, counts: tuple[int, int]
) -> None:
    topic = f"/v2/feeds/{house.new_feed()}.csv"
    client = house.come()
    for count in counts:
        client.subscribe(topic, retain_handling=retain_handling)
        assert len(client.take_all()) == count


def test_a_subscription_identifier_is_sent_back(house: House) -> None:
    topic = f"/v2/feeds/{house.new_feed()}.csv"
    client = house.come()
    client.subscribe(topic, props={"subscription_identifier": 7})
    client.publish(topic, b"temperature,6", 1)
    came = client.take_all()
    assert len(came) == 2
    assert all(each.properties["subscription_identifier"] == [7] for each in came)


@pytest.mark.parametrize(
    "topic",
    [
        "v2/feeds/{feed}/datastreams/+",
        "/v2/feeds/#",
        "v2/#",
        "+/v2/feeds/{feed}.json",
        "$share/group/v2/feeds/{feed}.json",
        "NobodyKnowsThisKeyThatIsNone/v2/feeds/{feed}.json",
        "/v2/feeds/987654.json",
    ],
)
def test_what_cannot_be_subscribed_to(house: House, topic: str) -> None:
    client = house.come()
    suback = client.subscribe(topic.format(feed=house.new_feed()))
    assert suback.reason_codes == [ReasonCode.NOT_AUTHORIZED]


def test_who_may_read_nothing_of_a_feed_is_told_nothing(house: House) -> None:
    feed, other = house.new_feed(), house.new_feed()
    client = house.come(house.key("get", "put", feed=other))
    topic = f"/v2/feeds/{feed}.json"
    assert client.subscribe(topic).reason_codes == [ReasonCode.NOT_AUTHORIZED]
    house.come().publish(f"/v2/feeds/{feed}.csv", b"temperature,6", 1)
    client.expect_nothing()


def test_all_topics_are_not_those_of_feeds(house: House) -> None:
    feed = house.new_feed()
    watcher, client = house.come(), house.come()
    for topic in ("#", "+/#", "/#", "+/+/+"):
        watcher.subscribe(topic)
    watcher.take_all()
    client.publish(f"/v2/feeds/{feed}.csv", b"temperature,6", 1)
    watcher.expect_nothing()


def test_who_loses_the_right_hears_no_more(house: House) -> None:
    feed = house.new_feed()
    key = house.key("get", feed=feed)
    topic = f"{key}/v2/feeds/{feed}.csv"
    client = house.come()
    client.subscribe(topic)
    client.take()
    house.http.delete(f"/v2/keys/{key}").raise_for_status()
    client.publish(f"/v2/feeds/{feed}.csv", b"temperature,6", 1)
    client.expect_nothing()


# One message with what a GET answers, and none after it.
ONCE: dict[str, Callable[[int], str]] = {
    "keys": lambda feed: f"/v2/keys.json?feed_id={feed}",
    "triggers": lambda feed: "/v2/triggers.json",
    "all feeds": lambda feed: "/v2/feeds.json?content=summary",
    "a feed's history": lambda feed: f"/v2/feeds/{feed}.csv?duration=1hour&interval=0",
    "a datastream's history": lambda feed: (
        f"/v2/feeds/{feed}/datastreams/temperature/datapoints.csv"
    ),
}


@pytest.mark.parametrize("case", ONCE)
def test_other_resources_are_told_once(house: House, case: str) -> None:
    feed = house.new_feed()
    topic = ONCE[case](feed)
    client = house.come()
    client.subscribe(topic)
    state = client.take()
    assert state.retain
    assert state.payload.decode() == house.http.get(topic).text
    client.publish(f"/v2/feeds/{feed}.csv", b"temperature,6", 1)
    client.expect_nothing()


def test_what_a_get_refuses_is_told_nothing_of(house: House) -> None:
    client = house.come()
    client.subscribe("/v2/triggers/999.json")
    client.subscribe("/v2/devices/nonsense/activate")
    client.expect_nothing()


def test_a_session_that_is_away_gets_updates_when_it_is_back(house: House) -> None:
    feed = house.new_feed()
    topic = f"/v2/feeds/{feed}/datastreams/{CHANNEL}.csv"
    first = house.come(version=4, client_id="away", clean=False)
    first.subscribe(topic, qos=1)
    first.take()
    first.disconnect()
    house.come().publish(topic, b"2", 1)
    again = house.come(version=4, client_id="away", clean=False)
    assert again.take().payload.endswith(b",2")
