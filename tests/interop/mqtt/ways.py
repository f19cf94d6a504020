"""Each client by each version and transport that the tests run it with."""

import itertools
from collections.abc import Iterator
from typing import NamedTuple

CLIENTS = {
    "paho": (("tcp", 4), ("websocket", 5), ("tcp", 5), ("websocket", 4)),
    "aiomqtt": (("tcp", 5), ("websocket", 4)),
    "mosquitto": (("tcp", 4), ("tcp", 5)),
    "mqtt_js": (("websocket", 5), ("tcp", 4), ("tcp", 5), ("websocket", 4)),
}


class Way(NamedTuple):
    """A client, how it comes, and the version it speaks: 4 is MQTT 3.1.1."""

    client: str
    transport: str
    version: int

    def __str__(self) -> str:
        version = {4: "3.1.1"}.get(self.version, str(self.version))
        return f"{self.client}-{version}-{self.transport}"


WAYS = [Way(name, *how) for name, hows in CLIENTS.items() for how in hows]


def _pairs() -> Iterator[tuple[Way, Way]]:
    """Each way with itself, and each ordered pair of clients by ways that change."""
    yield from ((way, way) for way in WAYS)
    turns = {name: itertools.cycle([w for w in WAYS if w.client == name]) for name in CLIENTS}
    for left, right in itertools.permutations(CLIENTS, 2):
        yield next(turns[left]), next(turns[right])


PAIRS = list(_pairs())
