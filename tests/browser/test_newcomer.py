"""The first five minutes: the simulator, a device of one's own, and how light the first page is."""

import re
import subprocess

import pytest
from playwright.sync_api import CDPSession, Page, expect
from tests.browser.conftest import WAIT_MS, OpenBrowser, leaves_origin, screenshot
from tests.browser.looks import SIZES, check_fits, check_readable
from tests.live_server import LiveServer

FIRST_PAGE_BYTES_MAX = 200_000
AGAIN_BYTES_MAX = 40_000  # what is not cached: the page itself
READINGS = ("temperature", "humidity", "pressure", "wind_speed", "wind_direction")


def looked_at(page: Page, name: str, theme: str, size: str) -> None:
    check_fits(page)
    check_readable(page)
    screenshot(page, f"{name}-{theme}-{size}")


@pytest.mark.parametrize(("theme", "size"), [("light", "desktop"), ("dark", "phone")])
def test_a_newcomer_starts_the_simulator_and_sees_a_day_of_weather(
    new_server: LiveServer, open_browser: OpenBrowser, theme: str, size: str
) -> None:
    page = open_browser(*SIZES[size], color_scheme=theme)
    page.goto(new_server.welcome_url)
    start = page.locator("#start")
    expect(start).to_contain_text("0 of 4 done")
    looked_at(page, "first-page", theme, size)

    page.get_by_role("button", name="Start the simulator").click()
    expect(page.locator("#simulator")).to_contain_text("Running")
    for name in READINGS:
        expect(page.locator(f'[data-reading="{name}"]')).to_have_text(re.compile(r"^-?[\d.]+$"))
    expect(start).to_contain_text("1 of 4 done")  # the page follows by itself
    expect(page.locator("#device-list")).to_contain_text("5 channels")
    if size == "desktop":  # it goes on, five seconds later
        count = page.locator('#simulator [data-part="count"]')
        expect(count).not_to_have_text(re.compile("^[01]$"), timeout=WAIT_MS)
    looked_at(page, "first-page-simulator", theme, size)

    page.get_by_role("link", name="Open its charts").click()
    page.get_by_text("1d", exact=True).click()
    temperature = page.locator('[data-key="temperature"]')
    temperature.scroll_into_view_if_needed()
    expect(temperature.locator(".chart")).to_have_attribute("data-points", re.compile(r"^\d{3,}$"))
    expect(page.locator("#log-rows li").first).to_contain_text("PUT")
    looked_at(page, "simulated-device", theme, size)

    page.get_by_role("button", name="Stop the simulator").click()
    expect(page.locator("#simulator")).to_contain_text("Stopped")
    page.goto(f"{new_server.url}/")
    page.get_by_role("button", name="Hide the first steps").click()
    expect(page.get_by_role("heading", name="Devices")).to_be_visible()
    expect(start).to_have_count(0)
    page.goto(f"{new_server.url}/account")
    page.get_by_role("link", name="Show them").click()
    expect(start).to_contain_text("1 of 4 done")


@pytest.mark.parametrize(("theme", "size"), [("dark", "desktop"), ("light", "phone")])
def test_a_newcomer_connects_a_device_by_a_line_for_curl(
    new_server: LiveServer, open_browser: OpenBrowser, theme: str, size: str
) -> None:
    page = open_browser(*SIZES[size], color_scheme=theme, reduced_motion="no-preference")
    page.goto(new_server.welcome_url)
    page.locator("#start").get_by_role("link", name="curl").click()
    page.wait_for_url(re.compile(rf"/feeds/{new_server.feed_id}\?with=curl#connect"))
    waiting = page.locator("#waiting")
    expect(waiting).to_contain_text("Waiting for the first value")
    expect(page.locator("#stream-state")).to_have_text("Live")

    wrong = page.locator("#curl-line").inner_text().replace("••••••••", "sesame")
    subprocess.run(["sh", "-c", wrong], capture_output=True, timeout=20, check=True)
    expect(page.locator("#refused")).to_contain_text("the API key is not known")
    looked_at(page, "waiting", theme, size)
    page.reload()
    expect(page.locator("#refused")).to_contain_text("the API key is not known")

    page.get_by_role("button", name="Show key", exact=True).click()
    line = page.locator("#curl-line")
    expect(line).not_to_contain_text("•")
    page.evaluate("window.isTheSamePage = true")
    subprocess.run(["sh", "-c", line.inner_text()], capture_output=True, timeout=20, check=True)
    expect(page.locator('[data-key="temperature"] [data-value]')).to_have_text("21.5")
    expect(page.locator('[data-key="temperature"] canvas')).to_be_visible()
    expect(waiting).to_be_empty()
    expect(page.locator("#notices")).to_contain_text("The first value has come")
    assert page.evaluate("window.isTheSamePage") is True
    looked_at(page, "first-value", theme, size)
    page.goto(f"{new_server.url}/")
    expect(page.locator("#start")).to_contain_text("2 of 4 done")


