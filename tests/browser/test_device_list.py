"""The list of devices is live: rows change as values come, by whichever door, without a reload."""

import datetime
import re
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
import requests
from playwright.sync_api import Locator, Page, expect
from tests.browser.conftest import OpenBrowser, screenshot
from tests.browser.looks import SIZES, check_fits, check_readable
from tests.live_server import LiveServer, start_server

HIDE = """isHidden => {
    Object.defineProperty(document, "hidden", { get: () => isHidden, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
}"""


def put(server: LiveServer, feed_id: int, key: str, **values: str) -> None:
    body = {"datastreams": [{"id": name, "current_value": value} for name, value in values.items()]}
    url = f"{server.url}/v2/feeds/{feed_id}.json"
    reply = requests.put(url, json=body, headers={"X-ApiKey": key}, timeout=20)
    assert reply.status_code == 200, reply.text


def publish(server: LiveServer, feed_id: int, key: str, name: str, value: str) -> None:
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, reconnect_on_failure=False)
    client.username_pw_set(key)
    address = urlsplit(server.sockets["mqtt"])
    client.connect(str(address.hostname), address.port or 0)
    client.loop_start()
    try:
        topic = f"v2/feeds/{feed_id}/datastreams/{name}.csv"
        client.publish(topic, value, 1).wait_for_publish(10)
        client.disconnect()
    finally:
        client.loop_stop()


def make(server: LiveServer, key: str, title: str, *, private: bool = True) -> int:
    body = {"title": title, "version": "1.0.0", "private": str(private).lower()}
    url = f"{server.url}/v2/feeds.json"
    reply = requests.post(url, json=body, headers={"X-ApiKey": key}, timeout=20)
    assert reply.status_code == 201, reply.text
    return int(reply.headers["Location"].rpartition("/")[2])


def row_of(page: Page, feed_id: int) -> Locator:
    return page.locator(f'.device-row[data-key="{feed_id}"]')


def value_of(page: Page, feed_id: int, name: str) -> Locator:
    return row_of(page, feed_id).locator(f'[data-name="{name}"] [data-part="value"]')


def test_rows_follow_values_while_the_list_is_open(
    new_server: LiveServer, open_browser: OpenBrowser
) -> None:
    server, key, feed_id = new_server, new_server.api_key, new_server.feed_id
    bert_page = open_browser()
    bert_page.goto(str(server.command("user", "create", "bert")["sign_in_link"]))
    bert_page.goto(f"{server.url}/?scope=all")
    expect(bert_page.get_by_role("heading", name="The tank is empty")).to_be_visible()
    page = open_browser()
    streams: list[str] = []
    page.on("request", lambda request: "/live/" in request.url and streams.append(request.url))
    page.goto(server.welcome_url)
    page.evaluate("window.isTheSamePage = true")
    row = row_of(page, feed_id)
    expect(row).to_contain_text("No values yet")
    expect(row).to_contain_text("New")
    expect(page.locator("#stream-state")).to_have_text("Live")

    put(server, feed_id, key, temperature="21.5")
    expect(value_of(page, feed_id, "temperature")).to_have_text("21.5")
    expect(row.locator('[data-part="state"]')).to_have_text("Live")
    expect(row.locator('[data-part="age"]')).to_have_text(re.compile("just now|ago"))
    expect(row.locator(".device-row__channels")).to_have_text("1 channel")
    expect(page.locator("#notices")).to_contain_text("The first value of")
    expect(page.locator("#start")).to_contain_text("2 of 4 done")
    publish(server, feed_id, key, "temperature", "22.75")
    expect(value_of(page, feed_id, "temperature")).to_have_text("22.75")
    publish(server, feed_id, key, "humidity", "40")
    expect(value_of(page, feed_id, "humidity")).to_have_text("40")
    expect(row.locator(".device-row__channels")).to_have_text("2 channels")
    assert len(streams) == 1

    master_key = server.master_key()
    public_id = make(server, master_key, "Roof <b>", private=False)
    for each in (page, bert_page):
        expect(row_of(each, public_id)).to_contain_text("Roof <b>")
    put(server, public_id, master_key, wind="<i>3")
    for each in (page, bert_page):
        expect(value_of(each, public_id, "wind")).to_have_text("<i>3")
    expect(bert_page.locator(".device-row")).to_have_count(1)

    page.wait_for_timeout(1000)  # rows that it may still be fetching would have what comes next
    page.evaluate(HIDE, True)
    put(server, feed_id, key, temperature="23")
    put(server, public_id, master_key, wind="4")
    expect(value_of(bert_page, public_id, "wind")).to_have_text("4")
    expect(value_of(page, feed_id, "temperature")).to_have_text("22.75")  # in the background
    page.evaluate(HIDE, False)
    expect(value_of(page, feed_id, "temperature")).to_have_text("23")

    server.kill()
    expect(page.locator("#stream-state")).to_have_text("Reconnecting")
    with start_server(server.folder, "--web", str(urlsplit(server.url).port)) as again:
        put(again, feed_id, key, temperature="24", wind="5")
        expect(page.locator("#stream-state")).to_have_text("Live")
        expect(value_of(page, feed_id, "temperature")).to_have_text("24")
        expect(value_of(page, feed_id, "wind")).to_have_text("5")
        assert page.evaluate("window.isTheSamePage") is True


def test_a_full_page_follows_fits_and_is_readable(
    new_server: LiveServer, open_browser: OpenBrowser
) -> None:
    server, master_key = new_server, new_server.master_key()
    ids = [make(server, master_key, f"Station {number}") for number in range(25)]
    texts = {f"text_{number}": "a long text " * 10 for number in range(4)}
    put(server, ids[-1], master_key, **texts)
    page = open_browser(*SIZES["phone"], color_scheme="dark")  # test_looks.py has the others
    page.goto(server.welcome_url)
    expect(page.locator("#stream-state")).to_have_text("Live")
    expect(page.locator("#device-pages")).to_contain_text("Page 1 of 2")
    expect(page.locator(".device-row")).to_have_count(25)
    for feed_id in (ids[0], ids[-2]):
        put(server, feed_id, master_key, temperature=str(feed_id))
        expect(value_of(page, feed_id, "temperature")).to_have_text(str(feed_id))
    check_fits(page)
    check_readable(page)
    screenshot(page, "devices-full")
    state = row_of(page, ids[0]).locator('[data-part="state"]')
    expect(state).to_have_text("Live")
    expect(page.locator("#announcer")).to_be_empty()  # not at each value
    page.clock.set_fixed_time(datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=20))
    expect(state).to_have_text("Frozen")
    put(server, ids[0], master_key, temperature="99")
    said = "2 devices have sent values. Station 0: temperature 99"
    expect(page.locator("#announcer")).to_have_text(said)
