"""Messages between devices: seen as they come, sent from the page, and a device's side of them."""

import json
import os
import re
import subprocess
import sys
import threading

import requests
import socketio
from playwright.sync_api import Page, expect
from tests.browser.conftest import OpenBrowser, screenshot
from tests.browser.looks import SIZES, check_fits, check_readable
from tests.live_server import LiveServer

LONG_NAME = "A lamp with a name that hardly fits, " + "very" * 30


class Thing:
    """A device that has registered over SkyNet's door."""

    def __init__(self, server: LiveServer, **properties: object) -> None:
        self.url = server.sockets["skynet"]
        made = requests.post(f"{self.url}/devices", json=properties, timeout=10).json()
        self.uuid, self.token = str(made["uuid"]), str(made["token"])
        self._client: socketio.Client | None = None
        self.heard: list[object] = []

    def headers(self, token: str = "") -> dict[str, str]:
        return {"meshblu_auth_uuid": self.uuid, "meshblu_auth_token": token or self.token}

    def send(self, devices: object, payload: object, **more: object) -> None:
        body = {"devices": devices, "payload": payload, **more}
        url = f"{self.url}/messages"
        done = requests.post(url, json=body, headers=self.headers(), timeout=10)
        assert done.ok, done.text

    def record(self, token: str = "") -> requests.Response:
        return requests.get(f"{self.url}/v2/whoami", headers=self.headers(token), timeout=10)

    def change(self, **properties: object) -> requests.Response:
        url = f"{self.url}/v2/devices/{self.uuid}"
        return requests.patch(url, json=properties, headers=self.headers(), timeout=10)

    def come(self) -> None:
        """Hold a connection."""
        is_ready = threading.Event()
        self._client = client = socketio.Client()
        identity = {"uuid": self.uuid, "token": self.token}
        client.on("connect", lambda: client.emit("identity", identity))
        client.on("ready", lambda *_: is_ready.set())
        client.on("message", lambda message, *_: self.heard.append(message["payload"]))
        client.connect(self.url, transports=["websocket"])
        assert is_ready.wait(10)

    def listen_to(self, other: "Thing") -> None:
        assert self._client is not None
        assert self._client.call("subscribe", {"uuid": other.uuid}, timeout=10)

    def leave(self) -> None:
        if self._client is not None:
            self._client.disconnect()


def test_messages_are_seen_as_they_come_and_sent_from_the_page(
    server: LiveServer, open_browser: OpenBrowser, signed_in: dict[str, object]
) -> None:
    page = open_browser(storage_state=signed_in)
    page.goto(server.url)
    page.get_by_role("link", name="Messages", exact=True).click()
    expect(page.get_by_role("heading", name="No messages yet")).to_be_visible()
    lines = page.locator("#first-lines")
    expect(lines).to_contain_text(f"curl -X POST {server.sockets['skynet']}/devices")
    expect(page.locator("#stream-state")).to_have_text("Live")
    screenshot(page, "messages-empty")

    lamp, switch = Thing(server, name="Lamp"), Thing(server, name=LONG_NAME, tags=["hall"])
    lamp.come()
    expect(page.locator("#online")).to_contain_text("Lamp")
    expect(page.locator("#online-count")).to_have_text("1")
    switch.send(lamp.uuid, {"text": "<b>on</b>"}, topic="lights")
    rows = page.locator(".message")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("<b>on</b>")  # as text
    expect(rows.locator('[data-part="outcome"]')).to_have_text("Delivered")
    send_from_the_page(page, lamp, switch)
    rows.last.get_by_role("link", name="Lamp", exact=True).click()
    expect(page.get_by_role("heading", name="Lamp", exact=True)).to_be_visible()
    page.get_by_role("link", name="Send and watch").click()
    expect(page.locator("[name=devices]")).to_have_value(lamp.uuid)
    filter_and_pause(page, lamp, switch)
    look(server, open_browser, signed_in)
    lamp.leave()
    expect(page.locator("#online-count")).to_have_text("0")


