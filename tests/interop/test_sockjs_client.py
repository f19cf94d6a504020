"""SockJS by its own client of npm in Node, over each transport it has there.

The same client in a browser: `tests/browser/test_sockjs_client.py`.
"""

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from tests.interop.conftest import OpenDoor, Served
from tests.needed import NODE, needed_program, node_package


class Subscriber:
    """A Node process that subscribes and prints what comes."""

    def __init__(self, url: str, transport: str, message: dict[str, Any]) -> None:
        node_package("sockjs-client")
        command = [needed_program("node"), str(NODE / "sockjs_client.js"), url, transport]
        self._process = subprocess.Popen(
            [*command, json.dumps(message)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def receive(self) -> dict[str, Any]:
        """The next line; the test's own time limit ends a wait in vain."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, self._process.stderr and self._process.stderr.read()
        found: dict[str, Any] = json.loads(line)
        return found

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture(params=["websocket", "xhr-streaming", "xhr-polling", "eventsource"])
def transport(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def subscriber(served: Served, xively_door: OpenDoor, transport: str) -> Iterator[Subscriber]:
    message = {
        "method": "subscribe",
        "resource": f"/feeds/{xively_door.feed_id}",
        "headers": {"X-ApiKey": xively_door.device_key},
    }
    made = Subscriber(served.server.sockets["sockjs"], transport, message)
    yield made
    made.close()


@pytest.mark.timeout(40)
def test_pushes_reach_the_client_over_each_transport(
    subscriber: Subscriber, transport: str, xively_door: OpenDoor
) -> None:
    resource = f"/feeds/{xively_door.feed_id}"
    assert subscriber.receive() == {"open": transport}
    assert subscriber.receive() == {"resource": resource, "status": 200}
    for value in ("21.5", "Grüße ☂"):
        body = {"datastreams": [{"id": "temp", "current_value": value}]}
        headers = {"X-ApiKey": xively_door.device_key}
        url = f"http://{xively_door.address}/v2{resource}"
        assert requests.put(url, json=body, headers=headers, timeout=10).status_code == 200
        push = subscriber.receive()
        assert (set(push), push["resource"]) == ({"resource", "body"}, resource)
        assert push["body"]["datastreams"][0]["current_value"] == value
