"""Frame and forms of all pages: the header at every width, errors, sessions that end meanwhile."""

import pytest
import requests
from playwright.sync_api import Page, expect
from tests.browser.conftest import OpenBrowser, screenshot
from tests.browser.looks import check_fits
from tests.live_server import LiveServer

WIDTHS = (390, 640, 641, 1024, 1280, 1340, 1341, 1400, 1401, 1440, 1500, 1600, 1920)
OVERLAPS = """() => {
  const boxes = [...document.querySelectorAll(".brand, .topbar__nav, .topbar__end > *")]
    .map((element) => [element.className, element.getBoundingClientRect()])
    .filter(([, box]) => box.width > 0);
  return boxes.flatMap(([name, a], index) => boxes.slice(index + 1)
    .filter(([, b]) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 0.5
      && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 0.5)
    .map(([other]) => `${name} / ${other}`));
}"""
LONG = "w" * 150


@pytest.fixture
def page(server: LiveServer, open_browser: OpenBrowser, signed_in: dict[str, object]) -> Page:
    page = open_browser(storage_state=signed_in)
    page.goto(server.url)
    return page


@pytest.mark.parametrize("who", ["admin", "other", "stranger"])
def test_nothing_of_the_header_overlaps_at_any_width(
    server: LiveServer, open_browser: OpenBrowser, signed_in: dict[str, object], who: str
) -> None:
    page = open_browser(**({"storage_state": signed_in} if who == "admin" else {}))
    if who == "other":
        name = "wwwwwwwwwwwwwwwwwwww"  # the widest letters
        page.goto(str(server.command("user", "create", name)["sign_in_link"]))
    page.goto(f"{server.url}/directory/")
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 700})
        assert page.evaluate(OVERLAPS) == [], f"{width} px"
        check_fits(page)
        end = page.locator(".topbar__end")
        inside = "(end) => end.scrollWidth <= end.clientWidth + 1"
        assert end.evaluate(inside), f"{width} px"
    page.set_viewport_size({"width": 1440, "height": 700})
    expect(page.locator(".topbar__nav")).to_have_attribute("data-more", "")  # all of it is in sight
    screenshot(page, f"header-{who}-1440")


def test_the_admins_pages_wrap_a_long_word(server: LiveServer, page: Page) -> None:
    page.goto(f"{server.url}/devices/add")
    page.get_by_label("Device name").fill(LONG)
    page.get_by_role("button", name="Add Device").click()
    page.wait_for_url("**/feeds/*")
    feed_id = page.url.rpartition("/")[2].partition("?")[0]
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 800})
        for path in (f"/admin/catalog/device/{feed_id}/change/", "/admin/catalog/device/"):
            page.goto(server.url + path)
            check_fits(page)
    screenshot(page, "admin-long-name-phone")


def test_a_form_with_an_error_begins_at_the_field(server: LiveServer, page: Page) -> None:
    page.goto(f"{server.url}/feeds/{server.feed_id}/metadata")
    page.get_by_label("Website").fill("no address")
    page.get_by_role("button", name="Save details").click()
    expect(page.get_by_label("Website")).to_be_focused()


@pytest.mark.parametrize(
    ("path", "name", "field", "button"),
    [
        ("/mqtt/", "publish", "Topic", "Publish"),
        ("/wamp/", "publish", "Topic", "Publish"),
        ("/messages/", "send", "To", "Send"),
    ],
)
def test_who_is_signed_out_signs_in_elsewhere_and_sends_what_was_typed(
    server: LiveServer, open_browser: OpenBrowser, path: str, name: str, field: str, button: str
) -> None:
    account = f"who-{path.strip('/')}"
    made = server.command("user", "create", account)
    page = open_browser()
    page.goto(str(made["sign_in_link"]))
    page.goto(server.url + path)
    expect(page.locator("#stream-state")).to_have_text("Live")
    form = page.locator(f'[data-try="{name}"] form')
    form.get_by_label(field).first.fill("one.two")
    kept = page.context.cookies()
    page.context.clear_cookies(name=next(c["name"] for c in kept if "session" in c["name"]))
    form.get_by_role("button", name=button).click()
    answer = page.locator("[data-answer]", has_text="You are signed out")
    expect(answer).to_be_visible()
    link = answer.get_by_role("link", name="Sign in again")
    assert link.get_attribute("target") == "_blank"
    screenshot(page, f"signed-out-{path.strip('/')}")
    expect(form.get_by_label(field).first).to_have_value("one.two")
    other = page.context.new_page()
    other.goto(str(server.command("user", "link", account)["sign_in_link"]))
    other.close()
    form.get_by_role("button", name=button).click()
    expect(answer).to_be_hidden()
    expect(page.locator(".form-errors")).to_have_count(0)
    expect(form.get_by_label(field).first).to_have_value("one.two")


def test_an_error_of_a_try_on_history_takes_older_results_away(
    server: LiveServer, page: Page
) -> None:
    body = {"datastreams": [{"id": "heat", "current_value": "21"}]}
    url = f"{server.url}/v2/feeds/{server.feed_id}.json"
    assert requests.put(url, json=body, headers={"X-ApiKey": server.api_key}, timeout=20).ok
    page.goto(f"{server.url}/feeds/{server.feed_id}/triggers/add")
    page.get_by_label("Condition").select_option("gt")
    page.get_by_label("Value", exact=True).fill("1")
    words = page.locator("[data-backtest=words]")
    page.get_by_role("button", name="Try").click()
    chart = page.locator("[data-backtest=chart]")
    expect(chart).to_be_visible()
    page.get_by_label("Value", exact=True).fill("no number")
    page.get_by_role("button", name="Try").click()
    expect(words).to_have_class("backtest__words backtest__words--wrong")
    for part in ("chart", "list", "more", "stale"):
        expect(page.locator(f"[data-backtest={part}]")).to_be_hidden()
