"""Accounts with browsers, and one of everything that an account may have."""

import contextlib
import re
from collections.abc import Mapping
from typing import Any

import requests
from tests.interop.web_security.hardening import weaknesses
from tests.live_server import LiveServer

from thingtank.cli.session import running_server

JSON = {"Accept": "application/json"}
STRANGER, OTHER, OWNER, ADMIN = ROLES = ("stranger", "other", "owner", "admin")
LOGINS = {OTHER: "oscar", OWNER: "olga"}
TIMEOUT_S = 30


class Operator:
    """The command line's way into a running server, without a process for each command."""

    def __init__(self, server: LiveServer) -> None:
        self._folder = server.folder

    def __call__(self, operation: str, **parameters: object) -> Any:
        way = running_server(self._folder)  # anew, as a server lets go of who is idle
        assert way is not None
        with contextlib.closing(way):
            return way.call(operation, parameters)


class Browser:
    """Cookies of one person, and the form token that goes with them.

    Each answer must be hardened, whatever a test asks for.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.session = requests.Session()

    def get(self, path: str, **options: Any) -> requests.Response:
        """Follows no redirect."""
        return self.ask("GET", path, **options)

    def post(self, path: str, fields: Mapping[str, Any] | None = None, **options: Any) -> requests.Response:  # fmt: skip
        """Send a form with its token."""
        return self.ask("POST", path, data={"csrfmiddlewaretoken": self.token(), **(fields or {})}, **options)  # fmt: skip

    def ask(self, method: str, path: str, **options: Any) -> requests.Response:
        options = {"timeout": TIMEOUT_S, "allow_redirects": False, **options}
        reply = self.session.request(method, self.url + path, **options)
        if not options.get("stream"):
            assert weaknesses(reply) == [], (method, path, reply.status_code)
        return reply

    def token(self) -> str:
        """The form token of the newest page."""
        for path in ("/account", "/sign-in"):
            if self.cookie("csrf") is None:
                self.get(path)
        token = self.cookie("csrf")
        assert token is not None
        return token

    def cookie(self, kind: str) -> str | None:
        """The value of the cookie of this kind: `session` or `csrf`."""
        found = [each.value for each in self.session.cookies if f"_{kind}_" in each.name]
        return found[0] if found else None


def browsers_of(server: LiveServer, operator: Operator) -> dict[str, Browser]:
    """A browser for each role; all but the stranger's came by a one-time link."""
    links = {ADMIN: server.welcome_url}
    for role, login in LOGINS.items():
        links[role] = operator("user.create", name=login)["sign_in_link"]
    browsers = {role: Browser(server.url) for role in ROLES}
    for role, link in links.items():
        reply = browsers[role].session.get(link, timeout=TIMEOUT_S)
        assert reply.status_code == 200, reply.text
    return browsers


class World(dict[str, Any]):
    """What routes have in their places, such as `feed_id`; and `secrets` that pages may not show."""


def make_world(operator: Operator, owner: Browser, *, private: bool = True) -> World:
    """One of everything that belongs to the account of OWNER."""
    login = LOGINS[OWNER]
    title = "Hidden roof" if private else "Open roof"
    made = operator("device.create", name=title, private=private, owner=login, tags=["attic"])
    feed_id = made["feed_id"]
    operator("feed.write", feed=str(feed_id), values={"temperature": "21"})
    key = operator("key.create", label=f"{title} key", feeds=[feed_id], owner=login)
    trigger = operator("trigger.create", feed=str(feed_id), channel="temperature", kind="gt", threshold="30", url="http://127.0.0.1:9/told")  # fmt: skip
    tested = operator("trigger.test", trigger_id=trigger["trigger_id"])
    product = operator(
        "product.create", name=f"{title} kettle", private=private, owner=login, channels=["t"]
    )
    product_id = product["product_id"]
    operator("product.add_serials", product_id=product_id, serials=["S-1", "S-2"])
    units = operator("product.list_serials", product_id=product_id)["devices"]
    codes = {unit["serial"]: unit["activation_code"] for unit in units}
    activated = operator("product.activate", code=codes["S-2"])
    assert owner.post("/weather/bind", {"feed_id": feed_id}).status_code == 302
    owner.post(f"/feeds/{feed_id}/tokens/add", {"tag": "hall"})
    found = re.search(r"/tokens/(\d+)/revoke", owner.get(f"/feeds/{feed_id}").text)
    assert found
    return World(
        feed_id=feed_id,
        uuid=made["uuid"],
        name="temperature",
        key_id=key["key_id"],
        trigger_id=trigger["trigger_id"],
        delivery_id=tested["deliveries"][0]["delivery_id"],
        product_id=product_id,
        serial="S-2",
        code=codes["S-1"],
        activated_feed_id=activated["feed_id"],
        token_id=int(found[1]),
        area="send",
        session_id=1,
        token="x" * 43,
        pk=1,
        format="json",
        api_key=key["api_key"],
        secrets=[made["api_key"], key["api_key"], product["secret"], *codes.values()],
    )


MISSING = World(
    feed_id=987_654_321,
    name="temperature",
    key_id=987_654_321,
    trigger_id=987_654_321,
    delivery_id=987_654_321,
    product_id="nothing",
    serial="S-2",
    code="f" * 40,
    activated_feed_id=987_654_321,
    token_id=987_654_321,
    area="send",
    session_id=1,
    token="y" * 43,
    pk=987_654_321,
    format="json",
)


def state_of(operator: Operator, world: World) -> Any:
    """All that is stored of a world and that a stranger must not have changed."""
    feed_id, product_id = world["feed_id"], world["product_id"]
    delivery = operator("delivery.show", delivery_id=world["delivery_id"])
    return (
        operator("device.show", device=str(feed_id)),
        operator("device.show", device=str(world["activated_feed_id"])),
        operator("key.list", owner=LOGINS[OWNER]),
        operator("trigger.list", owner=LOGINS[OWNER]),
        delivery["delivery_id"],
        operator("product.show", product_id=product_id),
        operator("product.list_serials", product_id=product_id),
    )
