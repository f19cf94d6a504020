"""Sessions of the web: their cookies, where they begin and end, and where nobody is led."""

import re
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
import requests
from tests.interop.web_security.hardening import weaknesses
from tests.interop.web_security.world import Browser, Operator
from tests.live_server import LiveServer, start_server

PASSWORD = "correct horse battery"
OTHER_PASSWORD = f"{PASSWORD} staple"
LOGINS = ("olga", "oscar", "petra")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with start_server(tmp_path_factory.mktemp("data")) as server:
        for login in LOGINS:
            Operator(server)("user.create", name=login, password=PASSWORD)
        yield server


@pytest.fixture
def operator(server: LiveServer) -> Operator:
    return Operator(server)


def link_for(server: LiveServer, operator: Operator, login: str) -> str:
    """A new one-time link, as a path."""
    return str(operator("user.link", name=login)["sign_in_link"]).removeprefix(server.url)


def signed_in(server: LiveServer, operator: Operator, login: str) -> Browser:
    """A browser that followed a one-time link; no password is hashed, which takes long."""
    browser = Browser(server.url)
    assert browser.get(link_for(server, operator, login)).status_code == 302
    assert is_in(browser)
    return browser


def sign_in(browser: Browser, login: str, password: str, address: str = "/sign-in", **more: str) -> requests.Response:  # fmt: skip
    return browser.post(address, {"username": login, "password": password, **more})


def is_in(browser: Browser) -> bool:
    return browser.get("/account").status_code == 200


def session_name(browser: Browser) -> str:
    """What the cookie of sessions is called on this server."""
    return next(each.name for each in browser.session.cookies if "_session_" in each.name)


def as_session(server: LiveServer, name: str, session_key: str | None) -> Browser:
    """A browser of somebody who has got hold of a session's id."""
    thief = Browser(server.url)
    thief.session.cookies.set(name, session_key, domain="127.0.0.1", path="/")
    return thief


def test_signing_in_gives_another_id_than_the_browser_came_with(
    server: LiveServer, operator: Operator
) -> None:
    spare = signed_in(server, operator, "olga")
    name, ended = session_name(spare), spare.cookie("session")
    spare.post("/sign-out")
    for planted in (ended, "a" * 32, "x"):
        victim = as_session(server, name, planted)
        assert sign_in(victim, "olga", PASSWORD).status_code == 302
        assert is_in(victim)
        assert victim.cookie("session") != planted
        assert not is_in(as_session(server, name, planted)), "who planted the id is in"


def test_signing_in_over_another_account_ends_that_session(
    server: LiveServer, operator: Operator
) -> None:
    browser = signed_in(server, operator, "oscar")
    name, before, token = session_name(browser), browser.cookie("session"), browser.token()
    assert browser.get(link_for(server, operator, "olga")).status_code == 302
    assert browser.cookie("session") != before
    assert browser.token() != token
    assert not is_in(as_session(server, name, before))
    assert "olga" in browser.get("/account").text


def test_a_session_ends_at_sign_out_for_everybody_who_has_its_id(
    server: LiveServer, operator: Operator
) -> None:
    for path in ("/sign-out", "/api-auth/logout/"):
        browser = signed_in(server, operator, "olga")
        thief = as_session(server, session_name(browser), browser.cookie("session"))
        assert is_in(thief)
        assert browser.get(path).status_code == 405
        assert browser.ask("POST", path).status_code == 403
        assert is_in(thief)
        assert browser.post(path).status_code == 302
        assert browser.cookie("session") is None
        assert not is_in(thief)
        with thief.get("/live/messages/overview", stream=True) as reply:
            assert reply.status_code == 401


def test_a_new_password_ends_sessions_and_changes_the_id_of_the_one_that_set_it(
    server: LiveServer, operator: Operator
) -> None:
    browser, elsewhere = (signed_in(server, operator, "petra") for _ in range(2))
    name, before = session_name(browser), browser.cookie("session")
    fields = {"old_password": "not it", "new_password1": OTHER_PASSWORD, "new_password2": OTHER_PASSWORD}  # fmt: skip
    assert browser.post("/account/password", fields).status_code == 200
    assert is_in(elsewhere)
    fields["old_password"] = PASSWORD
    assert browser.post("/account/password", fields).status_code == 302
    assert browser.cookie("session") != before
    assert is_in(browser)
    assert not is_in(elsewhere)
    assert not is_in(as_session(server, name, before))
    operator("user.password", name="petra", password=PASSWORD)
    assert not is_in(browser)


