"""Headless Chromium and pages that have loaded xively-js as it is.

The library's ports are fixed: 80 for HTTP, 8080 for WebSocket, 8082 for SockJS, which it takes
when the page has it. It keeps them and its own host `api.xively.com`; the browser is told that
these ports are the server's, and that there is no other host at all.
"""

import json
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, WebSocket, sync_playwright
from playwright.sync_api import Error as BrowserError
from tests.live_server import start_server
from tests.needed import find_chromium
from tests.official_clients.checks import Mismatch, Missing, needed_files, time_limit
from tests.official_clients.tank import Tank

WAIT_MS = 10_000
RUN_S_MAX = 600.0  # 41 checks; one that fails has waited in vain once
LIBRARY = "xivelyjs-1.0.4.js"
JQUERY = "vendor/jquery-2.0.1.js"
SOCKJS = Path(__file__).parents[1] / "interop/node/node_modules/sockjs-client/dist/sockjs.min.js"
HELPERS = Path(__file__).parent / "page.js"
OWN_HOST, OTHER_HOST = "api.xively.com", "tank.example"
DOORS = {80: "web", 8080: "websocket", 8082: "sockjs"}
SCRIPTS = {"WebSocket": [JQUERY, LIBRARY, "page.js"], "SockJS": [JQUERY, "sockjs.js", LIBRARY, "page.js"]}  # fmt: skip


class LoadedPage:
    """A page that has loaded the library, and the frames that its sockets receive."""

    def __init__(self, page: Page, key: str) -> None:
        self.page = page
        self.socket_urls: list[str] = []
        self._errors: list[str] = []
        self._statuses: Counter[tuple[str, int]] = Counter()  # of answers, by resource
        page.on("pageerror", lambda error: self._errors.append(str(error)))
        page.on("websocket", self._socket_opened)
        self.js("key => xively.setKey(key)", key)

    def js(self, function: str, argument: object = None) -> Any:
        return self.page.evaluate(function, argument)

    def call(self, path: str, *words: object) -> dict[str, Any]:
        """What the callback of `xively.PATH(*words, callback)` was given; see `page.js`."""
        return self.call_of("xively", path, *words)

    def call_of(self, owner: str, path: str, *words: object) -> dict[str, Any]:
        function = f"([path, words, ms]) => called({owner}, path, words, ms)"
        found: dict[str, Any] = self.js(function, [path, list(words), WAIT_MS])
        return found

    def read(self, path: str, *words: object) -> Any:
        """The data that the callback was given."""
        found = self.call(path, *words)
        if found["data"] is None:
            raise Mismatch(f"no data; was answered {found['status']} {found['text']}")
        return found["data"]

    def write(self, path: str, *words: object, status: int = 200) -> dict[str, Any]:
        """Call what writes; its answer is empty, which the library takes for a parser error."""
        found = self.call(path, *words)
        if found["status"] != status:
            raise Mismatch(f"was answered {found['status']} {found['text']}, expected {status}")
        return found

    def subscribe(self, path: str, *words: object) -> None:
        """Call what subscribes, with a callback that keeps what it hears."""
        self.js("([path, words]) => subscribed(path, words)", [path, list(words)])

    def heard(self, count: int) -> list[dict[str, Any]]:
        """What callbacks of subscriptions were given, once there are so many."""
        self.wait(f"a push number {count}", lambda: self.js("() => heard.length") >= count)
        found: list[dict[str, Any]] = self.js("() => heard")
        return found

    def wait_for_answer(self, resource: str, count: int = 1) -> None:
        """Wait until the socket has answered so many requests about a resource with status 200."""
        answers = f"answer number {count} with status 200 about {resource} over the socket"
        self.wait(answers, lambda: self._statuses[resource, 200] >= count)

    def wait_for_text(self, selector: str, text: str) -> None:
        function = "selector => document.querySelector(selector).textContent"
        self.wait(f"{selector} with {text!r}", lambda: self.js(function, selector) == text)

    def wait(self, what: str, seen: Callable[[], bool]) -> None:
        deadline_s = time.monotonic() + WAIT_MS / 1000
        while not seen():
            if time.monotonic() > deadline_s:
                raise Mismatch(f"no {what} within {WAIT_MS} ms; {self._said()}")
            self.page.wait_for_timeout(20)  # the browser's events are handled meanwhile

    def expect_no_errors(self) -> None:
        if self._errors:
            raise Mismatch(f"errors in the page: {self._errors}")

    def _said(self) -> str:
        return f"sockets: {self.socket_urls}, answers: {dict(self._statuses)}, page errors: {self._errors}"

    def _socket_opened(self, socket: WebSocket) -> None:
        self.socket_urls.append(socket.url)
        socket.on("framereceived", self._frame_received)

    def _frame_received(self, frame: str | bytes) -> None:
        # SockJS puts messages as strings into an array behind an `a`; its other frames hold none.
        text = frame if isinstance(frame, str) else frame.decode()
        messages = json.loads(text[1:]) if text.startswith("a") else [text]
        for message in messages:
            if message.startswith("{"):
                values = json.loads(message)
                if "status" in values:
                    self._statuses[str(values.get("resource")), int(values["status"])] += 1


