"""The ways by which a device may connect, each with what to copy: real addresses, its own key."""

from collections.abc import Iterator
from typing import Literal
from urllib.parse import quote

import msgspec
from django.http import HttpRequest

from thingtank.tank.things import Device
from thingtank.web.workbench import mqtt_broker, skynet_address, wamp_router
from thingtank.web.workbench.http_snippets import (
    curl_line,
    esp32_sketch,
    local_host_of,
    requests_program,
)
from thingtank.web.workbench.mqtt_snippets import mosquitto_value_line, paho_value_program
from thingtank.web.workbench.pages import address_of
from thingtank.web.workbench.skynet_snippets import (
    data_line,
    message_lines,
    node_program,
    python_program,
)
from thingtank.web.workbench.trying import seen_from
from thingtank.web.workbench.wamp_snippets import recording_program, recording_script

Secret = Literal["key", "token"]
WAY_NAMES = {
    "curl": "curl",
    "python": "Python",
    "esp32": "Arduino, ESP32",
    "mqtt": "MQTT",
    "wamp": "WAMP",
    "skynet": "SkyNet",
}


class Snippet(msgspec.Struct, frozen=True):
    """Something to copy.

    Attributes:
        id: of its element.
        title: the program that runs it.
        what: it is, on the button that copies it.
        secret: stands where SECRET does: the device's key, or one of its tokens.
    """

    id: str
    title: str
    what: str
    text: str
    secret: Secret = "key"  # noqa: S105 # which, and not itself

    @property
    def is_token(self) -> bool:
        """Whether it is one of its tokens."""
        return self.secret == "token"  # noqa: S105 # which, and not itself


class Way(msgspec.Struct, frozen=True):
    """One way to connect.

    Attributes:
        name: one of WAY_NAMES.
        words: what to know before.
        local_host: the address in it that only this machine reaches; blank for none, and where
            programs of this machine are meant.
    """

    name: str
    label: str
    words: str
    snippets: tuple[Snippet, ...]
    local_host: str = ""

    @property
    def needs_token(self) -> bool:
        """Whether one of the device's tokens belongs into it."""
        return any(snippet.is_token for snippet in self.snippets)


def ways_of(request: HttpRequest, device: Device, channel: str) -> list[Way]:
    """The ways whose doors are open, in the order of WAY_NAMES; those by HTTP always are.

    Args:
        channel: that the examples write to.
    """
    endpoint = address_of(request, f"/v2/feeds/{device.device_id}")
    return [
        *_http_ways(endpoint, channel),
        *_mqtt_way(request, device, channel),
        *_wamp_way(request, device, channel),
        *_skynet_way(request, device, channel),
    ]


def _http_ways(endpoint: str, channel: str) -> Iterator[Way]:
    curl = Snippet("curl-line", "Command line", "line", curl_line(endpoint, channel))
    yield _way("curl", "Run this in a terminal. The value shows on this page at once.", curl)
    program = Snippet("python-program", "Python", "program", requests_program(endpoint, channel))
    words = "Save it as a file and start it. It writes a value every five seconds."
    yield _way("python", words, program)
    sketch = Snippet("esp32-sketch", "Sketch", "sketch", esp32_sketch(endpoint, channel))
    words = "Paste it into a new sketch, put in your Wi-Fi, and upload it to the board."
    yield _way("esp32", words, sketch, local_host=local_host_of(endpoint))


def _mqtt_way(request: HttpRequest, device: Device, channel: str) -> Iterator[Way]:
    broker = mqtt_broker.broker()
    if broker is None:
        return
    addresses = {
        name: seen_from(request, url) if broker.is_everywhere else url
        for name, url in broker.addresses.items()
    }
    topic = f"/v2/feeds/{device.device_id}/datastreams/{quote(channel)}.csv"
    snippets = []
    if tcp_url := addresses.get("mqtt") or addresses.get("mqtt_tls"):
        text = mosquitto_value_line(tcp_url, topic)
        snippets.append(Snippet("mosquitto-line", "mosquitto_pub", "line", text))
    program = paho_value_program(next(iter(addresses.values())), topic)
    snippets.append(Snippet("paho-program", "Python, paho-mqtt", "program", program))
    words = (
        "The key is the user name, and needs no password. Any MQTT client will do:"
        f" publish to {topic}."
    )
    yield _way("mqtt", words, *snippets)


def _wamp_way(request: HttpRequest, device: Device, channel: str) -> Iterator[Way]:
    router = wamp_router.router()
    if router is None or not router.key_realm:
        return
    url = seen_from(request, router.url) if router.is_everywhere else router.url
    asked = (url, router.key_realm, device.device_id, channel)
    python, script = recording_program(*asked), recording_script(*asked)
    yield _way(
        "wamp",
        "The key is the ticket. A call is answered when its value is on disk.",
        Snippet("autobahn-program", "Python, Autobahn", "program", python),
        Snippet("autobahn-script", "Node, Autobahn|JS", "script", script),
    )


def _skynet_way(request: HttpRequest, device: Device, channel: str) -> Iterator[Way]:
    door = skynet_address.address()
    if door is None:
        return
    url = seen_from(request, door.url) if door.is_everywhere else door.url
    uuid = device.uuid
    python, node = python_program(url, uuid, channel), node_program(url, uuid, channel)
    yield _way(
        "skynet",
        "Who comes in as the device itself, to hear messages as well, shows one of its tokens. A"
        " token is shown once: it is made when you ask for it here, and is among the device's"
        " tokens from then on.",
        Snippet("skynet-data", "curl, a value", "line", data_line(url, uuid, channel)),
        Snippet("skynet-curl", "curl, messages", "lines", message_lines(url, uuid), "token"),
        Snippet("skynet-python", "Python, socket.io", "Python program", python, "token"),
        Snippet("skynet-node", "Node, socket.io", "Node program", node, "token"),
    )


def _way(name: str, words: str, *snippets: Snippet, local_host: str = "") -> Way:
    return Way(name, WAY_NAMES[name], words, snippets, local_host)
