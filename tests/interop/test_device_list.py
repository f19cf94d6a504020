"""The stream of the list of devices as scripts and other accounts meet it: rights and limits."""

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from tests.browser.test_device_list import make, publish, put
from tests.interop.forms import PASSWORD
from tests.live_server import LiveServer, start_server

from thingtank.web.workbench.device_list import LIST_PATH, ROWS_MAX


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with start_server(tmp_path_factory.mktemp("data")) as server:
        server.command("user", "create", "bert", "--password", PASSWORD)
        yield server


class OpenList:
    """A page of the list that hears its stream."""

    def __init__(self, server: LiveServer, browser: requests.Session, *ids: int) -> None:
        terms = [("scope", "all"), *(("feed", each) for each in ids)]
        cookies = browser.cookies.get_dict()
        self.reply = requests.get(
            server.url + LIST_PATH, params=terms, cookies=cookies, stream=True, timeout=10
        )
        self._lines = self.reply.iter_lines(chunk_size=1, decode_unicode=True)

    def next_of(self, kind: str) -> dict[str, Any]:
        """The body of the next message of a kind."""
        assert self.reply.status_code == 200, self.reply.text
        for line in self._lines:
            if line == f"event: {kind}":
                return dict(json.loads(next(self._lines).removeprefix("data: ")))
        raise AssertionError(f"the stream ended without {kind}")

    def __enter__(self) -> "OpenList":
        return self

    def __exit__(self, *error: object) -> None:
        self.reply.close()


def test_rows_come_by_every_door_and_to_nobody_else(
    server: LiveServer, owner: requests.Session, bert: requests.Session
) -> None:
    key, feed_id = server.api_key, server.feed_id
    public_id = make(server, server.master_key(), "Roof", private=False)
    asked = (feed_id, public_id)
    with OpenList(server, owner, *asked) as own, OpenList(server, bert, *asked) as others:
        assert own.next_of("hello")["rows"].keys() == {str(feed_id), str(public_id)}
        assert others.next_of("hello")["rows"].keys() == {str(public_id)}
        put(server, feed_id, key, temperature="21.5")
        assert own.next_of("rows")[str(feed_id)]["values"][0]["value"] == "21.5"
        publish(server, feed_id, key, "temperature", "22.75")
        assert own.next_of("rows")[str(feed_id)]["values"][0]["value"] == "22.75"
        put(server, public_id, server.master_key(), wind="3")
        assert list(others.next_of("rows")) == [str(public_id)]  # the first that it hears of


def test_strangers_and_what_is_no_get_are_refused(
    server: LiveServer, owner: requests.Session
) -> None:
    url = server.url + LIST_PATH
    assert requests.get(url, timeout=20).status_code == 401
    assert requests.get(url, params={"feed": server.feed_id}, timeout=20).status_code == 401
    assert owner.post(url, timeout=20).status_code == 405


def test_a_stream_follows_no_more_rows_than_a_page_has(
    server: LiveServer, owner: requests.Session
) -> None:
    ids = [make(server, server.master_key(), f"Station {n}") for n in range(ROWS_MAX + 2)]
    with OpenList(server, owner, *ids) as page:
        assert list(page.next_of("hello")["rows"]) == [str(each) for each in ids[:ROWS_MAX]]
        put(server, ids[-1], server.master_key(), t="1")
        put(server, ids[0], server.master_key(), t="1")
        assert list(page.next_of("rows")) == [str(ids[0])]


def test_lists_count_among_the_live_pages_of_an_account(
    server: LiveServer, owner: requests.Session, bert: requests.Session
) -> None:
    with contextlib.ExitStack() as stack:
        pages = [stack.enter_context(OpenList(server, owner)) for _ in range(51)]
        assert [page.reply.status_code for page in pages] == [200] * 50 + [429]
        assert stack.enter_context(OpenList(server, bert)).reply.status_code == 200
