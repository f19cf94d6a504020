"""Every page in both themes, on a desk and on a phone: looked at, and read by axe."""

import math
import re
import time

import pytest
import requests
from playwright.sync_api import Page, expect
from tests.browser.conftest import OpenBrowser, screenshot
from tests.browser.looks import LOADS, SIZES, Theme, check_fits, check_readable, dress, look_at
from tests.live_server import LiveServer

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
    "products": "/products/",
    "products-develop": "/products/?state=develop",
    "product": "/products/{product_id}/",
    "product-add": "/products/add",
    "product-edit": "/products/{product_id}/edit",
    "product-delete": "/products/{product_id}/delete",
    "serials-add": "/products/{product_id}/serials/add",
    "serial": "/products/{product_id}/serial-WS-002/",
    "serial-rename": "/products/{product_id}/serial-WS-002/rename",
    "deploy": "/products/{product_id}/deploy?which=all&size=12",
    "deploy-none": "/products/{product_id}/deploy?page=9",
    "device-deactivate": "/feeds/{activated_id}/deactivate",
    "device-provisioned": "/feeds/{activated_id}",
    "keys": "/keys/",
    "keys-none-found": "/keys/?q=nothing+like+this",
    "keys-add": "/keys/add",
    "account": "/account",
    "password": "/account/password",
    "not-found": "/feeds/999999",
}


@pytest.fixture(scope="module")
def provisioned(server: LiveServer) -> dict[str, object]:
    """A product with 20 serials, one of which is activated."""
    made = server.command("product", "create", "Weather station Mk II", "--channel", "temperature=°C", "--description", "Mains powered, with a rain gauge.")  # fmt: skip
    product_id = str(made["product_id"])
    batch = server.folder / "batch.txt"
    batch.write_text("\n".join(f"WS-{n:03}" for n in range(1, 21)))
    server.command("product", "serials", "add", product_id, str(batch))
    devices = server.command("product", "serials", "list", product_id)["devices"]
    assert isinstance(devices, list)
    codes = [row["activation_code"] for row in devices]
    activated = server.command("product", "activate", codes[0])
    return {"product_id": product_id, "codes": codes, "activated_id": activated["feed_id"]}


@pytest.mark.parametrize("name", PAGES)
def test_page_is_readable_and_fits(
    filled: LiveServer, provisioned: dict[str, object], open_browser: OpenBrowser, signed_in: dict[str, object], name: str
) -> None:  # fmt: skip
    page = open_browser(storage_state=signed_in)
    for theme, size in LOADS:
        dress(page, theme, size)
        page.goto(filled.url + PAGES[name].format(feed_id=filled.feed_id, **provisioned))
        if name == "device":
            page.get_by_text("6h", exact=True).click()
            page.locator('[data-key="temperature"]').scroll_into_view_if_needed()  # drawn when seen
            expect(page.locator('[data-key="temperature"] canvas')).to_be_visible()
            expect(page.locator("#stream-state")).to_have_text("Live")
        look_at(page, name, theme, size)


FAINT = """<html lang="en"><title>Faint</title>
<style>@media (prefers-color-scheme: dark) { body { background: #000; color: #222 } }</style>
<main><h1>Faint in the dark</h1></main></html>"""


def test_what_cannot_be_read_in_the_other_theme_is_noticed(open_browser: OpenBrowser) -> None:
    page = open_browser()
    dress(page, "light", "desktop")
    page.set_content(FAINT)
    check_readable(page)
    dress(page, "dark", "desktop")
    with pytest.raises(AssertionError, match="color-contrast"):
        check_readable(page)


def test_nothing_moves_for_who_wants_no_motion(
    server: LiveServer, open_browser: OpenBrowser, signed_in: dict[str, object]
) -> None:
    page = open_browser(storage_state=signed_in, reduced_motion="reduce")
    page.goto(f"{server.url}/feeds/{server.feed_id}")
    expect(page.locator("#stream-state")).to_have_text("Live")
    page.wait_for_function("document.getAnimations().length === 0")


def test_the_menu_fits_beside_the_account_at_every_width(
    filled: LiveServer, open_browser: OpenBrowser, signed_in: dict[str, object]
) -> None:
    page = open_browser(1280, 900, storage_state=signed_in)
    page.goto(f"{filled.url}/keys/")
    last, account = page.locator(".topbar__nav a").last, page.locator(".topbar__end")
    for width in (1280, 1181, 1180, 800, 641, 640):
        page.set_viewport_size({"width": width, "height": 900})
        check_fits(page)
        link, end = last.bounding_box(), account.bounding_box()
        assert link is not None
        assert end is not None
        is_above = end["y"] + end["height"] <= link["y"]
        assert is_above or link["x"] + link["width"] <= end["x"], f"{width} px"


def test_the_menu_of_a_phone_shows_where_one_is_and_that_there_is_more(
    filled: LiveServer, open_browser: OpenBrowser, signed_in: dict[str, object]
) -> None:
    page = open_browser(390, 844, storage_state=signed_in)
    for path, name, more in (("/", "Devices", "after"), ("/log", "Log", "before after")):
        page.goto(filled.url + path)
        menu, current = page.locator(".topbar__nav"), page.locator(".topbar__nav [aria-current]")
        expect(current).to_have_text(name)
        expect(menu).to_have_attribute("data-more", more)
        expect(current).to_be_in_viewport(ratio=1)
        screenshot(page, f"menu-{name.lower()}-phone")


