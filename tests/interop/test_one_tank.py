"""One tank behind all doors: what comes in through any is seen through every other.

A door is added here by a writer, and by a watcher that says which values it has seen.
"""

import json
import queue
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import cache
from typing import Any, NamedTuple

import paho.mqtt.client as mqtt
import pytest
import requests
from paho.mqtt.enums import CallbackAPIVersion
from tests.conformance.skynet_rights.wires import SocketioWire
from tests.live_server import LiveServer, start_server
from websockets.sync.client import ClientConnection, connect

CHANNEL = "temperature"
WAIT_S_MAX = 30.0
ROLES = {role: {} for role in ("publisher", "subscriber", "caller", "callee")}

Write = Callable[[str], None]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with start_server(tmp_path_factory.mktemp("tank") / "data") as running:
        running.master_key()
        yield running


# --- requests of each door ---


def xively_put(server: LiveServer, value: str) -> dict[str, Any]:
    return {
        "method": "put",
        "resource": f"/feeds/{server.feed_id}",
        "headers": {"X-ApiKey": server.master_key()},
        "body": {"datastreams": [{"id": CHANNEL, "current_value": value}]},
    }


def xively_subscribe(server: LiveServer) -> dict[str, Any]:
    return {
        "method": "subscribe",
        "resource": f"/feeds/{server.feed_id}/datastreams/{CHANNEL}",
        "headers": {"X-ApiKey": server.master_key()},
    }


class WampSession:
    """A session with the rights of the master key, over bare messages."""

    def __init__(self, connection: ClientConnection, key: str) -> None:
        self._connection = connection
        self._request_id = 0
        details = {"roles": ROLES, "authmethods": ["ticket"]}
        assert self._ask([1, "realm1", details])[0] == 4
        assert self._ask([5, key, {}])[0] == 2

    def _ask(self, message: list[Any]) -> list[Any]:
        self._connection.send(json.dumps(message))
        answer: list[Any] = json.loads(self._connection.recv(WAIT_S_MAX))
        return answer

    def request(self, code: int, uri: str, *args: Any) -> list[Any]:
        self._request_id += 1
        answer = self._ask([code, self._request_id, {}, uri, *args])
        assert answer[0] != 8, answer
        return answer

    def next_event(self) -> list[Any]:
        event: list[Any] = json.loads(self._connection.recv(WAIT_S_MAX))
        return event


# --- writers: each door's way to record a value; it is on disk when they return ---


@contextmanager
def http_writer(server: LiveServer) -> Iterator[Write]:
    def write(value: str) -> None:
        put = xively_put(server, value)
        reply = requests.put(
            f"{server.url}/v2{put['resource']}.json",
            headers=put["headers"],
            json=put["body"],
            timeout=WAIT_S_MAX,
        )
        assert reply.status_code == 200

    yield write


@contextmanager
def tcp_writer(server: LiveServer) -> Iterator[Write]:
    with tcp_connection(server) as (connection, lines):

        def write(value: str) -> None:
            connection.sendall(json.dumps(xively_put(server, value)).encode())
            assert next(lines)["status"] == 200

        yield write


@contextmanager
def websocket_writer(server: LiveServer) -> Iterator[Write]:
    with connect(server.sockets["websocket"]) as connection:

        def write(value: str) -> None:
            connection.send(json.dumps(xively_put(server, value)))
            assert json.loads(connection.recv(WAIT_S_MAX))["status"] == 200

        yield write


@contextmanager
def wamp_writer(server: LiveServer) -> Iterator[Write]:
    with connect(server.sockets["wamp"], subprotocols=["wamp.2.json"]) as connection:
        session = WampSession(connection, server.master_key())
        yield lambda value: [
            session.request(48, "tank.datapoints.record", [server.feed_id, {CHANNEL: value}])
        ].clear()


