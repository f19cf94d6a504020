"""The MQTT page: empty, with clients that come and go, and what is tried out on it."""

import re
import threading
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
from playwright.sync_api import Page, expect
from tests.browser.conftest import OpenBrowser, screenshot
from tests.browser.looks import SIZES, check_fits, check_readable
from tests.live_server import LiveServer

TOPIC = "example/lights"
LONG_TOPIC = f"example/{'a-very-long-level/' * 6}{'b' * 90}"


class Lamp:
    """A client that has subscribed to TOPIC and a long topic, and retained something on both."""

    def __init__(self, server: LiveServer) -> None:
        self.heard: list[bytes] = []
        self.is_out = threading.Event()
        is_subscribed = threading.Event()
        self.client = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2,
            "lamp",
            protocol=mqtt.MQTTv5,
            reconnect_on_failure=False,
        )
        self.client.on_message = lambda _, __, message: self.heard.append(message.payload)
        self.client.on_subscribe = lambda *_: is_subscribed.set()
        self.client.on_connect = lambda *_: self.client.subscribe([(TOPIC, 1), (LONG_TOPIC, 0)])
        self.client.on_disconnect = lambda *_: self.is_out.set()
        address = urlsplit(server.sockets["mqtt"])
        self.client.connect(str(address.hostname), address.port or 0)
        self.client.loop_start()
        assert is_subscribed.wait(10)

    def publish(self, topic: str, payload: str | bytes, *, retain: bool = False) -> None:
        self.client.publish(topic, payload, 1, retain).wait_for_publish(10)


def test_clients_are_seen_and_spoken_with(
    server: LiveServer, open_browser: OpenBrowser, signed_in: dict[str, object]
) -> None:
    page = open_browser(storage_state=signed_in)
    page.goto(server.url)
    page.get_by_role("navigation", name="Main").get_by_role("link", name="MQTT").click()
    rows = page.locator(".router-row")
    expect(page.get_by_role("heading", name="Nobody is connected")).to_be_visible()
    expect(page.locator("#thingtank-code")).to_contain_text(server.sockets["mqtt"])
    expect(page.locator("#stream-state")).to_have_text("Live")
    expect(page.locator("#traffic canvas")).to_be_visible()
    screenshot(page, "mqtt-empty")

    lamp = Lamp(server)
    try:
        expect(rows).to_have_count(1)  # on the page, without a reload
        expect(rows).to_contain_text("tcp from 127.0.0.1")
        expect(rows.locator('[data-part="subscription_count"]')).to_have_text("2")
        publish_and_hear(page, lamp)
        look_at_packets(page, lamp)
        keep_and_delete(page, lamp)
        look(server, open_browser, signed_in, lamp)
        page.goto(f"{server.url}/mqtt/")
        page.get_by_role("link", name="Disconnect lamp").click()
        page.get_by_role("dialog").get_by_role("button", name="Disconnect").click()
        expect(page.locator("#notices")).to_contain_text("Done")
        assert lamp.is_out.wait(10)
        expect(rows).to_have_count(0)
        expect(page.get_by_role("heading", name="Nobody is connected")).to_be_visible()
    finally:
        lamp.client.loop_stop()


def publish_and_hear(page: Page, lamp: Lamp) -> None:
    """A message from the form arrives at the client, one of the client's on the page."""
    form = page.locator('[data-try="publish"]')
    form.get_by_label("Topic").fill("example/#")
    form.get_by_role("button", name="Publish").click()
    expect(form).to_contain_text("This is no topic name")
    expect(form.get_by_label("Topic")).to_be_focused()
    form.get_by_label("Topic").fill(TOPIC)
    form.get_by_label("Payload").fill("on")
    form.get_by_role("button", name="Publish").click()
    expect(form.locator(".outcome")).to_contain_text("PUBACK")
    assert lamp.heard == [b"on"]

    page.get_by_role("link", name=re.compile("^Topic filters")).click()
    page.get_by_role("button", name=f"Listen to {TOPIC}").click()
    listen = page.locator('[data-try="listen"]')
    expect(listen.locator(".outcome")).to_contain_text("SUBACK")
    lamp.publish(TOPIC, "<b>off</b>")
    heard = listen.locator(".heard__event")
    expect(heard).to_have_count(1)
    expect(heard).to_contain_text("<b>off</b>")  # as text
    row = page.locator(".router-row").filter(has_text=TOPIC)
    expect(row.locator('[data-part="subscriber_count"]')).to_have_text("2")
    listen.get_by_role("button", name="Stop").click()
    expect(row.locator('[data-part="subscriber_count"]')).to_have_text("1")


def look_at_packets(page: Page, lamp: Lamp) -> None:
    page.get_by_role("link", name=re.compile("^Clients")).click()
    page.get_by_role("button", name="Packets of lamp").click()
    watch = page.locator('[data-try="watch"]')
    expect(watch.locator("[data-state]")).to_have_text("Live")
    lamp.publish(TOPIC, "seen")
    packets = watch.locator(".heard__event")
    expect(packets.filter(has_text="PUBLISH")).to_have_count(2)  # it hears itself
    expect(packets.filter(has_text="PUBACK")).to_have_count(2)
    expect(packets.filter(has_text="payload: seen").first).to_contain_text("the client")


def keep_and_delete(page: Page, lamp: Lamp) -> None:
    page.get_by_role("link", name=re.compile("^Retained")).click()
    expect(page.get_by_role("heading", name="Nothing is retained")).to_be_visible()
    lamp.publish(TOPIC, "21.5", retain=True)
    row = page.locator(".router-row").filter(has_text=TOPIC)
    expect(row).to_contain_text("21.5")
    page.get_by_role("link", name=f"Delete {TOPIC}").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.locator("#notices")).to_contain_text("Retained message deleted")
    expect(row).to_have_count(0)


def look(
    server: LiveServer, open_browser: OpenBrowser, signed_in: dict[str, object], lamp: Lamp
) -> None:
    """Each list in a theme and a size, with names that hardly fit."""
    lamp.publish(LONG_TOPIC, bytes(range(150)), retain=True)
    looks = [
        ("clients", "light", "desktop"),
        ("clients", "dark", "phone"),
        ("retained", "dark", "desktop"),
        ("sys", "light", "phone"),
    ]
    for show, theme, size in looks:
        looked = open_browser(*SIZES[size], color_scheme=theme, storage_state=signed_in)
        looked.goto(f"{server.url}/mqtt/?show={show}")
        expect(looked.locator("#stream-state")).to_have_text("Live")
        if show == "retained":
            looked.get_by_role("button", name=f"Listen to {LONG_TOPIC}").click()
            expect(looked.locator(".heard__event")).to_have_count(1)
        if show == "clients":
            looked.get_by_role("button", name="Packets of lamp").click()
            expect(looked.locator('[data-try="watch"] [data-state]')).to_have_text("Live")
            lamp.publish("somewhere", theme)
            expect(looked.locator(".heard__event").first).to_be_visible()
        check_fits(looked)
        check_readable(looked)
        screenshot(looked, f"mqtt-{show}-{theme}-{size}")
        looked.context.close()