def test_pages_for_strangers_are_readable_and_fit(
    server: LiveServer, provisioned: dict[str, object], open_browser: OpenBrowser
) -> None:
    page = open_browser()
    codes = provisioned["codes"]
    assert isinstance(codes, list)
    pages = {
        "sign-in": "/sign-in",
        "link-spent": f"/welcome/{'x' * 43}",
        "activate": f"/activate/{codes[1]}",
        "activate-already": f"/activate/{codes[0]}",
        "activate-unknown": "/activate/nothing",
        "activate-code": "/activate/",
    }
    for name, path in pages.items():
        dress(page, "dark", "phone")
        page.goto(server.url + path)
        look_at(page, name, "dark", "phone")


@pytest.mark.parametrize(("theme", "size"), LOADS)
def test_an_activated_device_and_a_new_key_are_readable(
    server: LiveServer, provisioned: dict[str, object], open_browser: OpenBrowser, signed_in: dict[str, object], theme: Theme, size: str
) -> None:  # fmt: skip
    codes = provisioned["codes"]
    assert isinstance(codes, list)
    code = codes[2 + list(SIZES).index(size)]
    page = open_browser(*SIZES[size], color_scheme=theme)
    page.goto(f"{server.url}/activate/{code}")
    page.get_by_role("button", name="Activate").click()
    expect(page.get_by_role("heading", name="Activated")).to_be_visible()
    look_at(page, "activated", theme, size)
    page = open_browser(*SIZES[size], color_scheme=theme, storage_state=signed_in)
    page.goto(f"{server.url}/keys/")
    page.get_by_role("link", name=re.compile("^Regenerate")).first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Regenerate key").click()
    expect(dialog.get_by_role("heading", name="The new key")).to_be_visible()
    look_at(page, "key-new", theme, size)


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


NUMBER_LABELS = [
    ([0, 0.5, 1], ["0", "0.5", "1"]),
    ([20.25, 20.5, 20.75], ["20.25", "20.5", "20.75"]),
    ([90000, 95000], ["90000", "95000"]),
    ([0, 500000, 1000000], ["0", "500K", "1M"]),
    ([-1250000000, -1200000000], ["-1.25B", "-1.2B"]),
    ([123456788, 123456789], ["123.456788M", "123.456789M"]),
    ([0, 2e-9, 4e-9], ["0E0", "2E-9", "4E-9"]),
    ([1e21, 2e21], ["1E21", "2E21"]),
    ([1e300, 1e300 * (1 + 2e-16)], ["1E300", "1E300"]),
    ([], []),
]
TIME_LABELS = [
    ("2026-01-01T00:00:00", 86400 * 30, "Jan 2026"),
    ("2026-01-26T00:00:00", 86400, "26 Jan"),
    ("2026-01-26T14:05:00", 300, "14:05"),
    ("2026-01-26T14:05:09", 1, "14:05:09"),
    ("2026-01-26T00:00:00", 3600, "26 Jan"),
]


def test_axes_are_labelled_in_few_letters(
    server: LiveServer, open_browser: OpenBrowser, signed_in: dict[str, object]
) -> None:
    page = open_browser(storage_state=signed_in)
    page.goto(server.url)
    script = page.locator('script[type="module"]').first.get_attribute("src")
    assert script
    labels = script.rsplit("/", 1)[0] + "/labels.js"
    numbers = "async ([url, given]) => { const m = await import(url); return given.map(m.numberLabels); }"  # fmt: skip
    assert page.evaluate(numbers, [labels, [row[0] for row in NUMBER_LABELS]]) == [row[1] for row in NUMBER_LABELS]  # fmt: skip
    times = "async ([url, given]) => { const m = await import(url); return given.map(([at, step]) => m.timeLabel(new Date(at).getTime() / 1000, step)); }"  # fmt: skip
    assert page.evaluate(times, [labels, [row[:2] for row in TIME_LABELS]]) == [row[2] for row in TIME_LABELS]  # fmt: skip


def test_a_first_value_and_large_numbers_can_be_read(
    server: LiveServer, open_browser: OpenBrowser, signed_in: dict[str, object]
) -> None:
    headers = {"X-ApiKey": server.api_key}
    url = f"{server.url}/v2/feeds/{server.feed_id}"
    points = [{"at": iso(time.time() - 60 * k), "value": str(10**9 + 10**8 * (k % 5))} for k in range(50)]  # fmt: skip
    streams = [{"id": "bytes", "datapoints": points}, {"id": "first", "current_value": "21.5"}]
    assert requests.put(
        f"{url}.json", json={"datastreams": streams}, headers=headers, timeout=20
    ).ok
    page = open_browser(storage_state=signed_in)
    page.goto(f"{server.url}/feeds/{server.feed_id}")
    expect(page.locator('[data-key="first"] canvas')).to_be_visible()
    # Of a point ten pixels wide, apart from its softened edge; a speck of four has less than ten.
    assert coloured_pixels(page, "first") > 30
    axis_px = page.locator('[data-key="bytes"] .u-over').evaluate("(over) => over.offsetLeft")
    assert axis_px < 60
    screenshot(page, "device-first-value-large-numbers")
    page.get_by_text("1y", exact=True).click()
    page.wait_for_timeout(500)
    screenshot(page, "device-large-numbers-year")


def coloured_pixels(page: Page, channel: str) -> int:
    """How many pixels of a channel's chart have the colour of its line."""
    count = """(canvas) => {
      const line = getComputedStyle(document.documentElement).getPropertyValue("--chart-line").trim();
      const pen = new OffscreenCanvas(1, 1).getContext("2d");
      pen.fillStyle = line;
      pen.fillRect(0, 0, 1, 1);
      const [r, g, b] = pen.getImageData(0, 0, 1, 1).data;
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      let found = 0;
      for (let i = 0; i < data.length; i += 4) {
        if (data[i] === r && data[i + 1] === g && data[i + 2] === b && data[i + 3] > 200) found += 1;
      }
      return found;
    }"""
    return int(page.locator(f'[data-key="{channel}"] canvas').evaluate(count))
