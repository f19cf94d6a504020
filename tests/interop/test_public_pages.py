"""Public feeds are for everybody to read; private ones and every change are for those they belong to."""

import contextlib
import itertools
import json
import re
from collections.abc import Iterator

import pytest
import requests
from tests.live_server import LiveServer, start_server
from tests.waiting import wait_until

ROLES = ("stranger", "other", "owner", "admin")
FEEDS = ("public", "private", "missing")
READS = ("page", "chart", "live", "export csv", "export parquet", "export page")
CHANGES = ("metadata", "location", "delete", "channel add", "channel edit", "channel delete", "key add", "key reveal", "key delete")  # fmt: skip


class World:
    """A server, a browser for each role, and a feed of each kind.

    Attributes:
        browsers: role → a signed-in session; the stranger's has no cookies.
        feed_ids: kind → feed.
        key: a key of the public feed's owner, which no page for others may hold.
    """

    def __init__(self, server: LiveServer) -> None:
        self.server = server
        self.browsers = {"stranger": requests.Session()}
        for role, name, flags in (("other", "bob", ()), ("owner", "alice", ()), ("admin", "nadia", ("--admin",))):  # fmt: skip
            made = server.command("user", "create", name, *flags)
            self.browsers[role] = requests.Session()
            assert self.browsers[role].get(str(made["sign_in_link"]), timeout=20).ok
        self.feed_ids = {"missing": 999_999}
        for kind in ("public", "private"):
            self.feed_ids[kind] = self._add(kind)
        self.key = self._revealed_key()

    def _add(self, kind: str) -> int:
        page = self.browsers["owner"].get(f"{self.server.url}/devices/add", timeout=20).text
        made = self.browsers["owner"].post(
            f"{self.server.url}/devices/add",
            data={"csrfmiddlewaretoken": csrf_of(page), "name": f"The {kind} one", "privacy": kind},
            timeout=20,
        )
        feed_id = int(made.url.split("/")[-1].split("?")[0])
        body = {"tags": ["zebra"], "location": {"name": "Pier", "lat": 48.2, "lon": 16.4}, "datastreams": [{"id": "t", "current_value": "21.75", "unit": {"symbol": "°C"}}]}  # fmt: skip
        written = requests.put(
            f"{self.server.url}/v2/feeds/{feed_id}.json",
            json=body,
            headers={"X-ApiKey": self._key_of(feed_id)},
            timeout=20,
        )
        assert written.status_code == 200, written.text
        return feed_id

    def _key_of(self, feed_id: int) -> str:
        owner, address = self.browsers["owner"], f"{self.server.url}/feeds/{feed_id}"
        page = owner.get(address, timeout=20).text
        found = re.search(rf'action="(/feeds/{feed_id}/keys/\d+/reveal)"', page)
        assert found
        reply = owner.post(
            self.server.url + found[1],
            data={"csrfmiddlewaretoken": csrf_of(page)},
            headers={"Accept": "application/json"},
            timeout=20,
        )
        return str(reply.json()["secret"])

    def _revealed_key(self) -> str:
        return self._key_of(self.feed_ids["public"])

    def path(self, what: str, kind: str) -> str:
        feed_id = self.feed_ids[kind]
        page = f"/feeds/{feed_id}"
        return {
            "page": page,
            "chart": f"{page}/channel-t/chart?range=1h&width=300",
            "live": f"/live/feeds/{feed_id}",
            "export csv": f"/export/feeds/{feed_id}/channel-t?range=1h&format=csv",
            "export parquet": f"/export/feeds/{feed_id}/channel-t?range=1h&format=parquet",
            "export page": f"{page}/channel-t/export",
            "metadata": f"{page}/metadata",
            "location": f"{page}/location",
            "delete": f"{page}/delete",
            "channel add": f"{page}/channels/add",
            "channel edit": f"{page}/channel-t/edit",
            "channel delete": f"{page}/channel-t/delete",
            "key add": f"{page}/keys/add",
            "key reveal": f"{page}/keys/1/reveal",
            "key delete": f"{page}/keys/1/delete",
        }[what]

    def get(self, role: str, what: str, kind: str) -> requests.Response:
        """The answer's head, redirects not followed; a stream is closed after it."""
        address = self.server.url + self.path(what, kind)
        with self.browsers[role].get(address, timeout=20, stream=True, allow_redirects=False) as reply:  # fmt: skip
            if what != "live":
                _ = reply.content
            return reply


