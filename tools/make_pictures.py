"""Take the pictures of the pages that README and docs show, of a server with made-up devices.

    .venv/bin/python -m tools.make_pictures [NAME ...]

Needs what the browser tests need. Writes docs/images/NAME.png; all of them, unless some are named.
"""

import math
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import requests
from playwright.sync_api import Browser, Page, expect, sync_playwright
from tests.live_server import LiveServer, start_server
from tests.needed import find_chromium

IMAGES = Path(__file__).parent.parent / "docs" / "images"
POINTS = 480  # one a minute
CHANNELS = {
    "temperature": ("°C", lambda at_s: 19 + 5 * math.sin(at_s / 9000) + 0.3 * math.sin(at_s / 300)),
    "humidity": ("%", lambda at_s: 55 - 12 * math.sin(at_s / 9000)),
    "wind": ("m/s", lambda at_s: 4.5 + 2 * math.sin(at_s / 2000) + math.sin(at_s / 97)),
}
PLACES = {
    "Greenhouse": (52.37, 4.9),
    "Harbour gauge": (53.55, 9.99),
    "Observatory": (48.14, 11.58),
    "Orchard": (47.37, 8.54),
}
READING = {
    "timestamp": "1393926308",
    "temperature": "25",
    "lat": "30.733315",
    "lon": "76.779418",
}

Shot = Callable[[Page, LiveServer], None]


def fill(server: LiveServer) -> None:
    """A weather station with eight hours of values, a trigger, and some devices elsewhere."""
    now_s = time.time()
    body = {
        "title": "Roof station",
        "description": "Above the workshop, facing north.",
        "private": False,
        "tags": ["roof", "weather"],
        "location": {"name": "Workshop", "lat": 51.51, "lon": -0.08, "exposure": "outdoor"},
        "datastreams": [
            {"id": name, "unit": {"symbol": unit}} for name, (unit, _) in CHANNELS.items()
        ],
    }
    feed = f"/v2/feeds/{server.feed_id}"
    send(server, "PUT", f"{feed}.json", body)
    for name, (_, value_at) in CHANNELS.items():
        moments = [now_s - 60 * minute for minute in range(1, POINTS)]
        points = [{"at": iso(at_s), "value": f"{value_at(at_s):.1f}"} for at_s in moments]
        send(server, "POST", f"{feed}/datastreams/{name}/datapoints.json", {"datapoints": points})
    values = [
        {"id": name, "current_value": f"{value_at(now_s):.1f}"}
        for name, (_, value_at) in CHANNELS.items()
    ]
    send(server, "PUT", f"{feed}.json", {"datastreams": values})
    url = "https://hooks.example/roof"
    server.command(
        "trigger", "create", str(server.feed_id), "temperature", "gt", "25", "--url", url
    )
    for title, (lat, lon) in PLACES.items():
        made = {"title": title, "private": False, "location": {"lat": lat, "lon": lon}}
        stream = {"id": "temperature", "current_value": f"{15 + lat % 7:.1f}"}
        made["datastreams"] = [stream | {"unit": {"symbol": "°C"}}]
        send(server, "POST", "/v2/feeds.json", made, server.master_key())


def send(server: LiveServer, method: str, path: str, body: object, key: str = "") -> None:
    """A request that must succeed."""
    headers = {"X-ApiKey": key or server.api_key}
    answer = requests.request(method, server.url + path, json=body, headers=headers, timeout=20)
    answer.raise_for_status()


def iso(at_s: float) -> str:
    """A time as the API has it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at_s))


def device(page: Page, server: LiveServer) -> None:
    """A device's page (figures 8.5 and 8.6)."""
    page.goto(f"{server.url}/feeds/{server.feed_id}")
    page.get_by_text("6h", exact=True).click()
    page.locator("#stream-state").get_by_text("Live").wait_for()
    for chart in page.locator("[data-chart]").all():
        expect(chart).to_have_attribute("data-points", re.compile("[0-9]{3}"))  # of six hours