def send_from_the_page(page: Page, lamp: Thing, switch: Thing) -> None:
    page.reload()  # what was registered meanwhile may be chosen
    form = page.locator('[data-try="send"]')
    form.locator("[name=devices]").fill(f"{lamp.uuid}, {switch.uuid}, nobody")
    form.get_by_label("Payload").fill("on")
    form.get_by_role("button", name="Send").click()
    expect(form).to_contain_text('A text stands in quotes: "on".')
    expect(form.get_by_label("Payload")).to_be_focused()
    form.get_by_label("Payload").fill('{"on": false}')
    form.get_by_role("button", name="Send").click()
    outcome = form.locator(".outcome")
    expect(outcome).to_contain_text("Lamp has it.")
    expect(outcome).to_contain_text("is away and keeps no messages")
    expect(outcome).to_contain_text("nobody: there is no such device")
    assert lamp.heard[-1] == {"on": False}
    expect(page.locator(".message").first).to_contain_text("1 delivered, 1 away")

    form.locator("[name=devices]").fill("*")
    form.get_by_role("button", name="Send").click()
    expect(form).to_contain_text("A broadcast is a device's")
    form.get_by_label("From").select_option(switch.uuid)
    form.get_by_role("button", name="Send").click()
    expect(outcome).to_contain_text("Nobody listens to what this device broadcasts.")
    lamp.listen_to(switch)
    form.get_by_role("button", name="Send").click()
    expect(outcome).to_contain_text("Delivered to 1 who listens.")


def filter_and_pause(page: Page, lamp: Thing, switch: Thing) -> None:
    page.get_by_label("Topic", exact=True).first.fill("light*")
    page.get_by_role("button", name="Filter").click()
    rows = page.locator(".message")
    expect(rows).to_have_count(1)
    expect(page.locator("#stream-state")).to_have_text("Live")
    page.get_by_role("button", name="Pause").click()
    switch.send(lamp.uuid, 1, topic="weather")
    switch.send(lamp.uuid, 2, topic="lights/2")
    expect(page.get_by_role("button", name="Resume (1 new)")).to_be_visible()
    expect(rows).to_have_count(1)
    page.get_by_role("button", name="Resume (1 new)").click()
    expect(rows).to_have_count(2)


def look(server: LiveServer, open_browser: OpenBrowser, signed_in: dict[str, object]) -> None:
    for theme, size in (("light", "desktop"), ("dark", "phone")):
        looked = open_browser(*SIZES[size], color_scheme=theme, storage_state=signed_in)
        looked.goto(f"{server.url}/messages/")
        expect(looked.locator("#stream-state")).to_have_text("Live")
        check_fits(looked)
        check_readable(looked)
        screenshot(looked, f"messages-{theme}-{size}")
        looked.context.close()


def press(page: Page, button: str) -> None:
    page.get_by_role("dialog").get_by_role("button", name=button, exact=True).click()


def test_a_device_is_given_tokens_properties_and_permissions(
    server: LiveServer, open_browser: OpenBrowser, signed_in: dict[str, object]
) -> None:
    lamp, switch = Thing(server, name="Hall lamp"), Thing(server, name="Hall switch")
    page = open_browser(storage_state=signed_in)
    page.goto(server.url)
    page.get_by_role("link", name="Hall lamp").click()
    expect(page.locator("#skynet-curl")).to_contain_text(lamp.uuid)
    add_and_revoke_token(page, lamp)
    edit_properties(page, lamp)
    page.locator("#messaging").get_by_role("link", name="Change who may send to it").click()
    page.get_by_label("Nobody").check()
    press(page, "Save")
    row = page.locator(".permission-row").filter(has_text="Send to it")
    expect(row).to_contain_text("Nobody else")
    page.get_by_role("link", name="Change who may send to it").click()
    page.get_by_label("Only these").check()
    press(page, "Save")
    expect(page.get_by_role("dialog")).to_contain_text("Name at least one uuid")
    page.get_by_label("UUIDs").fill(switch.uuid)
    press(page, "Save")
    expect(row).to_contain_text("Only Hall switch")

    page.get_by_role("link", name="Change for how long messages are kept").click()
    page.get_by_label("For 7 d").check()
    press(page, "Save")
    expect(page.locator("#messaging")).to_contain_text("kept for 7 d")
    switch.send(lamp.uuid, {"kept": True})
    expect(page.locator("#messaging")).to_contain_text("1 waits for it")  # without a reload
    expect(page.locator("#event-log")).to_contain_text("from Hall switch")
    lamp.come()
    expect(page.locator("#messaging")).to_contain_text("Online by websocket")
    expect(page.locator("#messaging")).to_contain_text("none wait")
    assert lamp.heard == [{"kept": True}]
    look_at_device(page, open_browser, signed_in)
    lamp.leave()
    expect(page.locator("#messaging")).to_contain_text("Away, last seen")
    page.get_by_role("link", name="All events").click()
    expect(page.locator(".event-rows li").first).to_contain_text("Disconnected")