@contextmanager
def mqtt_client(
    server: LiveServer, user_name: str = "", password: str | None = None
) -> Iterator[mqtt.Client]:
    """One with the rights of the master key, or of somebody, in a thread of its own."""
    host, _, port = server.sockets["mqtt"].removeprefix("mqtt://").rpartition(":")
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.username_pw_set(user_name or server.master_key(), password)
    came_in = threading.Event()
    client.on_connect = lambda *args: came_in.set()
    client.connect(host, int(port))
    client.loop_start()
    try:
        assert came_in.wait(WAIT_S_MAX)
        yield client
    finally:
        client.disconnect()
        client.loop_stop()


@contextmanager
def mqtt_writer(server: LiveServer) -> Iterator[Write]:
    topic = f"/v2/feeds/{server.feed_id}/datastreams/{CHANNEL}.csv"
    with mqtt_client(server) as client:
        yield lambda value: client.publish(topic, value, qos=1).wait_for_publish(WAIT_S_MAX)


class SkynetDevice(NamedTuple):
    """A device as SkyNet's doors know it; a key that may do everything is as good as a token."""

    uuid: str
    token: str

    @property
    def headers(self) -> dict[str, str]:
        return {"meshblu_auth_uuid": self.uuid, "meshblu_auth_token": self.token}


def feed_as_device(server: LiveServer) -> SkynetDevice:
    """The device whose feed all write to."""
    key = {"X-ApiKey": server.master_key()}
    url = f"{server.url}/v2/feeds/{server.feed_id}.json"
    title = requests.get(url, headers=key, timeout=WAIT_S_MAX).json()["title"]
    reply = requests.get(
        f"{server.sockets['skynet']}/v2/devices",
        params={"name": title},
        headers=key,
        timeout=WAIT_S_MAX,
    )
    (device,) = reply.json()
    return SkynetDevice(device["uuid"], server.master_key())


@contextmanager
def skynet_rest_writer(server: LiveServer) -> Iterator[Write]:
    device = feed_as_device(server)
    url = f"{server.sockets['skynet']}/data/{device.uuid}"
    yield lambda value: requests.post(
        url, headers=device.headers, json={CHANNEL: value}, timeout=WAIT_S_MAX
    ).raise_for_status()


def socketio_writer(age: str) -> Callable[[LiveServer], Any]:
    @contextmanager
    def writer(server: LiveServer) -> Iterator[Write]:
        device = feed_as_device(server)
        with closing(SocketioWire(server.sockets["skynet"], device, age)) as wire:

            def write(value: str) -> None:
                (answer,) = wire.ask("data", {"uuid": device.uuid, CHANNEL: float(value)})
                assert answer["eventCode"] == 700

            yield write

    return writer


@contextmanager
def meshblu_mqtt_writer(server: LiveServer) -> Iterator[Write]:
    device = feed_as_device(server)
    with mqtt_client(server, device.uuid, device.token) as client:
        yield lambda value: client.publish(
            "data", json.dumps({CHANNEL: float(value)}), qos=1
        ).wait_for_publish(WAIT_S_MAX)


WRITERS = {
    "Xively HTTP": http_writer,
    "Xively TCP socket": tcp_writer,
    "Xively WebSocket": websocket_writer,
    "WAMP": wamp_writer,
    "MQTT": mqtt_writer,
    "SkyNet REST": skynet_rest_writer,
    "socket.io 0.9": socketio_writer("0.9"),
    "socket.io 4": socketio_writer("4"),
    "Meshblu's MQTT topics": meshblu_mqtt_writer,
}


# --- watchers: each door's way to hear of values, as they come ---


@contextmanager
def tcp_connection(server: LiveServer) -> Iterator[tuple[socket.socket, Iterator[Any]]]:
    host, _, port = server.sockets["socket"].removeprefix("tcp://").rpartition(":")
    with socket.create_connection((host, int(port)), timeout=WAIT_S_MAX) as connection:

        def messages() -> Iterator[Any]:
            received = ""
            while piece := connection.recv(65_536):
                received += piece.decode()
                while received:
                    try:
                        message, end = json.JSONDecoder().raw_decode(received)
                    except ValueError:
                        break
                    received = received[end:].lstrip()
                    yield message

        yield connection, messages()


def tcp_watcher(server: LiveServer, stack: ExitStack) -> Iterator[str]:
    connection, messages = stack.enter_context(tcp_connection(server))
    connection.sendall(json.dumps(xively_subscribe(server)).encode())
    assert next(messages)["status"] == 200
    return (message["body"]["current_value"] for message in messages)