def test_each_way_to_connect_is_chosen_remembered_and_copied_with_its_secret(
    server: LiveServer, open_browser: OpenBrowser, signed_in: dict[str, object]
) -> None:
    page = open_browser(storage_state=signed_in)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(f"{server.url}/start/")
    page.goto(f"{server.url}/devices/add?with=mqtt")
    page.get_by_label("Device name").fill("Many ways")
    page.get_by_role("button", name="Add Device").click()
    ways = page.locator("#ways")
    expect(ways.get_by_label("MQTT")).to_be_checked()
    expect(page.locator("#paho-program")).to_be_visible()
    expect(page.locator("#paho-program")).not_to_contain_text("•")  # just added: shown at once
    expect(page.locator("#keys")).to_contain_text("Many ways: sends values")
    for label, shown in (("Arduino, ESP32", "#esp32-sketch"), ("WAMP", "#autobahn-script"), ("SkyNet", "#skynet-data")):  # fmt: skip
        ways.get_by_text(label).click()
        expect(page.locator(shown)).to_be_visible()
        expect(page.locator("#paho-program")).to_be_hidden()
        looked_at(page, f"connect-{label.split(',')[0].lower()}", "light", "desktop")
    page.goto(page.url.split("?")[0])
    expect(ways.get_by_label("SkyNet")).to_be_checked()
    expect(page.locator("#skynet-data")).to_contain_text("•")  # hidden again
    page.get_by_role("button", name="Copy line with key").last.click()
    expect(page.locator("#notices")).to_contain_text("Copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert re.search(r"X-ApiKey: [\w-]{48}'", copied)
    page.get_by_role("button", name="Copy lines with token").click()
    expect(page.locator("#tokens")).to_contain_text("copied from its page")
    tokens = re.findall(r"meshblu_auth_token: ([\w-]{40,})'", page.evaluate("navigator.clipboard.readText()"))  # fmt: skip
    assert len(tokens) == 2
    assert len(set(tokens)) == 1


class Wire:
    """What a page's loading took, over the wire: heads, bodies, as compressed as they came."""

    def __init__(self, page: Page) -> None:
        self.size_bytes = 0
        session: CDPSession = page.context.new_cdp_session(page)
        session.send("Network.enable")
        session.on("Network.loadingFinished", self._add)

    def _add(self, event: dict[str, float]) -> None:
        self.size_bytes += int(event["encodedDataLength"])

    def taken(self) -> int:
        """Bytes since the last time."""
        taken, self.size_bytes = self.size_bytes, 0
        return taken


def test_the_first_page_is_light_and_lighter_the_second_time(
    new_server: LiveServer, open_browser: OpenBrowser
) -> None:
    page = open_browser()
    wire = Wire(page)
    page.goto(new_server.welcome_url)
    page.wait_for_load_state("networkidle")
    first = wire.taken()
    times = page.evaluate("performance.getEntriesByType('navigation')[0].toJSON()")
    print(f"first page: {first:,} bytes, interactive after {times['domInteractive']:.0f} ms, scripts done after {times['domContentLoadedEventEnd']:.0f} ms")  # fmt: skip
    assert 20_000 < first <= FIRST_PAGE_BYTES_MAX
    page.goto(f"{new_server.url}/account")
    page.wait_for_load_state("networkidle")
    wire.taken()
    page.goto(f"{new_server.url}/")
    page.wait_for_load_state("networkidle")
    again = wire.taken()
    print(f"first page again: {again:,} bytes")
    assert 1_000 < again <= AGAIN_BYTES_MAX


class Asked:
    """A request as a browser tells of it."""

    def __init__(self, url: str, page: str, *, method: str = "GET", navigates: bool = False):
        self.url, self.method, self._navigates = url, method, navigates
        self.frame = self
        if page:
            self.frame = Asked(page, "")

    def is_navigation_request(self) -> bool:
        return self._navigates


@pytest.mark.parametrize(
    ("asked", "leaves"),
    [
        (Asked("http://a:1/x.js", "http://a:1/"), False),
        (Asked("http://a:2/x.js", "http://a:1/"), True),
        (Asked("https://cdn.example/x.js", "http://a:1/"), True),
        (Asked("data:image/png;base64,", "http://a:1/"), False),
        (Asked("https://elsewhere.example/", "http://a:1/", navigates=True), False),
        (Asked("https://elsewhere.example/", "http://a:1/", method="POST", navigates=True), True),
    ],
)
def test_a_request_that_leaves_the_origin_is_noticed(asked: Asked, leaves: bool) -> None:
    assert leaves_origin(asked) is leaves  # type: ignore[arg-type] # a stand-in with what is asked of it
