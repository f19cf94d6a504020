"""SockJS by its own client of npm in a browser, on a page of another origin, as dashboards are."""

import pytest
import requests
from playwright.sync_api import Page, expect
from tests.browser.conftest import OpenBrowser
from tests.live_server import LiveServer
from tests.needed import node_package

SUBSCRIBE = """
([url, transport, resource, key]) => {
  const said = document.body.appendChild(document.createElement('ol'));
  said.id = 'said';
  const say = (text) => { said.appendChild(document.createElement('li')).textContent = text; };
  const socket = new SockJS(url, null, transport ? {transports: transport} : {});
  socket.onopen = () => {
    say(`open ${socket.transport}`);
    socket.send(JSON.stringify({method: 'subscribe', resource, headers: {'X-ApiKey': key}}));
  };
  socket.onmessage = (event) => {
    const message = JSON.parse(event.data);
    say(message.body ? message.body.datastreams[0].current_value : `status ${message.status}`);
  };
  socket.onclose = (event) => say(`closed ${event.code}`);
}
"""
# The client's own choice first. `eventsource` needs the page's own origin, and the others are for
# browsers that are no more.
TRANSPORTS = ["", "websocket", "xhr-streaming", "xhr-polling", "jsonp-polling"]


def said(page: Page) -> list[str]:
    return page.locator("#said li").all_inner_texts()


@pytest.mark.parametrize("transport", TRANSPORTS, ids=lambda name: name or "its own choice")
def test_pushes_reach_a_page_over_each_transport(
    server: LiveServer, open_browser: OpenBrowser, transport: str
) -> None:
    library = node_package("sockjs-client") / "dist" / "sockjs.min.js"
    resource = f"/feeds/{server.feed_id}"
    page = open_browser(may_leave=True)  # to the door of SockJS, from a page of another origin
    page.goto(f"{server.url}/healthz")  # another port than SockJS's, and so another origin
    page.add_script_tag(path=library)
    page.evaluate(SUBSCRIBE, [server.sockets["sockjs"], transport, resource, server.api_key])
    expect(page.locator("#said li")).to_have_count(2)
    assert said(page) == [f"open {transport or 'websocket'}", "status 200"]
    for value in ("21.5", "Grüße ☂"):
        body = {"datastreams": [{"id": "a", "current_value": value}]}
        headers = {"X-ApiKey": server.api_key}
        url = f"{server.url}/v2{resource}"
        assert requests.put(url, json=body, headers=headers, timeout=10).status_code == 200
        expect(page.locator("#said li").last).to_have_text(value)
    assert len(said(page)) == 4