def websocket_watcher(server: LiveServer, stack: ExitStack) -> Iterator[str]:
    connection = stack.enter_context(connect(server.sockets["websocket"]))
    connection.send(json.dumps(xively_subscribe(server)))
    assert json.loads(connection.recv(WAIT_S_MAX))["status"] == 200
    return (json.loads(message)["body"]["current_value"] for message in connection)


def wamp_watcher(server: LiveServer, stack: ExitStack) -> Iterator[str]:
    url = server.sockets["wamp"]
    connection = stack.enter_context(connect(url, subprotocols=["wamp.2.json"]))
    session = WampSession(connection, server.master_key())
    session.request(32, f"tank.feeds.{server.feed_id}.{CHANNEL}")

    def values() -> Iterator[str]:
        while True:
            yield str(session.next_event()[4][0])

    return values()


def mqtt_watcher(server: LiveServer, stack: ExitStack) -> Iterator[str]:
    client = stack.enter_context(mqtt_client(server))
    came: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    client.on_message = lambda _, __, message: came.put(message.payload)
    client.subscribe(f"{server.master_key()}/v2/feeds/{server.feed_id}.json", qos=1)
    came.get(timeout=WAIT_S_MAX)  # the state there was

    def values() -> Iterator[str]:
        while True:
            for datastream in json.loads(came.get(timeout=WAIT_S_MAX))["datastreams"]:
                if datastream["id"] == CHANNEL:
                    yield datastream["current_value"]

    return values()


def owner_s_browser(server: LiveServer) -> requests.Session:
    browser = requests.Session()
    browser.cookies.update(owner_s_cookies(server))
    return browser


@cache
def owner_s_cookies(server: LiveServer) -> dict[str, str]:
    """Of the link that signs the owner in, once."""
    with requests.Session() as browser:
        browser.get(server.welcome_url, timeout=WAIT_S_MAX)
        return dict(browser.cookies)


def page_watcher(server: LiveServer, stack: ExitStack) -> Iterator[str]:
    browser = stack.enter_context(owner_s_browser(server))
    url = f"{server.url}/live/feeds/{server.feed_id}"
    stream = stack.enter_context(browser.get(url, stream=True, timeout=WAIT_S_MAX))
    assert stream.status_code == 200, stream.text
    lines = stream.iter_lines(chunk_size=1, decode_unicode=True)
    next(line for line in lines if line.startswith("data:"))  # hello

    def values() -> Iterator[str]:
        for line in lines:
            if line.startswith("data:"):
                seen = json.loads(line.removeprefix("data:"))
                if isinstance(seen, dict) and CHANNEL in seen:
                    yield seen[CHANNEL]["value"]

    return values()


def http_watcher(server: LiveServer, stack: ExitStack) -> Iterator[str]:
    url = f"{server.url}/v2/feeds/{server.feed_id}/datastreams/{CHANNEL}.json"
    session = stack.enter_context(requests.Session())
    session.headers["X-ApiKey"] = server.master_key()

    def values() -> Iterator[str]:
        while True:
            reply = session.get(url, timeout=WAIT_S_MAX)
            yield reply.json().get("current_value", "") if reply.ok else ""

    return values()


def skynet_history_watcher(server: LiveServer, stack: ExitStack) -> Iterator[str]:
    device = feed_as_device(server)
    url = f"{server.sockets['skynet']}/data/{device.uuid}?limit=1"
    session = stack.enter_context(requests.Session())
    session.headers.update(device.headers)

    def values() -> Iterator[str]:
        while True:
            yield session.get(url, timeout=WAIT_S_MAX).json()["data"][0].get(CHANNEL, "")

    return values()


def skynet_stream_watcher(server: LiveServer, stack: ExitStack) -> Iterator[str]:
    device = feed_as_device(server)
    url = f"{server.sockets['skynet']}/data/{device.uuid}?stream=true"
    reply = stack.enter_context(
        requests.get(url, headers=device.headers, stream=True, timeout=WAIT_S_MAX)
    )
    lines = (line.strip(" ,") for line in reply.iter_lines(chunk_size=1, decode_unicode=True))
    return (str(json.loads(line).get(CHANNEL)) for line in lines if line.startswith("{"))