def test_cookies_are_out_of_scripts_and_other_sites_reach(
    server: LiveServer, operator: Operator
) -> None:
    browser = Browser(server.url)
    reply = browser.get(link_for(server, operator, "olga"))
    for name, value in cookies_of(reply).items():
        assert "SameSite=Lax" in value, name
        assert "Path=/" in value, name
        assert "Domain" not in value, name
        assert "HttpOnly" in value or "_csrf_" in name
    assert any("_session_" in name for name in cookies_of(reply))


def cookies_of(reply: requests.Response) -> dict[str, str]:
    """What each cookie is set to, with its attributes."""
    set_ones = reply.raw.headers.getlist("Set-Cookie")
    return {each.partition("=")[0]: each for each in set_ones}


def test_behind_https_cookies_go_nowhere_else(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    public = ("--set", "web.public_url=https://tank.example")
    with start_server(tmp_path, "--web", str(port), *public) as server:
        behind = server.welcome_url.replace(server.url, f"http://127.0.0.1:{port}")
        cookies = cookies_of(requests.get(behind, timeout=20, allow_redirects=False))
        assert any("_session_" in name for name in cookies)
        for name, value in cookies.items():
            assert "; Secure" in value, name


ELSEWHERE = [
    "https://evil.example/",
    "http://evil.example",
    "//evil.example",
    "///evil.example",
    "////evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "\\/evil.example",
    "/\t/evil.example",
    "\t//evil.example",
    " //evil.example",
    "/\n/evil.example",
    "https:evil.example",
    "https:/evil.example",
    "https:///evil.example",
    "http:\\\\evil.example",
    "//127.0.0.1@evil.example",
    "http://127.0.0.1@evil.example/",
    "http://evil.example#@127.0.0.1",
    "http://evil.example\\@127.0.0.1",
    "//evil.example%2f..",
    "//%65vil.example",
    "/%2f%2fevil.example/..//evil.example",
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "java\tscript:alert(1)",
    "data:text/html,x",
    "vbscript:x",
    "ftp://evil.example",
    "//[::1]@evil.example",
    "http://[evil",
    "//evil.example:80",
    "\x00//evil.example",
    "／／evil.example",  # noqa: RUF001 - a full-width slash, which some take for one
]


def leads_home(server: LiveServer, location: str) -> bool:
    """Whether a browser that follows this stays on the server's own origin.

    Source: WHATWG URL, basic URL parser: tabs and line breaks are dropped, controls and spaces
    before it too, and a backslash is a slash.
    """
    seen = re.sub(r"[\t\n\r]", "", location).lstrip("".join(map(chr, range(33)))).replace("\\", "/")
    if seen.startswith(server.url):
        seen = seen.removeprefix(server.url) or "/"
    return re.match(r"//|[a-z][a-z0-9+.-]*:", seen, re.IGNORECASE) is None


def test_nobody_is_led_elsewhere(server: LiveServer, operator: Operator) -> None:
    browser, stranger = signed_in(server, operator, "oscar"), Browser(server.url)
    for target in ELSEWHERE:
        asked = quote(target, safe="")
        replies = [
            browser.get(f"/sign-in?next={asked}"),  # who is signed in is led on at once
            browser.post("/mqtt/clients/close", {"client_id": "x", "back": target}),
            browser.post(
                "/wamp/sessions/1/close", {"realm": "realm1", "reason": "x", "back": target}
            ),
            browser.get(f"/weather?x={asked}"),
            stranger.get(f"/admin/login/?next={asked}"),
            stranger.get(f"/api-auth/login/?next={asked}"),
            stranger.post("/sign-out", {"next": target}),
        ]
        assert [reply.status_code for reply in replies] == [302] * len(replies)
        for reply in replies:
            where = reply.headers["location"]
            assert leads_home(server, where), (reply.url, target, where)
        where = stranger.get(f"/{quote(target)}").headers.get("location", "/")
        assert leads_home(server, where), (target, where)


@pytest.mark.parametrize(
    ("address", "fields"),
    [("/sign-in?next=//evil.example", {}), ("/sign-in", {"next": "/\\evil.example"})],
)
def test_a_sign_in_leads_nobody_elsewhere(
    server: LiveServer, address: str, fields: dict[str, str]
) -> None:
    reply = sign_in(Browser(server.url), "olga", PASSWORD, address, **fields)
    assert (reply.status_code, reply.headers["location"]) == (302, "/")


def test_a_sign_in_leads_to_where_it_was_asked_for(server: LiveServer) -> None:
    reply = sign_in(Browser(server.url), "olga", PASSWORD, "/sign-in?next=/keys/%3Fq%3Dx")
    assert reply.headers["location"] == "/keys/?q=x"


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "evil.example:8000", "", "127.0.0.1@evil.example", "[::1].evil.example", "localhost\\@evil.example"]
)  # fmt: skip
def test_a_foreign_host_gets_no_page(server: LiveServer, host: str) -> None:
    for path in ("/sign-in", "/", "/directory/", "/admin/", "/api-auth/login/"):
        reply = Browser(server.url).get(path, headers={"Host": host})
        assert reply.status_code == 400, path
        assert "evil" not in reply.text


