"""Maps: a place is seen and chosen, by mouse, by keyboard and in the fields, without the internet."""

import re

import pytest
import requests
from playwright.sync_api import Locator, Page, expect
from tests.browser.conftest import OpenBrowser, screenshot
from tests.browser.looks import LOADS, dress, look_at
from tests.live_server import LiveServer, start_server


def place(server: LiveServer, **location: object) -> None:
    """Say by the API where the first device is."""
    reply = requests.put(
        f"{server.url}/v2/feeds/{server.feed_id}.json",
        json={"location": location},
        headers={"X-ApiKey": server.api_key},
        timeout=20,
    )
    assert reply.status_code == 200


def drawn(page: Page) -> Locator:
    """The map, once the world is on it."""
    found = page.locator("place-map:not(.is-loading)").last
    expect(found.locator("canvas")).to_be_attached()
    return found


def colours(page: Page) -> int:
    """How many colours the map's canvas shows: land, lines, names and their soft edges."""
    count = """(canvas) => {
      const { width, height } = canvas;
      const copy = new OffscreenCanvas(width, height).getContext("2d");  // it may be read again
      copy.drawImage(canvas, 0, 0);
      const { data } = copy.getImageData(0, 0, width, height);
      return new Set(new Uint32Array(data.buffer)).size;
    }"""
    return int(drawn(page).locator("canvas").evaluate(count))


@pytest.mark.parametrize("where", ["", "/location"])
def test_a_map_is_drawn_readable_and_asks_nobody_else(
    server: LiveServer, open_browser: OpenBrowser, signed_in: dict[str, object], where: str
) -> None:  # fmt: skip
    place(server, name="Roof, east side", lat=12.9716, lon=77.5946, ele="920", exposure="outdoor")
    page = open_browser(storage_state=signed_in)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for theme, size in LOADS:
        dress(page, theme, size)
        page.goto(f"{server.url}/feeds/{server.feed_id}{where}")
        assert colours(page) > 20
        look_at(page, f"map{where.replace('/', '-')}", theme, size)
        assert colours(page) > 20  # of the other theme
    assert [url for url in asked if not url.startswith(server.url)] == []
    assert any("countries-50m.json" in url for url in asked)


def test_pages_without_a_map_load_nothing_of_one(
    server: LiveServer, open_browser: OpenBrowser, signed_in: dict[str, object]
) -> None:
    page = open_browser(storage_state=signed_in)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(server.url)
    page.wait_for_load_state("networkidle")
    assert [url for url in asked if "leaflet" in url or "world" in url] == []


def fields(page: Page) -> tuple[float, float]:
    lat, lon = (page.get_by_label(name).input_value() for name in ("Latitude", "Longitude"))
    return float(lat), float(lon)


def test_a_device_is_placed_by_a_click(new_server: LiveServer, open_browser: OpenBrowser) -> None:
    page = open_browser()
    page.goto(new_server.welcome_url)
    page.goto(f"{new_server.url}/feeds/{new_server.feed_id}")
    expect(page.locator("#location")).to_contain_text("Not on the map yet")
    screenshot(page, "map-no-place")
    page.get_by_role("link", name="Add location").click()
    box = drawn(page).bounding_box()
    assert box
    # The middle of the map is at 25 north, 10 east; a quarter of the world is left of the rest.
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(drawn(page).get_by_role("status")).to_contain_text("Placed at")
    lat, lon = fields(page)
    assert abs(lat - 25) < 12
    assert abs(lon - 0) < 12
    screenshot(page, "map-placed-in-dialog")
    page.get_by_role("dialog").get_by_role("button", name="Save location").click()
    expect(page.locator("#location")).to_contain_text(str(lat))
    expect(page.locator("#location .pin")).to_be_visible()


def test_a_device_is_placed_by_keyboard_alone(
    new_server: LiveServer, open_browser: OpenBrowser
) -> None:
    page = open_browser()
    page.goto(new_server.welcome_url)
    page.goto(f"{new_server.url}/feeds/{new_server.feed_id}/location")
    drawn(page)
    page.get_by_label("Place optional").focus()
    page.keyboard.press("Tab")
    area = page.get_by_role("region", name=re.compile("arrow keys move it, Enter places"))
    expect(area).to_be_focused()
    page.keyboard.press("+")
    page.wait_for_timeout(400)
    page.keyboard.press("+")
    page.wait_for_timeout(400)
    expect(page.locator(".map__cross")).to_be_visible()
    page.keyboard.press("Enter")
    before = fields(page)
    for _ in range(3):
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(350)
    page.keyboard.press("ArrowUp")
    page.wait_for_timeout(350)
    screenshot(page, "map-crosshair")
    page.keyboard.press("Enter")
    lat, lon = fields(page)
    assert lon > before[1] + 1
    assert lat > before[0]
    assert page.url.endswith("/location")  # Enter placed the pin, and did not send the form
    page.get_by_role("button", name="Save location").click()
    page.wait_for_url(re.compile(r"/feeds/\d+(\?.*)?$"))
    expect(page.locator("#location")).to_contain_text(str(lon))


