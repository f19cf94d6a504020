"""Every door's requests in the request log: taken and refused, with the reason, without secrets."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
import pytest
import requests
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from tests.conformance.skynet_rights.wires import RawWire, SocketioWire
from tests.interop.forms import PASSWORD, post
from tests.live_server import LiveServer, start_server
from tests.wamp_json import ROLES, JsonClient, json_client
from websockets.sync.client import connect

WAIT_S_MAX = 20.0
LOOK_S = 0.1
AGAIN_S = 1.5
WRONG = "not-a-key-at-all-but-as-long-as-one-is-0123456789"  # shown, and to be seen nowhere
CHANNEL = "temperature"


class House(NamedTuple):
    """A server with one device, and who looks at its log.

    Attributes:
        token: of the device.
        master: a key that may everything; `porch` may read the feed only.
    """

    server: LiveServer
    browser: requests.Session
    feed_id: int
    uuid: str
    token: str
    master: str
    porch: str

    def rows(self, **terms: str) -> list[dict[str, Any]]:
        url = f"{self.server.url}/live/requests/overview"
        asked = {"device": str(self.feed_id), **terms}
        with self.browser.get(url, params=asked, stream=True, timeout=WAIT_S_MAX) as reply:
            data = next(line for line in reply.iter_lines() if line.startswith(b"data: "))
        rows: list[dict[str, Any]] = json.loads(data.removeprefix(b"data: "))["rows"]
        return rows

    def row(
        self,
        act: "Callable[[House], None]",
        is_it: Callable[[dict[str, Any]], bool],
        **terms: str,
    ) -> dict[str, Any]:
        """Do something; its row, as soon as it is there.

        It is done again after a while: of strangers some are noted a second, and no more.
        """
        until_s, again_s = time.monotonic() + WAIT_S_MAX, 0.0
        while True:
            if time.monotonic() >= again_s:
                act(self)
                again_s = time.monotonic() + AGAIN_S
            rows = self.rows(**terms)
            for row in rows:
                if is_it(row):
                    return row
            assert time.monotonic() < until_s, rows
            time.sleep(LOOK_S)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with start_server(tmp_path_factory.mktemp("data")) as server:
        browser = requests.Session()
        assert browser.get(server.welcome_url, timeout=WAIT_S_MAX).status_code == 200
        master = server.master_key()
        made = requests.post(
            f"{server.sockets['skynet']}/devices",
            json={"name": "Porch light"},
            headers={"X-ApiKey": master},
            timeout=WAIT_S_MAX,
        ).json()
        feeds = requests.get(
            f"{server.url}/v2/feeds.json?q=Porch",
            headers={"X-ApiKey": master},
            timeout=WAIT_S_MAX,
        ).json()
        (feed,) = [each for each in feeds["results"] if each["title"] == "Porch light"]
        porch = requests.post(
            f"{server.url}/v2/keys.json",
            headers={"X-ApiKey": master},
            json={"key": {"label": "Porch", "private_access": True, "permissions": [
                {"access_methods": ["get"], "resources": [{"feed_id": feed["id"]}]}]}},
            timeout=WAIT_S_MAX,
        ).headers["location"].rpartition("/")[2]  # fmt: skip
        yield House(server, browser, feed["id"], made["uuid"], made["token"], master, porch)


# --- clients -------------------------------------------------------------------------------------


def put(
    key: str, body: str = '{"title":"Porch light"}', query: str = ""
) -> Callable[[House], None]:
    def act(house: House) -> None:
        secret = getattr(house, key, key)
        url = f"{house.server.url}/v2/feeds/{house.feed_id}.json{query.format(house=house)}"
        headers = {"X-ApiKey": secret} if secret else {}
        requests.put(url, data=body, headers=headers, timeout=WAIT_S_MAX)

    return act


def change(key: str, body: dict[str, Any], **more: str) -> Callable[[House], None]:
    def act(house: House) -> None:
        url = f"{house.server.url}/api/devices/{house.feed_id}"
        headers = {"X-ApiKey": getattr(house, key, key), **more}
        requests.patch(url, json=body, headers=headers, timeout=WAIT_S_MAX)

    return act


def write_many(key: str, channel: str) -> Callable[[House], None]:
    def act(house: House) -> None:
        headers = {"X-ApiKey": getattr(house, key)}
        datapoints = [{"device": house.uuid, "datastream": channel, "value": 7}]
        url = f"{house.server.url}/api/datapoints?create_missing=true"
        requests.post(url, json=datapoints, headers=headers, timeout=WAIT_S_MAX)

    return act


def message(house: House, method: str, key: str) -> str:
    asked = {
        "method": method,
        "resource": f"/feeds/{house.feed_id}",
        "headers": {"X-ApiKey": getattr(house, key, key)},
        "body": {"datastreams": [{"id": CHANNEL, "current_value": "1"}]},
    }
    return json.dumps(asked)


def over_tcp(method: str, key: str) -> Callable[[House], None]:
    def act(house: House) -> None:
        address = urlsplit(house.server.sockets["socket"])
        with socket.create_connection((address.hostname, address.port), WAIT_S_MAX) as connection:
            connection.sendall(message(house, method, key).encode())
            assert connection.recv(65_536)

    return act


def over_websocket(method: str, key: str) -> Callable[[House], None]:
    def act(house: House) -> None:
        with connect(house.server.sockets["websocket"], proxy=None) as connection:
            connection.send(message(house, method, key))
            assert connection.recv(WAIT_S_MAX)

    return act


@contextmanager
def mqtt_client(house: House, user: str = "", password: str = "") -> Iterator[mqtt.Client]:
    """One that has been answered; it may be refused."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2, "a-lamp", protocol=mqtt.MQTTv5)
    if user:
        client.username_pw_set(user, password)
    answers: list[Any] = []
    client.on_connect = lambda *args: answers.append(args)
    client.on_subscribe = client.on_publish = client.on_connect
    address = urlsplit(house.server.sockets["mqtt"])
    client.connect(str(address.hostname), address.port or 0)
    client.user_data_set(answers)
    take(client, 1)
    yield client
    client.disconnect()


