"""Every operation of the REST API and everybody who may ask: nobody reads or changes more.

The operations come from the server's own OpenAPI document; who may is in `operations.py`, and an
operation without a line there fails.
"""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
import requests
from tests.interop.web_security.list_routes import list_routes
from tests.interop.web_security.operations import (
    ACCOUNT,
    CREATE,
    DEVICE,
    MASTER,
    NOTHING,
    OPERATIONS,
    SECRET,
    SELF,
    STRANGERS,
    TRIGGER,
    Operation,
)
from tests.interop.web_security.routes import ROUTES
from tests.interop.web_security.world import (
    ADMIN,
    LOGINS,
    OTHER,
    OWNER,
    STRANGER,
    Browser,
    Operator,
    browsers_of,
)
from tests.live_server import LiveServer, start_server

ALL = ("get", "put", "post", "delete")
AT = "2026-01-01T00:00:00.000000Z"
MISSING = 987_654_321


class Who(NamedTuple):
    """Somebody who asks.

    Attributes:
        role: whose account it is.
        methods: of a key, what it may do; None for a session.
        reach: `all` there is of the account, `here` on the world's device alone, or `elsewhere`.
    """

    role: str
    methods: tuple[str, ...] | None = None
    reach: str = "all"

    @property
    def is_master(self) -> bool:
        return self.methods == ALL and self.reach == "all"


EVERYBODY = {
    "a stranger": Who(STRANGER),
    "a wrong key": Who(STRANGER, ()),
    "another account by session": Who(OTHER),
    "another account's master key": Who(OTHER, ALL),
    "the owner by session": Who(OWNER),
    "the owner's master key": Who(OWNER, ALL),
    "a reading key": Who(OWNER, ("get",)),
    "a writing key": Who(OWNER, ("put", "post")),
    "a key of this device": Who(OWNER, ALL, "here"),
    "a reading key of this device": Who(OWNER, ("get",), "here"),
    "a key of another device": Who(OWNER, ALL, "elsewhere"),
    "an admin by session": Who(ADMIN),
    "an admin's master key": Who(ADMIN, ALL),
}


class World(NamedTuple):
    """A device of the owner with what belongs to it."""

    which: str
    places: dict[str, Any]
    keys: dict[str, str]  # of EVERYBODY that has one, the secret


class Api(NamedTuple):
    """A server, its document, people and their things."""

    server: LiveServer
    operator: Operator
    paths: dict[str, tuple[str, str]]  # operationId → method and path
    browsers: dict[str, Browser]
    worlds: dict[str, World]


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with start_server(tmp_path_factory.mktemp("data")) as server:
        operator = Operator(server)
        document = requests.get(f"{server.url}/api/openapi.json", timeout=30).json()
        paths = {
            said["operationId"]: (method.upper(), path)
            for path, operations in document["paths"].items()
            for method, said in operations.items()
        }
        browsers = browsers_of(server, operator)
        worlds = {which: make_world(operator, which) for which in ("private", "public")}
        missing = {
            name: value if name in ("at", "datastream", "name", "title", "private") else MISSING
            for name, value in worlds["private"].places.items()
        }
        worlds["missing"] = World("missing", missing, worlds["private"].keys)
        yield Api(server, operator, paths, browsers, worlds)


def make_world(operator: Operator, which: str, *only: str) -> World:
    """A device with a value, a trigger that was tested, and keys for everybody, or only some."""
    owner = LOGINS[OWNER]
    title = "Hidden roof" if which == "private" else "Open roof"
    made = operator("device.create", name=title, private=which == "private", owner=owner)
    feed_id = made["feed_id"]
    operator("feed.write", feed=str(feed_id), values={"temperature": "21"}, at=AT)
    trigger = operator("trigger.create", feed=str(feed_id), channel="temperature", kind="gt", threshold="30", url="http://127.0.0.1:9/told")  # fmt: skip
    tested = operator("trigger.test", trigger_id=trigger["trigger_id"])
    elsewhere = operator("device.create", name="Elsewhere", owner=owner)["feed_id"]
    feeds = {"all": [], "here": [feed_id], "elsewhere": [elsewhere]}
    keys = {}
    for name, who in EVERYBODY.items():
        if who.methods and name in (only or EVERYBODY):
            login = LOGINS.get(who.role, "")
            key = operator("key.create", label=name, owner=login, methods=who.methods, feeds=feeds[who.reach])  # fmt: skip
            keys[name] = key["api_key"]
    key = operator("key.create", label="one more", owner=owner, feeds=[feed_id])
    places = {
        "device": feed_id,
        "feed_id": feed_id,
        "title": title,
        "private": which == "private",
        "datastream": "temperature",
        "at": AT,
        "trigger": trigger["trigger_id"],
        "delivery": tested["deliveries"][0]["delivery_id"],
        "key": key["key_id"],
        "name": "not-found",
        "uuid": made["uuid"],
    }
    return World(which, places, keys)


