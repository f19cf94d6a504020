"""The web door as browsers and hostile scripts meet it: sign-in, static files, live events, admin."""

import contextlib
import datetime
import json
import re
import socket
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from tests.database_servers import KINDS, server_on
from tests.interop.forms import PASSWORD, csrf_of, post
from tests.live_server import LiveServer, start_server
from tests.waiting import wait_until

PRIVATE_PAGES = [
    "/",
    "/account",
    "/account/password",
    "/devices/add",
    "/feeds/1",
    "/admin/",
    "/keys/",
    "/products/",
    "/products/add",
]


@pytest.fixture(scope="module", params=["sqlite", *KINDS])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveServer]:
    with server_on(request.param, tmp_path_factory) as server:
        yield server


@pytest.fixture(scope="module")
def owner(server: LiveServer) -> requests.Session:
    """A browser that followed the one-time link and set a password."""
    browser = requests.Session()
    assert browser.get(server.welcome_url, timeout=20).status_code == 200
    done = post(
        browser, f"{server.url}/account/password", new_password1=PASSWORD, new_password2=PASSWORD
    )
    assert done.url == f"{server.url}/account?done=password-changed"
    return browser


def sign_in(server: LiveServer, name: str, password: str, query: str = "") -> requests.Response:
    return post(
        requests.Session(), f"{server.url}/sign-in{query}", username=name, password=password
    )


@pytest.mark.parametrize("path", PRIVATE_PAGES)
def test_a_stranger_is_led_to_the_sign_in_page(server: LiveServer, path: str) -> None:
    reply = requests.get(server.url + path, timeout=20)
    assert reply.url.startswith(f"{server.url}/sign-in?next=")


def test_the_one_time_link_works_once(server: LiveServer, owner: requests.Session) -> None:
    second = requests.get(server.welcome_url, timeout=20)
    assert second.status_code == 410
    assert "This link is spent" in second.text
    assert owner.get(server.welcome_url, timeout=20).url == f"{server.url}/"
    assert requests.get(f"{server.url}/welcome/{'x' * 43}", timeout=20).status_code == 410


def test_looking_at_the_head_of_a_link_does_not_spend_it(tmp_path: Path) -> None:
    with start_server(tmp_path) as server:
        assert requests.head(server.welcome_url, timeout=20).status_code == 405
        assert requests.get(server.welcome_url, timeout=20).url == f"{server.url}/?done=welcome"


def test_name_and_password_sign_in(server: LiveServer, owner: requests.Session) -> None:
    assert sign_in(server, "owner", PASSWORD).url == f"{server.url}/"
    wrong = sign_in(server, "owner", "wrong")
    assert "do not go together" in wrong.text
    assert sign_in(server, "owner", PASSWORD, "?next=/account").url == f"{server.url}/account"


def test_the_password_page_helps_password_managers_and_leads_back(
    server: LiveServer, owner: requests.Session
) -> None:
    page = owner.get(f"{server.url}/account/password", timeout=20).text
    assert re.search(r'name="username" value="owner" autocomplete="username" hidden', page)
    assert page.count('href="/account"') >= 3  # the way back, Cancel, the account's own link
    assert not re.search(r"<p[^>]*>\s*<ul", page)


def test_the_admin_says_whose_it_is(server: LiveServer, owner: requests.Session) -> None:
    page = owner.get(f"{server.url}/admin/", timeout=20).text
    assert "Thing Tank" in page
    assert "Accounts" in page
    assert "Django administration" not in page
    assert "Users" not in page


@pytest.mark.parametrize(
    ("path", "label"),
    [
        ("catalog/device/1/change/", "Created"),
        ("catalog/device/1/change/", "Updated"),
        ("catalog/apikey/1/change/", "Created"),
        ("accounts/account/1/change/", "Date joined"),
        ("accounts/account/1/change/", "Last login"),
    ],
)
def test_the_admin_shows_times_in_utc_and_says_so(
    server: LiveServer, owner: requests.Session, path: str, label: str
) -> None:
    page = owner.get(f"{server.url}/admin/{path}", timeout=20).text
    found = re.search(rf"{label}:.*?(\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d) UTC", page, re.S)
    assert found, page
    shown = datetime.datetime.fromisoformat(found[1] + "Z")
    assert abs(datetime.datetime.now(datetime.UTC) - shown) < datetime.timedelta(minutes=10)