def socketio_watcher(age: str) -> Callable[[LiveServer, ExitStack], Iterator[str]]:
    def watcher(server: LiveServer, stack: ExitStack) -> Iterator[str]:
        device = feed_as_device(server)
        wire = stack.enter_context(closing(SocketioWire(server.sockets["skynet"], device, age)))
        wire.ask("subscribe", {"uuid": device.uuid, "types": ["data"]})

        def values() -> Iterator[str]:
            while True:
                name, body = wire.next_push()
                if name == "data":
                    yield str(body.get(CHANNEL))

        return values()

    return watcher


def meshblu_mqtt_watcher(server: LiveServer, stack: ExitStack) -> Iterator[str]:
    """What a device records is broadcast, as Meshblu does."""
    device = feed_as_device(server)
    client = stack.enter_context(mqtt_client(server, device.uuid, device.token))
    came: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    subscribed = threading.Event()
    client.on_message = lambda _, __, message: came.put(message.payload)
    client.on_subscribe = lambda *args: subscribed.set()
    client.subscribe(f"{device.uuid}_bc")
    assert subscribed.wait(WAIT_S_MAX)

    def values() -> Iterator[str]:
        while True:
            said = json.loads(came.get(timeout=WAIT_S_MAX))["data"]
            if said.get("topic") == "data":
                yield str(said["payload"].get(CHANNEL))

    return values()


WATCHERS = {
    "Xively HTTP": http_watcher,
    "Xively TCP socket": tcp_watcher,
    "Xively WebSocket": websocket_watcher,
    "WAMP": wamp_watcher,
    "MQTT": mqtt_watcher,
    "workbench": page_watcher,
    "SkyNet REST": skynet_history_watcher,
    "SkyNet's stream": skynet_stream_watcher,
    "socket.io 0.9": socketio_watcher("0.9"),
    "socket.io 4": socketio_watcher("4"),
    "Meshblu's MQTT topics": meshblu_mqtt_watcher,
}


def wait_for(value: str, seen: Iterator[str]) -> None:
    found: queue.SimpleQueue[bool] = queue.SimpleQueue()

    def look() -> None:
        found.put(any(each == value for each in seen))

    threading.Thread(target=look, daemon=True).start()
    assert found.get(timeout=WAIT_S_MAX)


def test_a_value_that_comes_in_through_any_door_is_seen_through_every_other(
    server: LiveServer,
) -> None:
    with ExitStack() as stack:
        with http_writer(server) as write:
            write("0.5")  # the datastream is there before anybody subscribes to it
        watchers = {name: make(server, stack) for name, make in WATCHERS.items()}
        for number, (door, writer) in enumerate(WRITERS.items(), 1):
            value = f"{number}.25"
            with writer(server) as write:
                write(value)
            for name, seen in watchers.items():
                try:
                    wait_for(value, seen)
                except (AssertionError, queue.Empty):
                    pytest.fail(f"{value}, written over {door}, was not seen over {name}")


# --- messages between devices: each door's way to send one, and to hear what is for a device ---


Send = Callable[[str], None]


def register_device(server: LiveServer, **properties: Any) -> SkynetDevice:
    reply = requests.post(
        f"{server.sockets['skynet']}/devices", json=properties, timeout=WAIT_S_MAX
    )
    return SkynetDevice(reply.json()["uuid"], reply.json()["token"])


def message_to(device: SkynetDevice, payload: str) -> dict[str, Any]:
    return {"devices": [device.uuid], "payload": payload}


@contextmanager
def raw_websocket(server: LiveServer, device: SkynetDevice) -> Iterator[ClientConnection]:
    with connect(server.sockets["skynet"].replace("http", "ws", 1) + "/ws/v2") as connection:
        connection.send(json.dumps(["identity", {"uuid": device.uuid, "token": device.token}]))
        assert json.loads(connection.recv(WAIT_S_MAX))[0] == "ready"
        yield connection


