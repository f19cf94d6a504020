"""Every route of the web and everybody who may ask: nobody sees or changes what is not theirs.

The routes come from the URL resolver; who may is in `routes.py`, and a route without a line there
fails.
"""

import inspect
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest
import requests
from tests.interop.web_security.hardening import weaknesses
from tests.interop.web_security.list_routes import STREAM, Found, list_routes
from tests.interop.web_security.routes import (
    ACCOUNTS,
    ADMINS,
    ELSEWHERE,
    EVERYBODY,
    FOUND,
    LED,
    NOBODYS,
    OWNED,
    PRIVATE,
    ROUTES,
    SECRET,
    SEEN,
    SIGN_IN,
    STATION,
    STREAMS,
    Route,
)
from tests.interop.web_security.world import (
    ADMIN,
    MISSING,
    OTHER,
    OWNER,
    ROLES,
    STRANGER,
    Browser,
    Operator,
    World,
    browsers_of,
    make_world,
    state_of,
)
from tests.live_server import LiveServer, start_server

from thingtank.server.app import WebApp

OF_OBJECTS = (SEEN, FOUND, OWNED, SECRET, PRIVATE)
ADMIN_PLACES = {
    "id": 1,
    "object_id": 1,
    "content_type_id": 1,
    "app_label": "catalog",
    "url": "nowhere",
}


class Web(NamedTuple):
    """A server with people and their things."""

    server: LiveServer
    operator: Operator
    routes: list[Found]
    streams: list[Found]
    browsers: dict[str, Browser]
    worlds: dict[str, World]  # `private`, `public` and `missing` ones


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    with start_server(tmp_path_factory.mktemp("data")) as server:
        operator = Operator(server)
        browsers = browsers_of(server, operator)
        worlds = {
            "private": make_world(operator, browsers[OWNER]),
            "public": make_world(operator, browsers[OWNER], private=False),
            "missing": MISSING,
        }
        assert browsers[ADMIN].post("/station/", STATION).status_code == 201
        routes = list_routes()
        streams = [found for found in routes if found.name == STREAM]
        pages = [found for found in routes if found.name != STREAM]
        yield Web(server, operator, pages, streams, browsers, worlds)


def lines(web: Web) -> Iterator[tuple[Found, Route]]:
    """The routes that have a line, in the order of the lines; the first of a name."""
    first = {found.name: found for found in reversed(web.routes)}
    for name, route in ROUTES.items():
        yield first[name], route


def path_of(found: Found, route: Route, world: World) -> str:
    renamed = {place: world[name] for place, name in route.places.items()}
    return found.path({**world, **renamed})


def outcome(reply: requests.Response) -> str:
    """`may`, or why not."""
    location = reply.headers.get("location", "")
    if reply.status_code == 401 or re.match(r"/(sign-in|admin/login/)\?next=", location):
        return "sign in"
    refusals = {403: "refused", 404: "missing", 405: "no such method"}
    assert reply.status_code < 500, (reply.url, reply.status_code)
    return refusals.get(reply.status_code, "may")


def expected(kind: str, role: str, which: str, path: str = "/feeds/") -> str:
    """The outcome for one of ROLES and a world that is `private`, `public` or `missing`."""
    is_seen = which == "public" and path.startswith(("/feeds/", "/triggers/", "/weather/"))
    if kind == EVERYBODY:
        return "may"
    if kind == SIGN_IN:
        return "sign in"
    if kind == LED:
        return {STRANGER: "sign in", ADMIN: "may"}.get(role, "refused")
    if kind in (SEEN, FOUND) and which == "public":
        return "may"
    if role == STRANGER:
        return "missing" if kind == FOUND else "sign in"
    if kind == ACCOUNTS:
        return "may"
    if kind == ADMINS:
        return "may" if role == ADMIN else "refused"
    if kind == NOBODYS or which == "missing":
        return "missing"
    if role == OWNER or (role == ADMIN and kind in (SEEN, FOUND, OWNED)):
        return "may"
    if kind == SECRET and role == ADMIN:
        return "refused"
    return "refused" if kind in (OWNED, SECRET) and is_seen else "missing"


def has_own_table(found: Found) -> bool:
    """Whether it is of the admin site, or an operation of the REST API: see `operations.py`."""
    return found.name.startswith(("admin:", "api:")) and found.name not in ROUTES


def test_every_route_has_a_line_that_says_who_it_is_for(web: Web) -> None:
    names = {found.name for found in web.routes if not has_own_table(found)}
    assert names - ROUTES.keys() == set(), "say in routes.py who may use them"
    assert ROUTES.keys() - names == set(), "there are no such routes any more"
    for stream in web.streams:
        has_line = any(template.startswith(stream.template) for template in STREAMS)
        assert has_line, f"say in routes.py who may use {stream.template}"
    parts = set(inspect.signature(WebApp).parameters)
    known = {"xively", "pages", "static", "live", "exports", "bulk", "monitoring"}
    assert parts == known, "say in routes.py who may use what is served beside the pages"


