"""The directory as people use it: list and map, terms, a place picked by mouse or keyboard, no scripts."""

import random
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from playwright.sync_api import Page, expect
from tests.browser.conftest import OpenBrowser, screenshot
from tests.browser.looks import LOADS, SIZES, Theme, check_readable, dress, look_at
from tests.live_server import LiveServer, start_server

CITIES = [("Bengaluru", 12.97, 77.59), ("London", 51.5, -0.12), ("Berlin", 52.52, 13.4), ("Vienna", 48.2, 16.37), ("Boston", 42.36, -71.06), ("Nairobi", -1.29, 36.82), ("Sydney", -33.87, 151.2), ("São Paulo", -23.55, -46.63)]  # fmt: skip
KINDS = ["Weather station", "Air quality", "Greenhouse", "River gauge", "Bee hive"]
MARKUP = "<img src=x onerror=alert(1)><b>Bold</b>"


def add(server: LiveServer, **feed: object) -> None:
    body = {"private": "false", **feed}
    made = requests.post(f"{server.url}/v2/feeds.json", json=body, headers={"X-ApiKey": server.master_key()}, timeout=20)  # fmt: skip
    assert made.status_code == 201, made.text


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """Forty feeds around the world, some live, one with markup in every text, two in one place."""
    chance = random.Random(7)
    with start_server(tmp_path_factory.mktemp("data")) as server:
        for k in range(40):
            city, lat, lon = CITIES[k % len(CITIES)]
            stream = {"id": "temperature", "current_value": f"{20 + k % 7}.5", "unit": {"symbol": "°C", "label": "Celsius"}}  # fmt: skip
            add(
                server,
                title=f"{KINDS[k % len(KINDS)]} {city} {k}",
                description="Measured once a minute and sent over Wi-Fi.",
                tags=["weather" if k % 2 else "air", city],
                location={"name": city, "lat": lat + chance.gauss(0, 0.4), "lon": lon + chance.gauss(0, 0.6)},
                datastreams=[stream] if k % 3 else [],
            )  # fmt: skip
        for title in ("First twin", "Second twin"):
            add(server, title=title, location={"lat": 64.1, "lon": -21.9}, tags=["twin"])
        add(server, title=MARKUP, description=MARKUP, tags=["markup"], location={"name": MARKUP, "lat": -75, "lon": 0})  # fmt: skip
        add(server, title="Without a place")
        yield server


def drawn(page: Page) -> None:
    expect(page.locator("results-map:not(.is-loading) canvas")).to_be_attached()


@pytest.mark.parametrize(
    ("name", "query"),
    [("directory", ""), ("directory-narrowed", "?tag=weather&lat=50&lon=10&distance=1500"), ("directory-none", "?q=nothing+like+this"), ("directory-wrong", "?lat=north&lon=10")],
)  # fmt: skip
def test_the_directory_is_readable_and_asks_nobody_else(
    server: LiveServer, open_browser: OpenBrowser, name: str, query: str
) -> None:
    page = open_browser()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for theme, size in LOADS:
        dress(page, theme, size)
        page.goto(f"{server.url}/directory/{query}")
        drawn(page)
        look_at(page, name, theme, size)
    assert [url for url in asked if not url.startswith((server.url, "data:"))] == []


@pytest.mark.parametrize(("theme", "size"), LOADS)
def test_a_public_page_is_readable_to_a_stranger_and_live(
    server: LiveServer, open_browser: OpenBrowser, theme: Theme, size: str
) -> None:
    page = open_browser(*SIZES[size], color_scheme=theme)
    page.goto(f"{server.url}/directory/?q=Vienna&status=live")
    title = page.locator(".feed-row__title a").first.inner_text()
    page.locator(".feed-row__title a").first.click()
    expect(page.get_by_role("heading", name=title)).to_be_visible()
    expect(page.locator("#stream-state")).to_have_text("Live")
    expect(page.locator('[data-key="temperature"] canvas')).to_be_visible()
    expect(page.locator("place-map:not(.is-loading) canvas")).to_be_attached()
    look_at(page, "public-device", theme, size)
    feed = page.locator("#feed-id").inner_text()
    body = {"datastreams": [{"id": "temperature", "current_value": "-3.25"}]}
    headers = {"X-ApiKey": server.master_key()}
    assert requests.put(f"{server.url}/v2/feeds/{feed}.json", json=body, headers=headers, timeout=20).ok  # fmt: skip
    expect(page.locator('[data-key="temperature"] [data-value]')).to_have_text("-3.25")