@contextmanager
def device_client(server: LiveServer, device: SkynetDevice) -> Iterator[mqtt.Client]:
    with mqtt_client(server, device.uuid, device.token) as client:
        yield client


@contextmanager
def rest_sender(server: LiveServer, sender: SkynetDevice, to: SkynetDevice) -> Iterator[Send]:
    url = f"{server.sockets['skynet']}/messages"
    yield lambda payload: requests.post(
        url, headers=sender.headers, json=message_to(to, payload), timeout=WAIT_S_MAX
    ).raise_for_status()


@contextmanager
def socket_sender(server: LiveServer, sender: SkynetDevice, to: SkynetDevice) -> Iterator[Send]:
    with raw_websocket(server, sender) as connection:
        yield lambda payload: connection.send(json.dumps(["message", message_to(to, payload)]))


@contextmanager
def mqtt_sender(server: LiveServer, sender: SkynetDevice, to: SkynetDevice) -> Iterator[Send]:
    with device_client(server, sender) as client:
        yield lambda payload: client.publish(
            "message", json.dumps(message_to(to, payload)), qos=1
        ).wait_for_publish(WAIT_S_MAX)


@contextmanager
def wamp_sender(server: LiveServer, sender: SkynetDevice, to: SkynetDevice) -> Iterator[Send]:
    with connect(server.sockets["wamp"], subprotocols=["wamp.2.json"]) as connection:
        session = WampSession(connection, server.master_key())
        yield lambda payload: [
            session.request(48, "tank.messages.send", [to.uuid, payload], {"sender": sender.uuid})
        ].clear()


def socketio_sender(age: str) -> Callable[..., Any]:
    @contextmanager
    def sender_of(server: LiveServer, sender: SkynetDevice, to: SkynetDevice) -> Iterator[Send]:
        with closing(SocketioWire(server.sockets["skynet"], sender, age)) as wire:
            yield lambda payload: [wire.ask("message", message_to(to, payload))].clear()

    return sender_of


@contextmanager
def page_sender(server: LiveServer, sender: SkynetDevice, to: SkynetDevice) -> Iterator[Send]:
    with owner_s_browser(server) as browser:
        url = f"{server.url}/messages/"
        page = browser.get(url, timeout=WAIT_S_MAX).text
        form = {"sender": sender.uuid, "devices": to.uuid}
        (token,) = set(re.findall('name="csrfmiddlewaretoken" value="([^"]+)"', page))

        def send(payload: str) -> None:
            reply = browser.post(
                f"{url}send",
                {**form, "payload": json.dumps(payload), "csrfmiddlewaretoken": token},
                headers={"Referer": url},
                timeout=WAIT_S_MAX,
            )
            assert reply.status_code == 200, reply.text

        yield send


SENDERS = {
    "SkyNet REST": rest_sender,
    "Meshblu's WebSocket": socket_sender,
    "MQTT": mqtt_sender,
    "WAMP": wamp_sender,
    "socket.io 0.9": socketio_sender("0.9"),
    "socket.io 2": socketio_sender("3"),
    "socket.io 4": socketio_sender("4"),
    "workbench": page_sender,
}


def rest_hearer(server: LiveServer, device: SkynetDevice, stack: ExitStack) -> Iterator[str]:
    reply = stack.enter_context(
        requests.get(
            f"{server.sockets['skynet']}/subscribe",
            headers=device.headers,
            stream=True,
            timeout=WAIT_S_MAX,
        )
    )
    lines = (line.strip(" ,") for line in reply.iter_lines(chunk_size=1, decode_unicode=True))
    return (json.loads(line)["payload"] for line in lines if line.startswith("{"))


def socket_hearer(server: LiveServer, device: SkynetDevice, stack: ExitStack) -> Iterator[str]:
    connection = stack.enter_context(raw_websocket(server, device))
    frames = (json.loads(frame) for frame in connection)
    return (data["payload"] for event, data in frames if event == "message")


