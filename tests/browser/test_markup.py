"""Markup in any given text under the eyes of a browser: in charts, maps, lists that fill by script."""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from playwright.sync_api import Page, expect
from tests.browser.conftest import OpenBrowser, screenshot
from tests.interop.web_security.marks import (
    Talkers,
    make_marked_world,
    mark,
    marks_in,
    put,
    talkers,
)
from tests.interop.web_security.world import ADMIN, OWNER, Browser, Operator, World, browsers_of
from tests.live_server import LiveServer, start_server

# Everything that a page shows or says to a screen reader, but for what scripts begin with.
SHOWN = """() => {
  const texts = [document.title];
  for (const element of document.querySelectorAll("body *:not(script)")) {
    for (const each of element.childNodes) if (each.nodeType === 3) texts.push(each.data);
    for (const each of element.attributes) texts.push(each.value);
    if ("value" in element) texts.push(String(element.value));
  }
  return texts.join("\\n");
}"""
ELEMENTS = """() => document.querySelectorAll("x-mark, [onerror], img[src='x']").length"""
RAN = "window.ran = (value) => { window.hasRun = true; }"


class Marked(NamedTuple):
    """A server with markup in every text, and who goes on talking."""

    server: LiveServer
    world: World
    browsers: dict[str, Browser]
    talking: Talkers


@pytest.fixture(scope="module")
def marked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Marked]:
    folder = tmp_path_factory.mktemp("data")
    with start_server(folder) as server:
        operator = Operator(server)
        browsers = browsers_of(server, operator)
        world = make_marked_world(server, operator, browsers)
        with talkers(server) as talking:
            talking.publish()
            talking.message(world["uuid"])
            yield Marked(server, world, browsers, talking)


@pytest.fixture
def page(marked: Marked, open_browser: OpenBrowser) -> Page:
    """Of the account that has all of it. A policy that had to step in is a complaint, and fails."""
    return page_of(marked, open_browser, OWNER)


def page_of(marked: Marked, open_browser: OpenBrowser, role: str) -> Page:
    page = open_browser()
    page.add_init_script(RAN)
    cookies: list[Any] = [
        {"name": each.name, "value": each.value, "url": marked.server.url}
        for each in marked.browsers[role].session.cookies
    ]
    page.context.add_cookies(cookies)
    return page


def check_shown(page: Page, *names: str) -> None:
    """These texts come to be on the page as text, and nothing of any of them is an element."""
    for name in names:
        page.wait_for_function(f"(part) => ({SHOWN})().includes(part)", arg=f"[{name}]")
    assert page.evaluate(ELEMENTS) == 0
    assert page.evaluate("window.hasRun") is None
    assert set(names) <= marks_in(page.evaluate(SHOWN))


def test_a_devices_page_with_live_values_and_requests(marked: Marked, page: Page) -> None:
    feed_id, key = marked.world["feed_id"], marked.world["api_key"]
    page.goto(f"{marked.server.url}/feeds/{feed_id}")
    names = ["title", "description", "place", "device tag", "channel tag", "unit symbol", "value"]
    check_shown(page, *names, "key label", "token tag", "threshold", "asked path")
    expect(page.locator("canvas").first).to_be_attached()
    screenshot(page, "markup-device")
    live = {"id": "words", "current_value": mark("live value")}
    number = {"id": "temperature", "current_value": "22"}
    put(marked.server, f"/v2/feeds/{feed_id}.json", key, {"datastreams": [live, number]})
    check_shown(page, "live value")
    feed = {"title": mark("live title"), "datastreams": [live]}
    put(marked.server, f"/v2/feeds/{feed_id}.json", key, feed)
    check_shown(page, "live title")
    put(marked.server, f"/v2/feeds/{feed_id}.json", key, {"title": mark("title")})
    chart = page.locator(".u-over").first
    chart.hover()
    page.locator("#log-rows summary").first.click()
    check_shown(page, "live value")


def test_the_directory_with_its_map_and_popup(marked: Marked, page: Page) -> None:
    page.goto(f"{marked.server.url}/directory/?q=title")
    spot = page.locator("results-map .spot")
    spot.click()
    expect(page.locator(".leaflet-popup")).to_be_visible()
    popup = page.locator(".leaflet-popup-content")
    expect(popup).to_contain_text(mark("title"))
    check_shown(page, "title", "device tag")
    assert page.evaluate(ELEMENTS) == 0
    screenshot(page, "markup-directory")


def test_the_wall_of_charts_and_the_map_of_devices(marked: Marked, page: Page) -> None:
    page.goto(f"{marked.server.url}/wall/?feed={marked.world['feed_id']}")
    check_shown(page, "title", "unit symbol")
    chart = page.locator(".u-over").first
    chart.hover()
    check_shown(page, "title")
    page.goto(f"{marked.server.url}/map/?q=title")
    page.locator("devices-map .spot").click()
    expect(page.locator(".leaflet-popup-content")).to_contain_text(mark("title"))
    check_shown(page, "title")


def test_messages_as_they_come(marked: Marked, page: Page) -> None:
    page.goto(f"{marked.server.url}/messages/")
    check_shown(page, "message topic", "payload", "payload key", "thing")
    rows = page.locator(".message")
    before = rows.count()
    expect(page.locator("#stream-state")).to_have_text("Live")
    marked.talking.message(marked.world["uuid"])
    expect(rows).to_have_count(before + 1)
    check_shown(page, "message topic", "payload")
    screenshot(page, "markup-messages")


@pytest.mark.parametrize(
    ("path", "listed", "heard"),
    [
        ("/mqtt/?show=filters", "MQTT filter", ["MQTT payload"]),
        ("/wamp/?show=topics", "WAMP-topic", ["WAMP argument", "WAMP key"]),
    ],
)
def test_what_a_router_lists_and_hears(
    marked: Marked, open_browser: OpenBrowser, path: str, listed: str, heard: list[str]
) -> None:
    """An admin sees clients that are nobody's."""
    page = page_of(marked, open_browser, ADMIN)
    page.goto(marked.server.url + path)
    check_shown(page, listed)
    row = page.locator(".router-row").filter(has_text=f"[{listed}]")
    row.get_by_role("button", name=re.compile("^Listen to")).click()
    listen = page.locator('[data-try="listen"]')
    expect(listen.locator(".outcome")).to_contain_text(re.compile("SUBACK|SUBSCRIBED"))
    marked.talking.publish()
    expect(listen.locator(".heard__event").first).to_be_visible()
    check_shown(page, *heard)
    screenshot(page, f"markup-{path.split('/')[1]}")


def test_the_clients_of_the_broker_and_their_packets(
    marked: Marked, open_browser: OpenBrowser
) -> None:
    page = page_of(marked, open_browser, ADMIN)
    page.goto(f"{marked.server.url}/mqtt/")
    check_shown(page, "MQTT client")
    page.get_by_role("button", name=re.compile("^Packets of")).first.click()
    watch = page.locator('[data-try="watch"]')
    expect(watch.locator("[data-state]")).to_have_text("Live")
    marked.talking.publish()
    expect(watch.locator(".heard__event").first).to_be_visible()
    check_shown(page, "MQTT topic")


def test_the_trial_of_a_trigger(marked: Marked, page: Page) -> None:
    page.goto(f"{marked.server.url}/feeds/{marked.world['feed_id']}")
    page.get_by_role("link", name=re.compile("Add trigger")).first.click()
    page.get_by_role("dialog").get_by_label("Channel").select_option("temperature")
    check_shown(page, "unit symbol")
