"""Whoever comes by whichever door, with whatever secret, right or wrong: the log has none of it."""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import paho.mqtt.client as mqtt
import pytest
import requests
from paho.mqtt.enums import CallbackAPIVersion
from tests.live_server import LiveServer, start_server
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

PASSWORD = "correct-horse-battery-9"
WRONG = "a-wrong-SECRET-that-somebody-typed"
WAIT_S_MAX = 10.0


class Secrets:
    """Of one server, besides those that its greeting shows to who has started it."""

    def __init__(self, server: LiveServer) -> None:
        self.master_key = server.master_key()
        server.command("user", "create", "alice", "--password", PASSWORD)
        made = requests.post(
            f"{server.sockets['skynet']}/devices", json={"name": "lamp"}, timeout=WAIT_S_MAX
        ).json()
        self.uuid, self.token = str(made["uuid"]), str(made["token"])

    @property
    def all(self) -> list[str]:
        return [self.master_key, self.token, PASSWORD, WRONG]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    flags = ("--set", "log.format=text", "--set", "log.level=debug")
    with start_server(tmp_path_factory.mktemp("data"), *flags) as server:
        yield server


def over_http(server: LiveServer, secrets: Secrets) -> None:
    feed = f"{server.url}/v2/feeds/{server.feed_id}"
    for key in (secrets.master_key, WRONG):
        for url, headers in (
            (f"{feed}.json", {"X-ApiKey": key}),
            (f"{feed}.json?key={key}", {}),
            (f"{feed}.json?oauth_token={key}", {}),
            (f"{server.url}/nowhere?key={key}", {}),
            (f"{server.url}/welcome/{quote(key)}", {}),
            (f"{feed}.json", {"Authorization": f"Bearer {key}"}),
            (f"{server.url}/metrics", {"Authorization": f"Bearer {key}"}),
            (f"{server.url}/station/", {"Cookie": f"sessionid={key}"}),
        ):
            requests.get(url, headers=headers, timeout=WAIT_S_MAX)
        requests.put(f"{feed}.json?key={key}", data=b"{not json", timeout=WAIT_S_MAX)
        requests.get(f"{server.url}/station/", auth=("alice", key), timeout=WAIT_S_MAX)


def signing_in(server: LiveServer, secrets: Secrets) -> None:
    browser = requests.Session()
    page = browser.get(f"{server.url}/sign-in", timeout=WAIT_S_MAX)
    token = page.text.split('name="csrfmiddlewaretoken" value="')[1].split('"')[0]
    for password in (WRONG, PASSWORD):
        fields = {"csrfmiddlewaretoken": token, "username": "alice", "password": password}
        browser.post(f"{server.url}/sign-in", data=fields, timeout=WAIT_S_MAX)
    browser.post(f"{server.url}/sign-in", data={"password": WRONG}, timeout=WAIT_S_MAX)


def over_mqtt(server: LiveServer, secrets: Secrets) -> None:
    port = int(server.sockets["mqtt"].rpartition(":")[2])
    for user, password in (
        (secrets.master_key, None),
        ("alice", PASSWORD),
        ("alice", WRONG),
        (WRONG, None),
        (secrets.uuid, secrets.token),
        (secrets.uuid, WRONG),
    ):
        client = mqtt.Client(CallbackAPIVersion.VERSION2)
        client.username_pw_set(user, password)
        answered = threading.Event()
        client.on_connect = client.on_disconnect = lambda *_, done=answered: done.set()
        client.connect("127.0.0.1", port)
        client.loop_start()
        assert answered.wait(WAIT_S_MAX)
        client.publish(f"{secrets.master_key}/v2/feeds/{server.feed_id}.json", b"{no", qos=0)
        client.publish(f"{WRONG}/v2/feeds/1.json", b"{}", qos=0)
        client.disconnect()
        client.loop_stop()
    with socket.create_connection(("127.0.0.1", port), timeout=WAIT_S_MAX) as connection:
        connection.sendall(b"\x10\x7f" + WRONG.encode() * 5)
        connection.recv(100)


def over_wamp(server: LiveServer, secrets: Secrets) -> None:
    for ticket in (secrets.master_key, WRONG):
        with connect(server.sockets["wamp"], subprotocols=["wamp.2.json"]) as connection:

            def ask(message: list[Any]) -> Any:
                connection.send(json.dumps(message))
                return json.loads(connection.recv(WAIT_S_MAX))

            with contextlib.suppress(WebSocketException):
                roles = {"caller": {}, "publisher": {}}
                ask([1, "realm1", {"roles": roles, "authmethods": ["ticket"], "authid": "alice"}])
                ask([5, ticket, {}])
                ask([48, 1, {}, "tank.keys.get", [WRONG]])
                ask([48, 1, {"ticket": WRONG}])


def over_xively_socket(server: LiveServer, secrets: Secrets) -> None:
    host, _, port = server.sockets["socket"].removeprefix("tcp://").rpartition(":")
    for key in (secrets.master_key, WRONG):
        with socket.create_connection((host, int(port)), timeout=WAIT_S_MAX) as connection:
            asked = {"method": "get", "resource": f"/feeds/{server.feed_id}", "headers": {"X-ApiKey": key}}  # fmt: skip
            connection.sendall(json.dumps(asked).encode())
            connection.recv(65_536)
            connection.sendall(f'{{"method": "get", "headers": {{"X-ApiKey": "{key}"'.encode())
            connection.sendall(b"]]]")
            connection.recv(65_536)


def over_skynet(server: LiveServer, secrets: Secrets) -> None:
    url = server.sockets["skynet"]
    for token in (secrets.token, WRONG):
        headers = {"skynet_auth_uuid": secrets.uuid, "skynet_auth_token": token}
        for path in ("/devices", f"/devices/{secrets.uuid}", f"/authenticate/{secrets.uuid}?token={token}", f"/devices?token={token}"):  # fmt: skip
            requests.get(url + path, headers=headers, timeout=WAIT_S_MAX)
        requests.put(
            f"{url}/devices/{secrets.uuid}",
            data={"token": token},
            headers=headers,
            timeout=WAIT_S_MAX,
        )
        requests.post(f"{url}/messages", data=b"{broken", headers=headers, timeout=WAIT_S_MAX)
        requests.get(f"{url}/data/x?token={token}", auth=(secrets.uuid, token), timeout=WAIT_S_MAX)
    for path in (f"/socket.io/?EIO=4&transport=polling&token={WRONG}", f"/socket.io/1/?t={WRONG}"):
        requests.get(url + path, timeout=WAIT_S_MAX)


DOORS = (over_http, signing_in, over_mqtt, over_wamp, over_xively_socket, over_skynet)


def test_no_secret_is_logged_by_any_door(server: LiveServer) -> None:
    secrets = Secrets(server)
    before = len(server.output())
    for door in DOORS:
        door(server, secrets)
    time.sleep(0.2)
    logged = server.output()[before:]
    assert logged.strip(), "nothing was logged at all: the doors were not reached"
    lines = logged.splitlines()
    assert [line for line in lines if any(secret in line for secret in secrets.all)] == []
    assert Path(server.folder, "secret.key").read_bytes().hex() not in logged
