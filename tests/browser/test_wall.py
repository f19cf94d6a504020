"""The wall: channels of several devices side by side, live over one connection."""

import re

import pytest
import requests
from playwright.sync_api import expect
from tests.browser.conftest import OpenBrowser, screenshot
from tests.browser.looks import LOADS, dress, look_at
from tests.live_server import LiveServer

CHANNELS = [f"probe_{number:02}" for number in range(20)]


def put(server: LiveServer, feed_id: int, value: str, names: list[str]) -> None:
    body = {"version": "1.0.0", "datastreams": [{"id": name, "current_value": value} for name in names]}  # fmt: skip
    url = f"{server.url}/v2/feeds/{feed_id}.json"
    headers = {"X-ApiKey": server.master_key()}
    assert requests.put(url, json=body, headers=headers, timeout=20).status_code == 200


@pytest.fixture(scope="module")
def feeds(server: LiveServer) -> tuple[int, int]:
    """A device with twenty channels, and one with one."""
    headers = {"X-ApiKey": server.master_key()}
    ids = []
    for title, names in (("Test bench", CHANNELS), ("Roof <b>", ["wind"])):
        body = {"title": title, "version": "1.0.0"}
        reply = requests.post(f"{server.url}/v2/feeds.json", json=body, headers=headers, timeout=20)
        ids.append(int(reply.headers["Location"].rpartition("/")[2]))
        put(server, ids[-1], "1", names)
    return ids[0], ids[1]


def test_twenty_channels_and_another_device_are_live_over_one_connection(
    server: LiveServer, feeds: tuple[int, int], open_browser: OpenBrowser, signed_in: dict[str, object]
) -> None:  # fmt: skip
    page = open_browser(1600, 1200, storage_state=signed_in)
    streams: list[str] = []
    page.on("request", lambda request: "/live/" in request.url and streams.append(request.url))
    page.goto(f"{server.url}/feeds/{feeds[0]}")
    page.get_by_role("link", name="Wall").click()
    expect(page.locator("#channels .chart canvas")).to_have_count(20)
    page.get_by_label("Feed ID to add").fill(str(feeds[1]))
    streams.clear()
    page.get_by_role("button", name="Add feed").click()
    expect(page.locator("#channels .chart canvas")).to_have_count(21)
    expect(page.locator("#stream-state")).to_have_text("Live")
    for feed_id, names in ((feeds[0], CHANNELS), (feeds[1], ["wind"])):
        put(server, feed_id, "2", names)
        put(server, feed_id, "3", names)
    for key in (f"{feeds[0]}:probe_19", f"{feeds[1]}:wind"):
        channel = page.locator(f'[data-key="{key}"]')
        expect(channel.locator("[data-value]")).to_have_text("3")
        expect(channel.locator(".chart")).to_have_attribute("aria-label", re.compile("from 1 to 3"))
    assert len(streams) == 1
    screenshot(page, "wall")
    put(server, feeds[1], "4", ["rain"])  # a channel that is new
    expect(page.locator(f'[data-key="{feeds[1]}:rain"] canvas')).to_be_visible()
    page.get_by_role("link", name="Roof <b> remove").click()
    expect(page.locator("#channels .chart canvas")).to_have_count(20)


def test_the_wall_fits_and_is_readable_in_both_themes(
    server: LiveServer, feeds: tuple[int, int], open_browser: OpenBrowser, signed_in: dict[str, object]
) -> None:  # fmt: skip
    page = open_browser(storage_state=signed_in)
    for theme, size in LOADS:
        dress(page, theme, size)
        page.goto(f"{server.url}/wall/?feed={feeds[0]}&feed={feeds[1]}")
        expect(page.locator("#channels .chart canvas").first).to_be_visible()
        look_at(page, "wall", theme, size)


def test_an_empty_wall_and_a_feed_that_is_not_there_tell_the_next_step(
    server: LiveServer, open_browser: OpenBrowser, signed_in: dict[str, object]
) -> None:
    page = open_browser(storage_state=signed_in)
    page.goto(f"{server.url}/wall/")
    expect(page.get_by_role("heading", name="Nothing on the wall yet")).to_be_visible()
    page.get_by_label("Feed ID to add").fill("999999")
    page.get_by_role("button", name="Add feed").click()
    expect(page.get_by_role("alert")).to_contain_text("You may see no feed 999999")
    screenshot(page, "wall-empty")