def filled(template: Any, places: dict[str, Any]) -> Any:
    """A body or query with the world's things in place of `{feed_id}` and the like."""
    if isinstance(template, dict):
        return {name: filled(value, places) for name, value in template.items()}
    if isinstance(template, str) and template.startswith("{"):
        return places[template.strip("{}")]
    return template


def ask(api: Api, name: str, who: str, world: World, *, token: bool = True) -> requests.Response:
    """Use an operation on a world, as somebody.

    Args:
        token: a session sends its form token along with what changes something.
    """
    operation, (method, path) = OPERATIONS[name], api.paths[name]
    body = bodies(world).get(name, operation.body)
    options: dict[str, Any] = {"params": filled(dict(operation.query), world.places)}
    if body is not None:
        options["json"] = filled(body, world.places)
    url = api.server.url + path.format_map(world.places)
    headers = {}
    key = "wrong" * 10 if who == "a wrong key" else world.keys.get(who)
    if key is not None:
        headers["X-ApiKey"] = key
        return requests.request(method, url, headers=headers, timeout=30, **options)
    browser = api.browsers[EVERYBODY[who].role]
    if token and method != "GET" and browser.cookie("session") is not None:
        headers["X-CSRFToken"] = browser.token()
    return browser.session.request(method, url, headers=headers, timeout=30, **options)


def bodies(world: World) -> dict[str, Any]:
    """Bodies that are lists, or hold lists of the world's things."""
    place = {"device": world.places["device"], "datastream": "temperature"}
    return {
        "write_datapoints": [{**place, "value": "24", "at": "2026-01-03T00:00:00Z"}],
        "send_message": {
            "devices": ["nobody"],
            "payload": 1,
            "sender": str(world.places["device"]),
        },
    }


def expected(operation: Operation, who: Who, which: str) -> int:
    """The status, 200 for all that is done."""
    if who.role == STRANGER:
        return 200 if STRANGERS in operation.needs and who.methods is None else 401
    if STRANGERS in operation.needs:
        return 200
    if operation.about == NOTHING:
        return expected_of_own(operation, who, which)
    is_admin = who == EVERYBODY["an admin by session"]
    if which == "missing":
        return 403 if operation.about == ACCOUNT and not may_look(operation, who) else 404
    if operation.about == ACCOUNT:
        return expected_of_account(operation, who, is_admin=is_admin)
    if is_admin or (who.role == OWNER and who.methods is None):
        return 200
    if who.role != OWNER:
        if operation.about == DEVICE and which == "public":
            return 200 if set(operation.needs) <= {"get"} else 403
        return 404
    if who.reach == "elsewhere":
        return 404
    assert who.methods is not None
    return 200 if set(operation.needs) <= set(who.methods) else 403


def may_look(operation: Operation, who: Who) -> bool:
    """Whether somebody is told that a delivery or a key is not there; lesser keys may not ask."""
    return who.methods is None or who.is_master or SELF in operation.needs


def expected_of_account(operation: Operation, who: Who, *, is_admin: bool) -> int:
    """Of a delivery, or of a key that is not the one that asks."""
    if is_admin:
        return 403 if SECRET in operation.needs else 200
    if not may_look(operation, who):
        return 403
    if who.role != OWNER or not (who.methods is None or who.is_master):
        return 404
    return 200


def expected_of_own(operation: Operation, who: Who, which: str) -> int:
    """Of what lists, or makes something of the caller's own."""
    is_person_or_master = who.methods is None or who.is_master
    if MASTER in operation.needs:
        return 200 if is_person_or_master else 403
    if CREATE in operation.needs:
        return 200 if who.methods is None or ("post" in who.methods and who.reach == "all") else 403
    if operation.needs == ("get",):
        return 200 if who.methods is None or "get" in who.methods else 403
    if not operation.needs:
        return 200
    return expected_of_named(operation.needs[0], who, which)


def expected_of_named(need: str, who: Who, which: str) -> int:
    """Of what names the world's device in its body: what is not there is bad content."""
    is_admin = who == EVERYBODY["an admin by session"]
    if which == "missing" or who.reach == "elsewhere":
        return 422
    is_own = who.role == OWNER or is_admin
    if not is_own and which == "private":
        return 422
    needed = {"trigger": {"get", "post"}, "message": {"put"}, "bulk": {"post"}}[need]
    if is_own and (who.methods is None or needed <= set(who.methods)):
        return 200
    return 422 if need == "bulk" else 403