def terms(page: Page) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}


def test_a_search_is_an_address_without_blank_terms(
    server: LiveServer, open_browser: OpenBrowser
) -> None:
    page = open_browser()
    page.goto(f"{server.url}/directory/")
    expect(page.locator("#map-caption")).to_have_text("43 of 44 on the map")
    page.get_by_label("Search the directory").fill("gauge")
    page.get_by_text("Filters and place").click()
    page.get_by_label("Status").select_option("live")
    page.get_by_role("button", name="Search", exact=True).click()
    page.wait_for_url(re.compile("q=gauge"))
    assert terms(page) == {"q": "gauge", "status": "live"}
    titles = page.locator(".feed-row__title").all_inner_texts()
    assert titles
    assert all("gauge" in title for title in titles)
    page.get_by_role("link", name="“gauge” remove").click()
    page.wait_for_url(re.compile(r"/directory/\?status=live$"))
    page.locator(".feed-row__facts .tag", has_text="London").first.click()
    page.wait_for_url(re.compile("tag=london", re.IGNORECASE))
    assert terms(page).keys() == {"tag"}


def test_a_place_is_picked_by_a_click(server: LiveServer, open_browser: OpenBrowser) -> None:
    page = open_browser()
    page.goto(f"{server.url}/directory/")
    drawn(page)
    page.get_by_text("Filters and place").click()
    page.get_by_label("Within").fill("9000")
    page.get_by_role("button", name="Pick on the map").click()
    expect(page.locator("results-map")).to_contain_text("Click a place")
    page.locator("results-map .map__area").click(
        position={"x": 300, "y": 330}
    )  # off Africa's coast
    page.wait_for_url(re.compile("lat="))
    assert abs(float(terms(page)["lat"])) < 70
    assert abs(float(terms(page)["lon"])) < 90
    assert terms(page)["distance"] == "9000"
    drawn(page)
    expect(page.locator("results-map path")).to_have_count(1)  # the circle
    expect(page.get_by_role("list", name="Search terms in force")).to_contain_text("within 9000 km")


def test_a_place_is_picked_by_keyboard(server: LiveServer, open_browser: OpenBrowser) -> None:
    page = open_browser()
    page.goto(f"{server.url}/directory/?distance=500")
    drawn(page)
    page.get_by_text("Filters and place").click()
    page.get_by_role("button", name="Pick on the map").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="Map of the feeds found")).to_be_focused()
    expect(page.locator(".map__cross")).to_be_visible()
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(400)
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("lat="))
    assert terms(page).keys() == {"lat", "lon", "distance"}


def test_groups_open_and_markup_in_names_stays_text(
    server: LiveServer, open_browser: OpenBrowser
) -> None:
    page = open_browser()
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    page.goto(f"{server.url}/directory/?tag=markup")
    drawn(page)
    expect(page.locator(".feed-row__title")).to_have_text(MARKUP)
    page.get_by_role("button", name=f"{MARKUP}, frozen").press("Enter")
    popup = page.locator(".leaflet-popup")
    expect(popup.get_by_role("link", name=MARKUP)).to_be_focused()
    assert popup.locator("img, b").count() == 0
    screenshot(page, "directory-popup")
    page.keyboard.press("Escape")
    expect(popup).to_have_count(0)
    expect(page.get_by_role("region", name="Map of the feeds found")).to_be_focused()

    page.goto(f"{server.url}/directory/?tag=twin")
    drawn(page)
    page.get_by_role("button", name="2 feeds, look closer").click()
    expect(popup).to_contain_text("2 feeds at this place")
    screenshot(page, "directory-same-place")
    popup.get_by_role("link", name="Second twin").click()
    page.wait_for_url(re.compile(r"/feeds/\d+$"))


def test_a_group_is_looked_at_closer_by_keyboard(
    server: LiveServer, open_browser: OpenBrowser
) -> None:
    page = open_browser()
    page.goto(f"{server.url}/directory/?q=Sydney")
    drawn(page)
    markers = page.locator(".leaflet-marker-icon")
    page.goto(f"{server.url}/directory/")
    drawn(page)
    before = markers.count()
    markers.filter(has=page.locator(".group")).first.press("Enter")
    page.wait_for_timeout(600)
    assert markers.count() != before or page.locator(".spot").count()


