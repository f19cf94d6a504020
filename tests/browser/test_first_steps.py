"""A newcomer's way: the one-time link, a first device, a first value, and what one does next."""

import re
import subprocess

import requests
from playwright.sync_api import Page, Route, expect
from tests.browser.conftest import OpenBrowser, screenshot
from tests.live_server import LiveServer

PASSWORD = "seven green kettles"


def run_line(line: str) -> str:
    """Run a command line as a person pastes it; the status code it got."""
    command = f"{line} -s -o /dev/null -w '%{{http_code}}'"
    shell = ["sh", "-c", command]
    return subprocess.run(shell, capture_output=True, text=True, timeout=20, check=True).stdout


def add_device(page: Page, name: str, *, public: bool = False) -> None:
    page.get_by_role("link", name="Add Device").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Device name").fill(name)
    if public:
        dialog.get_by_text("Public device").click()
    dialog.get_by_role("button", name="Add Device").click()
    page.wait_for_url(re.compile(r"/feeds/\d+"))


def shown_line(page: Page, *, is_new: bool = True) -> str:
    """The line of a device's page with its key, which is shown at once when it was just added."""
    if not is_new:
        page.get_by_role("button", name="Show key", exact=True).click()
    line = page.locator("#curl-line")
    expect(line).not_to_contain_text("•")
    return line.inner_text()


def value_of(page: Page, channel: str) -> object:
    return page.locator(f'[data-key="{channel}"] [data-value]')


def test_from_the_link_to_a_live_chart(new_server: LiveServer, open_browser: OpenBrowser) -> None:
    page = open_browser(reduced_motion="no-preference")  # as most people see it
    page.goto(new_server.welcome_url)
    expect(page.get_by_role("heading", name="Devices")).to_be_visible()
    expect(page.locator("#notices")).to_contain_text("Set a password")

    page.get_by_role("link", name="Add Device").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Add Device").click()
    expect(dialog.get_by_role("alert")).to_be_visible()  # a name is needed
    dialog.get_by_label("Device name").fill("Probe <b>& Söhne")
    dialog.get_by_label("Description").fill("On the roof, east side")
    dialog.get_by_role("button", name="Add Device").click()
    page.wait_for_url(re.compile(r"/feeds/\d+"))
    expect(page.get_by_role("heading", name="Probe <b>& Söhne")).to_be_visible()
    expect(page.get_by_text("Waiting for the first value")).to_be_visible()
    expect(page.locator("#keys")).to_contain_text("Auto-generated Probe <b>& Söhne device key")
    for permission in ("READ", "UPDATE", "CREATE", "DELETE"):
        expect(page.locator("#keys")).to_contain_text(permission)
    screenshot(page, "device-new")

    line = shown_line(page)
    assert run_line(line) == "200"
    expect(value_of(page, "temperature")).to_have_text("21.5")
    chart = page.locator('[data-key="temperature"] .chart')
    expect(chart).to_have_attribute("data-points", "1")
    assert run_line(line.replace("21.5", "22.75")) == "200"
    expect(value_of(page, "temperature")).to_have_text("22.75")
    expect(chart).to_have_attribute("data-points", "2")
    expect(chart).to_have_attribute("aria-label", re.compile("from 21.5 to 22.75"))
    expect(page.locator("#log-rows li")).to_have_count(2)
    expect(page.locator("#log-rows li").first).to_contain_text("200")
    screenshot(page, "device-first-values")


def test_the_request_log_pauses_and_explains_refusals(
    server: LiveServer, open_browser: OpenBrowser, signed_in: dict[str, object]
) -> None:
    page = open_browser(storage_state=signed_in)
    page.goto(server.url)
    add_device(page, "Log")
    line = shown_line(page)
    assert run_line(line) == "200"
    expect(page.locator("#log-rows li")).to_have_count(1)
    page.get_by_role("button", name="Pause").click()
    assert run_line(line.replace('"21.5"', '"21.5')) == "400"
    expect(page.locator("#log-pause")).to_contain_text("1")  # one waits
    expect(page.locator("#log-rows li")).to_have_count(1)
    page.locator("#log-pause").click()
    expect(page.locator("#log-rows li")).to_have_count(2)
    newest = page.locator("#log-rows li").first
    expect(newest).to_contain_text("400")
    newest.locator("summary").click()
    expect(newest.get_by_text("Refused")).to_be_visible()
    assert (
        line.split("X-ApiKey: ")[1].split("'")[0] not in page.locator("#request-log").inner_text()
    )
    page.reload()
    expect(page.locator("#log-rows li")).to_have_count(2)  # kept, not only streamed