def add_device(page: Page, server: LiveServer) -> None:
    """The form of figure 8.4."""
    page.goto(f"{server.url}/devices/add")
    page.locator("input[type=text], input:not([type])").first.fill("Weather Station")
    page.locator("textarea").first.fill("Monitors temperature")


def directory(page: Page, server: LiveServer) -> None:
    """Public devices on the map."""
    page.goto(f"{server.url}/directory/")
    page.locator(".leaflet-marker-icon").first.wait_for()


def weather(page: Page, server: LiveServer) -> None:
    """The weather station (figure 8.10)."""
    page.goto(f"{server.url}/weather/bind?feed={server.feed_id}")
    page.get_by_role("button", name="Bind feed").click()
    page.locator("#weather-chart canvas").wait_for()
    page.locator("place-map .pin").wait_for()


def admin_reading(page: Page, server: LiveServer) -> None:
    """A reading that is typed in (figure 8.9)."""
    page.goto(f"{server.url}/admin/weather/temperaturedata/add/")
    for name, value in READING.items():
        page.locator(f"[name={name}]").fill(value)


def station_api(page: Page, server: LiveServer) -> None:
    """The Station REST API in a browser (figure 8.11)."""
    page.goto(f"{server.url}/station/")
    add = page.locator("section", has=page.get_by_role("heading", name="Add one"))
    add.get_by_label("Name", exact=True).fill("CityName")
    for label, value in READING.items():
        add.get_by_label(label.title(), exact=True).fill(value)
    add.get_by_role("button", name="POST").click()
    page.get_by_text("HTTP 201 Created").wait_for()
    page.locator(".api__response").get_by_role("link").last.click()
    page.get_by_role("heading", name="Station Instance").wait_for()


def messages(page: Page, server: LiveServer) -> None:
    """Messages between two devices, as they come."""
    page.goto(f"{server.url}/messages/")
    page.locator("#stream-state").get_by_text("Live").wait_for()
    url = server.sockets["skynet"]
    lamp, switch = (
        requests.post(f"{url}/devices", json=properties, timeout=20).json()
        for properties in ({"name": "Lamp", "keepMessages": True}, {"name": "Switch"})
    )
    for color in ("white", "red", "off"):
        body = {"devices": lamp["uuid"], "topic": "lights", "payload": {"color": color}}
        sender = (switch["uuid"], switch["token"])
        requests.post(f"{url}/messages", json=body, auth=sender, timeout=20).raise_for_status()
    page.locator(".message").nth(2).wait_for()


SHOTS: dict[str, tuple[Shot, int]] = {  # how it is come to, and its height in pixels
    "workbench": (device, 1150),
    "add-device": (add_device, 720),
    "directory": (directory, 800),
    "weather": (weather, 900),
    "admin-reading": (admin_reading, 560),
    "station-api": (station_api, 900),
    "messages": (messages, 760),
}


def signed_in(browser: Browser, server: LiveServer) -> Iterator[Page]:
    """New windows of the owner's browser."""
    context = browser.new_context(color_scheme="light", reduced_motion="reduce")
    context.new_page().goto(server.welcome_url)
    while True:
        page = context.new_page()
        page.set_default_timeout(15_000)
        yield page
        page.close()


def main() -> int:
    """Take the pictures that are asked for."""
    names = sys.argv[1:] or list(SHOTS)
    unknown = [name for name in names if name not in SHOTS]
    if unknown:
        print(
            f"no such picture: {', '.join(unknown)}; there are {', '.join(SHOTS)}", file=sys.stderr
        )
        return 2
    with tempfile.TemporaryDirectory() as data, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find_chromium(), args=["--no-sandbox", "--disable-gpu"]
        )
        with start_server(Path(data) / "data") as server:
            fill(server)
            for name, page in zip(names, signed_in(browser, server), strict=False):
                come, height = SHOTS[name]
                page.set_viewport_size({"width": 1280, "height": height})
                come(page, server)
                page.screenshot(path=IMAGES / f"{name}.png", animations="disabled")
                print(IMAGES / f"{name}.png")
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