def test_the_admin_words_durations(server: LiveServer, owner: requests.Session) -> None:
    page = owner.get(f"{server.url}/admin/catalog/device/1/change/", timeout=20).text
    assert re.search(r"Keeps datapoints:.*?for ever", page, re.S)
    assert not re.search(r"(Created|Updated|Expires) us|Retention s", page)
    page = owner.get(f"{server.url}/admin/catalog/apikey/1/change/", timeout=20).text
    assert re.search(r"Expires:.*?never", page, re.S)


def test_browsers_that_ask_for_an_icon_get_it(server: LiveServer) -> None:
    reply = requests.get(f"{server.url}/favicon.ico", timeout=20)
    assert (reply.status_code, reply.headers["content-type"]) == (200, "image/svg+xml")


@pytest.mark.parametrize("target", ["https://example.com/", "//example.com", "javascript:alert(1)"])
def test_sign_in_leads_nowhere_else(
    server: LiveServer, owner: requests.Session, target: str
) -> None:
    reply = sign_in(server, "owner", PASSWORD, f"?next={target}")
    assert reply.url == f"{server.url}/"


def test_guessing_is_stopped_and_does_not_hurt_other_names(
    server: LiveServer, owner: requests.Session
) -> None:
    for _ in range(10):
        last = sign_in(server, "mallory", "guess")
    assert last.status_code == 429
    assert "Too many tries" in last.text
    assert sign_in(server, "owner", PASSWORD).status_code == 200


def lock_out(server: LiveServer, name: str) -> None:
    for _ in range(10):
        last = sign_in(server, name, "guess")
    assert last.status_code == 429
    assert sign_in(server, name, PASSWORD).status_code == 429


def test_a_new_password_ends_the_lock_out(tmp_path: Path) -> None:
    other = f"{PASSWORD} staple"
    with start_server(tmp_path) as server:
        browser = requests.Session()
        browser.get(server.welcome_url, timeout=20)
        page = f"{server.url}/account/password"
        post(browser, page, new_password1=PASSWORD, new_password2=PASSWORD)

        lock_out(server, "owner")
        server.command("user", "password", "owner", "--password", PASSWORD)
        assert sign_in(server, "owner", PASSWORD).url == f"{server.url}/"

        browser = requests.Session()
        post(browser, f"{server.url}/sign-in", username="owner", password=PASSWORD)
        lock_out(server, "owner")
        lock_out(server, "somebody")
        post(browser, page, old_password=PASSWORD, new_password1=other, new_password2=other)
        assert sign_in(server, "owner", other).url == f"{server.url}/"
        assert sign_in(server, "somebody", PASSWORD).status_code == 429

        lock_out(server, "owner")
        admin_page = f"{server.url}/admin/accounts/account/1/password/"
        fields = {"usable_password": "true", "password1": PASSWORD, "password2": PASSWORD}
        post(browser, admin_page, **fields)
        assert sign_in(server, "owner", PASSWORD).url == f"{server.url}/"


def test_changing_the_password_ends_other_sessions(tmp_path: Path) -> None:
    with start_server(tmp_path) as server:
        first = requests.Session()
        first.get(server.welcome_url, timeout=20)
        page = f"{server.url}/account/password"
        weak = post(first, page, new_password1="12345678", new_password2="12345678")
        assert "too common" in weak.text
        post(first, page, new_password1=PASSWORD, new_password2=PASSWORD)
        second = requests.Session()
        post(second, f"{server.url}/sign-in", username="owner", password=PASSWORD)
        other = f"{PASSWORD} staple"
        fields = {"old_password": PASSWORD, "new_password1": other, "new_password2": other}
        tab = OpenTab(server, second)
        assert post(first, page, **fields).url.endswith("?done=password-changed")
        tab.wait_for_end()
        assert second.get(f"{server.url}/account", timeout=20).url.startswith(
            f"{server.url}/sign-in"
        )
        assert first.get(f"{server.url}/account", timeout=20).url == f"{server.url}/account"
        tab = OpenTab(server, first)
        token = csrf_of(first.get(f"{server.url}/", timeout=20))
        first.post(f"{server.url}/sign-out", data={"csrfmiddlewaretoken": token}, timeout=20)
        tab.wait_for_end()