def test_every_operation_has_a_line_that_says_who_it_is_for(api: Api) -> None:
    assert api.paths.keys() - OPERATIONS.keys() == set(), "say in operations.py who may use them"
    assert OPERATIONS.keys() - api.paths.keys() == set(), "there are no such operations any more"
    routes = {
        found.template
        for found in list_routes()
        if found.name.startswith("api:") and found.name not in ROUTES
    }
    assert routes == {path for _, path in api.paths.values()}, "a route is not in the document"


# Of what is public, or not there, those who have no more or other rights than with what is private.
OTHERS = [
    "a stranger",
    "another account by session",
    "another account's master key",
    "an admin's master key",
]
ASKING = [("private", who) for who in EVERYBODY]
ASKING += [("public", who) for who in OTHERS]
ASKING += [
    ("missing", who) for who in (*OTHERS, "the owner by session", "a reading key of this device")
]


@pytest.mark.parametrize(("which", "who"), ASKING)
def test_each_may_do_what_is_theirs_and_nothing_else(api: Api, who: str, which: str) -> None:
    world, told = api.worlds[which], []
    before = state_of(api)
    for name, operation in OPERATIONS.items():
        wanted = expected(operation, EVERYBODY[who], which)
        own = make_world(api.operator, which, who) if operation.ends and wanted == 200 else world
        reply = ask(api, name, who, own)
        got = 200 if reply.ok or reply.status_code in operation.done else reply.status_code
        if got != wanted:
            told.append(f"{name}: {got}, not {wanted}: {reply.text[:200]}")
        if EVERYBODY[who].role in (STRANGER, OTHER) and shows_hidden(api, reply):
            told.append(f"{name} shows what is hidden: {reply.text[:200]}")
    assert told == []
    if EVERYBODY[who].role in (STRANGER, OTHER):
        assert state_of(api) == before


def shows_hidden(api: Api, reply: requests.Response) -> bool:
    """Whether an answer tells of the private device, or of any of the owner's keys."""
    hidden = api.worlds["private"]
    secrets = [hidden.places["uuid"], "Hidden roof", *hidden.keys.values()]
    secrets += api.worlds["public"].keys.values()
    own = {
        secret
        for world in api.worlds.values()
        for name, secret in world.keys.items()
        if EVERYBODY[name].role != OWNER
    }
    return any(secret in reply.text for secret in secrets if secret not in own)


def state_of(api: Api) -> Any:
    """All that is stored of both worlds and that others must not have changed."""
    owner = LOGINS[OWNER]
    found = [api.operator("key.list", owner=owner), api.operator("trigger.list", owner=owner)]
    for which in ("private", "public"):
        device = str(api.worlds[which].places["device"])
        found += [api.operator("device.show", device=device)]
        found += [api.operator("feed.history", feed=device, channel="temperature", terms={"start": "2025-12-31T00:00:00Z", "end": "2026-01-31T00:00:00Z"},)]  # fmt: skip
    return found


@pytest.mark.parametrize("who", ["the owner by session", "an admin by session"])
def test_a_session_changes_nothing_without_its_form_token(api: Api, who: str) -> None:
    world, before = api.worlds["private"], state_of(api)
    for name, (method, _) in api.paths.items():
        reply = ask(api, name, who, world, token=False)
        if method != "GET":
            assert reply.status_code == 403, name
            assert reply.json()["type"] == "/api/problems/csrf-failed", name
    assert state_of(api) == before


def test_a_session_is_not_believed_beside_a_wrong_key(api: Api) -> None:
    browser = api.browsers[OWNER]
    reply = browser.get("/api/devices", headers={"X-ApiKey": "wrong"})
    assert reply.status_code == 401


def test_what_is_hidden_is_answered_as_if_there_were_none(api: Api) -> None:
    told = []
    for who in ("another account by session", "another account's master key", "a key of another device"):  # fmt: skip
        for name, operation in OPERATIONS.items():
            if operation.about not in (DEVICE, TRIGGER, ACCOUNT):
                continue
            hidden, missing = (
                said(ask(api, name, who, api.worlds[which])) for which in ("private", "missing")
            )
            if hidden != missing:
                told.append((who, name, hidden, missing))
    assert told == []


def said(reply: requests.Response) -> tuple[int, str]:
    """An answer without the numbers of what was asked for."""
    return reply.status_code, re.sub(r"[0-9]+", "…", reply.text)
