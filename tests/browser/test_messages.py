"""Messages between devices: seen as they come, sent from the page, and a device's side of them."""

import json

import requests
from playwright.sync_api import Page, expect
from tests.browser.conftest import OpenBrowser, screenshot
from tests.browser.test_looks import SIZES, check_fits, check_readable
from tests.live_server import LiveServer


class Thing:
    """A device that has registered over SkyNet's door."""

    def __init__(self, server: LiveServer, **properties: object) -> None:
        self._url = server.sockets["skynet"]
        made = requests.post(f"{self._url}/devices", json=properties, timeout=10).json()
        self.uuid, self.token = str(made["uuid"]), str(made["token"])
        self.headers = {"meshblu_auth_uuid": self.uuid, "meshblu_auth_token": self.token}

    def send(self, devices: object, payload: object, **more: object) -> None:
        body = {"devices": devices, "payload": payload, **more}
        done = requests.post(f"{self._url}/messages", json=body, headers=self.headers, timeout=10)
        assert done.ok, done.text


def test_messages_are_seen_as_they_come_and_sent_from_the_page(
    server: LiveServer, open_browser: OpenBrowser, signed_in: dict[str, object]
) -> None:
    page = open_browser(storage_state=signed_in)
    page.goto(server.url)
    page.get_by_role("link", name="Messages", exact=True).click()
    expect(page.get_by_role("heading", name="No messages yet")).to_be_visible()
    expect(page.locator("#first-lines")).to_contain_text(
        f"curl -X POST {server.sockets['skynet']}/devices"
    )
    expect(page.locator("#stream-state")).to_have_text("Live")
    screenshot(page, "messages-empty")
    lamp, switch = Thing(server, name="Lamp"), Thing(server, name="Switch")
    switch.send(lamp.uuid, {"on": True}, topic="lights")
    rows = page.locator(".message")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("Switch")