def csrf_of(page: str) -> str:
    found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    assert found
    return found[1]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with start_server(tmp_path_factory.mktemp("data")) as server:
        yield World(server)


def may_read(role: str, kind: str) -> bool:
    return kind == "public" or (kind == "private" and role in ("owner", "admin"))


def expected_read(role: str, what: str, kind: str) -> int:
    """Who may not see a feed is not told whether there is one."""
    if may_read(role, kind):
        return 200
    if role != "stranger":
        return 404
    return 401 if what in ("live", "export csv", "export parquet") else 302


@pytest.mark.parametrize(("role", "what", "kind"), [*itertools.product(ROLES, READS, FEEDS)])
def test_each_role_reads_what_it_may(world: World, role: str, what: str, kind: str) -> None:
    reply = world.get(role, what, kind)
    assert reply.status_code == expected_read(role, what, kind)
    if reply.status_code == 302:
        assert reply.headers["location"].startswith("/sign-in?next=/feeds/")
    elif reply.status_code != 200:
        private_path = world.path(what, "private")
        assert "The private one" not in (reply.text if what != "live" else ""), private_path


@pytest.mark.parametrize(("role", "what", "kind"), [*itertools.product(ROLES, CHANGES, FEEDS)])
def test_only_owner_and_admin_are_shown_what_changes_a_feed(
    world: World, role: str, what: str, kind: str
) -> None:
    status = world.get(role, what, kind).status_code
    if role == "stranger":
        assert status == 302
    elif not may_read(role, kind):
        assert status in (404, 405)  # 405: revealing a key is never a GET, whoever asks
    elif role == "other":
        assert status in (403, 405)
    else:
        assert status in (200, 404, 405)  # 404: key 1 belongs to another feed


@pytest.mark.parametrize("role", ["stranger", "other"])
def test_the_public_page_shows_the_feed_and_nothing_of_its_owner_only(
    world: World, role: str
) -> None:
    feed_id = world.feed_ids["public"]
    reply = world.browsers[role].get(f"{world.server.url}/feeds/{feed_id}", timeout=20)
    for shown in ("The public one", "21.75", "zebra", "Pier", "48.2", f"{world.server.url}/v2/feeds/{feed_id}", f"/live/feeds/{feed_id}", "/channel-t/chart", "/channel-t/export"):  # fmt: skip
        assert shown in reply.text, shown
    for hidden in (world.key, "API Keys", "Request Log", "curl", "data-reveal", "/edit", "/metadata", "/location", "/delete", f"/feeds/{feed_id}/keys", "log-first"):  # fmt: skip
        assert hidden not in reply.text, hidden
    if role == "stranger":
        assert "csrfmiddlewaretoken" not in reply.text
        assert "set-cookie" not in reply.headers
        assert "Sign in" in reply.text
        assert 'href="/admin/"' not in reply.text


def events_of(reply: requests.Response) -> Iterator[tuple[str, dict[str, object]]]:
    name = ""
    for line in reply.iter_lines(chunk_size=1, decode_unicode=True):
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))


@contextlib.contextmanager
def watched(url: str) -> Iterator[requests.Response]:
    """Live events; asked for until there is room, which others may have left just now."""

    def opened() -> requests.Response | None:
        reply = requests.get(url, stream=True, timeout=20)
        if reply.status_code == 200:
            return reply
        reply.close()
        return None

    reply = wait_until(opened)
    assert reply is not None
    with reply:
        yield reply


def test_a_stranger_watches_values_and_no_requests_until_the_feed_is_private(world: World) -> None:
    feed_id = world.feed_ids["public"]
    api = f"{world.server.url}/v2/feeds/{feed_id}.json"
    headers = {"X-ApiKey": world.key}
    body = {"datastreams": [{"id": "watched", "current_value": "7.5"}]}
    assert requests.put(api, json=body, headers=headers, timeout=20).ok
    with watched(f"{world.server.url}/live/feeds/{feed_id}") as reply:
        events = events_of(reply)
        name, hello = next(events)
        assert (name, hello["requests"]) == ("hello", [])
        assert requests.put(api, json=body, headers=headers, timeout=20).ok
        assert next(events)[0] == "values"
        try:
            assert requests.put(api, json={"private": "true"}, headers=headers, timeout=20).ok
            assert [name for name, _ in events] == ["gone"]
        finally:
            assert requests.put(api, json={"private": "false"}, headers=headers, timeout=20).ok


