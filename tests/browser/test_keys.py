"""API keys: what is ticked is what they may do."""

import re

import requests
from playwright.sync_api import Page, expect
from tests.browser.conftest import OpenBrowser
from tests.live_server import LiveServer


def submit(page: Page, button: str) -> None:
    page.get_by_role("dialog").get_by_role("button", name=button, exact=True).click()


def tick(page: Page, *methods: str) -> None:
    """Have exactly these permission boxes ticked."""
    dialog = page.get_by_role("dialog")
    for method in ("READ", "UPDATE", "CREATE", "DELETE"):
        dialog.get_by_label(method, exact=True).set_checked(method in methods)


def secret_of(page: Page, label: str) -> str:
    row = page.locator(".key", has_text=label)
    row.get_by_role("button", name=re.compile("^Show key")).click()
    code = row.locator("code")
    expect(code).to_have_text(re.compile(r"^[\w-]{48}$"))
    return code.inner_text()


def status(server: LiveServer, key: str, method: str, feed_id: int | None = None) -> int:
    url = f"{server.url}/v2/feeds/{feed_id or server.feed_id}.json"
    body = {"title": "Still mine"} if method == "PUT" else None
    return requests.request(
        method, url, json=body, headers={"X-ApiKey": key}, timeout=20
    ).status_code


def test_a_key_that_may_only_read_is_refused_to_write_until_it_is_changed(
    server: LiveServer, open_browser: OpenBrowser, signed_in: dict[str, object]
) -> None:
    page = open_browser(storage_state=signed_in)
    page.goto(f"{server.url}/feeds/{server.feed_id}")
    page.get_by_role("link", name="Add key").click()
    page.get_by_role("dialog").get_by_label("Label").fill("Wall display")
    tick(page, "READ")
    submit(page, "Add key")
    expect(page.locator(".key", has_text="Wall display")).to_contain_text("READ")
    key = secret_of(page, "Wall display")
    assert status(server, key, "GET") == 200
    assert status(server, key, "PUT") == 403

    page.get_by_role("link", name="Edit key Wall display").click()
    expect(page.get_by_role("dialog").get_by_label("READ", exact=True)).to_be_checked()
    expect(page.get_by_role("dialog").get_by_label("UPDATE", exact=True)).not_to_be_checked()
    tick(page, "READ", "UPDATE")
    submit(page, "Save key")
    expect(page.locator(".key", has_text="Wall display")).to_contain_text("UPDATE")
    assert status(server, key, "PUT") == 200


def test_a_regenerated_key_is_shown_once_and_the_old_secret_is_dead(
    server: LiveServer, open_browser: OpenBrowser, signed_in: dict[str, object]
) -> None:
    page = open_browser(storage_state=signed_in)
    page.goto(f"{server.url}/keys/")
    page.get_by_role("link", name="Add key").first.click()
    page.get_by_role("dialog").get_by_label("Label").fill("Old gateway")
    submit(page, "Add key")
    old = secret_of(page, "Old gateway")
    assert status(server, old, "GET") == 200
    page.get_by_role("link", name="Regenerate key Old gateway").click()
    submit(page, "Regenerate key")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading", name="The new key")).to_be_visible()
    new = dialog.locator("#the-secret").inner_text()
    dialog.get_by_role("link", name="Done").click()
    assert status(server, old, "GET") == 401
    assert status(server, new, "GET") == 200
    expect(page.locator(".key", has_text="Old gateway").locator("code")).to_contain_text("•")
    assert secret_of(page, "Old gateway") == new  # not what the page had remembered
    page.get_by_role("link", name="Delete key Old gateway").click()
    submit(page, "Delete key")
    expect(page.locator(".key", has_text="Old gateway")).to_have_count(0)
    assert status(server, new, "GET") == 401


def test_limits_of_a_key_are_kept_and_shown(
    server: LiveServer, open_browser: OpenBrowser, signed_in: dict[str, object]
) -> None:
    page = open_browser(storage_state=signed_in)
    page.goto(f"{server.url}/keys/")
    page.get_by_role("link", name="Add key").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Label").fill("Narrow")
    dialog.get_by_text("Only these feeds or channels").click()
    dialog.get_by_label("Feeds and channels").fill("999999")
    dialog.get_by_text("Limit it further").click()
    dialog.get_by_label("Source IP").fill("not an address")
    dialog.get_by_label("Expires").select_option("day")
    dialog.get_by_label("Last day").fill("2020-01-01")
    submit(page, "Add key")
    expect(dialog).to_contain_text("This day is over")
    dialog.get_by_label("Last day").fill("2099-12-31")
    submit(page, "Add key")
    expect(dialog).to_contain_text("Source IP is not an IP address")
    dialog.get_by_label("Source IP").fill("127.0.0.1")
    submit(page, "Add key")
    expect(dialog).to_contain_text("Feed 999999 is not a feed of this account")
    dialog.get_by_label("Feeds and channels").fill("seven")
    submit(page, "Add key")
    expect(dialog).to_contain_text("neither a feed such as 7 nor a channel")
    dialog.get_by_label("Feeds and channels").fill(f"{server.feed_id}/temperature")
    dialog.get_by_label("Referer").fill("example.com")
    dialog.get_by_label("Finest interval").fill("60")
    submit(page, "Add key")
    row = page.locator(".key", has_text="Narrow")
    for words in (f"channel {server.feed_id}/temperature", "from 127.0.0.1", "pages of example.com", "every 60 s", "until 1 Jan 2100"):  # fmt: skip
        expect(row).to_contain_text(words)
    key = secret_of(page, "Narrow")
    assert status(server, key, "GET") == 403  # the feed as a whole is not its channel
    page.get_by_role("link", name="Edit key Narrow").click()
    expect(dialog.get_by_label("Source IP")).to_have_value("127.0.0.1")
    expect(dialog.get_by_label("Expires")).to_have_value("keep")
    submit(page, "Save key")
    expect(row).to_contain_text("until 1 Jan 2100")


def test_keys_of_others_are_not_found(
    server: LiveServer, open_browser: OpenBrowser, signed_in: dict[str, object]
) -> None:
    server.command("user", "create", "bob")
    other = server.command("key", "create", "bobs", "--owner", "bob")
    page = open_browser(storage_state=signed_in)
    for path in (f"/keys/{other['key_id']}/edit", f"/keys/{other['key_id']}/regenerate", "/keys/999999/edit"):  # fmt: skip
        reply = page.goto(server.url + path)
        assert reply is not None
        assert reply.status == 404
