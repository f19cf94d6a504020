"""Somebody who has signed in by the one-time link, and copies what a device's page has to copy."""

import html
import re
import secrets
import subprocess
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import requests
from tests.live_server import LiveServer
from tests.waiting import wait_until

from thingtank.cli.session import running_server

SECRET = "••••••••"
TEXT = r'<code id="{}" data-secret-in="(\w+)">(.*?)</code>'


class Copied(NamedTuple):
    """What the button of a snippet puts into the clipboard, and which device it writes to."""

    feed_id: int
    text: str


def run_operation(server: LiveServer, name: str, /, **parameters: object) -> dict[str, Any]:
    """What a `thingtank` command asks the server, without its process."""
    way = running_server(server.folder)
    assert way is not None
    try:
        answer: dict[str, Any] = way.call(name, parameters)
        return answer
    finally:
        way.close()


class Newcomer:
    """A browser without scripts, signed in to an account of its own."""

    def __init__(self, server: LiveServer) -> None:
        self.server = server
        self.login = f"newcomer-{secrets.token_hex(4)}"
        made = run_operation(server, "user.create", name=self.login)
        self.browser = requests.Session()
        self.browser.get(made["sign_in_link"], timeout=20).raise_for_status()

    @cached_property
    def master_key(self) -> str:
        """A key that may do all that the account may."""
        return str(run_operation(self.server, "key.create", label="k", owner=self.login)["api_key"])

    def move_to(self, server: LiveServer) -> None:
        """Go on at the same instance after a restart, which leaves sessions as they are."""
        self.server = server

    def get(self, path: str) -> str:
        """A page."""
        reply = self.browser.get(self.server.url + path, timeout=20)
        assert reply.status_code == 200, (path, reply.status_code)
        return reply.text

    def post(
        self, path: str, *, form_at: str, accept: str = "*/*", **fields: str
    ) -> requests.Response:
        """Send a form of a page."""
        found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', self.get(form_at))
        assert found
        return self.browser.post(
            self.server.url + path,
            data={"csrfmiddlewaretoken": found[1], **fields},
            headers={"Accept": accept},
            timeout=20,
        )

    def add_device(self, name: str, way: str = "") -> int:
        """A new device's feed."""
        made = self.post("/devices/add", form_at="/devices/add", name=name, privacy="private", **{"with": way})  # fmt: skip
        found = re.search(r"/feeds/(\d+)\?", made.url)
        assert found, made.url
        return int(found[1])

    def copy(self, snippet_id: str) -> Copied:
        """What a new device's page has of a program, with its secret."""
        feed_id = self.add_device(f"For {snippet_id}")
        page = f"/feeds/{feed_id}"
        found = re.search(TEXT.format(snippet_id), self.get(page), re.DOTALL)
        assert found, f"there is no {snippet_id}"
        secret = self.secret(feed_id, found[1])
        text = html.unescape(found[2])
        assert text.count(SECRET) >= 1
        return Copied(feed_id, text.replace(SECRET, secret))

    def secret(self, feed_id: int, which: str) -> str:
        """A device's key for sending, or a new token."""
        page = f"/feeds/{feed_id}"
        path = f"{page}/connect/{which}"
        reply = self.post(path, form_at=page, accept="application/json")
        assert reply.status_code == 200, reply.text
        assert "no-store" in reply.headers["cache-control"]
        return str(reply.json()["secret"])

    def value_of(self, feed_id: int, channel: str = "temperature") -> str:
        """The newest value, once there is one."""
        value = re.compile(rf'data-key="{channel}".*?<span data-value>([^<]*)</span>', re.DOTALL)
        shown = wait_until(
            lambda: value.search(self.get(f"/feeds/{feed_id}")),
            f"feed {feed_id} has no value of {channel}",
        )
        assert shown is not None
        return shown[1]

    def value_written_by(self, command: list[str], feed_id: int, **options: object) -> str:
        """The first value that a program writes which goes on for ever."""
        program = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)  # type: ignore[call-overload] # fmt: skip
        try:
            return self.value_of(feed_id)
        except AssertionError as error:
            program.kill()
            raise AssertionError(f"{error}:\n{program.stdout.read()}") from None
        finally:
            program.kill()
            program.wait(20)
            program.stdout.close()


def file_of(folder: Path, name: str, text: str) -> str:
    """A new file's path."""
    path = folder / name
    path.write_text(text)
    return str(path)
