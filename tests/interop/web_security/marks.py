"""Markup in every text that people, devices and programs may give, each with the text's own name."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, urlsplit

import paho.mqtt.client as mqtt
import requests
from tests.interop.web_security.world import (
    ADMIN,
    LOGINS,
    OWNER,
    TIMEOUT_S,
    Browser,
    Operator,
    World,
    make_world,
)
from tests.live_server import LiveServer
from tests.wamp_json import JsonClient, json_client

# Breaks out of an attribute, a script's data and a comment, and then brings an element of its own.
# Without spaces, which URIs may not have.
MARKUP = "\"'><img/src=x/onerror=ran(1)></script--><x-mark>"

_MARK = re.compile(r"\[([^][]*)\][\"'\\]*" + re.escape(MARKUP.lstrip("\"'")))


def mark(name: str) -> str:
    """The markup of one text."""
    return f"[{name}]{MARKUP}"


def marks_in(text: str) -> set[str]:
    """The names of the texts that stand in a text as they were given, or as JSON has them.

    Of a tag its quotes are gone: Xively's tags are a line of CSV.
    """
    plain = text.replace("\\u003C", "<").replace("\\u003E", ">")
    return set(_MARK.findall(plain))


def make_marked_world(
    server: LiveServer, operator: Operator, browsers: dict[str, Browser]
) -> World:
    """One of everything with markup in it; what pages show of it is in `make_talkers` too."""
    owner = browsers[OWNER]
    world = make_world(operator, owner, private=False)
    feed_id, key = world["feed_id"], world["api_key"]
    stream = {
        "id": "temperature",
        "current_value": "21",
        "tags": [mark("channel tag")],
        "unit": {"symbol": mark("unit symbol"), "label": mark("unit label"), "type": "basicSI"},
    }
    words = {"id": "words", "current_value": mark("value"), "unit": {"symbol": "°"}}
    feed = {
        "title": mark("title"),
        "description": mark("description"),
        "website": mark("website"),
        "email": mark("email"),
        "tags": [mark("device tag")],
        "location": {"name": mark("place"), "ele": mark("elevation"), "lat": -75, "lon": 0},
        "datastreams": [stream, words],
    }
    put(server, f"/v2/feeds/{feed_id}.json", key, feed)
    fields = {
        "label": mark("key label"),
        "methods": ["get", "put", "post", "delete"],
        "reach": "only",
        "resources": str(feed_id),
        "private_access": "on",
    }
    sent(owner, f"/feeds/{feed_id}/keys/{world['key_id']}/edit", fields)
    sent(owner, f"/feeds/{feed_id}/tokens/add", {"tag": mark("token tag")})
    properties = {mark("property"): mark("property value"), "owner": mark("owner property")}
    path = f"/feeds/{feed_id}/properties"
    seen = re.search(r'name="seen" value="([^"]*)"', owner.get(path).text)
    assert seen
    sent(owner, path, {"properties": json.dumps(properties), "seen": seen[1]})
    trigger = {"channel": "words", "kind": "eq", "threshold": mark("threshold"), "url": f"http://127.0.0.1:9/{quote(MARKUP)}#{MARKUP}"}  # fmt: skip
    sent(owner, f"/feeds/{feed_id}/triggers/add", trigger)
    product = {"name": mark("product"), "description": mark("product description"), "privacy": "private", "tags": mark("product tag"), "channels": f'"t","{mark("product unit").replace(chr(34), chr(34) * 2)}"'}  # fmt: skip
    sent(owner, f"/products/{world['product_id']}/edit", product)
    station = {"name": mark("station"), "timestamp": "1393926310", "temperature": "28", "lat": "1", "lon": "2"}  # fmt: skip
    assert browsers[ADMIN].post("/station/", station).status_code == 201
    world["key"] = operator("key.create", label="all", owner=LOGINS[OWNER])["api_key"]
    # Refused, and so in the log of requests with its reason.
    requests.put(f"{server.url}/v2/feeds/{feed_id}/datastreams/{quote(mark('asked path'), safe='')}.json", data="{", headers={"X-ApiKey": key}, timeout=TIMEOUT_S)  # fmt: skip
    return world


def put(server: LiveServer, path: str, key: str, body: object) -> None:
    reply = requests.put(server.url + path, json=body, headers={"X-ApiKey": key}, timeout=TIMEOUT_S)
    assert reply.status_code == 200, reply.text


def sent(browser: Browser, path: str, fields: dict[str, Any]) -> None:
    reply = browser.post(path, fields)
    assert reply.status_code == 302, reply.text


class Talkers:
    """A device of SkyNet, a client of MQTT and one of WAMP, with markup in all they say."""

    def __init__(
        self, server: LiveServer, thing: dict[str, Any], client: mqtt.Client, wamp: JsonClient
    ) -> None:
        self._server = server
        self._thing = thing
        self._client = client
        self._wamp = wamp

    def message(self, uuid: str) -> None:
        """Send a message to a device."""
        body = {"devices": [uuid], "topic": mark("message topic"), "payload": {mark("payload key"): mark("payload")}}  # fmt: skip
        headers = {"meshblu_auth_uuid": self._thing["uuid"], "meshblu_auth_token": self._thing["token"]}  # fmt: skip
        url = f"{self._server.sockets['skynet']}/messages"
        assert requests.post(url, json=body, headers=headers, timeout=TIMEOUT_S).ok

    def publish(self) -> None:
        """Publish on MQTT and on WAMP."""
        for topic in ("MQTT topic", "MQTT filter"):
            said = self._client.publish(f"marked/{mark(topic)}", mark("MQTT payload"), 1, True)
            said.wait_for_publish(10)
        arguments = [mark("WAMP argument")], {mark("WAMP key"): 1}
        asked = [16, 9, {"acknowledge": True}, mark("WAMP-topic"), *arguments]
        assert self._wamp.ask(asked)[0] == 17


@contextmanager
def talkers(server: LiveServer) -> Iterator[Talkers]:
    """They are there until the end of the block."""
    url = f"{server.sockets['skynet']}/devices"
    thing = requests.post(url, json={"name": mark("thing"), "type": mark("thing type")}, timeout=TIMEOUT_S).json()  # fmt: skip
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, mark("MQTT client"), protocol=mqtt.MQTTv5)  # fmt: skip
    address = urlsplit(server.sockets["mqtt"])
    with json_client(server.sockets["wamp"]) as wamp:
        assert wamp.ask([32, 1, {}, mark("WAMP-topic")])[0] == 33
        assert wamp.ask([64, 2, {}, mark("WAMP-procedure")])[0] == 65
        client.connect(str(address.hostname), address.port or 0)
        client.loop_start()
        try:
            client.subscribe(f"marked/{mark('MQTT filter')}")
            yield Talkers(server, thing, client, wamp)
        finally:
            client.disconnect()
            client.loop_stop()
