"""The REST API of a whole server, asked with keys of two accounts and by session.

One server for all tests of a worker: each test makes the things it needs, and looks at no others.
"""

import itertools
import re
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from tests.live_server import LiveServer, start_server

from thingtank.cli.session import Session

PROBLEM = "application/problem+json"
_numbers = itertools.count(1)


class Rest:
    """The API as its clients have it.

    Attributes:
        keys: name → secret: owner's master key, bob's master key, and `reader`, the owner's that may
            only read, and only the first device.
    """

    def __init__(self, server: LiveServer) -> None:
        self.server = server
        self.url = server.url
        self.feed_id = server.feed_id
        self.keys = {"owner": self._master_key("owner"), "device": server.api_key}
        user = {"user": {"login": "bob", "password": "correct horse battery", "email": "b@b.test"}}
        made = self.ask("POST", "/v2/users.json", json=user)
        assert made.status_code == 201, made.text
        self.keys["bob"] = str(
            server.command("key", "create", "bob's", "--owner", "bob")["api_key"]
        )
        self.keys["reader"] = self.key(["get"], server.feed_id)

    def _master_key(self, owner: str) -> str:
        """As `thingtank key create` makes it, without the process of a command."""
        with Session(self.server.folder) as session:
            return str(session.call("key.create", label=f"{owner}'s", owner=owner)["api_key"])

    def key(self, methods: list[str], feed_id: int = 0, **more: Any) -> str:
        """A new key of the owner's; for all of its devices, or one."""
        permission: dict[str, Any] = {"access_methods": methods, **more}
        if feed_id:
            permission["resources"] = [{"feed_id": feed_id}]
        wanted = {"key": {"label": "made", "private_access": True, "permissions": [permission]}}
        made = self.ask("POST", "/v2/keys.json", json=wanted)
        assert made.status_code == 201, made.text
        return made.headers["Location"].rpartition("/")[2]

    def ask(self, method: str, path: str, key: str = "owner", **request: Any) -> requests.Response:
        """Send a request with a key named in `keys`, or with the key itself; blank for none."""
        headers = {"X-ApiKey": self.keys.get(key, key)} if key else {}
        headers.update(request.pop("headers", {}))
        return requests.request(method, self.url + path, headers=headers, timeout=30, **request)

    def get(self, path: str, key: str = "owner", **params: Any) -> Any:
        """What a GET answers, which must be 200."""
        answer = self.ask("GET", path, key, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def device(self, key: str = "owner", **members: Any) -> Any:
        """A new device, with a title that no other has."""
        members.setdefault("title", unique("Device"))
        made = self.ask("POST", "/api/devices", key, json=members)
        assert made.status_code == 201, made.text
        return made.json()

    def walk(self, path: str, key: str = "owner", **params: Any) -> list[list[Any]]:
        """All pages of a list, by their `next` links."""
        page = self.get(path, key, **params)
        pages = [page["results"]]
        while page["next"]:
            assert len(pages) < 100
            page = self.get(page["next"].removeprefix(self.url), key)
            pages.append(page["results"])
        return pages


def unique(word: str) -> str:
    """A text that no other test uses."""
    return f"{word} {next(_numbers)}"


def path_of(thing: Any) -> str:
    """The path of something that was read."""
    return re.sub(r"\Ahttps?://[^/]+", "", str(thing["url"]))


def problem(answer: requests.Response, status: int, name: str) -> Any:
    """What a refusal says, which must be problem details of this status and type."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == PROBLEM
    said = answer.json()
    assert said["type"] == f"/api/problems/{name}"
    assert (said["status"], bool(said["title"]), bool(said["detail"])) == (status, True, True)
    return said


@pytest.fixture(scope="session")
def rest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rest]:
    with start_server(tmp_path_factory.mktemp("rest")) as server:
        yield Rest(server)


@pytest.fixture(scope="session")
def browser(rest: Rest) -> requests.Session:
    """The owner's browser, signed in by the one-time link."""
    found = requests.Session()
    assert found.get(rest.server.welcome_url, timeout=30).status_code == 200
    return found