class OpenTab:
    """A device's page that hears its stream."""

    def __init__(self, server: LiveServer, browser: requests.Session) -> None:
        url = f"{server.url}/live/feeds/{server.feed_id}"
        # Less than the stream's heartbeat, and than the look at the session now and then.
        self._reply = browser.get(url, stream=True, timeout=10)
        self._lines = self._reply.iter_lines(chunk_size=1)
        assert self._reply.status_code == 200
        assert b"hello" in next(line for line in self._lines if line.startswith(b"event: "))

    def wait_for_end(self) -> None:
        with self._reply:
            for _ in self._lines:
                pass


def test_sign_out_needs_a_form_and_ends_the_session(
    server: LiveServer, owner: requests.Session
) -> None:
    browser = requests.Session()
    post(browser, f"{server.url}/sign-in", username="owner", password=PASSWORD)
    assert browser.get(f"{server.url}/sign-out", timeout=20).status_code == 405
    assert browser.post(f"{server.url}/sign-out", timeout=20).status_code == 403
    token = csrf_of(browser.get(f"{server.url}/", timeout=20))
    browser.post(f"{server.url}/sign-out", data={"csrfmiddlewaretoken": token}, timeout=20)
    assert browser.get(f"{server.url}/", timeout=20).url.startswith(f"{server.url}/sign-in")


def test_pages_let_browsers_load_nothing_from_elsewhere(
    server: LiveServer, owner: requests.Session
) -> None:
    for path in (*PRIVATE_PAGES, "/nowhere"):
        reply = owner.get(server.url + path, timeout=20)
        policy = reply.headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy
        assert reply.headers["x-frame-options"] == "DENY"
        assert not re.search(r"""(?:src|href)=["'](?:https?:)?//(?!127\.0\.0\.1)""", reply.text)
        assert not re.search(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)", reply.text)


def test_a_foreign_host_name_is_refused(server: LiveServer) -> None:
    reply = requests.get(f"{server.url}/sign-in", headers={"Host": "evil.example"}, timeout=20)
    assert reply.status_code == 400


def test_static_files_are_kept_by_browsers_until_they_change(server: LiveServer) -> None:
    page = requests.get(f"{server.url}/sign-in", timeout=20).text
    found = re.search(r'href="(/static/\w+/workbench/base\.css)"', page)
    assert found
    reply = requests.get(server.url + found[1], timeout=20)
    assert reply.status_code == 200
    assert "immutable" in reply.headers["cache-control"]
    old = re.sub(r"/static/\w+/", "/static/older/", found[1])
    assert requests.get(server.url + old, timeout=20).headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    "path",
    ["/static/", "/static/x/", "/static/x/nothing.css", "/static/x/..%2f..%2f__init__.py",
     "/static/x/%2e%2e/%2e%2e/live.py", "/static/x/workbench", "/static/x//etc/passwd", "/static/x/%00"],
)  # fmt: skip
def test_only_files_of_the_static_folders_are_served(server: LiveServer, path: str) -> None:
    request = requests.Request("GET", server.url).prepare()
    request.url = server.url + path  # unquoted as it stands
    assert requests.Session().send(request, timeout=20).status_code == 404


def events_of(reply: requests.Response) -> Iterator[tuple[str, dict[str, object]]]:
    name = ""
    for line in reply.iter_lines(chunk_size=1, decode_unicode=True):
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))


def test_a_value_reaches_an_open_page_at_once(server: LiveServer, owner: requests.Session) -> None:
    url = f"{server.url}/live/feeds/{server.feed_id}"
    with owner.get(url, stream=True, timeout=20) as reply:
        assert reply.headers["content-type"] == "text/event-stream"
        events = events_of(reply)
        assert next(events)[0] == "hello"
        requests.put(
            f"{server.url}/v2/feeds/{server.feed_id}.json",
            headers={"X-ApiKey": server.api_key},
            data='{"datastreams":[{"id":"live","current_value":"7.25"}]}',
            timeout=20,
        )
        seen = {}
        for name, body in events:
            seen[name] = body
            if {"values", "requests"} <= seen.keys():
                break
    assert seen["values"]["live"]["value"] == "7.25"
    assert [row["status"] for row in seen["requests"]] == [200]