def test_one_address_of_strangers_leaves_live_events_to_accounts(world: World) -> None:
    url = f"{world.server.url}/live/feeds/{world.feed_ids['public']}"
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(watched(url))
        for _ in range(2):
            refused = stack.enter_context(requests.get(url, stream=True, timeout=20))
            assert refused.status_code == 429
        cookies = world.browsers["other"].cookies.get_dict()
        signed_in = requests.get(url, cookies=cookies, stream=True, timeout=20)
        assert stack.enter_context(signed_in).status_code == 200


def test_the_directory_lists_public_feeds_to_strangers(world: World) -> None:
    reply = requests.get(f"{world.server.url}/directory/", timeout=20)
    assert reply.status_code == 200
    assert "The public one" in reply.text
    assert "The private one" not in reply.text
    assert "set-cookie" not in reply.headers
    for role in ROLES:  # the directory is the same for everybody, also for owners of private feeds
        page = world.browsers[role].get(f"{world.server.url}/directory/?q=one", timeout=20).text
        assert "The public one" in page
        assert "The private one" not in page
    assert requests.get(f"{world.server.url}/directory?q=one", timeout=20).url.endswith("/directory/?q=one")  # fmt: skip


@pytest.mark.parametrize(
    ("query", "is_found"),
    [
        ("", True), ("q=public", True), ("q=zebra", True), ("q=nothing", False),
        ("tag=Zebra", True), ("tag=lion", False), ("user=alice", True), ("user=bob", False),
        ("units=°C", True), ("units=%25", False), ("status=live", True), ("status=frozen", False),
        ("lat=48.2&lon=16.4", True), ("lat=48&lon=16&distance=100", True), ("lat=48&lon=16&distance=10", False),
        ("q=public&tag=zebra&user=alice&units=°C&status=live&order=title&lat=48.2&lon=16.4&distance=1", True),
        ("order=retrieved_at", True), ("page=2", False), ("page=999999999", False), ("page=x", True),
        ("q=&tag=&user=&units=&status=&order=&lat=&lon=&distance=", True), ("unknown=1", True),
    ],
)  # fmt: skip
def test_the_address_holds_the_whole_search_for_list_and_map(
    world: World, query: str, is_found: bool
) -> None:
    page = requests.get(f"{world.server.url}/directory/?{query}", timeout=20)
    assert page.status_code == 200
    assert ("The public one" in page.text) == is_found
    if "page=" not in query:
        places = requests.get(f"{world.server.url}/directory/places?{query}", timeout=20).json()
        assert [place["title"] for place in places["places"]] == ["The public one"] * is_found


@pytest.mark.parametrize(
    "query",
    ["lat=48", "lon=16", "lat=91&lon=0", "lat=0&lon=181", "lat=nan&lon=0", "lat=inf&lon=0", "lat=north&lon=0",
     "lat=1&lon=1&distance=-1", "lat=1&lon=1&distance=1e9", "status=dead", "order=random", "q=%00", f"q={'x' * 256}", f"tag={'x' * 256}"],
)  # fmt: skip
def test_a_search_that_makes_no_sense_is_answered_with_its_field(world: World, query: str) -> None:
    page = requests.get(f"{world.server.url}/directory/?{query}", timeout=20)
    assert page.status_code == 400
    assert "field__error" in page.text or "form-errors" in page.text
    assert "The public one" not in page.text
    places = requests.get(f"{world.server.url}/directory/places?{query}", timeout=20)
    assert places.status_code == 400
    assert places.json()["errors"]


def test_a_chart_of_a_public_feed_has_its_numbers(world: World) -> None:
    found = requests.get(world.server.url + world.path("chart", "public"), timeout=20).json()
    assert found["mean"]


def test_an_account_reads_the_directory_from_its_pages(world: World) -> None:
    page = world.browsers["other"].get(f"{world.server.url}/", timeout=20).text
    assert 'href="/directory/"' in page