def mismatches(
    web: Web,
    role: str,
    which: str,
    ask: Callable[[Found, Route], tuple[str, requests.Response | None]],
) -> list[str]:
    """Where the outcome of asking each route is not what its line says."""
    found = []
    for each, route in lines(web):
        kind, reply = ask(each, route)
        if reply is None:
            continue
        wanted, got = expected(kind, role, which, each.template), outcome(reply)
        if wanted != got:
            found.append(f"{each.name}: {role}, {which}: {got} {reply.status_code}, not {wanted}")
        found += [f"{each.name}: a secret is shown to {role}"] * shows_secrets(
            web, role, each, reply
        )
    return found


def shows_secrets(web: Web, role: str, found: Found, reply: requests.Response) -> bool:
    """Whether an answer shows somebody else's keys, codes or names, but for what it is asked by."""
    if role == OWNER or found.name == "workbench:activate":
        return False
    secrets = web.worlds["private"]["secrets"] + web.worlds["public"]["secrets"]
    if role != ADMIN:
        secrets = [*secrets, "Hidden roof", web.worlds["private"]["uuid"]]
    return any(secret in reply.text for secret in secrets)


LOOKING = [("private", role) for role in ROLES]
LOOKING += [("public", role) for role in (STRANGER, OTHER)]
LOOKING += [("missing", role) for role in (STRANGER, OTHER, OWNER)]


@pytest.mark.parametrize(("which", "role"), LOOKING)
def test_each_role_sees_the_pages_it_may_see_and_no_secrets(
    web: Web, role: str, which: str
) -> None:
    def ask(found: Found, route: Route) -> tuple[str, requests.Response | None]:
        is_asked = route.get not in ("", ELSEWHERE) and (
            which == "private" or route.get in OF_OBJECTS
        )
        if not is_asked:
            return "", None
        return route.get, web.browsers[role].get(path_of(found, route, web.worlds[which]))

    assert mismatches(web, role, which, ask) == []


@pytest.mark.parametrize("which", ["private", "public", "missing"])
@pytest.mark.parametrize("role", [STRANGER, OTHER])
def test_nobody_changes_what_is_not_theirs(web: Web, role: str, which: str) -> None:
    worlds = [web.worlds["private"], web.worlds["public"]]
    before = [state_of(web.operator, world) for world in worlds]

    def ask(found: Found, route: Route) -> tuple[str, requests.Response | None]:
        if route.post not in (*OF_OBJECTS, ADMINS):
            return "", None
        path = path_of(found, route, web.worlds[which])
        return route.post, web.browsers[role].post(path, route.fields)

    assert mismatches(web, role, which, ask) == []
    assert [state_of(web.operator, world) for world in worlds] == before


@pytest.mark.parametrize("role", [OWNER, ADMIN])
def test_who_may_change_something_can(web: Web, role: str) -> None:
    world = make_world(web.operator, web.browsers[OWNER])
    before = state_of(web.operator, world)

    def ask(found: Found, route: Route) -> tuple[str, requests.Response | None]:
        if route.post in ("", ELSEWHERE):
            return "", None
        path = path_of(found, route, world)
        return route.post, web.browsers[role].post(path, route.fields)

    assert mismatches(web, role, "private", ask) == []
    assert state_of(web.operator, world) != before


ASKING = [
    "/deliveries/?trigger={trigger_id}",
    "/deliveries/?scope=all",
    "/?scope=all",
    "/?scope=all&q=hidden",
    "/directory/?q=hidden",
    "/directory/?tag=attic",
    "/directory/?user=olga",
    "/directory/places?tag=attic",
    "/keys/?q=hidden",
    "/products/?state=all",
    "/products/add?from_feed={activated_feed_id}",
    "/messages/?device={uuid}",
    "/messages/?to={uuid}",
    "/weather/?feed={feed_id}",
    "/wall/?feed={feed_id}",
    "/log/?device={uuid}",
    "/log/?device={feed_id}",
    "/log/?scope=all&q=hidden",
    "/map/?scope=all&q=hidden",
    "/map/places?scope=all&list=1&south=-90&west=-180&north=90&east=180&zoom=1",
    "/weather/bind?feed={feed_id}",
    "/mqtt/?show=retained&q=",
    "/wamp/?show=sessions&q=olga",
]


@pytest.mark.parametrize("role", [STRANGER, OTHER])
def test_nothing_that_is_asked_for_in_an_address_shows_what_is_hidden(web: Web, role: str) -> None:
    world = web.worlds["private"]
    for address in ASKING:
        asked = address.format_map(world)
        reply = web.browsers[role].get(asked)
        known = (
            reply.text.replace(asked, "").replace(world["uuid"], "")
            if "uuid" in address
            else reply.text
        )
        assert not re.search(r"Hidden roof", known), asked
        assert not any(secret in known for secret in world["secrets"]), asked