def test_one_account_leaves_live_events_to_the_others(tmp_path: Path) -> None:
    with start_server(tmp_path) as server, contextlib.ExitStack() as stack:
        url = f"{server.url}/live/feeds/{server.feed_id}"
        owner, other = requests.Session(), requests.Session()
        owner.get(server.welcome_url, timeout=20)
        made = server.command("user", "create", "nadia", "--admin")
        other.get(str(made["sign_in_link"]), timeout=20)

        def opened(browser: requests.Session) -> requests.Response:
            cookies = browser.cookies.get_dict()
            return stack.enter_context(requests.get(url, cookies=cookies, stream=True, timeout=20))

        replies = [opened(owner) for _ in range(52)]
        assert [reply.status_code for reply in replies] == [200] * 50 + [429] * 2
        assert opened(other).status_code == 200
        replies[0].close()  # which makes room
        # Less than from one heartbeat of the stream to the next, by which it is seen anyway.
        wait_until(lambda: opened(owner).status_code == 200, s_max=10.0)


def test_live_events_are_for_who_may_see_the_device(
    server: LiveServer, owner: requests.Session
) -> None:
    url = f"{server.url}/live/feeds/{server.feed_id}"
    assert requests.get(url, timeout=20).status_code == 401
    for cookie in ("x", "a=b; c", '"', "thingtank_session_0=1"):
        assert requests.get(url, headers={"Cookie": cookie}, timeout=20).status_code == 401
    assert owner.get(f"{server.url}/live/feeds/99999", timeout=20).status_code == 404
    assert owner.get(f"{server.url}/live/feeds/{'9' * 40}", timeout=20).status_code == 404
    assert owner.post(url, timeout=20).status_code == 405


def test_a_stream_ends_when_its_account_signs_out_or_the_server_stops(tmp_path: Path) -> None:
    with start_server(tmp_path) as server:
        browser = requests.Session()
        browser.get(server.welcome_url, timeout=20)
        reply = browser.get(f"{server.url}/live/feeds/{server.feed_id}", stream=True, timeout=20)
        events = events_of(reply)
        assert next(events)[0] == "hello"
        server.stop()
        assert list(events) == []


def test_the_admin_shows_the_catalog_and_changes_none_of_it(
    server: LiveServer, owner: requests.Session
) -> None:
    for model in ("catalog/device", "catalog/datastream", "catalog/apikey"):
        listing = owner.get(f"{server.url}/admin/{model}/", timeout=20)
        assert listing.status_code == 200
        assert owner.get(f"{server.url}/admin/{model}/add/", timeout=20).status_code == 403
        assert owner.get(f"{server.url}/admin/{model}/1/delete/", timeout=20).status_code == 403
    key_page = owner.get(f"{server.url}/admin/catalog/apikey/1/change/", timeout=20)
    assert key_page.status_code == 200
    assert 'type="submit"' not in key_page.text.split('id="content"')[1]
    assert "digest" not in key_page.text.lower()


def test_an_account_made_in_the_admin_signs_in_and_one_switched_off_does_not(
    server: LiveServer, owner: requests.Session
) -> None:
    add = f"{server.url}/admin/accounts/account/add/"
    fields = {
        "username": "greta",
        "usable_password": "true",
        "password1": PASSWORD,
        "password2": PASSWORD,
    }
    made = post(owner, add, **fields, _save="Save")
    found = re.search(r"/account/(\d+)/change/", made.url)
    assert found, made.text[:2000]
    assert sign_in(server, "greta", PASSWORD).status_code == 200
    greta = requests.Session()
    post(greta, f"{server.url}/sign-in", username="greta", password=PASSWORD)
    assert greta.get(f"{server.url}/", timeout=20).url == f"{server.url}/"
    assert greta.get(f"{server.url}/feeds/{server.feed_id}", timeout=20).status_code == 404
    assert greta.get(f"{server.url}/admin/", timeout=20).status_code == 403
    post(owner, f"{server.url}/admin/accounts/account/{found[1]}/change/", username="greta")
    assert greta.get(f"{server.url}/", timeout=20).url.startswith(f"{server.url}/sign-in")
    assert sign_in(server, "greta", PASSWORD).url.startswith(f"{server.url}/sign-in")