def test_the_pin_follows_the_fields_and_what_is_no_place_takes_it_away(
    server: LiveServer, open_browser: OpenBrowser, signed_in: dict[str, object]
) -> None:
    place(server, lat=12.9716, lon=77.5946)
    page = open_browser(storage_state=signed_in)
    page.goto(f"{server.url}/feeds/{server.feed_id}/location")
    pins = drawn(page).locator(".pin")
    expect(pins).to_have_count(1)
    for latitude in ("91", ""):
        page.get_by_label("Latitude").fill(latitude)
        expect(pins).to_have_count(0)
    page.get_by_label("Latitude").fill("-33.9")
    page.get_by_label("Longitude").fill("151.2")
    expect(pins).to_be_in_viewport()


def test_a_mobile_device_has_its_way_drawn(
    server: LiveServer, open_browser: OpenBrowser, signed_in: dict[str, object]
) -> None:
    place(server, name="<img src=x onerror=alert(1)>", lat=48.2, lon=16.4, disposition="mobile")
    page = open_browser(storage_state=signed_in)
    page.goto(f"{server.url}/feeds/{server.feed_id}")
    drawn(page)
    page.locator("place-map").evaluate(
        """(map) => {
          map.dataset.trail = "[[47.1, 9.5], [47.3, 11.4], [47.8, 13.0]]";
          map.parentNode.insertBefore(map, map.nextSibling);
        }"""
    )
    expect(page.locator("place-map[data-stops='3'] path")).to_have_count(4)
    screenshot(page, "map-trail")


def test_a_tile_server_of_the_settings_is_asked_and_named(
    tmp_path_factory: pytest.TempPathFactory, open_browser: OpenBrowser
) -> None:
    flags = ("--set", "web.map_tiles_url=http://localhost:9/{z}/{x}/{y}.png", "--set", "web.map_tiles_attribution=Tiles <b>&copy; us")  # fmt: skip
    with start_server(tmp_path_factory.mktemp("tiles"), *flags) as server:
        place(server, lat=48.2, lon=16.4)
        page = open_browser(may_leave=True)
        asked: list[str] = []
        page.route("http://localhost:9/**", lambda route: (asked.append(route.request.url), route.abort()))  # fmt: skip
        page.goto(server.welcome_url)
        page.goto(f"{server.url}/feeds/{server.feed_id}")
        expect(drawn(page)).to_contain_text("Tiles <b>&copy; us")
        page.wait_for_timeout(300)
        assert asked
        assert all(re.fullmatch(r"http://localhost:9/\d+/\d+/\d+\.png", url) for url in asked)


def test_without_scripts_the_place_is_text_and_fields(
    server: LiveServer, open_browser: OpenBrowser, signed_in: dict[str, object]
) -> None:
    place(server, lat=12.9716, lon=77.5946)
    page = open_browser(storage_state=signed_in, java_script_enabled=False)
    page.goto(f"{server.url}/feeds/{server.feed_id}/location")
    expect(page.locator("place-map")).to_be_hidden()
    page.get_by_label("Latitude").fill("1.5")
    page.get_by_role("button", name="Save location").click()
    expect(page.locator("#location")).to_contain_text("1.5")


def test_a_mobile_device_that_moved_shows_where_it_was(
    server: LiveServer, open_browser: OpenBrowser, signed_in: dict[str, object]
) -> None:
    for lat, lon in ((47.1, 9.5), (47.3, 11.4), (48.2, 16.4)):
        place(server, lat=lat, lon=lon, disposition="mobile")
    page = open_browser(storage_state=signed_in)
    page.goto(f"{server.url}/feeds/{server.feed_id}")
    drawn(page)
    stops = page.locator("place-map").get_attribute("data-stops")
    assert int(stops or 0) >= 2
    screenshot(page, "map-way")