@pytest.mark.parametrize("role", ROLES)
def test_streams_and_files_are_for_who_may_see_them(web: Web, role: str) -> None:
    for which, world in web.worlds.items():
        for template, route in STREAMS.items():
            path = template.format_map(world)
            with web.browsers[role].get(path, stream=True) as reply:
                got = outcome(reply)
                assert got == expected(route.get, role, which), (path, which, reply.status_code)
                assert weaknesses(reply) == [], path
            for method in ("POST", "PUT", "DELETE"):
                assert web.browsers[role].ask(method, path).status_code == 405


def normal(reply: requests.Response, world: World) -> tuple[int, str, str]:
    """An answer without what differs from one request to the next, or names what was asked for."""
    names = [str(value) for value in world.values() if len(str(value)) > 5]
    either = re.compile("|".join([r'(?<=value=")\w{64}', *map(re.escape, names), r"\d+"]))
    location = reply.headers.get("location", "")
    return reply.status_code, either.sub("…", location), either.sub("…", reply.text)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("role", [STRANGER, OTHER])
def test_what_is_hidden_looks_as_if_there_were_none(web: Web, role: str, method: str) -> None:
    browser, told = web.browsers[role], []
    data = {"csrfmiddlewaretoken": browser.token()}
    for found, route in lines(web):
        if (route.get if method == "GET" else route.post) not in OF_OBJECTS:
            continue
        hidden, missing = (
            normal(
                browser.ask(method, path_of(found, route, world), data={**data, **route.fields}),
                world,
            )
            for world in (web.worlds["private"], MISSING)
        )
        told += [(found.name, hidden, missing)] * (hidden != missing)
    assert told == []


def test_a_form_without_its_token_is_refused_on_every_route(web: Web) -> None:
    places = {**web.worlds["private"], **ADMIN_PLACES}
    for role, others in (STRANGER, []), (ADMIN, ["PUT", "PATCH", "DELETE"]):
        browser = web.browsers[role]
        for found in web.routes:
            if found.name.startswith(("api:", "/api/")):
                continue  # by keys too, and so without Django's own check: test_operations.py
            path = found.path(places)
            for method in ["POST", *(others if found.name in ROUTES else [])]:
                reply = browser.ask(method, path, data={"x": "1"})
                is_rest = found.name.startswith("rest:station") and role == STRANGER
                wanted = 401 if is_rest else 403
                if found.name == "/station/{pk}":  # where it leads refuses it
                    wanted = 307
                assert reply.status_code == wanted, (role, method, path, reply.status_code)
    assert state_of(web.operator, web.worlds["private"])
    assert browser.get("/account").status_code == 200  # still signed in


def test_a_forged_token_or_one_of_somebody_else_is_refused(web: Web) -> None:
    owner, other = web.browsers[OWNER], web.browsers[OTHER]
    for token in ("", "x", "x" * 32, "x" * 64, other.token()):
        reply = owner.ask("POST", "/devices/add", data={"csrfmiddlewaretoken": token, "name": "x"})
        assert reply.status_code == 403, token
    fields = {"csrfmiddlewaretoken": owner.token(), "name": "x"}
    for origin in ("https://evil.example", "null", f"{web.server.url}.evil.example"):
        reply = owner.ask("POST", "/devices/add", data=fields, headers={"Origin": origin})
        assert reply.status_code == 403, origin


def test_only_admins_get_into_the_admin_site(web: Web) -> None:
    for role in (STRANGER, OTHER):
        for found in web.routes:
            if not found.name.startswith("admin:"):
                continue
            path = found.path(ADMIN_PLACES)
            replies = [web.browsers[role].get(path)]
            if role == OTHER:
                replies.append(web.browsers[role].post(path))
            for reply in replies:
                got = outcome(reply)
                is_out = found.name in ("admin:logout", "admin:login")
                assert got in ("sign in", "refused") or is_out, (role, path, got)
    lists = [found.template for found in web.routes if found.name.endswith("_changelist")]
    assert len(lists) > 5
    for path in lists:
        assert web.browsers[ADMIN].get(path).status_code == 200


def test_a_key_opens_no_page(web: Web) -> None:
    """Keys are for the doors and the API; a page with a key is a stranger's."""
    world = web.worlds["private"]
    for name, value in (
        ("X-ApiKey", world["api_key"]),
        ("Authorization", f"Bearer {world['api_key']}"),
        ("Cookie", f"sessionid={world['api_key']}"),
    ):
        for path in ("/", f"/feeds/{world['feed_id']}", "/keys/", "/account"):
            reply = Browser(web.server.url).get(path, headers={name: value})
            assert outcome(reply) == "sign in", (name, path)


@pytest.mark.parametrize("role", [STRANGER, OTHER, OWNER])
def test_only_admins_change_a_station(web: Web, role: str) -> None:
    browser = web.browsers[role]
    for method in ("PUT", "PATCH", "DELETE", "POST"):
        path = "/station/" if method == "POST" else "/station/1/"
        headers = {"X-CSRFToken": browser.token()}
        reply = browser.ask(method, path, json=STATION, headers=headers)
        assert outcome(reply) == expected(ADMINS, role, "private"), (method, reply.status_code)
    assert web.browsers[ADMIN].get("/station/1/").json()["name"] == STATION["name"]
