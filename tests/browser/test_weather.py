"""The weather station and the browsable Station REST API, for people."""

import math
import time
from itertools import product

import requests
from playwright.sync_api import Page, expect
from tests.browser.conftest import OpenBrowser, screenshot
from tests.browser.looks import SIZES, TWO_FRAMES, Theme, check_fits, check_readable, dress
from tests.browser.test_looks import iso
from tests.live_server import LiveServer

READING = {
    "name": "CityName",
    "timestamp": "1393926310",
    "temperature": "28",
    "lat": "30.733315",
    "lon": "76.779418",
}


def write(server: LiveServer, value: str | None = None) -> None:
    """A few hours of the first device's temperature, or one value."""
    url = f"{server.url}/v2/feeds/{server.feed_id}"
    headers = {"X-ApiKey": server.api_key}
    body: dict[str, object] = {
        "title": "Weather station",
        "location": {"name": "Roof, east side", "lat": 30.733315, "lon": 76.779418},
        "datastreams": [{"id": "temperature", "unit": {"symbol": "°C", "label": "Celsius"}}],
    }
    if value is not None:
        body = {"datastreams": [{"id": "temperature", "current_value": value}]}
    assert requests.put(f"{url}.json", json=body, headers=headers, timeout=20).ok
    if value is None:
        now_s = time.time()
        points = [
            {
                "at": iso(now_s - 60 * k),
                "value": f"{21 + 4 * math.sin((now_s - 60 * k) / 9000):.1f}",
            }
            for k in range(1, 480)
        ]
        address = f"{url}/datastreams/temperature/datapoints.json"
        body = {"datapoints": points}
        assert requests.post(address, json=body, headers=headers, timeout=20).ok


def look_at(page: Page, name: str) -> None:
    """In both themes, on a desk and on a phone; axe reads it once in each theme and each size."""
    themes: tuple[Theme, Theme] = ("dark", "light")
    for theme, size in product(themes, SIZES):
        dress(page, theme, size)
        page.evaluate(TWO_FRAMES)
        check_fits(page)
        screenshot(page, f"{name}-{theme}-{size}")
        if (theme, size) in (("dark", "phone"), ("light", "desktop")):
            check_readable(page)
    page.set_viewport_size({"width": 1280, "height": 900})


def opened(server: LiveServer, open_browser: OpenBrowser, state: object, path: str) -> Page:
    page = open_browser(storage_state=state)
    page.goto(server.url + path)
    return page


def test_from_the_empty_station_to_a_live_temperature(
    server: LiveServer, open_browser: OpenBrowser, signed_in: dict[str, object]
) -> None:
    page = opened(server, open_browser, signed_in, "/weather/")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    expect(page.get_by_role("heading", name="No readings yet")).to_be_visible()
    screenshot(page, "weather-empty")
    write(server)
    page.get_by_role("link", name="Bind a feed").first.click()
    page.get_by_label("Feed ID").fill("999999")
    page.get_by_role("button", name="Bind feed").click()
    expect(page.get_by_text("You have no such feed.")).to_be_visible()
    page.get_by_label("Feed ID").fill(str(server.feed_id))
    page.get_by_role("button", name="Bind feed").click()
    page.wait_for_url(f"**/weather/?feed={server.feed_id}")
    expect(page.locator("#weather-chart canvas")).to_be_visible()
    expect(page.locator("place-map .pin")).to_be_visible()
    expect(page.locator("#stream-state")).to_have_text("Live")
    write(server, "-7.5")
    expect(page.locator("#temperature")).to_contain_text("-7.5°C")  # without a reload by hand
    look_at(page, "weather")
    assert [url for url in asked if not url.startswith((server.url, "data:"))] == []


def test_stations_are_added_changed_and_deleted_in_the_browser(
    server: LiveServer, open_browser: OpenBrowser, signed_in: dict[str, object]
) -> None:
    page = opened(server, open_browser, signed_in, "/station/")
    add = page.locator("section", has=page.get_by_role("heading", name="Add one"))
    for label, value in zip(
        ("Name", "Timestamp", "Temperature", "Lat", "Lon"), READING.values(), strict=True
    ):
        add.get_by_label(label, exact=True).fill(value)
    add.get_by_label("Temperature").fill("warm")
    add.get_by_role("button", name="POST").click()
    expect(add.get_by_text("It must be a number.")).to_be_visible()
    look_at(page, "station-wrong")
    add.get_by_label("Temperature").fill("28")
    add.get_by_role("button", name="POST").click()
    expect(page.get_by_text("HTTP 201 Created")).to_be_visible()
    page.goto(f"{server.url}/station/")
    page.locator(".api__response").get_by_role("link").last.click()
    expect(page.get_by_role("heading", name="Station Instance")).to_be_visible()
    page.get_by_label("Temperature").fill("29")
    page.locator("section", has=page.get_by_role("heading", name="Change it")).get_by_role(
        "button"
    ).click()
    expect(page.get_by_text("HTTP 200 OK")).to_be_visible()
    expect(page.locator(".api__response")).to_contain_text('"temperature": "29"')
    screenshot(page, "station-instance")
    page.get_by_label("Content", exact=True).fill('{"temperature": "30"}')
    page.get_by_role("button", name="PATCH").click()
    expect(page.locator(".api__response")).to_contain_text('"temperature": "30"')
    page.get_by_role("button", name="OPTIONS").click()
    expect(page.locator(".api__response")).to_contain_text('"renders"')
    page.goto(f"{server.url}/home/")
    expect(page.locator("#temperature")).to_contain_text("30")
    page.goto(page.url.replace("/home/", "/station/"))
    page.locator(".api__response").get_by_role("link").last.click()
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="DELETE").click()
    page.wait_for_url("**/station/")
    expect(page.get_by_role("heading", name="Station List")).to_be_visible()