def test_a_device_is_described_keyed_and_deleted(
    server: LiveServer, open_browser: OpenBrowser, signed_in: dict[str, object]
) -> None:
    page = open_browser(storage_state=signed_in)
    page.goto(server.url)
    add_device(page, "Greenhouse")
    dialog = page.get_by_role("dialog")

    for refused in ("..", "a b"):  # each in a dialog of its own, so that the alert is this one's
        page.get_by_role("link", name="Add channel").click()
        dialog.get_by_label("Channel name").fill(refused)
        dialog.get_by_role("button", name="Add channel").click()
        expect(dialog.get_by_role("alert")).to_be_visible()
        dialog.get_by_role("link", name="Cancel").click()
        expect(dialog).to_be_hidden()
    page.get_by_role("link", name="Add channel").click()
    dialog.get_by_label("Channel name").fill("..+")
    dialog.get_by_label("Unit symbol").fill("%")
    dialog.get_by_role("button", name="Add channel").click()
    expect(page.locator('[data-key="..+"]')).to_be_visible()
    expect(page.locator('[data-key="..+"] .chart')).to_contain_text("Nothing in this range")

    page.get_by_role("link", name="Add location").click()
    dialog.get_by_label("Latitude").fill("12.97")
    dialog.get_by_role("button", name="Save location").click()
    expect(dialog.get_by_text("Give both")).to_be_visible()
    dialog.get_by_label("Longitude").fill("77.59")
    dialog.get_by_role("button", name="Save location").click()
    expect(page.locator("#location")).to_contain_text("77.59")

    page.get_by_role("link", name="Edit metadata").click()
    dialog.get_by_label("Tags").fill("garden, glass")
    dialog.get_by_role("button", name="Save").click()
    expect(page.locator("#metadata")).to_contain_text("glass")

    expect(page.locator("#keys li")).to_have_count(2)  # its own, and the one that was copied
    page.get_by_role("link", name="Add key").click()
    dialog.get_by_label("Label").fill("Wall display")
    dialog.get_by_role("button", name="Add key").click()
    expect(page.locator("#keys li")).to_have_count(3)
    page.get_by_role("link", name="Delete key Wall display").click()
    dialog.get_by_role("button").first.click()
    expect(page.locator("#keys li")).to_have_count(2)

    page.get_by_role("link", name="Delete this device").click()
    dialog.get_by_label("Name").fill("greenhouse")
    dialog.get_by_role("button", name="Delete device").click()
    expect(dialog).to_contain_text("Nothing was deleted")
    dialog.get_by_label("Name").fill("Greenhouse")
    dialog.get_by_role("button", name="Delete device").click()
    page.wait_for_url(re.compile(r"/(\?done=.*)?$"))
    expect(page.locator("#notices")).to_contain_text("Device deleted")
    expect(page.get_by_role("link", name="Greenhouse")).to_have_count(0)


def test_a_page_follows_what_happens_elsewhere(
    server: LiveServer, open_browser: OpenBrowser, signed_in: dict[str, object]
) -> None:
    page = open_browser(storage_state=signed_in)
    page.goto(server.url)
    add_device(page, "Two windows")
    other = open_browser(storage_state=signed_in)
    other.goto(page.url)
    other.get_by_role("link", name="Edit details").click()
    other.get_by_role("dialog").get_by_label("Device name").fill("Renamed")
    other.get_by_role("dialog").get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="Renamed")).to_be_visible()
    other.get_by_role("link", name="Delete this device").click()
    other.get_by_role("dialog").get_by_label("Name").fill("Renamed")
    other.get_by_role("dialog").get_by_role("button", name="Delete device").click()
    expect(page.get_by_role("heading", name="Renamed")).to_have_count(0)


