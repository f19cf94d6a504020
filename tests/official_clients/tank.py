"""What the server has, read and written over HTTP with `requests`: the judge of each call."""

from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

import requests
from tests.live_server import LiveServer
from tests.official_clients.checks import Mismatch, expect

ASK_S_MAX = 10.0
HOUR = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=1)


def at(second: int, micro: int = 0) -> str:
    """A time in yesterday's hour, as the server writes it."""
    moment = HOUR + timedelta(seconds=second, microseconds=micro)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Tank:
    """A running server, with a key that may do everything."""

    def __init__(self, server: LiveServer) -> None:
        self.server = server

    @cached_property
    def key(self) -> str:
        return self.server.master_key()

    def port(self, door: str) -> int:
        """Where a door is: `web`, or one of the sockets."""
        address = self.server.url if door == "web" else self.server.sockets[door]
        return int(address.split("/")[2].rpartition(":")[2])

    def ask(self, method: str, path: str, body: object = None) -> requests.Response:
        """The answer to a request below `/v2`."""
        url = f"{self.server.url}/v2{path}"
        headers = {"X-ApiKey": self.key}
        return requests.request(method, url, json=body, headers=headers, timeout=ASK_S_MAX)

    def read(self, path: str) -> dict[str, Any]:
        answer = self.ask("GET", path)
        if answer.status_code != 200:
            raise Mismatch(f"GET {path} was answered {answer.status_code} {answer.text}")
        found: dict[str, Any] = answer.json()
        return found

    def write(self, method: str, path: str, body: object) -> requests.Response:
        answer = self.ask(method, path, body)
        if answer.status_code not in (200, 201):
            raise Mismatch(f"{method} {path} was answered {answer.status_code} {answer.text}")
        return answer

    def new_feed(self, **values: str) -> str:
        """A feed with these datastreams.

        Returns:
            Its resource, `/feeds/ID`.
        """
        streams = [{"id": name, "current_value": value} for name, value in values.items()]
        made = self.write("POST", "/feeds", {"title": "Roof", "datastreams": streams})
        return "/feeds/" + made.headers["Location"].rpartition("/")[2]

    def new_points(self, count: int = 5) -> str:
        """A feed whose datastream `temp` has the values 0, 1, 2… a second apart from `at(0)` on."""
        feed = self.new_feed()
        points = [{"at": at(n), "value": str(n)} for n in range(count)]
        streams = [{"id": "temp", "datapoints": points}]
        self.write("POST", f"{feed}/datastreams", {"datastreams": streams})
        expect("points at first", self.points(feed), [(at(n), str(n)) for n in range(count)])
        return feed

    def points(self, feed: str, stream: str = "temp") -> list[tuple[str, str]]:
        """Time and value of what a datastream has in yesterday's hour."""
        found = self.read(f"{feed}/datastreams/{stream}?start={at(0)}&duration=1hour")
        return [(point["at"], point["value"]) for point in found.get("datapoints", [])]

    def values(self, feed: str) -> dict[str, str | None]:
        """The current values of a feed's datastreams by name."""
        streams = self.read(feed).get("datastreams", [])
        return {stream["id"]: stream.get("current_value") for stream in streams}

    def put(self, feed: str, **values: str) -> None:
        """Write current values."""
        streams = [{"id": name, "current_value": value} for name, value in values.items()]
        self.write("PUT", feed, {"datastreams": streams})

    def expect_gone(self, path: str) -> None:
        expect(f"status of GET {path}", self.ask("GET", path).status_code, 404)