class Pages:
    """Opens pages with the library, and knows the server behind them."""

    def __init__(self, tank: Tank, browser: Browser, url: str) -> None:
        self.tank = tank
        self._browser = browser
        self._url = url

    @contextmanager
    def open(self, sockets: str = "WebSocket") -> Iterator[LoadedPage]:
        """A page of its own; an error in it is a Mismatch at the end."""
        context = self._browser.new_context()
        context.set_default_timeout(WAIT_MS)
        try:
            page = context.new_page()
            page.goto(f"{self._url}/{sockets}")
            loaded = LoadedPage(page, self.tank.key)
            yield loaded
            loaded.expect_no_errors()
        finally:
            context.close()


@contextmanager
def open_pages(path: Path) -> Iterator[Pages]:
    """A server, and a browser for pages with the library of a checkout."""
    library, jquery = needed_files(path, (LIBRARY, JQUERY), "xively/xively-js")
    if not SOCKJS.is_file():
        raise Missing("sockjs-client is not installed in tests/interop/node; run: make dev")
    files = {LIBRARY: library, JQUERY: jquery, "sockjs.js": SOCKJS, "page.js": HELPERS}
    program = chromium()
    with (
        tempfile.TemporaryDirectory(prefix="thingtank-xively-js-") as folder,
        start_server(Path(folder)) as server,
        time_limit(server, RUN_S_MAX),
        serve_pages(files) as url,
        sync_playwright() as playwright,
    ):
        tank = Tank(server)
        flags = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", host_rules(tank)]
        try:
            browser = playwright.chromium.launch(executable_path=program, args=flags)
        except BrowserError as error:
            reason = error.message.partition("\n")[0]
            raise Missing(f"{program} does not start as headless Chromium: {reason}") from None
        try:
            yield Pages(tank, browser, url)
        finally:
            browser.close()


def chromium() -> str:
    """The program that the browser tests use as well."""
    found = find_chromium()
    if found is None:
        raise Missing(
            "Chromium is not installed; as root: apt-get install chromium-headless-shell,"
            " or give its path in the environment variable CHROMIUM"
        )
    return found


def host_rules(tank: Tank) -> str:
    """The flag that leads the library's ports to the server's, and everything else nowhere."""
    rules = [
        f"MAP {host}:{port} 127.0.0.1:{tank.port(door)}"
        for host in (OWN_HOST, OTHER_HOST)
        for port, door in DOORS.items()
    ]
    return "--host-resolver-rules=" + ",".join([*rules, "MAP * ~NOTFOUND", "EXCLUDE 127.0.0.1"])


@contextmanager
def serve_pages(files: dict[str, Path]) -> Iterator[str]:
    """Serve a page for each kind of socket on loopback, and the scripts in it."""
    texts = {f"/{name}": ("text/javascript", path.read_bytes()) for name, path in files.items()}
    for sockets, names in SCRIPTS.items():
        scripts = "".join(f'<script src="/{name}"></script>' for name in names)
        page = f"<!doctype html><meta charset=utf-8><title>{sockets}</title>{scripts}<body><p id=a><p id=b>"
        texts[f"/{sockets}"] = ("text/html", page.encode())
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(PageHandler, texts)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


class PageHandler(BaseHTTPRequestHandler):
    """Answers with texts that are kept in memory."""

    timeout = 10

    def __init__(self, texts: dict[str, tuple[str, bytes]], *words: Any) -> None:
        self._texts = texts
        super().__init__(*words)

    def do_GET(self) -> None:
        kind, text = self._texts.get(self.path, ("text/plain", b""))
        self.send_response(200 if self.path in self._texts else 404)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *words: object) -> None:
        """Say nothing: the lines of the checks are what is to be read."""
