"""The REST API's interactive page: it works offline, within the policy of all pages."""

from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, Request, expect
from tests.browser.conftest import OpenBrowser, screenshot
from tests.live_server import LiveServer


def watch_requests(page: Page) -> list[str]:
    """The hosts that a page asks."""
    hosts: list[str] = []

    def note(request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in ("http", "https", "ws", "wss"):
            hosts.append(parts.netloc)

    page.on("request", note)
    return hosts


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_an_operation_is_read_and_tried_out_by_session(
    server: LiveServer,
    signed_in: dict[str, object],
    open_browser: OpenBrowser,
    scheme: str,
    width: int,
) -> None:
    page = open_browser(width=width, storage_state=signed_in, color_scheme=scheme)
    hosts = watch_requests(page)
    answer = page.goto(f"{server.url}/api/docs/")
    assert answer is not None
    assert "unsafe-inline" not in answer.headers["content-security-policy"]
    making = page.locator("#operations-devices-create_device")
    expect(making).to_be_visible()
    screenshot(page, f"api-docs-{scheme}")
    making.locator(".opblock-summary-control").click()
    expect(making.get_by_text("It belongs to the caller's account.")).to_be_visible()
    making.get_by_role("button", name="Try it out").click()
    making.locator("textarea.body-param__text").fill(f'{{"title": "Tried out {scheme}"}}')
    making.get_by_role("button", name="Execute").click()
    expect(making.locator(".live-responses-table td.response-col_status").nth(1)).to_contain_text(
        "201"
    )
    screenshot(page, f"api-docs-tried-{scheme}")
    assert set(hosts) == {urlsplit(server.url).netloc}
    page.goto(f"{server.url}/")
    expect(page.get_by_text(f"Tried out {scheme}")).to_be_visible()


def test_a_stranger_reads_it_and_is_asked_for_a_key(
    server: LiveServer, open_browser: OpenBrowser
) -> None:
    page = open_browser()
    page.goto(f"{server.url}/api/")  # a browser is led on
    expect(page).to_have_url(f"{server.url}/api/docs/")
    expect(page.locator("#operations-devices-list_devices")).to_be_visible()
    page.get_by_role("button", name="Authorize").first.click()
    expect(page.get_by_text("X-ApiKey").first).to_be_visible()
