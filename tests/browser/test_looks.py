"""Every page in both themes, on a desk and on a phone: looked at, and read by axe."""

import math
import re
import time

import pytest
import requests
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect
from tests.browser.conftest import OpenBrowser, screenshot
from tests.live_server import LiveServer

SIZES = {"desktop": (1280, 900), "phone": (390, 844)}
POINTS = 480


@pytest.fixture(scope="module")
def filled(server: LiveServer) -> LiveServer:
    """The first device as a weather station with eight hours of values."""
    now_s = time.time()
    headers = {"X-ApiKey": server.api_key}
    url = f"{server.url}/v2/feeds/{server.feed_id}"
    body = {
        "title": "Weather station",
        "description": "Temperature, humidity and pressure on the roof, once a minute over Wi-Fi.",
        "tags": ["bangalore", "roof", "weather"],
        "location": {"name": "Roof, east side", "lat": 12.9716, "lon": 77.5946, "ele": "920", "exposure": "outdoor", "disposition": "fixed"},
        "datastreams": [
            {"id": "temperature", "unit": {"symbol": "°C", "label": "Celsius"}, "tags": ["outdoor"]},
            {"id": "humidity", "unit": {"symbol": "%", "label": "percent"}},
            {"id": "hatch"},
        ],
    }  # fmt: skip
    assert requests.put(f"{url}.json", json=body, headers=headers, timeout=20).status_code == 200
    series = {"temperature": temperature, "humidity": humidity, "hatch": hatch}
    for name, value_at in series.items():
        points = [
            {"at": iso(now_s - 60 * k), "value": value_at(now_s - 60 * k)} for k in range(POINTS)
        ]
        reply = requests.post(
            f"{url}/datastreams/{name}/datapoints.json",
            json={"datapoints": points},
            headers=headers,
            timeout=20,
        )
        assert reply.status_code == 200
    return server


def iso(at_s: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at_s))


def temperature(at_s: float) -> str:
    return f"{21 + 4 * math.sin(at_s / 13_000) + 0.6 * math.sin(at_s / 700):.1f}"


def humidity(at_s: float) -> str:
    return f"{60 - 12 * math.sin(at_s / 13_000) + 2 * math.sin(at_s / 1100):.0f}"


def hatch(at_s: float) -> str:
    return "open" if int(at_s / 1700) % 5 == 0 else "closed"


PAGES = {
    "devices": "/",
    "devices-none-found": "/?q=nothing+like+this",
    "device": "/feeds/{feed_id}",
    "device-add": "/devices/add",
    "channel-add": "/feeds/{feed_id}/channels/add",
    "channel-edit": "/feeds/{feed_id}/channel-temperature/edit",
    "key-add": "/feeds/{feed_id}/keys/add",
    "location": "/feeds/{feed_id}/location",
    "metadata": "/feeds/{feed_id}/metadata",
    "device-delete": "/feeds/{feed_id}/delete",
    "account": "/account",
    "password": "/account/password",
    "not-found": "/feeds/999999",
}


def check_readable(page: Page) -> None:
    """No rule of WCAG 2.2 A and AA that a machine can judge is broken."""
    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
    found = Axe().run(page, options={"runOnly": {"type": "tag", "values": tags}})
    assert found.violations_count == 0, found.generate_report()


def check_fits(page: Page) -> None:
    """Nothing is wider than the window."""
    width = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert width <= 0, f"the page is {width} px too wide"


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_page_is_readable_and_fits(
    filled: LiveServer, open_browser: OpenBrowser, signed_in: dict[str, object], name: str, theme: str, size: str
) -> None:  # fmt: skip
    width, height = SIZES[size]
    page = open_browser(width, height, color_scheme=theme, storage_state=signed_in)
    page.goto(filled.url + PAGES[name].format(feed_id=filled.feed_id))
    if name == "device":
        page.get_by_text("6h", exact=True).click()
        expect(page.locator('[data-key="temperature"] canvas')).to_be_visible()
        expect(page.locator("#stream-state")).to_have_text("Live")
    page.wait_for_load_state("load")
    check_fits(page)
    check_readable(page)
    screenshot(page, f"{name}-{theme}-{size}")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pages_for_strangers_are_readable_and_fit(
    server: LiveServer, open_browser: OpenBrowser, theme: str
) -> None:
    page = open_browser(390, 844, color_scheme=theme)
    for name, path in {"sign-in": "/sign-in", "link-spent": f"/welcome/{'x' * 43}"}.items():
        page.goto(server.url + path)
        check_fits(page)
        check_readable(page)
        screenshot(page, f"{name}-{theme}-phone")


def test_a_device_is_added_by_keyboard_alone(
    server: LiveServer, open_browser: OpenBrowser, signed_in: dict[str, object]
) -> None:
    page = open_browser(storage_state=signed_in)
    page.goto(server.url)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Add Device").first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog").get_by_label("Device name")).to_be_focused()
    page.keyboard.type("By keyboard")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/feeds/\d+"))
    expect(page.get_by_role("heading", name="By keyboard")).to_be_visible()


def test_a_chosen_theme_stays(
    server: LiveServer, open_browser: OpenBrowser, signed_in: dict[str, object]
) -> None:
    page = open_browser(color_scheme="light", storage_state=signed_in)
    page.goto(server.url)
    page.get_by_role("button", name="Switch between light and dark").click()
    page.reload()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