@pytest.mark.parametrize("name", ["X-Forwarded-Host", "X-Host", "Forwarded", "X-Forwarded-Server", "X-Original-URL", "X-Rewrite-URL"])  # fmt: skip
def test_no_header_of_a_stranger_makes_links_to_elsewhere(
    server: LiveServer, operator: Operator, name: str
) -> None:
    browser = signed_in(server, operator, "olga")
    value = "host=evil.example" if name == "Forwarded" else "evil.example"
    for path in ("/", "/devices/add", "/messages/", "/mqtt/", "/activate/", "/weather/"):
        assert "evil.example" not in browser.get(path, headers={name: value}).text


def test_guesses_are_counted_over_all_doors_of_the_web_and_no_header_resets_them(
    server: LiveServer, operator: Operator
) -> None:
    operator("user.create", name="victim", password=PASSWORD)
    statuses = []
    for number in range(12):
        headers = {"X-Forwarded-For": f"10.0.0.{number}", "X-Real-IP": f"10.0.0.{number}", "Forwarded": f"for=10.0.0.{number}"}  # fmt: skip
        if number % 2:
            reply = Browser(server.url).get("/station/", auth=("victim", f"g{number}"), headers=headers)  # fmt: skip
        else:
            fields = {"username": "victim", "password": f"g{number}"}
            reply = Browser(server.url).post("/sign-in", fields, headers=headers)
        statuses.append(reply.status_code)
    assert set(statuses[:9]) <= {200, 401}
    assert sign_in(Browser(server.url), "victim", PASSWORD).status_code == 429
    right = Browser(server.url).get("/station/", auth=("victim", PASSWORD))
    assert right.status_code in (401, 403, 429)
    assert sign_in(Browser(server.url), "olga", PASSWORD).status_code == 302


def test_a_wrong_name_and_a_wrong_password_are_answered_alike(server: LiveServer) -> None:
    there, missing = (sign_in(Browser(server.url), login, "wrong") for login in ("oscar", "nobody"))
    strip = re.compile(r'value="\w{64}"|oscar|nobody')
    assert there.status_code == missing.status_code == 200
    assert strip.sub("", there.text) == strip.sub("", missing.text)


ERRORS = [
    ("GET", "/nowhere", 404), ("GET", "/feeds/1x", 404), ("POST", "/sign-in", 403), ("PUT", "/", 403),
    ("GET", "/static/nothing.js", 404), ("GET", "/healthz", 200), ("GET", "/live/nothing", 404),
    ("GET", "/export/nothing", 404), ("GET", "/welcome/spent", 410), ("TRACE", "/", 302),
    ("OPTIONS", "/sign-in", 200), ("GET", "/%00", 404), ("GET", "/sign-in?next=%ff", 200),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "status"), ERRORS)
def test_answers_to_what_is_no_page_are_hardened_too(
    server: LiveServer, method: str, path: str, status: int
) -> None:
    reply = Browser(server.url).ask(method, path)
    assert reply.status_code == status
    assert weaknesses(reply) == []