def add_and_revoke_token(page: Page, lamp: Thing) -> None:
    page.get_by_role("link", name="Add token").click()
    page.get_by_role("dialog").get_by_label("Tag").fill("Tablet")
    press(page, "Add token")
    secret = page.locator("#the-token")
    expect(secret).to_have_text(re.compile("^[0-9a-f]{40}$"))
    token = secret.inner_text()
    assert lamp.record(token).status_code == 200
    page.get_by_role("dialog").get_by_role("link", name="Done").click()
    expect(page.locator("#tokens")).to_contain_text("Tablet")
    expect(page.locator("body")).not_to_contain_text(token)
    page.get_by_role("link", name="Revoke token Tablet").click()
    press(page, "Revoke token")
    expect(page.locator("#tokens")).not_to_contain_text("Tablet")
    assert lamp.record(token).status_code == 401
    page.get_by_role("link", name="Reset root token").click()
    press(page, "Reset root token")
    expect(secret).to_have_text(re.compile("^[0-9a-f]{40}$"))
    assert lamp.record().status_code == 401
    lamp.token = secret.inner_text()
    assert lamp.record().status_code == 200
    page.get_by_role("dialog").get_by_role("link", name="Done").click()


def edit_properties(page: Page, lamp: Thing) -> None:
    page.get_by_role("link", name="Edit properties").click()
    field = page.get_by_role("dialog").get_by_role("textbox", name="Properties")
    field.fill('{"color": "red",\n "on" true}')
    press(page, "Save properties")
    expect(page.get_by_role("dialog")).to_contain_text("at line 2, column 7")
    field.fill('{"name": "Other"}')
    press(page, "Save properties")
    expect(page.get_by_role("dialog")).to_contain_text("“name” is the device")
    field.fill('{"color": "red", "on": true}')
    press(page, "Save properties")
    expect(page.locator("#properties")).to_contain_text('"color": "red"')
    assert lamp.record().json()["color"] == "red"
    page.get_by_role("link", name="Edit properties").click()
    expect(field).to_be_visible()
    assert lamp.change(color="green").ok
    press(page, "Save properties")
    expect(page.get_by_role("dialog")).to_contain_text("have changed since you opened this form")
    page.get_by_role("dialog").get_by_role("link", name="Cancel").click()
    expect(page.locator("#properties")).to_contain_text('"color": "green"')


def test_programs_of_a_device_page_run_as_they_stand(
    server: LiveServer, open_browser: OpenBrowser, signed_in: dict[str, object]
) -> None:
    lamp = Thing(server, name="Porch lamp")
    page = open_browser(storage_state=signed_in)
    page.goto(server.url)
    page.get_by_role("link", name="Porch lamp").click()
    page.locator("#ways").get_by_text("SkyNet").click()
    page.get_by_role("button", name="Make a token").click()
    expect(page.locator("#skynet-python")).not_to_contain_text("•")
    program = page.locator("#skynet-python").inner_text()
    command = [sys.executable, "-c", program]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"}, start_new_session=True,
    ) as running:  # fmt: skip
        assert running.stdout is not None
        try:
            assert f"ready as {lamp.uuid}" in running.stdout.readline()
            lines = page.locator("#skynet-curl").inner_text()
            sending = lines[lines.index("curl -X POST") :]
            done = subprocess.run(
                ["sh", "-c", sending], capture_output=True, timeout=20, check=True
            )
            assert json.loads(done.stdout)["payload"] == {"on": True}
            assert "message: {" in running.stdout.readline()
        finally:
            running.kill()


def look_at_device(page: Page, open_browser: OpenBrowser, signed_in: dict[str, object]) -> None:
    for theme, size in (("light", "desktop"), ("dark", "phone")):
        looked = open_browser(*SIZES[size], color_scheme=theme, storage_state=signed_in)
        looked.goto(page.url)
        expect(looked.locator("#stream-state")).to_have_text("Live")
        looked.locator("#ways").get_by_text("SkyNet").click()
        check_fits(looked)
        check_readable(looked)
        screenshot(looked, f"device-messaging-{theme}-{size}")
        looked.get_by_role("link", name="Change who may send to it").click()
        expect(looked.get_by_role("dialog").get_by_label("UUIDs")).to_be_visible()
        check_fits(looked)
        check_readable(looked)
        screenshot(looked, f"permission-{theme}-{size}")
        looked.context.close()