def take(client: mqtt.Client, count: int) -> None:
    """Let a client work until it was answered so often."""
    until_s = time.monotonic() + WAIT_S_MAX
    while len(client.user_data_get()) < count:
        assert time.monotonic() < until_s
        client.loop(LOOK_S)


def publish(
    topic: str, payload: str, user: str = "", password: str = ""
) -> Callable[[House], None]:
    def act(house: House) -> None:
        properties = Properties(PacketTypes.PUBLISH)
        properties.UserProperty = [("unit", "°C"), ("api_token", "hush-hush")]
        name, secret = user.format(house=house), password.format(house=house)
        with mqtt_client(house, name, secret) as client:
            client.publish(topic.format(house=house), payload, 1, properties=properties)
            take(client, 2)

    return act


def subscribe(topic: str, user: str = "", password: str = "") -> Callable[[House], None]:
    def act(house: House) -> None:
        name, secret = user.format(house=house), password.format(house=house)
        with mqtt_client(house, name, secret) as client:
            client.subscribe(topic.format(house=house), 1)
            take(client, 2)

    return act


def come_by_mqtt(password: str) -> Callable[[House], None]:
    def act(house: House) -> None:
        with mqtt_client(house, house.uuid, password.format(house=house)):
            pass

    return act


def call(key: str, procedure: str, *args: Any) -> Callable[[House], None]:
    def act(house: House) -> None:
        with wamp_session(house, getattr(house, key)) as ask:
            ask([48, 1, {}, procedure, [house.feed_id, *args]])

    return act


def listen_by_wamp(key: str, topic: str) -> Callable[[House], None]:
    def act(house: House) -> None:
        with wamp_session(house, getattr(house, key)) as ask:
            ask([32, 1, {}, topic.format(house=house)])

    return act


@contextmanager
def wamp_session(house: House, ticket: str) -> Iterator[Callable[[list[Any]], Any]]:
    with connect(house.server.sockets["wamp"], subprotocols=["wamp.2.json"], proxy=None) as wire:  # type: ignore[list-item] # a NewType of str

        def ask(message: list[Any]) -> Any:
            wire.send(json.dumps(message))
            return json.loads(wire.recv(WAIT_S_MAX))

        assert ask([1, "realm1", {"roles": ROLES, "authmethods": ["ticket"]}])[0] == 4
        assert ask([5, ticket, {}])[0] == 2
        yield ask


def come_by_wamp(key: str) -> Callable[[House], None]:
    def act(house: House) -> None:
        ticket = getattr(house, key, key)
        try:
            with json_client(
                house.server.sockets["wamp"], authid=house.uuid, ticket=ticket
            ) as client:
                assert isinstance(client, JsonClient)
        except AssertionError:
            assert ticket == WRONG

    return act


