"""Headless Chromium in front of a real server. Screenshots go to `build/screenshots`."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    expect,
    sync_playwright,
)
from tests.live_server import LiveServer, start_server
from tests.needed import find_chromium

SCREENSHOTS = Path("build/screenshots")
WAIT_MS = 15_000  # several browsers at once on two busy cores
expect.set_options(timeout=WAIT_MS)

OpenBrowser = Callable[..., Page]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    program = find_chromium()
    if program is None:
        reason = "Chromium is not installed; as root: apt-get install chromium-headless-shell"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    flags = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=flags)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with start_server(tmp_path_factory.mktemp("data")) as server:
        yield server


@pytest.fixture
def new_server(tmp_path: Path) -> Iterator[LiveServer]:
    """A server whose one-time link nobody has used."""
    with start_server(tmp_path) as server:
        yield server


@pytest.fixture(scope="module")
def signed_in(chromium: Browser, server: LiveServer) -> dict[str, object]:
    """The cookies of a browser that followed the one-time link."""
    context = chromium.new_context()
    page = context.new_page()
    page.goto(server.welcome_url)
    assert page.title() == "Devices · Thing Tank", page.content()
    state = context.storage_state()
    context.close()
    return dict(state)


def leaves_origin(request: Request) -> bool:
    """Whether a page asks another origin than its own for something, or posts a form there."""
    address = urlsplit(request.url)
    if address.scheme not in ("http", "https", "ws", "wss"):
        return False  # data and blobs are the page's own
    own = urlsplit(request.frame.url)
    if request.is_navigation_request() and (request.method == "GET" or own.scheme == "about"):
        return False  # a link that was followed, or an address that was typed
    return address.netloc != own.netloc


@pytest.fixture
def open_browser(chromium: Browser) -> Iterator[OpenBrowser]:
    """Open a window of its own, whose pages must not complain, break the policy, or ask elsewhere.

    If one does, the test fails. Elsewhere is any origin but the page's own. Nothing on them moves,
    unless `reduced_motion="no-preference"` asks for it: the dot of a page that is live breathes,
    and to draw it takes a fifth of a processor core for as long as the page is open.
    """
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def note(message: ConsoleMessage) -> None:
        # A refusal that the test asked for is also logged by the browser; that is no complaint.
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            complaints.append(message.text)

    def look(request: Request) -> None:
        if leaves_origin(request):
            complaints.append(f"a page asks for {request.url}")

    def open_one(
        width: int = 1280, height: int = 900, *, may_leave: bool = False, **options: object
    ) -> Page:
        options.setdefault("reduced_motion", "reduce")
        context = chromium.new_context(viewport={"width": width, "height": height}, **options)
        context.set_default_timeout(WAIT_MS)
        contexts.append(context)
        page = context.new_page()
        page.on("console", note)
        if not may_leave:
            page.on("request", look)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert complaints == []


def screenshot(page: Page, name: str) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True, animations="disabled")
