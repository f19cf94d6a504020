"""The request log as a person meets it: live, paused, searched, opened, copied."""

import json
import re
from typing import Literal
from urllib.parse import urlsplit

import paho.mqtt.publish as mqtt_publish
import requests
from playwright.sync_api import expect
from tests.browser.conftest import OpenBrowser, screenshot
from tests.browser.looks import SIZES, check_fits, check_readable
from tests.live_server import LiveServer

SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
NASTY = "<img src=x onerror=alert(1)>"


class Lamp:
    """A device that others write to, well and badly."""

    def __init__(self, server: LiveServer, title: str) -> None:
        self._server = server
        self.key = server.master_key()
        made = requests.post(
            f"{server.url}/v2/feeds.json",
            json={"title": title},
            headers={"X-ApiKey": self.key},
            timeout=20,
        )
        self.feed_id = int(made.headers["location"].rpartition("/")[2])

    def put(self, key: str, body: str) -> int:
        url = f"{self._server.url}/v2/feeds/{self.feed_id}.json"
        return requests.put(url, data=body, headers={"X-ApiKey": key}, timeout=20).status_code

    def record(self, value: str) -> int:
        stream = {"id": "brightness", "current_value": value}
        return self.put(self.key, json.dumps({"datastreams": [stream]}))

    def publish(self, payload: str) -> None:
        address = urlsplit(self._server.sockets["mqtt"])
        topic = f"{self.key}/v2/feeds/{self.feed_id}/datastreams/brightness.csv"
        mqtt_publish.single(
            topic, payload, qos=1, hostname=str(address.hostname), port=address.port or 0
        )


def test_the_log_shows_every_door_pauses_filters_and_says_how_to_ask_again(
    server: LiveServer, open_browser: OpenBrowser, signed_in: dict[str, object]
) -> None:
    page = open_browser(storage_state=signed_in, permissions=["clipboard-write"])
    lamp, other = Lamp(server, f"Lamp {NASTY}"), Lamp(server, "Another lamp")
    page.goto(f"{server.url}/log/?device={lamp.feed_id}")
    rows = page.locator("#log-rows > li")
    expect(page.locator("#stream-state")).to_have_attribute("data-state", "live")

    assert lamp.record("21") == 200
    assert other.record("1") == 200  # is another page's
    assert lamp.put("a-wrong-key", "{}") == 401
    lamp.publish("22")
    expect(rows).to_have_count(3)
    expect(rows.nth(0)).to_contain_text("PUBLISH")
    expect(rows.nth(1)).to_contain_text("the API key is not known")
    expect(rows.nth(2)).to_contain_text("200")
    assert NASTY in rows.nth(0).inner_text()  # as text

    page.get_by_role("button", name="Pause").click()
    assert lamp.record("23") == 200
    assert lamp.record("24") == 200
    expect(page.locator("#log-pause")).to_contain_text("Resume (2 new)")
    expect(rows).to_have_count(3)
    page.locator("#log-pause").click()
    expect(rows).to_have_count(5)

    packet = rows.filter(has_text="PUBLISH")
    packet.locator("summary").click()
    expect(packet.get_by_text("QoS: 1")).to_be_visible()
    command = packet.locator('[data-part="command"]')
    address = urlsplit(server.sockets["mqtt"])
    expect(command).to_contain_text(f"mosquitto_pub -h 127.0.0.1 -p {address.port} -q 1")
    expect(command).to_contain_text(f'-t "$KEY/v2/feeds/{lamp.feed_id}/datastreams/')

    request = rows.filter(has_text="200").last
    request.locator("summary").click()
    expect(request.locator('[data-part="request_body"]')).to_contain_text('"current_value": "21"')
    request.get_by_role("button", name="Copy as curl").click()
    expect(request.locator("[data-copy]")).to_have_class(re.compile("is-copied"))
    line = request.locator('[data-part="command"]').inner_text()
    assert line.startswith(f"curl -X PUT {server.url}/v2/feeds/{lamp.feed_id}.json -H ")
    assert '-H "x-apikey: $KEY"' in line
    assert lamp.key not in page.content()

    page.get_by_label("Refused only").check()
    page.get_by_role("button", name="Filter").click()
    expect(rows).to_have_count(1)
    page.get_by_label("Door").select_option("SkyNet HTTP")
    page.get_by_role("button", name="Filter").click()
    expect(page.get_by_text("Nothing like this yet")).to_be_visible()
    page.get_by_role("link", name="Show all").click()
    expect(rows.filter(has_text="Another lamp")).to_have_count(1)


def test_the_log_is_readable_and_fits_in_both_themes_on_a_desk_and_on_a_phone(
    server: LiveServer, open_browser: OpenBrowser, signed_in: dict[str, object]
) -> None:
    page = open_browser(storage_state=signed_in)
    lamp = Lamp(server, "A lamp with a name that hardly fits, " + "very" * 20)
    lamp.record("21")
    lamp.put("a-wrong-key", "{}")
    lamp.publish("x" * 3000)
    page.goto(f"{server.url}/log/?device={lamp.feed_id}")
    summaries = page.locator("#log-rows > li summary")
    expect(summaries).to_have_count(3)
    summaries.nth(0).click()
    summaries.nth(1).click()
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        for name, (width, height) in SIZES.items():
            page.set_viewport_size({"width": width, "height": height})
            check_fits(page)
            screenshot(page, f"log-{name}-{scheme}")
        check_readable(page)
    page.goto(f"{server.url}/log/?text=nothing+like+this")
    expect(page.get_by_text("Nothing like this yet")).to_be_visible()
    screenshot(page, "log-empty")