def test_a_row_points_at_its_place(server: LiveServer, open_browser: OpenBrowser) -> None:
    page = open_browser()
    page.goto(f"{server.url}/directory/?q=Sydney")
    drawn(page)
    page.locator(".feed-row").first.hover()
    expect(page.locator("results-map .ring")).to_have_count(1)
    page.locator("h1").hover()
    expect(page.locator("results-map .ring")).to_have_count(0)


def test_without_scripts_it_is_a_list_with_a_search(
    server: LiveServer, open_browser: OpenBrowser
) -> None:
    page = open_browser(java_script_enabled=False)
    page.goto(f"{server.url}/directory/")
    expect(page.locator("results-map")).to_be_hidden()
    expect(page.locator(".feed-row")).to_have_count(25)
    page.get_by_role("link", name="Next").click()
    expect(page.locator(".feed-row")).to_have_count(19)
    page.get_by_text("Filters and place").click()
    page.get_by_label("Latitude").fill("48.2")
    page.get_by_label("Longitude").fill("16.4")
    page.get_by_label("Within").fill("300")
    page.get_by_role("button", name="Search", exact=True).click()
    titles = page.locator(".feed-row__title").all_inner_texts()
    assert len(titles) == 5
    assert all("Vienna" in title for title in titles)
    screenshot(page, "directory-no-scripts")


def test_a_thousand_feeds_move_smoothly(server: LiveServer, open_browser: OpenBrowser) -> None:
    chance = random.Random(1)
    places = [{"id": k, "title": f"Feed {k}", "lat": chance.uniform(-60, 70), "lon": chance.uniform(-175, 175), "is_live": k % 2 == 0} for k in range(1000)]  # fmt: skip
    page = open_browser()
    body = {"places": places, "found_count": 4321, "looked_at_count": 1000}
    page.route("**/directory/places*", lambda route: route.fulfill(json=body))
    page.goto(f"{server.url}/directory/")
    drawn(page)
    expect(page.locator("#map-caption")).to_contain_text("1000 of the first 1000 feeds found")
    assert page.locator(".leaflet-marker-icon").count() < 200
    screenshot(page, "directory-thousand")
    page.locator("results-map .map__area").focus()
    slowest_ms = page.evaluate(
        """async () => {
          const area = document.querySelector("results-map .map__area");
          let slowest = 0;
          const keys = ["=", "=", "ArrowRight", "ArrowDown", "ArrowLeft", "-"];
          for (const key of keys) {
            area.dispatchEvent(new KeyboardEvent("keydown", {key, code: key, keyCode: {"=": 187, "-": 189, ArrowRight: 39, ArrowDown: 40, ArrowLeft: 37}[key], bubbles: true}));
            let last = performance.now();
            const until = last + 500;
            while (performance.now() < until) {
              await new Promise(requestAnimationFrame);
              const now = performance.now();
              slowest = Math.max(slowest, now - last);
              last = now;
            }
          }
          return slowest;
        }"""
    )
    print(f"slowest frame while moving over a thousand feeds: {slowest_ms:.0f} ms")
    assert slowest_ms < 1000  # two busy cores without a graphics card; a stuck map takes longer


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_channel_is_downloaded_from_its_page(
    server: LiveServer, open_browser: OpenBrowser, kind: str, tmp_path: Path
) -> None:
    page = open_browser(accept_downloads=True)
    page.goto(f"{server.url}/directory/?q=London&status=live&order=title")
    page.locator(".feed-row__title a").first.click()
    page.get_by_role("link", name="Export channel temperature").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading", name="Export channel temperature")).to_be_visible()
    if kind == "parquet":
        dialog.get_by_text("Parquet", exact=True).click()
    dialog.get_by_text("Everything").click()
    check_readable(page)
    screenshot(page, f"channel-export-{kind}")
    with page.expect_download() as downloading:
        dialog.get_by_role("button", name="Download").click()
    expect(dialog).to_be_hidden()
    downloaded = downloading.value
    feed = page.locator("#feed-id").inner_text()
    assert downloaded.suggested_filename == f"feed-{feed}-temperature-all.{kind}"
    file = tmp_path / "file"
    downloaded.save_as(file)
    content = file.read_bytes()
    assert content.startswith(b"PAR1" if kind == "parquet" else b"feed_id,channel,at,value\n")
    if kind == "csv":
        assert re.fullmatch(rb"\d+,temperature,[0-9T:.-]+Z,[0-9.-]+", content.splitlines()[1])
