"""Forms of the workbench as browsers send them late, twice, too large, or beside another tab."""

import html
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from tests.interop.forms import csrf_of
from tests.live_server import LiveServer, start_server

from thingtank.web.workbench.templatetags.workbench import count

CSRF = "csrfmiddlewaretoken"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with start_server(tmp_path_factory.mktemp("data")) as server:
        yield server


@pytest.fixture(scope="module")
def owner(server: LiveServer) -> requests.Session:
    browser = requests.Session()
    assert browser.get(server.welcome_url, timeout=20).ok
    return browser


class Tab:
    """A form that is open, with what it was opened with."""

    def __init__(self, browser: requests.Session, url: str) -> None:
        self._browser, self._url = browser, url
        self.page = browser.get(url, timeout=20)
        hidden = re.findall(r'type="hidden" name="([\w-]+)"(?: value="([^"]*)")?', self.page.text)
        self.fields = {name: html.unescape(value) for name, value in hidden}
        for name, value in list(self.fields.items()):
            if name.startswith("initial-"):
                self.fields[name.removeprefix("initial-")] = value

    def send(self, **changed: str) -> requests.Response:
        return self._browser.post(self._url, data={**self.fields, **changed}, timeout=20)


def feed(server: LiveServer) -> dict[str, object]:
    url = f"{server.url}/v2/feeds/{server.feed_id}.json"
    found: dict[str, object] = requests.get(
        url, headers={"X-ApiKey": server.api_key}, timeout=20
    ).json()
    return found


def put(server: LiveServer, body: dict[str, object]) -> None:
    url = f"{server.url}/v2/feeds/{server.feed_id}.json"
    assert requests.put(url, json=body, headers={"X-ApiKey": server.api_key}, timeout=20).ok


def test_a_form_leaves_what_another_tab_has_saved_meanwhile(
    server: LiveServer, owner: requests.Session
) -> None:
    url = f"{server.url}/feeds/{server.feed_id}/metadata"
    one, other = Tab(owner, url), Tab(owner, url)
    assert other.send(tags="roof, north", privacy="public", description="Two\r\nlines").ok
    assert one.send(name="").text.count("field__error") == 1
    assert one.send(name="Renamed").url.endswith("done=metadata-saved")
    found = feed(server)
    assert (found["title"], found["tags"]) == ("Renamed", ["north", "roof"])
    assert str(found["private"]) == "false"
    again = Tab(owner, url)
    assert again.send(tags="", privacy="private").ok
    found = feed(server)
    assert found["title"] == "Renamed"
    assert not found.get("tags")
    assert str(found["private"]) == "true"


def test_renaming_a_place_leaves_a_device_where_it_has_moved(
    server: LiveServer, owner: requests.Session
) -> None:
    put(server, {"location": {"name": "Harbour", "lat": 1.5, "lon": 2.5, "disposition": "mobile"}})
    url = f"{server.url}/feeds/{server.feed_id}/location"
    tab, other = Tab(owner, url), Tab(owner, url)
    put(server, {"location": {"lat": 3.25, "lon": 4.25}})
    assert tab.send(name="Pier").ok
    place = feed(server)["location"]
    assert isinstance(place, dict)
    assert (place["name"], float(place["lat"]), float(place["lon"])) == ("Pier", 3.25, 4.25)
    assert other.send(lat="9").ok  # both halves of the place that was seen
    place = feed(server)["location"]
    assert isinstance(place, dict)
    assert (place["name"], float(place["lat"]), float(place["lon"])) == ("Pier", 9, 2.5)
    blank = dict.fromkeys(("name", "lat", "lon", "ele", "exposure", "disposition"), "")
    assert Tab(owner, url).send(**blank).ok
    assert feed(server)["location"] == {"domain": "physical"}  # none, as Xively says it
    tab = Tab(owner, url)
    put(server, {"location": {"lat": 5, "lon": 6}})
    assert tab.send().ok  # nothing was changed
    assert feed(server)["location"]


def test_a_channels_form_leaves_what_another_tab_has_saved_meanwhile(
    server: LiveServer, owner: requests.Session
) -> None:
    put(server, {"datastreams": [{"id": "heat", "tags": ["a"], "unit": {"symbol": "K"}}]})
    url = f"{server.url}/feeds/{server.feed_id}/channel-heat/edit"
    one, other = Tab(owner, url), Tab(owner, url)
    assert other.send(tags="b", unit_label="Kelvin").ok
    assert one.send(unit_symbol="°K").url.endswith("done=channel-saved")
    streams = feed(server)["datastreams"]
    assert isinstance(streams, list)
    stream = next(each for each in streams if each["id"] == "heat")
    assert stream["tags"] == ["b"]
    assert (stream["unit"]["symbol"], stream["unit"]["label"]) == ("°K", "Kelvin")


BUTTONS = [
    ("/start/simulator", "/start/"),
    ("/messages/send", "/messages/?to=1"),
    ("/keys/1/reveal", "/keys/?page=1"),
    ("/mqtt/publish", "/mqtt/"),
    ("/deliveries/signing-secret", "/deliveries/"),
]


