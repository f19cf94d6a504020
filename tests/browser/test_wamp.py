"""The WAMP page: empty, with clients that come and go, and what is tried out on it."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Page, expect
from tests.browser.conftest import OpenBrowser, screenshot
from tests.browser.looks import SIZES, check_fits, check_readable
from tests.live_server import LiveServer
from tests.wamp_json import JsonClient, json_client

TOPIC = "com.example.lights"
PROCEDURE = "com.example.add"
LONG_TOPIC = f"com.example.{'a-very-long-component' * 6}.{'b' * 90}"


def row(page: Page, text: str) -> object:
    return page.locator(".router-row").filter(has_text=text)


@contextmanager
def adding(callee: JsonClient) -> Iterator[None]:
    """Let a client answer one call with the sum of its arguments."""

    def answer() -> None:
        invocation = callee.receive()
        assert invocation[0] == 68, invocation
        callee.send([70, invocation[1], {}, [sum(invocation[4])]])

    thread = threading.Thread(target=answer)
    thread.start()
    yield
    thread.join(10)
    assert not thread.is_alive()


def test_clients_are_seen_and_spoken_with(
    server: LiveServer, open_browser: OpenBrowser, signed_in: dict[str, object]
) -> None:
    page = open_browser(storage_state=signed_in)
    page.goto(server.url)
    page.get_by_role("navigation", name="Main").get_by_role("link", name="WAMP").click()
    rows = page.locator(".router-row")
    expect(page.get_by_role("heading", name="Nobody is connected")).to_be_visible()
    expect(page.locator("#subscriber-code")).to_contain_text(server.sockets["wamp"])
    expect(page.locator("#stream-state")).to_have_text("Live")
    expect(page.locator("#traffic canvas")).to_be_visible()
    screenshot(page, "wamp-empty")

    with json_client(server.sockets["wamp"]) as client:
        expect(rows).to_have_count(1)  # on the page, without a reload
        expect(rows).to_contain_text(str(client.session_id))
        expect(rows).to_contain_text("websocket json")
        assert client.ask([32, 1, {}, TOPIC])[0] == 33
        assert client.ask([64, 2, {}, PROCEDURE])[0] == 65
        expect(rows.locator('[data-part="topic_count"]')).to_have_text("1")
        expect(page.locator('[data-count="procedures"]')).to_have_text("1")
        publish_and_hear(page, client)
        call_and_be_answered(page, client)
        look(page, server, open_browser, signed_in, client)
        page.goto(f"{server.url}/wamp/")
        page.get_by_role("link", name=f"Close session {client.session_id}").click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_label("Reason").fill("too loud")
        dialog.get_by_role("button", name="Close session").click()
        expect(page.locator("#notices")).to_contain_text("Session closed")
        assert client.receive() == [6, {"message": "too loud"}, "wamp.close.killed"]
        expect(rows).to_have_count(0)
        expect(page.get_by_role("heading", name="Nobody is connected")).to_be_visible()


def publish_and_hear(page: Page, client: JsonClient) -> None:
    """Topics: an event from the form arrives at the client, one of the client's on the page."""
    page.get_by_role("link", name=re.compile("^Topics")).click()
    topic = page.locator(".router-row").filter(has_text=TOPIC)
    expect(topic).to_contain_text("Last event never")
    form = page.locator('[data-try="publish"]')
    form.get_by_label("Topic").fill(TOPIC)
    form.get_by_label("Arguments JSON, optional", exact=True).fill('["on", ')
    form.get_by_role("button", name="Publish").click()
    expect(form).to_contain_text("This is no JSON")
    form.get_by_label("Arguments JSON, optional", exact=True).fill('["on", 21.5]')
    form.get_by_role("button", name="Publish").click()
    expect(form.locator(".outcome")).to_contain_text("PUBLISHED")
    assert client.receive()[4] == ["on", 21.5]
    expect(topic.locator('[data-part="event_count"]')).to_have_text("1")
    expect(topic).not_to_contain_text("Last event never")

    topic.get_by_role("button", name=f"Listen to {TOPIC}").click()
    listen = page.locator('[data-try="listen"]')
    expect(listen.locator(".outcome")).to_contain_text("SUBSCRIBED")
    client.send([16, 3, {}, TOPIC, ["<b>off</b>"], {"by": "bert"}])
    heard = listen.locator(".heard__event")
    expect(heard).to_have_count(1)
    expect(heard).to_contain_text('["<b>off</b>"]')  # as text
    expect(heard).to_contain_text('{"by": "bert"}')
    expect(topic.locator('[data-part="subscriber_count"]')).to_have_text("2")
    listen.get_by_role("button", name="Stop").click()
    expect(topic.locator('[data-part="subscriber_count"]')).to_have_text("1")


def call_and_be_answered(page: Page, client: JsonClient) -> None:
    page.get_by_role("link", name=re.compile("^Procedures")).click()
    page.get_by_role("button", name=f"Call {PROCEDURE}").click()
    form = page.locator('[data-try="call"]')
    expect(form.get_by_label("Procedure")).to_have_value(PROCEDURE)
    expect(form.get_by_label("Arguments JSON, optional", exact=True)).to_be_focused()
    page.keyboard.type("[2, 40]")
    with adding(client):
        form.get_by_role("button", name="Call").click()
        expect(form.locator(".outcome")).to_contain_text("RESULT")
    expect(form.locator(".outcome")).to_contain_text("[42]")
    form.get_by_label("Procedure").fill("nobody.has.this")
    form.get_by_role("button", name="Call").click()
    expect(form.locator(".outcome")).to_contain_text("wamp.error.no_such_procedure")
    expect(page.locator(".router-row")).to_contain_text("Calls 1")
    page.get_by_text("own procedures").click()
    expect(page.get_by_role("button", name="Call wamp.session.count", exact=True)).to_be_visible()


def look(
    page: Page,
    server: LiveServer,
    open_browser: OpenBrowser,
    signed_in: dict[str, object],
    client: JsonClient,
) -> None:
    """Each list in a theme and a size, with names that hardly fit."""
    assert client.ask([32, 4, {"match": "prefix"}, LONG_TOPIC])[0] == 33
    assert client.ask([64, 5, {"invoke": "roundrobin"}, f"{LONG_TOPIC}.call"])[0] == 65
    looks = [
        ("sessions", "light", "desktop"),
        ("topics", "light", "phone"),
        ("topics", "dark", "desktop"),
        ("procedures", "dark", "phone"),
    ]
    for show, theme, size in looks:
        looked = open_browser(*SIZES[size], color_scheme=theme, storage_state=signed_in)
        looked.goto(f"{server.url}/wamp/?show={show}")
        expect(looked.locator("#stream-state")).to_have_text("Live")
        if show == "topics":
            looked.get_by_role("button", name=f"Listen to {TOPIC}").click()
            expect(looked.locator(".outcome")).to_be_visible()
            client.send([16, 5 + len(theme), {}, TOPIC, [theme, {"nested": ["x" * 90]}]])
            expect(looked.locator(".heard__event")).to_have_count(1)
        check_fits(looked)
        check_readable(looked)
        screenshot(looked, f"wamp-{show}-{theme}-{size}")
        looked.context.close()