def ask_skynet(method: str, path: str, token: str, **more: Any) -> Callable[[House], None]:
    def act(house: House) -> None:
        headers = {"meshblu_auth_uuid": house.uuid, "meshblu_auth_token": token.format(house=house)}
        url = house.server.sockets["skynet"] + path.format(house=house)
        requests.request(method, url, headers=headers, timeout=WAIT_S_MAX, **more)

    return act


def emit(
    age: str, name: str, body: dict[str, Any], is_known: bool = True
) -> Callable[[House], None]:
    def act(house: House) -> None:
        who = (house.uuid, house.token) if is_known else None
        filled = {k: v.format(house=house) if isinstance(v, str) else v for k, v in body.items()}
        with closing(SocketioWire(house.server.sockets["skynet"], who, age)) as wire:
            wire.ask(name, filled)

    return act


def send_frame(name: str, body: Any, is_known: bool = True) -> Callable[[House], None]:
    def act(house: House) -> None:
        who = (house.uuid, house.token) if is_known else None
        filled = json.loads(json.dumps(body).replace("UUID", house.uuid))
        with closing(RawWire(house.server.sockets["skynet"], who)) as wire:
            wire.ask(name, filled)

    return act


# --- the table -----------------------------------------------------------------------------------

DATA = {CHANNEL: 21}
FEED_TOPIC = "v2/feeds/{house.feed_id}.csv"

