"""The map of devices: clusters that open, popups with the last value, in both themes and sizes."""

import re

import pytest
import requests
from playwright.sync_api import Page, expect
from tests.browser.conftest import OpenBrowser, screenshot
from tests.browser.looks import LOADS, dress, look_at
from tests.live_server import LiveServer

# Three cities, one device in the sea, and five at one place.
PLACES = [
    *[("Berlin", 52.5 + n / 4, 13.4) for n in range(6)],
    *[("Bangalore", 12.97, 77.59 + n / 100) for n in range(4)],
    *[("Lima <b>", -12.05, -77.04) for _ in range(5)],
    ("Buoy", -30.0, -15.0),
]


@pytest.fixture(scope="module")
def placed(server: LiveServer) -> LiveServer:
    """Devices at PLACES, the buoy with a value; the first device stays without a place."""
    key = server.master_key()
    for number, (name, lat, lon) in enumerate(PLACES):
        body = {
            "title": f"{name} {number}",
            "version": "1.0.0",
            "location": {"lat": lat, "lon": lon},
            "datastreams": [{"id": "waves", "current_value": "1.25", "unit": {"symbol": "m", "label": "metre"}}] if name == "Buoy" else [],
        }  # fmt: skip
        url = f"{server.url}/v2/feeds.json"
        reply = requests.post(url, json=body, headers={"X-ApiKey": key}, timeout=20)
        assert reply.status_code == 201, reply.text
    return server


def opened(page: Page, server: LiveServer, query: str = "") -> Page:
    page.goto(f"{server.url}/map/{query}")
    expect(page.locator("devices-map")).not_to_have_class(re.compile("is-loading"))
    expect(page.locator("devices-map canvas")).to_be_attached()
    return page


def test_clusters_open_down_to_devices_and_their_last_values(
    placed: LiveServer, open_browser: OpenBrowser, signed_in: dict[str, object]
) -> None:
    page = open_browser(storage_state=signed_in)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(placed.url)
    page.get_by_role("link", name="Map", exact=True).click()
    found = page.locator("devices-map")
    expect(found).to_have_attribute("data-spots", "1")
    expect(found).to_have_attribute("data-groups", "3")
    expect(page.locator(".page__sub")).to_have_text(f"{len(PLACES)} of {len(PLACES) + 1} devices have a place")  # fmt: skip

    page.get_by_role("button", name=re.compile("^Buoy")).press("Enter")
    popup = page.locator(".leaflet-popup")
    expect(popup).to_contain_text("waves: 1.25 m")
    expect(popup).to_contain_text("ago")
    screenshot(page, "devices-map-popup")
    page.keyboard.press("Escape")
    expect(popup).to_have_count(0)

    page.get_by_role("button", name="6 devices, look closer").press("Enter")
    expect(found).to_have_attribute("data-spots", "6")
    page.get_by_role("button", name=re.compile("^Berlin 0")).press("Enter")
    expect(popup).to_contain_text("No values yet")
    popup.get_by_role("link", name="Berlin 0").click()
    expect(page.get_by_role("heading", name="Berlin 0")).to_be_visible()
    assert [url for url in asked if not url.startswith(placed.url)] == []


def test_devices_at_one_place_are_listed(
    placed: LiveServer, open_browser: OpenBrowser, signed_in: dict[str, object]
) -> None:
    page = opened(open_browser(storage_state=signed_in), placed, "?q=lima")
    expect(page.locator(".page__sub")).to_contain_text("5 of 5 devices found for “lima”")
    page.get_by_role("button", name="5 devices, look closer").press("Enter")
    popup = page.locator(".leaflet-popup")
    expect(popup).to_contain_text("5 devices at this place")
    expect(popup.get_by_role("link", name=re.compile("Lima <b>"))).to_have_count(5)
    screenshot(page, "devices-map-one-place")


def test_the_map_fits_and_is_readable_in_both_themes(
    placed: LiveServer, open_browser: OpenBrowser, signed_in: dict[str, object]
) -> None:
    page = open_browser(storage_state=signed_in)
    for theme, size in LOADS:
        dress(page, theme, size)
        opened(page, placed)
        look_at(page, "devices-map", theme, size)


def test_an_empty_map_tells_the_next_step(
    new_server: LiveServer, open_browser: OpenBrowser
) -> None:
    page = open_browser()
    page.goto(new_server.welcome_url)
    page.goto(f"{new_server.url}/map/")
    expect(page.get_by_role("heading", name="No device is on the map yet")).to_be_visible()
    screenshot(page, "devices-map-empty")
    page.goto(f"{new_server.url}/map/?q=nothing+like+this")
    expect(page.get_by_role("link", name="Clear the search")).to_be_visible()


def test_the_map_of_an_empty_tank_leads_to_a_first_device(
    new_server: LiveServer, open_browser: OpenBrowser
) -> None:
    page = open_browser()
    page.goto(str(new_server.command("user", "create", "newcomer")["sign_in_link"]))
    page.goto(f"{new_server.url}/map/")
    page.get_by_role("main").get_by_role("link", name="Add Device").click()
    expect(page.get_by_role("dialog").get_by_label("Device name")).to_be_focused()