@pytest.mark.parametrize(("path", "page"), BUTTONS)
def test_who_is_signed_out_meanwhile_comes_back_to_the_page_of_the_button(
    server: LiveServer, path: str, page: str
) -> None:
    browser = requests.Session()
    token = csrf_of(browser.get(f"{server.url}/sign-in", timeout=20))

    def next_of(referer: str) -> str:
        headers = {"Referer": referer} if referer else {}
        reply = browser.post(
            server.url + path, {CSRF: token}, headers=headers, timeout=20, allow_redirects=False
        )
        assert reply.status_code == 302
        return requests.utils.unquote(reply.headers["Location"])

    assert next_of(server.url + page) == f"/sign-in?next={page}"
    for elsewhere in (
        "https://evil.example/keys/",
        "//evil.example",
        f"{server.url}//evil.example",
        "nonsense",
        "",
    ):
        assert next_of(elsewhere) == "/sign-in?next=/"


@pytest.mark.parametrize("path", ["/start/simulator", "/keys/1/reveal", "/sign-out"])
def test_the_address_of_a_button_says_that_there_is_nothing_to_look_at(
    server: LiveServer, owner: requests.Session, path: str
) -> None:
    reply = owner.get(server.url + path, timeout=20)
    assert reply.status_code == 405
    assert "POST" in reply.headers["Allow"]
    assert "Nothing to look at" in reply.text
    assert 'href="/"' in reply.text


def test_a_script_is_told_that_the_session_has_ended(server: LiveServer) -> None:
    browser = requests.Session()
    token = csrf_of(browser.get(f"{server.url}/sign-in", timeout=20))
    reply = browser.post(
        f"{server.url}/mqtt/publish",
        {CSRF: token},
        headers={"Accept": "application/json"},
        timeout=20,
    )
    assert (reply.status_code, reply.json()) == (401, {"is_signed_out": True})


def secret_of(reply: requests.Response) -> str:
    found = re.search(r'<code class="secret" id="the-(?:token|secret)">([^<]+)<', reply.text)
    assert found, reply.text
    return found[1]


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/feeds/{feed}/tokens/add", {"tag": "tablet"}),
        ("/feeds/{feed}/tokens/renew", {}),
        ("/feeds/{feed}/keys/1/regenerate", {}),
        ("/keys/1/regenerate", {}),
    ],
)
def test_a_form_sent_twice_or_reloaded_makes_one_secret(
    server: LiveServer, owner: requests.Session, path: str, fields: dict[str, str]
) -> None:
    url = server.url + path.format(feed=server.feed_id)
    tab = Tab(owner, url)
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: tab.send(**fields), range(2))
    assert first.history[0].status_code == 302
    assert secret_of(first) == secret_of(second) == secret_of(owner.get(first.url, timeout=20))
    assert secret_of(Tab(owner, url).send(**fields)) != secret_of(first)
    gone = owner.get(f"{url}?made=nothing-like-this", timeout=20)
    assert "done=" in gone.url
    assert "shown once" in gone.text or "The new secret is in force" in gone.text


def test_a_form_sent_thrice_makes_one_token(server: LiveServer, owner: requests.Session) -> None:
    def ids() -> set[str]:
        page = owner.get(f"{server.url}/feeds/{server.feed_id}", timeout=20).text
        return set(re.findall(r"/tokens/(\d+)/revoke", page))

    before = ids()
    tab = Tab(owner, f"{server.url}/feeds/{server.feed_id}/tokens/add")
    for _ in range(3):
        tab.send(tag="only one of these")
    assert len(ids() - before) == 1


def test_too_large_a_form_is_told_the_limit(server: LiveServer, owner: requests.Session) -> None:
    before = server.output()
    tab = Tab(owner, f"{server.url}/feeds/{server.feed_id}/metadata")
    reply = tab.send(description="x" * 3_000_000)
    assert reply.status_code == 413
    assert "too large" in reply.text
    assert "1,000,000 bytes" in reply.text
    assert "error" not in server.output().removeprefix(before)


def test_a_page_beyond_the_last_leads_back_to_the_last(
    server: LiveServer, owner: requests.Session
) -> None:
    headers = {"X-ApiKey": server.master_key()}
    for number in range(30):
        body = {"title": f"Device {number}", "version": "1.0.0"}
        assert requests.post(
            f"{server.url}/v2/feeds.json", json=body, headers=headers, timeout=20
        ).ok
    page = owner.get(f"{server.url}/?page=999", timeout=20).text
    last = re.search(r"Page 999 of (\d+)", page)
    assert last
    assert int(last[1]) > 1
    assert re.search(rf'rel="prev" href="\?page={last[1]}"', page)


def test_a_stale_form_says_how_what_was_typed_is_kept(
    server: LiveServer, owner: requests.Session
) -> None:
    reply = owner.post(f"{server.url}/devices/add", {"name": "Roof"}, timeout=20)
    assert reply.status_code == 403
    assert "Go back and send it again; what you typed is still there" in reply.text


@pytest.mark.parametrize(("number", "text"), [(0, "0"), (999, "999"), (1234567, "1,234,567")])
def test_numbers_have_commas_between_thousands(number: int, text: str) -> None:
    assert count(number) == text