# id: act; door, method; outcome; who; reason, blank for what is taken.
CASES: dict[str, tuple[Callable[[House], None], str, str, str, str, str]] = {
    "HTTP": (put("master"), "xively_http", "PUT", "200 OK", "key “tests”", ""),
    "HTTP, secrets in what is taken": (put("master", json.dumps({"title": "Porch light", "password": WRONG, "x": {"apiKey": WRONG}, "website": f"https://me:{WRONG}@x.example/", "y": "y" * 3000})), "xively_http", "PUT", "200 OK", "key “tests”", ""),
    "HTTP, a right is missing": (put("porch"), "xively_http", "PUT", "403", "key “Porch”", "key “Porch” lacks put on feed"),
    "HTTP, a wrong key": (put(WRONG), "xively_http", "PUT", "401", "somebody unknown", "the API key is not known"),
    "HTTP, no key": (put(""), "xively_http", "PUT", "401", "somebody unknown", "no API key was presented"),
    "HTTP, a key in the query": (put("", query=f"?key={WRONG}&k%65y={WRONG}"), "xively_http", "PUT", "401", "somebody unknown", "not known"),
    "HTTP, no JSON": (put("master", '{"title":"x","token":"' + WRONG), "xively_http", "PUT", "400", "key “tests”", "parse error"),
    "REST API": (change("master", {"description": "A lamp"}), "api", "PATCH", "200", "key “tests”", ""),
    "REST API, a right is missing": (change("porch", {"description": "x"}), "api", "PATCH", "403", "key “Porch”", "lacks put"),
    "REST API, a wrong key": (change(WRONG, {"description": "x"}), "api", "PATCH", "401", "somebody unknown", "the API key is not known"),
    "REST API, a value is wrong": (change("master", {"tags": 7}), "api", "PATCH", "422", "key “tests”", "/tags: Expected an array."),
    "REST API, of another state": (change("master", {"description": "x"}, **{"If-Match": '"x"'}), "api", "PATCH", "412", "key “tests”", "It has changed since it was read"),
    "REST API, many values": (write_many("master", CHANNEL), "api", "POST", "200", "key “tests”", ""),
    "REST API, many values, one of them nowhere": (write_many("master", "no such channel"), "api", "POST", "422", "key “tests”", "/0/datastream is invalid"),
    "REST API, many values, a right is missing": (write_many("porch", CHANNEL), "api", "POST", "422", "key “Porch”", "no right to put"),
    "TCP": (over_tcp("put", "master"), "xively_tcp", "PUT", "200", "key “tests”", ""),
    "TCP, a right is missing": (over_tcp("put", "porch"), "xively_tcp", "PUT", "403", "key “Porch”", "lacks put"),
    "TCP, to subscribe": (over_tcp("subscribe", "porch"), "xively_tcp", "subscribe", "200", "key “Porch”", ""),
    "TCP, to subscribe with a wrong key": (over_tcp("subscribe", WRONG), "xively_tcp", "subscribe", "401", "somebody unknown", "not known"),
    "WebSocket": (over_websocket("put", "master"), "xively_websocket", "PUT", "200", "key “tests”", ""),
    "WebSocket, a wrong key": (over_websocket("put", WRONG), "xively_websocket", "PUT", "401", "somebody unknown", "not known"),
    "MQTT": (publish(FEED_TOPIC, "temperature,3", "{house.master}"), "mqtt", "PUBLISH", "0x00", "key “tests”", ""),
    "MQTT, secrets in what is taken": (publish(FEED_TOPIC.replace("csv", "json"), json.dumps({"datastreams": [{"id": CHANNEL, "current_value": "5", "wifi_pwd": WRONG}]}), "{house.master}"), "mqtt", "PUBLISH", "0x00", "key “tests”", ""),
    "MQTT, a key in front of the topic": (publish("{house.master}/" + FEED_TOPIC, "temperature,4"), "mqtt", "PUBLISH", "0x00", "key “tests”", ""),
    "MQTT, a wrong key in front": (publish(f"{WRONG}/{FEED_TOPIC}", "temperature,4"), "mqtt", "PUBLISH", "0x87 not authorized", "somebody unknown", "the API key is not known: it stands in front"),
    "MQTT, a right is missing": (publish(FEED_TOPIC, "temperature,4", "{house.porch}"), "mqtt", "PUBLISH", "0x87", "key “Porch”", "lacks put"),
    "MQTT, no row": (publish(FEED_TOPIC, f"token={WRONG}", "{house.master}"), "mqtt", "PUBLISH", "0x99 payload format invalid", "key “tests”", "fields"),
    "MQTT, a device's own topic": (publish("{house.uuid}/reading", json.dumps({"token": WRONG}), "{house.uuid}", "{house.token}"), "mqtt", "PUBLISH", "0x10 no matching subscribers", "device Porch light", ""),
    "MQTT, a device's own topic, of nobody known": (publish("{house.uuid}/reading", json.dumps({"token": WRONG})), "mqtt", "PUBLISH", "0x87", "anonymous", "topics of a device are for the device"),
    "MQTT, to subscribe": (subscribe(FEED_TOPIC, "{house.porch}"), "mqtt", "SUBSCRIBE", "0x00", "key “Porch”", ""),
    "MQTT, to subscribe without a right": (subscribe("{house.uuid}", "{house.porch}"), "mqtt", "SUBSCRIBE", "0x87", "key “Porch”", "lacks put"),
    "MQTT, as the device": (come_by_mqtt("{house.token}"), "mqtt", "CONNECT", "0x00", "device Porch light", ""),
    "MQTT, with a wrong token": (come_by_mqtt(WRONG), "mqtt", "CONNECT", "0x86", "somebody unknown", "wrong token, key or password for this device"),
    "WAMP": (call("master", "tank.datapoints.record", {CHANNEL: 5}), "wamp", "CALL", "RESULT", "key “tests”", ""),
    "WAMP, a right is missing": (call("porch", "tank.datapoints.record", {CHANNEL: 5}), "wamp", "CALL", "ERROR wamp.error.not_authorized", "key “Porch”", "lacks post"),
    "WAMP, an argument is wrong": (call("master", "tank.datapoints.record", 7), "wamp", "CALL", "ERROR wamp.error.invalid_argument", "key “tests”", "`values` must be an object, not a whole number"),
    "WAMP, to subscribe": (listen_by_wamp("porch", "tank.feeds.{house.feed_id}.temperature"), "wamp", "SUBSCRIBE", "SUBSCRIBED", "key “Porch”", ""),
    "WAMP, to subscribe without a right": (listen_by_wamp("porch", "tank.requests.{house.feed_id}.served"), "wamp", "SUBSCRIBE", "ERROR wamp.error.not_authorized", "key “Porch”", "lacks put"),
    "WAMP, as the device": (come_by_wamp("master"), "wamp", "HELLO", "WELCOME", "key “tests”", ""),
    "WAMP, with a wrong key": (come_by_wamp(WRONG), "wamp", "HELLO", "ABORT", "somebody unknown", "wrong key for this device"),
    "SkyNet REST": (ask_skynet("POST", "/data/{house.uuid}", "{house.token}", json=DATA), "skynet_http", "POST", "201", "device Porch light", ""),
    "SkyNet REST, a wrong token": (ask_skynet("POST", "/data/{house.uuid}", WRONG, json=DATA), "skynet_http", "POST", "401", "anonymous", "wrong token or key"),
    "SkyNet REST, a message with a wrong token": (ask_skynet("POST", "/messages", WRONG, json={"devices": "*"}), "skynet_http", "POST", "401", "anonymous", "wrong token or key"),
    "socket.io": (emit("4", "data", {"uuid": "{house.uuid}", **DATA}), "skynet_socketio", "emit", "200", "device Porch light", ""),
    "socket.io, a wrong token": (emit("4", "authenticate", {"uuid": "{house.uuid}", "token": WRONG}, is_known=False), "skynet_socketio", "emit", "401", "anonymous", "wrong token or key"),
    "socket.io of 2014": (emit("0.9", "data", {"uuid": "{house.uuid}", "token": "{house.token}", **DATA}), "skynet_socketio", "emit", "200", "device Porch light", ""),
    "Meshblu's WebSocket": (send_frame("update", [{"uuid": "UUID"}, {"$set": {"color": "red"}}]), "skynet_websocket", "frame", "200", "device Porch light", ""),
    "Meshblu's WebSocket, a wrong token": (send_frame("identity", {"uuid": "UUID", "token": WRONG}, is_known=False), "skynet_websocket", "frame", "401", "anonymous", "wrong token or key"),
    "Meshblu's topics": (publish("data", json.dumps({CHANNEL: 7, "token": WRONG}), "{house.uuid}", "{house.token}"), "skynet_mqtt", "PUBLISH", "0x00", "device Porch light", ""),
    "Meshblu's topics, no JSON": (publish("data", "21", "{house.uuid}", "{house.token}"), "skynet_mqtt", "PUBLISH", "0x99", "device Porch light", "is not a JSON object"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_request_is_in_the_log_with_its_outcome_and_reason(house: House, case: str) -> None:
    act, door, method, outcome, who, reason = CASES[case]
    before = {row["id"] for row in house.rows(door=door)}
    row = house.row(
        act,
        lambda row: row["id"] not in before and row["method"] == method and _is_of(row, outcome),
        door=door,
    )
    assert (row["who"], row["feed_id"], row["device"]) == (who, house.feed_id, "Porch light")
    if reason:
        assert reason in row["reason"]
        assert row["kind"] == "refused"
    else:
        assert (row["reason"], row["kind"]) == ("", "good")
    shown = json.dumps(house.rows(door=door))
    for secret in (house.master, house.porch, house.token, WRONG, "hush-hush"):
        assert secret not in shown


def _is_of(row: dict[str, Any], outcome: str) -> bool:
    return bool(row["outcome"].startswith(outcome))


def test_other_accounts_see_nothing_of_it_and_are_told_the_next_step(house: House) -> None:
    server = house.server
    house.row(put("master"), lambda row: row["method"] == "PUT")
    server.command("user", "create", "bert", "--password", PASSWORD)
    bert = requests.Session()
    post(bert, f"{server.url}/sign-in", username="bert", password=PASSWORD)
    assert house._replace(browser=bert).rows() == []
    page = bert.get(f"{server.url}/log/?device={house.feed_id}", timeout=WAIT_S_MAX).text
    assert "Nothing like this yet" in page
    assert "Porch light" not in page
    assert "No device yet" in bert.get(f"{server.url}/log/", timeout=WAIT_S_MAX).text
    # Nor does he tell of his keys whose devices he asks of.
    label = "Bert's cellar, behind the boiler"
    key = server.command("key", "create", label, "--owner", "bert")["api_key"]
    house.row(put(str(key)), lambda row: row["who"] == "a key of account bert", key="bert")
    assert label not in json.dumps(house.rows())


def test_strangers_are_led_to_the_sign_in_page(house: House) -> None:
    url = house.server.url
    assert requests.get(f"{url}/log", timeout=WAIT_S_MAX).url.startswith(f"{url}/sign-in?next=")
    live = requests.get(f"{url}/live/requests/overview", timeout=WAIT_S_MAX)
    assert live.status_code == 401


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        ({"refused": "yes"}, [401]),
        ({"key": "TESTS"}, [200]),
        ({"text": "not known"}, [401]),
        ({"text": "porch LIGHT", "door": "xively_http"}, [200]),
        ({"door": "wamp", "text": "Porch light"}, []),
        ({"device": "porch li", "refused": "yes"}, [401]),
        ({"device": "{house.uuid}", "key": "tests"}, [200]),
        ({"device": "another"}, []),
    ],
)
def test_the_log_is_searched(house: House, terms: dict[str, str], expected: list[int]) -> None:
    known = {row["id"] for row in house.rows()}
    put("master")(house)
    house.row(put(WRONG), lambda row: row["id"] not in known and row["status"] == 401)
    asked = {name: term.format(house=house) for name, term in terms.items()}
    rows = house.rows(**asked)
    assert [row["status"] for row in rows if row["id"] not in known] == expected