def test_password_sign_out_and_sign_in(new_server: LiveServer, open_browser: OpenBrowser) -> None:
    page = open_browser()
    page.goto(new_server.welcome_url)
    page.get_by_role("link", name="owner").click()
    page.get_by_role("link", name=re.compile("password")).click()
    page.get_by_label("New password", exact=True).fill(PASSWORD)
    page.get_by_label("New password confirmation").fill(PASSWORD)
    page.get_by_role("button", name="Save password").click()
    expect(page.get_by_role("status")).to_contain_text("Password saved")
    page.get_by_role("button", name="Sign out").first.click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.get_by_label("Account name").fill("owner")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("do not go together")
    page.get_by_label("Account name").fill("owner")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Devices")).to_be_visible()


def test_everything_but_live_works_without_scripts(
    server: LiveServer, open_browser: OpenBrowser, signed_in: dict[str, object]
) -> None:
    page = open_browser(java_script_enabled=False, storage_state=signed_in)
    page.goto(server.url)
    page.get_by_role("link", name="Add Device").first.click()
    page.get_by_label("Device name").fill("Plain")
    page.get_by_role("button", name="Add Device").click()
    expect(page.get_by_role("heading", name="Plain")).to_be_visible()
    page.get_by_role("link", name="Add channel").click()
    page.get_by_label("Channel name").fill("humidity")
    page.get_by_role("button", name="Add channel").click()
    expect(page.locator('[data-key="humidity"]')).to_be_visible()
    page.get_by_role("button", name=re.compile("Show key")).first.click()
    expect(page.locator("code").first).to_have_text(re.compile(r"^[\w-]{48}$"))


def test_a_channel_deleted_by_the_api_leaves_an_open_page(
    new_server: LiveServer, open_browser: OpenBrowser
) -> None:
    headers = {"X-ApiKey": new_server.api_key}
    url = f"{new_server.url}/v2/feeds/{new_server.feed_id}"
    body = {"datastreams": [{"id": name, "current_value": "1"} for name in ("a", "b")]}
    requests.put(f"{url}.json", json=body, headers=headers, timeout=20)
    page = open_browser()
    page.goto(new_server.welcome_url)
    page.goto(f"{new_server.url}/feeds/{new_server.feed_id}")
    expect(page.locator("#stream-state")).to_have_text("Live")
    expect(page.locator("#channels > article")).to_have_count(2)
    for name, left_count in (("a", 1), ("b", 0)):
        gone = requests.delete(f"{url}/datastreams/{name}", headers=headers, timeout=20)
        assert gone.status_code == 200
        expect(page.locator("#channels > article")).to_have_count(left_count)
    expect(page.get_by_text("Waiting for the first value")).to_be_visible()
    requests.put(f"{url}.json", json=body, headers=headers, timeout=20)
    expect(page.locator("#channels > article")).to_have_count(2)

    def delete_first(route: Route) -> None:
        requests.delete(f"{url}/datastreams/a", headers=headers, timeout=20)
        route.continue_()

    page.route("**/live/**", delete_first)  # gone after the page was made, before its stream began
    page.reload()
    expect(page.locator("#stream-state")).to_have_text("Live")
    expect(page.locator("#channels > article")).to_have_count(1)


def test_a_page_that_could_not_be_refreshed_is_tried_again(
    new_server: LiveServer, open_browser: OpenBrowser
) -> None:
    page = open_browser()
    page.goto(new_server.welcome_url)
    address = f"{new_server.url}/feeds/{new_server.feed_id}"
    page.goto(address)
    expect(page.locator("#stream-state")).to_have_text("Live")
    refused = []

    def refuse_once(route: Route) -> None:
        if refused:
            route.continue_()
        else:
            refused.append(route)
            route.fulfill(status=503, body="Too many pages are being made at the moment.")

    page.route(address, refuse_once)
    requests.put(
        f"{new_server.url}/v2/feeds/{new_server.feed_id}.json",
        json={"title": "Renamed"},
        headers={"X-ApiKey": new_server.api_key},
        timeout=20,
    )
    expect(page.get_by_role("heading", name="Renamed")).to_be_visible()
    assert refused