def test_an_account_that_the_tank_does_not_know_sees_nothing_and_signs_in_again(
    tmp_path: Path,
) -> None:
    with start_server(tmp_path) as server:
        owner = requests.Session()
        owner.get(server.welcome_url, timeout=20)
        page = f"{server.url}/account/password"
        post(owner, page, new_password1=PASSWORD, new_password2=PASSWORD)
        with contextlib.closing(sqlite3.connect(tmp_path / "directory.sqlite3")) as database:
            database.row_factory = sqlite3.Row
            row = dict(database.execute("SELECT * FROM accounts_account").fetchone())
            row |= {"id": 99, "username": "ghost", "is_superuser": 0, "is_staff": 0}
            columns, marks = ", ".join(row), ", ".join("?" * len(row))
            insert = f"INSERT INTO accounts_account ({columns}) VALUES ({marks})"  # noqa: S608 - the table's own names
            database.execute(insert, list(row.values()))
            database.commit()
        for query in ("", "?next=/%3Fscope=all"):
            reply = sign_in(server, "ghost", PASSWORD, query)
            assert reply.url.startswith(f"{server.url}/sign-in?next=")
            assert "My first device" not in reply.text


def test_behind_a_proxy_forms_work_and_pages_name_the_public_address(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    public = ("--set", "web.public_url=http://Tank.example/")
    with start_server(tmp_path, "--web", str(port), *public) as server:
        assert server.url == "http://tank.example"
        behind = f"http://127.0.0.1:{port}"  # the proxy's requests name the host it asks
        browser = requests.Session()
        browser.headers["Origin"] = server.url
        browser.get(server.welcome_url.replace(server.url, behind), timeout=20)
        made = post(browser, f"{behind}/devices/add", name="Roof", privacy="private")
        assert made.status_code == 200
        assert made.url.endswith("?done=device-added")
        assert f'id="feed-url">{server.url}/feeds/' in made.text
        assert f'id="endpoint">{server.url}/v2/feeds/' in made.text
        assert behind not in made.text


@pytest.mark.parametrize(("live_s", "state"), [(7200, "Live"), (1800, "Frozen")])
def test_pages_and_api_call_a_device_live_by_the_same_setting(
    tmp_path: Path, live_s: int, state: str
) -> None:
    with start_server(tmp_path, "--set", f"xively.live_s={live_s}") as server:
        an_hour_ago = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1)
        point = {"at": an_hour_ago.isoformat(), "value": "1"}
        feed = f"{server.url}/v2/feeds/{server.feed_id}.json"
        key = {"X-ApiKey": server.api_key}
        body = {"datastreams": [{"id": "t", "datapoints": [point]}]}
        assert requests.put(feed, headers=key, json=body, timeout=20).status_code == 200
        assert requests.get(feed, headers=key, timeout=20).json()["status"] == state.lower()
        browser = requests.Session()
        for page in (server.welcome_url, f"{server.url}/feeds/{server.feed_id}"):
            assert f">{state}</span>" in browser.get(page, timeout=20).text


def test_a_devices_keys_are_paged_and_its_own_line_keeps_the_first(
    server: LiveServer, owner: requests.Session
) -> None:
    made = post(owner, f"{server.url}/devices/add", name="Many keys", privacy="private")
    device = made.url.split("?")[0]
    for number in range(25):
        fields = {
            "label": f"key {number:02}",
            "methods": "get",
            "private_access": "on",
            "reach": "only",
        }
        post(owner, f"{device}/keys/add", **fields, resources=device.rsplit("/", 1)[1], expires="")
    first, second, beyond = (
        owner.get(device + query, timeout=20).text for query in ("", "?keys=2", "?keys=99")
    )
    assert first.count('class="key__label"') == 25
    assert second.count('class="key__label"') == beyond.count('class="key__label"') == 1
    assert "key 24" in second
    assert "key 24" not in first
    assert "?keys=2#keys" in first
    assert 'id="curl-line"' in second  # with the device's first key, which is on the other page