def mqtt_hearer(server: LiveServer, device: SkynetDevice, stack: ExitStack) -> Iterator[str]:
    client = stack.enter_context(device_client(server, device))
    came: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    subscribed = threading.Event()
    client.on_message = lambda _, __, message: came.put(message.payload)
    client.on_subscribe = lambda *args: subscribed.set()
    client.subscribe(device.uuid)
    assert subscribed.wait(WAIT_S_MAX)

    def payloads() -> Iterator[str]:
        while True:
            yield json.loads(came.get(timeout=WAIT_S_MAX))["data"].get("payload", "")

    return payloads()


def wamp_hearer(server: LiveServer, device: SkynetDevice, stack: ExitStack) -> Iterator[str]:
    url = server.sockets["wamp"]
    connection = stack.enter_context(connect(url, subprotocols=["wamp.2.json"]))
    session = WampSession(connection, server.master_key())
    session.request(32, f"tank.devices.{device.uuid}.message")

    def payloads() -> Iterator[str]:
        while True:
            yield session.next_event()[4][0]["payload"]

    return payloads()


def socketio_hearer(age: str) -> Callable[..., Iterator[str]]:
    def hearer(server: LiveServer, device: SkynetDevice, stack: ExitStack) -> Iterator[str]:
        wire = stack.enter_context(closing(SocketioWire(server.sockets["skynet"], device, age)))

        def payloads() -> Iterator[str]:
            while True:
                name, body = wire.next_push()
                if name == "message":
                    yield body["payload"]

        return payloads()

    return hearer


def page_hearer(server: LiveServer, device: SkynetDevice, stack: ExitStack) -> Iterator[str]:
    browser = stack.enter_context(owner_s_browser(server))
    url = f"{server.url}/live/messages/overview"
    stream = stack.enter_context(browser.get(url, stream=True, timeout=WAIT_S_MAX))
    assert stream.status_code == 200, stream.text
    lines = stream.iter_lines(chunk_size=1, decode_unicode=True)
    next(line for line in lines if line.startswith("data:"))  # hello

    def payloads() -> Iterator[str]:
        for line in lines:
            if line.startswith("data:"):
                for row in json.loads(line.removeprefix("data:")).get("rows", ()):
                    yield row.get("text", "").strip('"')  # or who is there

    return payloads()


HEARERS = {
    "SkyNet REST": rest_hearer,
    "Meshblu's WebSocket": socket_hearer,
    "MQTT": mqtt_hearer,
    "WAMP": wamp_hearer,
    "socket.io 0.9": socketio_hearer("0.9"),
    "socket.io 2": socketio_hearer("3"),
    "socket.io 4": socketio_hearer("4"),
    "workbench": page_hearer,
}


def test_a_message_that_is_sent_through_any_door_is_heard_through_every_other(
    server: LiveServer,
) -> None:
    sender, receiver = register_device(server), register_device(server)
    with ExitStack() as stack:
        hearers = {name: make(server, receiver, stack) for name, make in HEARERS.items()}
        for door, make in SENDERS.items():
            payload = f"over {door}"
            with make(server, sender, receiver) as send:
                send(payload)
                for name, heard in hearers.items():
                    try:
                        wait_for(payload, heard)
                    except (AssertionError, queue.Empty):
                        pytest.fail(f"what was sent over {door} was not heard over {name}")


def test_a_device_made_over_wamp_is_a_feed_and_the_other_way_round(server: LiveServer) -> None:
    key = {"X-ApiKey": server.master_key()}
    with connect(server.sockets["wamp"], subprotocols=["wamp.2.json"]) as connection:
        session = WampSession(connection, server.master_key())
        made = session.request(48, "tank.feeds.create", [{"title": "Made over WAMP"}])[3][0]
        url = f"{server.url}/v2/feeds/{made['id']}.json"
        read = requests.get(url, headers=key, timeout=WAIT_S_MAX)
        assert read.json()["title"] == "Made over WAMP"
        feeds = f"{server.url}/v2/feeds.json"
        reply = requests.post(
            feeds, headers=key, json={"title": "Made over HTTP"}, timeout=WAIT_S_MAX
        )
        feed_id = int(reply.headers["Location"].rpartition("/")[2])
        got = session.request(48, "tank.feeds.get", [feed_id])[3][0]
        assert got["title"] == "Made over HTTP"
